"""A pool that stays silent while a job has to take something back there: the job does not wait for it for ever."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from engine_bench import ADMIN, OPERATOR
from move_bench import OFF, ON, THERE, MoveBench, Moving
from stored_steps import told
from test_two_pools import OVER, as_before, moved, started_again, under_way

from bot.domain.job import JobState
from bot.domain.message import Message
from bot.domain.record import StepState
from bot.domain.texts import plain
from bot.errors import IllegalTransition, Refused


@pytest.fixture
def world() -> Moving:
    return Moving()


@pytest.fixture
async def moves(tmp_path, world: Moving):  # noqa: ANN001, ANN201  pytest's own types
    bench = MoveBench(tmp_path / "store.sqlite", world)
    await bench.open()
    bench.engine.pace = msgspec.structs.replace(bench.engine.pace, silent=0.3)
    yield bench
    await bench.crash()


def text(*messages: Message) -> str:
    """What messages say in their lines."""
    return " ".join(plain(line) for one in messages for part in one.parts for line in getattr(part, "lines", ()))


async def shown(moves: MoveBench) -> str:
    """What the cards that wait to be sent say."""
    return text(*(parcel.message for parcel in await moves.store.due() if parcel.kind == "card"))


async def silent_in_the_import(moves: MoveBench, world: Moving, *, soon: bool = True) -> int:
    """The other pool falls silent while the import goes on; the guest runs again, if it does so `soon`."""
    number = await moves.importing()
    world.silence.add(THERE)
    world.go_on.set()
    if soon:
        await started_again(moves, world)
    return number


async def test_a_failed_job_does_not_hold_its_guest_for_ever_because_the_other_pool_is_silent(
    moves: MoveBench,
    world: Moving,
) -> None:
    number = await silent_in_the_import(moves, world)
    record = await moves.ended(number, *OVER)
    assert record.state is JobState.NEEDS_ATTENTION, told(record)
    assert plain(record.outcome) == "v1 runs as before"
    assert "p2 has answered nothing for" in told(record)
    admin = await world.person("T", ADMIN)
    answer = text(await moves.control.resolve(number, admin, ""))
    assert "p2 does not answer, so that nobody can look there." in answer
    assert f"/xen resolve {number} not-done" in answer
    assert (await moves.store.job(number)).state is JobState.NEEDS_ATTENTION
    with pytest.raises(Refused, match=f"v1 is held by job {number}, which needs a person") as held:
        await moves.store.held_up(world.plan())
    assert f"/xen resolve {number}" in held.value.fix
    with pytest.raises(Refused, match="p2 does not answer"):
        await moves.control.resolve(number, admin, "done")
    await moves.control.resolve(number, admin, "not-done")
    closed = await moves.store.job(number)
    assert closed.state is JobState.FAILED
    assert "c1 may be left" in told(closed)
    assert "closed it while p2 did not answer" in told(closed)
    assert [" ".join(step.error)[:3] for step in closed.steps if step.error] == ["p2 "], "what /xen job shows of it"
    # Nothing holds the guest any more.
    await moves.store.held_up(world.plan())
    assert not world.both


async def test_work_that_failed_with_nothing_urgent_behind_it_is_not_waited_for_for_ever_either(
    moves: MoveBench, world: Moving
) -> None:
    world.urgent = False
    number = await silent_in_the_import(moves, world, soon=False)
    record = await moves.ended(number, *OVER)
    assert record.state is JobState.NEEDS_ATTENTION, told(record)
    assert world.source is ON


async def test_a_job_given_up_since_a_pool_was_silent_needs_a_person_also_where_the_bot_died_before_its_end(
    moves: MoveBench, world: Moving
) -> None:
    number = await moves.importing()
    world.released.clear()
    world.silence.add(THERE)
    world.go_on.set()

    async def given_up() -> bool:
        return any(step.stood is not None for step in (await moves.store.job(number)).steps)

    await moves.until(given_up)
    assert world.source is OFF, "its start is under way still"
    await moves.crash()
    world.released.set()
    await moves.open()
    record = await moves.ended(number, *OVER)
    assert record.state is JobState.NEEDS_ATTENTION, told(record)
    assert plain(record.outcome) == "v1 runs as before"
    assert "c1 may be left" in told(record)
    world.silence.clear()
    await moves.control.resolve(number, await world.person("T", ADMIN), "")
    record = await moves.ended(number, "FAILED", "CANCELLED", "PARTIAL", "SUCCEEDED")
    assert record.state is JobState.FAILED, told(record)
    as_before(world)


async def test_what_is_left_in_the_other_pool_is_taken_back_when_a_person_looks_once_it_answers(
    moves: MoveBench,
    world: Moving,
) -> None:
    world.silent_once_imported = True
    world.shelf_open.set()
    number = await under_way(moves, "start-copy")
    await moves.control.cancel(number, await world.person("T", OPERATOR))
    record = await moves.ended(number, *OVER)
    assert record.state is JobState.NEEDS_ATTENTION, told(record)
    assert (world.source, world.copy) == (ON, OFF)
    (unclear,) = (step for step in record.steps if step.state is StepState.UNCLEAR)
    assert unclear.kind == "remove"
    world.silent_once_imported = False
    world.silence.clear()
    await moves.control.resolve(number, await world.person("T", ADMIN), "")
    record = await moves.ended(number, "FAILED", "CANCELLED", "PARTIAL", "SUCCEEDED")
    assert record.state in {JobState.FAILED, JobState.CANCELLED}, told(record)
    as_before(world)


async def test_of_two_admins_who_resolve_at_once_the_later_one_changes_nothing_of_the_job(
    moves: MoveBench, world: Moving
) -> None:
    number = await silent_in_the_import(moves, world)
    await moves.ended(number, "NEEDS_ATTENTION")
    admin = await world.person("T", ADMIN)
    world.parts.clear()
    late = asyncio.create_task(moves.control.resolve(number, admin, "not-done"))

    async def waits() -> bool:
        return bool(world.parts._waiters)  # type: ignore[attr-defined]  # nothing else shows that somebody waits

    await moves.until(waits)
    world.silence.clear()
    await moves.control.resolve(number, admin, "")
    await moves.ended(number, "FAILED", "CANCELLED", "PARTIAL", "SUCCEEDED")

    async def tidied() -> bool:
        return not await moves.store.open_parents()

    await moves.until(tidied)
    steps = (await moves.store.job(number)).steps
    world.parts.set()
    with pytest.raises(IllegalTransition):
        await late
    assert (await moves.store.job(number)).steps == steps
    as_before(world)


async def test_what_an_import_has_left_is_cleared_away_when_a_person_looks_once_its_pool_answers(
    moves: MoveBench, world: Moving
) -> None:
    number = await silent_in_the_import(moves, world)
    await moves.ended(number, "NEEDS_ATTENTION")
    assert world.drafts
    await moves.crash()
    await moves.open()
    world.silence.clear()
    await moves.control.resolve(number, await world.person("T", ADMIN), "")
    record = await moves.ended(number, "FAILED", "CANCELLED", "PARTIAL", "SUCCEEDED")
    assert record.state is JobState.FAILED, told(record)
    as_before(world)


async def test_a_guest_whose_copy_may_run_in_a_silent_pool_stays_off_and_its_job_is_not_closed(
    moves: MoveBench,
    world: Moving,
) -> None:
    world.lose = "VM.start c1"
    number = await under_way(moves, "start-copy")

    async def lost() -> bool:
        return THERE in world.silence

    await moves.until(lost)
    await moves.control.cancel(number, await world.person("T", OPERATOR))
    record = await moves.ended(number, *OVER)
    assert record.state is JobState.NEEDS_ATTENTION, told(record)
    assert plain(record.outcome) == "v1 is down"
    assert (world.source, world.copy) == (OFF, ON)
    admin = await world.person("T", ADMIN)
    with pytest.raises(Refused, match="v1 is down"):
        await moves.control.resolve(number, admin, "not-done")
    assert (await moves.store.job(number)).state is JobState.NEEDS_ATTENTION
    # Once it answers the start is seen to have gone well: whoever wanted to stop it came too late.
    world.silence.clear()
    answer = await moves.control.resolve(number, admin, "")
    assert plain(answer.summary) == "The pool answers again: the job goes on from where it stood."
    record = await moves.ended(number, "FAILED", "CANCELLED", "PARTIAL", "SUCCEEDED")
    assert record.state is JobState.SUCCEEDED, told(record)
    moved(world)
    assert world.begun.count("VM.start c1") == 1


async def test_the_card_says_what_a_job_waits_for_in_a_silent_pool_what_is_true_and_what_it_holds(
    moves: MoveBench,
    world: Moving,
) -> None:
    moves.engine.pace = msgspec.structs.replace(moves.engine.pace, silent=600.0)
    number = await silent_in_the_import(moves, world)

    async def says() -> bool:
        told = await shown(moves)
        return all(one in told for one in ("p2 has answered nothing for", "v1 runs as before", "v1 is held for that"))

    await moves.until(says)
    assert (await moves.store.job(number)).state is JobState.RUNNING
    world.silence.clear()
    record = await moves.ended(number, *OVER)
    assert record.state is JobState.FAILED, told(record)
    as_before(world)


async def test_a_move_that_went_well_is_over_although_its_pool_is_silent_when_it_is_looked_at_in_the_end(
    moves: MoveBench, world: Moving
) -> None:
    world.silent_in_the_end = True
    record = await moves.ended(await moves.started(), *OVER)
    assert record.state is JobState.PARTIAL, told(record)
    assert "the pool does not answer" in plain(record.outcome)
    moved(world)


async def test_a_start_that_nobody_wants_to_end_waits_for_its_pool_however_long_it_is_silent(
    moves: MoveBench,
    world: Moving,
) -> None:
    world.lose = "VM.start c1"
    number = await under_way(moves, "start-copy")

    async def says() -> bool:
        return "It goes on when p2 answers" in await shown(moves)

    await moves.until(says)
    world.silence.clear()
    record = await moves.ended(number, *OVER)
    assert record.state is JobState.SUCCEEDED, told(record)
