"""Why somebody said no, or ran a job alone, is asked for and stays with the job; through Slack's door."""

from __future__ import annotations

from story_lab import StoryLab, strings
from test_dialogues import typed, view
from test_story import make_db1_fit


async def approval_needed(lab: StoryLab, who: str = "operator") -> dict:
    await make_db1_fit(lab)
    await lab.xen("migrate db1 to xenserver3", who=who)
    await lab.press(await lab.sees("Migrate db1", "Confirm", who=who), "Confirm", who=who)
    return await lab.sees("Approval needed: Migrate db1")


async def test_a_denial_counts_at_once_and_its_reason_follows_onto_card_thread_and_audit(lab: StoryLab) -> None:
    card = await approval_needed(lab)
    await lab.press(card, "Deny", who="viewer")
    await view(lab, "To deny a job you need the approver role", who="viewer")
    await lab.press(card, "Deny", who="approver")
    await lab.sees("Denied: Migrate db1")
    form = await view(lab, "Denied: Migrate db1", "It is denied already", who="approver")
    answer = await lab.call("views.submit", "approver", view_id=form["id"], values=typed("reason", "*backup* runs"))
    assert answer["ok"], answer
    await view(lab, "Told in the thread of job 1", who="approver")
    denied = await lab.sees("Denied: Migrate db1", "*backup* runs")
    assert denied["ts"] == card["ts"]
    await lab.sees("says why", "*backup* runs", thread_ts=card["ts"])
    await lab.xen("job 1")
    await lab.sees("denied by", "*backup* runs", private=True)
    await lab.xen("audit action explain-denial")
    await lab.sees("1 entry", "job:explain-denial", private=True)


async def test_glass_without_a_reason_asks_for_it_first(lab: StoryLab) -> None:
    card = await approval_needed(lab, who="admin")
    await lab.press(card, "Break glass")
    await view(lab, "you need the break-glass role")
    await lab.press(card, "Break glass", who="admin")
    form = await view(lab, "Run it without approval", "told at once", who="admin")
    assert not (await lab.call("views.submit", "admin", view_id=form["id"], values=typed("reason", " ")))["ok"]
    assert "NOT APPROVED" not in strings(await lab.screen("admin"))
    await lab.call("views.submit", "admin", view_id=form["id"], values=typed("reason", "host1 is on fire"))
    await view(lab, "It runs without approval", who="admin")
    await lab.sees("db1 now runs on xenserver3", "NOT APPROVED")
    await lab.sees("Glass broken", "host1 is on fire", who="viewer", private=False)
