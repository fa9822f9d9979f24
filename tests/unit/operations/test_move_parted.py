"""What is true of a move by backup while the pool of its copy is silent, and when its job may be closed without it."""

from __future__ import annotations

from typing import cast

import pytest
from move_world import kept, planned, retiring, rolling, source
from test_after_a_move import Two
from test_golden_cards import job

from bot.domain.job import JobState
from bot.domain.record import JobRecord, StepRecord, StepState
from bot.domain.restores import Restored
from bot.domain.texts import plain
from bot.operations import move_by_backup, retire, roll_back
from bot.operations.base import Look, Seen
from bot.operations.ports import Facts


def stuck(made: dict[str, str], **states: str) -> JobRecord:
    """A move that waits for the other pool; `states` are those of its steps, by the last part of their kinds."""
    plan = planned()
    given = {"restore.import": made, "backup-in-place": {"backup vm-1": "20261126-010203-ab", "archive vm-1": "9f2c"}}
    steps = []
    for at, step in enumerate(plan.steps):
        state = StepState(states.get(step.kind.rpartition(".")[2].replace("-", "_"), "WAITING"))
        sent = int(state is not StepState.WAITING)
        steps.append(StepRecord(7, at, step.kind, state, attempts=sent, made=given.get(step.kind, {})))
    return job(plan, JobState.NEEDS_ATTENTION, number=7, steps=tuple(steps))


async def told(record: JobRecord, here: Restored) -> Look:
    assert move_by_backup.OPERATION.parted is not None
    return await move_by_backup.OPERATION.parted(record, cast("Facts", Two(here)))


IMPORTED = {"guest": "vm-9", "disk 0": "v-9"}


@pytest.mark.parametrize(
    ("states", "here", "seen", "says"),
    [
        ({"import": "UNCLEAR"}, source(), Seen.NOT_DONE, "centos54 was not moved, and runs on xenserver1"),
        (
            {"import": "UNCLEAR", "start": "FAILED"},
            kept(),
            Seen.NOT_DONE,
            "GUEST IS DOWN: centos54 was not moved, and is halted",
        ),
        (
            {"import": "DONE", "start_copy": "UNCLEAR", "stop_copy": "UNCLEAR"},
            kept(),
            Seen.HARMED,
            "GUEST IS DOWN: centos54 is halted, and its copy may run in xenserver2",
        ),
        (
            {"import": "DONE", "start_copy": "DONE", "stop_copy": "DONE", "remove": "UNCLEAR"},
            source(),
            Seen.NOT_DONE,
            "centos54 was not moved, and runs on xenserver1",
        ),
        (
            {"import": "DONE", "start_copy": "UNCLEAR", "stop_copy": "UNCLEAR"},
            source(),
            Seen.NOT_DONE,
            "centos54 runs on xenserver1, started by somebody else, and its copy may run in xenserver2",
        ),
    ],
)
async def test_a_move_may_be_closed_without_the_other_pool_only_where_its_copy_holds_nothing_back(
    states: dict[str, str], here: Restored, seen: Seen, says: str
) -> None:
    look = await told(stuck(IMPORTED if states["import"] == "DONE" else {}, **states), here)
    assert (look.seen, plain(look.headline)) == (seen, says)


async def test_what_may_be_left_in_the_silent_pool_is_named_by_its_uuid_or_by_the_name_that_the_job_gave() -> None:
    known = await told(stuck(IMPORTED, **{"import": "DONE", "remove": "UNCLEAR"}), source())
    assert "The copy vm-9 may be left in xenserver2" in [plain(one).replace("`", "") for one in known.evidence]
    record = stuck({}, **{"import": "UNCLEAR"})
    unknown = await told(record, source())
    named = f"A guest called xenbot restore {record.nonce}, or disks that it was to get, may be left in xenserver2"
    assert named in [plain(one).replace("`", "") for one in unknown.evidence]
    # Nothing was ever sent there.
    assert (await told(stuck({}, backup="FAILED"), source())).evidence == ()


@pytest.mark.parametrize(
    ("here", "seen", "says"),
    [
        (source(), Seen.NOT_DONE, "centos54 runs again on xenserver1"),
        (kept(), Seen.HARMED, "GUEST IS DOWN: centos54 is halted, and its copy on xenserver2 may run"),
    ],
)
async def test_a_roll_back_may_be_closed_without_the_other_pool_once_the_source_runs(
    here: Restored, seen: Seen, says: str
) -> None:
    assert roll_back.OPERATION.parted is not None
    record = job(rolling(), JobState.NEEDS_ATTENTION)
    look = await roll_back.OPERATION.parted(record, cast("Facts", Two(here)))
    assert (look.seen, plain(look.headline)) == (seen, says)


async def test_retiring_a_source_may_be_closed_without_the_pool_of_its_copy() -> None:
    assert retire.OPERATION.parted is not None
    record = job(retiring(), JobState.NEEDS_ATTENTION)
    look = await retire.OPERATION.parted(record, cast("Facts", Two(kept(name="centos54 (moved to xenserver2)"))))
    assert (look.seen, plain(look.headline)) == (
        Seen.NOT_DONE,
        "The source of centos54 is called centos54 (moved to xenserver2)",
    )
