"""The time of the workplace: every deadline Slack keeps (acks, retries, triggers, response URLs, rates) asks here.

Deadlines are absolute, so a test that moves its clock before a waiter went to sleep still wakes that waiter.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Awaitable
from typing import Any


class Clock:
    """Unix seconds that run with real time until somebody holds them, and then move only when told to.

    A step of the wall clock does not disturb it, and it never goes back.

    Args:
        held_at: Where the clock stands still from the start; None lets it run from now.
    """

    def __init__(self, held_at: float | None = None) -> None:
        self._held_at = held_at
        # What to add to the monotonic clock while running.
        self._offset = time.time() - time.monotonic()
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._came = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None

    def now(self) -> float:
        """Return the current time in Unix seconds."""
        return self._offset + time.monotonic() if self._held_at is None else self._held_at

    @property
    def is_held(self) -> bool:
        """Whether the clock stands still."""
        return self._held_at is not None

    async def sleep_until(self, when: float) -> None:
        """Return once ``now()`` has reached ``when``, at once if it has."""
        if when <= self.now():
            return
        alarm: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (when, next(self._order), alarm))
        came, self._came = self._came, asyncio.Event()
        came.set()
        self._set_alarm()
        await alarm

    async def wait_for_sleepers(self, count: int) -> None:
        """Return once at least ``count`` waiters sleep on this clock."""
        while sum(not alarm.done() for _, _, alarm in self._sleepers) < count:
            await self._came.wait()

    def hold(self) -> None:
        """Stand still from now on."""
        self._held_at = self.now()
        self._set_alarm()

    def release(self) -> None:
        """Run with real time again, from where the clock stands."""
        self._offset = self.now() - time.monotonic()
        self._held_at = None
        self._set_alarm()

    async def advance(self, seconds: float) -> None:
        """Move on by ``seconds``, waking each sleeper at its own moment and letting it run; held or not."""
        was_held = self.is_held
        self.hold()
        target = self.now() + seconds
        while self._sleepers and self._sleepers[0][0] <= target:
            when, _, alarm = heapq.heappop(self._sleepers)
            self._held_at = max(self.now(), when)
            if not alarm.done():
                alarm.set_result(None)
                await asyncio.sleep(0)
        self._held_at = target
        if not was_held:
            self.release()
        await asyncio.sleep(0)

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        # Waiters that gave up would only wake the loop for nothing.
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        if self._sleepers and not self.is_held:
            delay_s = max(0.0, self._sleepers[0][0] - self.now())
            self._alarm = asyncio.get_running_loop().call_later(delay_s, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        while self._sleepers and self._sleepers[0][0] <= self.now():
            _, _, alarm = heapq.heappop(self._sleepers)
            if not alarm.done():
                alarm.set_result(None)
        self._set_alarm()


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
