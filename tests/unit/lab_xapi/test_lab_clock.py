"""Simulated time: it runs, changes its speed, stands still, and moves when it is told to."""

import asyncio

from bot.lab.xapi.clock import Clock, Signal


async def test_time_that_stands_still_wakes_nobody_until_it_is_advanced() -> None:
    clock = Clock(1000.0, running=False)
    sleeping = asyncio.create_task(clock.sleep(60))
    await asyncio.wait({sleeping}, timeout=0.1)  # at this speed 100 seconds, if time ran
    assert not sleeping.done()
    await clock.advance(59.9)
    assert not sleeping.done()
    await clock.advance(0.1)
    assert sleeping.done()
    assert clock.elapsed == 60.0


async def test_sleepers_wake_in_order_and_see_their_own_time() -> None:
    clock, seen = Clock(1.0, running=False), []

    async def tick(name: str, period: float, times: int) -> None:
        for _ in range(times):
            await clock.sleep(period)
            seen.append((name, clock.elapsed))

    ticking = [asyncio.create_task(tick("slow", 30.0, 3)), asyncio.create_task(tick("fast", 20.0, 4))]
    await clock.advance(100.0)
    assert seen == [
        ("fast", 20.0),
        ("slow", 30.0),
        ("fast", 40.0),
        ("slow", 60.0),
        ("fast", 60.0),
        ("fast", 80.0),
        ("slow", 90.0),
    ]
    assert all(one.done() for one in ticking)
    assert clock.elapsed == 100.0


async def test_a_clock_that_runs_can_be_advanced_as_well() -> None:
    clock = Clock(0.001)
    sleeping = asyncio.create_task(clock.sleep(3600))
    await asyncio.sleep(0)  # it begins
    await clock.advance(3600)
    assert sleeping.done()


async def test_a_clock_runs_again_after_it_was_stopped() -> None:
    clock = Clock(1000.0)
    clock.stop()
    sleeping = asyncio.create_task(clock.sleep(10))
    await clock.advance(5)
    clock.run()
    await asyncio.wait_for(sleeping, 60)


async def test_waiting_for_a_change_ends_with_the_change_or_after_its_time() -> None:
    clock, signal = Clock(1.0, running=False), Signal()
    told, late = (asyncio.create_task(clock.wait(signal, seconds)) for seconds in (20.0, 5.0))
    await clock.advance(10)
    assert late.done()
    assert late.result() is False
    signal.fire()
    assert await asyncio.wait_for(told, 60) is True


async def test_work_that_was_cancelled_does_not_hold_time_up() -> None:
    clock = Clock(1.0, running=False)
    sleeping = asyncio.create_task(clock.sleep(5))
    await asyncio.sleep(0)
    sleeping.cancel()
    await clock.advance(10)
    assert sleeping.cancelled()
    assert clock.elapsed == 10.0
