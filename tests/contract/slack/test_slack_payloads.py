"""The keys of every payload, one by one: an app that reads a key that Slack sends finds it, and no other is there."""

from collections.abc import AsyncIterator

import pytest
from slack_clients import ALL_EVENTS, ALL_SCOPES, Json, bot, make_button, person
from slack_stock import WORD, StockSocket, make_input, make_modal, open_stock_socket, post_card, press, type_command

from bot.lab.slack import Shortcut, Workplace

COMMAND = {
    *("token", "team_id", "team_domain", "channel_id", "channel_name", "user_id", "user_name", "command", "text"),
    *("api_app_id", "is_enterprise_install", "response_url", "trigger_id"),
}
INTERACTION = {"type", "user", "api_app_id", "token", "team", "enterprise", "is_enterprise_install"}
CLICK = INTERACTION | {"container", "trigger_id", "actions"}
VIEW = {
    *("id", "team_id", "type", "blocks", "private_metadata", "callback_id", "state", "hash", "title", "submit"),
    *("close", "clear_on_close", "notify_on_close", "submit_disabled", "previous_view_id", "root_view_id", "app_id"),
    *("external_id", "app_installed_team_id", "bot_id"),
}
WRAPPER = {
    *("token", "team_id", "context_team_id", "context_enterprise_id", "api_app_id", "event", "type", "event_id"),
    *("event_time", "authorizations", "is_ext_shared_channel", "event_context"),
}
HUMAN = {"type", "user", "text", "ts", "channel", "event_ts", "client_msg_id", "team", "blocks"}


@pytest.fixture
async def socket(open_workplace: Workplace) -> AsyncIterator[StockSocket]:
    """A stock client of the workplace where the app may do and hear everything."""
    async with open_stock_socket(open_workplace) as opened:
        yield opened


async def _read_event(socket: StockSocket, kind: str) -> Json:
    while True:
        request = await socket.read()
        await socket.ack(request)
        if kind in (request.payload["event"]["type"], request.payload["event"].get("subtype")):
            return dict(request.payload)


async def _open(workplace: Workplace, socket: StockSocket, view: Json) -> Json:
    _, typed = await socket.answer(type_command(workplace))
    opened = await bot(workplace).web.views_open(trigger_id=typed["trigger_id"], view=view)
    shown: Json = opened["view"]
    return shown


async def _post_quietly(workplace: Workplace, socket: StockSocket, blocks: list[Json], **more: object) -> Json:
    """Post a card and take the event of it away."""
    posted = await post_card(workplace, blocks, **more)
    await _read_event(socket, "message")
    return posted


async def test_keys_of_a_command(open_workplace: Workplace, socket: StockSocket) -> None:
    _, payload = await socket.answer(type_command(open_workplace))
    assert set(payload) == COMMAND
    assert all(isinstance(value, str) for value in payload.values())


async def test_keys_of_clicks_in_messages(open_workplace: Workplace, socket: StockSocket) -> None:
    operator = person(open_workplace, "operator")
    metadata = {"event_type": "xen_job", "event_payload": {"job": 7}}
    card = await _post_quietly(open_workplace, socket, make_button("7"), metadata=metadata)
    reply = await _post_quietly(open_workplace, socket, make_button("7"), thread_ts=card["ts"])
    _, payload = await socket.answer(press(operator, card))
    assert set(payload) == CLICK | {"channel", "message", "state", "response_url"}
    assert set(payload["user"]) == {"id", "username", "name", "team_id"}
    assert set(payload["team"]) == {"id", "domain"}
    assert set(payload["channel"]) == {"id", "name"}
    assert set(payload["container"]) == {"type", "message_ts", "channel_id", "is_ephemeral"}
    sent = {"type", "user", "bot_id", "app_id", "ts", "text", "team", "blocks", "metadata", "bot_profile", "thread_ts"}
    assert set(payload["message"]) == sent
    assert set(payload["actions"][0]) == {"action_id", "block_id", "type", "text", "value", "action_ts"}
    _, in_thread = await socket.answer(press(operator, reply))
    assert set(in_thread["container"]) == {"type", "message_ts", "channel_id", "is_ephemeral", "thread_ts"}


