"""Reactions, pins, bookmarks and messages for later, with the stock client."""

import asyncio

import pytest
from slack_clients import ALL_SCOPES, Json, bot, open_socket, person, until
from slack_sdk.errors import SlackApiError

from bot.lab.slack import Clock, Workplace


async def test_reactions_come_and_go(open_workplace: Workplace) -> None:
    web, ops = bot(open_workplace).web, open_workplace.channels["ops"]
    posted = await web.chat_postMessage(channel=ops, text="card")
    where = {"channel": ops, "timestamp": posted["ts"]}
    async with open_socket(open_workplace) as socket:
        await web.reactions_add(**where, name="eyes")
        await person(open_workplace, "viewer").web.reactions_add(**where, name="eyes")
        await web.reactions_remove(**where, name="eyes")
        events = [await socket.read_event(lambda event: "reaction" in event) for _ in range(3)]
    assert [event["type"] for event in events] == ["reaction_added", "reaction_added", "reaction_removed"]
    shown = (await web.reactions_get(**where))["message"]["reactions"]
    assert shown == [{"name": "eyes", "users": [open_workplace.people["viewer"].id], "count": 1}]
    listed = await person(open_workplace, "viewer").web.reactions_list()
    assert [item["message"]["ts"] for item in listed["items"]] == [posted["ts"]]


@pytest.mark.parametrize(
    ("method", "given", "error"),
    [
        ("reactions.add", {"name": ":eyes:"}, "invalid_name"),
        ("reactions.add", {"name": "eyes", "timestamp": "1.000001"}, "message_not_found"),
        ("reactions.add", {"name": "eyes", "timestamp": "yesterday"}, "bad_timestamp"),
        ("reactions.remove", {"name": "eyes"}, "no_reaction"),
        ("pins.remove", {}, "no_pin"),
        ("pins.add", {"timestamp": "1.000001"}, "message_not_found"),
    ],
)
async def test_wrong_marks_have_slacks_codes(open_workplace: Workplace, method: str, given: Json, error: str) -> None:
    ops = open_workplace.channels["ops"]
    posted = await bot(open_workplace).post("chat.postMessage", channel=ops, text="card")
    arguments = {"channel": ops, "timestamp": posted["ts"], **given}
    assert (await bot(open_workplace).post(method, **arguments))["error"] == error


async def test_pins_are_listed_latest_first(open_workplace: Workplace) -> None:
    web, ops = bot(open_workplace).web, open_workplace.channels["ops"]
    posts = [await web.chat_postMessage(channel=ops, text=str(number)) for number in range(2)]
    for posted in posts:
        await web.pins_add(channel=ops, timestamp=posted["ts"])
    with pytest.raises(SlackApiError, match="already_pinned"):
        await web.pins_add(channel=ops, timestamp=posts[0]["ts"])
    items = (await web.pins_list(channel=ops))["items"]
    assert [item["message"]["text"] for item in items] == ["1", "0"]
    await web.pins_remove(channel=ops, timestamp=posts[1]["ts"])
    assert len((await web.pins_list(channel=ops))["items"]) == 1


async def test_bookmarks_are_added_edited_and_removed(open_workplace: Workplace) -> None:
    web, ops = bot(open_workplace).web, open_workplace.channels["ops"]
    added = await web.bookmarks_add(channel_id=ops, title="Runbook", type="link", link="https://example.com/runbook")
    mark = added["bookmark"]["id"]
    await web.bookmarks_edit(bookmark_id=mark, channel_id=ops, title="The runbook")
    [listed] = (await web.bookmarks_list(channel_id=ops))["bookmarks"]
    assert (listed["title"], listed["link"]) == ("The runbook", "https://example.com/runbook")
    with pytest.raises(SlackApiError, match="invalid_link"):
        await web.bookmarks_add(channel_id=ops, title="x", type="link", link="javascript:alert(1)")
    await web.bookmarks_remove(bookmark_id=mark, channel_id=ops)
    assert (await web.bookmarks_list(channel_id=ops))["bookmarks"] == []


