"""Members of a tar archive in the old form that a real server writes: no magic, no owners, no prefix, typeflag zero."""

from dataclasses import dataclass
from typing import Final

RECORD: Final = 512
END: Final = bytes(2 * RECORD)
_CHECKSUM: Final = slice(148, 156)


class TapeError(Exception):
    """These 512 bytes are no header of a member."""


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a member; `size` in bytes without padding."""

    name: str
    size: int

    @property
    def padding(self) -> int:
        """Returns how many zeros follow the data."""
        return -self.size % RECORD


def write_header(name: str, size: int, *, modified: int = 0) -> bytes:
    """Returns the 512 bytes before the data of a member."""
    record = bytearray(RECORD)
    record[0:100] = name.encode().ljust(100, b"\0")
    record[100:108] = b"0000400\0"
    record[108:116] = record[116:124] = b"0000000\0"
    record[124:136] = b"%011o\0" % size
    record[136:148] = b"%011o\0" % modified
    record[_CHECKSUM] = b" " * 8
    record[_CHECKSUM] = b"%07o\0" % sum(record)
    return bytes(record)


def write_member(name: str, data: bytes, *, modified: int = 0) -> bytes:
    """Returns a small member: header, data, padding."""
    return b"".join((write_header(name, len(data), modified=modified), data, bytes(-len(data) % RECORD)))


def read_header(record: bytes) -> Header | None:
    """Returns the header of a member in any flavour of tar, or None for a block of zeros.

    Raises:
        TapeError: The checksum is wrong, or a number is none.
    """
    if not any(record):
        return None
    try:
        told = _read_octal(record[_CHECKSUM])
        size = _read_octal(record[124:136])
    except ValueError as error:
        raise TapeError(str(error)) from error
    if told != sum(record) - sum(record[_CHECKSUM]) + 8 * ord(" "):
        raise TapeError("bad checksum")
    return Header(record[:100].rstrip(b"\0").decode("utf-8", "replace"), size)


def _read_octal(field: bytes) -> int:
    return int(field.strip(b"\0 ") or b"0", 8)
