"""The part of the store that remembers which alerts of the pools were told, and which are muted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import sqlite_utils

from bot.domain.inventory import Alert
from bot.store import audit, outbox
from bot.store.audit import Note
from bot.store.database import Database
from bot.store.outbox import Outgoing

_KEPT_S = 40 * 86400.0


class Alerts:
    """Alerts and mutes."""

    database: Database
    clock: Callable[[], float]
    _news: asyncio.Event

    async def new_alerts(self, pool: str, alerts: Sequence[Alert]) -> tuple[bool, Sequence[Alert]]:
        """Whether alerts of this pool (UUID) were ever looked at, and those of `alerts` that are not known yet."""

        def work(db: sqlite_utils.Database) -> tuple[bool, Sequence[Alert]]:
            known = {row[0] for row in db.execute("SELECT uuid FROM alerts WHERE pool = ?", [pool])}
            return bool(known), [one for one in alerts if one.uuid not in known]

        return await self.database.read(work)

    async def silenced(self, pool: str, alerts: Sequence[Alert], repeat_s: float) -> Sequence[Alert]:
        """Those that need not be told: muted, or the same was told of the same object less than `repeat_s` ago."""
        now = self.clock()

        def work(db: sqlite_utils.Database) -> Sequence[Alert]:
            found = []
            for one in alerts:
                muted = db.execute(
                    "SELECT 1 FROM mutes WHERE kind = ? AND about IN (?, '') AND until > ?", [one.name, one.about, now]
                ).fetchone()
                repeated = db.execute(
                    "SELECT 1 FROM alerts WHERE pool = ? AND kind = ? AND about = ? AND told AND seen_at > ?",
                    [pool, one.name, one.about, now - repeat_s],
                ).fetchone()
                if muted or repeated:
                    found.append(one)
            return found

        return await self.database.read(work)

    async def keep_alerts(
        self, pool: str, alerts: Sequence[Alert], told: Sequence[Alert], item: Outgoing | None
    ) -> None:
        """Remembers alerts, and puts what tells of some of them into the outbox: both or neither."""
        now, said = self.clock(), {one.uuid for one in told}

        def work(db: sqlite_utils.Database) -> None:
            db.execute("DELETE FROM alerts WHERE seen_at < ?", [now - _KEPT_S])
            for one in alerts:
                db.execute(
                    "INSERT OR IGNORE INTO alerts (uuid, pool, kind, about, seen_at, told) VALUES (?, ?, ?, ?, ?, ?)",
                    [one.uuid, pool, one.name, one.about, now, int(one.uuid in said)],
                )
            if item is not None:
                outbox.put(db, now, [item])

        await self.database.write(work)
        if item is not None:
            self._news.set()

    async def mute(self, kind: str, about: str, until: float, note: Note) -> None:
        """Silences a kind of alert about an object (UUID, "" for all) until then; no time at all ends the silence."""
        now = self.clock()

        def work(db: sqlite_utils.Database) -> None:
            db.execute("DELETE FROM mutes WHERE until <= ? OR (kind = ? AND about = ?)", [now, kind, about])
            if until > now:
                row = [kind, about, until, note.actor]
                db.execute("INSERT INTO mutes (kind, about, until, who) VALUES (?, ?, ?, ?)", row)
            elif not about:
                db.execute("DELETE FROM mutes WHERE kind = ?", [kind])
            audit.append(db, self.clock(), note, None)

        await self.database.write(work)