async def test_keys_of_clicks_and_answers_in_views(open_workplace: Workplace, socket: StockSocket) -> None:
    operator = person(open_workplace, "operator")
    select = {"type": "external_select", "action_id": "vm", "min_query_length": 0}
    blocks = [make_input("why"), {"type": "actions", "block_id": "vm", "elements": [select]}, *make_button("7")]
    view = await _open(open_workplace, socket, make_modal(*blocks, notify_on_close=True))
    assert set(view) == VIEW
    asking = operator.post("blocks.suggestions", view_id=view["id"], block_id="vm", action_id="vm", value="db")
    _, offered = await socket.answer(asking, {"options": []})
    assert set(offered) == INTERACTION | {"container", "action_id", "block_id", "value", "view"}
    _, clicked = await socket.answer(
        operator.post("blocks.actions", view_id=view["id"], block_id="row", action_id="go")
    )
    assert set(clicked) == CLICK | {"view"}
    assert set(clicked["container"]) == {"type", "view_id"}
    assert set(clicked["view"]) == VIEW
    values = {"why": {"why": {"value": "because"}}}
    refuse = {"response_action": "errors", "errors": {"why": "no"}}
    _, submitted = await socket.answer(operator.post("views.submit", view_id=view["id"], values=values), refuse)
    assert set(submitted) == INTERACTION | {"trigger_id", "view", "response_urls"}
    _, closed = await socket.answer(operator.post("views.close", view_id=view["id"]))
    assert set(closed) == INTERACTION | {"view", "is_cleared"}
    assert submitted["view"]["state"]["values"]["why"]["why"]["value"] == "because"
    assert closed["view"]["state"] == {"values": {}}


async def test_keys_of_a_suggestion_in_a_message(open_workplace: Workplace, socket: StockSocket) -> None:
    select = {"type": "external_select", "action_id": "vm", "min_query_length": 0}
    card = await _post_quietly(open_workplace, socket, [{"type": "actions", "block_id": "row", "elements": [select]}])
    place = {"channel": card["channel"], "message_ts": card["ts"], "block_id": "row", "action_id": "vm"}
    asking = person(open_workplace, "operator").post("blocks.suggestions", **place, value="")
    _, offered = await socket.answer(asking, {"options": []})
    assert set(offered) == INTERACTION | {"container", "action_id", "block_id", "value", "channel", "message"}


async def test_keys_of_shortcuts(open_workplace: Workplace, socket: StockSocket) -> None:
    operator = person(open_workplace, "operator")
    shared = {"type", "token", "action_ts", "team", "callback_id", "trigger_id", "is_enterprise_install", "enterprise"}
    _, everywhere = await socket.answer(operator.post("shortcuts.choose", callback_id="new_job"))
    assert set(everywhere) == shared | {"user"}
    assert set(everywhere["user"]) == {"id", "username", "team_id"}
    card = await _post_quietly(open_workplace, socket, [])
    where = {"channel": card["channel"], "message_ts": card["ts"]}
    _, on_message = await socket.answer(operator.post("shortcuts.choose", callback_id="link_job", **where))
    assert set(on_message) == shared | {"user", "message_ts", "response_url", "message", "channel"}
    assert set(on_message["user"]) == {"id", "name", "team_id"}


