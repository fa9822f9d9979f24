"""A job of several steps: each step happens once, in its order, and what is told in the end is what is true."""

from __future__ import annotations

import json

import pytest
from engine_bench import ADMIN, OPERATOR
from fold_bench import GUESTS, Fold, FoldBench
from stored_steps import killed_at, states

from bot.domain.job import JobState
from bot.domain.record import JobRecord, StepState
from bot.domain.texts import plain


@pytest.fixture
def world() -> Fold:
    return Fold()


@pytest.fixture
async def fold(tmp_path, world: Fold):  # noqa: ANN001, ANN201  pytest's own types
    bench = FoldBench(tmp_path / "store.sqlite", world)
    await bench.open()
    yield bench
    await bench.crash()


async def test_all_steps_run_and_the_whole_is_looked_at(fold: FoldBench, world: Fold) -> None:
    record = await fold.ended(await fold.started(), "SUCCEEDED", "PARTIAL", "FAILED")
    assert record.state is JobState.SUCCEEDED
    assert plain(record.outcome) == "host1 is disabled and empty"
    assert world.begun[0] == "h1"
    assert sorted(world.begun[1:]) == list(GUESTS)
    assert (await fold.store.verify_audit())[2] is None


async def test_each_step_is_on_the_trail_as_it_ends_and_the_last_one_with_the_jobs_end(
    fold: FoldBench, world: Fold
) -> None:
    await fold.ended(await fold.started(), "SUCCEEDED")
    trail = list(reversed(await fold.store.audit(limit=50)))
    told = [json.loads(one.detail) for one in trail if one.tag == "job:step"]
    end = json.loads(next(one.detail for one in trail if one.tag == "job:succeed"))
    steps = [one["step"] for one in (*told, end["last"])]
    assert steps[0] == "close h1"
    assert sorted(steps[1:]) == [f"move {guest}" for guest in GUESTS]
    assert {one["outcome"] for one in told} <= {"h1 looked at", *(f"{guest} looked at" for guest in GUESTS)}


async def test_the_step_that_stands_alone_ends_before_others_begin_and_no_more_run_than_the_plan_says(
    fold: FoldBench, world: Fold
) -> None:
    world.released.clear()
    number = await fold.started()
    await fold.under_way("h1")
    assert world.begun == ["h1"]
    world.released.set()
    await fold.ended(number, "SUCCEEDED")
    assert world.most == 2


async def test_what_the_job_itself_moved_is_no_drift_and_raises_no_risk(fold: FoldBench, world: Fold) -> None:
    world.parallel = 1
    await fold.ended(await fold.started(), "SUCCEEDED")
    assert world.homes == {"v1": "h1", "v2": "h1", "v3": "h1"}


async def test_a_step_that_fails_ends_the_job_partly_and_says_what_is_true(fold: FoldBench, world: Fold) -> None:
    world.parallel, world.bad["v2"] = 1, ("HOST_NOT_ENOUGH_FREE_MEMORY", "4", "2")
    record = await fold.ended(await fold.started(), "PARTIAL", "FAILED")
    assert record.state is JobState.PARTIAL
    assert plain(record.outcome) == "host1 is DISABLED, 1 of 4 moved"
    assert "memory" in " ".join(plain(line) for line in record.evidence)
    assert world.begun == ["h1", "v1", "v2"]
    assert states(record) == ["DONE", "DONE", "FAILED", "WAITING", "WAITING"]
    card = [parcel for parcel in await fold.store.due() if parcel.kind == "card"][-1]
    told = str(card.message)
    assert "Not done" in told
    assert "Ask again" in told
    # Everybody's guests are free again.
    await fold.propose()


async def test_what_is_under_way_beside_a_failure_is_watched_to_its_end(fold: FoldBench, world: Fold) -> None:
    world.released.clear()
    number = await fold.started()
    await fold.under_way("h1")
    world.finish("task1:h1")
    await fold.under_way("v1", "v2")
    world.bad["v1"] = ("INTERNAL_ERROR", "boom")
    world.finish(next(handle for handle in world.tasks if handle.endswith(":v1")))

    async def failed() -> bool:
        return (await fold.store.job(number)).steps[1].state is StepState.FAILED

    await fold.until(failed)
    await fold.crash()
    await fold.open()
    await fold.under_way("v2")
    world.released.set()
    record = await fold.ended(number, "PARTIAL")
    assert states(record) == ["DONE", "FAILED", "DONE", "WAITING", "WAITING"]
    # The sentence of the failure outlives the crash.
    assert "boom" in " ".join(plain(line) for line in record.evidence)


async def test_a_first_step_that_fails_has_changed_nothing(fold: FoldBench, world: Fold) -> None:
    world.bad["h1"] = ("HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN",)
    record = await fold.ended(await fold.started(), "PARTIAL", "FAILED")
    assert record.state is JobState.FAILED
    assert world.begun == ["h1"]


async def test_a_guest_found_halted_is_the_headline(fold: FoldBench, world: Fold) -> None:
    world.parallel, world.bad["v1"] = 1, ("VM_SUSPEND_TIMEOUT", "v1", "60")
    world.halted.add("v1")
    record = await fold.ended(await fold.started(), "PARTIAL")
    assert plain(record.outcome).startswith("v1 is halted; host1 is DISABLED")


