"""A backup that became one although its disk failed right then is in the catalogue too."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from backup_world import earlier

from bot.domain.catalogue import Backup
from bot.errors import StoreError
from bot.operations import backup, move_by_backup
from bot.operations.backup_steps import EXPORT, mark
from bot.operations.backup_work import BackupWork
from bot.operations.base import Operation
from bot.operations.work import Errand


class Place:
    """An archive in which the backup of the job lies, and a catalogue that does not know of it."""

    def __init__(self, made: Backup | None) -> None:
        self.lies_there = made
        self.swept: list[str] = []
        self.known: list[Backup] = []
        self.likely = -1

    async def sweep(self, _guest: str, one: str) -> None:
        self.swept.append(one)

    async def made(self, _guest: str, one: str) -> Backup | None:
        assert one == mark("01", "vm-1")
        return self.lies_there

    async def keep_backup(self, backup: Backup) -> None:
        self.known.append(backup)

    async def backups(self, *, guest: str) -> list[Backup]:
        raise StoreError(f"the disk of the store is full, {guest}")

    async def receive(self, _guest: str, _mark: str, likely: int) -> None:
        self.likely = likely
        raise InterruptedError


def errand() -> Errand:
    step: Any = SimpleNamespace(lane="vm-1")
    return Errand(7, "01", "p-1", step, "task", {}, "U1", "", lambda _reached: None, lambda: None)


def work(place: Any) -> Any:
    nobody: Any = None
    return BackupWork(nobody, nobody, place, place).workers()[EXPORT]


async def test_what_is_cleared_up_behind_and_became_a_backup_all_the_same_is_catalogued() -> None:
    backup = earlier(0, 1 << 30)
    place = Place(backup)
    await work(place).clear(errand())
    assert place.swept
    assert place.known == [backup]
    nothing = Place(None)
    await work(nothing).clear(errand())
    assert nothing.known == []


async def test_a_store_that_cannot_be_asked_keeps_no_backup_from_beginning() -> None:
    place = Place(None)
    with pytest.raises(InterruptedError):
        await work(place).run(errand())
    assert place.likely == 0


class Full:
    """An archive in which backups of a guest lie, and the room that is kept in it."""

    def __init__(self, *made: Backup) -> None:
        self.lie_there = made
        self.kept: dict[str, int] = {}
        self.archives = self.catalogue = self

    def expect(self, one: str, likely: int) -> None:
        self.kept[one] = likely

    async def backups(self, *, guest: str) -> list[Backup]:
        assert guest == "vm-1"
        return list(self.lie_there)


@pytest.mark.parametrize("operation", [backup.OPERATION, move_by_backup.OPERATION], ids=lambda one: one.name)
async def test_room_is_kept_by_the_size_of_the_last_backup_and_given_up_again(operation: Operation) -> None:
    full: Any = Full(earlier(0, 1 << 30))
    assert operation.ahead is not None
    await operation.ahead.keep("vm-1", "01", full)
    assert full.kept[mark("01", "vm-1")] >= 1 << 30
    operation.ahead.let_go("vm-1", "01", full)
    assert full.kept == {mark("01", "vm-1"): 0}