async def test_keys_of_events(open_workplace: Workplace, socket: StockSocket) -> None:
    operator, ops = person(open_workplace, "operator"), open_workplace.channels["ops"]
    await operator.post("chat.postMessage", channel=ops, text=f"<@{open_workplace.bot_user_id}> status")
    wrapped = [dict((await socket.read()).payload) for _ in range(2)]
    assert all(set(each) == WRAPPER for each in wrapped)
    assert all(
        set(each["authorizations"][0]) == {"enterprise_id", "team_id", "user_id", "is_bot", "is_enterprise_install"}
        for each in wrapped
    )
    events = {each["event"]["type"]: each["event"] for each in wrapped}
    assert set(events["message"]) == HUMAN | {"channel_type"}
    assert set(events["app_mention"]) == HUMAN
    assert wrapped[0]["event_id"] != wrapped[1]["event_id"]
    assert events["message"]["ts"] == events["app_mention"]["ts"]


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("app_home_opened", {"type", "user", "channel", "tab", "event_ts"}),
        ("member_joined_channel", {"type", "user", "channel", "channel_type", "team", "inviter", "event_ts"}),
        ("reaction_added", {"type", "user", "reaction", "item", "item_user", "event_ts"}),
        (
            "message_changed",
            {
                *("type", "subtype", "message", "previous_message", "hidden", "ts", "event_ts", "channel"),
                "channel_type",
            },
        ),
        (
            "message_deleted",
            {
                *("type", "subtype", "deleted_ts", "previous_message", "hidden", "ts", "event_ts", "channel"),
                "channel_type",
            },
        ),
        ("user_change", {"type", "user", "event_ts"}),
    ],
)
async def test_keys_of_each_event(open_workplace: Workplace, socket: StockSocket, kind: str, keys: set[str]) -> None:
    web, operator, ops = bot(open_workplace).web, person(open_workplace, "operator"), open_workplace.channels["ops"]
    card = await post_card(open_workplace, [])
    where = {"channel": ops, "ts": card["ts"]}
    doings = {
        "app_home_opened": lambda: operator.post("lab.home"),
        "member_joined_channel": lambda: operator.post(
            "conversations.invite", channel=open_workplace.channels["random"], users=open_workplace.bot_user_id
        ),
        "reaction_added": lambda: operator.post("reactions.add", channel=ops, timestamp=card["ts"], name="eyes"),
        "message_changed": lambda: web.chat_update(**where, text="other"),
        "message_deleted": lambda: web.chat_delete(**where),
        "user_change": lambda: open_workplace.do({"do": "person", "key": "viewer", "deleted": True}),
    }
    await doings[kind]()
    assert set((await _read_event(socket, kind))["event"]) == keys


OPTION = {"text": WORD, "value": "v"}
ELEMENTS: list[tuple[Json, Json, str]] = [
    ({"type": "static_select", "options": [OPTION]}, {"selected_option": "v"}, "selected_option"),
    ({"type": "multi_static_select", "options": [OPTION]}, {"selected_options": ["v"]}, "selected_options"),
    ({"type": "radio_buttons", "options": [OPTION]}, {"selected_option": "v"}, "selected_option"),
    ({"type": "checkboxes", "options": [OPTION]}, {"selected_options": ["v"]}, "selected_options"),
    ({"type": "overflow", "options": [OPTION]}, {"selected_option": "v"}, "selected_option"),
    ({"type": "users_select"}, {"selected_user": "U1"}, "selected_user"),
    ({"type": "multi_users_select"}, {"selected_users": ["U1"]}, "selected_users"),
    ({"type": "conversations_select"}, {"selected_conversation": "C1"}, "selected_conversation"),
    ({"type": "channels_select"}, {"selected_channel": "C1"}, "selected_channel"),
    ({"type": "datepicker"}, {"selected_date": "2026-01-02"}, "selected_date"),
    ({"type": "timepicker", "timezone": "Asia/Tokyo"}, {"selected_time": "23:59"}, "selected_time"),
    ({"type": "datetimepicker"}, {"selected_date_time": 1_700_000_000}, "selected_date_time"),
]


@pytest.mark.parametrize(("element", "given", "key"), ELEMENTS, ids=[each[0]["type"] for each in ELEMENTS])
async def test_each_element_sends_its_choice_under_its_own_key(
    open_workplace: Workplace, socket: StockSocket, element: Json, given: Json, key: str
) -> None:
    row = {"type": "actions", "block_id": "row", "elements": [{**element, "action_id": "go"}]}
    card = await _post_quietly(open_workplace, socket, [row])
    _, payload = await socket.answer(press(person(open_workplace, "operator"), card, **given))
    [action] = payload["actions"]
    more = {"timezone"} if element["type"] == "timepicker" else set()
    assert set(action) == {"type", "action_id", "block_id", "action_ts", key} | more
    chosen = action[key]
    whole = {**OPTION, "text": {**WORD, "emoji": True}}
    assert chosen == {"selected_option": whole, "selected_options": [whole]}.get(key, given[key])
    state = payload["state"]["values"]
    assert state == ({} if element["type"] == "overflow" else {"row": {"go": {"type": element["type"], key: chosen}}})


