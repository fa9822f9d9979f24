"""Writing and reading the audit chain."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import msgspec
import sqlite_utils

from bot.domain.audit import ANY, GENESIS, Entry, Tag, Wanted, seal
from bot.domain.record import JobRecord
from bot.domain.texts import clean
from bot.store.rows import MAKERS, encode


class Note(msgspec.Struct, frozen=True):
    """What the caller wants written: who did what; `detail` must never hold a secret."""

    tag: Tag
    team: str
    actor: str
    detail: dict[str, Any] = {}
    task: str = ""


def append(
    db: sqlite_utils.Database,
    at: float,
    note: Note,
    record: JobRecord | None = None,
    target: tuple[str, str] = ("", ""),
) -> Entry:
    """The entry as written, chained to the one before it; part of the caller's transaction."""
    last = db.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    if record is not None:
        target = (record.plan.targets[0].uuid, record.plan.targets[0].name)
    draft = Entry(
        seq=(last["seq"] if last else 0) + 1,
        at=dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="microseconds"),
        team=note.team,
        actor=note.actor,
        tag=note.tag.value,
        job=record.number if record else None,
        target_uuid=target[0],
        target_name=clean(target[1]),
        digest=record.digest if record else "",
        task=note.task,
        detail=encode(note.detail),
        previous=last["hash"] if last else GENESIS,
        hash="",
    )
    entry = msgspec.structs.replace(draft, hash=seal(draft))
    db.table("audit").insert(msgspec.structs.asdict(entry))
    return entry


def _entry(row: Any) -> Entry:  # noqa: ANN401  sqlite3.Row is untyped
    return Entry(**{name: row[name] for name in Entry.__struct_fields__})


def newest(db: sqlite_utils.Database, *, limit: int, skip: int = 0, wanted: Wanted = ANY) -> list[Entry]:
    """The last entries that fit, newest first; about an object are also those of the job that made it."""
    rows = db.execute(
        f"""
        SELECT * FROM audit
        WHERE (:job IS NULL OR job = :job)
          AND (:actor = '' OR actor = :actor)
          AND (:target = '' OR target_uuid = :target OR job IN ({MAKERS.format(":target")}))
          AND (:target_name = '' OR target_name = :target_name OR target_uuid = :target_name)
          AND (:tags = '[]' OR tag IN (SELECT value FROM json_each(:tags)))
          AND (:since = '' OR at >= :since)
          AND (:until = '' OR at < :until)
        ORDER BY seq DESC LIMIT :limit OFFSET :skip
        """,  # noqa: S608  marks
        {**msgspec.structs.asdict(wanted), "tags": encode(wanted.tags), "limit": limit, "skip": skip},
    ).fetchall()
    return [_entry(row) for row in rows]


def actors(db: sqlite_utils.Database, limit: int) -> list[str]:
    """Who did something, the last to do so first."""
    rows = db.execute("SELECT actor FROM audit GROUP BY actor ORDER BY max(seq) DESC LIMIT ?", [limit]).fetchall()
    return [row["actor"] for row in rows]


def oldest_first(db: sqlite_utils.Database) -> Iterator[Entry]:
    """Every entry in order, read as it is needed."""
    for row in db.execute("SELECT * FROM audit ORDER BY seq"):
        yield _entry(row)
