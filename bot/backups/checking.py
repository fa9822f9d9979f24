"""Looking again at an archive that was whole once: all of it, or a random part of it.

All of it means: its SHA-256 is the one it had when every block of it was found right. A part means: so many chunks of
1 MiB, picked at random, first and last among them, have the XXH64 that the proof holds for each. That works for packed
archives too, since chunks are of the file as it lies there; it finds damage only where it looks.

Damage is named by block and disk. Of a plain archive each block is hashed again, so that exactly those that are
damaged are named. Of a packed one nothing can be unpacked behind the damage, so that the blocks named are those that
came out of the chunk when it was whole.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import math
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import FileIO
from typing import Final

import xxhash

from bot.backups.blame import Range, name_damage
from bot.backups.folder_files import NotPlain, open_plain
from bot.backups.proof import CHUNK, BadProof, ProofReader, Record
from bot.backups.target import Stored
from bot.backups.trouble import target_failed
from bot.domain.catalogue import Proof, Verification
from bot.errors import Refused, TargetFailed

# What was read is dropped from the system's cache in pieces of so many bytes.
_FORGET: Final = 64 << 20
_MOST_RANGES: Final = 1000

Progress = Callable[[int, int], None]
"""Gets the bytes looked at and the bytes to look at, about once for each MiB. What it raises ends the look."""


@dataclass(frozen=True)
class Look:
    """What a look at an archive found: `checked` bytes of `size`; no damage means that those are as they were.

    `note` is a sentence about what is wrong beside the archive itself; "" when nothing is.
    """

    how: Proof
    checked: int
    size: int
    damage: tuple[str, ...]
    note: str = ""

    def verification(self, at: float, who: str) -> Verification:
        """The look as the catalogue keeps it; `at` in Unix seconds."""
        return Verification(at, self.how, who, self.damage, self.note)


def check_all(stored: Stored, progress: Progress) -> Look:
    """Reads the whole archive again.

    Raises:
        TargetFailed: It cannot be opened, or its server went away. A place on the disk that cannot be read is damage.
    """
    size = stored.manifest.size
    with _open(stored) as file:
        found = os.fstat(file.fileno()).st_size
        # What a manifest says is not believed: a size that no file has would be read for ever.
        length = min(found, size)
        _forget(file, 0, 0)
        pieces = _Pieces(stored, file)
        digest = hashlib.sha256()
        damaged: list[Range] = []
        proof, note = open_proof(stored)
        expected = _chunks(stored, proof)
        try:
            for offset in range(0, length, CHUNK):
                wanted = min(CHUNK, length - offset)
                piece = pieces.read(offset, wanted)
                digest.update(piece)
                record = next(expected, None)
                if len(piece) < wanted or (record is not None and xxhash.xxh64_intdigest(piece) != record.digest):
                    _add(damaged, offset, wanted)
                if offset % _FORGET == 0:
                    _forget(file, max(0, offset - _FORGET), _FORGET)
                progress(offset + wanted, length)
            if found < size:
                _add(damaged, found, size - found)
            damage = _sizes(found, size)
            if digest.hexdigest() != stored.manifest.sha256 or damaged:
                with _told(stored):
                    damage += name_damage(stored, file, proof, damaged)
        finally:
            if proof is not None:
                proof.close()
    return Look(Proof.FULL, size, size, tuple(damage), note)


def check_sample(stored: Stored, share: float, progress: Progress, chance: random.Random | None = None) -> Look:
    """Reads a random part (`share`, 0 to 1) of the archive again.

    Raises:
        Refused: The proof cannot be used: only a look at all of the archive tells anything then.
        TargetFailed: As `check_all`.
    """
    size = stored.manifest.size
    with _open(stored) as file:
        found = os.fstat(file.fileno()).st_size
        sample = _pick(math.ceil(min(found, size) / CHUNK), share, chance or random.SystemRandom())
        proof, note = open_proof(stored)
        if proof is None:
            raise Refused(f"{note} A part of the archive cannot be checked without it.", "Verify all of it.")
        try:
            damaged: list[Range] = []
            pieces = _Pieces(stored, file)
            checked = done = 0
            for index, record in enumerate(_chunks(stored, proof)):
                if index in sample:
                    offset = index * CHUNK
                    piece = pieces.read(offset, record.length)
                    if len(piece) < record.length or xxhash.xxh64_intdigest(piece) != record.digest:
                        _add(damaged, offset, record.length)
                    _forget(file, offset, record.length)
                    checked += record.length
                    done += 1
                    progress(done * size // len(sample), size)
            if done != len(sample):
                raise Refused("The proof is of an archive of another length.", "Verify all of it.")
            damage = _sizes(found, size)
            if damaged:
                with _told(stored):
                    damage += name_damage(stored, file, proof, damaged)
        finally:
            proof.close()
    return Look(Proof.SAMPLE, checked, size, tuple(damage), note)


def _pick(count: int, share: float, chance: random.Random) -> set[int]:
    """So many of so many chunks; first and last hold the description of the guest and the marks of the end."""
    if count <= 2:
        return set(range(count))
    wanted = min(count, max(2, math.ceil(count * share)))
    return {0, count - 1, *chance.sample(range(1, count - 1), wanted - 2)}


def _sizes(found: int, size: int) -> list[str]:
    return [] if found == size else [f"The archive has {found:,} bytes and should have {size:,}."]


@contextlib.contextmanager
def _told(stored: Stored) -> Iterator[None]:
    """What the system says comes out as TargetFailed."""
    try:
        yield
    except OSError as error:
        raise target_failed(error, stored.archive, "could not be read") from error
    except NotPlain as error:
        raise TargetFailed(f"{stored.archive} could not be read: {error}.", "See who put it there.") from error


def _open(stored: Stored) -> FileIO:
    with _told(stored):
        return FileIO(open_plain(stored.archive), "rb")


def _chunks(stored: Stored, proof: ProofReader | None) -> Iterator[Record]:
    """The records of the chunks of the file, in order."""
    if proof is not None:
        with _told(stored):
            yield from (one for one in proof.records() if one.chunk)


def open_proof(stored: Stored) -> tuple[ProofReader | None, str]:
    """The proof, to be closed; or a sentence about why there is none."""
    try:
        file = os.fdopen(open_plain(stored.proof), "rb")
    except OSError as error:
        return None, f"The proof cannot be read: {error.strerror}."
    except NotPlain as error:
        return None, f"The proof cannot be read: {error}."
    try:
        return ProofReader(file, stored.manifest.proof_sha256), ""
    except (BadProof, OSError) as error:
        file.close()
        return None, f"The proof cannot be used: {error}."


class _Pieces:
    """Reads parts of a file into one buffer: a view is good until the next one is read."""

    def __init__(self, stored: Stored, file: FileIO) -> None:
        self._stored = stored
        self._file = file
        self._buffer = memoryview(bytearray(CHUNK))

    def read(self, offset: int, length: int) -> memoryview:
        """The bytes there; fewer where the file ends or the disk cannot read them."""
        filled = 0
        try:
            self._file.seek(offset)
            while filled < length:
                count = self._file.readinto(self._buffer[filled:length])
                if not count:
                    break
                filled += count
        except OSError as error:
            if error.errno != errno.EIO:
                raise target_failed(error, self._stored.archive, "could not be read") from error
            # That place on the disk cannot be read: damage, and not the end of the look.
            filled = 0
        return self._buffer[:filled]


def _add(damaged: list[Range], offset: int, length: int) -> None:
    if damaged and damaged[-1].end == offset:
        damaged[-1] = Range(damaged[-1].start, offset + length)
    elif len(damaged) < _MOST_RANGES:
        damaged.append(Range(offset, offset + length))
    else:
        # Too many to tell one by one: what lies between is looked at with the last one.
        damaged[-1] = Range(damaged[-1].start, offset + length)


def _forget(file: FileIO, offset: int, length: int) -> None:
    """Drops a part of the file (0: all) from the system's cache: what is read is the disk, and others keep theirs."""
    # A wish only: where it is not known, what is read may come from the cache.
    with contextlib.suppress(OSError, AttributeError):
        os.posix_fadvise(file.fileno(), offset, length, os.POSIX_FADV_DONTNEED)
