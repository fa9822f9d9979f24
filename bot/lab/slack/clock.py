"""The time of the workplace: every deadline Slack keeps (acks, retries, triggers, response URLs, rates) asks here.

Deadlines are absolute, so a test that moves its clock before a waiter went to sleep still wakes that waiter.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Awaitable
from typing import Any, Protocol


class Clock(Protocol):
    """Seconds since 1970 and a way to wait for one."""

    def now(self) -> float:
        """Return the current time in Unix seconds; it never goes back."""
        ...

    async def sleep_until(self, when: float) -> None:
        """Return once ``now()`` has reached ``when``, at once if it has."""
        ...


class LoopClock:
    """Real time; a step of the wall clock does not disturb it."""

    def __init__(self) -> None:
        self._start = time.time() - time.monotonic()

    def now(self) -> float:
        """Return Unix seconds, counted with the monotonic clock."""
        return self._start + time.monotonic()

    async def sleep_until(self, when: float) -> None:
        """Sleep for real."""
        await asyncio.sleep(max(0.0, when - self.now()))


class ManualClock:
    """A clock that stands still until its owner moves it."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._came = asyncio.Event()

    def now(self) -> float:
        """Return the time the owner set."""
        return self._now

    async def sleep_until(self, when: float) -> None:
        """Wait for the owner to move the clock past ``when``."""
        if when <= self._now:
            return
        alarm: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (when, next(self._order), alarm))
        came, self._came = self._came, asyncio.Event()
        came.set()
        await alarm

    async def wait_for_sleepers(self, count: int) -> None:
        """Return once at least ``count`` waiters sleep on this clock."""
        while sum(not alarm.done() for _, _, alarm in self._sleepers) < count:
            await self._came.wait()

    async def advance(self, seconds: float) -> None:
        """Move on by ``seconds``, waking each sleeper at its own moment and letting it run."""
        target = self._now + seconds
        while self._sleepers and self._sleepers[0][0] <= target:
            when, _, alarm = heapq.heappop(self._sleepers)
            self._now = max(self._now, when)
            if not alarm.done():
                alarm.set_result(None)
                await asyncio.sleep(0)
        self._now = target
        await asyncio.sleep(0)


async def wait_until(clock: Clock, work: Awaitable[Any], deadline: float) -> bool:
    """Wait for ``work`` until ``deadline``; return whether it is done. The work itself is never cancelled."""
    future = asyncio.ensure_future(work)
    if not future.done():
        alarm = asyncio.ensure_future(clock.sleep_until(deadline))
        try:
            await asyncio.wait({future, alarm}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
    return future.done()
