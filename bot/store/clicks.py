"""Clicks and open choices: stored the moment they come, judged afterwards."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
import sqlite_utils

from bot.store.database import Database


class StoredClick(msgspec.Struct, frozen=True):
    """A click as stored: `target` is the opaque value of the button, `reason` what its person typed with it."""

    id: int
    target: str
    action: str
    team: str
    person: str
    channel: str
    message_ts: str
    at: float
    verdict: str
    reason: str
    job: int | None


class Pick(msgspec.Struct, frozen=True):
    """A command that waits for its person to say which of several objects was meant."""

    id: str
    person: str
    word: str
    written: dict[str, str]
    slot: str


class ClickBook:
    """The part of the store that keeps clicks and picks."""

    database: Database
    clock: Callable[[], float]

    async def note_click(
        self,
        *,
        target: str,
        action: str,
        team: str,
        person: str,
        channel: str,
        message_ts: str,
        at: float,
        reason: str = "",
    ) -> int:
        """One insert; when it returns the click survives anything."""
        row = {
            "target": target,
            "action": action,
            "team": team,
            "person": person,
            "channel": channel,
            "message_ts": message_ts,
            "at": at,
            "reason": reason,
        }
        return int(await self.database.write(lambda db: int(db.table("approvals").insert(row).last_pk or 0)))

    async def unsettled_clicks(self) -> Sequence[StoredClick]:
        """Clicks that were stored and never judged: the bot died in between."""
        return await self.database.write(
            lambda db: [
                _click(row)
                for row in db.execute("SELECT * FROM approvals WHERE verdict = 'noted' ORDER BY id").fetchall()
            ]
        )

    async def click(self, number: int) -> StoredClick:
        """One stored click."""
        return await self.database.write(
            lambda db: _click(db.execute("SELECT * FROM approvals WHERE id = ?", [number]).fetchone())
        )

    async def refuse_click(self, number: int, job: int | None) -> None:
        """The click counts for nothing."""
        await self.close_click(number, job, "refused")

    async def close_click(self, number: int, job: int | None, verdict: Literal["counted", "refused"]) -> bool:
        """Judges a click; False for one that was judged before, which stays as it is."""

        def work(db: sqlite_utils.Database) -> bool:
            changed = db.execute(
                "UPDATE approvals SET verdict = ?, job = ? WHERE id = ? AND verdict = 'noted'", [verdict, job, number]
            )
            return bool(changed.rowcount)

        return await self.database.write(work)

    def count_click(self, db: sqlite_utils.Database, click: int, job: int) -> None:
        """The click counts; part of the transaction that acts on it."""
        db.execute("UPDATE approvals SET verdict = 'counted', job = ? WHERE id = ?", [job, click])

    async def job_of(self, target: str) -> int | None:
        """The job whose card carries this opaque id."""

        def work(db: sqlite_utils.Database) -> int | None:
            row = db.execute("SELECT number FROM jobs WHERE target = ?", [target]).fetchone()
            return int(row["number"]) if row else None

        return await self.database.write(work)

    async def keep_pick(self, person: str, word: str, written: dict[str, str], slot: str) -> str:
        """Remembers a command for an hour until its person has chosen; gives the opaque id."""
        identity = secrets.token_urlsafe(12)
        row = {
            "id": identity,
            "person": person,
            "word": word,
            "written": msgspec.json.encode(written).decode(),
            "slot": slot,
            "expires_at": self.clock() + 3600,
        }

        def work(db: sqlite_utils.Database) -> None:
            db.execute("DELETE FROM picks WHERE expires_at < ?", [self.clock()])
            db.table("picks").insert(row)

        await self.database.write(work)
        return identity

    async def pick(self, identity: str) -> Pick | None:
        """The remembered command, if its hour is not over."""

        def work(db: sqlite_utils.Database) -> Pick | None:
            row = db.execute(
                "SELECT * FROM picks WHERE id = ? AND expires_at >= ?", [identity, self.clock()]
            ).fetchone()
            if row is None:
                return None
            written = msgspec.json.decode(row["written"], type=dict[str, str])
            return Pick(row["id"], row["person"], row["word"], written, row["slot"])

        return await self.database.write(work)


def _click(row: object) -> StoredClick:
    return StoredClick(**{name: row[name] for name in StoredClick.__struct_fields__})  # type: ignore[index]  # a row
