"""Checks every pool again and again, so that a check can tell what is new since yesterday."""

from __future__ import annotations

import structlog

from bot.domain.inventory import FeedState
from bot.errors import CannotTell, Unreachable, XapiFailure
from bot.jobs.rounds import rounds
from bot.operations.health import leftovers, news, report
from bot.operations.ports import Facts, Fleet
from bot.store import Store

log = structlog.get_logger()

#: Often enough for "since yesterday" to mean that, seldom enough to stay small in the store.
EVERY_S = 1800.0
FIRST_AFTER_S = 60.0


class Watch:
    """Remembers what the check of each pool finds, a minute after the start and every half hour from then on."""

    def __init__(self, store: Store, fleet: Fleet, facts: Facts) -> None:
        self.store = store
        self.fleet = fleet
        self.facts = facts

    async def run(self) -> None:
        """Runs until cancelled."""
        await rounds(self.look, EVERY_S, FIRST_AFTER_S)

    async def look(self) -> None:
        """Checks each pool whose feed is live: what an old picture shows would look new or gone tomorrow."""
        for view in self.fleet.pools():
            if view.pool is None or view.state is not FeedState.LIVE:
                continue
            try:
                facts = await self.facts.health(view.pool.uuid)
            except (Unreachable, CannotTell, XapiFailure) as reason:
                log.info("pool_not_checked", pool=view.name, reason=str(reason))
                continue
            found = report.rows(facts, await leftovers.look(facts, self.store))
            await self.store.keep_checkup(view.pool.uuid, news.findings(found))
