import json
from typing import Any

import pytest
from aiohttp import ClientSession
from slack_clients import Client, Json, bot, make_button, person

from bot.lab.slack import Workplace


async def _post(workplace: Workplace, **arguments: object) -> Json:
    posted = await bot(workplace).post("chat.postMessage", channel=workplace.channels["ops"], **arguments)
    assert posted["ok"], posted
    return posted


async def _history(workplace: Workplace, client: Client | None = None, **arguments: object) -> list[Json]:
    ops = workplace.channels["ops"]
    answer = await (client or bot(workplace)).post("conversations.history", channel=ops, **arguments)
    messages: list[Json] = answer["messages"]
    return messages


async def test_every_encoding_of_the_sdks_is_understood(workplace: Workplace) -> None:
    ops, text = workplace.channels["ops"], "日本語 & <b>"
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]
    url = f"{workplace.api_url}chat.postMessage"
    header = {"Authorization": f"Bearer {workplace.bot_token}"}
    flat = {"channel": ops, "text": text, "blocks": json.dumps(blocks)}
    calls: list[dict[str, Any]] = [
        {"method": "GET", "params": flat, "headers": header},
        {"method": "POST", "params": flat, "headers": header},
        {"method": "POST", "data": {**flat, "token": workplace.bot_token}},
        {"method": "POST", "json": {"channel": ops, "text": text, "blocks": blocks}, "headers": header},
    ]
    async with ClientSession() as session:
        for call in calls:
            async with session.request(url=url, **call) as response:
                answer = await response.json()
                assert answer["ok"], (call, answer)
                assert answer["message"]["text"] == text
                assert answer["message"]["blocks"][0]["text"]["text"] == text
                assert answer["message"]["blocks"][0]["block_id"]


async def test_stock_client_methods_work(workplace: Workplace) -> None:
    web = bot(workplace).web
    ops, operator = workplace.channels["ops"], workplace.people["operator"].id
    who = await web.auth_test()
    assert (who["user_id"], who["team_id"]) == (workplace.bot_user_id, workplace.team_id)
    assert "chat:write" in who.headers["x-oauth-scopes"]
    assert (await web.bots_info(bot=who["bot_id"]))["bot"]["app_id"] == workplace.app_id
    assert (await web.users_info(user=operator))["user"]["name"] == "operator"
    assert (await web.conversations_info(channel=ops))["channel"]["is_member"] is True
    assert operator in (await web.conversations_members(channel=ops))["members"]
    members = (await web.users_list())["members"]
    assert {member["name"] for member in members} >= {"operator", "guest", "xenbot"}
    groups = (await web.usergroups_list())["usergroups"]
    assert {group["handle"] for group in groups} == set(workplace.usergroups)
    approvers = await web.usergroups_users_list(usergroup=workplace.usergroups["xen-approvers"])
    assert approvers["users"] == [workplace.people[key].id for key in ("approver", "approver2")]
    direct = await web.conversations_open(users=operator)
    assert direct["channel"]["id"].startswith("D")
    assert (await web.conversations_open(users=operator))["already_open"] is True


@pytest.mark.parametrize(
    ("token", "method", "error"),
    [
        ("", "auth.test", "not_authed"),
        ("xoxb-nobody", "auth.test", "invalid_auth"),
        ("bot", "no.such", "unknown_method"),
        ("bot", "lab.screen", "not_allowed_token_type"),
        ("operator", "views.open", "not_allowed_token_type"),
        ("app", "chat.postMessage", "not_allowed_token_type"),
        ("bot", "chat.postMessage", "invalid_arguments"),
    ],
)
async def test_wrong_calls_answer_200_with_a_code(workplace: Workplace, token: str, method: str, error: str) -> None:
    known = {"bot": workplace.bot_token, "app": workplace.app_token, "operator": workplace.people["operator"].token}
    async with ClientSession() as session:
        header = {"Authorization": f"Bearer {known.get(token, token)}"} if token else {}
        async with session.post(f"{workplace.api_url}{method}", headers=header, json={}) as response:
            assert response.status == 200
            assert (await response.json())["error"] == error


async def test_api_test_needs_no_token(workplace: Workplace) -> None:
    async with ClientSession() as session, session.get(f"{workplace.api_url}api.test?a=1") as response:
        assert await response.json() == {"ok": True, "args": {"a": "1"}}


async def test_json_without_charset_is_taken_with_a_warning(workplace: Workplace) -> None:
    header = {"Authorization": f"Bearer {workplace.bot_token}", "Content-Type": "application/json"}
    address = f"{workplace.api_url}auth.test"
    async with ClientSession() as session, session.post(address, headers=header, data=b"{}") as response:
        answer = await response.json()
    assert answer["ok"]
    assert answer["warning"] == "missing_charset"


async def test_missing_scope_names_what_is_needed_and_what_is_there() -> None:
    workplace = Workplace(port=0, scopes=("commands",))
    await workplace.start()
    try:
        answer = await bot(workplace).post("chat.postMessage", channel=workplace.channels["ops"], text="x")
    finally:
        await workplace.stop()
    assert answer == {"ok": False, "error": "missing_scope", "needed": "chat:write", "provided": "commands"}


