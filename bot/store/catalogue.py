"""The part of the store that keeps the catalogue of backups. The archive is the truth; this is what is quick to ask."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec
import sqlite_utils

from bot.domain.audit import Tag
from bot.domain.catalogue import Backup, BackupState, Proof, Shown, Verification, looked_at, merged
from bot.errors import NotFound
from bot.store import audit, rows
from bot.store.audit import Note
from bot.store.database import Database


class Catalogue:
    """Backups."""

    database: Database
    clock: Callable[[], float]

    async def backups(self, *, guest: str = "", limit: int | None = None) -> Sequence[Backup]:
        """Newest first, at most `limit`; `guest` (a UUID) keeps only its own. Those that are gone are left out."""
        where, values = ("AND guest = ?", [guest]) if guest else ("", [])
        most = -1 if limit is None else limit
        query = f"SELECT * FROM backups WHERE state <> ? {where} ORDER BY at DESC, id DESC LIMIT ?"  # noqa: S608  marks
        return await self.database.read(
            lambda db: [_backup(row) for row in db.execute(query, [BackupState.GONE.value, *values, most]).fetchall()]
        )

    async def backup(self, identity: str) -> Backup:
        """The backup of that id. Raises NotFound."""
        return await self.database.read(lambda db: _one(db, identity))

    async def keep_backup(self, backup: Backup) -> None:
        """Catalogues a backup, or what is new of one that is known."""
        await self.database.write(lambda db: _put(db, backup))

    async def verified_backup(self, found: Backup, job: int) -> Backup:
        """Catalogues a backup with the newest look at it, which the job has made; gives it as it is known now."""

        def work(db: sqlite_utils.Database) -> Backup:
            look = found.verified
            known = _maybe(db, found.id) or found
            backup = looked_at(known, look) if look is not None else known
            _put(db, backup)
            if look is not None:
                detail = {
                    "backup": backup.id,
                    "how": look.how.value,
                    "damage": list(look.damage),
                    "note": look.note,
                    "job": job,
                }
                note = Note(Tag.BACKUP_VERIFIED, rows.job(db, job).team, look.who, detail)
                audit.append(db, self.clock(), note, None, (backup.guest, backup.name))
            return backup

        return await self.database.write(work)

    async def rebuild_backups(self, shown: Shown, *, among: Collection[str] | None = None) -> tuple[int, int]:
        """Makes the catalogue say what the archive shows; how many entries came or changed, and how many are gone.

        With `among` (ids) only those can be gone: what came while the archive was read is in no list yet.
        """

        def work(db: sqlite_utils.Database) -> tuple[int, int]:
            every = [_backup(row) for row in db.execute("SELECT * FROM backups").fetchall()]
            there = {one.id for one in shown.backups}
            known = [one for one in every if among is None or one.id in among or one.id in there]
            before = {one.id: one for one in known}
            changed = [one for one in merged(known, shown) if before.get(one.id) != one]
            for one in changed:
                _put(db, one)
            gone = sum(one.state is BackupState.GONE for one in changed)
            return len(changed) - gone, gone

        return await self.database.write(work)


def _one(db: sqlite_utils.Database, identity: str) -> Backup:
    found = _maybe(db, identity)
    if found is None:
        raise NotFound("backup", identity)
    return found


def _maybe(db: sqlite_utils.Database, identity: str) -> Backup | None:
    row = db.execute("SELECT * FROM backups WHERE id = ?", [identity]).fetchone()
    return _backup(row) if row is not None else None


def _put(db: sqlite_utils.Database, backup: Backup) -> None:
    db.table("backups").upsert(_columns(backup), pk="id")


def _columns(backup: Backup) -> dict[str, Any]:
    verified = backup.verified
    columns = msgspec.structs.asdict(backup)
    del columns["verified"]
    return columns | {
        "state": backup.state.value,
        "verified_at": verified.at if verified else None,
        "verified_how": verified.how.value if verified else "",
        "verified_by": verified.who if verified else "",
        "note": verified.note if verified else "",
        "damage": msgspec.json.encode(verified.damage if verified else ()).decode(),
    }


def _backup(row: sqlite3.Row) -> Backup:
    verified = None
    if row["verified_at"] is not None:
        damage = tuple(msgspec.json.decode(row["damage"], type=tuple[str, ...]))
        verified = Verification(row["verified_at"], Proof(row["verified_how"]), row["verified_by"], damage, row["note"])
    return Backup(
        id=row["id"],
        guest=row["guest"],
        name=row["name"],
        pool=row["pool"],
        pool_name=row["pool_name"],
        at=row["at"],
        size=row["size"],
        sha256=row["sha256"],
        job=row["job"],
        who=row["who"],
        verified=verified,
        kept_until=row["kept_until"],
        state=BackupState(row["state"]),
    )
