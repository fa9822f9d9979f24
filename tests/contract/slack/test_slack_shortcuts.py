"""Shortcuts, global and of a message, and forms that are answered by a response URL: with stock Bolt."""

import asyncio

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_clients import Connect, Json, bot, make_app, open_socket, person, until_logged
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.lab.slack import Clock, Shortcut, Workplace

WORD = {"type": "plain_text", "text": "Job"}
PICKER = {
    "type": "conversations_select",
    "action_id": "where",
    "default_to_current_conversation": True,
    "response_url_enabled": True,
}
FORM = {
    "type": "modal",
    "callback_id": "form",
    "title": WORD,
    "submit": WORD,
    "blocks": [{"type": "input", "block_id": "where", "label": WORD, "element": PICKER}],
}


async def test_shortcut_of_a_message_brings_the_message_and_opens_a_form(
    open_workplace: Workplace, connect: Connect
) -> None:
    app = make_app(open_workplace)
    bodies: list[Json] = []

    @app.shortcut("link_job")
    async def link(ack: AsyncAck, body: Json, client: AsyncWebClient, respond: AsyncRespond) -> None:
        await client.views_open(trigger_id=body["trigger_id"], view=FORM)
        await ack()
        bodies.append(body)
        await respond("linked")

    await connect(open_workplace, app)
    operator, ops = person(open_workplace, "operator"), open_workplace.channels["ops"]
    posted = await operator.post("chat.postMessage", channel=ops, text="please move db1")
    where = {"channel": ops, "message_ts": posted["ts"]}
    assert (await operator.post("shortcuts.choose", callback_id="link_job", **where))["ok"]
    await until_logged(open_workplace, lambda log: any(entry["kind"] == "response_url" for entry in log))
    [body] = bodies
    assert (body["type"], body["message_ts"], body["message"]["text"]) == (
        "message_action",
        posted["ts"],
        "please move db1",
    )
    assert body["channel"] == {"id": ops, "name": "ops"}
    screen = await operator.post("lab.screen", channel=ops)
    assert [message["text"] for message in screen["messages"]] == ["please move db1", "linked"]
    [view] = screen["views"]
    assert view["state"]["values"]["where"]["where"]["selected_conversation"] == ops


async def test_form_with_a_conversation_can_be_answered_by_its_response_url(
    open_workplace: Workplace, connect: Connect
) -> None:
    app = make_app(open_workplace)
    urls: list[Json] = []

    @app.shortcut("link_job")
    async def link(ack: AsyncAck, body: Json, client: AsyncWebClient) -> None:
        await client.views_open(trigger_id=body["trigger_id"], view=FORM)
        await ack()

    @app.view("form")
    async def submit(ack: AsyncAck, body: Json) -> None:
        urls.extend(body["response_urls"])
        await ack()

    await connect(open_workplace, app)
    operator, ops = person(open_workplace, "operator"), open_workplace.channels["ops"]
    posted = await operator.post("chat.postMessage", channel=ops, text="x")
    await operator.post("shortcuts.choose", callback_id="link_job", channel=ops, message_ts=posted["ts"])
    [view] = (await operator.post("lab.screen"))["views"]
    assert (await operator.post("views.submit", view_id=view["id"], values={}))["ok"]
    [url] = urls
    assert (url["block_id"], url["action_id"], url["channel_id"]) == ("where", "where", ops)
    answer = await AsyncWebhookClient(url["response_url"]).send(text="started", response_type="in_channel")
    assert answer.body == "ok"
    history = (await bot(open_workplace).web.conversations_history(channel=ops))["messages"]
    assert history[0]["text"] == "started"


async def test_global_shortcut_has_no_place(open_workplace: Workplace) -> None:
    operator = person(open_workplace, "operator")
    async with open_socket(open_workplace) as socket:
        chosen = asyncio.create_task(operator.post("shortcuts.choose", callback_id="new_job"))
        frame = await socket.read()
        await socket.ack(frame)
        assert (await chosen)["ok"]
    assert frame["accepts_response_payload"] is False
    payload = frame["payload"]
    assert payload["type"] == "shortcut"
    assert not {"channel", "message", "response_url"} & set(payload)
    unknown = await operator.post("shortcuts.choose", callback_id="link_job")
    assert unknown["error"] == "no_such_shortcut"


async def test_unacked_shortcut_fails_visibly(clock: Clock) -> None:
    workplace = Workplace(port=0, clock=clock, shortcuts=(Shortcut("new_job", "New job"),))
    await workplace.start()
    try:
        async with open_socket(workplace) as socket:
            operator = person(workplace, "operator")
            chosen = asyncio.create_task(operator.post("shortcuts.choose", callback_id="new_job"))
            await socket.read()
            await clock.advance(3)
            assert "did not respond" in (await chosen)["error"]
            assert (await operator.post("lab.screen"))["notices"][-1]["kind"] == "shortcut_failed"
    finally:
        await workplace.stop()