async def test_message_for_later_is_posted_at_its_time_or_cancelled(still_workplace: Workplace, clock: Clock) -> None:
    web, ops = bot(still_workplace).web, still_workplace.channels["ops"]
    later = int(clock.now()) + 3600
    kept = await web.chat_scheduleMessage(channel=ops, post_at=later, text="an hour on")
    dropped = await web.chat_scheduleMessage(channel=ops, post_at=later, text="never")
    listed = (await web.chat_scheduledMessages_list(channel=ops))["scheduled_messages"]
    assert {each["id"] for each in listed} == {each["scheduled_message_id"] for each in (kept, dropped)}
    await web.chat_deleteScheduledMessage(channel=ops, scheduled_message_id=dropped["scheduled_message_id"])

    async def read() -> list[str]:
        return [each["text"] for each in (await web.conversations_history(channel=ops))["messages"]]

    await clock.advance(3599)
    assert await read() == []
    seen = still_workplace.revision()
    await clock.advance(1)
    await until(still_workplace, lambda: still_workplace.revision() > seen)
    assert await read() == ["an hour on"]
    assert (await web.chat_scheduledMessages_list())["scheduled_messages"] == []


@pytest.mark.parametrize(
    ("seconds", "error"), [(-1, "time_in_past"), (121 * 24 * 3600, "time_too_far"), (None, "invalid_time")]
)
async def test_wrong_times_are_refused(workplace: Workplace, seconds: int | None, error: str) -> None:
    now = int((await workplace.do({"do": "hold_clock", "on": True}))["now"])
    post_at = "tomorrow" if seconds is None else now + seconds
    arguments = {"channel": workplace.channels["ops"], "text": "x", "post_at": post_at}
    assert (await bot(workplace).post("chat.scheduleMessage", **arguments))["error"] == error


async def test_thirty_messages_in_five_minutes_are_the_most(still_workplace: Workplace, clock: Clock) -> None:
    ops, later = still_workplace.channels["ops"], (int(clock.now()) // 300 + 10) * 300
    posts = (
        bot(still_workplace).post("chat.scheduleMessage", channel=ops, text=str(n), post_at=later + n)
        for n in range(31)
    )
    answers = await asyncio.gather(*posts)
    assert [answer["error"] for answer in answers if not answer["ok"]] == ["restricted_too_many"]


async def test_links_to_the_apps_domain_are_told_and_unfurled() -> None:
    workplace = Workplace(
        port=0, scopes=ALL_SCOPES, events=("link_shared", "message.channels"), unfurl_domains=("example.com",)
    )
    await workplace.start()
    try:
        ops, url = workplace.channels["ops"], "https://jobs.example.com/7?a=1"
        async with open_socket(workplace) as socket:
            said = await person(workplace, "viewer").post(
                "chat.postMessage", channel=ops, text=f"see <{url}|job 7> and https://example.org/x"
            )
            event = await socket.read_event(lambda event: event["type"] == "link_shared")
            assert event["links"] == [{"url": url, "domain": "example.com"}]
            assert event["message_ts"] == said["ts"]
            web, where = bot(workplace).web, {"channel": ops, "ts": said["ts"]}
            with pytest.raises(SlackApiError, match="cannot_unfurl_url"):
                await web.chat_unfurl(**where, unfurls={"https://example.org/x": {"text": "no"}})
            await web.chat_unfurl(**where, unfurls={url: {"blocks": [{"type": "divider"}]}})
            changed = await socket.read_event(lambda event: event.get("subtype") == "message_changed")
        assert changed["message"]["attachments"][0]["from_url"] == url
    finally:
        await workplace.stop()


async def test_app_sold_outside_the_marketplace_reads_history_slowly(clock: Clock) -> None:
    workplace = Workplace(port=0, clock=clock, is_distributed=True)
    await workplace.start()
    try:
        ops = workplace.channels["ops"]
        for number in range(20):
            await person(workplace, "viewer").post("chat.postMessage", channel=ops, text=str(number))
        web = bot(workplace).web
        assert len((await web.conversations_history(channel=ops, limit=100))["messages"]) == 15
        with pytest.raises(SlackApiError) as refused:
            await web.conversations_history(channel=ops)
        await clock.advance(int(refused.value.response.headers["Retry-After"]))
        assert (await web.conversations_history(channel=ops))["ok"]
    finally:
        await workplace.stop()


async def test_metadata_travels_with_a_message_for_later_and_work_objects_come_alone(
    still_workplace: Workplace, clock: Clock
) -> None:
    web, ops = bot(still_workplace).web, still_workplace.channels["ops"]
    metadata = {"event_type": "xen_job", "event_payload": {"job": 7}}
    later = await web.chat_scheduleMessage(channel=ops, post_at=int(clock.now()) + 60, text="x", metadata=metadata)
    assert later["message"]["metadata"] == metadata
    entity = {"entity_type": "slack#/entities/task", "external_ref": {"id": "7"}, "url": "https://example.com/7"}
    posted = await web.chat_postMessage(channel=ops, text="job 7", metadata={"entities": [entity]})
    assert posted["message"]["metadata"]["entities"] == [entity]
