import asyncio

import pytest
from xen_lab import (
    arm,
    calls,
    executions,
    following,
    guest,
    loaded,
    migrate,
    open_sessions,
    pool_settings,
    settled,
    until,
)

from bot.domain.calls import Call, Options, Ref
from bot.errors import OutcomeUnknown, Unreachable, XapiFailure
from bot.lab.xapi import Datacentre
from bot.operations.ports import TaskStatus, TaskView
from bot.xen import Pools

MIGRATE = "Async.VM.pool_migrate"


@pytest.fixture
def pool(pools: Pools) -> str:
    found = pools.pools()[0].pool
    assert found is not None
    return found.uuid


async def finished(pools: Pools, pool: str, handle: str) -> TaskView:
    seen: TaskView | None = None
    async with asyncio.timeout(60):
        while True:
            seen = await pools.wait(pool, handle, seen=seen, at_most_s=10)
            assert seen is not None
            if seen.status not in {TaskStatus.PENDING, TaskStatus.CANCELLING}:
                return seen


async def test_a_migration_is_a_marked_child_of_our_task_and_ends_at_the_target(
    lab: Datacentre, pools: Pools, pool: str
) -> None:
    target = pools.host("xenserver3").uuid
    parent = await pools.open_task(pool, "xenbot job 7", "Migrate centos54")
    handle = await pools.begin(pool, migrate(pools, "centos54", "xenserver3"), parent=parent, job="7")
    children = await pools.children(pool, parent)
    assert children is not None
    assert [(child.handle, child.label) for child in children] == [(handle, MIGRATE)]
    done = await finished(pools, pool, handle)
    assert (done.status, done.error) == (TaskStatus.SUCCESS, ())
    where = await pools.whereabouts(pool, pools.vm("centos54").uuid)
    assert (where.host, where.operations, where.power_state) == (target, (), "Running")
    await until(pools, lambda: pools.vm("centos54").host == target)
    await pools.close_task(pool, handle)
    await pools.close_task(pool, parent)
    await pools.close_task(pool, parent)
    assert await pools.task(pool, parent) is None
    assert await pools.children(pool, parent) is None
    assert lab.state()["tasks"] == []


async def test_a_label_is_found_by_its_nonce_and_nothing_else_is(lab: Datacentre, pools: Pools, pool: str) -> None:
    parent = await pools.open_task(pool, 'xenbot job 7: Migrate "a" or true · 1f3a', "")
    await pools.open_task(pool, "xenbot job 8: Migrate b · 2e4b", "")
    await lab.do({"do": "hold_tasks"})
    await pools.begin(pool, migrate(pools, "centos54", "xenserver3"), parent=parent, job="7")
    assert await pools.labelled(pool, "1f3a") == (parent,)
    assert await pools.labelled(pool, "ffff") == ()
    assert await pools.labelled(pool, "") == ()


