"""One pass over an archive that tells whether it is whole and right, block by block, while it comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import xxhash

from bot.backups.proof import CHUNK, Recorder
from bot.backups.unpack import GZIP_MAGIC, ZSTD_MAGIC, Gzip, NotPacked, Plain, Unpacker, Zstd
from bot.backups.walk import Walk
from bot.backups.wrong import WINDOW, find_page, recognise
from bot.domain.backup import ArchivedGuest, Contents
from bot.errors import Damaged

# As much of the beginning as tells what the file is.
_HEAD: Final = 512


class Verifier:
    """Takes the bytes of an archive in any pieces; raises Damaged at the first untruth.

    Plain, gzip and zstd are told by their first bytes. "Whole and right" means: the compression came to its end and
    its checksum is right; every member is the one that must come next; the contents of every block have the hash that
    was stored with it; every disk reaches the length that `ova.xml` says; the archive has its end marks, and nothing
    follows. What the format protects by nothing cannot be found while an archive comes for the first time: a change
    within `ova.xml` that leaves a usable description, one in the fields of gzip's header, and a block between the
    first and the last that is missing together with its hash, which reads as zeros. The SHA-256 of the whole file,
    kept from then on, finds each of these too.

    It does no I/O and keeps no view of what it was fed. Memory is bounded whatever it is fed: some 16 MiB at worst,
    the window of zstd included.
    One thread at a time; `covered` and `expected` may be read by others.

    Args:
        record: Takes the records of the proof as they are made (see `proof`); None makes none.
        ends: See `Walk`.
    """

    def __init__(self, record: Recorder | None = None, ends: Mapping[str, int] | None = None) -> None:
        self._record = record
        self._ends = ends
        self._head = bytearray()
        self._tail = b""
        self._size = 0
        self._unpacker: Unpacker | None = None
        self._walk: Walk | None = None
        self._chunk = xxhash.xxh64()
        self._chunk_left = CHUNK
        self._failed: Damaged | None = None

    @property
    def covered(self) -> int:
        """Bytes of disks known to be right so far, the zeros that an archive leaves out included."""
        return self._walk.covered if self._walk is not None else 0

    @property
    def expected(self) -> int:
        """Bytes of all disks together; 0 until the description of the guest was read."""
        return self._walk.expected if self._walk is not None else 0

    @property
    def guest(self) -> ArchivedGuest | None:
        """The guest, as soon as its description was read."""
        return self._walk.ova.guest if self._walk is not None and self._walk.ova is not None else None

    def feed(self, data: memoryview) -> None:
        """Takes the next bytes; a view of bytes, as `memoryview(buffer).cast("B")` gives it.

        Raises:
            Damaged: They cannot be right. The same error comes again at each later call.
        """
        if self._failed is not None:
            raise self._failed
        try:
            self._take(data)
        except Damaged as error:
            self._failed = self._explain(error, data)
        if self._failed is not None:
            # Whoever keeps the error must not keep the caller's buffer by the frames that it passed through.
            del data
            raise self._failed
        self._size += len(data)
        self._tail = bytes(data[-WINDOW:]) if len(data) >= WINDOW else (self._tail + bytes(data))[-WINDOW:]

    def finish(self) -> Contents:
        """Says that nothing more comes; returns what the archive holds.

        Raises:
            Damaged: It is incomplete, or was damaged before.
        """
        if self._failed is not None:
            raise self._failed
        nothing = memoryview(b"")
        try:
            if self._unpacker is None:
                self._begin(nothing)
            return self._conclude()
        except Damaged as error:
            self._failed = self._explain(error, nothing)
        raise self._failed

    def _take(self, data: memoryview) -> None:
        """Splits the bytes at the borders of chunks, so that the records tell what each chunk holds."""
        position, end = 0, len(data)
        while position < end:
            piece = data[position : position + self._chunk_left]
            position += len(piece)
            if self._record is not None:
                self._chunk.update(piece)
            self._chunk_left -= len(piece)
            if self._unpacker is None:
                self._begin(piece)
            else:
                self._unpack(piece, self._size + position - len(piece))
            if not self._chunk_left:
                self._close_chunk()

    def _close_chunk(self) -> None:
        if self._record is not None:
            self._record.chunk(CHUNK - self._chunk_left, self._chunk.intdigest())
            self._chunk.reset()
        self._chunk_left = CHUNK

    def _begin(self, piece: memoryview) -> None:
        """Gathers the beginning, until it tells what this is; an empty piece stands for the end."""
        self._head += piece
        if len(self._head) < _HEAD and piece:
            return
        head = bytes(self._head)
        self._head.clear()
        if head.startswith(GZIP_MAGIC):
            self._unpacker = Gzip()
        elif head.startswith(ZSTD_MAGIC):
            self._unpacker = Zstd()
        elif len(head) < _HEAD:
            raise Damaged(f"This is {recognise(head) or 'no archive of a guest: it is too short'}.")
        else:
            self._unpacker = Plain()
        packed = self._unpacker.name != "none"
        told = self._record.block if self._record is not None else None
        self._walk = Walk(told, packed=packed, ends=self._ends)
        self._unpack(memoryview(head), 0)

    def _unpack(self, piece: memoryview, start: int) -> None:
        assert self._unpacker is not None  # noqa: S101  for the type checker: set by `_begin`
        assert self._walk is not None  # noqa: S101  as above
        try:
            for part in self._unpacker.push(piece):
                self._walk.push(part)
        except NotPacked as error:
            raise self._wrong_packing(error.sentence, start + error.at) from error

    def _wrong_packing(self, sentence: str, offset: int) -> Damaged:
        assert self._unpacker is not None  # noqa: S101  for the type checker: only it raises this
        assert self._walk is not None  # noqa: S101  made together
        where = self._walk.incomplete() if not self._walk.complete else None
        brief = f"The compressed data ({self._unpacker.name}) {sentence}."
        text = f"Byte {offset:,} of the archive: {brief[0].lower()}{brief[1:]}"
        if where is None:
            return Damaged(text, offset=offset, brief=brief)
        text = f"{text} What came before: {where.message}"
        return Damaged(text, block=where.block, disk=where.disk, offset=offset, brief=brief)

    def _conclude(self) -> Contents:
        unpacker, walk = self._unpacker, self._walk
        assert unpacker is not None  # noqa: S101  for the type checker: set by `_begin`
        assert walk is not None  # noqa: S101  as above
        if not unpacker.ended:
            raise self._wrong_packing("is cut before its end", self._size)
        if not walk.complete:
            raise walk.incomplete()
        if self._chunk_left < CHUNK:
            self._close_chunk()
        assert walk.ova is not None  # noqa: S101  for the type checker: a complete walk has read it
        return Contents(
            guest=walk.ova.guest,
            disks=tuple(walk.disks),
            xapi_major=walk.ova.xapi_major,
            xapi_minor=walk.ova.xapi_minor,
            product=walk.ova.product,
            compression=unpacker.name,
            checks=walk.checks,
            size=self._size,
            unpacked=walk.offset,
            members=walk.members,
            blocks=walk.blocks,
            ova_sha256=walk.ova.sha256,
        )

    def _explain(self, error: Damaged, data: memoryview) -> Damaged:
        """The error as it is told: when the end of what came is a server's error page, with what that says."""
        tail = (self._tail + bytes(data[-WINDOW:]))[-2 * WINDOW :] if len(data) < WINDOW else bytes(data[-WINDOW:])
        found = find_page(tail)
        text, offset, brief = error.message, error.offset, error.brief
        if found is not None and (self._walk is not None or len(tail) != found[0]):
            length, words = found
            offset = self._size + len(data) - length
            brief = f"The server broke off with an error: “{words}”."
            text = f"The server broke off with an error at byte {offset:,} of the archive: “{words}”. {text}"
        # A new one, without the frames of the one that was raised.
        return Damaged(text, block=error.block, disk=error.disk, offset=offset, brief=brief)
