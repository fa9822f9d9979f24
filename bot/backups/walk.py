"""The members of an unpacked archive, one after the other: each must be the one that has to come next."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Mapping
from typing import Final

import xxhash

from bot.backups.ova import LONGEST, Ova, OvaDisk, OvaReader
from bot.backups.ova_values import BadOva
from bot.backups.tar import BLOCK, ZEROS, NotAHeader, read_header
from bot.backups.wrong import quote, recognise
from bot.domain.backup import ArchivedDisk
from bot.domain.texts import size
from bot.errors import Damaged

LONGEST_BLOCK: Final = 1 << 20
"""Bytes of a disk that one member holds, at most."""

_HEADER: Final = (BLOCK, BLOCK)
_FEWEST_DIGITS: Final = 8
_MOST_DIGITS: Final = 10
_LARGEST_NUMBER: Final = 0xFFFFFFFF
# Suffix of the member behind a block, the name of the hash it holds, and its characters.
_KINDS: Final = {".xxhash": ("XXH64", 16), ".checksum": ("SHA-1", 40)}

# What the walk asks for: at least and at most so many bytes. It gets a view that it must not keep.
_Steps = Generator[tuple[int, int], memoryview, None]

OnBlock = Callable[[int, int, int], None]
"""Called after each block that is right: its number, its bytes, its XXH64. A disk begins with number 0."""


class _Parts:
    """The XXH64 of what a block holds up to a place within it, and of what follows."""

    def __init__(self, head: int) -> None:
        self._left = head
        self._head, self._rest = xxhash.xxh64(), xxhash.xxh64()

    def update(self, part: memoryview) -> None:
        self._head.update(part[: self._left])
        self._rest.update(part[self._left :])
        self._left = max(0, self._left - len(part))

    def digests(self) -> tuple[int, int]:
        return self._head.intdigest(), self._rest.intdigest()


class Walk:
    """Takes the unpacked bytes of an archive in any pieces, and raises Damaged at the first that cannot be right.

    Blocks that lie whole in a piece are hashed where they lie; nothing of a disk is ever copied. `ends` says, by the
    place of a disk in the guest, after how many bytes a block of it is told in two: what follows has the next number.

    Attributes:
        offset: Bytes taken so far.
        covered: Bytes of disks known to be right so far, the zeros that are left out included.
        expected: Bytes of all disks together; 0 until `ova.xml` was read.
        complete: Whether the end of the archive was reached.
        members: How many members have begun.
        blocks: How many blocks of disks were right.
        checks: Which hash protects the blocks; "" until the first one.
    """

    def __init__(self, on_block: OnBlock | None, *, packed: bool, ends: Mapping[str, int] | None = None) -> None:
        self.offset = 0
        self.covered = 0
        self.expected = 0
        self.complete = False
        self.members = 0
        self.blocks = 0
        self.checks = ""
        self.ova: Ova | None = None
        self.disks: list[ArchivedDisk] = []
        self._on_block = on_block
        self._packed = packed
        self._ends = ends or {}
        self._held = bytearray()
        self._disk: OvaDisk | None = None
        self._name = ""
        self._began = 0
        self._reached = 0
        self._steps = self._archive()
        self._want = next(self._steps)

    def push(self, piece: memoryview) -> None:
        """Takes the next bytes. Raises Damaged."""
        position, end = 0, len(piece)
        held = self._held
        while position < end:
            least, most = self._want
            if not held and end - position >= least:
                take = min(most, end - position)
                self.offset += take
                self._want = self._steps.send(piece[position : position + take])
                position += take
                continue
            take = min(least - len(held), end - position)
            held += piece[position : position + take]
            position += take
            self.offset += take
            if len(held) == least:
                whole = memoryview(bytes(held))
                held.clear()
                self._want = self._steps.send(whole)

    def incomplete(self) -> Damaged:
        """What is wrong when nothing more comes now."""
        if self.ova is None:
            return self._damaged("the archive ends within its description of the guest")
        if self._disk is not None:
            return self._damaged("the archive ends here and is incomplete", cut=True)
        return self._damaged("the archive ends without its end marks: it was cut")

    def _damaged(self, what: str, at: int | None = None, *, cut: bool = False) -> Damaged:
        offset = self.offset if at is None else at
        where = f"byte {offset:,}"
        if self._packed:
            where += " of what the archive unpacks to"
        block, label, brief = quote(self._name, 60), "", f"{what[0].upper()}{what[1:]}."
        if self._disk is not None:
            label = quote(self._disk.label, 80)
            where = f"{f'block {block} of {label}' if block else label}, {where}"
            place = f"{size(self._reached)} into it" if self._reached else "at its very beginning"
            brief = (
                f"{label[0].upper()}{label[1:]} did not come whole: it {'breaks off' if cut else 'is wrong'} {place}."
            )
        said = f"{where[0].upper()}{where[1:]}: {what}."
        return Damaged(said, block=block, disk=label, offset=offset, brief=brief)

    def _archive(self) -> _Steps:
        yield from self._read_ova()
        assert self.ova is not None  # noqa: S101  for the type checker: just read
        first = 0
        for disk in self.ova.disks:
            self._disk, self._reached = disk, 0
            first = yield from self._read_disk(disk, first)
            self._disk, self._name = None, ""
        for _ in range(2):
            began = self.offset
            block = bytes((yield _HEADER))
            if block != ZEROS:
                raise self._damaged(self._instead_of_end(block), began)
        self.complete = True
        began = self.offset
        yield 1, 1
        raise self._damaged("more bytes follow the end of the archive", began)

    def _instead_of_end(self, block: bytes) -> str:
        try:
            name, _ = read_header(block)
        except NotAHeader as error:
            return f"the archive should end here, but this is {error}"
        return f"the archive should end here, but a member {quote(name, 60)} follows"

    def _read_ova(self) -> _Steps:
        head = bytes((yield _HEADER))
        try:
            name, left = read_header(head)
        except NotAHeader as error:
            raise Damaged(
                f"This is {recognise(head) or 'no archive of a guest: its beginning is ' + str(error)}."
            ) from error
        if name != "ova.xml":
            raise Damaged(f"This is no archive of a guest: it begins with {quote(name, 60)} and not with ova.xml.")
        if left > LONGEST:
            raise Damaged(f"Its description of the guest is longer ({left:,} bytes) than any can be.")
        self.members += 1
        padding = -left % BLOCK
        reader = OvaReader()
        try:
            while left:
                part = yield 1, left
                left -= len(part)
                reader.feed(part)
                del part
            self.ova = reader.finish()
        except BadOva as error:
            raise self._damaged(f"ova.xml, the description of the guest, cannot be used: {error}") from error
        if self.ova.export_version != 2:
            raise Damaged(
                f"This archive is of a kind (export version {self.ova.export_version}) that does not protect each "
                "block by a hash: it cannot be verified."
            )
        self.expected = sum(disk.size for disk in self.ova.disks)
        if padding and bytes((yield padding, padding)) != bytes(padding):
            raise self._damaged("ova.xml is not followed by zeros up to the next member", self.offset - padding)

    def _read_disk(self, disk: OvaDisk, first: int) -> Generator[tuple[int, int], memoryview, int]:
        """One disk. Takes and returns the length of the archive's very first block: a gap stands for so many zeros."""
        reached = stored = 0
        last = -1
        before = self.covered
        while reached < disk.size:
            number, length = yield from self._read_block_header(disk, last)
            if not self.blocks:
                first = length
            reached += (number - last - 1) * first
            self._reached = reached
            if reached + length > disk.size:
                raise self._damaged(f"it lies beyond the end of the disk ({disk.size:,} bytes)", self._began)
            head = self._ends.get(disk.device, 0) - reached
            parts = _Parts(head) if 0 < head < length else None
            digest, proof = yield from self._read_block(length, parts)
            yield from self._read_companion(digest, proof)
            reached += length
            self._reached = reached
            stored += length
            last = number
            if reached == disk.size and not length:
                raise self._damaged("the last block of the disk is empty", self._began)
            self.blocks += 1
            self.covered = before + reached
            if self._on_block is not None and parts is None:
                self._on_block(number, length, digest)
            elif self._on_block is not None and parts is not None:
                first_digest, rest_digest = parts.digests()
                self._on_block(number, head, first_digest)
                self._on_block(number + 1, length - head, rest_digest)
        self.disks.append(
            ArchivedDisk(disk.device, disk.name, disk.uuid, disk.size, stored, disk.sr, disk.sr_name),
        )
        return first

    def _read_block_header(self, disk: OvaDisk, last: int) -> Generator[tuple[int, int], memoryview, tuple[int, int]]:
        """Number and length of the next block."""
        name, length = yield from self._read_member("a block of the disk")
        folder, _, digits = name.rpartition("/")
        if folder != disk.id or len(digits) < _FEWEST_DIGITS or not (digits.isascii() and digits.isdigit()):
            raise self._damaged(
                f"a block of {quote(disk.id, 40)} was expected, but {quote(name, 60)} follows", self._began
            )
        number = int(digits) if len(digits) <= _MOST_DIGITS else -1
        self._name = name
        if number > _LARGEST_NUMBER or number <= last or f"{number:08d}" != digits:
            raise self._damaged("it does not follow the block before it", self._began)
        if last < 0 and number:
            raise self._damaged("the disk does not begin with its first block", self._began)
        if length > LONGEST_BLOCK or length % BLOCK:
            raise self._damaged(f"it has a length ({length:,} bytes) that no block has", self._began)
        return number, length

    def _read_member(self, wanted: str) -> Generator[tuple[int, int], memoryview, tuple[str, int]]:
        """Name and length of the next member; `_began` is where its header begins."""
        self._began = self.offset
        block = bytes((yield _HEADER))
        try:
            member = read_header(block)
        except NotAHeader as error:
            what = "the end of the archive" if block == ZEROS else str(error)
            raise self._damaged(f"{wanted} was expected, but this is {what}", self._began) from error
        self.members += 1
        return member

    def _read_block(self, length: int, parts: _Parts | None) -> Generator[tuple[int, int], memoryview, tuple[int, str]]:
        """XXH64 of a block, and its SHA-1 ("" where the archive is known to have none)."""
        also_sha1 = self.checks != "XXH64"
        if not length:
            return xxhash.xxh64_intdigest(b""), hashlib.sha1(usedforsecurity=False).hexdigest() if also_sha1 else ""
        part = yield 1, length
        if len(part) == length and not also_sha1 and parts is None:
            return xxhash.xxh64_intdigest(part), ""
        short = xxhash.xxh64()
        # SHA-1 is the format's choice, against accidents.
        long = hashlib.sha1(usedforsecurity=False)
        while True:
            short.update(part)
            if also_sha1:
                long.update(part)
            if parts is not None:
                parts.update(part)
            length -= len(part)
            del part
            if not length:
                return short.intdigest(), long.hexdigest() if also_sha1 else ""
            part = yield 1, length

    def _read_companion(self, digest: int, sha1: str) -> _Steps:
        """The member behind a block that holds its hash."""
        block = self._began
        name, length = yield from self._read_member("the hash of the block")
        suffix = name[len(self._name) :] if name.startswith(self._name) else ""
        if suffix not in _KINDS:
            raise self._damaged(f"its hash was expected, but {quote(name, 60)} follows", self._began)
        kind, characters = _KINDS[suffix]
        if self.checks not in {"", kind} or length != characters:
            raise self._damaged("its hash is not of the kind that this archive has", self._began)
        self.checks = kind
        content = bytes((yield _HEADER))
        if any(content[characters:]):
            raise self._damaged("its hash is not followed by zeros", self._began)
        found = f"{digest:016X}" if kind == "XXH64" else sha1
        if content[:characters] != found.encode():
            stored = quote(content[:characters].decode("latin-1"), 60)
            raise self._damaged(f"its contents have another {kind} ({found}) than was stored with it ({stored})", block)
