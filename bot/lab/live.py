"""The truth about the lab as one value, and who waits for it to change.

`bot.lab.routes` serves it at `/lab/state` and streams it to the page. It is encoded once per change, however
many pages are open, and a world that takes long to encode is sent less often.
"""

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Callable
from typing import Final

import msgspec

from bot.lab.bot_process import BotState
from bot.lab.xapi import Datacentre

SHORTEST_PAUSE_S: Final = 0.1
KEEP_ALIVE_S: Final = 15.0
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
        self._encoded: tuple[int, bytes] = (-1, b"")
        self._encoding_s = 0.0
        self._wake = asyncio.Event()
        self._moved = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    def encode_now(self) -> bytes:
        """Returns the truth of this instant as JSON, the bot's state under `bot`."""
        begun = time.perf_counter()
        encoded = self._encoder.encode({**self._datacentre.state(), "bot": self._bot()})
        self._encoding_s = time.perf_counter() - begun
        return encoded

    def touch(self) -> None:
        """Tells the pages that something outside the datacentre has changed."""
        self._wake.set()

    async def listen(self) -> AsyncIterator[bytes | None]:
        """Yields the truth as JSON now and after each change, and None where nothing changed for a while.

        Ends when the lab does.
        """
        seen = -1
        while self._task is not None:
            if seen == self._revision:
                yield None
            else:
                seen = self._revision
                yield self._encode_shared()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(KEEP_ALIVE_S), self._moved:
                    await self._moved.wait_for(functools.partial(self._is_news, seen))

    def _is_news(self, seen: int) -> bool:
        return self._revision != seen or self._task is None

    def _encode_shared(self) -> bytes:
        if self._encoded[0] != self._revision:
            self._encoded = (self._revision, self.encode_now())
        return self._encoded[1]

    async def start(self) -> None:
        """Begins to follow the datacentre."""
        self._task = asyncio.create_task(self._follow(), name="lab-live")

    async def stop(self) -> None:
        """Stops following and ends every stream, so that the web server need not wait for them."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        async with self._moved:
            self._moved.notify_all()

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
            await asyncio.sleep(max(SHORTEST_PAUSE_S, _PAUSE_PER_ENCODING * self._encoding_s))
