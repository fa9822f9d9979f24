"""What may follow a move by backup, while the pool of the copy falls silent: told, held, closed, and done later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from after_move_bench import MOVED, AfterMove, Settled
from engine_bench import ADMIN, APPROVER, OPERATOR
from move_bench import OFF, ON, THERE
from stored_steps import told
from test_silent_pools import text

from bot.domain.job import JobState
from bot.domain.record import JobRecord
from bot.domain.texts import plain
from bot.errors import Refused
from bot.operations import retire

OVER = ("SUCCEEDED", "PARTIAL", "FAILED", "CANCELLED", "STALE", "NEEDS_ATTENTION")
FINAL = OVER[:-1]


@pytest.fixture
def world() -> Settled:
    return Settled()


@pytest.fixture
async def after(tmp_path: Path, world: Settled) -> AsyncIterator[AfterMove]:
    bench = AfterMove(tmp_path / "store.sqlite", world)
    await bench.open()
    yield bench
    await bench.crash()


async def resolved(after: AfterMove, number: int, verdict: str = "") -> str:
    answer = await after.control.resolve(number, await after.world.person("T", ADMIN), verdict)
    return f"{plain(answer.summary)} {text(answer)}"


async def stuck(after: AfterMove, number: int) -> JobRecord:
    record = await after.ended(number, *OVER)
    assert record.state is JobState.NEEDS_ATTENTION, told(record)
    assert "pool two has answered nothing for" in told(record)
    return record


async def closed_without_it(after: AfterMove, number: int) -> str:
    """Closes a job while the pool of the copy is silent, so that nothing holds the guest; what was known then."""
    known = await resolved(after, number)
    assert f"/xen resolve {number} not-done" in known
    with pytest.raises(Refused, match="pool two does not answer"):
        await resolved(after, number, "done")
    await resolved(after, number, "not-done")
    record = await after.store.job(number)
    assert record.state is JobState.FAILED
    await after.store.held_up(record.plan)
    return known


async def asked_again(after: AfterMove, number: int) -> JobRecord:
    """What comes of a job that is asked for again from its card."""
    assert await after.press(number, "ask_again") is None
    again = (await after.store.job(number)).successor
    assert again is not None
    await after.press(again, "confirm")
    await after.press(again, "approve", APPROVER)
    return await after.ended(again, *OVER)


async def test_a_roll_back_that_cannot_remove_the_copy_is_closed_without_its_pool_and_finished_later(
    after: AfterMove, world: Settled
) -> None:
    world.last = "remove c1"
    number = await after.rolled_back()
    record = await stuck(after, number)
    assert plain(record.outcome) == "centos54 runs again on xenserver1"
    assert "Nobody knows whether the copy on xenserver2 is gone: roll back once more when pool two answers" in told(
        record
    )
    assert (world.source, world.copy, world.both) == (ON, OFF, False)
    await closed_without_it(after, number)
    world.silence.clear()
    world.last = ""
    record = await asked_again(after, number)
    assert record.state is JobState.SUCCEEDED, told(record)
    assert (world.source, world.copy, world.both) == (ON, None, False)


async def test_a_roll_back_that_does_not_know_whether_the_copy_is_off_starts_nothing_and_is_not_closed(
    after: AfterMove, world: Settled
) -> None:
    world.lose = "VM.hard_shutdown c1"
    number = await after.rolled_back()

    async def silent() -> bool:
        return THERE in world.silence

    await after.until(silent)
    await after.control.cancel(number, await world.person("T", OPERATOR))
    record = await stuck(after, number)
    assert plain(record.outcome) == "GUEST IS DOWN: centos54 is halted, and its copy on xenserver2 may run"
    for verdict in ("done", "not-done"):
        with pytest.raises(Refused):
            await resolved(after, number, verdict)
    assert (world.source, world.begun) == (OFF, ["VM.hard_shutdown c1"])
    world.silence.clear()
    assert "the job goes on from where it stood" in await resolved(after, number)
    record = await after.ended(number, *FINAL)
    assert record.state is JobState.CANCELLED, told(record)
    assert plain(record.outcome) == "The move of centos54 was not rolled back: its copy runs on xenserver2 as before"
    assert (world.source, world.copy, world.both) == (OFF, ON, False)


async def test_a_retired_source_whose_copy_could_not_be_given_its_start_is_closed_and_retired_once_more(
    after: AfterMove, world: Settled
) -> None:
    world.last = "hand over to c1"
    number = await after.retired()
    record = await stuck(after, number)
    assert "not known: Give the copy on xenserver2 the automatic power-on of the source" in plain(record.outcome)
    assert "The source of centos54 is retired: kept, off, as centos54 (moved to xenserver2, kept" in told(record)
    known = await closed_without_it(after, number)
    assert "The source of centos54 is called centos54 (moved to xenserver2, kept" in known
    assert "Nobody knows what its copy on xenserver2 was given of it: retire it once more" in known
    world.silence.clear()
    world.last = ""
    record = await after.ended(await after.retired(), *OVER)
    assert record.state is JobState.SUCCEEDED, told(record)
    assert world.starts == {"v1": False, "c1": True}
    assert (world.source, world.copy) == (OFF, ON)
    done = await retire.plan(MOVED, after.now, after.facts)
    assert [check.key for check in done.blocked if check.idle] == ["retired"]


async def test_retiring_goes_on_when_a_person_looks_once_the_pool_answers_and_the_rest_is_asked_for_again(
    after: AfterMove, world: Settled
) -> None:
    world.last = "hand over to c1"
    number = await after.retired()
    await stuck(after, number)
    world.silence.clear()
    world.last = ""
    assert "the job goes on from where it stood" in await resolved(after, number)
    record = await after.ended(number, *FINAL)
    assert record.state is JobState.PARTIAL, told(record)
    assert "the copy does not start with its host" in told(record)
    record = await asked_again(after, number)
    assert record.state is JobState.SUCCEEDED, told(record)
    assert world.starts == {"v1": False, "c1": True}
