"""What naive simulations of Slack miss, items 1 to 11: one test each, with the stock Python SDK as the client.

1 one socket per envelope, pending table per app · 2 ack on another socket accepted · 3 retry_attempt 0 first, retries
after a missed ack, backlog while disconnected · 4 visible ack failures · 5 trigger expiry and single use ·
6 response_url five uses in thirty minutes, ephemeral replace and delete · 7 payload per container · 8 state.values with
nulls and generated ids · 9 all four response_actions, errors on an unknown block · 10 external_select options ·
11 limits with json-pointer messages. The detailed tests stand in the files named for each subject.
"""

import asyncio

import pytest
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_clients import Connect, Json, bot, make_app, make_button, person
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient
from slack_stock import (
    WORD,
    make_input,
    make_modal,
    make_values,
    open_stock_socket,
    post_card,
    press,
    read_screen,
    type_command,
)

from bot.lab.slack import Clock, Workplace


async def test_item_01_each_envelope_goes_to_exactly_one_socket(workplace: Workplace) -> None:
    async with (
        open_stock_socket(workplace) as one,
        open_stock_socket(workplace) as two,
        open_stock_socket(workplace) as three,
    ):
        typed = [asyncio.create_task(type_command(workplace, str(number))) for number in range(6)]
        requests = await asyncio.gather(*(socket.read() for socket in (one, two, three) for _ in range(2)))
        # Acks come back on any socket: what waits for them belongs to the app.
        for request in requests:
            await one.ack(request)
        assert all(answer["ok"] for answer in await asyncio.gather(*typed))
        assert all(socket.requests.empty() for socket in (one, two, three))
    assert sorted(str(request.payload["text"]) for request in requests) == [str(number) for number in range(6)]


async def test_item_02_ack_on_another_socket_is_accepted(workplace: Workplace) -> None:
    async with open_stock_socket(workplace) as old:
        typed = asyncio.create_task(type_command(workplace))
        request = await old.read()
        async with open_stock_socket(workplace) as new:
            await new.ack(request, {"text": "from the new socket"})
            assert (await typed)["ok"]
    assert [message["text"] for message in (await read_screen(workplace))["messages"]] == ["from the new socket"]


async def test_item_03_missed_events_come_again_and_wait_for_a_socket(still_workplace: Workplace, clock: Clock) -> None:
    operator = person(still_workplace, "operator")
    async with open_stock_socket(still_workplace) as socket:
        await operator.post("lab.home")
        requests = [await socket.read()]
        for pause_s in (4, 63, 303):
            await clock.wait_for_sleepers(1)
            await clock.advance(pause_s)
            requests.append(await socket.read())
        await socket.ack(requests[-1])
    assert [(each.retry_attempt, each.retry_reason) for each in requests] == [
        (0, ""),
        *((number, "timeout") for number in (1, 2, 3)),
    ]
    await operator.post("lab.home", tab="messages")
    async with open_stock_socket(still_workplace) as again:
        late = await again.read()
    assert (late.retry_attempt, late.payload["event"]["tab"]) == (1, "messages")


async def test_item_04_what_nobody_acks_fails_visibly(still_workplace: Workplace, clock: Clock) -> None:
    workplace, operator = still_workplace, person(still_workplace, "operator")
    assert '"dispatch_failed"' in (await type_command(workplace))["error"]
    unknown = await type_command(workplace, command="/other")
    assert "not a valid command" in unknown["error"]
    picker = {"type": "external_select", "action_id": "vm", "min_query_length": 0}
    card = await post_card(workplace, [*make_button("7"), {"type": "actions", "block_id": "vm", "elements": [picker]}])
    async with open_stock_socket(workplace) as socket:
        _, payload = await socket.answer(type_command(workplace))
        view = await bot(workplace).post("views.open", trigger_id=payload["trigger_id"], view=make_modal())
        place = {"channel": card["channel"], "message_ts": card["ts"], "block_id": "vm", "action_id": "vm"}
        doings = {
            '"dispatch_failed"': type_command(workplace),
            "warning sign": press(operator, card),
            "trouble connecting": operator.post(
                "views.submit", view_id=view["view"]["id"], values=make_values(why="x")
            ),
            "Result not available": operator.post("blocks.suggestions", **place, value=""),
        }
        for wording, doing in doings.items():
            waiting = asyncio.ensure_future(doing)
            await socket.read()
            await clock.advance(3)
            assert wording in (await waiting)["error"]
    screen = await read_screen(workplace)
    kinds = [notice["kind"] for notice in screen["notices"]]
    assert kinds == ["command_failed", "command_unknown", "command_failed", "control_failed", "view_failed"]
    assert screen["views"][0]["state"]["values"]["why"]["why"]["value"] == "x"


