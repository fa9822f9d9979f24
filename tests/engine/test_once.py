"""A job runs once, and its end is what was looked at, whatever is lost on the way."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from engine_bench import ADMIN, APPROVER, OPERATOR, SECOND, Bench, World

from bot.domain.inventory import PowerState
from bot.domain.job import JobState
from bot.domain.plan import Grade, Risk
from bot.domain.policy import Role
from bot.domain.texts import plain
from bot.errors import NotAllowed, Refused, UserError
from bot.jobs.claims import Answered


async def test_a_confirmed_job_runs_and_reports_what_was_seen(bench: Bench, world: World) -> None:
    number = await bench.propose()
    await bench.press(number, "confirm")
    record = await bench.ended(number, "SUCCEEDED")
    assert world.executed == 1
    assert plain(record.outcome) == "centos54 now runs on host2"

    async def tidied() -> bool:
        return {"parent0", "task1"} <= set(world.closed)

    await bench.until(tidied)
    assert (await bench.store.verify_audit())[2] is None


@pytest.mark.parametrize("lost", ["before", "after"])
async def test_a_lost_answer_leads_to_exactly_one_execution(bench: Bench, world: World, lost: str) -> None:
    world.lose = lost
    number = await bench.propose()
    await bench.press(number, "confirm")
    await bench.ended(number, "SUCCEEDED")
    assert world.executed == 1


async def test_a_lost_answer_without_the_parent_task_is_never_sent_again(bench: Bench, world: World) -> None:
    async def restarted(pool: str, parent: str) -> None:
        return None

    world.lose, world.children = "before", restarted
    number = await bench.propose()
    await bench.press(number, "confirm")
    record = await bench.ended(number, "NEEDS_ATTENTION")
    assert world.executed == 0
    assert "lost sight" in plain(record.outcome)


async def test_a_crash_in_the_middle_adopts_the_task(bench: Bench, world: World) -> None:
    world.released.clear()
    number = await bench.propose()
    await bench.press(number, "confirm")

    async def sent() -> bool:
        return bool((await bench.store.job(number)).steps[0].task)

    await bench.until(sent)
    await bench.crash()
    world.released.set()
    await bench.open()
    await bench.ended(number, "SUCCEEDED")
    assert world.executed == 1


async def test_a_vanished_task_is_judged_by_the_guest(bench: Bench, world: World) -> None:
    world.released.clear()
    number = await bench.propose()
    await bench.press(number, "confirm")
    await bench.executed()
    world.finish("task1")
    world.tasks.clear()
    record = await bench.ended(number, "SUCCEEDED")
    assert plain(record.outcome) == "centos54 now runs on host2"


async def test_a_failed_task_with_the_guest_halted_says_so_first(bench: Bench, world: World) -> None:
    world.fails = ("VM_SUSPEND_TIMEOUT", "centos54", "60")
    world.released.clear()
    number = await bench.propose()
    await bench.press(number, "confirm")
    await bench.executed()
    world.power = PowerState.HALTED
    world.released.set()
    record = await bench.ended(number, "FAILED")
    assert plain(record.outcome) == "centos54 is halted"


async def test_cancel_stops_the_task_and_says_where_the_guest_is(bench: Bench, world: World) -> None:
    world.released.clear()
    number = await bench.propose()
    await bench.press(number, "confirm")
    await bench.executed()
    await bench.control.cancel(number, await world.person("T", OPERATOR))
    record = await bench.ended(number, "CANCELLED")
    assert "still runs on host1" in plain(record.outcome)


async def test_a_guest_that_moved_meanwhile_makes_the_job_stale(bench: Bench, world: World) -> None:
    world.risk = Risk.HIGH
    number = await bench.propose()
    await bench.press(number, "confirm")
    world.at = "h9"
    await bench.press(number, "approve", APPROVER)
    record = await bench.ended(number, "STALE")
    assert "centos54 was on host1, now it is on h9" in plain(record.drifted[0])
    assert world.executed == 0


async def test_a_check_that_got_worse_makes_the_job_stale(bench: Bench, world: World) -> None:
    number = await bench.propose()
    world.grade = Grade.BLOCKED
    await bench.press(number, "confirm")
    await bench.ended(number, "STALE")
    assert world.executed == 0


async def test_an_approver_who_lost_the_role_does_not_count_at_the_start(bench: Bench, world: World) -> None:
    world.risk = Risk.HIGH
    await bench.control.freeze(await world.person("T", ADMIN), "quiet night")
    number = await bench.propose()
    await bench.control.unfreeze(await world.person("T", ADMIN))
    await bench.press(number, "confirm")
    await bench.control.freeze(await world.person("T", ADMIN), "quiet night")
    await bench.press(number, "approve", APPROVER)
    world.roles[APPROVER] = frozenset({Role.VIEWER})
    await bench.control.unfreeze(await world.person("T", ADMIN))
    await bench.ended(number, "STALE")
    assert world.executed == 0


async def test_the_requester_cannot_approve(bench: Bench, world: World) -> None:
    world.risk = Risk.HIGH
    number = await bench.propose(APPROVER)
    await bench.press(number, "confirm", APPROVER)
    with pytest.raises(NotAllowed, match="someone else has to approve"):
        await bench.press(number, "approve", APPROVER)
    await bench.press(number, "approve", SECOND)
    await bench.ended(number, "SUCCEEDED")


async def test_two_approvers_in_the_same_instant_start_one_job_once(bench: Bench, world: World) -> None:
    world.risk = Risk.HIGH
    number = await bench.propose()
    await bench.press(number, "confirm")
    results = await asyncio.gather(
        bench.press(number, "approve", APPROVER), bench.press(number, "approve", SECOND), return_exceptions=True
    )
    assert sum(isinstance(result, UserError) for result in results) == 1
    record = await bench.ended(number, "SUCCEEDED")
    assert len(record.approved_by) == 1
    assert world.executed == 1


async def test_two_needed_approvals_in_the_same_instant_both_count(bench: Bench, world: World) -> None:
    world.risk = Risk.CRITICAL
    number = await bench.propose()
    await bench.press(number, "confirm")
    await asyncio.gather(bench.press(number, "approve", APPROVER), bench.press(number, "approve", SECOND))
    record = await bench.ended(number, "SUCCEEDED")
    assert len(record.approved_by) == 2


async def test_a_double_click_counts_once(bench: Bench, world: World) -> None:
    number = await bench.propose()
    results = await asyncio.gather(
        bench.press(number, "confirm"), bench.press(number, "confirm"), return_exceptions=True
    )
    assert sum(isinstance(result, UserError) for result in results) == 1
    await bench.ended(number, "SUCCEEDED")
    assert world.executed == 1


async def test_a_second_job_for_a_busy_guest_is_refused_with_its_holder(bench: Bench, world: World) -> None:
    world.released.clear()
    first = await bench.propose()
    await bench.press(first, "confirm")
    await bench.executed()
    world.risk = Risk.MEDIUM
    world.at = "h3"
    second = await bench.propose()
    with pytest.raises(Answered, match=f"busy with job {first}"):
        await bench.press(second, "confirm")
    world.at = "h1"
    world.released.set()
    await bench.ended(first, "SUCCEEDED")


async def test_a_request_nobody_can_approve_is_refused_at_once(bench: Bench, world: World) -> None:
    world.risk = Risk.CRITICAL
    del world.roles[SECOND]
    with pytest.raises(
        Refused, match="2 people with the approver role must approve it besides you, and only 1 other has it"
    ):
        await bench.propose()


async def test_an_expired_request_is_not_called_denied(bench: Bench, world: World) -> None:
    number = await bench.propose()
    bench.now += 3601
    record = await bench.ended(number, "EXPIRED")
    assert record.state is JobState.EXPIRED
    with contextlib.suppress(UserError):
        await bench.press(number, "confirm")
    assert world.executed == 0


async def test_a_silent_pool_delays_the_start_and_nothing_else(bench: Bench, world: World) -> None:
    number = await bench.propose()
    world.silent = True
    await bench.press(number, "confirm")

    async def told() -> bool:
        return any("does not answer" in str(parcel.message) for parcel in await bench.store.due())

    await bench.until(told)
    assert (await bench.store.job(number)).state is JobState.QUEUED
    world.silent = False
    await bench.ended(number, "SUCCEEDED")
    assert world.executed == 1


async def test_deny_ends_a_request_and_frees_nobody_else(bench: Bench, world: World) -> None:
    world.risk = Risk.HIGH
    number = await bench.propose()
    await bench.press(number, "confirm")
    with pytest.raises(NotAllowed):
        await bench.press(number, "deny", ADMIN)
    await bench.press(number, "deny", SECOND)
    record = await bench.ended(number, "DENIED")
    assert record.decisions[-1].person == SECOND
    with pytest.raises(UserError, match="denied already"):
        await bench.press(number, "approve", APPROVER)
    assert world.executed == 0


async def test_withdraw_is_for_the_requester_and_admins(bench: Bench, world: World) -> None:
    number = await bench.propose()
    with pytest.raises(NotAllowed, match="Only the person who asked"):
        await bench.press(number, "withdraw", APPROVER)
    await bench.press(number, "withdraw", ADMIN)
    await bench.ended(number, "WITHDRAWN")


async def test_only_the_requester_confirms(bench: Bench, world: World) -> None:
    number = await bench.propose()
    with pytest.raises(NotAllowed, match="Only the person who asked"):
        await bench.press(number, "confirm", APPROVER)
    assert (await bench.store.job(number)).state is JobState.PROPOSED


async def test_ask_again_makes_one_new_request_however_often_it_is_pressed(bench: Bench, world: World) -> None:
    number = await bench.propose()
    bench.now += 3601
    await bench.ended(number, "EXPIRED")
    results = await asyncio.gather(
        bench.press(number, "ask_again"), bench.press(number, "ask_again"), return_exceptions=True
    )
    assert sum(isinstance(result, UserError) for result in results) == 1
    assert (await bench.store.job(number)).successor == number + 1
    assert len(await bench.store.jobs()) == 2
    with pytest.raises(UserError, match="expired"):
        await bench.press(number, "confirm")


async def test_a_job_that_was_lost_sight_of_is_closed_by_an_admin_who_looks(bench: Bench, world: World) -> None:
    async def restarted(pool: str, parent: str) -> None:
        return None

    world.lose, world.children = "before", restarted
    number = await bench.propose()
    await bench.press(number, "confirm")
    await bench.ended(number, "NEEDS_ATTENTION")
    with pytest.raises(NotAllowed):
        await bench.control.resolve(number, await world.person("T", OPERATOR), "done")
    admin = await world.person("T", ADMIN)
    with pytest.raises(Refused, match="shows otherwise"):
        await bench.control.resolve(number, admin, "done")
    await bench.control.resolve(number, admin, "not-done")
    record = await bench.ended(number, "FAILED")
    assert plain(record.outcome) == "centos54 still runs on host1"


async def test_what_is_asked_for_twice_at_once_becomes_one_job(bench: Bench, world: World) -> None:
    person = await world.person("T", OPERATOR)
    both = await asyncio.gather(*(bench.proposals.propose(world.plan(), person, "C1", "") for _ in range(2)))
    assert [record.number for _, record in both if record is not None] == [1]
    (told,) = [answer for answer, _ in both if answer is not None]
    assert plain(told.summary).startswith("Job 1 asks for that already")
    assert len(await bench.store.jobs()) == 1
