"""The part of the store that remembers which hosts and pools were told not to answer, and what ran there."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence

import msgspec
import sqlite_utils

from bot.domain.absence import Absence, Missing, Resident
from bot.domain.message import Message
from bot.store import outbox
from bot.store.database import Database
from bot.store.outbox import Outgoing
from bot.store.rows import encode

#: What is over is remembered for so long, for "again".
_KEPT_S = 40 * 86400.0
_COLUMNS = "kind, pool, about, name, since, told_at, guests, ended_at, post"


class Absences:
    """Absences."""

    database: Database
    clock: Callable[[], float]
    _news: asyncio.Event

    async def absences(self) -> tuple[Sequence[Absence], frozenset[tuple[str, str]]]:
        """Every absence that was told, also what is over; and what is muted now, by kind and UUID ("" for all)."""
        now = self.clock()

        def work(db: sqlite_utils.Database) -> tuple[Sequence[Absence], frozenset[tuple[str, str]]]:
            muted = db.execute("SELECT kind, about FROM mutes WHERE until > ?", [now]).fetchall()
            rows = db.execute(f"SELECT {_COLUMNS} FROM absences ORDER BY told_at").fetchall()  # noqa: S608  our own names
            return [_absence(row) for row in rows], frozenset((row["kind"], row["about"]) for row in muted)

        return await self.database.read(work)

    async def keep_absences(
        self,
        began: Sequence[Absence],
        ended: Sequence[Absence],
        forgotten: Sequence[Absence],
        item: Outgoing | None,
        corrections: Sequence[tuple[Absence, Message]] = (),
    ) -> None:
        """Remembers what began, what ended and what is of no interest any more, with the message that tells of it.

        `corrections` replace the messages in which absences were told by what is true now. All of it or nothing.
        """
        now = self.clock()

        def work(db: sqlite_utils.Database) -> None:
            db.execute("DELETE FROM absences WHERE ended_at < ?", [now - _KEPT_S])
            post = outbox.put(db, now, [item])[0] if item is not None else 0
            for one in forgotten:
                db.execute("DELETE FROM absences WHERE kind = ? AND pool = ? AND about = ?", one.key)
            # What goes on is told beside the end of something: that message stays as it is.
            told = [msgspec.structs.replace(one, post=0 if ended else post) for one in began]
            for one in (*told, *ended):
                row = [*one.key, one.name, one.since, one.told_at, encode(one.guests), one.ended_at, one.post]
                db.execute(f"INSERT OR REPLACE INTO absences ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608  our own names
            for one, message in corrections:
                outbox.correct(db, now, one.post, message)

        await self.database.write(work)
        if item is not None or corrections:
            self._news.set()


def _absence(row: sqlite3.Row) -> Absence:
    return Absence(
        kind=Missing(row["kind"]),
        pool=row["pool"],
        about=row["about"],
        name=row["name"],
        since=row["since"],
        told_at=row["told_at"],
        guests=msgspec.json.decode(row["guests"], type=tuple[Resident, ...]),
        ended_at=row["ended_at"],
        post=row["post"],
    )
