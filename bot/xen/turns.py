"""Long work on the event loop, done so that everybody else keeps most of it."""

from __future__ import annotations

import asyncio
import time
from typing import Final

_QUANTUM_S: Final = 0.005
_LONGEST_PAUSE_S: Final = 0.02


class Turns:
    """Between the pieces of a long work: others run after each, and after some milliseconds for as long as it took.

    An ack passes many turns of the loop. If each held a piece of an inventory, a crowd's acks would add those up.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()

    async def give(self) -> None:
        """Lets others run."""
        spent_s = time.monotonic() - self._began
        if spent_s < _QUANTUM_S:
            await asyncio.sleep(0)
            return
        await asyncio.sleep(min(spent_s, _LONGEST_PAUSE_S))
        self._began = time.monotonic()
