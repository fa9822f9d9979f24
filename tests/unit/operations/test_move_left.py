"""A move by backup that went wrong and has left its copy: what its card offers, and which guest a name means then."""

from __future__ import annotations

import msgspec
import pytest
from move_world import MOVED, copy, kept, power, rolling, source, stops
from test_after_a_move import failed_move

from bot.domain.job import JobState
from bot.domain.message import Button, Choices
from bot.domain.record import JobRecord, StepState
from bot.domain.texts import plain
from bot.jobs import story
from bot.operations import leavings, move_by_backup, roll_back
from bot.operations.moved import move_of, one_moved
from bot.operations.restore_steps import READY


def offered(record: JobRecord) -> dict[str, str]:
    """The buttons of the card, by label, each with what it asks for."""
    parts = story.card(record, move_by_backup.OPERATION).parts
    buttons = [one for part in parts if isinstance(part, Choices) for one in part.buttons]
    return {one.label: one.target for one in buttons if isinstance(one, Button)}


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
def test_the_card_of_a_move_that_failed_and_has_left_its_copy_offers_to_roll_it_back(state: JobState) -> None:
    left, removed = (failed_move(state, end) for end in (StepState.FAILED, StepState.DONE))
    # By the copy: a later move of the same guest is another one.
    assert offered(left)["Roll back"] == "roll-back vm-9"
    assert "Roll back" not in offered(removed)
    settled = msgspec.structs.replace(left, back_closed=True)
    assert "Roll back" not in offered(settled)
    assert offered(settled).keys() == offered(removed).keys()


def test_a_copy_that_never_became_ready_is_a_template_which_no_command_finds_and_is_removed() -> None:
    left = failed_move(JobState.FAILED, StepState.FAILED)
    steps = tuple(
        msgspec.structs.replace(step, state=StepState.FAILED) if step.kind == READY else step for step in left.steps
    )
    left = msgspec.structs.replace(left, steps=steps)
    assert "Roll back" not in offered(left)
    assert offered(left)["Remove what is left"] == "clean-up 7"
    assert [one.uuid for one in leavings.guests(left)] == ["vm-9"]


def test_a_move_that_failed_before_it_made_a_copy_has_nothing_to_roll_back() -> None:
    early = failed_move(JobState.FAILED, StepState.WAITING)
    nothing = msgspec.structs.replace(
        early, steps=tuple(msgspec.structs.replace(step, made={}) for step in early.steps)
    )
    assert "Roll back" not in offered(nothing)


class Known:
    """What was done to each guest, by its UUID."""

    def __init__(self, jobs: dict[str, list[JobRecord]]) -> None:
        self._jobs = jobs

    async def jobs(self, *, limit: int = 20, target: str = "") -> list[JobRecord]:
        return self._jobs[target][:limit]


async def test_of_two_guests_of_one_name_the_command_means_the_one_move_that_both_are_part_of() -> None:
    left = failed_move(JobState.FAILED, StepState.FAILED)
    jobs = {"vm-1": [left], "vm-9": [left], "vm-5": []}
    assert await one_moved(jobs, Known(jobs), failed=True) == "vm-1"
    # A copy of a move that failed is not retired.
    assert await one_moved(jobs, Known(jobs)) == ""
    targets = (msgspec.structs.replace(left.plan.targets[0], uuid="vm-5"), *left.plan.targets[1:])
    other = msgspec.structs.replace(left, number=8, plan=msgspec.structs.replace(left.plan, targets=targets))
    two = {"vm-1": [left], "vm-5": [other]}
    assert await one_moved(two, Known(two), failed=True) == "", "of two moves nobody can tell"


def test_a_move_that_needs_a_person_is_closed_before_it_is_rolled_back() -> None:
    stuck = move_of("vm-1", "centos54", [failed_move(JobState.NEEDS_ATTENTION, StepState.FAILED)], failed=True)
    assert stuck.stuck
    plan = roll_back.decide(stuck, kept(), copy(), power())
    assert "job 7, which moved centos54, needs a person" in stops(plan)["stuck"]
    (check,) = (one for one in plan.checks if one.key == "stuck")
    assert check.fix is not None
    assert "/xen resolve 7" in plain(check.fix)
    assert "stuck" not in stops(rolling())


def test_a_guest_that_runs_twice_is_not_called_well_and_somebody_says_which_one_shall_live() -> None:
    plan = roll_back.decide(MOVED, source(), copy(), power())
    assert stops(plan)["power"] == "centos54 runs twice: in experiment, and as a copy on xenserver2"
    assert not any(check.idle for check in plan.blocked)
    text = plain(story.refused(plan, roll_back.OPERATION).summary)
    assert "cannot be rolled back" in text
