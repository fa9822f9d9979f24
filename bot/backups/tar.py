"""Headers of tar members, as the server writes them (V7) and as tools that pack an archive again do (ustar, GNU)."""

from __future__ import annotations

import re
from typing import Final

BLOCK: Final = 512
ZEROS: Final = bytes(BLOCK)

# The three ways of writing the sum that exist. Nothing else is let through: no other byte of the header could tell
# that one of these has changed.
_SUM: Final = re.compile(rb"([0-7]{7})\0|([0-7]{6})(?:\0 | \0)")
_SIZE: Final = re.compile(rb"([0-7]{11})[\0 ]|([0-7]{12})")
_REGULAR: Final = (0, ord("0"))
_USTAR: Final = b"ustar\x0000"


class NotAHeader(ValueError):
    """These 512 bytes are no header of a plain file; the text says why and can stand after "is"."""


def read_header(block: bytes) -> tuple[str, int]:
    """Returns name and size (bytes) of the member whose 512 bytes of header these are.

    Bytes of the name that are no UTF-8 come back as escapes.

    Raises:
        NotAHeader: The sum does not fit, or the member is no plain file.
    """
    match = _SUM.fullmatch(block[148:156])
    if match is None:
        raise NotAHeader("no header of a member")
    # The sum counts its own eight bytes as spaces (32 each).
    if sum(block) - sum(block[148:156]) + 8 * 32 != int(match[1] or match[2], 8):
        raise NotAHeader("a header whose sum does not fit")
    if block[156] not in _REGULAR:
        raise NotAHeader(f"a member of another kind ({chr(block[156])!r}) than a plain file")
    size = _SIZE.fullmatch(block[124:136])
    if size is None:
        raise NotAHeader("a header without a usable size")
    name = block[:100].partition(b"\0")[0]
    if block[257:265] == _USTAR and block[345]:
        name = block[345:500].partition(b"\0")[0] + b"/" + name
    return name.decode("utf-8", "backslashreplace"), int(size[1] or size[2], 8)
