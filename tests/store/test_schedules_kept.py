"""A run of a schedule and its jobs are one transaction; whatever happens meanwhile, none is begun twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from job_records import job_of

from bot.domain.audit import Tag
from bot.domain.job import JobEvent, JobState
from bot.domain.plan import Plan, Risk, Target
from bot.domain.record import JobRecord
from bot.domain.recurrence import read
from bot.domain.schedule import Covered, Schedule, ScheduleState
from bot.domain.texts import say
from bot.errors import Refused
from bot.store import Note, Store

NOTE = Note(Tag.SCHEDULE_RUN, "T1", "schedule:1")
PLAN = Plan(
    operation="backup",
    pool="p-1",
    title=say("Back up web"),
    targets=(Target("VM", "vm-1", "web"),),
    placements=(),
    checks=(),
    risk=Risk.LOW,
    risk_reasons=(),
    steps=(),
    locks=(),
)


def job(target: str) -> JobRecord:
    return job_of(PLAN, requester="schedule:1", target=target, created_at=1000.0, updated_at=1000.0, expires_at=2000.0)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(tmp_path / "xenbot.sqlite", lambda: 1000.0)
    await store.open()
    yield store
    await store.close()


async def made(store: Store) -> Schedule:
    approved = await store.create(job("approved"), NOTE, lambda _job: ())
    rule = read("daily 02:00", "UTC")
    one = Schedule(0, "mark", Covered(vm="vm-1", name="web"), rule, "", "U1", "T1", "C1", approved.number, 900.0, 950.0)
    return await store.add_schedule(one, NOTE)


async def test_a_mark_stands_for_one_schedule_however_often_its_job_is_carried_out(store: Store) -> None:
    first = await made(store)
    again = await store.add_schedule(msgspec.structs.replace(first, number=0), NOTE)
    assert again == first
    assert await store.schedules() == [first]
    assert await store.marked_schedule("other") is None


async def test_a_run_is_begun_once_with_its_jobs_and_the_time_of_the_next(store: Store) -> None:
    one = await made(store)
    begun = await store.begin_run(one, 2000.0, [job("a"), job("b")], (say("winxp was left out"),), NOTE)
    assert begun is not None
    # Another look at the same moment has the schedule as it was before: it begins nothing.
    assert await store.begin_run(one, 2000.0, [job("c")], (), NOTE) is None
    now = await store.schedule(one.number)
    assert (now.next_run, now.last_jobs) == (2000.0, tuple(record.number for record in begun))
    assert [record.target for record in await store.jobs_of("schedule:1", 0.0)] == ["approved", "a", "b"]


async def test_a_job_that_ends_after_the_summary_of_its_day_is_in_that_of_the_next(store: Store) -> None:
    one = await made(store)
    begun = await store.begin_run(one, 2000.0, [job("long")], (), NOTE)
    assert begun is not None

    async def found(since: float) -> list[str]:
        return [record.target for record in await store.jobs_of("schedule:1", since) if record.target == "long"]

    assert await found(1500.0) == ["long"], "it is under way when that day is summed up"
    ended = {"finished_at": 1800.0}
    await store.move(begun[0].number, JobEvent.WITHDRAW, NOTE, lambda _job: (), expect=JobState.PROPOSED, changes=ended)
    assert await found(1500.0) == ["long"]
    assert await found(1900.0) == []


async def test_one_that_was_paused_or_removed_meanwhile_does_not_run(store: Store) -> None:
    one = await made(store)
    await store.set_schedule(one.number, ScheduleState.PAUSED, NOTE, next_run=3000.0)
    assert await store.begin_run(one, 2000.0, [job("a")], (), NOTE) is None
    with pytest.raises(Refused, match="paused already"):
        await store.set_schedule(one.number, ScheduleState.PAUSED, NOTE, next_run=3000.0)
    await store.set_schedule(one.number, ScheduleState.REMOVED, NOTE, next_run=3000.0)
    with pytest.raises(Refused, match="removed already"):
        await store.set_schedule(one.number, ScheduleState.ACTIVE, NOTE, next_run=3000.0)
    assert await store.schedules() == []
    assert len(await store.schedules(removed=True)) == 1


async def test_a_summary_is_told_once(store: Store) -> None:
    since = await store.since_last("summed")
    assert since == 1000.0
    store.clock = lambda: 5000.0
    await store.summed("summed", since, ())
    assert await store.since_last("summed") == 5000.0
    await store.summed("summed", since, ())
    assert await store.since_last("summed") == 5000.0
