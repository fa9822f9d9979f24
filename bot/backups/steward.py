"""The port `Steward`: prunes the archive by the rule of the configuration, in a thread of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from bot.backups.pruning import Policy, prune
from bot.backups.target import Target
from bot.domain.upkeep import Pruned


class Pruner:
    """Implements `bot.operations.archive_ports.Steward`; without a target there is nothing to prune.

    Args:
        identity: Tells who this bot is (see `custody`).
    """

    def __init__(
        self,
        target: Target | None,
        policy: Policy,
        identity: Callable[[], Awaitable[str]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._target = target
        self._identity = identity
        self._policy = policy
        self._clock = clock
        # A file server that is gone keeps it for as long as it is gone: no thread that others need.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pruning")

    async def prune(self, who: str) -> Pruned:
        """See `Steward.prune`."""
        if self._target is None:
            return Pruned()
        bot = await self._identity()
        pruning = self._thread.submit(prune, self._target, self._policy, self._clock(), who, bot)
        done = await asyncio.wrap_future(pruning)
        return Pruned(done.drop, done.purge, done.findings, done.others)
