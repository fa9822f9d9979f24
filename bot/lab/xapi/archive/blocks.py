"""Blocks of disks: 1 MiB each, made when somebody reads them, always the same for the same seed and number.

A block names its seed and number in its first bytes, so that what comes back from an archive is recognised and need
not be kept. Half of it is noise and half is text, as on the disk of a common guest: it compresses to about half.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol

BLOCK: Final = 1024**2
_HEAD_SIZE: Final = 128
_MARK: Final = b"simulated block "
_HEAD: Final = re.compile(rb"simulated block (\d{12}) of disk ([0-9a-z./-]{1,64}) *\n")
_PAGE: Final = 4096
_PAGES: Final = 512
_TEXT: Final = b"The quick brown fox jumps over the lazy dog while the simulated guest writes its log.\n"


class Block(Protocol):
    """A part of a disk."""

    def read(self) -> bytes:
        """Returns its bytes, 1 MiB or fewer at the end of a disk."""


@dataclass(frozen=True, slots=True)
class MadeBlock:
    """A block that is made from its seed.

    Attributes:
        seed: What disk the data are of: lower-case letters, digits, points, dashes and slashes.
        number: Which of its blocks, from 0.
        size: Its bytes.
    """

    seed: str
    number: int
    size: int = BLOCK

    def read(self) -> bytes:
        """Returns its bytes."""
        head = b"simulated block %012d of disk %s" % (self.number, self.seed.encode())
        digest = hashlib.blake2b(head, digest_size=8).digest()
        source = _make_source()
        start = int.from_bytes(digest) % (len(source) - BLOCK)
        return b"".join((head.ljust(_HEAD_SIZE - 1), b"\n", source[start : start + BLOCK - _HEAD_SIZE]))[: self.size]


@dataclass(frozen=True, slots=True)
class ZeroBlock:
    """A block that is allocated and holds nothing but zeros, as VHDs have them: an export sends it all the same."""

    size: int = BLOCK

    def read(self) -> bytes:
        """Returns its bytes."""
        return bytes(self.size)


@cache
def _make_source() -> memoryview:
    """Returns the bytes that all made blocks are cut from."""
    noise = memoryview(hashlib.shake_256(_MARK).digest(_PAGES * _PAGE // 2))
    half = _PAGE // 2
    text = (_TEXT * (half // len(_TEXT) + 1))[:half]
    pages = (part for page in range(_PAGES) for part in (noise[page * half : (page + 1) * half], text))
    return memoryview(b"".join(pages))


def recognise(data: bytes | memoryview) -> MadeBlock | None:
    """Returns the block whose bytes these are, if they are of one that was made."""
    found = _HEAD.match(bytes(data[:_HEAD_SIZE]))
    if found is None:
        return None
    block = MadeBlock(found[2].decode(), int(found[1]), len(data))
    return block if block.read() == data else None


def read_block(block: Block | None, size: int) -> bytes:
    """Returns the bytes of a block of a size: zeros where there is none, and behind the old end of a disk that grew."""
    return (b"" if block is None else block.read()).ljust(size, b"\0")


def is_zero(data: bytes | memoryview) -> bool:
    """Tells whether there is nothing but zeros."""
    return not any(data[:64]) and data == bytes(len(data))
