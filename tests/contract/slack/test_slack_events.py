import asyncio
from collections.abc import AsyncIterator

import pytest
from slack_bolt.context.say.async_say import AsyncSay
from slack_clients import DEADLINE_S, Client, Connect, Json, Socket, bot, make_app, open_socket, person

from bot.lab.slack import Clock, Workplace

ALL_EVENTS = (
    "app_home_opened",
    "app_mention",
    "message.im",
    "message.channels",
    "member_joined_channel",
    "reaction_added",
)


@pytest.fixture
async def talkative() -> AsyncIterator[Workplace]:
    """A workplace whose app subscribes to everything."""
    started = Workplace(port=0, events=(*ALL_EVENTS, "user_change", "subteam_members_changed"))
    await started.start()
    yield started
    await started.stop()


async def _read_event(socket: Socket) -> Json:
    frame = await socket.read()
    await socket.ack(frame)
    assert frame["type"] == "events_api"
    payload: Json = frame["payload"]
    return payload


async def _direct(workplace: Workplace, key: str) -> tuple[Client, str]:
    client = person(workplace, key)
    opened = await client.post("conversations.open", users=workplace.bot_user_id)
    return client, opened["channel"]["id"]


async def test_mention_reaches_bolt(workplace: Workplace, connect: Connect) -> None:
    app = make_app(workplace)

    @app.event("app_mention")
    async def answer(event: Json, say: AsyncSay) -> None:
        await say(text=f"you said {event['text']}", thread_ts=event["ts"])

    await connect(workplace, app)
    ops = workplace.channels["ops"]
    operator = person(workplace, "operator")
    text = f"<@{workplace.bot_user_id}> status"
    since = workplace.revision()
    posted = await operator.post("chat.postMessage", channel=ops, text=text)
    await workplace.changed(await workplace.changed(since))
    thread = await operator.post("lab.screen", channel=ops, thread_ts=posted["ts"])
    assert [message["text"] for message in thread["messages"]] == [text, f"you said {text}"]
    section = posted["message"]["blocks"][0]["elements"][0]["elements"]
    assert section == [{"type": "user", "user_id": workplace.bot_user_id}, {"type": "text", "text": " status"}]


async def test_direct_message_comes_with_its_wrapper(workplace: Workplace) -> None:
    operator, direct = await _direct(workplace, "operator")
    async with open_socket(workplace) as socket:
        await operator.post("chat.postMessage", channel=direct, text="help")
        payload = await _read_event(socket)
    event = payload["event"]
    assert (event["type"], event["channel_type"], event["channel"]) == ("message", "im", direct)
    assert event["client_msg_id"]
    assert payload["authorizations"][0]["user_id"] == workplace.bot_user_id
    assert payload["event_id"].startswith("Ev")


async def test_one_human_line_makes_two_events_when_both_are_subscribed(talkative: Workplace) -> None:
    text = f"<@{talkative.bot_user_id}> status"
    async with open_socket(talkative) as socket:
        await person(talkative, "operator").post("chat.postMessage", channel=talkative.channels["ops"], text=text)
        payloads = [await _read_event(socket), await _read_event(socket)]
    assert {payload["event"]["type"] for payload in payloads} == {"message", "app_mention"}
    assert len({payload["event"]["ts"] for payload in payloads}) == 1
    assert len({payload["event_id"] for payload in payloads}) == 2


async def test_own_messages_and_edits_are_delivered_too(talkative: Workplace) -> None:
    ops = talkative.channels["ops"]
    async with open_socket(talkative) as socket:
        posted = await bot(talkative).post("chat.postMessage", channel=ops, text="first")
        first = (await _read_event(socket))["event"]
        await bot(talkative).post("chat.update", channel=ops, ts=posted["ts"], text="second")
        changed = (await _read_event(socket))["event"]
        await bot(talkative).post("chat.delete", channel=ops, ts=posted["ts"])
        deleted = (await _read_event(socket))["event"]
    assert first["bot_id"]
    assert changed["subtype"] == "message_changed"
    assert changed["message"]["text"] == "second"
    assert changed["message"]["edited"]["user"] == talkative.bot_user_id
    assert changed["previous_message"]["text"] == "first"
    assert (deleted["subtype"], deleted["deleted_ts"]) == ("message_deleted", posted["ts"])


async def test_ephemeral_messages_raise_no_event(talkative: Workplace) -> None:
    ops, reader = talkative.channels["ops"], talkative.people["operator"].id
    async with open_socket(talkative) as socket:
        await bot(talkative).post("chat.postEphemeral", channel=ops, user=reader, text="private")
        await bot(talkative).post("chat.postMessage", channel=ops, text="public")
        assert (await _read_event(socket))["event"]["text"] == "public"


async def test_channel_messages_are_not_delivered_where_the_bot_is_not(talkative: Workplace) -> None:
    operator = person(talkative, "operator")
    text = f"<@{talkative.bot_user_id}> status"
    async with open_socket(talkative) as socket:
        await operator.post("chat.postMessage", channel=talkative.channels["random"], text=text)
        await talkative.do({"do": "channel", "name": "random", "bot_member": True})
        joined = (await _read_event(socket))["event"]
    assert (joined["type"], joined["user"]) == ("member_joined_channel", talkative.bot_user_id)


