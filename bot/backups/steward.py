"""The port `Steward`: prunes the archive by the rule of the configuration, in a thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from bot.backups.pruning import Policy, prune
from bot.backups.target import Target
from bot.domain.upkeep import Pruned


class Pruner:
    """Implements `bot.operations.archive_ports.Steward`; without a target there is nothing to prune."""

    def __init__(self, target: Target | None, policy: Policy, clock: Callable[[], float] = time.time) -> None:
        self._target = target
        self._policy = policy
        self._clock = clock

    async def prune(self, who: str) -> Pruned:
        """See `Steward.prune`."""
        if self._target is None:
            return Pruned()
        done = await asyncio.to_thread(prune, self._target, self._policy, self._clock(), who)
        return Pruned(done.drop, done.purge, done.findings)
