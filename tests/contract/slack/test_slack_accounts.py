"""People and user groups with the stock client: who they are, who may be found, and how groups change."""

import pytest
from slack_clients import Json, bot, open_socket, person
from slack_sdk.errors import SlackApiError

from bot.lab.slack import Workplace


async def test_address_is_for_apps_that_may_read_it(workplace: Workplace, open_workplace: Workplace) -> None:
    viewer = open_workplace.people["viewer"]
    found = (await bot(open_workplace).web.users_lookupByEmail(email="VIEWER@example.com"))["user"]
    assert (found["id"], found["profile"]["email"]) == (viewer.id, "viewer@example.com")
    assert "email" not in (await bot(workplace).web.users_info(user=viewer.id))["user"]["profile"]
    with pytest.raises(SlackApiError, match="missing_scope"):
        await bot(workplace).web.users_lookupByEmail(email="viewer@example.com")


@pytest.mark.parametrize("key", ["former", "robot", "outsider", "nobody"])
async def test_only_active_people_of_the_workspace_are_found_by_address(open_workplace: Workplace, key: str) -> None:
    answer = await bot(open_workplace).post("users.lookupByEmail", email=f"{key}@example.com")
    assert answer["error"] == "users_not_found"


async def test_profile_presence_and_locale(open_workplace: Workplace) -> None:
    web, viewer = bot(open_workplace).web, open_workplace.people["viewer"]
    assert (await web.users_profile_get(user=viewer.id))["profile"]["real_name"] == viewer.real_name
    assert (await web.users_getPresence(user=viewer.id))["presence"] == "active"
    assert (await web.users_getPresence(user=open_workplace.people["former"].id))["presence"] == "away"
    assert (await web.users_info(user=viewer.id, include_locale=True))["user"]["locale"] == "en-US"


async def test_outsider_is_a_stranger_once_no_conversation_is_shared(open_workplace: Workplace) -> None:
    outsider, ops = open_workplace.people["outsider"].id, open_workplace.channels["ops"]
    assert (await bot(open_workplace).web.users_info(user=outsider))["user"]["is_stranger"] is False
    await bot(open_workplace).web.conversations_kick(channel=ops, user=outsider)
    assert (await bot(open_workplace).web.users_info(user=outsider))["user"]["is_stranger"] is True
    opened = await bot(open_workplace).post("conversations.open", users=outsider)
    assert opened["error"] == "user_not_visible"


async def test_user_group_is_made_filled_disabled_and_enabled(open_workplace: Workplace) -> None:
    web, people = bot(open_workplace).web, open_workplace.people
    group = (await web.usergroups_create(name="Night shift"))["usergroup"]
    assert (group["handle"], group["user_count"]) == ("night-shift", 0)
    async with open_socket(open_workplace) as socket:
        users = [people["operator"].id, people["former"].id, people["approver"].id]
        refused = await bot(open_workplace).post("usergroups.users.update", usergroup=group["id"], users=users)
        assert refused["error"] == "invalid_users"
        filled = await web.usergroups_users_update(usergroup=group["id"], users=users[::2])
        assert filled["usergroup"]["users"] == users[::2]
        event = await socket.read_event(lambda event: event["type"] == "subteam_members_changed")
    assert event["added_users"] == users[::2]
    await web.usergroups_update(usergroup=group["id"], name="Night")
    await web.usergroups_disable(usergroup=group["id"])
    assert group["id"] not in {each["id"] for each in (await web.usergroups_list())["usergroups"]}
    hidden = {each["id"]: each for each in (await web.usergroups_list(include_disabled=True))["usergroups"]}
    assert hidden[group["id"]]["date_delete"] > 0
    with pytest.raises(SlackApiError, match="no_such_subteam"):
        await web.usergroups_users_list(usergroup=group["id"])
    await web.usergroups_enable(usergroup=group["id"])
    assert (await web.usergroups_users_list(usergroup=group["id"]))["users"] == users[::2]


@pytest.mark.parametrize(
    ("arguments", "method", "error"),
    [
        ({"messages_tab": False}, "chat.postMessage", "messages_tab_disabled"),
        ({"home_tab": False}, "views.publish", "not_enabled"),
    ],
)
async def test_tab_that_the_manifest_leaves_out_is_closed(arguments: Json, method: str, error: str) -> None:
    workplace = Workplace(port=0, **arguments)
    await workplace.start()
    try:
        viewer = workplace.people["viewer"].id
        given = {"channel": viewer, "text": "x", "user_id": viewer, "view": {"type": "home", "blocks": []}}
        assert (await bot(workplace).post(method, **given))["error"] == error
    finally:
        await workplace.stop()


async def test_bot_user_of_another_app_writes_as_a_bot(open_workplace: Workplace) -> None:
    robot, ops = person(open_workplace, "robot"), open_workplace.channels["ops"]
    async with open_socket(open_workplace) as socket:
        await robot.post("chat.postMessage", channel=ops, text=f"<@{open_workplace.bot_user_id}> deployed")
        event = await socket.read_event(lambda event: event["type"] == "app_mention")
    assert event["bot_id"].startswith("B")
    assert event["bot_id"] != (await bot(open_workplace).web.auth_test())["bot_id"]
    assert "client_msg_id" not in event


@pytest.mark.parametrize(
    ("method", "kind", "needed"),
    [
        ("conversations.info", "private", "groups:read"),
        ("conversations.members", "private", "groups:read"),
        ("conversations.info", "direct", "im:read"),
        ("conversations.list", "private", "groups:read"),
        ("users.conversations", "direct", "im:read"),
        ("conversations.open", "group", "mpim:write"),
    ],
)
async def test_each_kind_of_conversation_needs_its_own_scope(method: str, kind: str, needed: str) -> None:
    workplace = Workplace(port=0, scopes=("channels:read", "groups:history", "im:write", "chat:write"))
    await workplace.start()
    try:
        person_ids = [workplace.people[key].id for key in ("operator", "viewer")]
        direct = (await bot(workplace).post("conversations.open", users=person_ids[0]))["channel"]["id"]
        admin = person(workplace, "admin")
        private = (await admin.post("conversations.create", name="war-room", is_private=True))["channel"]["id"]
        assert (await admin.post("conversations.invite", channel=private, users=workplace.bot_user_id))["ok"]
        asked: dict[str, object] = {"channel": {"private": private, "direct": direct}.get(kind, "")}
        if method in ("conversations.list", "users.conversations"):
            asked = {"types": {"private": "public_channel,private_channel", "direct": "im"}[kind]}
        if method == "conversations.open":
            asked = {"users": ",".join(person_ids)}
        answer = await bot(workplace).post(method, **asked)
        public = await bot(workplace).post("conversations.info", channel=workplace.channels["ops"])
    finally:
        await workplace.stop()
    assert (answer.get("error"), answer.get("needed")) == ("missing_scope", needed)
    assert public["ok"] is True
