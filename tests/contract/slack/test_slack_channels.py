"""Channels: made, changed and left with the stock client; private ones and restricted ones say no as Slack does."""

import pytest
from slack_clients import Json, Socket, bot, open_socket, person

from bot.lab.slack import Workplace


async def _events(socket: Socket, *wanted: str) -> dict[str, Json]:
    """Read and ack until each of these kinds, a type or a subtype, has come."""
    came: dict[str, Json] = {}
    while not set(wanted) <= set(came):
        frame = await socket.read()
        await socket.ack(frame)
        event = frame["payload"]["event"]
        came[event.get("subtype") or event["type"]] = event
    return came


async def test_life_of_a_channel(open_workplace: Workplace) -> None:
    web, people = bot(open_workplace).web, open_workplace.people
    made = (await web.conversations_create(name="moves"))["channel"]
    assert (made["is_channel"], made["is_member"], made["creator"]) == (True, True, open_workplace.bot_user_id)
    channel = made["id"]
    async with open_socket(open_workplace) as socket:
        await web.conversations_invite(channel=channel, users=[people["viewer"].id, people["admin"].id])
        joined = (await _events(socket, "member_joined_channel", "channel_join"))["member_joined_channel"]
        assert joined["inviter"] == open_workplace.bot_user_id
        await web.conversations_setTopic(channel=channel, topic="Tonight's moves")
        assert (await _events(socket, "channel_topic"))["channel_topic"]["text"].endswith("Tonight's moves")
        await web.conversations_kick(channel=channel, user=people["viewer"].id)
        assert (await _events(socket, "member_left_channel"))["member_left_channel"]["user"] == people["viewer"].id
    await web.conversations_setPurpose(channel=channel, purpose="Moving guests")
    assert (await web.conversations_rename(channel=channel, name="moves-2"))["channel"]["name"] == "moves-2"
    info = (await web.conversations_info(channel=channel, include_num_members=True))["channel"]
    words = [info[key]["value"] for key in ("topic", "purpose")]
    assert (words, info["num_members"]) == (["Tonight's moves", "Moving guests"], 2)
    await web.conversations_archive(channel=channel)
    assert (await bot(open_workplace).post("chat.postMessage", channel=channel, text="x"))["error"] == "is_archived"
    await web.conversations_unarchive(channel=channel)
    await web.conversations_leave(channel=channel)
    assert (await bot(open_workplace).post("conversations.history", channel=channel))["error"] == "not_in_channel"
    await web.conversations_join(channel=channel)
    assert (await web.conversations_history(channel=channel))["messages"]


async def test_private_channel_does_not_exist_for_those_outside(open_workplace: Workplace) -> None:
    approver = person(open_workplace, "approver")
    made = (await approver.post("conversations.create", name="leads", is_private=True))["channel"]
    assert (made["is_private"], made["is_group"], made["is_channel"]) == (True, True, False)
    for method in ("chat.postMessage", "conversations.info", "conversations.history", "conversations.join"):
        assert (await bot(open_workplace).post(method, channel=made["id"], text="x"))["error"] == "channel_not_found"
    invited = await approver.post("conversations.invite", channel=made["id"], users=open_workplace.bot_user_id)
    assert invited["ok"]
    posted = await bot(open_workplace).post("chat.postMessage", channel=made["id"], text="now I am here")
    assert posted["ok"]
    async with open_socket(open_workplace) as socket:
        await approver.post("chat.postMessage", channel=made["id"], text="hello")
        event = await socket.read_event(lambda event: event.get("text") == "hello")
    assert event["channel_type"] == "group"
    listed = (await bot(open_workplace).web.conversations_list(types="private_channel"))["channels"]
    assert [each["id"] for each in listed] == [made["id"]]
    assert (await person(open_workplace, "viewer").post("conversations.info", channel=made["id"]))["error"]


