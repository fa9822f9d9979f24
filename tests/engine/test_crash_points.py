"""What must hold when things break between two of the engine's own steps."""

from __future__ import annotations

import asyncio

import msgspec
from engine_bench import ADMIN, OPERATOR, Bench, World

from bot.domain.job import JobState
from bot.domain.message import Message
from bot.domain.plain_text import text_of
from bot.domain.plan import Grade, LockKey, Placement, Plan, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.record import StepRecord
from bot.domain.texts import plain
from bot.errors import DirectorySilent, OutcomeUnknown, StoreError, Unreachable
from bot.store import Store


async def test_a_job_that_crashed_before_its_call_is_checked_again_before_it_is_sent(
    bench: Bench, world: World
) -> None:
    opening = asyncio.Event()
    real = world.open_task

    async def stuck(pool: str, label: str, description: str) -> str:
        opening.set()
        await asyncio.Event().wait()
        return ""

    world.open_task = stuck
    number = await bench.propose()
    await bench.press(number, "confirm")
    await opening.wait()
    await bench.crash()
    world.open_task, world.at = real, "h9"
    world.released.clear()
    await bench.open()
    await bench.control.freeze(await world.person("T", ADMIN), "night")

    async def told() -> bool:
        return any("Frozen" in str(each.message) for each in await bench.store.due() if each.kind == "card")

    await bench.until(told)
    await bench.control.unfreeze(await world.person("T", ADMIN))
    record = await bench.ended(number, "FAILED", "SUCCEEDED")
    assert "centos54 was on host1" in plain(record.outcome)
    assert world.executed == 0


async def test_an_ask_again_that_was_answered_is_not_played_again_at_the_next_start(bench: Bench, world: World) -> None:
    number = await bench.propose()
    world.fails = ("VM_BAD_POWER_STATE", "centos54", "running", "halted")
    await bench.press(number, "confirm")
    await bench.ended(number, "FAILED")
    world.grade = Grade.BLOCKED
    assert isinstance(await bench.press(number, "ask_again"), Message)  # refused in words: that click is over
    await bench.crash()
    world.grade = Grade.OK
    await bench.open()
    for click in await bench.store.unsettled_clicks():  # as Desk.settle_left_behind does at every start
        await bench.decisions.decide(click, number)
    assert [record.number for record in await bench.store.jobs()] == [number]


async def test_a_store_error_in_one_job_does_not_leave_it_unwatched(bench: Bench, world: World) -> None:
    real, broken = bench.store.save_step, []

    async def full_once(step: StepRecord, *args: object, **named: object) -> object:
        if step.task and not broken:
            broken.append(step)
            raise StoreError("The store cannot be written: database or disk is full.")
        return await real(step, *args, **named)

    bench.store.save_step = full_once
    number = await bench.propose()
    await bench.press(number, "confirm")
    await bench.ended(number, "SUCCEEDED")
    assert world.executed == 1


async def test_not_more_jobs_than_a_host_may_have_start_in_one_instant(bench: Bench, world: World) -> None:
    def plan_of(vm: str) -> Plan:
        return msgspec.structs.replace(
            world.plan(),
            targets=(Target("VM", vm, vm),),
            placements=(Placement(vm, "h1", "Running", ()),),
            locks=(LockKey("VM", vm, vm), LockKey("host", "h2", "host2")),
        )

    async def replan(earlier: Plan, _facts: object, _approval: ApprovalSettings, _homes: object) -> Plan:
        await asyncio.sleep(0)
        return plan_of(earlier.targets[0].uuid)

    await bench.crash()
    world.replan = replan
    world.released.clear()
    await bench.open()
    operator = await world.person("T", OPERATOR)
    numbers = []
    for index in range(10):
        _, record = await bench.proposals.propose(plan_of(f"v{index}"), operator, "C1", "")
        assert record is not None
        numbers.append(record.number)
    # Queued together, as an unfreeze or a restart finds them.
    bench.engine.kick, kick = (lambda: None), bench.engine.kick
    bench._running.cancel()
    await asyncio.wait([bench._running])
    for number in numbers:
        await bench.press(number, "confirm")
    bench.engine.kick = kick
    bench._running = asyncio.create_task(bench.engine.run())
    await bench.executed()

    async def settled() -> bool:
        running = await bench.store.in_state(JobState.RUNNING)
        return world.executed == len(running)

    await bench.until(settled)
    running = await bench.store.in_state(JobState.RUNNING)
    assert len(running) <= 3

    async def told() -> bool:
        bench.engine.kick()
        texts = [text_of(one.message) for one in await bench.store.due(100) if one.kind == "card"]
        waits = [text for text in texts if "Waits for a place at host2: at most 3 jobs work there at once, now" in text]
        return len(waits) == len(numbers) - len(running)

    await bench.until(told)


