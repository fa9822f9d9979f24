"""Bad days: whatever dies or gets lost, a job ends once, with the truth."""

from __future__ import annotations

from typing import Any

import pytest
from story_lab import StoryLab
from test_story import make_db1_fit


async def start(lab: StoryLab, at: float | None = 0.4) -> dict[str, Any]:
    """A migration of centos54 that stands at 40 % until released."""
    if at is not None:
        await lab.lab("datacentre", do="pause_tasks", at=at)
    await lab.xen("migrate centos54 to xenserver3")
    card = await lab.sees("Migrate centos54", "Confirm")
    await lab.press(card, "Confirm")
    return card


async def moving(lab: StoryLab) -> None:
    async def on_the_way() -> bool:
        guest = await lab.guest("centos54")
        return guest["operation"] is not None

    await lab.until(on_the_way, "a migration on its way")


async def release(lab: StoryLab) -> None:
    await lab.lab("datacentre", do="release_tasks")


async def arrived(lab: StoryLab) -> None:
    await lab.sees("centos54 now runs on xenserver3")
    assert (await lab.guest("centos54"))["host"] == "xenserver3"
    assert await lab.migrations() == 1
    await lab.xen("audit verify")
    await lab.sees("The audit trail is whole", private=True)


async def test_kill_9_in_the_middle_of_a_migration(lab: StoryLab) -> None:
    await start(lab)
    await moving(lab)
    await lab.lab("bot", do="kill")
    await release(lab)
    await lab.lab("bot", do="start")
    await arrived(lab)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_the_answer_of_the_migration_call_is_lost(lab: StoryLab, when: str) -> None:
    fault = {"method": "Async.VM.pool_migrate", "when": when, "action": "drop", "times": 1}
    await lab.lab("datacentre", do="arm", fault=fault)
    await start(lab, at=None)
    await arrived(lab)


async def test_a_click_made_while_the_bot_was_down_can_be_made_again(lab: StoryLab) -> None:
    await lab.xen("migrate centos54 to xenserver3")
    card = await lab.sees("Migrate centos54", "Confirm")
    await lab.lab("bot", do="kill")
    assert not (await lab.press(card, "Confirm"))["ok"]
    await lab.lab("bot", do="start")
    assert (await lab.press(card, "Confirm"))["ok"]
    await arrived(lab)


async def test_the_coordinator_moves_during_a_job(lab: StoryLab) -> None:
    await start(lab)
    await moving(lab)
    await lab.lab("datacentre", do="move_coordinator", pool="experiment", host="xenserver3")
    await release(lab)
    await arrived(lab)


async def test_all_sessions_expire_during_a_job(lab: StoryLab) -> None:
    await start(lab)
    await moving(lab)
    await lab.lab("datacentre", do="expire_sessions")
    await release(lab)
    await arrived(lab)


async def test_slack_drops_the_socket(lab: StoryLab) -> None:
    await lab.xen("migrate centos54 to xenserver3")
    card = await lab.sees("Migrate centos54", "Confirm")
    await lab.lab("slack", do="drop_sockets")

    async def pressed() -> bool:
        return bool((await lab.press(card, "Confirm"))["ok"])

    await lab.until(pressed, "a click that arrives")
    await arrived(lab)


async def test_slack_says_429_to_posts_and_edits(lab: StoryLab) -> None:
    for method in ("chat.postMessage", "chat.update"):
        await lab.lab("slack", do="fail", method=method, kind="429", times=2, retry_after=1)
    await start(lab, at=None)
    await arrived(lab)


async def test_the_answer_of_a_post_is_lost_and_the_card_stays_one(lab: StoryLab) -> None:
    await lab.lab("slack", do="fail", method="chat.postMessage", kind="drop_after", times=1)
    await lab.xen("migrate centos54 to xenserver3")
    card = await lab.sees("Migrate centos54", "Confirm")
    await lab.press(card, "Confirm")
    await arrived(lab)
    cards = [one for one in await lab.screen() if not one.get("is_ephemeral") and "job 1" in str(one)]
    assert len(cards) == 1


async def test_cancel_stops_a_migration_and_says_where_the_guest_is(lab: StoryLab) -> None:
    await start(lab)
    await moving(lab)
    card = await lab.sees("centos54", "Cancel", private=False)
    await lab.press(card, "Cancel")
    # It stands still all the while: released, it might arrive before the pool hears of the wish.
    await lab.sees("Cancelled", "xenserver1")
    assert (await lab.guest("centos54"))["host"] == "xenserver1"


async def test_a_guest_moved_by_someone_else_makes_the_approval_stale(lab: StoryLab) -> None:
    await make_db1_fit(lab)
    guest = await lab.guest("db1")
    await lab.xen("migrate db1 to xenserver3")
    card = await lab.sees("Migrate db1", "Confirm")
    await lab.press(card, "Confirm")
    card = await lab.sees("Approval needed", "Approve")
    other = next(host["uuid"] for host in (await lab.state())["hosts"] if host["name"] == "xenserver3")
    await lab.lab(
        "datacentre",
        do="set",
        **{"class": "VM", "uuid": guest["uuid"], "field": "resident_on", "value": other},
    )
    await lab.press(card, "Approve", who="approver")
    await lab.sees("not started", "db1", "Ask again")
    assert await lab.migrations() == 0
