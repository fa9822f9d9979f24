import asyncio

import pytest
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_clients import Client, Connect, Json, Socket, bot, make_app, make_button, open_socket, person, until

from bot.lab.slack import Clock, Workplace

FORM: list[Json] = [
    {
        "type": "input",
        "block_id": "why",
        "label": {"type": "plain_text", "text": "Why"},
        "element": {"type": "plain_text_input", "action_id": "why"},
    },
    {
        "type": "actions",
        "block_id": "row",
        "elements": [
            {
                "type": "static_select",
                "action_id": "host",
                "options": [
                    {"text": {"type": "plain_text", "text": "Host 1"}, "value": "h1"},
                    {"text": {"type": "plain_text", "text": "Host 2"}, "value": "h2"},
                ],
            },
            {
                "type": "checkboxes",
                "action_id": "flags",
                "options": [{"text": {"type": "plain_text", "text": "Cold"}, "value": "cold"}],
            },
            {
                "type": "button",
                "action_id": "go",
                "value": "7",
                "text": {"type": "plain_text", "text": "Go"},
                "style": "primary",
            },
        ],
    },
]


async def _post(workplace: Workplace, blocks: list[Json], **more: object) -> Json:
    arguments = {"channel": workplace.channels["ops"], "text": "card", "blocks": blocks, **more}
    posted = await bot(workplace).post("chat.postMessage", **arguments)
    assert posted["ok"], posted
    return posted


async def _press(client: Client, posted: Json, **given: object) -> Json:
    where = {"channel": posted["channel"], "message_ts": posted["ts"], "block_id": "row", "action_id": "go"}
    return await client.post("blocks.actions", **{**where, **given})


async def _take(socket: Socket, client: Client, posted: Json, **given: object) -> Json:
    """Press, ack and return the payload."""
    pressed = asyncio.create_task(_press(client, posted, **given))
    frame = await socket.read()
    await socket.ack(frame)
    assert (await pressed)["ok"]
    assert frame["accepts_response_payload"] is False
    payload: Json = frame["payload"]
    return payload


async def test_button_round_trip(workplace: Workplace, connect: Connect) -> None:
    app = make_app(workplace)
    bodies: list[Json] = []

    @app.action("go")
    async def press(ack: AsyncAck, body: Json, respond: AsyncRespond) -> None:
        await ack()
        bodies.append(body)
        await respond("done", replace_original=True)

    await connect(workplace, app)
    posted = await _post(workplace, make_button("7"))
    since = workplace.revision()
    assert (await _press(person(workplace, "operator"), posted))["ok"]
    await workplace.changed(since)
    assert bodies[0]["actions"][0]["value"] == "7"
    screen = await person(workplace, "viewer").post("lab.screen", channel=posted["channel"])
    assert screen["messages"][0]["text"] == "done"
    assert "blocks" not in screen["messages"][0]


async def test_two_people_clicking_in_the_same_instant_both_reach_the_app(
    workplace: Workplace, connect: Connect
) -> None:
    app = make_app(workplace)
    clicked: list[str] = []

    @app.action("go")
    async def press(ack: AsyncAck, body: Json) -> None:
        clicked.append(body["user"]["username"])
        await ack()

    await connect(workplace, app)
    posted = await _post(workplace, make_button("7"))
    keys = ["approver", "approver2", "approver"]
    answers = await asyncio.gather(*(_press(person(workplace, key), posted, value="7") for key in keys))
    assert all(answer["ok"] for answer in answers)
    assert sorted(clicked) == sorted(keys)


async def test_message_payload_holds_state_message_and_place(workplace: Workplace) -> None:
    posted = await _post(workplace, FORM, metadata={"event_type": "xen_job", "event_payload": {"job": 7}})
    operator = person(workplace, "operator")
    async with open_socket(workplace) as socket:
        chosen = await _take(socket, operator, posted, action_id="host", selected_option="h2")
        payload = await _take(socket, operator, posted, action_id="go")
    assert chosen["actions"][0]["selected_option"]["text"]["text"] == "Host 2"
    place = {"type": "message", "message_ts": posted["ts"], "channel_id": posted["channel"], "is_ephemeral": False}
    assert payload["container"] == place
    assert payload["channel"] == {"id": posted["channel"], "name": "ops"}
    assert payload["message"]["metadata"]["event_payload"] == {"job": 7}
    values = payload["state"]["values"]
    assert values["why"]["why"] == {"type": "plain_text_input", "value": None}
    assert values["row"]["host"]["selected_option"]["value"] == "h2"
    assert values["row"]["flags"] == {"type": "checkboxes", "selected_options": []}
    assert set(values["row"]) == {"host", "flags"}
    action = payload["actions"][0]
    assert (action["type"], action["value"], action["style"]) == ("button", "7", "primary")
    assert payload["user"]["team_id"] == payload["team"]["id"] == workplace.team_id


async def test_one_persons_choices_are_not_anothers(workplace: Workplace) -> None:
    posted = await _post(workplace, FORM)
    async with open_socket(workplace) as socket:
        await _take(socket, person(workplace, "operator"), posted, action_id="host", selected_option="h2")
        payload = await _take(socket, person(workplace, "approver"), posted)
    assert payload["state"]["values"]["row"]["host"]["selected_option"] is None


