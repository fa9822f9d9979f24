"""Locks: a guest is held by one job; a host or SR is counted."""

from __future__ import annotations

import sqlite_utils

from bot.domain.plan import LockKey
from bot.errors import Refused


class Held(Refused):
    """Another job holds a guest this one needs; `job` is its number."""

    def __init__(self, name: str, job: int) -> None:
        super().__init__(
            f"{name} is busy with job {job}.",
            f"Wait until it ends (`/xen job {job}`) or cancel it (`/xen cancel {job}`).",
        )
        self.job = job


def take(db: sqlite_utils.Database, job: int, keys: tuple[LockKey, ...], at: float) -> None:
    """Takes all keys or none (the transaction is the caller's). Raises Held with the holder."""
    for key in keys:
        if key.exclusive:
            holder = db.execute("SELECT job FROM locks WHERE key = ? AND job <> ?", [key.text, job]).fetchone()
            if holder is not None:
                raise Held(key.name, holder["job"])
        db.table("locks").insert(
            {"key": key.text, "job": job, "name": key.name, "exclusive": int(key.exclusive), "taken_at": at},
            ignore=True,
        )


def release(db: sqlite_utils.Database, job: int) -> None:
    """Gives back everything a job holds."""
    db.execute("DELETE FROM locks WHERE job = ?", [job])


def may_start(db: sqlite_utils.Database, job: int, keys: tuple[LockKey, ...], limit: int) -> None:
    """Whether the job may start at this very moment; part of the transaction that starts it. Raises Refused."""
    if db.execute("SELECT 1 FROM settings WHERE key = 'freeze'").fetchone() is not None:
        raise Refused("Everything that changes a pool is frozen.")
    for key in keys:
        if not key.exclusive and len(running_with(db, key, job)) >= limit:
            raise Refused(f"{key.name} has enough to do.")


def running_with(db: sqlite_utils.Database, key: LockKey, job: int) -> list[int]:
    """The other running jobs that hold this key."""
    rows = db.execute(
        "SELECT locks.job FROM locks JOIN jobs ON jobs.number = locks.job"
        " WHERE locks.key = ? AND locks.job <> ? AND jobs.state = 'RUNNING'",
        [key.text, job],
    ).fetchall()
    return [row["job"] for row in rows]
