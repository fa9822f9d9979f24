"""Simulated time: how long work takes, and who waits for what.

Work sleeps in simulated seconds; `speed` scales them and may change while somebody sleeps. Nothing here polls.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager


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
    """Simulated time that runs `speed` times as fast as the real one."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._changed = Signal()
        self._elapsed = 0.0
        self._since = time.monotonic()

    @property
    def speed(self) -> float:
        """Returns simulated seconds per real second."""
        return self._speed

    @property
    def elapsed(self) -> float:
        """Returns simulated seconds since the clock was made."""
        return self._elapsed + (time.monotonic() - self._since) * self._speed

    def set_speed(self, speed: float) -> None:
        """Changes the speed, for those who sleep as well."""
        self._elapsed, self._since = self.elapsed, time.monotonic()
        self._speed = speed
        self._changed.fire()

    def skip(self, seconds: float) -> None:
        """Lets simulated seconds pass at once; who sleeps is not woken sooner."""
        self._elapsed += seconds

    async def sleep(self, seconds: float) -> None:
        """Sleeps so many simulated seconds."""
        loop = asyncio.get_running_loop()
        left = seconds
        while left > 0:
            begun, speed = loop.time(), self._speed
            if not await self._changed.wait(timeout_s=left / speed):
                return
            left -= (loop.time() - begun) * speed


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

    async def enter(self, progress: float) -> None:
        """Waits while work of this progress must stand still."""
        while self._is_held or (self._pause_at is not None and progress >= self._pause_at):
            await self._moved.wait()
