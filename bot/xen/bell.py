"""A bell that wakes everyone who waits for a change, in one event loop."""

from __future__ import annotations

import asyncio


class Bell:
    """Waiting begins when `heard` is called, so take it before looking at what may change."""

    def __init__(self) -> None:
        self._next: asyncio.Future[None] | None = None

    def heard(self) -> asyncio.Future[None]:
        """A future that is done at the next ring; shared, so wait for it under `asyncio.shield` or `asyncio.wait`."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        return self._next

    def ring(self) -> None:
        """Wakes everyone who waits."""
        rung, self._next = self._next, None
        if rung is not None and not rung.done():
            rung.set_result(None)
