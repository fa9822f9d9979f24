"""The part of the store that keeps the audit trail, the freeze, and what happens once a day."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import sqlite_utils

from bot.domain.audit import ANY, Break, Entry, Wanted, verify
from bot.domain.record import Freeze
from bot.store import audit, outbox, rows
from bot.store.audit import Note
from bot.store.database import Database
from bot.store.outbox import Outgoing

#: The key of the setting that tells stores apart.
IDENTITY: Final = "identity"


class Ledger:
    """Audit and freeze."""

    database: Database
    clock: Callable[[], float]
    _news: asyncio.Event

    async def note(self, note: Note, target: tuple[str, str] = ("", ""), story: Sequence[Outgoing] = ()) -> Entry:
        """Writes an audit entry that belongs to no job, with messages if any."""

        def work(db: sqlite_utils.Database) -> Entry:
            entry = audit.append(db, self.clock(), note, None, target)
            outbox.put(db, self.clock(), story)
            return entry

        entry = await self.database.write(work)
        self._news.set()
        return entry

    async def audit(self, *, limit: int = 20, skip: int = 0, wanted: Wanted = ANY) -> Sequence[Entry]:
        """The entries that fit, newest first, the first `skip` left out."""
        return await self.database.read(lambda db: audit.newest(db, limit=limit, skip=skip, wanted=wanted))

    async def actors(self, *, limit: int = 40) -> Sequence[str]:
        """Who is named in the trail as having done something, by id, the last to do so first."""
        return await self.database.read(lambda db: audit.actors(db, limit))

    async def verify_audit(self) -> tuple[int, str, Break | None]:
        """Entries that hold, the head hash, and the first break."""
        return await self.database.read(lambda db: verify(audit.oldest_first(db)))

    async def frozen(self) -> Freeze | None:
        """The freeze in force. Raises StoreError when in doubt; callers treat that as frozen."""

        def work(db: sqlite_utils.Database) -> Freeze | None:
            row = db.execute("SELECT value FROM settings WHERE key = 'freeze'").fetchone()
            return msgspec.json.decode(row["value"], type=Freeze) if row else None

        return await self.database.write(work)

    async def set_freeze(
        self, freeze: Freeze | None, note: Note, story: Sequence[Outgoing] = (), *, untold: bool = False
    ) -> None:
        """Puts a freeze in force or lifts it, with messages if any; `untold` where nobody can be told now.

        One without a reason leaves another that holds as it is: its reason is what people go by.
        """

        def work(db: sqlite_utils.Database) -> None:
            held = db.execute("SELECT 1 FROM settings WHERE key = 'freeze'").fetchone() is not None
            if freeze is None or freeze.reason or not held:
                db.execute("DELETE FROM settings WHERE key = 'freeze'")
                if freeze is not None:
                    db.table("settings").insert({"key": "freeze", "value": rows.encode(freeze)})
            if untold:
                db.table("settings").upsert({"key": "freeze_untold", "value": note.actor}, pk="key")
            audit.append(db, self.clock(), note)
            outbox.put(db, self.clock(), story)

        await self.database.write(work)
        self._news.set()

    async def tell_freeze(self, story: Callable[[Freeze | None, str], Sequence[Outgoing]]) -> None:
        """Tells of a freeze, or of its end, that was set while nobody could be told; `story` gets it and who did it."""

        def work(db: sqlite_utils.Database) -> None:
            row = db.execute("SELECT value FROM settings WHERE key = 'freeze_untold'").fetchone()
            if row is None:
                return
            db.execute("DELETE FROM settings WHERE key = 'freeze_untold'")
            held = db.execute("SELECT value FROM settings WHERE key = 'freeze'").fetchone()
            freeze = msgspec.json.decode(held["value"], type=Freeze) if held else None
            outbox.put(db, self.clock(), story(freeze, str(row["value"])))

        await self.database.write(work)
        self._news.set()

    async def identity(self) -> str:
        """Sixteen hex digits that tell this store from every other one, and from one that takes its place."""

        def work(db: sqlite_utils.Database) -> str:
            db.execute("INSERT OR IGNORE INTO settings (key, value) VALUES (?, ?)", [IDENTITY, secrets.token_hex(8)])
            return str(db.execute("SELECT value FROM settings WHERE key = ?", [IDENTITY]).fetchone()["value"])

        return await self.database.write(work)

    async def tell_once(self, key: str, story: Sequence[Outgoing]) -> None:
        """Says it the first time that this is asked for `key`, and never again."""

        def work(db: sqlite_utils.Database) -> None:
            put = db.execute("INSERT OR IGNORE INTO settings (key, value) VALUES (?, ?)", [key, repr(self.clock())])
            if put.rowcount == 1:
                outbox.put(db, self.clock(), story)

        await self.database.write(work)
        self._news.set()

    async def day_is_over(self, key: str, day_s: float) -> bool:
        """Whether a day has passed since this last said yes for `key`; the first time only starts the day."""

        def work(db: sqlite_utils.Database) -> bool:
            now = self.clock()
            row = db.execute("SELECT value FROM settings WHERE key = ?", [key]).fetchone()
            # A day that began ahead of now was begun by a clock that was wrong.
            over = row is not None and not -day_s < now - float(row["value"]) < day_s
            if row is None or over:
                db.table("settings").upsert({"key": key, "value": repr(now)}, pk="key")
            return over

        return await self.database.write(work)
