"""What a roll back tells, and what is left of a move that was rolled back."""

from __future__ import annotations

from typing import cast

import msgspec
import pytest
from move_world import MOVED, rolling, source
from test_after_a_move import Gone
from test_golden_cards import job

from bot.domain.job import JobState
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
