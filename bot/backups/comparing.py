"""Comparing disks with a backup of them: a guest that was restored is exported again, and each disk must hold the same.

What a disk holds is told by the SHA-256 over the numbers, lengths and XXH64 of its blocks of 1 MiB, in order. Blocks
that are all zeros are left out, since an export may leave them out, and disks are told by their places in the guest,
since an export may bring them in another order. Storage may round a size up: a disk may be larger than in the backup
where nothing but zeros lies beyond, for which the block in which the backup's disk ends is told in two.
"""

from __future__ import annotations

import hashlib
import struct
from functools import cache
from typing import Final

import xxhash

from bot.backups.checking import open_proof
from bot.backups.intake_examined import Examined
from bot.backups.target import Stored
from bot.backups.verifier import Verifier
from bot.backups.wrong import quote
from bot.domain.backup import Contents
from bot.domain.texts import size
from bot.errors import Damaged, Refused
from bot.operations.stream_ports import Sink

_BLOCK: Final = struct.Struct("<QQQ")


class DiskDigests:
    """A recorder that keeps one digest for each disk, in the order in which the disks come."""

    def __init__(self) -> None:
        self._disks: list[hashlib._Hash] = []

    def block(self, number: int, length: int, digest: int) -> None:
        """Takes a block of a disk; number 0 begins one."""
        if number == 0:
            self._disks.append(hashlib.sha256())
        if digest != _zeros(length):
            self._disks[-1].update(_BLOCK.pack(number, length, digest))

    def chunk(self, length: int, digest: int) -> None:
        """What the archive's file is made of says nothing of its disks."""

    def by_place(self, contents: Contents) -> dict[str, str]:
        """The digests in hex by the place of the disk in the guest."""
        return {disk.device: found.hexdigest() for disk, found in zip(contents.disks, self._disks, strict=True)}


@cache
def _zeros(length: int) -> int:
    """XXH64 of so many zeros; few lengths occur, since blocks but the last of a disk have one."""
    return xxhash.xxh64_intdigest(bytes(length))


def wanted(stored: Stored) -> dict[str, str]:
    """The digests of the disks of a backup, from its proof.

    Raises:
        Refused: The proof cannot be used, or is not that of the archive.
    """
    proof, note = open_proof(stored)
    if proof is None:
        raise Refused(f"{note} Nothing can be compared with this backup without it.", "Verify it.")
    digests = DiskDigests()
    try:
        for record in proof.records():
            if not record.chunk:
                digests.block(record.number, record.length, record.digest)
    finally:
        proof.close()
    return digests.by_place(stored.manifest.contents)


class Comparing:
    """Implements `bot.operations.archive_ports.Comparison`."""

    def __init__(self, stored: Stored, expected: dict[str, str]) -> None:
        self._stored = stored
        self._wanted = expected
        self._digests = DiskDigests()
        self._verifier = Verifier(self._digests, {one.device: one.size for one in stored.manifest.contents.disks})
        self._stream = Examined("The comparison", self._verifier)

    @property
    def sink(self) -> Sink:
        """See `Comparison.sink`."""
        return self._stream

    @property
    def covered(self) -> int:
        """See `Comparison.covered`."""
        return self._verifier.covered

    @property
    def expected(self) -> int:
        """See `Comparison.expected`."""
        return self._verifier.expected

    async def same(self) -> int:
        """See `Comparison.same`."""
        found = await self._stream.ended()
        digests = self._digests.by_place(found)
        for disk in self._stored.manifest.contents.disks:
            label = quote(disk.label, 80)
            named = f"{label[0].upper()}{label[1:]}"
            there = next((one for one in found.disks if one.device == disk.device), None)
            if there is None:
                raise Damaged(f"The copy has no {label}.", disk=label)
            if there.size < disk.size:
                was, now = size(disk.size), size(there.size)
                raise Damaged(f"{named} has {now} in the copy and {was} in the backup.", disk=label)
            if digests[disk.device] != self._wanted[disk.device]:
                raise Damaged(f"{named}, read back from the copy, does not hold what the backup holds.", disk=label)
        return found.blocks

    async def discard(self) -> None:
        """See `Comparison.discard`."""
        await self._stream.discard()
