"""How far work of the bot itself is, and how fast it has been lately: what the card says of it."""

from __future__ import annotations

import time
from collections import deque

from bot.domain.texts import Phrase, Size, Span, say
from bot.operations.work import Reached

# The rate is that of the last half minute: an average since the start would hide a stall, and a guess from it lie.
_WINDOW_S = 30.0


class Pulse:
    """How far work is, and how fast it has been lately."""

    def __init__(self) -> None:
        self.reached: Reached | None = None
        self.spared = False
        self._marks: deque[tuple[float, int]] = deque()

    def tell(self, reached: Reached) -> None:
        """Takes what a worker tells."""
        now = time.monotonic()
        self.reached = reached
        self._marks.append((now, reached.done))
        while len(self._marks) > 2 and now - self._marks[1][0] > _WINDOW_S:
            self._marks.popleft()

    def spare(self) -> None:
        """Takes that the pool has heard nothing of the work."""
        self.spared = True

    @property
    def fraction(self) -> float:
        """The share that is done, as far as it can be known."""
        reached = self.reached
        return 0.0 if reached is None or reached.total <= 0 else reached.done / reached.total

    @property
    def line(self) -> Phrase | None:
        """What the card says of it: amount, rate, time left where the rate allows a guess."""
        reached = self.reached
        if reached is None:
            return None
        if reached.stalled is not None:
            return reached.stalled
        if reached.total <= 0 or not reached.done:
            return reached.phase
        words = say("{phase}: {done} of {all}", phase=reached.phase, done=Size(reached.done), all=Size(reached.total))
        (since, first), (now, last) = self._marks[0], self._marks[-1]
        if now - since < 1 or last <= first:
            return words
        rate = (last - first) / (now - since)
        left = max(0, reached.total - reached.done) / rate
        return say("{so_far}, {rate}/s, about {left} left", so_far=words, rate=Size(int(rate)), left=Span(left))
