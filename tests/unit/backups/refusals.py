"""A small archive, changed in one place, and what the verifier says of it."""

from __future__ import annotations

import pytest
from xva_making import DiskSpec, Member, Recipe, join, make_content, make_members

from bot.backups import Verifier
from bot.domain.backup import Contents
from bot.errors import Damaged

SMALL = Recipe(
    disks=(
        DiskSpec("Ref:7", 4 * 1024, {0: make_content(1, 1024), 2: make_content(2, 1024), 3: make_content(3, 1024)}),
        DiskSpec("Ref:10", 1024, {0: make_content(4, 1024)}, "1", "data"),
    )
)
# The members of SMALL in order: ova.xml, one block of Ref:10 with its hash, three of Ref:7 with theirs.
ERROR_PAGE = (
    b"HTTP/1.1 500 Internal Error\r\ncontent-length: 200\r\nconnection: close\r\n\r\n"
    b"<html><body><h1>HTTP 500 internal server error</h1>An unexpected error occurred; <b>please wait</b> a while and "
    b"try again.<h1>Additional information</h1>VDI_IO_ERROR: [ Device I/O errors ]\x1b[31m</body></html>"
)


def verify(archive: bytes, step: int = 1 << 20) -> Contents:
    verifier = Verifier()
    for start in range(0, len(archive), step):
        verifier.feed(memoryview(archive)[start : start + step])
    return verifier.finish()


def refusal(archive: bytes, step: int = 1 << 20) -> Damaged:
    with pytest.raises(Damaged) as caught:
        verify(archive, step)
    return caught.value


def changed(index: int, member: Member, recipe: Recipe = SMALL) -> bytes:
    members = make_members(recipe)
    members[index] = member
    return join(members)


def without(*indices: int) -> bytes:
    return join(one for index, one in enumerate(make_members(SMALL)) if index not in indices)


def at(index: int) -> int:
    """The byte where a member of SMALL begins."""
    return len(join(make_members(SMALL)[:index], b""))
