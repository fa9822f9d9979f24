"""Room that a backup under way will likely take is kept for it, until it is there or given up."""

from __future__ import annotations

from pathlib import Path

import pytest
from backup_keeping import ARCHIVE, GUEST, OTHER, fill

from bot.backups import Archive, Checker, Folder, Space
from bot.domain.backup_facts import Label, Room

MIB = 1 << 20


class Still(Folder):
    """A place whose file system says the same all the time."""

    def space(self) -> Space:
        return Space(100 * MIB, 200 * MIB)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(Still(tmp_path), reserve=10 * MIB)


async def test_what_is_under_way_is_no_room_for_others_until_it_is_over(archive: Archive) -> None:
    assert await archive.room() == Room(90 * MIB, 200 * MIB)
    first = await archive.receive(GUEST, "01" * 8, 40 * MIB)
    second = await archive.receive(OTHER, "02" * 8, 30 * MIB)
    assert await archive.room() == Room(20 * MIB, 200 * MIB, promised=70 * MIB)
    fill(first.sink, ARCHIVE)
    await first.whole()
    # What is written already shows in the file system's own figure.
    assert (await archive.room()).promised == 70 * MIB - len(ARCHIVE)
    await first.commit(Label(GUEST, "web1", OTHER, "experiment", "snapshot", 7, "", "U1", ""))
    assert await archive.room() == Room(60 * MIB, 200 * MIB, promised=30 * MIB)
    await second.discard()
    await first.discard()
    assert await archive.room() == Room(90 * MIB, 200 * MIB)


@pytest.mark.parametrize("likely", [0, len(ARCHIVE) // 2])
async def test_how_much_still_comes_of_a_backup_that_is_larger_than_anybody_knew_is_guessed_from_what_has_come(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, likely: int
) -> None:
    coming = await archive.receive(GUEST, "01" * 8, likely)
    assert (await archive.room()).promised == likely
    fill(coming.sink, ARCHIVE)
    await coming.whole()
    # A third of its disks, all of them as full as that.
    monkeypatch.setattr(Checker, "expected", property(lambda checker: 3 * checker.covered))
    assert (await archive.room()).promised == 2 * len(ARCHIVE)
    await coming.discard()
    assert (await archive.room()).promised == 0


async def test_room_is_kept_for_what_is_expected_and_once_only_when_it_comes(archive: Archive) -> None:
    archive.expect(GUEST, "01" * 8, 40 * MIB)
    archive.expect(OTHER, "02" * 8, 30 * MIB)
    assert archive.promises == 2
    archive.expect(OTHER, "02" * 8, 30 * MIB)
    assert archive.promises == 2, "nothing new was promised"
    assert await archive.room() == Room(20 * MIB, 200 * MIB, promised=70 * MIB)
    # Whoever asks for these guests has it: they are what it is kept for.
    assert await archive.room([GUEST]) == Room(60 * MIB, 200 * MIB, promised=30 * MIB)
    assert await archive.room([GUEST, OTHER]) == Room(90 * MIB, 200 * MIB)
    first = await archive.receive(GUEST, "01" * 8, 40 * MIB)
    assert (await archive.room([GUEST])).promised == 70 * MIB, "what comes is no longer free for anybody"
    await first.discard()
    archive.expect(OTHER, "02" * 8, 0)
    archive.expect(OTHER, "02" * 8, 0)
    assert await archive.room() == Room(90 * MIB, 200 * MIB)
