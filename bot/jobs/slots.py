"""How many lanes of all jobs may be under way at once at one host, in one pool, towards one place.

Kept in memory: what it counts does not outlive the bot either, and lanes found begun at the start take their places
without asking.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from bot.domain.plan import LockKey

#: So many jobs run at one host, or SR, at once: few enough for one network, and for what a person can follow.
HOST_LIMIT = 3
Holder = tuple[int, str]


class Slots:
    """Places to be taken and given back. `limits` says by the kind of the key how many there are; without one, any."""

    def __init__(self, limits: Mapping[str, int] | None = None) -> None:
        self._limits = limits or {}
        self._held: dict[Holder, tuple[LockKey, ...]] = {}
        self._freed = asyncio.Event()

    def take(self, holder: Holder, keys: Sequence[LockKey], *, anyway: bool = False) -> LockKey | None:
        """The key whose places are all taken; None where the holder has what it needs now, also if it had it before."""
        if holder not in self._held:
            taken = Counter(key.text for held in self._held.values() for key in held)
            full = (key for key in keys if taken[key.text] >= self._limits.get(key.kind, len(self._held) + 1))
            crowded = next(full, None)
            if crowded is not None and not anyway:
                return crowded
            self._held[holder] = tuple(keys)
        return None

    def pass_on(self, holder: Holder, keys: Sequence[LockKey]) -> None:
        """What the holder has from now on, also beyond the limits; whatever it had besides is given back."""
        had = self._held.get(holder, ())
        self._held[holder] = tuple(keys)
        if set(had) - set(keys):
            self._ring()

    def give_back(self, holder: Holder) -> None:
        """Gives back all that this holder has; nothing where it has nothing."""
        if self._held.pop(holder, None) is not None:
            self._ring()

    def _ring(self) -> None:
        self._freed.set()
        self._freed = asyncio.Event()

    def leave(self, job: int) -> None:
        """Gives back all that a job holds."""
        for holder in [one for one in self._held if one[0] == job]:
            self.give_back(holder)

    @property
    def bell(self) -> asyncio.Event:
        """Set as soon as anybody gives something back after this moment."""
        return self._freed
