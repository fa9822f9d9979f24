"""Steps that the bot does itself, when it dies in the middle of them or cannot tell what became of them."""

from __future__ import annotations

import asyncio

import pytest
from copy_bench import GUESTS, Copies, CopyBench
from engine_bench import ADMIN, OPERATOR
from stored_steps import killed_at, states, told

from bot.domain.job import JobState
from bot.domain.record import StepState
from bot.domain.texts import plain


@pytest.fixture
def world() -> Copies:
    return Copies()


async def test_work_that_may_not_be_begun_again_ends_with_the_truth_after_a_crash(
    copies: CopyBench, world: Copies
) -> None:
    world.again = False
    world.go_on.clear()
    number = await copies.started()
    await copies.at_work()
    await copies.crash()
    assert world.drafts
    world.go_on.set()
    await copies.open()
    record = await copies.ended(number, "SUCCEEDED", "PARTIAL", "FAILED")
    assert record.state is JobState.FAILED
    assert plain(record.outcome).startswith("xenbot was restarted in the middle of it")
    assert world.runs == ["v1"]
    world.clean()


async def test_a_task_that_the_pool_never_took_up_is_asked_to_stop_ever_more_seldom(
    copies: CopyBench, world: Copies
) -> None:
    world.deaf, world.stopping = True, 0.3
    world.go_on.clear()
    number = await copies.started()
    await copies.at_work()
    await copies.crash()
    world.go_on.set()
    await copies.open()
    await copies.ended(number, "SUCCEEDED")
    # Thirty times the pause between two looks pass until it is given up; asks come after 1, 2, 4, 8 and 16 of them.
    assert 1 <= len(world.asked_to_stop) <= 6
    world.clean()


async def lasting(copies: CopyBench, world: Copies, vanished: float = 30.0) -> int:
    """A job whose work goes on at the pool whatever the bot does, under way; it is looked for so long (seconds)."""
    await copies.crash()
    world.again, world.lasting, world.vanished = False, True, vanished
    await copies.open()
    world.go_on.clear()
    number = await copies.started()
    await copies.at_work()
    return number


async def looked_for(copies: CopyBench) -> None:
    async def told() -> bool:
        return "Looked at again until" in await copies.shown()

    await copies.until(told)


def arrived(world: Copies) -> None:
    """What the work was for has come about."""
    world.shelf.add(next(iter(world.drafts)))


async def test_work_that_goes_on_without_the_bot_is_not_called_failed_after_a_crash(
    copies: CopyBench, world: Copies
) -> None:
    number = await lasting(copies, world)
    await copies.crash()
    await copies.open()
    await looked_for(copies)
    arrived(world)
    await copies.ended(number, "SUCCEEDED")
    assert world.runs == ["v1"]


async def test_work_that_goes_on_without_the_bot_is_unclear_where_nothing_ever_shows(
    copies: CopyBench, world: Copies
) -> None:
    number = await lasting(copies, world, 0.05)
    await copies.crash()
    await copies.open()
    record = await copies.ended(number, "NEEDS_ATTENTION", "FAILED", "PARTIAL")
    assert record.state is JobState.NEEDS_ATTENTION
    assert "lost sight" in told(record)


async def test_work_that_goes_on_without_the_bot_is_not_called_cancelled_by_who_asks_to_stop_it(
    copies: CopyBench, world: Copies
) -> None:
    number = await lasting(copies, world)
    await copies.control.cancel(number, await world.person("T", OPERATOR))
    await asyncio.sleep(0)
    assert world.copying == 1
    arrived(world)
    world.go_on.set()
    record = await copies.ended(number, "SUCCEEDED", "CANCELLED", "PARTIAL")
    assert record.state is JobState.SUCCEEDED, told(record)


async def test_work_whose_answer_was_lost_is_looked_for_before_anything_is_said_of_it(
    copies: CopyBench, world: Copies
) -> None:
    number = await lasting(copies, world)
    world.unknown = True
    draft = next(iter(world.drafts))
    world.go_on.set()
    await looked_for(copies)
    world.shelf.add(draft)
    await copies.ended(number, "SUCCEEDED")


async def test_work_that_finished_unrecorded_is_taken_up_and_not_done_twice(copies: CopyBench, world: Copies) -> None:
    world.go_on.clear()
    number = await copies.started()
    await copies.at_work()
    await copies.crash()
    world.shelf.add(f"v1 {(world.drafts.pop()).split()[-1]}")
    world.go_on.set()
    await copies.open()
    record = await copies.ended(number, "SUCCEEDED", "PARTIAL", "FAILED")
    assert record.state is JobState.SUCCEEDED
    assert world.runs == ["v1"]
    world.clean()


@pytest.mark.parametrize("fails", [False, True])
async def test_a_kill_at_every_stored_step_leaves_nothing_and_tells_the_truth(
    copies: CopyBench, world: Copies, *, fails: bool
) -> None:
    """Finds the points itself: the store is stopped at its n-th write of a step, for every n there is."""
    point, reached = 0, True
    while reached:
        point += 1
        world.__init__()  # type: ignore[misc]
        world.guests, world.full = GUESTS[:2], "v2" if fails else ""
        reached = await _killed_at(copies, world, point, "PARTIAL" if fails else "SUCCEEDED")
    assert point >= 2 * 5 * 3


async def _killed_at(copies: CopyBench, world: Copies, point: int, well: str) -> bool:
    """Whether the job lived long enough to be killed right after its write number `point`."""
    number, reached = await killed_at(copies, point, well)
    record = await copies.ended(number, "SUCCEEDED", "PARTIAL", "FAILED", "NEEDS_ATTENTION")
    unclear = [record.plan.steps[step.index] for step in record.steps if step.state is StepState.UNCLEAR]
    # Only a call that makes something may have been lost for good, right before it was sent.
    assert all(step.makes for step in unclear), (point, states(record))
    assert (record.state is JobState.NEEDS_ATTENTION) is bool(unclear)
    if not unclear:
        assert record.state.value == well, (point, told(record), states(record))
    for method in ("VM.clean_shutdown", "VM.snapshot"):
        sent = [one for one in world.begun if one.startswith(method)]
        assert len(sent) == len(set(sent)), (point, world.begun)
    copied = [step.index for step in record.steps if record.plan.steps[step.index].kind == "copy"]
    done = [record.plan.steps[index].lane for index in copied if index in record.done]
    assert sorted(one.split()[0] for one in world.shelf) == done
    world.clean()
    for _ in unclear:
        await copies.control.resolve(number, await world.person("T", ADMIN), "not-done")
    assert (await copies.store.job(number)).state is not JobState.NEEDS_ATTENTION
    return reached


@pytest.mark.parametrize("how", ["crash", "failure"])
async def test_what_work_has_noted_is_known_to_whoever_clears_up_after_it(
    copies: CopyBench, world: Copies, how: str
) -> None:
    world.notes = True
    world.go_on.clear()
    number = await copies.started()
    await copies.at_work()
    if how == "crash":
        await copies.crash()
        await copies.open()
    else:
        world.full = "v1"
    world.go_on.set()
    await copies.ended(number, "SUCCEEDED" if how == "crash" else "FAILED")
    assert world.noted == ["v1 was there before"]
    world.clean()
