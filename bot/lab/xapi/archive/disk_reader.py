"""Reads the disks of an archive: blocks with companions, gaps of zeros, in the order of the references."""

import hashlib
from collections.abc import Awaitable, Callable

import xxhash

from bot.lab.xapi.archive.blocks import Block
from bot.lab.xapi.archive.content import Contents
from bot.lab.xapi.archive.image import Image
from bot.lab.xapi.archive.source import Source
from bot.lab.xapi.archive.tape import Header
from bot.lab.xapi.errors import ApiError

# Is told of bytes written to a disk, and of the offset that was reached.
Written = Callable[[int, int], Awaitable[None]]


class DiskReader:
    """Reads the disks of one archive.

    Args:
        source: The archive, behind `ova.xml`.
        contents: Keeps what was read.
        has_companions: Whether a companion follows each block.
        forgives: Whether a wrong companion is taken no notice of.
        knows_xxhash: Whether the server is new enough for that kind of companion.
    """

    def __init__(
        self,
        source: Source,
        contents: Contents,
        *,
        has_companions: bool,
        forgives: bool,
        knows_xxhash: bool = True,
    ) -> None:
        self._knows_xxhash = knows_xxhash
        self._source = source
        self._contents = contents
        self._has_companions = has_companions
        self._forgives = forgives
        self._first_size: int | None = None

    async def read(self, name: str, size: int, written: Written) -> dict[int, Block]:
        """Reads one disk.

        Args:
            name: Its reference in the archive.
            size: Its virtual size in bytes.
            written: Is awaited after each member; what it raises ends the reading.

        Returns:
            Its blocks that are not zero, by number.

        Raises:
            ApiError: `IMPORT_ERROR_PREMATURE_EOF`, `IMPORT_ERROR` for another member than the next one or a wrong
                companion, `VDI_IO_ERROR` for data behind the end of the disk.
        """
        image = Image(self._contents, size)
        offset, last = 0, -1
        while offset < size:
            header = await self._source.next_header("")
            number = _read_number(header, name)
            if number <= last:
                raise _invalid()
            data = await self._source.take_data(header)
            if self._first_size is None:
                self._first_size = len(data)
            if self._has_companions:
                await self._check(header, data)
            offset += (number - last - 1) * self._first_size
            if offset + len(data) > size:
                raise ApiError("VDI_IO_ERROR", "Device I/O errors")
            stored = image.write(offset, data)
            offset, last = offset + len(data), number
            await written(stored, offset)
        return image.close()

    async def _check(self, header: Header, data: bytes) -> None:
        follower = await self._source.next_header("")
        suffix = follower.name.removeprefix(header.name)
        told = (await self._source.take_data(follower)).decode("ascii", "replace")
        if suffix == ".xxhash" and self._knows_xxhash:
            found = xxhash.xxh64(data).hexdigest().upper()
        elif suffix == ".checksum":
            found = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        else:
            text = f"Expected to find an inline checksum, found file called: {follower.name}"
            raise ApiError("IMPORT_ERROR", f"INTERNAL_ERROR: [ {text} ]")
        if found != told and not self._forgives:
            text = f"Block {header.name} checksum failed: original = {told}; recomputed = {found}"
            raise ApiError("IMPORT_ERROR", f'INTERNAL_ERROR: [ Stream_vdi.Invalid_checksum("{text}") ]')


def _read_number(header: Header, name: str) -> int:
    disk, _, number = header.name.rpartition("/")
    if disk != name or not number.isdecimal():
        raise _invalid()
    return int(number)


def _invalid() -> ApiError:
    return ApiError("IMPORT_ERROR", 'INTERNAL_ERROR: [ Failure("Invalid XVA file") ]')
