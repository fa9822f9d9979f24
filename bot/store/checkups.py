"""The part of the store that remembers what checks of the pools found, so that new and gone can be told apart."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping

import msgspec
import sqlite_utils

from bot.domain.health import Checkup, Finding
from bot.store.database import Database

_KEPT_S = 9 * 86400.0
_NEWEST_BEFORE = "SELECT at, items FROM checkups WHERE pool = ? AND at <= ? ORDER BY at DESC LIMIT 1"
_OLDEST = "SELECT at, items FROM checkups WHERE pool = ? ORDER BY at LIMIT 1"


class Checkups:
    """What was found when."""

    database: Database
    clock: Callable[[], float]

    async def keep_checkup(self, pool: str, items: Mapping[str, Finding]) -> None:
        """Remembers what a check of a pool (UUID) finds now, and forgets what is older than nine days."""
        now, found = self.clock(), msgspec.json.encode(items).decode()

        def work(db: sqlite_utils.Database) -> None:
            db.execute("DELETE FROM checkups WHERE at < ?", [now - _KEPT_S])
            db.execute("INSERT OR REPLACE INTO checkups (pool, at, items) VALUES (?, ?, ?)", [pool, now, found])

        await self.database.write(work)

    async def checkup(self, pool: str, before: float) -> Checkup | None:
        """The newest check of a pool until then (Unix seconds), else the oldest there is; None before the first."""

        def work(db: sqlite_utils.Database) -> Checkup | None:
            row = db.execute(_NEWEST_BEFORE, [pool, before]).fetchone() or db.execute(_OLDEST, [pool]).fetchone()
            if row is None:
                return None
            return _checkup(row)

        return await self.database.read(work)

    async def told_by(self, schedule: int) -> dict[str, Checkup]:
        """What a schedule found when it looked last, by the UUID of the pool."""

        def work(db: sqlite_utils.Database) -> dict[str, Checkup]:
            rows = db.execute("SELECT pool, at, items FROM checks_told WHERE schedule = ?", [schedule]).fetchall()
            return {row["pool"]: _checkup(row) for row in rows}

        return await self.database.read(work)


def keep_told(db: sqlite_utils.Database, schedule: int, checked: Mapping[str, Checkup]) -> None:
    """Remembers what a schedule found at pools (UUIDs), in place of what it found there before."""
    for pool, found in checked.items():
        db.execute(
            "INSERT OR REPLACE INTO checks_told (schedule, pool, at, items) VALUES (?, ?, ?, ?)",
            [schedule, pool, found.at, msgspec.json.encode(found.items).decode()],
        )


def _checkup(row: sqlite3.Row) -> Checkup:
    return Checkup(row["at"], msgspec.json.decode(row["items"], type=dict[str, Finding]))
