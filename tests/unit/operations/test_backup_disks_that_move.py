"""A disk that comes or goes between the last look at a guest and its snapshot is told of, and nothing of it is left."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from backup_world import decided, read

from bot.domain.backup_facts import Snapshot
from bot.domain.calls import Call, Ref, Text
from bot.domain.texts import plain, say
from bot.errors import XapiFailure
from bot.operations.backup_steps import OTHERS, look
from bot.operations.backup_work import BackupWork
from bot.operations.base import Look, Seen
from bot.operations.ports import TaskStatus, TaskView
from bot.operations.work import Errand


async def seen(disks: dict[str, str]) -> Look:
    """What is said of a snapshot with these disks of a guest that was planned with disk 0."""
    plan = decided(read())
    (step, *_) = plan.steps
    named = Call(step.call.method, (*step.call.args[:1], Text("xenbot backup 01")))

    async def snapshots(_pool: str, _vm: str) -> tuple[Snapshot, ...]:
        return (Snapshot("snap-1", "xenbot backup 01", disks),)

    facts: Any = SimpleNamespace(snapshots=snapshots)
    return await look(plan, SimpleNamespace(kind=step.kind, lane=step.lane, call=named), facts)  # type: ignore[arg-type]  # a step with its name


@pytest.mark.parametrize(
    ("disks", "said"),
    [
        ({"0": "d-0", "5": "d-5"}, "disk 5 was plugged in"),
        ({}, "disk 0 is gone"),
        ({"7": "d-7"}, "disk 7 was plugged in, disk 0 is gone"),
    ],
)
async def test_a_snapshot_of_other_disks_than_were_checked_is_no_good(disks: dict[str, str], said: str) -> None:
    found = await seen(disks)
    assert found.seen is Seen.HARMED
    assert plain(found.headline) == f"the disks of centos54 are no longer those that were checked: {said}"
    assert found.made == {"snapshot vm-1": "snap-1"} | {f"disk {at} vm-1": uuid for at, uuid in disks.items()}


async def test_a_snapshot_of_the_disks_that_were_checked_is_good() -> None:
    assert (await seen({"0": "d-0"})).seen is Seen.DONE


class Pool:
    """Destroys a disk at the third try, since it is still in use, and knows nothing of another one."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.closed: list[str] = []

    async def begin(self, _pool: str, call: Call, *, parent: str, job: str) -> str:
        assert (call.method, parent, job) == ("VDI.destroy", "task", "7")
        (disk,) = call.args
        assert isinstance(disk, Ref)
        if disk.uuid == "gone":
            raise XapiFailure("UUID_INVALID", ["VDI", "gone"])
        self.asked.append(disk.uuid)
        return f"{disk.uuid} {len(self.asked)}"

    async def wait(self, _pool: str, handle: str, *, seen: TaskView | None, at_most_s: float) -> TaskView:
        assert at_most_s
        if handle.endswith("3"):
            return TaskView(handle, TaskStatus.SUCCESS, 1.0, (), "", can_cancel=False)
        return TaskView(handle, TaskStatus.FAILURE, 0.0, ("VDI_IN_USE", "d-5", "destroy"), "", can_cancel=False)

    async def close_task(self, _pool: str, handle: str) -> None:
        self.closed.append(handle)


async def test_what_else_a_snapshot_holds_is_removed_as_soon_as_it_is_let_go() -> None:
    pool: Any = Pool()
    nobody: Any = None
    worker = BackupWork(nobody, pool, nobody, nobody, retry_s=0.001).workers()[OTHERS]
    step: Any = SimpleNamespace(call=Call(OTHERS, (Ref("VDI", "gone"), Ref("VDI", "d-5")), own=True), title=say(""))
    await worker.run(Errand(7, "01", "p-1", step, "task", {}, "U1", "", lambda _reached: None, lambda: None))
    assert pool.asked == ["d-5"] * 3
    assert pool.closed == ["d-5 1", "d-5 2", "d-5 3"]
