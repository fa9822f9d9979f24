"""Reads the members of an archive as its bytes come in, plain or compressed."""

from collections.abc import Awaitable, Callable
from typing import Final

from bot.lab.xapi.archive.packing import PlainUnpacker, Unpacker, UnpackingError, make_unpacker
from bot.lab.xapi.archive.tape import RECORD, Header, TapeError, read_header
from bot.lab.xapi.errors import ApiError

FIRST: Final = "ova.xml"
_PIECE: Final = 256 * 1024

Read = Callable[[int], Awaitable[bytes]]


class Source:
    """The archive as a stream of exact pieces.

    Args:
        read: Returns the next bytes, at most so many; none at the end.
        knows_zstd: Whether the server is new enough for it.
    """

    def __init__(self, read: Read, *, knows_zstd: bool = True) -> None:
        self._read = read
        self._knows_zstd = knows_zstd
        self._unpacker: Unpacker = PlainUnpacker()
        self._parts: list[bytes] = []
        self._ready = 0
        self._is_over = False

    @property
    def is_plain(self) -> bool:
        """Tells whether nothing is compressed."""
        return isinstance(self._unpacker, PlainUnpacker)

    async def open(self) -> Header:
        """Reads the header of the first member, and finds out on the way how the archive is compressed.

        Raises:
            ApiError: `IMPORT_ERROR_UNEXPECTED_FILE` when a compressed archive begins with another member,
                `IMPORT_ERROR_PREMATURE_EOF` for anything that is no archive at all.
        """
        await self._fill(RECORD)
        start = b"".join(self._parts)
        try:
            header = read_header(start[:RECORD]) if len(start) >= RECORD else None
        except TapeError:
            header = None
        if header is not None and header.name == FIRST:
            await self.take(RECORD)
            return header
        self._unpacker = make_unpacker(start, knows_zstd=self._knows_zstd)
        self._parts, self._ready = [], 0
        self._unpack(start)
        return await self.next_header(FIRST)

    async def next_header(self, expected: str) -> Header:
        """Reads a header; fails as `open` does when it is that of another member than the first one expected.

        Raises:
            ApiError: `IMPORT_ERROR_PREMATURE_EOF` at the end of the archive, `IMPORT_ERROR` for a header that is none.
        """
        try:
            header = read_header(await self.take(RECORD))
        except TapeError as error:
            raise ApiError("IMPORT_ERROR", f'INTERNAL_ERROR: [ Failure("{error}") ]') from error
        if header is None:
            raise ApiError("IMPORT_ERROR_PREMATURE_EOF")
        if expected and header.name != expected:
            raise ApiError("IMPORT_ERROR_UNEXPECTED_FILE", expected, header.name)
        return header

    async def take_data(self, header: Header) -> bytes:
        """Reads the data of a member and the padding behind them."""
        data = await self.take(header.size)
        await self.take(header.padding)
        return data

    async def take(self, size: int) -> bytes:
        """Reads exactly so many bytes.

        Raises:
            ApiError: `IMPORT_ERROR_PREMATURE_EOF` when there are not so many.
        """
        await self._fill(size)
        if self._ready < size:
            raise ApiError("IMPORT_ERROR_PREMATURE_EOF")
        joined = b"".join(self._parts)
        self._parts = [joined[size:]] if len(joined) > size else []
        self._ready -= size
        return joined[:size]

    async def _fill(self, size: int) -> None:
        while self._ready < size and not self._is_over:
            data = await self._read(_PIECE)
            if data:
                self._unpack(data)
            else:
                self._is_over = True

    def _unpack(self, data: bytes) -> None:
        try:
            plain = self._unpacker.decompress(data)
        except UnpackingError:
            # The server's own decompressor dies, and its reader sees the end of what came through so far.
            self._is_over = True
            return
        if plain:
            self._parts.append(plain)
            self._ready += len(plain)