async def test_default_scopes_are_the_least_the_bot_needs(workplace: Workplace) -> None:
    posted = await _post(workplace, text="x")
    where = {"channel": posted["channel"], "timestamp": posted["ts"], "name": "eyes"}
    assert (await bot(workplace).post("reactions.add", **where))["needed"] == "reactions:write"
    join = await bot(workplace).post("conversations.join", channel=workplace.channels["random"])
    assert join["needed"] == "channels:join"


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("chat.postMessage", {"channel": "random", "text": "x"}, "not_in_channel"),
        ("chat.postMessage", {"channel": "C0NOWHERE", "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": "ops"}, "no_text"),
        ("chat.postMessage", {"channel": "ops", "text": "x", "markdown_text": "y"}, "markdown_text_conflict"),
        ("chat.postMessage", {"channel": "ops", "text": "x", "thread_ts": "1.000001"}, "cannot_reply_to_message"),
        ("chat.postMessage", {"channel": "ops", "text": "x", "blocks": "[{"}, "invalid_blocks_format"),
        ("chat.postMessage", {"channel": "ops", "text": "x", "metadata": {"a": 1}}, "invalid_metadata_schema"),
        ("chat.postMessage", {"channel": "ops", "attachments": "[1]"}, "invalid_arguments"),
        ("chat.postMessage", {"channel": "ops", "blocks": {"type": "divider"}}, "invalid_blocks"),
        ("views.publish", {"user_id": "U0NOBODY", "view": "x"}, "user_not_found"),
        ("views.open", {"trigger_id": "1", "view": ["x"]}, "invalid_arguments"),
        ("chat.update", {"channel": "ops", "ts": "1.000001", "text": "x"}, "message_not_found"),
        ("conversations.history", {"channel": "random"}, "not_in_channel"),
        ("conversations.history", {"channel": "ops", "oldest": "now"}, "invalid_ts_oldest"),
        ("conversations.history", {"channel": "ops", "cursor": "x"}, "invalid_cursor"),
        ("conversations.replies", {"channel": "ops", "ts": "1.000001"}, "thread_not_found"),
        ("conversations.list", {"types": "shared"}, "invalid_types"),
        ("conversations.open", {}, "users_list_not_supplied"),
        ("users.info", {"user": "U0NOBODY"}, "user_not_found"),
        ("usergroups.users.list", {"usergroup": "S0NONE"}, "no_such_subteam"),
    ],
)
async def test_refusals_have_slacks_codes(workplace: Workplace, method: str, arguments: Json, error: str) -> None:
    if "channel" in arguments and method != "chat.postMessage":
        named = workplace.channels.get(arguments["channel"], arguments["channel"])
        arguments = {**arguments, "channel": named}
    assert (await bot(workplace).post(method, **arguments))["error"] == error


async def test_text_without_blocks_drops_the_old_blocks(workplace: Workplace) -> None:
    posted = await _post(workplace, text="card", blocks=make_button("7"))
    where = {"channel": posted["channel"], "ts": posted["ts"]}
    changed = await bot(workplace).post("chat.update", **where, text="gone")
    assert "blocks" not in changed["message"]
    assert changed["message"]["edited"]["user"] == workplace.bot_user_id


async def test_blocks_stay_when_only_metadata_changes(workplace: Workplace) -> None:
    posted = await _post(workplace, text="card", blocks=make_button("7"))
    where = {"channel": posted["channel"], "ts": posted["ts"]}
    metadata = {"event_type": "xen_job", "event_payload": {"job": 7}}
    kept = await bot(workplace).post("chat.update", **where, metadata=metadata)
    assert kept["message"]["blocks"] == posted["message"]["blocks"]
    assert kept["message"]["metadata"] == metadata
    still = await bot(workplace).post("chat.update", **where, text="card", blocks=make_button("8"))
    assert still["message"]["metadata"] == metadata
    assert "edited" not in still["message"]
    removed = await bot(workplace).post("chat.update", **where, text="card", blocks=[], metadata={})
    assert "metadata" not in removed["message"]
    assert "blocks" not in removed["message"]


async def test_only_own_messages_can_be_changed(workplace: Workplace) -> None:
    ops = workplace.channels["ops"]
    posted = await person(workplace, "operator").post("chat.postMessage", channel=ops, text="mine")
    where = {"channel": ops, "ts": posted["ts"]}
    assert (await bot(workplace).post("chat.update", **where, text="x"))["error"] == "cant_update_message"
    assert (await bot(workplace).post("chat.delete", **where))["error"] == "cant_delete_message"


async def test_ephemeral_message_is_in_no_history_and_cannot_be_updated(workplace: Workplace) -> None:
    ops, reader = workplace.channels["ops"], workplace.people["viewer"].id
    shown = await bot(workplace).post("chat.postEphemeral", channel=ops, user=reader, text="private")
    assert await _history(workplace) == []
    where = {"channel": ops, "ts": shown["message_ts"], "text": "x"}
    assert (await bot(workplace).post("chat.update", **where))["error"] == "message_not_found"
    random = {"channel": ops, "user": workplace.bot_user_id, "text": "x"}
    assert (await bot(workplace).post("chat.postEphemeral", **random))["error"] == "user_not_in_channel"


