"""Unpacking of what comes in pieces, with bounded memory whatever the pieces hold.

An archive is one member of gzip or one frame of zstd: whatever follows its end is refused, since a server that fails
closes its compressor first and then appends an error page.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final, Protocol

import zstandard

GZIP_MAGIC: Final = b"\x1f\x8b"
ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"

_OUTPUT: Final = 1 << 20
# What is not used up is copied at each turn, so a piece must stay small beside what comes out of it.
_GZIP_INPUT: Final = 1 << 15
_LARGEST_WINDOW: Final = 8 << 20
# Bytes that one block of zstd can unpack to, at most; so many blocks fill `_OUTPUT`.
_ZSTD_BLOCK: Final = 1 << 17
_ZSTD_BLOCKS: Final = _OUTPUT // _ZSTD_BLOCK


class NotPacked(ValueError):
    """The bytes are not what the compression allows; the sentence stands after "the compressed data", `at` is where.

    `at` counts bytes from the beginning of the piece that was being pushed.
    """

    def __init__(self, sentence: str, at: int) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.at = at


class Unpacker(Protocol):
    """Takes pieces of an archive and gives what they hold."""

    name: str

    def push(self, piece: memoryview) -> Iterator[memoryview]:
        """Yields what the piece unpacks to, at most about 1 MiB at once. Raises NotPacked."""
        ...

    @property
    def ended(self) -> bool:
        """Whether the compression has come to its own end, its checksum included."""
        ...


class Plain:
    """No compression."""

    name: str = "none"
    ended: bool = True

    def push(self, piece: memoryview) -> Iterator[memoryview]:
        """Yields the piece itself."""
        yield piece


class Gzip:
    """One member of gzip; its checksum and length are verified."""

    name: str = "gzip"

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)

    @property
    def ended(self) -> bool:
        """Whether the member has ended, and its checksum was right."""
        return self._stream.eof

    def push(self, piece: memoryview) -> Iterator[memoryview]:
        """Yields what the piece unpacks to. Raises NotPacked."""
        for start in range(0, len(piece), _GZIP_INPUT):
            if self._stream.eof:
                raise NotPacked("has more behind its end", start)
            rest: memoryview | bytes = piece[start : start + _GZIP_INPUT]
            length = len(rest)
            while True:
                try:
                    output = self._stream.decompress(rest, _OUTPUT)
                except zlib.error as error:
                    raise NotPacked(f"cannot be unpacked ({error})", start) from error
                rest = self._stream.unconsumed_tail
                if output:
                    yield memoryview(output)
                if self._stream.eof or (not rest and len(output) < _OUTPUT):
                    break
            if self._stream.unused_data:
                raise NotPacked("has more behind its end", start + length - len(self._stream.unused_data))


class Zstd:
    """One frame of zstd; its checksum is verified.

    The library unpacks all it is given at once, and 4 bytes can unpack to 128 KiB. So the frame's own structure is
    followed here, and the library gets at most eight blocks at a time.
    """

    name: str = "zstd"

    def __init__(self) -> None:
        library = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
        self._stream = library.decompressobj(write_size=_OUTPUT)
        # The part of the frame that comes next: its name, how many bytes it has, and those of it that have come
        # (kept only of headers).
        self._part = "descriptor"
        self._left = len(ZSTD_MAGIC) + 1
        self._head = bytearray()
        self._checksum = False
        self._last = False

    @property
    def ended(self) -> bool:
        """Whether the frame has ended, and its checksum was right."""
        return self._part == "end"

    def push(self, piece: memoryview) -> Iterator[memoryview]:
        """Yields what the piece unpacks to. Raises NotPacked."""
        position = begun = blocks = 0
        while position < len(piece):
            if self._part == "end":
                yield from self._unpack(piece[begun:position], begun)
                raise NotPacked("has more behind its end", position)
            count = min(self._left, len(piece) - position)
            if self._part not in {"block", "checksum"}:
                self._head += piece[position : position + count]
            position += count
            self._left -= count
            if self._left:
                break
            if self._part == "block":
                blocks += 1
            self._go_on(position)
            if blocks == _ZSTD_BLOCKS:
                yield from self._unpack(piece[begun:position], begun)
                begun, blocks = position, 0
        yield from self._unpack(piece[begun:position], begun)

    def _go_on(self, at: int) -> None:
        """Turns to the next part of the frame, once one is whole."""
        head, self._head = bytes(self._head), bytearray()
        match self._part:
            case "descriptor":
                flags = head[4]
                self._checksum = bool(flags & 4)
                # The single-segment flag takes the place of the window's size; then come dictionary and length.
                single = flags >> 5 & 1
                self._part = "frame header"
                self._left = (1 - single) + (0, 1, 2, 4)[flags & 3] + (single, 2, 4, 8)[flags >> 6]
                if not self._left:
                    raise NotPacked("has no window", at)
            case "frame header" | "block":
                self._after_block()
            case "block header":
                value = int.from_bytes(head, "little")
                self._last = bool(value & 1)
                kind, size = value >> 1 & 3, value >> 3
                if kind == 3 or size > _ZSTD_BLOCK:
                    raise NotPacked("has a block as none can be", at - 3)
                self._part, self._left = "block", (1 if kind == 1 else size)
                if not self._left:
                    self._after_block()
            case _:
                self._part = "end"

    def _after_block(self) -> None:
        if not self._last:
            self._part, self._left = "block header", 3
        elif self._checksum:
            self._part, self._left = "checksum", 4
        else:
            self._part = "end"

    def _unpack(self, part: memoryview, at: int) -> Iterator[memoryview]:
        if not part:
            return
        try:
            output = self._stream.decompress(part)
        except zstandard.ZstdError as error:
            raise NotPacked(f"cannot be unpacked ({error})", at) from error
        if self._part == "end" and not self._stream.eof:
            raise NotPacked("does not end where its blocks do", at)
        if output:
            yield memoryview(output)
