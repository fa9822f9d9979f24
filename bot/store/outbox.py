"""The outbox: what must reach Slack, written in the transaction of what it tells, drained by `bot.slack.delivery`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlite_utils

from bot.domain.message import Message
from bot.domain.parcel import Parcel, Place
from bot.domain.record import JobRecord
from bot.store.rows import encode


class Outgoing(msgspec.Struct, frozen=True):
    """Something a job or a command wants said. A "card" replaces the job's card that waits to be sent, if one does.

    `edit_only` is for a card that only tidies the one that stands there, and is no news where that one is gone.
    """

    kind: str
    message: Message
    urgent: bool = True
    channel: str = ""
    person: str = ""
    edit_only: bool = False


def put(
    db: sqlite_utils.Database, at: float, outgoing: Sequence[Outgoing], record: JobRecord | None = None
) -> list[int]:
    """Adds messages, in order, and gives their ids.

    The newest card of a job wins; urgency and earlier attempts are inherited.
    """
    ids = []
    for item in outgoing:
        urgent, attempts, edit_only = item.urgent, 0, item.edit_only
        if item.kind == "card" and record is not None:
            waiting = db.execute(
                "SELECT id, urgent, attempts, edit_only FROM outbox WHERE job = ? AND kind = 'card' AND state = 'due'",
                [record.number],
            ).fetchone()
            if waiting is not None:
                urgent, attempts = urgent or bool(waiting["urgent"]), waiting["attempts"]
                edit_only = edit_only and bool(waiting["edit_only"])
                db.execute("UPDATE outbox SET state = 'superseded' WHERE id = ?", [waiting["id"]])
        row = db.table("outbox").insert(
            {
                "kind": item.kind,
                "job": record.number if record else None,
                "channel": item.channel or (record.channel if record else ""),
                "person": item.person,
                "urgent": int(urgent),
                "message": encode(item.message),
                "nonce": "",
                "attempts": attempts,
                "edit_only": int(edit_only),
                "created_at": at,
            }
        )
        # A card keeps one mark for life, so that a post whose answer was lost is found whichever state it showed.
        nonce = f"card:{record.target}" if item.kind == "card" and record else f"parcel:{row.last_pk}:{at:.6f}"
        db.execute("UPDATE outbox SET nonce = ? WHERE id = ?", [nonce, row.last_pk])
        ids.append(int(row.last_pk or 0))
    return ids


def correct(db: sqlite_utils.Database, at: float, post: int, message: Message) -> None:
    """Replaces a post by what is true now, once it is in Slack; nothing where it never will be."""
    first = db.execute("SELECT channel FROM outbox WHERE id = ? AND state IN ('due', 'sent')", [post]).fetchone()
    if first is None:
        return
    (number,) = put(db, at, [Outgoing("card", message, urgent=False, channel=first["channel"], edit_only=True)])
    db.execute("UPDATE outbox SET corrects = ? WHERE id = ?", [post, number])


def due(db: sqlite_utils.Database, at: float, limit: int) -> list[Parcel]:
    """What can be sent now: urgent before progress, in order within a thread, replies only below a posted card."""
    rows = db.execute(
        """
        SELECT outbox.*, coalesce(jobs.card_ts, first.ts, '') AS card_ts,
          coalesce(jobs.requester, outbox.person) AS asker
        FROM outbox LEFT JOIN jobs ON jobs.number = outbox.job LEFT JOIN outbox AS first ON first.id = outbox.corrects
        WHERE outbox.state = 'due' AND outbox.not_before <= :at
          AND ((outbox.kind <> 'reply' AND outbox.edit_only = 0) OR coalesce(jobs.card_ts, first.ts, '') <> '')
          AND NOT EXISTS (
            SELECT 1 FROM outbox AS earlier
            WHERE earlier.job = outbox.job AND earlier.kind = 'reply' AND outbox.kind = 'reply'
              AND earlier.state = 'due' AND earlier.id < outbox.id)
        ORDER BY outbox.urgent DESC, outbox.id LIMIT :limit
        """,
        {"at": at, "limit": limit},
    ).fetchall()
    return [
        Parcel(
            id=row["id"],
            kind=row["kind"],
            channel=row["channel"],
            job=row["job"],
            thread_ts=row["card_ts"] if row["kind"] == "reply" else "",
            message_ts=row["card_ts"] if row["kind"] == "card" else "",
            user=row["person"],
            urgent=bool(row["urgent"]),
            message=msgspec.json.decode(row["message"], type=Message),
            attempts=row["attempts"],
            nonce=row["nonce"],
            edit_only=bool(row["edit_only"]),
            asker=row["asker"],
        )
        for row in rows
    ]


def attempted(db: sqlite_utils.Database, parcel: int) -> None:
    """A post is about to be tried; from now on its outcome may be unknown."""
    job = db.execute("SELECT job, kind FROM outbox WHERE id = ?", [parcel]).fetchone()
    db.execute("UPDATE outbox SET attempts = attempts + 1 WHERE id = ?", [parcel])
    if job is not None and job["kind"] == "card":
        # A newer card may have replaced this one meanwhile; it must look for the post as well.
        db.execute(
            "UPDATE outbox SET attempts = max(attempts, 1) WHERE job = ? AND kind = 'card' AND state = 'due'",
            [job["job"]],
        )


def delivered(db: sqlite_utils.Database, parcel: int, ts: str) -> None:
    """It is in Slack; a card's message ts is remembered with its job."""
    row = db.execute("SELECT job, kind FROM outbox WHERE id = ?", [parcel]).fetchone()
    db.execute("UPDATE outbox SET state = 'sent', ts = ? WHERE id = ? AND state <> 'superseded'", [ts, parcel])
    if row is not None and row["kind"] == "card" and ts:
        # A card that was posted anew is somewhere else.
        db.execute(
            "UPDATE jobs SET card_ts = ?, card_link = '' WHERE number = ? AND card_ts <> ?", [ts, row["job"], ts]
        )


