"""Simulated time: how long work takes, and who waits for what.

Work sleeps in simulated seconds. Time runs `speed` times as fast as the real one, or stands still and moves only
when it is told to. Nothing here polls.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from bot.lab.xapi.values import Date

# Between two sleeps simulated work waits for nothing but other work, so it is at rest when nobody has begun or ended
# a sleep for so many rounds of the event loop.
_ROUNDS_AT_REST: Final = 12


class Signal:
    """Wakes everybody who waits for the next change."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def fire(self) -> None:
        """Wakes all who wait now."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    @contextmanager
    def watching(self) -> Iterator[asyncio.Future[None]]:
        """Gives a future for the next change after this moment, forgotten at the end."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            yield waiter
        finally:
            self._waiters.discard(waiter)

    async def wait(self, timeout_s: float | None = None) -> bool:
        """Waits for the next change; returns False when there was none within `timeout_s` real seconds."""
        with self.watching() as waiter:
            done, _ = await asyncio.wait({waiter}, timeout=timeout_s)
            return bool(done)


class Clock:
    """Simulated time.

    Args:
        speed: Simulated seconds per real second while time runs.
        running: False for time that stands still until `advance`.
    """

    def __init__(self, speed: float, *, running: bool = True) -> None:
        self._speed = speed
        self._running = running
        self._elapsed = 0.0
        self._since = time.monotonic()
        self._dated = time.time()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._moves = 0
        self._timer: asyncio.TimerHandle | None = None
        self._advancing = asyncio.Lock()

    @property
    def speed(self) -> float:
        """Returns simulated seconds per real second while time runs."""
        return self._speed

    @property
    def is_running(self) -> bool:
        """Tells whether time passes by itself."""
        return self._running

    @property
    def elapsed(self) -> float:
        """Returns simulated seconds since the clock was made."""
        if not self._running:
            return self._elapsed
        return self._elapsed + (time.monotonic() - self._since) * self._speed

    def now(self) -> Date:
        """Returns the date of this second.

        While time runs a second of the date is a real one, whatever the speed, so that dates agree with those of
        programs that talk to the lab. While time stands still so do dates, and `advance` moves them.
        """
        passed = time.monotonic() - self._since if self._running else 0.0
        return Date(datetime.fromtimestamp(self._dated + passed, UTC).strftime("%Y%m%dT%H:%M:%SZ"))

    def set_speed(self, speed: float) -> None:
        """Changes the speed, for those who sleep as well."""
        self._fix()
        self._speed = speed
        self._set_timer()

    def stop(self) -> None:
        """Lets time stand still: who sleeps is woken by `advance` alone."""
        self._fix()
        self._running = False
        self._set_timer()

    def run(self) -> None:
        """Lets time pass by itself again."""
        self._fix()
        self._running = True
        self._set_timer()

    async def advance(self, seconds: float) -> None:
        """Lets simulated seconds pass now, in order: each sleeper wakes at its time and does what it has to do."""
        async with self._advancing:
            self._fix()
            target = self._elapsed + seconds
            await self._rest()
            while self._sleepers and self._sleepers[0][0] <= target:
                self._jump(self._sleepers[0][0])
                self._wake()
                await self._rest()
            self._jump(target)
            self._set_timer()

    async def sleep(self, seconds: float) -> None:
        """Sleeps so many simulated seconds."""
        if seconds <= 0:
            return
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.elapsed + seconds, next(self._numbers), sleeper))
        self._moves += 1
        self._set_timer()
        try:
            await sleeper
        except asyncio.CancelledError:
            self._sleepers = [entry for entry in self._sleepers if entry[2] is not sleeper]
            heapq.heapify(self._sleepers)
            raise
        finally:
            self._moves += 1

    async def wait(self, signal: Signal, seconds: float) -> bool:
        """Waits for the next change; returns False when there was none within so many simulated seconds."""
        sleeping = asyncio.ensure_future(self.sleep(seconds))
        with signal.watching() as waiter:
            try:
                await asyncio.wait({waiter, sleeping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                sleeping.cancel()
            return waiter.done()

    def _fix(self) -> None:
        at = time.monotonic()
        if self._running:
            self._elapsed += (at - self._since) * self._speed
            self._dated += at - self._since
        self._since = at

    def _jump(self, to: float) -> None:
        """Lets time be so late, with the dates, unless it is later."""
        self._fix()
        forward = max(0.0, to - self._elapsed)
        self._elapsed += forward
        self._dated += forward

    def _wake(self) -> None:
        """Wakes whose time has come."""
        elapsed = self.elapsed
        while self._sleepers and (self._sleepers[0][2].done() or self._sleepers[0][0] <= elapsed):
            _, _, sleeper = heapq.heappop(self._sleepers)
            if not sleeper.done():  # the work behind it may have been cancelled
                sleeper.set_result(None)

    async def _rest(self) -> None:
        """Returns when everything that was woken sleeps again, waits for something else, or is over."""
        still, seen = 0, self._moves
        while still < _ROUNDS_AT_REST:
            await asyncio.sleep(0)
            still, seen = (still + 1 if self._moves == seen else 0), self._moves

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        if self._running and self._sleepers:
            wait = max(0.0, self._sleepers[0][0] - self.elapsed) / self._speed
            self._timer = asyncio.get_running_loop().call_later(wait, self._ring)

    def _ring(self) -> None:
        self._wake()
        self._set_timer()


class Gate:
    """Where work stands still for as long as a test wants."""

    def __init__(self) -> None:
        self._is_held = False
        self._pause_at: float | None = None
        self._moved = Signal()

    def hold(self) -> None:
        """Stops all work where it is."""
        self._is_held = True

    def pause(self, at: float) -> None:
        """Stops work that reaches this progress; work beyond it stops where it is."""
        self._pause_at = at

    def release(self) -> None:
        """Lets everything go on."""
        self._is_held, self._pause_at = False, None
        self._moved.fire()

    def find_stop(self, begun: float, end: float) -> float:
        """Returns how far work may go from `begun` towards `end` before the gate must be asked."""
        if self._pause_at is not None and begun < self._pause_at < end:
            return self._pause_at
        return end

    def holds(self, progress: float) -> bool:
        """Tells whether work of this progress must stand still now."""
        return self._is_held or (self._pause_at is not None and progress >= self._pause_at)

    async def enter(self, progress: float) -> None:
        """Waits while work of this progress must stand still."""
        while self.holds(progress):
            await self._moved.wait()
