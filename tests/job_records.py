"""A job as the store keeps it, of any plan, and a click on its card."""

from __future__ import annotations

from typing import Any

from bot.domain.job import JobState
from bot.domain.plan import Plan, ceiling, digest
from bot.domain.record import JobRecord
from bot.store import Store
from bot.store.clicks import StoredClick


def job_of(plan: Plan, state: JobState = JobState.PROPOSED, **changes: Any) -> JobRecord:
    """A job of U1 in C1 which nobody has decided on, unless changed."""
    made: dict[str, Any] = {
        "number": 0,
        "state": state,
        "pool": plan.pool,
        "operation": plan.operation,
        "plan": plan,
        "digest": digest(plan),
        "ceiling": ceiling(plan),
        "team": "T1",
        "requester": "U1",
        "reason": "",
        "channel": "C1",
        "card_ts": "",
        "target": "t",
        "created_at": 1.0,
        "updated_at": 1.0,
        "expires_at": 2.0,
        "started_at": None,
        "finished_at": None,
        "approvers_needed": 0,
    }
    return JobRecord(**{**made, **changes})


async def clicked(store: Store, target: str, action: str, person: str, reason: str = "") -> StoredClick:
    """What is stored when somebody presses a button of that target."""
    click = await store.note_click(
        target=target,
        action=action,
        team="T",
        person=person,
        channel="C1",
        message_ts="",
        at=store.clock(),
        reason=reason,
    )
    return await store.click(click)