async def test_item_05_trigger_opens_once_and_within_three_seconds(still_workplace: Workplace, clock: Clock) -> None:
    web = bot(still_workplace).web
    async with open_stock_socket(still_workplace) as socket:
        _, first = await socket.answer(type_command(still_workplace))
        _, second = await socket.answer(type_command(still_workplace))
    await clock.advance(3)
    await web.views_open(trigger_id=first["trigger_id"], view=make_modal())
    with pytest.raises(SlackApiError, match="exchanged_trigger_id"):
        await web.views_open(trigger_id=first["trigger_id"], view=make_modal())
    await clock.advance(0.1)
    with pytest.raises(SlackApiError, match="expired_trigger_id"):
        await web.views_open(trigger_id=second["trigger_id"], view=make_modal())
    with pytest.raises(SlackApiError, match="invalid_trigger_id"):
        await web.views_open(trigger_id="1.2.abc", view=make_modal())


async def test_item_06_response_url_has_five_uses_in_thirty_minutes(still_workplace: Workplace, clock: Clock) -> None:
    workplace, ops = still_workplace, still_workplace.channels["ops"]
    reader = workplace.people["operator"].id
    shown = await bot(workplace).post(
        "chat.postEphemeral", channel=ops, user=reader, text="private", blocks=make_button("7")
    )
    posted = {"channel": ops, "ts": shown["message_ts"]}
    async with open_stock_socket(workplace) as socket:
        _, clicked = await socket.answer(press(person(workplace, "operator"), posted))
        _, typed = await socket.answer(type_command(workplace))
    hook = AsyncWebhookClient(clicked["response_url"])
    assert (await hook.send(text="replaced", replace_original=True)).body == "ok"
    assert [message["text"] for message in (await read_screen(workplace))["messages"]] == ["replaced"]
    assert (await hook.send(delete_original=True)).body == "ok"
    assert (await read_screen(workplace))["messages"] == []
    statuses = [(await hook.send(text=str(number))).status_code for number in range(4)]
    assert statuses == [200, 200, 200, 404]
    await clock.advance(30 * 60 + 1)
    late = await AsyncWebhookClient(typed["response_url"]).send(text="late")
    assert (late.status_code, "expired_url" in late.body) == (404, True)


async def test_item_07_payload_differs_by_container(workplace: Workplace) -> None:
    web, operator, ops = bot(workplace).web, person(workplace, "operator"), workplace.channels["ops"]
    reader = workplace.people["operator"].id
    card = await post_card(workplace, make_button("7"))
    reply = await post_card(workplace, make_button("7"), thread_ts=card["ts"])
    private = await web.chat_postEphemeral(channel=ops, user=reader, text="x", blocks=make_button("7"))
    home = await web.views_publish(user_id=reader, view={"type": "home", "blocks": make_button("7")})
    async with open_stock_socket(workplace) as socket:
        _, in_message = await socket.answer(press(operator, card))
        _, in_thread = await socket.answer(press(operator, reply))
        _, in_private = await socket.answer(press(operator, {"channel": ops, "ts": private["message_ts"]}))
        modal = await web.views_open(trigger_id=in_message["trigger_id"], view=make_modal(*make_button("7")))
        views = [answer["view"]["id"] for answer in (modal, home)]
        in_views = [
            (await socket.answer(operator.post("blocks.actions", view_id=view, block_id="row", action_id="go")))[1]
            for view in views
        ]
    assert [payload["container"]["type"] for payload in (in_message, *in_views)] == ["message", "view", "view"]
    assert in_thread["container"]["thread_ts"] == card["ts"]
    assert "thread_ts" not in in_message["container"]
    assert (in_private["container"]["is_ephemeral"], "message" in in_private) == (True, False)
    for payload in in_views:
        assert not {"channel", "message", "state", "response_url"} & set(payload)
    assert [payload["view"]["type"] for payload in in_views] == ["modal", "home"]


async def test_item_08_state_holds_untouched_fields_and_generated_ids(workplace: Workplace) -> None:
    bare = {"type": "input", "label": WORD, "element": {"type": "plain_text_input"}, "optional": True}
    boxes = {"type": "checkboxes", "action_id": "flags", "options": [{"text": WORD, "value": "cold"}]}
    picker = {"type": "static_select", "action_id": "host", "options": [{"text": WORD, "value": "h1"}]}
    row = {"type": "actions", "block_id": "row", "elements": [boxes, picker]}
    async with open_stock_socket(workplace) as socket:
        _, typed = await socket.answer(type_command(workplace))
        opened = await bot(workplace).web.views_open(
            trigger_id=typed["trigger_id"], view=make_modal(bare, row, make_input("why", initial_value="because"))
        )
        submitting = person(workplace, "operator").post("views.submit", view_id=opened["view"]["id"], values={})
        _, submitted = await socket.answer(submitting)
    values = submitted["view"]["state"]["values"]
    block_id = opened["view"]["blocks"][0]["block_id"]
    action_id = opened["view"]["blocks"][0]["element"]["action_id"]
    assert values.pop(block_id) == {action_id: {"type": "plain_text_input", "value": None}}
    assert values == {
        "row": {
            "flags": {"type": "checkboxes", "selected_options": []},
            "host": {"type": "static_select", "selected_option": None},
        },
        "why": {"why": {"type": "plain_text_input", "value": "because"}},
    }


