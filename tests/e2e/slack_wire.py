"""What a bot and the simulated Slack say to each other, as the lab's inspector saw it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from story_lab import PATIENCE_S, StoryLab


class Wire:
    """What crosses the wire between the simulated Slack and its app, as its inspector saw it, oldest first."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self._more = asyncio.Event()

    async def until(self, holds: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
        """Waits for something that came over the wire."""
        async with asyncio.timeout(within_s):
            while not holds():
                self._more.clear()
                await self._more.wait()

    async def read(self, stream: aiohttp.ClientResponse) -> None:
        rest = b""
        async for chunk in stream.content.iter_any():
            *events, rest = (rest + chunk).split(b"\n\n")
            for event in events:
                for line in event.split(b"\n"):
                    if line.startswith(b"data: "):
                        self.entries += json.loads(line.removeprefix(b"data: "))
            self._more.set()


@asynccontextmanager
async def wire(lab: StoryLab) -> AsyncIterator[Wire]:
    """The wire while the block runs."""
    seen = Wire()
    page = lab.info["page"].rstrip("/")
    async with lab.http.get(f"{page}/lab/wire", timeout=aiohttp.ClientTimeout(total=None)) as stream:
        reading = asyncio.create_task(seen.read(stream))
        try:
            yield seen
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