def unlinked(db: sqlite_utils.Database, limit: int) -> list[Place]:
    """Cards in Slack whose address is not known yet, the newest first."""
    rows = db.execute(
        "SELECT number, channel, card_ts FROM jobs WHERE card_ts <> '' AND card_link = '' ORDER BY number DESC LIMIT ?",
        [limit],
    ).fetchall()
    return [Place(row["number"], row["channel"], row["card_ts"]) for row in rows]


def linked(db: sqlite_utils.Database, place: Place, link: str) -> None:
    """Where a card is; nothing when it has been posted anew meanwhile."""
    db.execute("UPDATE jobs SET card_link = ? WHERE number = ? AND card_ts = ?", [link, place.job, place.message_ts])


def failed(db: sqlite_utils.Database, at: float, parcel: int, error: str, retry_after_s: float | None) -> None:
    """It did not arrive; tried again after that many seconds, or never when None."""
    if retry_after_s is None:
        db.execute("UPDATE outbox SET state = 'dead', error = ? WHERE id = ? AND state = 'due'", [error, parcel])
        db.execute("UPDATE outbox SET state = 'superseded' WHERE corrects = ? AND state = 'due'", [parcel])
    else:
        db.execute("UPDATE outbox SET not_before = ?, error = ? WHERE id = ?", [at + retry_after_s, error, parcel])


def told_elsewhere(db: sqlite_utils.Database, at: float, parcel: int, channel: str, message: Message) -> None:
    """Puts a message into another place, once for a parcel that its own channel refuses."""
    marked = db.execute("UPDATE outbox SET elsewhere = 1 WHERE id = ? AND elsewhere = 0", [parcel]).rowcount
    if not marked:
        return
    row = db.execute(
        "SELECT coalesce(jobs.requester, outbox.person) AS asker FROM outbox LEFT JOIN jobs ON jobs.number = outbox.job"
        " WHERE outbox.id = ?",
        [parcel],
    ).fetchone()
    # Where this place is shut as well, the person who asked is left.
    asker = row["asker"] if row["asker"] != channel else ""
    put(db, at, [Outgoing("post", message, channel=channel, person=asker)])


def try_again(db: sqlite_utils.Database, channel: str) -> None:
    """What waits for a channel need wait no longer."""
    db.execute("UPDATE outbox SET not_before = 0 WHERE state = 'due' AND channel = ?", [channel])


def depth(db: sqlite_utils.Database) -> int:
    """How many messages wait."""
    return int(db.execute("SELECT count(*) FROM outbox WHERE state = 'due'").fetchone()[0])
