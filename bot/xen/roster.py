"""The configured pools that are pools of their own. A host that has joined another pool leaves an entry behind.

Such an entry is an alias from then on: nothing is shown or done under its name, and its hosts, with the certificates
that the configuration pins for them, are hosts that the joined pool may be asked by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import structlog

from bot.domain.inventory import FeedState
from bot.xen.pool import LivePool

_log = structlog.get_logger(__name__)


class Roster(Sequence[LivePool]):
    """Those pools, looked at anew each time it is gone through; `every` are all entries of the configuration."""

    def __init__(self, every: Sequence[LivePool]) -> None:
        self.every = tuple(every)
        self._homes: dict[str, LivePool] = {}

    def __iter__(self) -> Iterator[LivePool]:
        return iter([pool for pool in self.every if self.home_of(pool) is None])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @overload
    def __getitem__(self, index: int) -> LivePool: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[LivePool, ...]: ...
    def __getitem__(self, index: int | slice) -> LivePool | tuple[LivePool, ...]:
        return tuple(self)[index]

    def home_of(self, entry: LivePool) -> LivePool | None:
        """The entry that stands for the pool which all hosts of this entry are members of; None where it is this one.

        Of two that follow one pool it is the one with more hosts listed.
        """
        for pool in self.every:
            if pool is entry:
                continue
            if pool.feed.state is not FeedState.LIVE:
                # A pool that does not answer at the moment, as while its coordinator changes, unsays nothing.
                if self._homes.get(entry.name) is pool:
                    return pool
            elif self._covers(pool, entry):
                self._adopt(entry, pool)
                return pool
        self._leave(entry)
        return None

    def _covers(self, pool: LivePool, entry: LivePool) -> bool:
        members = [host for host in pool.model.inventory.hosts if not host.half_joined]
        if not self._known(pool, entry):
            # A pool may remember a host that was taken from it by force. It is given the pool's password only when the
            # pool has seen it alive as its member.
            members = [host for host in members if host.live]
        if entry.feed.state is FeedState.LIVE:
            # A host is in one pool at a time, so of two pictures of it the one with more members is the newer.
            own = {host.uuid for host in entry.model.inventory.hosts}
            return own <= {host.uuid for host in members} and self._rank(pool) > self._rank(entry)
        return {host.address for host in entry.settings.hosts} <= {host.address for host in members}

    def _known(self, pool: LivePool, entry: LivePool) -> bool:
        """Whether it is clear without a look at the hosts that both are one pool: one that is down may be so for long.

        An entry that answers as a pool of its own says otherwise, whatever was known before.
        """
        if entry.feed.state is not FeedState.LIVE:
            return self._homes.get(entry.name) is pool
        return entry.pool is not None and pool.pool is not None and entry.pool.uuid == pool.pool.uuid

    def _rank(self, pool: LivePool) -> tuple[int, int, int]:
        return len(pool.model.inventory.hosts), len(pool.settings.hosts), -self.every.index(pool)

    def _adopt(self, entry: LivePool, pool: LivePool) -> None:
        if self._homes.get(entry.name) is not pool:
            self._leave(entry)
            self._homes[entry.name] = pool
            pool.adopt(entry)
            _log.info("pool_is_alias", entry=entry.name, pool=pool.name)

    def _leave(self, entry: LivePool) -> None:
        """The hosts of an entry are no members any more, and are not asked as such."""
        left = self._homes.pop(entry.name, None)
        if left is None:
            return
        left.release()
        for name, home in self._homes.items():
            if home is left:
                left.adopt(next(each for each in self.every if each.name == name))
        _log.info("pool_is_its_own", entry=entry.name, pool=left.name)
