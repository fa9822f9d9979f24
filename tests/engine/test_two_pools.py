"""A job that works in two pools: the guest runs in one of them, never in both, and never in none for good."""

from __future__ import annotations

import msgspec
import pytest
from engine_bench import ADMIN, OPERATOR
from move_bench import OFF, ON, THERE, MoveBench, Moving
from stored_steps import killed_at, told

from bot.domain.job import JobState
from bot.domain.record import StepState
from bot.domain.texts import plain

OVER = ("SUCCEEDED", "PARTIAL", "FAILED", "CANCELLED", "NEEDS_ATTENTION")


@pytest.fixture
def world() -> Moving:
    return Moving()


@pytest.fixture
async def moves(tmp_path, world: Moving):  # noqa: ANN001, ANN201  pytest's own types
    bench = MoveBench(tmp_path / "store.sqlite", world)
    await bench.open()
    yield bench
    await bench.crash()


def as_before(world: Moving) -> None:
    assert (world.source, world.held, world.copy) == (ON, False, None)
    assert world.drafts == set()
    assert not world.both


def moved(world: Moving) -> None:
    assert (world.source, world.held, world.copy) == (OFF, True, ON)
    assert not world.both


async def under_way(moves: MoveBench, kind: str) -> int:
    number = await moves.started()

    async def there() -> bool:
        record = await moves.store.job(number)
        return any(step.kind == kind and step.state is not StepState.WAITING for step in record.steps)

    await moves.until(there)
    return number


async def started_again(moves: MoveBench, world: Moving) -> None:
    async def runs() -> bool:
        return world.source is ON

    await moves.until(runs)


async def test_a_guest_goes_from_one_pool_to_the_other_and_each_step_asks_its_own_pool(
    moves: MoveBench, world: Moving
) -> None:
    record = await moves.ended(await moves.started(), *OVER)
    assert record.state is JobState.SUCCEEDED, told(record)
    assert plain(record.outcome) == "v1 runs there"
    moved(world)

    async def tidied() -> bool:
        return not await moves.store.open_parents()

    await moves.until(tidied)


@pytest.mark.parametrize("fails", ["export", "start of the copy"])
async def test_whatever_fails_the_guest_runs_again_and_nothing_of_the_copy_is_left(
    moves: MoveBench, world: Moving, fails: str
) -> None:
    if fails == "export":
        world.full = True
    else:
        world.bad["VM.start c1"] = ("HOST_NOT_ENOUGH_FREE_MEMORY", "1", "0")
    record = await moves.ended(await moves.started(), *OVER)
    assert record.state is JobState.FAILED, told(record)
    assert plain(record.outcome) == "v1 was not moved and runs as before"
    assert ("The folder of backups is full" if fails == "export" else "memory") in told(record)
    as_before(world)


async def test_a_guest_that_does_not_start_again_is_the_headline_and_no_job_that_was_merely_cancelled(
    moves: MoveBench, world: Moving
) -> None:
    world.bad["VM.start v1"] = ("HOST_NOT_ENOUGH_FREE_MEMORY", "1", "0")
    world.go_on.clear()
    number = await under_way(moves, "export")
    await moves.control.cancel(number, await world.person("T", OPERATOR))
    record = await moves.ended(number, *OVER)
    assert record.state is JobState.FAILED, told(record)
    assert plain(record.outcome) == "v1 is down"
    assert "memory" in told(record)
    assert world.source is OFF


async def test_a_start_that_the_pool_says_has_failed_is_not_watched_for_long_while_the_guest_is_down(
    moves: MoveBench, world: Moving
) -> None:
    # Far longer than the bench waits for anything.
    moves.engine.pace = msgspec.structs.replace(moves.engine.pace, vanished=600.0)
    world.bad["VM.start c1"] = ("HOST_NOT_ENOUGH_FREE_MEMORY", "1", "0")
    record = await moves.ended(await moves.started(), *OVER)
    assert record.state is JobState.FAILED, told(record)
    as_before(world)


async def test_a_pool_that_falls_silent_in_the_middle_does_not_keep_the_guest_down(
    moves: MoveBench, world: Moving
) -> None:
    number = await moves.importing()
    world.silence.add(THERE)
    world.go_on.set()
    await started_again(moves, world)
    assert (await moves.store.job(number)).state is JobState.RUNNING
    assert world.drafts
    world.silence.clear()
    record = await moves.ended(number, *OVER)
    assert record.state is JobState.FAILED, told(record)
    as_before(world)


