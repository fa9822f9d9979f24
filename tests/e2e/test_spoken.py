"""Who writes to the bot as to a colleague is answered, as far as it is looking; through Slack's door."""

from __future__ import annotations

from typing import Any

from story_lab import StoryLab, strings


async def direct(lab: StoryLab, who: str) -> str:
    """The conversation of a person with the bot."""
    opened = await lab.call("conversations.open", who, users=await bot_user(lab))
    assert opened["ok"], opened
    return str(opened["channel"]["id"])


async def bot_user(lab: StoryLab) -> str:
    members = (await lab.call("users.list", "viewer"))["members"]
    return next(str(one["id"]) for one in members if one["is_bot"] and one["name"] == "xenbot")


async def answered(lab: StoryLab, channel: str, who: str, *words: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        seen = await lab.call("lab.screen", who, channel=channel)
        for message in reversed(seen["messages"]):
            if message.get("bot_id") and all(word.casefold() in strings(message).casefold() for word in words):
                return message
        return None

    return await lab.until(look, " + ".join(words))


async def test_a_question_in_a_direct_message_is_answered_there_once(lab: StoryLab) -> None:
    channel = await direct(lab, "viewer")
    for text, words in (
        ("status", ("experiment", "xenserver1", "facts")),
        ("／ｘｅｎ　status winxp", ("winxp is running on xenserver1",)),
        ("whoami", ("viewer",)),
        ("dance", ("I did not understand", "dance")),
    ):
        assert (await lab.call("chat.postMessage", "viewer", channel=channel, text=text))["ok"]
        message = await answered(lab, channel, "viewer", *words)
        assert not message.get("is_ephemeral")
    root = (await lab.call("chat.postMessage", "viewer", channel=channel, text="jobs"))["ts"]
    await answered(lab, channel, "viewer", "No job yet")
    await lab.call("chat.postMessage", "viewer", channel=channel, text="whoami", thread_ts=root)

    async def below() -> bool:
        seen = await lab.call("lab.screen", "viewer", channel=channel, thread_ts=root)
        return any(one.get("bot_id") and "viewer" in strings(one) for one in seen["messages"])

    await lab.until(below, "an answer in the thread")
    seen = (await lab.call("lab.screen", "viewer", channel=channel))["messages"]
    assert len([one for one in seen if one.get("bot_id")]) == 5


async def test_a_message_asks_for_no_change_and_strangers_get_nothing(lab: StoryLab) -> None:
    channel = await direct(lab, "operator")
    await lab.call("chat.postMessage", "operator", channel=channel, text="migrate centos54 to xenserver3")
    await answered(lab, channel, "operator", "In a message I only answer questions", "/xen migrate")
    await lab.call("chat.postMessage", "operator", channel=channel, text="cancel 1")
    await answered(lab, channel, "operator", "cancel", "acts")
    assert not any("Migrate centos54" in strings(one) for one in await lab.screen())
    guest = await direct(lab, "guest")
    await lab.call("chat.postMessage", "guest", channel=guest, text="status")
    message = await answered(lab, guest, "guest", "guests may not use me")
    assert "xenserver1" not in strings(message)
    await lab.xen("audit action refuse", who="viewer")
    await lab.sees("3 entries", "command:refuse", who="viewer", private=True)


async def test_a_mention_and_a_full_width_slash_are_answered_to_their_writer_alone(lab: StoryLab) -> None:
    bot = await bot_user(lab)

    async def private(number: int) -> list[dict[str, Any]] | None:
        found = [one for one in await lab.screen() if one.get("is_ephemeral")]
        return found if len(found) == number else None

    for number, text in enumerate((f"<@{bot}> status", "／xen status"), 1):
        await lab.call("chat.postMessage", "operator", channel=lab.ops, text=text)
        newest = (await lab.until(lambda number=number: private(number), text) or [])[-1]
        assert "xenserver1" in strings(newest)
        assert "facts" in strings(newest)
    for text in (f"ask <@{bot}> about it", "the status of /xen", "xen status"):
        await lab.call("chat.postMessage", "operator", channel=lab.ops, text=text)
    # An answer to any of them would have come before the answer to what is asked last.
    await lab.call("chat.postMessage", "operator", channel=lab.ops, text=f"<@{bot}>: whoami")
    await lab.sees("operator", "role", private=True)
    assert await private(3)
    assert not any(one.get("is_ephemeral") for one in await lab.screen("viewer"))