async def test_grid_names_the_organisation_everywhere() -> None:
    workplace = Workplace(
        port=0, grid=True, scopes=ALL_SCOPES, events=ALL_EVENTS, shortcuts=(Shortcut("new_job", "New job"),)
    )
    await workplace.start()
    try:
        async with open_stock_socket(workplace) as socket:
            _, command = await socket.answer(type_command(workplace))
            assert set(command) == COMMAND | {"enterprise_id", "enterprise_name"}
            _, foreign = await socket.answer(type_command(workplace, key="outsider"))
            assert set(foreign) == COMMAND
            operator = person(workplace, "operator")
            _, shortcut = await socket.answer(operator.post("shortcuts.choose", callback_id="new_job"))
            assert shortcut["enterprise"] == {"id": command["enterprise_id"], "name": command["enterprise_name"]}
            assert shortcut["team"]["enterprise_id"] == command["enterprise_id"]
            await operator.post("lab.home")
            event = dict((await socket.read()).payload)
            assert set(event) == WRAPPER | {"enterprise_id"}
            assert event["authorizations"][0]["enterprise_id"] == event["context_enterprise_id"]
        user = (await bot(workplace).web.users_info(user=workplace.people["viewer"].id))["user"]
        assert user["enterprise_user"]["teams"] == [workplace.team_id]
        assert (await bot(workplace).web.auth_test())["enterprise_id"] == command["enterprise_id"]
    finally:
        await workplace.stop()


async def test_app_of_a_whole_organisation_gets_no_team() -> None:
    workplace = Workplace(port=0, is_org_wide=True, shortcuts=(Shortcut("new_job", "New job"),))
    await workplace.start()
    try:
        async with open_stock_socket(workplace) as socket:
            _, command = await socket.answer(type_command(workplace))
            operator = person(workplace, "operator")
            _, shortcut = await socket.answer(operator.post("shortcuts.choose", callback_id="new_job"))
            await operator.post("lab.home")
            event = (await socket.read()).payload
        assert (command["is_enterprise_install"], command["team_id"]) == ("true", workplace.team_id)
        assert (shortcut["team"], shortcut["is_enterprise_install"]) == (None, True)
        assert shortcut["enterprise"]["id"] == command["enterprise_id"]
        assert event["authorizations"][0]["is_enterprise_install"] is True
        assert (await bot(workplace).web.auth_test())["is_enterprise_install"] is True
    finally:
        await workplace.stop()


async def test_view_names_the_team_of_its_reader_and_of_the_app(open_workplace: Workplace, socket: StockSocket) -> None:
    _, typed = await socket.answer(type_command(open_workplace, key="outsider"))
    view = (await bot(open_workplace).web.views_open(trigger_id=typed["trigger_id"], view=make_modal()))["view"]
    assert view["team_id"] == open_workplace.people["outsider"].team_id
    assert view["app_installed_team_id"] == open_workplace.team_id


async def test_blocks_come_back_with_what_slack_fills_in(open_workplace: Workplace, socket: StockSocket) -> None:
    bare = {"type": "input", "label": WORD, "element": {"type": "plain_text_input"}}
    view = await _open(open_workplace, socket, make_modal(bare))
    [block] = view["blocks"]
    assert set(block) == {"type", "block_id", "label", "optional", "dispatch_action", "element"}
    assert block["label"]["emoji"] is True
    assert block["element"]["dispatch_action_config"] == {"trigger_actions_on": ["on_enter_pressed"]}
    assert set(block["element"]) == {"type", "action_id", "dispatch_action_config"}