async def test_a_rest_that_has_drifted_is_not_gone_on_with(fold: FoldBench, world: Fold) -> None:
    world.parallel = 1
    world.released.clear()
    number = await fold.started()
    await fold.under_way("h1")
    world.where["v3"] = "h9"
    world.released.set()
    record = await fold.ended(number, "PARTIAL", "SUCCEEDED")
    assert record.state is JobState.PARTIAL
    assert "v3 was on h1, now it is on h9" in " ".join(plain(line) for line in record.evidence)
    assert world.begun == ["h1"]


async def test_the_ceiling_stays_for_the_rest(fold: FoldBench, world: Fold) -> None:
    world.parallel = 1
    world.released.clear()
    number = await fold.started()
    await fold.under_way("h1")
    world.worse = frozenset({"v4"})
    world.released.set()
    record = await fold.ended(number, "PARTIAL", "SUCCEEDED")
    assert record.state is JobState.PARTIAL
    assert world.begun == ["h1"]


async def test_cancel_reaches_every_step_under_way(fold: FoldBench, world: Fold) -> None:
    world.released.clear()
    number = await fold.started()
    await fold.under_way("h1")
    world.finish("task1:h1")
    await fold.under_way("v1", "v2")
    await fold.control.cancel(number, await world.person("T", OPERATOR))
    record = await fold.ended(number, "PARTIAL", "CANCELLED")
    assert record.state is JobState.PARTIAL
    assert states(record) == ["DONE", "CANCELLED", "CANCELLED", "WAITING", "WAITING"]
    assert {world.where[one] for one in GUESTS} == {"h1"}


async def test_a_lost_answer_beside_others_leads_to_exactly_one_execution(fold: FoldBench, world: Fold) -> None:
    world.lose = "v2"
    await fold.ended(await fold.started(), "SUCCEEDED")
    assert sorted(world.begun) == ["h1", *GUESTS]


async def test_a_kill_at_every_stored_step_repeats_nothing_and_loses_nothing(fold: FoldBench, world: Fold) -> None:
    """Finds the points itself: the store is stopped at its n-th write of a step, for every n there is."""
    point, reached = 0, True
    while reached:
        point += 1
        world.__init__()  # type: ignore[misc]
        reached = await _killed_at(fold, world, point)
    # Five steps with four writes each: opened, about to be sent, sent, ended; the last end is written with the job's.
    assert point >= 5 * 4


async def _killed_at(fold: FoldBench, world: Fold, point: int) -> bool:
    """Whether the job lived long enough to be killed right after its write number `point`."""
    number, reached = await killed_at(fold, point, "SUCCEEDED")
    record = await fold.ended(number, "SUCCEEDED", "PARTIAL", "FAILED", "NEEDS_ATTENTION")
    assert len(world.begun) == len(set(world.begun)), point
    if record.state is JobState.NEEDS_ATTENTION:
        # Killed between writing that a call is about to be sent and sending it: nobody can know, so a person looks.
        unclear = [step.index for step in record.steps if step.state is StepState.UNCLEAR]
        assert unclear
        assert not {("h1", *GUESTS)[index] for index in unclear}.intersection(world.begun), (point, states(record))
        for _ in unclear:
            await fold.control.resolve(number, await world.person("T", ADMIN), "not-done")
        assert (await fold.store.job(number)).state is (JobState.PARTIAL if world.begun else JobState.FAILED)
    else:
        assert record.state is JobState.SUCCEEDED, (point, plain(record.outcome), states(record))
        assert sorted(world.begun) == ["h1", *GUESTS], point
    return reached


async def test_progress_on_the_card_counts_steps_and_never_falls(fold: FoldBench, world: Fold) -> None:
    seen: list[float] = []
    real = fold.store.save_step

    async def noted(*args: object, **named: object) -> JobRecord:
        record = await real(*args, **named)  # type: ignore[arg-type]
        parts = {type(part).__name__: part for parcel in await fold.store.due() for part in parcel.message.parts}
        if "Progress" in parts:
            seen.append(parts["Progress"].fraction)  # type: ignore[union-attr]
        return record

    fold.store.save_step = noted  # type: ignore[method-assign]
    await fold.ended(await fold.started(), "SUCCEEDED")
    assert seen == sorted(seen)
    assert seen[-1] > 0.5


async def test_an_unclear_step_is_closed_by_looking_and_the_rest_stays_undone(fold: FoldBench, world: Fold) -> None:
    world.parallel = 1
    world.released.clear()
    number = await fold.started()
    await fold.under_way("h1")
    world.finish("task1:h1")
    await fold.under_way("v1")
    world.moving.clear()
    world.tasks.clear()
    record = await fold.ended(number, "NEEDS_ATTENTION")
    assert states(record)[:3] == ["DONE", "UNCLEAR", "WAITING"]
    world.where["v1"] = "h2"
    await fold.control.resolve(number, await world.person("T", ADMIN), "")
    record = await fold.store.job(number)
    assert record.state is JobState.PARTIAL
    assert states(record)[:3] == ["DONE", "DONE", "WAITING"]


async def test_ask_again_asks_for_the_rest_only(fold: FoldBench, world: Fold) -> None:
    world.parallel, world.bad["v2"] = 1, ("INTERNAL_ERROR", "boom")
    number = await fold.started()
    await fold.ended(number, "PARTIAL")
    await fold.press(number, "ask_again")
    again = (await fold.store.jobs())[0]
    assert again.number != number
    assert [plain(step.title) for step in again.plan.steps] == ["move v2", "move v3", "move v4"]
