"""A job as the store keeps it, of any plan, and a click on its card."""

from __future__ import annotations

from typing import Any

import msgspec

from bot.domain.job import JobState
from bot.domain.plan import Plan
from bot.domain.record import JobRecord, proposed
from bot.store import Store
from bot.store.clicks import StoredClick


def job_of(plan: Plan, state: JobState = JobState.PROPOSED, **changes: Any) -> JobRecord:
    """A job of U1 in C1 which nobody has decided on, unless changed."""
    made = proposed(plan, target="t", at=1.0, expires_at=2.0, team="T1", requester="U1", reason="", channel="C1")
    return msgspec.structs.replace(made, state=state, **changes)


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