async def test_outsider_is_marked_in_events(talkative: Workplace) -> None:
    async with open_socket(talkative) as socket:
        ops = talkative.channels["ops"]
        await person(talkative, "outsider").post("chat.postMessage", channel=ops, text="hello")
        payload = await _read_event(socket)
    assert payload["is_ext_shared_channel"] is True
    assert payload["event"]["user_team"] == talkative.people["outsider"].team_id
    assert payload["team_id"] == talkative.team_id


async def test_home_opened_tells_the_tab_and_the_published_view(workplace: Workplace) -> None:
    operator = person(workplace, "operator")
    async with open_socket(workplace) as socket:
        await operator.post("lab.home")
        first = (await _read_event(socket))["event"]
        view = {"type": "home", "blocks": [{"type": "divider"}]}
        reader = workplace.people["operator"].id
        assert (await bot(workplace).post("views.publish", user_id=reader, view=view))["ok"]
        await operator.post("lab.home")
        second = (await _read_event(socket))["event"]
    assert first["tab"] == "home"
    assert "view" not in first
    assert second["view"]["type"] == "home"
    assert (await operator.post("lab.screen"))["home"]["blocks"][0]["type"] == "divider"


async def test_changes_of_people_and_groups_are_announced(talkative: Workplace) -> None:
    async with open_socket(talkative) as socket:
        await talkative.do({"do": "usergroup", "name": "xen-approvers", "members": ["approver2"]})
        group = (await _read_event(socket))["event"]
        await talkative.do({"do": "person", "key": "approver2", "deleted": True})
        changed = (await _read_event(socket))["event"]
    assert group["type"] == "subteam_members_changed"
    assert group["removed_users"] == [talkative.people["approver"].id]
    assert changed["user"]["deleted"] is True
    left = await bot(talkative).post("usergroups.users.list", usergroup=talkative.usergroups["xen-approvers"])
    assert left["users"] == []


async def test_reactions_are_announced(talkative: Workplace) -> None:
    ops = talkative.channels["ops"]
    posted = await person(talkative, "operator").post("chat.postMessage", channel=ops, text="look")
    viewer = person(talkative, "viewer")
    async with open_socket(talkative) as socket:
        await _read_event(socket)
        assert (await viewer.post("reactions.add", channel=ops, timestamp=posted["ts"], name="eyes"))["ok"]
        event = (await _read_event(socket))["event"]
    assert (event["type"], event["reaction"]) == ("reaction_added", "eyes")
    again = await viewer.post("reactions.add", channel=ops, timestamp=posted["ts"], name="eyes")
    assert again["error"] == "already_reacted"


async def test_unacked_event_is_repeated_three_times(still_workplace: Workplace, clock: Clock) -> None:
    operator, direct = await _direct(still_workplace, "operator")
    async with open_socket(still_workplace) as socket:
        await operator.post("chat.postMessage", channel=direct, text="help")
        frames = [await socket.read()]
        for pause_s in (4, 63, 303):
            await clock.wait_for_sleepers(1)
            await clock.advance(pause_s)
            frames.append(await socket.read())
    assert [frame["retry_attempt"] for frame in frames] == [0, 1, 2, 3]
    assert [frame["retry_reason"] for frame in frames] == ["", "timeout", "timeout", "timeout"]
    assert len({frame["envelope_id"] for frame in frames}) == 1


async def test_acked_event_is_not_repeated(still_workplace: Workplace, clock: Clock) -> None:
    operator, direct = await _direct(still_workplace, "operator")
    async with open_socket(still_workplace) as socket:
        await operator.post("chat.postMessage", channel=direct, text="first")
        await _read_event(socket)
        await operator.post("chat.postMessage", channel=direct, text="second")
        await clock.advance(2)
        assert (await socket.read())["payload"]["event"]["text"] == "second"


async def test_event_raised_without_a_socket_arrives_as_a_retry(still_workplace: Workplace) -> None:
    operator, direct = await _direct(still_workplace, "operator")
    await operator.post("chat.postMessage", channel=direct, text="anyone?")
    async with open_socket(still_workplace) as socket:
        frame = await socket.read()
    assert frame["retry_attempt"] == 1
    assert frame["payload"]["event"]["text"] == "anyone?"


async def test_event_is_lost_after_six_minutes_without_a_socket(still_workplace: Workplace, clock: Clock) -> None:
    operator, direct = await _direct(still_workplace, "operator")
    await operator.post("chat.postMessage", channel=direct, text="lost")
    await clock.wait_for_sleepers(1)
    await clock.advance(361)
    async with open_socket(still_workplace) as socket:
        await operator.post("chat.postMessage", channel=direct, text="kept")
        assert (await socket.read())["payload"]["event"]["text"] == "kept"


async def test_bolt_gets_each_event_once_in_a_burst(workplace: Workplace, connect: Connect) -> None:
    app = make_app(workplace)
    texts: list[str] = []
    heard_all = asyncio.Event()

    @app.event("message")
    async def hear(event: Json) -> None:
        texts.append(event["text"])
        if len(texts) == 20:
            heard_all.set()

    await connect(workplace, app)
    operator, direct = await _direct(workplace, "operator")
    await asyncio.gather(*(operator.post("chat.postMessage", channel=direct, text=str(n)) for n in range(20)))
    async with asyncio.timeout(DEADLINE_S):
        await heard_all.wait()
    assert sorted(texts, key=int) == [str(n) for n in range(20)]
    assert not [entry for entry in workplace.log() if entry.get("frame", {}).get("retry_attempt")]
