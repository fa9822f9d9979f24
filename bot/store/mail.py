"""The part of the store that keeps what must reach Slack."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from bot.domain.message import Message
from bot.domain.parcel import Parcel, Place
from bot.store import outbox
from bot.store.database import Database
from bot.store.outbox import Outgoing


class Mail:
    """The outbox."""

    database: Database
    clock: Callable[[], float]
    _news: asyncio.Event

    async def tell(self, item: Outgoing) -> None:
        """A message that belongs to no job."""
        await self.database.write(lambda db: outbox.put(db, self.clock(), [item]))
        self._news.set()

    async def due(self, limit: int = 20) -> Sequence[Parcel]:
        """What can be sent now."""
        return await self.database.write(lambda db: outbox.due(db, self.clock(), limit))

    async def attempted(self, parcel: int) -> None:
        """A post is about to be tried."""
        await self.database.write(lambda db: outbox.attempted(db, parcel))

    async def delivered(self, parcel: int, ts: str) -> None:
        """It is in Slack."""
        await self.database.write(lambda db: outbox.delivered(db, parcel, ts))

    async def unlinked(self, limit: int = 20) -> Sequence[Place]:
        """Cards in Slack whose address is not known yet, the newest first."""
        return await self.database.read(lambda db: outbox.unlinked(db, limit))

    async def linked(self, place: Place, link: str) -> None:
        """Keeps the address of a card."""
        await self.database.write(lambda db: outbox.linked(db, place, link))

    async def failed(self, parcel: int, error: str, retry_after_s: float | None) -> None:
        """It did not arrive."""
        await self.database.write(lambda db: outbox.failed(db, self.clock(), parcel, error, retry_after_s))

    async def told_elsewhere(self, parcel: int, channel: str, message: Message) -> None:
        """Has a message posted in another place, once for a parcel that its own channel refuses."""
        await self.database.write(lambda db: outbox.told_elsewhere(db, self.clock(), parcel, channel, message))
        self._news.set()

    async def try_again(self, channel: str) -> None:
        """What waits for a channel need wait no longer."""
        await self.database.write(lambda db: outbox.try_again(db, channel))
        self._news.set()

    async def outbox_depth(self) -> int:
        """How many messages wait."""
        return await self.database.read(outbox.depth)

    async def prune(self, older_than_s: float = 86400.0) -> None:
        """Forgets messages that were sent or replaced a day ago.

        What was given up stays to be looked at, and what is to be replaced by better news stays until then.
        """
        limit = self.clock() - older_than_s
        await self.database.write(
            lambda db: (
                db.execute(
                    "DELETE FROM outbox WHERE state IN ('sent', 'superseded') AND created_at < ?"
                    " AND id NOT IN (SELECT post FROM absences WHERE ended_at IS NULL)"
                    " AND id NOT IN (SELECT corrects FROM outbox WHERE corrects IS NOT NULL AND state = 'due')",
                    [limit],
                ).rowcount
            )
        )

    async def wait(self, timeout_s: float) -> None:
        """Until something new was put in, or the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        except TimeoutError:
            pass
        self._news.clear()