@pytest.mark.parametrize(
    ("posting", "given", "error"),
    [
        ("restricted", {}, "restricted_action"),
        ("read_only", {}, "restricted_action_read_only_channel"),
        ("threads_only", {}, "restricted_action_thread_only_channel"),
        ("threads_only", {"thread_ts": "root"}, None),
        ("no_threads", {"thread_ts": "root"}, "restricted_action_non_threadable_channel"),
        ("no_threads", {}, None),
    ],
)
async def test_restricted_channel_refuses_by_its_rule(
    workplace: Workplace, posting: str, given: Json, error: str | None
) -> None:
    ops = workplace.channels["ops"]
    root = await bot(workplace).post("chat.postMessage", channel=ops, text="root")
    await workplace.do({"do": "channel", "name": "ops", "posting": posting})
    posted = {"channel": ops, "text": "x", **dict.fromkeys(given, root["ts"])}
    assert (await bot(workplace).post("chat.postMessage", **posted)).get("error") == error
    assert (await person(workplace, "viewer").post("chat.postMessage", **posted)).get("error") == error
    assert (await person(workplace, "admin").post("chat.postMessage", **posted))["ok"]


async def test_several_people_and_the_bot_have_a_conversation(open_workplace: Workplace) -> None:
    web, people = bot(open_workplace).web, open_workplace.people
    users = [people["operator"].id, people["approver"].id]
    opened = await web.conversations_open(users=users, return_im=True)
    assert (opened["channel"]["is_mpim"], "already_open" in opened.data) == (True, False)
    channel = opened["channel"]["id"]
    assert (await web.conversations_open(users=users))["already_open"] is True
    assert set((await web.conversations_members(channel=channel))["members"]) == {*users, open_workplace.bot_user_id}
    await web.conversations_close(channel=channel)
    assert "already_open" not in (await web.conversations_open(users=users)).data
    outside = await person(open_workplace, "viewer").post("conversations.history", channel=channel)
    assert outside["error"] == "channel_not_found"


@pytest.mark.parametrize(
    ("key", "error"), [("former", "user_disabled"), ("robot", "user_not_visible"), (None, "user_not_found")]
)
async def test_direct_conversations_are_with_active_people(workplace: Workplace, key: str | None, error: str) -> None:
    user = workplace.people[key].id if key else "U0NOBODY"
    assert (await bot(workplace).post("conversations.open", users=user))["error"] == error


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("conversations.create", {"name": "ops"}, "name_taken"),
        ("conversations.create", {"name": "Big Name"}, "invalid_name_specials"),
        ("conversations.create", {"name": "x" * 81}, "invalid_name_maxlength"),
        ("conversations.create", {}, "invalid_name_required"),
        ("conversations.invite", {"users": "viewer"}, "already_in_channel"),
        ("conversations.invite", {"users": "former"}, "user_not_found"),
        ("conversations.invite", {"users": ""}, "no_user"),
        ("conversations.kick", {"user": "former"}, "not_in_channel"),
        ("conversations.unarchive", {}, "not_archived"),
        ("conversations.setTopic", {"topic": "x" * 251}, "too_long"),
    ],
)
async def test_wrong_changes_have_slacks_codes(
    open_workplace: Workplace, method: str, arguments: Json, error: str
) -> None:
    people = open_workplace.people
    known = {key: people[value].id if value in people else value for key, value in arguments.items()}
    given = {"channel": open_workplace.channels["ops"], **known}
    assert (await bot(open_workplace).post(method, **given))["error"] == error


async def test_lists_come_in_pages(open_workplace: Workplace) -> None:
    web = bot(open_workplace).web
    for number in range(5):
        await web.conversations_create(name=f"channel-{number}")
    names: list[str] = []
    async for page in await web.conversations_list(limit=2):
        assert len(page["channels"]) <= 2
        names += [each["name"] for each in page["channels"]]
    assert len(names) == len(set(names)) == 7
    members: list[str] = []
    async for page in await web.conversations_members(channel=open_workplace.channels["ops"], limit=3):
        members += page["members"]
    assert len(members) == len(set(members)) == 11
    people: list[str] = []
    async for page in await web.users_list(limit=4):
        people += [each["name"] for each in page["members"]]
    assert {"former", "robot", "guest2", "xenbot"} <= set(people)
    assert "outsider" not in people