async def test_item_09_all_four_response_actions_and_errors_on_an_unknown_block(
    workplace: Workplace, connect: Connect
) -> None:
    app, operator = make_app(workplace), person(workplace, "operator")
    answers: list[Json] = []

    @app.command("/xen")
    async def command(ack: AsyncAck, body: Json, client: AsyncWebClient) -> None:
        await client.views_open(trigger_id=body["trigger_id"], view=make_modal())
        await ack()

    @app.view("form")
    async def submitted(ack: AsyncAck) -> None:
        await ack(**answers.pop(0))

    await connect(workplace, app)

    async def submit(**answer: object) -> tuple[Json, list[str]]:
        """Submit the topmost form, have the app answer so, and return what came and the forms that are open."""
        answers.append(answer)
        stack = (await read_screen(workplace))["views"]
        came = await operator.post("views.submit", view_id=stack[-1]["id"], values=make_values(why="because"))
        return came, [view["private_metadata"] for view in (await read_screen(workplace))["views"]]

    await type_command(workplace)
    came, stack = await submit(response_action="errors", errors={"why": "Too short"})
    assert (came["errors"], stack) == ({"why": "Too short"}, [""])
    for block_id in ("nowhere", "row"):
        came, stack = await submit(response_action="errors", errors={block_id: "x"})
        assert ("trouble connecting" in came["error"], stack) == (True, [""])
    with_button = make_modal(make_input("why"), *make_button("7"), private_metadata="updated")
    assert (await submit(response_action="update", view=with_button))[1] == ["updated"]
    came, stack = await submit(response_action="errors", errors={"row": "no input block"})
    assert ("trouble connecting" in came["error"], stack) == (True, ["updated"])
    for name in ("second", "third"):
        assert (await submit(response_action="push", view=make_modal(private_metadata=name)))[1][-1] == name
    came, stack = await submit(response_action="push", view=make_modal(private_metadata="fourth"))
    assert ("trouble connecting" in came["error"], stack) == (True, ["updated", "second", "third"])
    assert (await submit())[1] == ["updated", "second"]
    assert (await submit(response_action="clear"))[1] == []


async def test_item_10_external_select_asks_the_app_for_options(workplace: Workplace, connect: Connect) -> None:
    app = make_app(workplace)

    @app.options("vm")
    async def offer(ack: AsyncAck, payload: Json) -> None:
        options = [
            {"text": {"type": "plain_text", "text": f"{payload['value']}{n}"}, "value": str(n)} for n in range(2)
        ]
        if payload["value"] == "many":
            await ack(options=options * 51)
        elif payload["value"] == "grouped":
            await ack(option_groups=[{"label": WORD, "options": options}])
        else:
            await ack(options=options)

    await connect(workplace, app)
    card = await post_card(
        workplace,
        [{"type": "actions", "block_id": "row", "elements": [{"type": "external_select", "action_id": "vm"}]}],
    )
    operator = person(workplace, "operator")
    place = {"channel": card["channel"], "message_ts": card["ts"], "block_id": "row", "action_id": "vm"}

    async def ask(typed: str) -> Json:
        return await operator.post("blocks.suggestions", **place, value=typed)

    assert (await ask("db"))["options"] == []  # below the least length, nobody is asked
    offered = (await ask("web"))["options"]
    assert [option["text"]["text"] for option in offered] == ["web0", "web1"]
    assert len((await ask("grouped"))["option_groups"][0]["options"]) == 2
    assert "Result not available" in (await ask("many"))["error"]
    asked = [entry["frame"]["payload"]["value"] for entry in workplace.log() if entry["kind"] == "frame_out"]
    assert asked == ["web", "grouped", "many"]


async def test_item_11_limits_answer_with_json_pointers(workplace: Workplace) -> None:
    web, ops = bot(workplace).web, workplace.channels["ops"]
    wrong = [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}, {"type": "divider", "a": 1}]
    with pytest.raises(SlackApiError) as refused:
        await web.chat_postMessage(channel=ops, text="x", blocks=wrong)
    answer = refused.value.response
    assert answer["error"] == "invalid_blocks"
    assert answer["response_metadata"]["messages"] == [
        "[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]",
        "[ERROR] invalid additional property: a [json-pointer:/blocks/1]",
    ]
    async with open_stock_socket(workplace) as socket:
        _, typed = await socket.answer(type_command(workplace))
    with pytest.raises(SlackApiError) as refused:
        await web.views_open(trigger_id=typed["trigger_id"], view=make_modal(title={**WORD, "text": "x" * 25}))
    assert refused.value.response["error"] == "invalid_arguments"
    assert "[json-pointer:/view/title/text]" in refused.value.response["response_metadata"]["messages"][0]
