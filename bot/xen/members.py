"""Hosts becoming members of a pool: the call that joins one, and how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from bot.domain.inventory import FeedState
from bot.domain.joining import Membership
from bot.errors import CannotTell, NotFound, Unreachable, XapiFailure
from bot.xen import join_facts
from bot.xen.faults import failure
from bot.xen.pool import LivePool
from bot.xen.roster import Roster

_POLL_S: Final = 0.5
#: After its answer the joining toolstack restarts, and with it goes everything that could be asked about the task.
_SILENT_S: Final = 20.0

_log = structlog.get_logger(__name__)


class LiveMembers:
    """The port `Members`."""

    def __init__(self, roster: Roster, live: Callable[[str], LivePool]) -> None:
        self._roster = roster
        self._live = live

    async def begin(self, host: str, pool: str) -> str:
        """Has a host (UUID) join a pool (UUID); gives the handle of the task at the host.

        Raises XapiFailure where XAPI refused, Unreachable where nothing was sent, OutcomeUnknown where nobody can tell.
        """
        there = self._live(pool)
        here = self._alone(host)
        address = next((one.address for one in there.model.inventory.hosts if one.coordinator), "")
        if here is None or not address:
            raise NotFound("host", host)
        return await here.sessions.join(address, there.sessions)

    async def ended(self, host: str, pool: str, task: str) -> None:
        """Waits for the end of that task; returns when XAPI says that it is done, or falls silent as it then does.

        Raises XapiFailure where it failed.
        """
        loop = asyncio.get_running_loop()
        heard = loop.time()
        while loop.time() - heard < _SILENT_S and not self._joined(pool, host):
            here = self._alone(host)
            try:
                wire = await here.brief.read("task.get_record", task) if here is not None else None
            except (Unreachable, CannotTell):
                wire = None
            except XapiFailure as refusal:
                # The database behind this host is another one now, or the task was collected.
                _log.info("join_task_gone", code=refusal.code)
                return
            if here is not None and wire is not None:
                heard = loop.time()
                if wire.get("status") == "success":
                    return
                if wire.get("status") in {"failure", "cancelled"}:
                    raise failure(wire.get("error_info", ()), here.name_of)
            await asyncio.sleep(_POLL_S)

    def _joined(self, pool: str, host: str) -> bool:
        try:
            return join_facts.lives_in(self._live(pool), host)
        except Unreachable:
            return False

    def membership(self, pool: str, host: str) -> Membership:
        """How far the host is a member, from the live feeds. Raises Unreachable before the first load."""
        there = self._live(pool)
        known = next((one for one in there.model.inventory.hosts if one.uuid == host), None)
        here = self._alone(host)
        alone = here is not None and here.feed.state is FeedState.LIVE
        joining = alone and here is not None and join_facts.joins_now(here)
        if known is None:
            return Membership(
                known=False, whole=False, live=False, enabled=False, unplugged={}, alone=alone, joining=joining
            )
        srs = sorted(there.model.inventory.srs, key=lambda sr: (sr.name, sr.uuid))
        unplugged = {sr.uuid: sr.name for sr in srs if sr.shared and sr.hosts and host not in sr.hosts}
        return Membership(
            known=True,
            whole=not known.half_joined,
            # XAPI takes a host for live that has not come back yet.
            live=known.answers,
            enabled=known.enabled,
            unplugged=unplugged,
            alone=alone,
            joining=joining,
        )

    async def looked_at(self, pool: str, host: str) -> Membership:
        """The same for who judges by it: that a pool does not know the host is asked of the pool itself.

        Raises Unreachable, XapiFailure, and CannotTell where the feed has not told yet of a host that the pool knows.
        """
        now = self.membership(pool, host)
        if now.known:
            return now
        there = self._live(pool)
        try:
            await there.sessions.read("host.get_by_uuid", host)
        except XapiFailure as refusal:
            if refusal.code == "UUID_INVALID":
                return now
            raise
        raise CannotTell(f"pool {there.name} has a record of the host that was not read yet")

    def _alone(self, host: str) -> LivePool | None:
        """The pool that the host is alone in, by what was last read of it."""
        entries: Sequence[LivePool] = self._roster.every
        for entry in entries:
            hosts = entry.model.inventory.hosts
            if len(hosts) == 1 and hosts[0].uuid == host:
                return entry
        return None
