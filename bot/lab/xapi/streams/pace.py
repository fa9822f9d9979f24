"""How fast a stream goes: simulated bandwidth, and progress that is written every ten seconds only."""

from collections.abc import Collection
from typing import Final

from bot.lab.xapi.calls import Context
from bot.lab.xapi.rules import nfs_mounts

_NAP_S: Final = 0.02  # real seconds that are not worth a sleep
_PROGRESS_EVERY_S: Final = 10.0


class Pace:
    """Slows work down to a bandwidth and shows how far it is.

    Args:
        context: Of the request.
        bytes_per_s: Simulated bandwidth.
        total: Bytes that all of it has.
        storages: Repositories that the data come from or go to.
        writes: Whether data go there.
    """

    def __init__(
        self,
        context: Context,
        bytes_per_s: float,
        total: int,
        *,
        storages: Collection[str],
        writes: bool,
    ) -> None:
        self._context = context
        self._bytes_per_s = bytes_per_s
        self._total = max(1, total)
        self._storages = frozenset(storages)
        self._writes = writes
        self._owed = 0.0
        self._done = 0
        self._told_at = context.pool.clock.elapsed

    async def carry(self, size: int) -> None:
        """Takes as long as so many bytes take; waits for a file server that does not answer.

        Raises:
            ApiError: `VDI_IO_ERROR` where a file server takes no writes or has lost its directory.
        """
        pool = self._context.pool
        slownesses = [await nfs_mounts.reach_data(pool, storage, writes=self._writes) for storage in self._storages]
        await self.rest(size / self._bytes_per_s * max(slownesses, default=1.0))

    async def rest(self, seconds: float) -> None:
        """Takes so many simulated seconds; what is too short for a sleep is added to the next."""
        clock = self._context.pool.clock
        self._owed += seconds
        if self._owed >= _NAP_S * clock.speed or not clock.is_running:
            owed, self._owed = self._owed, 0.0
            await clock.sleep(owed)

    def _use_session(self) -> None:
        """A stream counts as use of its session, however long it takes."""
        sessions, session = self._context.pool.sessions, self._context.session.ref
        if sessions.is_open(session):
            sessions.find(session)

    async def reach(self, done: int) -> None:
        """Is so many bytes further than at the beginning; waits where somebody wants work to stop."""
        pool = self._context.pool
        self._done = done
        share = min(1.0, done / self._total)
        is_due = pool.clock.elapsed - self._told_at >= _PROGRESS_EVERY_S
        if is_due or pool.gate.holds(share):
            self._context.set_progress(share)
            self._told_at = pool.clock.elapsed
            self._use_session()
        await pool.gate.enter(share)