async def test_ephemeral_payload_has_no_message(workplace: Workplace) -> None:
    reader, ops = workplace.people["operator"].id, workplace.channels["ops"]
    shown = await bot(workplace).post(
        "chat.postEphemeral", channel=ops, user=reader, text="private", blocks=make_button("7")
    )
    posted = {"channel": ops, "ts": shown["message_ts"]}
    async with open_socket(workplace) as socket:
        payload = await _take(socket, person(workplace, "operator"), posted)
    assert payload["container"]["is_ephemeral"] is True
    assert "message" not in payload
    other = await _press(person(workplace, "approver"), posted)
    assert other["error"] == "message_not_found"


async def test_thread_payload_names_the_thread(workplace: Workplace) -> None:
    root = await _post(workplace, [])
    reply = await _post(workplace, make_button("7"), thread_ts=root["ts"])
    async with open_socket(workplace) as socket:
        payload = await _take(socket, person(workplace, "operator"), reply)
    assert payload["container"]["thread_ts"] == payload["message"]["thread_ts"] == root["ts"]


async def test_outsider_click_names_their_own_team(workplace: Workplace) -> None:
    posted = await _post(workplace, make_button("7"))
    async with open_socket(workplace) as socket:
        payload = await _take(socket, person(workplace, "outsider"), posted)
    assert payload["team"]["id"] == payload["user"]["team_id"] == workplace.people["outsider"].team_id
    assert payload["message"]["team"] == workplace.team_id


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"action_id": "other"}, "no_such_element"),
        ({"value": "8"}, "no_such_element"),
        ({"message_ts": "1.000001"}, "message_not_found"),
    ],
)
async def test_only_what_stands_there_can_be_clicked(workplace: Workplace, given: Json, error: str) -> None:
    posted = await _post(workplace, make_button("7"))
    assert (await _press(person(workplace, "operator"), posted, **given))["error"] == error


async def test_late_click_on_an_edited_message_is_delivered_when_it_brings_its_value(workplace: Workplace) -> None:
    posted = await _post(workplace, make_button("7"))
    edited = await bot(workplace).post("chat.update", channel=posted["channel"], ts=posted["ts"], text="decided")
    assert edited["ok"]
    operator = person(workplace, "operator")
    assert (await _press(operator, posted))["error"] == "no_such_element"
    async with open_socket(workplace) as socket:
        payload = await _take(socket, operator, posted, value="7")
    assert payload["actions"][0]["value"] == "7"
    assert payload["message"]["text"] == "decided"


async def test_unacked_click_shows_a_warning_and_changes_nothing(still_workplace: Workplace, clock: Clock) -> None:
    posted = await _post(still_workplace, make_button("7"))
    operator = person(still_workplace, "operator")
    async with open_socket(still_workplace) as socket:
        pressed = asyncio.create_task(_press(operator, posted))
        await socket.read()
        await clock.advance(3)
        answer = await pressed
    assert not answer["ok"]
    screen = await operator.post("lab.screen", channel=posted["channel"])
    assert screen["notices"][-1]["kind"] == "control_failed"
    assert screen["messages"][0]["blocks"][0]["block_id"] == "row"


async def test_payload_in_the_ack_of_a_click_is_ignored_with_a_warning(workplace: Workplace) -> None:
    posted = await _post(workplace, make_button("7"))
    async with open_socket(workplace) as socket:
        pressed = asyncio.create_task(_press(person(workplace, "operator"), posted))
        await socket.ack(await socket.read(), {"text": "nobody sees this"})
        assert (await pressed)["ok"]
    assert any(entry["kind"] == "warning" and "accepts none" in entry["what"] for entry in workplace.log())


async def test_external_select_gets_its_options_from_the_app(workplace: Workplace, connect: Connect) -> None:
    app = make_app(workplace)
    chosen: list[Json] = []

    @app.options("vm")
    async def offer(ack: AsyncAck, payload: Json) -> None:
        name = f"{payload['value']}1"
        await ack(options=[{"text": {"type": "plain_text", "text": name}, "value": name}])

    @app.action("vm")
    async def choose(ack: AsyncAck, action: Json) -> None:
        await ack()
        chosen.append(action)

    await connect(workplace, app)
    select = {"type": "external_select", "action_id": "vm", "min_query_length": 2}
    posted = await _post(workplace, [{"type": "actions", "block_id": "row", "elements": [select]}])
    operator = person(workplace, "operator")
    where = {"channel": posted["channel"], "message_ts": posted["ts"], "block_id": "row", "action_id": "vm"}
    assert (await operator.post("blocks.suggestions", **where, value="w"))["options"] == []
    offered = await operator.post("blocks.suggestions", **where, value="web")
    assert [option["value"] for option in offered["options"]] == ["web1"]
    assert (await operator.post("blocks.actions", **where, selected_option=offered["options"][0]))["ok"]
    await until(workplace, lambda: bool(chosen))
    assert chosen[0]["selected_option"]["value"] == "web1"


async def test_bad_options_are_refused(workplace: Workplace) -> None:
    select = {"type": "external_select", "action_id": "vm", "min_query_length": 0}
    posted = await _post(workplace, [{"type": "actions", "block_id": "row", "elements": [select]}])
    where = {"channel": posted["channel"], "message_ts": posted["ts"], "block_id": "row", "action_id": "vm"}
    async with open_socket(workplace) as socket:
        asked = asyncio.create_task(person(workplace, "operator").post("blocks.suggestions", **where, value=""))
        option = {"text": {"type": "plain_text", "text": "x" * 76}, "value": "v"}
        await socket.ack(await socket.read(), {"options": [option]})
        answer = await asked
    assert answer["response_metadata"]["messages"] == [
        "must be less than 76 characters [json-pointer:/options/0/text/text]"
    ]