async def test_a_pool_that_falls_silent_while_it_is_cleared_and_something_was_noted_does_not_keep_the_guest_down(
    moves: MoveBench, world: Moving
) -> None:
    # Clearing away goes on for longer than the bench waits for anything.
    moves.engine.pace = msgspec.structs.replace(moves.engine.pace, stubborn=1_000_000)
    world.notes = "what came"
    number = await moves.importing()
    await moves.control.cancel(number, await world.person("T", OPERATOR))
    await started_again(moves, world)

    async def noted() -> bool:
        step = (await moves.store.job(number)).steps[3]
        assert step.state is StepState.SENT
        return step.noted == "what came"

    await moves.until(noted)
    world.silence.clear()
    await moves.ended(number, *OVER)
    as_before(world)


async def test_a_guest_that_somebody_starts_while_the_other_pool_is_silent_gets_no_copy_beside_it(
    moves: MoveBench, world: Moving
) -> None:
    world.shelf_open.set()
    world.silent_once_imported = True
    number = await moves.started()

    async def imported() -> bool:
        steps = (await moves.store.job(number)).steps
        return any(step.kind == "import" and step.state is StepState.DONE for step in steps)

    await moves.until(imported)
    assert THERE in world.silence
    world.source = ON
    world.silent_once_imported = False
    world.silence.clear()
    record = await moves.ended(number, *OVER)
    assert record.state is JobState.FAILED, told(record)
    assert "v1 runs by now" in told(record)
    assert "VM.start c1" not in world.begun
    as_before(world)


async def test_a_copy_that_may_run_keeps_the_guest_off_until_its_pool_answers(moves: MoveBench, world: Moving) -> None:
    world.lose = "VM.start c1"
    number = await under_way(moves, "start-copy")

    async def lost() -> bool:
        return THERE in world.silence

    await moves.until(lost)
    await moves.control.cancel(number, await world.person("T", OPERATOR))
    assert world.copy is ON
    assert world.source is OFF
    world.silence.clear()
    record = await moves.ended(number, *OVER)
    assert record.state in {JobState.SUCCEEDED, JobState.CANCELLED}, told(record)
    (moved if record.state is JobState.SUCCEEDED else as_before)(world)


@pytest.mark.parametrize("kind", ["shutdown", "export", "import"])
async def test_cancel_at_each_phase_starts_the_guest_again(moves: MoveBench, world: Moving, kind: str) -> None:
    if kind == "shutdown":
        world.released.clear()
    world.go_on.clear()
    if kind == "import":
        world.shelf_open.set()
    number = await under_way(moves, kind)
    await moves.control.cancel(number, await world.person("T", OPERATOR))
    record = await moves.ended(number, *OVER)
    assert record.state is JobState.CANCELLED, told(record)
    assert plain(record.outcome) == "v1 was not moved and runs as before"
    as_before(world)


@pytest.mark.parametrize("fails", [False, True])
async def test_a_kill_at_every_stored_step_leaves_one_that_runs_and_tells_the_truth(
    moves: MoveBench, world: Moving, *, fails: bool
) -> None:
    point, reached = 0, True
    while reached:
        point += 1
        world.__init__()  # type: ignore[misc]
        if fails:
            world.bad["VM.start c1"] = ("HOST_NOT_ENOUGH_FREE_MEMORY", "1", "0")
        reached = await _killed_at(moves, world, point)
    assert point > 3 * 5


async def _killed_at(moves: MoveBench, world: Moving, point: int) -> bool:
    """Whether the job lived long enough to be killed right after its write number `point`."""
    number, reached = await killed_at(moves, point, *OVER)
    record = await moves.ended(number, *OVER)
    assert not world.both
    if record.state is JobState.SUCCEEDED:
        moved(world)
    elif record.state is JobState.FAILED:
        as_before(world)
    else:
        # A call that was lost right before it was sent is never sent again, and a person is asked to look.
        assert any(step.state is StepState.UNCLEAR for step in record.steps), (point, told(record))
        assert ON in {world.source, world.copy}, (point, told(record))
        await moves.control.resolve(number, await world.person("T", ADMIN), "not-done")
    return reached
