"""The proof of an archive: what each of its parts was when it was found to be right.

It lets an archive be checked in part, and lets a damage be named by block and disk. A file of records, little-endian:

    8 bytes "XENPROOF", u16 version (1), u16 zero, u32 length of a chunk
    records of 16 bytes: u32 number, u24 length, u8 kind, u64 XXH64
    last record of kind 3: number of records before it in the place of the XXH64
    32 bytes: SHA-256 of everything before

Kind 1 is a block of a disk: its number as its member is named, its length, the XXH64 of its contents. A disk begins
with number 0, and disks come in the order of the archive. Kind 2 is a chunk: 1 MiB of the archive's file as it lies
there, packed or not, the last one shorter. A chunk's record follows those of the blocks that end within it.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, Protocol

CHUNK: Final = 1 << 20
"""Bytes of an archive's file that one record covers."""

_MAGIC: Final = b"XENPROOF"
_VERSION: Final = 1
_HEADER: Final = struct.Struct("<8sHHI")
_RECORD: Final = struct.Struct("<IIQ")
_BLOCK, _CHUNK, _END = 1, 2, 3
_DIGEST_SIZE: Final = 32
# Records are handed on in pieces of this many bytes.
_BATCH: Final = 1 << 16


class BadProof(ValueError):
    """The file is no whole proof; the sentence says why."""


class Recorder(Protocol):
    """Takes what a verifier finds to be right, in order."""

    def block(self, number: int, length: int, digest: int) -> None:
        """A block of a disk: its number (0 begins a disk), its bytes and its XXH64."""
        ...

    def chunk(self, length: int, digest: int) -> None:
        """A chunk of the archive's file: its bytes and its XXH64."""
        ...


class ProofWriter:
    """Makes a proof, handing it to `write` piece by piece: it grows by 16 bytes for each block and each chunk."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._sha256 = hashlib.sha256()
        self._held = bytearray(_HEADER.pack(_MAGIC, _VERSION, 0, CHUNK))
        self._records = 0

    def block(self, number: int, length: int, digest: int) -> None:
        """Records a block of a disk."""
        self._add(number, _BLOCK << 24 | length, digest)

    def chunk(self, length: int, digest: int) -> None:
        """Records a chunk of the archive's file."""
        self._add(0, _CHUNK << 24 | length, digest)

    def close(self) -> str:
        """Ends the proof; returns the SHA-256 of all of it, in hexadecimal. Raises what `write` raises."""
        self._add(0, _END << 24, self._records)
        self._flush()
        digest = self._sha256.digest()
        self._held += digest
        self._flush()
        return self._sha256.hexdigest()

    def _add(self, number: int, word: int, digest: int) -> None:
        self._held += _RECORD.pack(number, word, digest)
        self._records += 1
        if len(self._held) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        piece = bytes(self._held)
        self._held.clear()
        self._sha256.update(piece)
        self._write(piece)


@dataclass(frozen=True, slots=True)
class Record:
    """One record: a block of a disk, or (`chunk`) a chunk of the file."""

    chunk: bool
    number: int
    length: int
    digest: int


class ProofReader:
    """Reads a proof from a file, piece by piece. The file is checked as a whole before its first record is given.

    Raises:
        BadProof: It is no proof, of a later version, or not the one that was written.
        OSError: It cannot be read.
    """

    def __init__(self, file: BinaryIO, sha256: str = "") -> None:
        self._file = file
        self.sha256 = self._check()
        if sha256 and self.sha256 != sha256:
            raise BadProof("it is another one than the manifest names")

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def records(self) -> Iterator[Record]:
        """Yields the records in the order in which they were made."""
        self._file.seek(_HEADER.size)
        for _ in range(0, self._count, _BATCH // _RECORD.size):
            piece = self._file.read(_BATCH)
            for number, word, digest in _RECORD.iter_unpack(piece[: len(piece) // _RECORD.size * _RECORD.size]):
                kind = word >> 24
                if kind == _END:
                    return
                yield Record(kind == _CHUNK, number, word & 0xFFFFFF, digest)

    def _check(self) -> str:
        header = self._file.read(_HEADER.size)
        if len(header) < _HEADER.size or not header.startswith(_MAGIC):
            raise BadProof("it is no proof")
        _, version, _, chunk = _HEADER.unpack(header)
        if version != _VERSION or chunk != CHUNK:
            raise BadProof(f"it is of a version ({version}) that this bot does not know")
        digest = hashlib.sha256(header)
        tail = b""
        size = len(header)
        while piece := self._file.read(_BATCH):
            size += len(piece)
            tail += piece
            digest.update(tail[:-_DIGEST_SIZE])
            tail = tail[-_DIGEST_SIZE:]
        self._count, rest = divmod(size - _HEADER.size - _DIGEST_SIZE, _RECORD.size)
        if rest or self._count < 1 or tail != digest.digest():
            raise BadProof("it is damaged")
        digest.update(tail)
        return digest.hexdigest()