async def test_history_is_newest_first_in_pages_without_replies(workplace: Workplace) -> None:
    posts = [await _post(workplace, text=str(number)) for number in range(5)]
    await _post(workplace, text="reply", thread_ts=posts[0]["ts"])
    await _post(workplace, text="loud reply", thread_ts=posts[0]["ts"], reply_broadcast=True)
    web, ops = bot(workplace).web, workplace.channels["ops"]
    texts: list[str] = []
    async for answer in await web.conversations_history(channel=ops, limit=2):
        texts += [message["text"] for message in answer["messages"]]
    assert texts == ["loud reply", "4", "3", "2", "1", "0"]
    root = (await _history(workplace))[-1]
    assert (root["thread_ts"], root["reply_count"]) == (posts[0]["ts"], 2)
    between = await _history(workplace, oldest=posts[1]["ts"], latest=posts[3]["ts"])
    assert [message["text"] for message in between] == ["2"]
    including = await _history(workplace, oldest=posts[1]["ts"], latest=posts[3]["ts"], inclusive=True)
    assert [message["text"] for message in including] == ["3", "2", "1"]


async def test_replies_begin_with_the_parent_even_when_asked_by_a_reply(workplace: Workplace) -> None:
    root = await _post(workplace, text="root")
    reply = await _post(workplace, text="reply", thread_ts=root["ts"])
    odd = await _post(workplace, text="reply to a reply", thread_ts=reply["ts"])
    assert odd["message"]["thread_ts"] == root["ts"]
    answer = await bot(workplace).post("conversations.replies", channel=root["channel"], ts=reply["ts"])
    assert [message["text"] for message in answer["messages"]] == ["root", "reply", "reply to a reply"]
    assert answer["messages"][1]["parent_user_id"] == workplace.bot_user_id


async def test_metadata_comes_back_only_when_asked_for(workplace: Workplace) -> None:
    metadata = {"event_type": "xen_job", "event_payload": {"job": 7}}
    await _post(workplace, text="card", metadata=metadata)
    assert "metadata" not in (await _history(workplace))[0]
    assert (await _history(workplace, include_all_metadata=True))[0]["metadata"] == metadata


async def test_permalink_of_a_reply_names_its_thread(workplace: Workplace) -> None:
    root = await _post(workplace, text="root")
    reply = await _post(workplace, text="reply", thread_ts=root["ts"])
    ops = root["channel"]
    links = [
        (await bot(workplace).post("chat.getPermalink", channel=ops, message_ts=each["ts"]))["permalink"]
        for each in (root, reply)
    ]
    assert links[0] == f"{workplace.url}/archives/{ops}/p{root['ts'].replace('.', '')}"
    assert links[1].endswith(f"?thread_ts={root['ts']}&cid={ops}")


async def test_posting_to_a_person_opens_the_direct_conversation(workplace: Workplace) -> None:
    viewer = workplace.people["viewer"].id
    posted = await bot(workplace).post("chat.postMessage", channel=viewer, text="hello")
    assert posted["channel"].startswith("D")
    screen = await person(workplace, "viewer").post("lab.screen", channel=posted["channel"])
    assert [message["text"] for message in screen["messages"]] == ["hello"]
    other = await person(workplace, "operator").post("lab.screen", channel=posted["channel"])
    assert other["error"] == "channel_not_found"


async def test_special_accounts_are_marked(workplace: Workplace) -> None:
    shown = {key: (await bot(workplace).web.users_info(user=one.id))["user"] for key, one in workplace.people.items()}
    assert shown["guest"]["is_ultra_restricted"] is True
    # In a shared channel Slack calls nobody a stranger: only the team tells.
    assert shown["outsider"]["is_stranger"] is False
    assert shown["outsider"]["team_id"] != workplace.team_id
    assert shown["admin"]["is_admin"] is True
    assert shown["operator"]["is_restricted"] is False


async def test_deactivated_person_is_listed_as_deleted_and_is_no_group_member(workplace: Workplace) -> None:
    await workplace.do({"do": "person", "key": "approver", "deleted": True})
    user = (await bot(workplace).web.users_info(user=workplace.people["approver"].id))["user"]
    assert user["deleted"] is True
    group = workplace.usergroups["xen-approvers"]
    members = (await bot(workplace).web.usergroups_users_list(usergroup=group))["users"]
    assert members == [workplace.people["approver2"].id]


async def test_shared_channel_is_flagged(workplace: Workplace) -> None:
    await workplace.do({"do": "channel", "name": "ops", "ext_shared": True})
    channel = (await bot(workplace).web.conversations_info(channel=workplace.channels["ops"]))["channel"]
    assert channel["is_ext_shared"] is True
    assert workplace.people["outsider"].team_id in channel["shared_team_ids"]


async def test_text_is_stored_as_given(workplace: Workplace) -> None:
    text = "<!channel> *bold* &amp; `code` \u202e :x: ~s~ <https://a|b>"
    await _post(workplace, text=text)
    assert (await _history(workplace))[0]["text"] == text
