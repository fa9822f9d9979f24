"""Approval in the whole lab: broken glass is loud, and a rule of the day names who is missing."""

from __future__ import annotations

from story_lab import StoryLab, strings
from test_story import make_db1_fit


async def test_broken_glass_moves_the_guest_alone_and_reaches_every_approver(lab: StoryLab) -> None:
    await make_db1_fit(lab)
    await lab.xen("migrate db1 to xenserver3 reason host1 is on fire", who="admin")
    await lab.press(await lab.sees("Migrate db1", "on fire", "Confirm", who="admin"), "Confirm", who="admin")
    card = await lab.sees("Approval needed", "Break glass")
    await lab.press(card, "Break glass")
    await lab.sees("you need the break-glass role", private=True)
    await lab.press(card, "Break glass", who="admin")
    done = await lab.sees("db1 now runs on xenserver3", "NOT APPROVED")
    assert done["ts"] == card["ts"]
    assert (await lab.guest("db1"))["host"] == "xenserver3"
    await lab.sees("Glass broken", "on fire", who="viewer", private=False)

    async def told() -> bool:
        seen = await lab.call("lab.screen", "approver")
        return "Glass broken" in strings([one for one in seen["messages"] if one.get("channel", lab.ops) != lab.ops])

    await lab.until(told, "the alarm in the approver's own messages")
    await lab.xen("audit")
    await lab.sees("break-glass", private=True)


async def test_the_card_says_whether_the_pool_survives_and_why_it_is_risky(lab: StoryLab) -> None:
    await make_db1_fit(lab)
    await lab.xen("migrate db1 to xenserver3")
    card = await lab.sees("Migrate db1", "Confirm")
    text = strings(card)
    assert "high risk" in text
    assert "tagged critical" in text
    assert "the pool still survives the loss of any one host" in text