async def test_a_silent_directory_delays_the_start_and_voids_nothing(bench: Bench, world: World) -> None:
    number = await bench.propose()
    await bench.control.freeze(await world.person("T", ADMIN), "")
    await bench.control.unfreeze(await world.person("T", ADMIN))
    real = world.person
    calls = 0

    async def flaky(team: str, user: str) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:  # the click was fine; the look-up at the start meets a Slack that does not answer
            raise DirectorySilent("I cannot look you up in Slack now (TimeoutError), and without that I refuse.")
        return await real(team, user)

    world.person = flaky
    await bench.press(number, "confirm")
    record = await bench.ended(number, "SUCCEEDED", "STALE")
    assert record.state is JobState.SUCCEEDED


async def test_one_store_belongs_to_one_bot(bench: Bench) -> None:
    second = Store(bench.path)
    try:
        await second.open()
    except StoreError:
        return
    await second.close()
    raise AssertionError("two bots may run the same jobs")


async def test_a_crash_after_a_failed_step_still_ends_as_failed(bench: Bench, world: World) -> None:

    async def refuse(*_args: object, **_named: object) -> str:
        raise Unreachable("connection refused")

    world.begin = refuse
    real = bench.store.move
    closing = asyncio.Event()

    async def killed(number: int, event: object, *args: object, **named: object) -> object:
        if getattr(event, "value", "") == "fail":
            closing.set()
            await asyncio.Event().wait()
        return await real(number, event, *args, **named)

    bench.store.move = killed
    number = await bench.propose()
    await bench.press(number, "confirm")
    await closing.wait()
    await bench.crash()
    await bench.open()
    record = await bench.ended(number, "FAILED", "NEEDS_ATTENTION")
    assert record.state is JobState.FAILED


async def test_a_call_that_arrives_late_is_not_sent_a_second_time(bench: Bench, world: World) -> None:
    """The answer timed out while the server had the request but no task yet (a held call, a stalled link)."""
    real, late = world.begin, []

    async def stalled(pool: str, call: object, *, parent: str, job: str) -> str:
        if not late:
            late.append((pool, call, parent, job))
            raise OutcomeUnknown("did not answer in time")
        pool, call, parent, job = late[0]
        await real(pool, call, parent=parent, job=job)  # the first request is carried out now
        return await real(pool, call, parent=parent, job=job)

    world.begin = stalled
    number = await bench.propose()
    await bench.press(number, "confirm")
    await bench.ended(number, "SUCCEEDED", "NEEDS_ATTENTION", "FAILED")
    assert world.executed <= 1


async def test_a_freeze_holds_a_job_whose_pool_went_silent_between_the_last_look_and_the_call(
    bench: Bench, world: World
) -> None:
    real, admin, tried = world.open_task, await world.person("T", ADMIN), []

    async def silent_once(pool: str, label: str, description: str) -> str:
        if tried:
            return await real(pool, label, description)
        tried.append(label)
        await bench.control.freeze(admin, "storage is down")
        raise Unreachable("connection refused")

    world.open_task = silent_once
    number = await bench.propose()
    await bench.press(number, "confirm")

    async def held_or_run() -> bool:
        cards = [parcel for parcel in await bench.store.due() if parcel.kind == "card"]
        hints = [parcel for parcel in cards if "storage is down" in str(parcel.message.parts)]
        return bool(hints) or world.executed > 0

    await bench.until(held_or_run)
    assert world.executed == 0
    await bench.control.unfreeze(admin)
    await bench.ended(number, "SUCCEEDED")
    assert world.executed == 1


async def test_a_freeze_that_comes_while_a_found_job_is_looked_at_again_holds_its_call(
    bench: Bench, world: World
) -> None:
    real, admin, looked = world.replan, await world.person("T", ADMIN), []

    async def slow(*args: object) -> object:
        plan = await real(*args)
        looked.append(plan)
        if len(looked) == 2:  # the look at the start was well; this one is after the pool was silent
            await bench.control.freeze(admin, "storage is down")
        return plan

    async def silent_once(pool: str, label: str, description: str) -> str:
        world.open_task = opens
        raise Unreachable("connection refused")

    opens, world.open_task = world.open_task, silent_once
    await bench.crash()
    world.replan = slow
    await bench.open()
    number = await bench.propose()
    await bench.press(number, "confirm")

    async def held_or_run() -> bool:
        cards = [parcel for parcel in await bench.store.due() if parcel.kind == "card"]
        hints = [parcel for parcel in cards if "storage is down" in str(parcel.message.parts)]
        return bool(hints) or world.executed > 0

    await bench.until(held_or_run)
    assert world.executed == 0
    await bench.control.unfreeze(admin)
    await bench.ended(number, "SUCCEEDED")
