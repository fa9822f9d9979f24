"""The truth about the lab as one value, and who waits for it to change.

`bot.lab.routes` serves it at `/lab/state` and streams it to the page. It is encoded once per change, however
many pages are open, and a world that takes long to encode is sent less often.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from bot.lab.bot_process import BotState
from bot.lab.xapi import Datacentre

SHORTEST_PAUSE_S: Final = 0.1
_PAUSE_PER_ENCODING: Final = 10.0


class LiveState:
    """Joins the datacentre's truth with the bot's state.

    Args:
        datacentre: The simulated pools.
        bot: Returns the bot's state, or None for a lab without a bot.
    """

    def __init__(self, datacentre: Datacentre, bot: Callable[[], BotState | None]) -> None:
        self._datacentre = datacentre
        self._bot = bot
        self._encoder = msgspec.json.Encoder()
        self._revision = 0
        self._encoded: tuple[int, bytes] | None = None
        self._wake = asyncio.Event()
        self._moved = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    @property
    def revision(self) -> int:
        """Counts up with every change that was told to the pages."""
        return self._revision

    def snapshot(self) -> dict[str, Any]:
        """Returns the datacentre's state with the bot's under `bot`."""
        return {**self._datacentre.state(), "bot": self._bot()}

    def encode(self) -> bytes:
        """Returns the snapshot as JSON, encoded once per revision."""
        if self._encoded is None or self._encoded[0] != self._revision:
            self._encoded = (self._revision, self._encoder.encode(self.snapshot()))
        return self._encoded[1]

    def fresh(self) -> bytes:
        """Returns the truth of this instant as JSON, for a script that has just changed something."""
        return self._encoder.encode(self.snapshot())

    def touch(self) -> None:
        """Tells the pages that something outside the datacentre has changed."""
        self._wake.set()

    async def changed_within(self, since: int, timeout_s: float) -> bool:
        """Waits until the revision is above `since`; returns False when it still is not after `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s), self._moved:
                await self._moved.wait_for(lambda: self._revision > since)
        except TimeoutError:
            return False
        return True

    async def start(self) -> None:
        """Begins to follow the datacentre."""
        self._task = asyncio.create_task(self._follow(), name="lab-live")

    async def stop(self) -> None:
        """Stops following."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _follow(self) -> None:
        seen = self._datacentre.revision()
        while True:
            watch = asyncio.ensure_future(self._datacentre.changed(seen))
            touch = asyncio.ensure_future(self._wake.wait())
            try:
                await asyncio.wait({watch, touch}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                watch.cancel()
                touch.cancel()
            self._wake.clear()
            seen = self._datacentre.revision()
            async with self._moved:
                self._revision += 1
                self._moved.notify_all()
            begun = time.perf_counter()
            self.encode()
            await asyncio.sleep(max(SHORTEST_PAUSE_S, _PAUSE_PER_ENCODING * (time.perf_counter() - begun)))
