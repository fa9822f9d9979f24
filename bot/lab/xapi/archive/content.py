"""What the disks of a datacentre hold: which blocks, by the UUID of the disk; all other blocks are zero.

Snapshots, clones and copies share what their origin held. Data that no disk of the lab ever had are kept in a file
without a name, once for all disks that hold them.
"""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from bot.lab.xapi.archive.blocks import BLOCK, Block, MadeBlock, ZeroBlock, is_zero, recognise
from bot.lab.xapi.errors import ApiError

_RUN: Final = 4  # blocks that lie together
LARGEST_SPOOL: Final = 4 * 1024**3

Blocks = Mapping[int, Block]
_NOTHING: Final[Blocks] = {}


@dataclass(frozen=True, slots=True)
class _KeptBlock:
    """A block in the file of foreign data."""

    file: BinaryIO
    start: int
    size: int

    def read(self) -> bytes:
        return os.pread(self.file.fileno(), self.size, self.start)


@dataclass(frozen=True, slots=True)
class _Planted:
    """What a disk holds from the start."""

    seed: str
    size: int
    stored_mib: int

    def expand(self) -> Blocks:
        blocks: dict[int, Block] = {
            number: _make_block(self.seed, number, self.size) for number in _scatter(self.size, self.stored_mib)
        }
        if self.stored_mib >= _RUN and self.size >= (_RUN + 1) * BLOCK:
            blocks.setdefault(_RUN, ZeroBlock())  # right behind the first run
        return blocks


def _make_block(seed: str, number: int, size: int) -> MadeBlock:
    return MadeBlock(seed, number, min(BLOCK, size - number * BLOCK))


def _scatter(size: int, stored: int) -> list[int]:
    """Returns the numbers of blocks that hold data: the first, and runs all over the disk."""
    total = -(-size // BLOCK)
    if stored >= total:
        return list(range(total))
    runs = max(1, stored // _RUN)
    step = total / runs
    numbers = {int(run * step) + place for run in range(runs) for place in range(_RUN)}
    return sorted(number for number in numbers if number < total)[:stored]


class Contents:
    """The data of all disks.

    Args:
        folder: Where foreign data are kept while the lab runs; None for the system's folder for temporary files.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._held: dict[str, Blocks | _Planted] = {}
        self._file: BinaryIO | None = None
        self._kept: dict[bytes, _KeptBlock] = {}
        self._used = 0

    def plant(self, uuid: str, size: int, stored_mib: int) -> None:
        """Gives a disk data of its own.

        Args:
            uuid: The disk, which is also the seed of its data.
            size: Its virtual size in bytes.
            stored_mib: How much of it holds data.
        """
        self._held[uuid] = _Planted(uuid, size, stored_mib)

    def share(self, source: str, target: str) -> None:
        """Lets one disk hold what another one holds now."""
        self._held[target] = self._held.get(source, _NOTHING)

    def find(self, uuid: str) -> Blocks:
        """Returns the blocks that a disk holds, by number; they stay as they are whatever becomes of the disk."""
        held = self._held.get(uuid, _NOTHING)
        if isinstance(held, _Planted):
            held = self._held[uuid] = held.expand()
        return held

    def put(self, uuid: str, blocks: Blocks) -> None:
        """Lets a disk hold these blocks and nothing else."""
        self._held[uuid] = blocks

    def drop(self, uuid: str) -> None:
        """Forgets what a disk held."""
        self._held.pop(uuid, None)

    def write(self, uuid: str, size: int, amount: int) -> None:
        """Lets a guest overwrite so many bytes of its disk of a size, where it holds data, with new ones."""
        blocks = dict(self.find(uuid))
        for number in list(blocks)[: -(-amount // BLOCK)]:
            old = blocks[number]
            if isinstance(old, ZeroBlock):
                continue
            seed = old.seed if isinstance(old, MadeBlock) else uuid
            name, _, version = seed.partition("/")
            blocks[number] = _make_block(f"{name}/{int(version or 0) + 1}", number, size)
        self._held[uuid] = blocks

    def keep(self, data: bytes | memoryview) -> Block | None:
        """Returns a block with these bytes, or None for nothing but zeros.

        Raises:
            ApiError: `VDI_IO_ERROR` when the lab would keep more than 4 GiB of data that it did not make.
        """
        if is_zero(data):
            return None
        if made := recognise(data):
            return made
        digest = hashlib.blake2b(data, digest_size=16).digest()
        if digest not in self._kept:
            if self._used + len(data) > LARGEST_SPOOL:
                raise ApiError("VDI_IO_ERROR", "The lab keeps no more data of others")
            if self._file is None:
                # Its name is gone at once: whatever becomes of the lab, nothing is left behind.
                self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  closed by `close`
            os.pwrite(self._file.fileno(), data, self._used)
            self._kept[digest] = _KeptBlock(self._file, self._used, len(data))
            self._used += len(data)
        return self._kept[digest]

    def close(self) -> None:
        """Forgets all data."""
        self._held.clear()
        self._kept.clear()
        if self._file is not None:
            self._file.close()
            self._file = None