async def test_waiting_is_woken_by_the_feed(
    lab: Datacentre, pools: Pools, pool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = await pools.open_task(pool, "xenbot job", "")
    await lab.do({"do": "hold_tasks"})
    handle = await pools.begin(pool, migrate(pools, "centos54", "xenserver3"), parent=parent, job="1")
    seen = await pools.task(pool, handle)
    while seen is not None and not seen.can_cancel:
        seen = await pools.wait(pool, handle, seen=seen, at_most_s=5)
    # It would look again by itself only in an hour.
    monkeypatch.setattr("bot.xen.tasks.POLL_AT_LEAST_EVERY_S", 3600.0)
    waiting = asyncio.create_task(pools.wait(pool, handle, seen=seen, at_most_s=3600))
    await lab.do({"do": "release_tasks"})
    async with asyncio.timeout(60):
        assert await waiting != seen


async def test_a_wait_ends_when_its_time_is_over(lab: Datacentre, pools: Pools, pool: str) -> None:
    parent = await pools.open_task(pool, "xenbot job", "")
    seen = await pools.task(pool, parent)
    async with asyncio.timeout(60):
        assert await pools.wait(pool, parent, seen=seen, at_most_s=0.05) == seen


@pytest.mark.parametrize(("when", "expected"), [("before", 0), ("after", 1)])
async def test_a_lost_answer_is_unknown_and_nothing_is_sent_twice(
    lab: Datacentre, pools: Pools, pool: str, when: str, expected: int
) -> None:
    parent = await pools.open_task(pool, "xenbot job", "")
    await arm(lab, MIGRATE, "drop", when, times=9)
    with pytest.raises(OutcomeUnknown):
        await pools.begin(pool, migrate(pools, "centos54", "xenserver3"), parent=parent, job="1")
    assert [fault["left"] for fault in lab.state()["faults"]] == [8], "it was sent once"
    assert executions(lab, MIGRATE) == expected
    children = await pools.children(pool, parent)
    assert children is not None
    assert [child.label for child in children] == [MIGRATE] * expected


@pytest.mark.parametrize(("when", "expected"), [("before", 0), ("after", 1)])
async def test_a_lost_parent_task_is_unknown_too(
    lab: Datacentre, pools: Pools, pool: str, when: str, expected: int
) -> None:
    await arm(lab, "task.create", "drop", when, times=9)
    with pytest.raises(OutcomeUnknown):
        await pools.open_task(pool, "xenbot job", "")
    assert [fault["left"] for fault in lab.state()["faults"]] == [8], "it was sent once"
    assert executions(lab, "xenbot job") == expected


async def test_a_call_that_could_not_be_sent_is_unreachable_and_not_done(
    lab: Datacentre, pools: Pools, pool: str
) -> None:
    parent = await pools.open_task(pool, "xenbot job", "")
    call = migrate(pools, "centos54", "xenserver3")
    await lab.do({"do": "kill_host", "host": "xenserver1"})
    with pytest.raises(Unreachable, match=r"not sent|could not be asked"):
        await pools.begin(pool, call, parent=parent, job="1")
    assert calls(lab, MIGRATE) == []


async def test_a_refused_session_is_renewed_and_the_call_done_once(lab: Datacentre, pools: Pools, pool: str) -> None:
    parent = await pools.open_task(pool, "xenbot job", "")
    await lab.do({"do": "expire_sessions"})
    handle = await pools.begin(pool, migrate(pools, "centos54", "xenserver3"), parent=parent, job="1")
    assert (await finished(pools, pool, handle)).status is TaskStatus.SUCCESS
    assert executions(lab, MIGRATE) == 1


async def test_a_call_that_is_refused_at_once_tells_why(lab: Datacentre, pools: Pools, pool: str) -> None:
    parent = await pools.open_task(pool, "xenbot job", "")
    await arm(lab, MIGRATE, "fail", error=["HOST_STILL_BOOTING"])
    with pytest.raises(Unreachable, match="HOST_STILL_BOOTING"):
        await pools.begin(pool, migrate(pools, "centos54", "xenserver3"), parent=parent, job="1")
    bad = Call("VM.pool_migrate", (Ref("VM", pools.vm("centos54").uuid),))
    with pytest.raises(XapiFailure) as caught:
        await pools.begin(pool, bad, parent=parent, job="1")
    assert caught.value.code == "MESSAGE_PARAMETER_COUNT_MISMATCH"
    gone = Call("VM.pool_migrate", (Ref("VM", "no-such-uuid"), Ref("host", "none"), Options({})))
    with pytest.raises(XapiFailure) as caught:
        await pools.begin(pool, gone, parent=parent, job="1")
    assert caught.value.code == "UUID_INVALID"
    assert executions(lab, MIGRATE) == 0


async def test_a_failed_task_names_what_it_is_about(lab: Datacentre, pools: Pools, pool: str) -> None:
    parent = await pools.open_task(pool, "xenbot job", "")
    handle = await pools.begin(pool, migrate(pools, "web-local", "xenserver3"), parent=parent, job="1")
    done = await finished(pools, pool, handle)
    assert done.status is TaskStatus.FAILURE
    assert done.error == ("VM_REQUIRES_SR", "web-local", "Local storage")
    assert guest(lab, "web-local")["host"] == pools.host("xenserver1").uuid


async def test_a_migration_can_be_stopped_and_stopping_twice_is_harmless(
    lab: Datacentre, pools: Pools, pool: str
) -> None:
    parent = await pools.open_task(pool, "xenbot job", "")
    await lab.do({"do": "pause_tasks", "at": 0.4})
    handle = await pools.begin(pool, migrate(pools, "centos54", "xenserver3"), parent=parent, job="1")
    await settled(lab, lambda state: any(task["progress"] > 0.2 for task in state["tasks"]))
    # The work notices a moment after it was asked: slowly enough to be asked twice.
    await lab.do({"do": "set_speed", "speed": 0.1})
    assert await pools.cancel(pool, handle)
    assert await pools.cancel(pool, handle)
    await lab.do({"do": "set_speed", "speed": 50})
    done = await finished(pools, pool, handle)
    assert (done.status, done.error) == (TaskStatus.CANCELLED, ())
    assert not await pools.cancel(pool, handle)
    assert (await pools.whereabouts(pool, pools.vm("centos54").uuid)).host == pools.host("xenserver1").uuid


async def test_a_running_child_is_never_closed_as_done(lab: Datacentre, pools: Pools, pool: str) -> None:
    parent = await pools.open_task(pool, "xenbot job", "")
    await lab.do({"do": "hold_tasks"})
    handle = await pools.begin(pool, migrate(pools, "centos54", "xenserver3"), parent=parent, job="1")
    await pools.close_task(pool, handle)
    seen = await pools.task(pool, handle)
    assert seen is not None
    assert seen.status is TaskStatus.PENDING


async def test_tasks_vanish_with_the_coordinator_and_say_so(lab: Datacentre, pools: Pools, pool: str) -> None:
    parent = await pools.open_task(pool, "xenbot job", "")
    await lab.do({"do": "hold_tasks"})
    handle = await pools.begin(pool, migrate(pools, "centos54", "xenserver3"), parent=parent, job="1")
    await lab.do({"do": "move_coordinator", "host": "xenserver3"})
    await until(pools, lambda: pools.host("xenserver3").coordinator)
    assert await pools.task(pool, handle) is None
    assert await pools.children(pool, parent) is None
    assert not await pools.cancel(pool, handle)
    await lab.do({"do": "release_tasks"})
    target = pools.host("xenserver3").uuid
    await until(pools, lambda: pools.vm("centos54").host == target)


async def test_a_session_that_owns_a_running_migration_is_left_open(lab: Datacentre) -> None:
    settings = pool_settings(lab, "xenserver1", "xenserver3", name="experiment")
    async with following(settings) as pools:
        await loaded(pools)
        pool = pools.pools()[0].pool
        assert pool is not None
        parent = await pools.open_task(pool.uuid, "xenbot job", "")
        await lab.do({"do": "hold_tasks"})
        handle = await pools.begin(pool.uuid, migrate(pools, "centos54", "xenserver3"), parent=parent, job="1")
    assert open_sessions(lab) >= 1
    await lab.do({"do": "release_tasks"})
    async with following(settings) as again:
        await loaded(again)
        assert (await finished(again, pool.uuid, handle)).status is TaskStatus.SUCCESS


async def test_a_call_follows_the_coordinator_and_is_done_once(lab: Datacentre, pools: Pools, pool: str) -> None:
    """The sessions of every thread are still with the old coordinator, which refuses them before it looks at a call."""
    await asyncio.gather(*(pools.open_task(pool, "warm up", "") for _ in range(8)))
    await lab.do({"do": "move_coordinator", "host": "xenserver3"})
    await until(pools, lambda: pools.host("xenserver3").coordinator)
    parent = await pools.open_task(pool, "xenbot job", "")
    handle = await pools.begin(pool, migrate(pools, "centos54", "xenserver3"), parent=parent, job="1")
    assert (await finished(pools, pool, handle)).status is TaskStatus.SUCCESS
    assert executions(lab, MIGRATE) == 1
    assert executions(lab, "xenbot job") == 1
