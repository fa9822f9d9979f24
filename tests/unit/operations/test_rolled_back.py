"""What a roll back tells, and what is left of a move that was rolled back."""

from __future__ import annotations

from typing import cast

import msgspec
import pytest
from move_world import MOVED, rolling, source
from test_after_a_move import Gone, failed_move
from test_golden_cards import job

from bot.domain.job import JobState
from bot.domain.record import StepState
from bot.domain.texts import plain
from bot.errors import Refused
from bot.operations import roll_back
from bot.operations.moved import move_of, told_by
from bot.operations.ports import Facts


def test_what_was_rolled_back_is_neither_retired_nor_rolled_back_again() -> None:
    undone = job(rolling(), JobState.SUCCEEDED, number=9)
    failed = msgspec.structs.replace(undone, number=10, state=JobState.FAILED)
    for uuid in ("vm-1", "vm-9"):
        with pytest.raises(Refused, match="was rolled back by job 9: nothing to retire"):
            move_of(uuid, "centos54", [failed, undone])


def test_a_roll_back_of_what_an_earlier_move_left_hides_no_later_move_and_the_newest_hides_earlier_ones() -> None:
    earlier = failed_move(JobState.FAILED, StepState.FAILED)
    steps = tuple(
        msgspec.structs.replace(step, made={"guest": "vm-8", "disk 0": "v-8"} if step.made else {})
        for step in earlier.steps
    )
    newest = msgspec.structs.replace(earlier, number=8, state=JobState.SUCCEEDED, steps=steps)
    undone = job(rolling(), JobState.SUCCEEDED, number=9)
    assert move_of("vm-1", "centos54", [undone, newest, earlier], failed=True).copy == "vm-8"
    targets = (undone.plan.targets[0], msgspec.structs.replace(undone.plan.targets[1], uuid="vm-8"))
    undone = msgspec.structs.replace(undone, plan=msgspec.structs.replace(undone.plan, targets=targets))
    with pytest.raises(Refused, match="was rolled back by job 9"):
        move_of("vm-1", "centos54", [undone, newest, earlier], failed=True)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("h-1", "centos54 runs again on xenserver1: the move is rolled back"),
        ("h-3", "centos54 runs again on xenserver3 (before the move it ran on xenserver1): the move is rolled back"),
    ],
)
async def test_a_roll_back_tells_the_outage_and_the_host_that_the_source_runs_on_now(host: str, words: str) -> None:
    plan = rolling()
    told = [plain(line) for line in plan.after]
    assert "Outage: centos54 is off for about 2 min, until the source has booted." in told
    assert "centos54 can run on xenserver1, xenserver3; XAPI chooses; before the move it ran on xenserver1." in told
    assert told_by(plan).was == MOVED.was, "planned anew, it is still known"
    sum_up = roll_back.OPERATION.sum_up
    assert sum_up is not None
    now = source(host=host, kept_off=False)
    assert plain((await sum_up(plan, frozenset(), cast("Facts", Gone(now)))).headline) == words
