"""Locks: a guest is held by one job; a host or SR is counted; a pool is held against every job in it."""

from __future__ import annotations

from typing import Final

import sqlite_utils

from bot.domain.job import JobState
from bot.domain.plan import LockKey, Plan
from bot.errors import Refused

# What every job holds of each pool that it works in.
_IN: Final = "in"


class Held(Refused):
    """Another job holds a guest this one needs; `job` is its number, `stuck` tells that it waits for a person."""

    def __init__(self, name: str, job: int, *, stuck: bool = False) -> None:
        busy = f"{name} is held by job {job}, which needs a person." if stuck else f"{name} is busy with job {job}."
        ends = f"Wait until it ends (`/xen job {job}`) or cancel it (`/xen cancel {job}`)."
        closes = f"`/xen job {job}` tells what is known; an admin closes it with `/xen resolve {job}`."
        super().__init__(busy, closes if stuck else ends)
        self.job = job
        self.stuck = stuck


def take(db: sqlite_utils.Database, job: int, plan: Plan, at: float) -> None:
    """Takes all keys of a plan or none (the transaction is the caller's). Raises Held with the holder."""
    held_up(db, job, plan)
    for key in (*plan.locks, *(LockKey(_IN, pool, plan.names.get(pool, pool)) for pool in plan.pools)):
        db.table("locks").insert(
            {"key": key.text, "job": job, "name": key.name, "exclusive": int(key.exclusive), "taken_at": at},
            ignore=True,
        )


def held_up(db: sqlite_utils.Database, job: int, plan: Plan) -> None:
    """Raises Held where another job holds what this one would hold alone, or for itself a pool that it works in."""
    wanted = {key.text: key.name for key in plan.locks if key.exclusive}
    # Whoever needs a pool for itself waits for all that work in it, and they for whoever has it so.
    wanted |= {f"{_IN}:{key.uuid}": key.name for key in plan.locks if key.kind == "pool"}
    wanted |= {f"pool:{pool}": "" for pool in plan.pools}
    for text, name in wanted.items():
        holder = db.execute(
            "SELECT locks.job, locks.name, jobs.state FROM locks JOIN jobs ON jobs.number = locks.job"
            " WHERE locks.key = ? AND locks.job <> ?",
            [text, job],
        ).fetchone()
        if holder is not None:
            stuck = holder["state"] == JobState.NEEDS_ATTENTION.value
            raise Held(name or holder["name"], holder["job"], stuck=stuck)


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
