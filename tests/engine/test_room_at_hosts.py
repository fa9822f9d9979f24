"""What a job of many moves begins beside its first where others work too."""

from __future__ import annotations

from collections.abc import Collection

from job_records import job_of

from bot.domain.calls import Call, Ref
from bot.domain.job import JobState
from bot.domain.plan import Placement, Plan, Risk, Step
from bot.domain.record import JobRecord, StepRecord, StepState
from bot.domain.texts import say
from bot.jobs import lanes


def evacuation(*states: StepState) -> JobRecord:
    """Guests that leave h1, by turns to h2 and h3, three at once."""
    guests = {f"v{number}": f"h{2 + number % 2}" for number in range(6)}
    steps = tuple(
        Step("pool_migrate", say("{vm}", vm=vm), Call("VM.pool_migrate", (Ref("VM", vm), Ref("host", host))))
        for vm, host in guests.items()
    )
    plan = Plan(
        operation="evacuate",
        pool="p1",
        title=say("Evacuate"),
        targets=(),
        placements=tuple(Placement(vm, "h1", "Running", ()) for vm in guests),
        checks=(),
        risk=Risk.LOW,
        risk_reasons=(),
        steps=steps,
        locks=(),
        parallel=3,
    )
    left = [*states, *[StepState.WAITING] * len(steps)]
    records = tuple(StepRecord(1, index, one.kind, left[index]) for index, one in enumerate(steps))
    return job_of(plan, JobState.RUNNING, number=1, started_at=1.0, steps=records)


def test_a_move_burdens_the_host_it_leaves_and_the_one_it_goes_to() -> None:
    plan = evacuation().plan
    assert lanes.sites(plan, 0) == {"h1", "h2"}
    assert lanes.sites(plan, 1) == {"h1", "h3"}


def test_what_is_crowded_is_asked_for_every_move_but_the_first_with_those_that_are_under_way() -> None:
    asked: list[tuple[int, set[int]]] = []

    def crowded(index: int, beside: Collection[int]) -> bool:
        asked.append((index, set(beside)))
        return len(beside) >= 2

    assert list(lanes.ready(evacuation(), (), stopping=False, crowded=crowded)) == [0, 1]
    assert asked == [(1, {0}), (2, {0, 1})]


def test_where_others_fill_the_host_one_move_goes_on_all_the_same() -> None:
    def full(_index: int, _beside: Collection[int]) -> bool:
        return True

    assert list(lanes.ready(evacuation(), (), stopping=False, crowded=full)) == [0]
    running = evacuation(StepState.DONE, StepState.SENT)
    assert list(lanes.ready(running, {1}, stopping=False, crowded=full)) == []
    assert list(lanes.ready(running, {1}, stopping=False)) == [2, 3]
