"""The audit trail through Slack's door: filtered, and as a file in a thread."""

from __future__ import annotations

from typing import Any

from story_lab import StoryLab


async def test_the_trail_of_one_guest_is_listed_and_exported_into_a_thread(lab: StoryLab) -> None:
    await lab.xen("migrate web-local to xenserver3")
    await lab.sees("web-local cannot be migrated", private=True)
    await lab.xen("migrate centos54 to xenserver3")
    await lab.press(await lab.sees("Migrate centos54", "Confirm"), "Confirm")
    await lab.sees("centos54 now runs on xenserver3", private=False)
    await lab.xen("audit of centos54 action confirm since 1h")
    card = await lab.sees("Audit", "job:confirm", "1 entry", private=True)
    await lab.press(card, "As CSV")
    posted = await lab.sees("Audit export", "asked for by", private=False)

    async def attached() -> dict[str, Any] | None:
        thread = await lab.screen(thread_ts=posted["ts"])
        return next((file for message in thread for file in message.get("files", [])), None)

    file = await lab.until(attached, "a file in the thread")
    assert file["name"].startswith("xenbot-audit-")
    assert file["name"].endswith(".csv")
    await lab.sees("The file is in the thread", private=True)
    headers = {"Authorization": f"Bearer {lab.info['people']['operator']['token']}"}
    async with lab.http.get(file["url_private"], headers=headers) as answer:
        text = await answer.text()
    assert text.startswith("seq,at,team,actor,tag,job,target_uuid,target_name")
    assert text.count("job:confirm") == 1
    assert "web-local" not in text
