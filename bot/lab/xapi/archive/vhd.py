"""The VHD format as a stream: which blocks of 2 MiB are there is known before the first of them comes."""

import struct
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bot.lab.xapi.archive.blocks import BLOCK, Block, read_block
from bot.lab.xapi.archive.content import Blocks
from bot.lab.xapi.errors import ApiError

LARGEST: Final = 2040 * 1024**3
_SIZE: Final = 2 * BLOCK
_SECTOR: Final = 512
_BITMAP: Final = _SIZE // _SECTOR // 8
_NOTHING: Final = 0xFFFFFFFF
_NOWHERE: Final = 0xFFFFFFFFFFFFFFFF
_FOOTER: Final = struct.Struct(">8sIIQI4sIIQQHBBII16sB427x")
_HEADER: Final = struct.Struct(">8sQQIIII16sII512s192s256x")
_CHECKSUM_AT: Final = {"footer": 64, "header": 36}
_DYNAMIC, _DIFFERENCING = 3, 4


@dataclass(frozen=True)
class Vhd:
    """A disk to be written.

    Attributes:
        uuid: The disk's, as 16 bytes.
        size: Virtual size in bytes.
        blocks: What it holds.
        parent: UUID of the disk that it is told as a difference to, as 16 bytes; empty for a whole disk.
        parent_blocks: What that one holds.
    """

    uuid: bytes
    size: int
    blocks: Blocks
    parent: bytes = b""
    parent_blocks: Mapping[int, Block] | None = None

    def write(self) -> Iterator[bytes]:
        """Returns the file in pieces."""
        numbers = self._list_allocated()
        entries = -(-self.size // _SIZE)
        table_size = -(-entries * 4 // _SECTOR) * _SECTOR
        first = (3 * _SECTOR + table_size) // _SECTOR
        step = (_BITMAP + _SIZE) // _SECTOR
        table = [_NOTHING] * (table_size // 4)
        for place, number in enumerate(numbers):
            table[number] = first + place * step
        footer = self._write_footer()
        yield footer + self._write_header(entries) + struct.pack(f">{len(table)}I", *table)
        for number in numbers:
            yield b"".join(
                (
                    b"\xff" * _BITMAP,
                    *(read_block(self.blocks.get(part), BLOCK) for part in (2 * number, 2 * number + 1)),
                )
            )
        yield footer

    def _list_allocated(self) -> list[int]:
        base = self.parent_blocks or {}
        return sorted(
            {number // 2 for number in self.blocks.keys() | base.keys() if self.blocks.get(number) != base.get(number)}
        )

    def _write_footer(self) -> bytes:
        cylinders, heads, sectors = _describe_geometry(self.size)
        kind = _DIFFERENCING if self.parent else _DYNAMIC
        fields = (b"conectix", 2, 0x00010000, _SECTOR, 0, b"tap\0", 0x00010003, 0, self.size, self.size)
        packed = _FOOTER.pack(*fields, cylinders, heads, sectors, kind, 0, self.uuid, 0)
        return _seal(packed, _CHECKSUM_AT["footer"])

    def _write_header(self, entries: int) -> bytes:
        name = self.parent.hex().encode("utf-16-be") if self.parent else b""
        packed = _HEADER.pack(
            b"cxsparse", _NOWHERE, 3 * _SECTOR, 0x00010000, entries, _SIZE, 0, self.parent, 0, 0, name, b""
        )
        return _seal(packed, _CHECKSUM_AT["header"])


def _seal(packed: bytes, place: int) -> bytes:
    checksum = ~sum(packed) & 0xFFFFFFFF
    return packed[:place] + struct.pack(">I", checksum) + packed[place + 4 :]


def _describe_geometry(size: int) -> tuple[int, int, int]:
    """Returns cylinders, heads and sectors as the format computes them for large disks."""
    total = min(size // _SECTOR, 65535 * 16 * 255)
    return total // (16 * 255), 16, 255


Take = Callable[[int], Awaitable[bytes]]
Put = Callable[[int, bytes], Awaitable[None]]


async def read_vhd(take: Take, put: Put) -> None:
    """Reads a file as it comes in.

    Args:
        take: Returns exactly so many bytes of the file.
        put: Gets runs of sectors that the file holds, with their offset on the disk.

    Raises:
        ApiError: `VDI_IO_ERROR` for what is no such file; what `take` and `put` raise.
    """
    footer = _FOOTER.unpack(await take(_SECTOR))
    header = _HEADER.unpack(await take(2 * _SECTOR))
    if (footer[0], header[0], header[2], header[5]) != (b"conectix", b"cxsparse", 3 * _SECTOR, _SIZE):
        raise ApiError("VDI_IO_ERROR", "This is no VHD of blocks of 2 MiB")
    table_size = -(-header[4] * 4 // _SECTOR) * _SECTOR
    table = struct.unpack(f">{table_size // 4}I", await take(table_size))
    reached = 3 * _SECTOR + table_size
    places = sorted((sector * _SECTOR, number) for number, sector in enumerate(table) if sector != _NOTHING)
    for offset, number in places:
        await take(offset - reached)
        bitmap, data = await take(_BITMAP), await take(_SIZE)
        reached = offset + _BITMAP + _SIZE
        for begin, end in _list_runs(bitmap):
            await put(number * _SIZE + begin * _SECTOR, data[begin * _SECTOR : end * _SECTOR])


def _list_runs(bitmap: bytes) -> Iterator[tuple[int, int]]:
    """Returns the runs of sectors that are there: from, and up to."""
    if bitmap == b"\xff" * len(bitmap):
        yield 0, len(bitmap) * 8
        return
    bits = "".join(f"{byte:08b}" for byte in bitmap)
    begin = bits.find("1")
    while begin >= 0:
        end = bits.find("0", begin)
        end = len(bits) if end < 0 else end
        yield begin, end
        begin = bits.find("1", end)
