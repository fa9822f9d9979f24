"""A store made by an earlier version is read as it is, and brought up to date without losing a job."""

from __future__ import annotations

import json
from pathlib import Path

import sqlite_utils

from bot.domain.calls import Call
from bot.domain.job import JobState
from bot.domain.plan import LockKey, Placement, Plan, Risk, Step, Target
from bot.domain.record import StepState
from bot.domain.texts import say
from bot.store import Reader, Store
from bot.store.migrations import MIGRATIONS
from bot.store.rows import plan_columns

NEW = ("glass", "reminded_at", "back_closed")


def first_version(path: Path) -> None:
    """A store of the first schema with one job in it, its plan without any later field."""
    db = sqlite_utils.Database(path)
    MIGRATIONS.apply(db, stop_before="m002_glass_and_reminder")
    plan = Plan(
        operation="migrate",
        pool="p-1",
        title=say("Migrate {vm}", vm="centos54"),
        targets=(Target("VM", "vm-1", "centos54"),),
        placements=(Placement("vm-1", "h-1", "Running", ()),),
        checks=(),
        risk=Risk.LOW,
        risk_reasons=(),
        steps=(Step("pool_migrate", say("Migrate"), Call("VM.pool_migrate", ())),),
        locks=(LockKey("VM", "vm-1", "centos54"),),
    )
    columns = plan_columns(plan)
    stored = json.loads(columns["plan"])
    for later in ("approvers", "back", "chosen", "others"):
        del stored[later]
    row = {
        **columns,
        "plan": json.dumps(stored),
        "state": "SUCCEEDED",
        "pool": "p-1",
        "operation": "migrate",
        "team": "T1",
        "requester": "U1",
        "reason": "",
        "channel": "C1",
        "target": "opaque",
        "approvers_needed": 0,
        "created_at": 1.0,
        "updated_at": 2.0,
        "expires_at": 3.0,
        "finished_at": 2.0,
    }
    assert not set(NEW) & set(row)
    db.table("jobs").insert(row)
    db.table("steps").insert({"job": 1, "index": 0, "kind": "pool_migrate", "state": "DONE", "parent": "task-1"})
    db.conn.commit()
    db.close()


async def test_a_store_of_the_first_version_is_read_and_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "xenbot.sqlite"
    first_version(path)
    reader = Reader(path)
    (before,) = reader.jobs()
    reader.close()
    assert (before.glass, before.reminded_at, before.back_closed) == (False, None, False)
    assert [(one.state, one.parent, one.nonce) for one in before.steps] == [(StepState.DONE, "task-1", "")]
    store = Store(path, lambda: 10_000.0)
    await store.open()
    try:
        after = await store.job(1)
        assert (after.state, after.plan.others, after.back_closed) == (JobState.SUCCEEDED, (), False)
        assert [(pool, one.parent, one.nonce) for pool, one in await store.open_parents()] == [("p-1", "task-1", "")]
        assert [one.number for one in await store.still_offering_back(900.0, ["migrate"])] == [1]
        await store.annotate(1, {"back_closed": 1})
        assert await store.still_offering_back(900.0, ["migrate"]) == []
        assert await store.still_offering_back(900.0, []) == []
    finally:
        await store.close()
