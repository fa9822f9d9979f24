"""A backup that became one although its disk failed right then is in the catalogue too; and the room kept for one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from backup_world import decided, earlier, place
from move_world import planned, read
from test_golden_cards import job

from bot.domain.catalogue import Backup
from bot.domain.job import JobState
from bot.domain.record import StepRecord, StepState
from bot.operations import backup, move_by_backup
from bot.operations.backup_steps import EXPORT, mark
from bot.operations.backup_work import BackupWork
from bot.operations.checks.backing import expected
from bot.operations.work import Errand


class Place:
    """An archive in which the backup of the job lies, and a catalogue that does not know of it."""

    def __init__(self, made: Backup | None) -> None:
        self.lies_there = made
        self.swept: list[str] = []
        self.known: list[Backup] = []

    async def sweep(self, _guest: str, one: str) -> None:
        self.swept.append(one)

    async def made(self, _guest: str, one: str) -> Backup | None:
        assert one == mark("01", "vm-1")
        return self.lies_there

    async def keep_backup(self, backup: Backup) -> None:
        self.known.append(backup)


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


class Full:
    """An archive, and the room that is kept in it."""

    def __init__(self) -> None:
        self.kept: dict[str, int] = {}
        self.promises = 0
        self.archives = self

    def expect(self, guest: str, one: str, likely: int) -> None:
        assert guest == "vm-1"
        self.kept[one] = likely
        self.promises += 1


@pytest.mark.parametrize("known", [True, False], ids=["backed up before", "first backup"])
@pytest.mark.parametrize("of", ["backup", "move-by-backup"])
def test_room_is_kept_by_the_estimate_of_the_plan_also_for_a_first_backup_and_given_up_again(
    of: str, *, known: bool
) -> None:
    there = place(300 << 30, earlier(0, 1 << 30)) if known else place()
    operation = move_by_backup.OPERATION if of == "move-by-backup" else backup.OPERATION
    plan = planned(place=there) if of == "move-by-backup" else decided(read(), there=there)
    likely = expected(read(), there)
    assert likely > 0
    full: Any = Full()
    running = job(plan, JobState.RUNNING, steps=tuple(StepRecord(7, at, one.kind) for at, one in enumerate(plan.steps)))
    assert operation.ahead is not None
    operation.ahead.keep(running, full)
    assert full.kept == {mark(running.nonce, "vm-1"): likely}
    assert operation.ahead.count(full) == 1
    operation.ahead.let_go(running, "vm-1", full)
    assert full.kept == {mark(running.nonce, "vm-1"): 0}
    # An export that is in needs none any more.
    over = tuple(msgspec.structs.replace(one, state=StepState.DONE) for one in running.steps)
    later: Any = Full()
    operation.ahead.keep(msgspec.structs.replace(running, steps=over), later)
    assert later.kept == {}
