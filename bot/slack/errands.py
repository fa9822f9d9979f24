"""Work that outlives the envelope it came with: kept, named, never lost from sight."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger(__name__)


class Errands:
    """A set of running tasks. Each ends by itself; one that breaks is logged and disturbs no other."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Starts a piece of work."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._end)

    async def drain(self, timeout_s: float) -> None:
        """Waits for the work under way, then cancels what is left of it."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout_s)
        late = set(self._tasks)
        for task in late:
            task.cancel()
        if late:
            log.warning("errands_cut_short", errands=sorted(task.get_name() for task in late))
            await asyncio.gather(*late, return_exceptions=True)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("errand_broke", errand=task.get_name(), exc_info=error)
