"""Locks in the store: taken and judged in the transaction that moves the job, whatever was looked at before."""

from __future__ import annotations

import pytest
from job_records import job_of

from bot.domain.audit import Tag
from bot.domain.job import JobEvent, JobState
from bot.domain.plan import LockKey, Plan, Risk, Target
from bot.domain.record import Freeze, JobRecord
from bot.domain.texts import say
from bot.errors import IllegalTransition, Refused
from bot.store import Note, Store
from bot.store.locks import Held
from bot.store.store import silent

NOTE = Note(Tag.JOB_PROPOSED, "T1", "U1")
_S, _E = JobState, JobEvent


def plan(vm: str) -> Plan:
    """Of a guest on the one host."""
    return Plan(
        operation="start",
        pool="p1",
        title=say("Start {vm}", vm=vm),
        targets=(Target("VM", vm, vm),),
        placements=(),
        checks=(),
        risk=Risk.LOW,
        risk_reasons=(),
        steps=(),
        locks=(LockKey("VM", vm, vm), LockKey("host", "h1", "host1")),
    )


async def move(store: Store, number: int, event: JobEvent, expect: JobState, limit: int = 0) -> JobRecord:
    return await store.move(number, event, NOTE, silent, expect=expect, limit=limit)


async def proposed(store: Store, vm: str, mark: str) -> int:
    return (await store.create(job_of(plan(vm), target=mark), NOTE, silent)).number


async def queued(store: Store, vm: str) -> int:
    number = await proposed(store, vm, f"mark of {vm}")
    await move(store, number, _E.QUEUE, _S.PROPOSED)
    return number


async def test_no_more_jobs_than_may_work_at_a_host_start_there_at_once(store: Store) -> None:
    one, other, third = [await queued(store, vm) for vm in ("v1", "v2", "v3")]
    for number in (one, other):
        await move(store, number, _E.START, _S.QUEUED, limit=2)
    with pytest.raises(Refused, match="host1 has enough to do"):
        await move(store, third, _E.START, _S.QUEUED, limit=2)
    assert (await store.job(third)).state is _S.QUEUED
    await move(store, one, _E.SUCCEED, _S.RUNNING)
    assert (await move(store, third, _E.START, _S.QUEUED, limit=2)).state is _S.RUNNING


async def test_nothing_starts_in_a_freeze_that_came_after_the_last_look(store: Store) -> None:
    number = await queued(store, "v1")
    await store.set_freeze(Freeze("U1", 1.0, ""), NOTE)
    with pytest.raises(Refused, match="frozen"):
        await move(store, number, _E.START, _S.QUEUED, limit=3)
    assert (await store.job(number)).state is _S.QUEUED
    await store.set_freeze(None, NOTE)
    assert (await move(store, number, _E.START, _S.QUEUED, limit=3)).state is _S.RUNNING


async def test_a_guest_is_held_until_its_job_is_over_and_as_long_as_a_person_must_look(store: Store) -> None:
    first = await queued(store, "v1")
    second = await proposed(store, "v1", "another mark")
    for event, before, stuck in (
        (_E.START, _S.QUEUED, False),
        (_E.LOSE, _S.RUNNING, True),
    ):
        with pytest.raises(Held, match=f"job {first}"):
            await move(store, second, _E.QUEUE, _S.PROPOSED)
        await move(store, first, event, before, limit=3)
        with pytest.raises(Held) as held:
            await move(store, second, _E.QUEUE, _S.PROPOSED)
        assert (held.value.job, held.value.stuck) == (first, stuck)
    await move(store, first, _E.FAIL, _S.NEEDS_ATTENTION)
    assert (await move(store, second, _E.QUEUE, _S.PROPOSED)).state is _S.QUEUED


async def test_a_job_is_moved_once_from_where_it_was_seen(store: Store) -> None:
    number = await queued(store, "v1")
    await move(store, number, _E.CANCEL, _S.QUEUED)
    with pytest.raises(IllegalTransition):
        await move(store, number, _E.START, _S.QUEUED, limit=3)
    assert (await store.job(number)).state is _S.CANCELLED
