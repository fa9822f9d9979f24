"""Writes the disks of an export: each block with its companion, gaps for zeros, signs of life while it finds none."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import xxhash

from bot.lab.xapi.archive.blocks import BLOCK, read_block
from bot.lab.xapi.archive.content import Blocks
from bot.lab.xapi.archive.tape import write_header, write_member
from bot.lab.xapi.calls import Context
from bot.lab.xapi.errors import driver_failure
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.storage_operations import sees
from bot.lab.xapi.rules.storage_space import is_thick
from bot.lab.xapi.streams.outlet import Outlet
from bot.lab.xapi.streams.pace import Pace
from bot.lab.xapi.streams.trouble import Trouble

SCANNED_BYTES_PER_S: Final = 500_000_000.0
KEEP_ALIVE_S: Final = 5.0

# The suffix of a companion, and what it holds.
Companion = tuple[str, Callable[[bytes], str]]
XXHASH: Final[Companion] = (".xxhash", lambda data: xxhash.xxh64(data).hexdigest().upper())
SHA1: Final[Companion] = (".checksum", lambda data: hashlib.sha1(data, usedforsecurity=False).hexdigest())


@dataclass(frozen=True, slots=True)
class SentDisk:
    """A disk whose data are sent.

    Attributes:
        name: Its reference in the archive.
        storage: Where it is.
        size: Its virtual size in bytes.
        blocks: What it held when the export began.
        is_raw: Whether its zeros must be read to be found, as on LVM.
    """

    name: str
    vdi: str
    storage: str
    size: int
    blocks: Blocks
    is_raw: bool


def look_at(pool: Pool, name: str, vdi: str) -> SentDisk:
    """Returns a disk as it is now."""
    record = pool.database.record("VDI", vdi)
    blocks = pool.contents.find(record["uuid"])
    return SentDisk(name, vdi, record["SR"], record["virtual_size"], blocks, is_thick(pool.database, record["SR"]))


class DiskWriter:
    """Writes the disks of one archive.

    Args:
        context: Of the request.
        outlet: Where the bytes go.
        pace: How fast, and how far.
        companion: Which kind follows each block.
        trouble: What was armed for the archive.
    """

    def __init__(self, context: Context, outlet: Outlet, pace: Pace, companion: Companion, trouble: Trouble) -> None:
        self._context = context
        self.outlet = outlet
        self.pace = pace
        self._trouble = trouble
        self._suffix, self._hash = companion
        self._done = 0
        self._shift = 0

    async def write(self, disk: SentDisk) -> None:
        """Writes a disk: its first and last block always, others where they hold something.

        Raises:
            ApiError: `SR_BACKEND_FAILURE_46` when the disk is gone meanwhile, `SR_BACKEND_FAILURE_47` when the host
                does not see its storage any more.
        """
        self._shift = 0
        last = -(-disk.size // BLOCK) - 1
        reached = 0
        for number in sorted({0, last, *disk.blocks} if disk.size else ()):
            await self._scan(disk, reached, number)
            self._check(disk)
            size = min(BLOCK, disk.size - number * BLOCK)
            await self._write_block(disk.name, number, read_block(disk.blocks.get(number), size))
            reached = number + 1
            await self.pace.reach(self._done + number * BLOCK + size)
        self._done += disk.size

    async def _scan(self, disk: SentDisk, begun: int, end: int) -> None:
        """Reads through zeros of a raw disk; says with empty members that it is at work."""
        left = (end - begun) * BLOCK / SCANNED_BYTES_PER_S if disk.is_raw else 0.0
        number = begun
        while left > KEEP_ALIVE_S:
            await self.pace.rest(KEEP_ALIVE_S)
            left -= KEEP_ALIVE_S
            number += int(KEEP_ALIVE_S * SCANNED_BYTES_PER_S) // BLOCK
            await self._write_block(disk.name, number, b"")
            self._shift += 1  # the number is used up, though no data went with it
        await self.pace.rest(left)

    async def _write_block(self, name: str, number: int, data: bytes) -> None:
        member = f"{name}/{number + self._shift:08d}"
        told = self._hash(data)
        if self._trouble.is_due("wrong_companion", self.outlet.written):
            told = self._hash(data + b"?")
        companion = write_member(member + self._suffix, told.encode())
        await self.outlet.write(b"".join((write_header(member, len(data)), data, companion)))

    def _check(self, disk: SentDisk) -> None:
        pool = self._context.pool
        if not pool.database.has("VDI", disk.vdi):
            raise driver_failure(46, "The VDI is not available")
        if not sees(pool.database, self._context.machine.ref, disk.storage):
            raise driver_failure(47, "The SR is not available")
