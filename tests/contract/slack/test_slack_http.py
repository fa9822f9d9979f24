"""Delivery over HTTP: signed posts to a request URL, heard by stock Bolt and by a bare server."""

import asyncio
import json
from urllib.parse import parse_qs, parse_qsl

import pytest
from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_clients import DEADLINE_S, Json, bot, make_button, open_socket, person, serve
from slack_listener import Listener, write_to_bot
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from bot.lab.slack import Clock, Workplace


def make_http_app(workplace: Workplace) -> AsyncApp:
    client = AsyncWebClient(token=workplace.bot_token, base_url=workplace.api_url)
    return AsyncApp(client=client, signing_secret=workplace.signing_secret)


async def _command(workplace: Workplace, text: str = "status") -> Json:
    ops = workplace.channels["ops"]
    return await person(workplace, "operator").post("chat.command", channel=ops, command="/xen", text=text)


async def test_stock_bolt_server_takes_commands_clicks_forms_options_and_events(workplace: Workplace) -> None:
    app = make_http_app(workplace)
    heard: asyncio.Queue[Json] = asyncio.Queue()
    element = {"type": "external_select", "action_id": "vm", "min_query_length": 0}
    label = {"type": "plain_text", "text": "Guest"}
    view = {
        "type": "modal",
        "callback_id": "form",
        "title": label,
        "submit": label,
        "blocks": [{"type": "input", "block_id": "vm", "label": label, "element": element}],
    }
    option = {"text": {"type": "plain_text", "text": "db1"}, "value": "db1"}

    @app.command("/xen")
    async def command(ack: AsyncAck) -> None:
        await ack("from HTTP")

    @app.action("go")
    async def click(ack: AsyncAck, body: Json, client: AsyncWebClient, respond: AsyncRespond) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=view)
        await respond("pressed", replace_original=False)

    @app.options("vm")
    async def options(ack: AsyncAck) -> None:
        await ack(options=[option])

    @app.view("form")
    async def form(ack: AsyncAck) -> None:
        await ack(response_action="errors", errors={"vm": "Not this one"})

    @app.event("message")
    async def hear(event: Json) -> None:
        heard.put_nowait(event)

    operator, ops = person(workplace, "operator"), workplace.channels["ops"]
    async with serve(app.web_app()) as url:
        await workplace.do({"do": "deliver_by_http", "request_url": url})
        assert (await _command(workplace))["ok"]
        posted = await bot(workplace).post("chat.postMessage", channel=ops, text="card", blocks=make_button("7"))
        where = {"channel": ops, "message_ts": posted["ts"], "block_id": "row", "action_id": "go"}
        assert (await operator.post("blocks.actions", **where))["ok"]

        opened: list[Json] = []
        async with asyncio.timeout(DEADLINE_S):
            seen = workplace.revision()
            while not (opened := (await operator.post("lab.screen", channel=ops))["views"]):
                seen = await workplace.changed(seen)
        place = {"view_id": opened[0]["id"], "block_id": "vm", "action_id": "vm"}
        offered = await operator.post("blocks.suggestions", **place, value="")
        assert [each["value"] for each in offered["options"]] == ["db1"]
        values = {"vm": {"vm": {"selected_option": option}}}
        submitted = await operator.post("views.submit", view_id=opened[0]["id"], values=values)
        assert submitted["errors"] == {"vm": "Not this one"}
        await write_to_bot(workplace, "hello")
        async with asyncio.timeout(DEADLINE_S):
            assert (await heard.get())["text"] == "hello"
    screen = await operator.post("lab.screen", channel=ops)
    assert {"from HTTP", "pressed"} <= {message["text"] for message in screen["messages"]}
    deliveries = [entry for entry in workplace.log() if entry["kind"] == "delivery"]
    assert {entry["outcome"] for entry in deliveries} == {"ok"}


async def test_the_sdks_verifier_accepts_the_signature_of_the_raw_bytes(
    still_workplace: Workplace, listener: Listener
) -> None:
    verifier = SignatureVerifier(still_workplace.signing_secret)
    posted = await bot(still_workplace).post(
        "chat.postMessage", channel=still_workplace.channels["ops"], text="card", blocks=make_button("日本 & <b>")
    )
    where = {"channel": posted["channel"], "message_ts": posted["ts"], "block_id": "row", "action_id": "go"}
    await _command(still_workplace, "日本語 & <b> + %")
    await person(still_workplace, "operator").post("blocks.actions", **where)
    await write_to_bot(still_workplace, "日本語")
    await listener.wait_for(3)
    for headers, body in listener.got:
        assert verifier.is_valid(body, headers["X-Slack-Request-Timestamp"], headers["X-Slack-Signature"])
        assert not verifier.is_valid(body + b" ", headers["X-Slack-Request-Timestamp"], headers["X-Slack-Signature"])
        assert headers["User-Agent"].startswith("Slackbot 1.0")
        assert "X-Slack-Retry-Num" not in headers
    types = [headers["Content-Type"] for headers, _ in listener.got]
    assert types == ["application/x-www-form-urlencoded"] * 2 + ["application/json"]
    flat, clicked, event = (body.decode() for _, body in listener.got)
    command = dict(parse_qsl(flat, keep_blank_values=True))
    assert command["text"] == "日本語 &amp; &lt;b&gt; + %"
    assert command["is_enterprise_install"] == "false"
    assert list(parse_qs(clicked)) == ["payload"]
    assert json.loads(parse_qs(clicked)["payload"][0])["actions"][0]["value"] == "日本 & <b>"
    assert json.loads(event)["event"]["text"] == "日本語"


@pytest.mark.parametrize("kind", ["wrong_signature", "old_signature"])
async def test_stock_bolt_refuses_a_wrong_or_an_old_signature(workplace: Workplace, kind: str) -> None:
    app = make_http_app(workplace)
    called: list[Json] = []

    @app.command("/xen")
    async def command(ack: AsyncAck, body: Json) -> None:
        called.append(body)
        await ack()

    async with serve(app.web_app()) as url:
        await workplace.do({"do": "deliver_by_http", "request_url": url})
        await workplace.do({"do": "misdeliver", "kind": kind})
        assert "dispatch_unknown_error" in (await _command(workplace))["error"]
        assert not called
        assert (await _command(workplace))["ok"]
    statuses = [entry["status"] for entry in workplace.log() if entry["what"].startswith("slash_commands")]
    assert statuses == [401, 200]


async def test_late_command_says_operation_timeout(
    still_workplace: Workplace, listener: Listener, clock: Clock
) -> None:
    listener.hold = asyncio.Event()
    typed = asyncio.create_task(_command(still_workplace))
    await listener.wait_for(1)
    await clock.advance(3)
    assert '"operation_timeout"' in (await typed)["error"]
    listener.hold.set()


async def test_command_without_a_server_says_dispatch_failed(workplace: Workplace) -> None:
    async with serve(Listener().application) as url:
        await workplace.do({"do": "deliver_by_http", "request_url": url})
    assert '"dispatch_failed"' in (await _command(workplace))["error"]


async def test_body_in_the_answer_to_a_click_is_ignored_and_a_text_answer_to_a_form_is_broken(
    still_workplace: Workplace, listener: Listener
) -> None:
    listener.answer = lambda: web.Response(text="done")
    ops, operator = still_workplace.channels["ops"], person(still_workplace, "operator")
    posted = await bot(still_workplace).post("chat.postMessage", channel=ops, text="card", blocks=make_button("7"))
    where = {"channel": ops, "message_ts": posted["ts"], "block_id": "row", "action_id": "go"}
    assert (await operator.post("blocks.actions", **where))["ok"]
    assert any("use response_url" in entry["what"] for entry in still_workplace.log())
    clicked = json.loads(parse_qs(listener.got[0][1].decode())["payload"][0])
    word = {"type": "plain_text", "text": "Form"}
    view = {"type": "modal", "title": word, "blocks": []}
    opened = await bot(still_workplace).post("views.open", trigger_id=clicked["trigger_id"], view=view)
    answer = await operator.post("views.submit", view_id=opened["view"]["id"], values={})
    assert answer["error"] == "We had some trouble connecting. Try again?"


async def test_two_redirects_are_followed_and_three_are_too_many(workplace: Workplace) -> None:
    asked: list[int] = []

    async def bounce(request: web.Request) -> web.StreamResponse:
        left = int(request.match_info["left"])
        asked.append(left)
        if left:
            raise web.HTTPTemporaryRedirect(f"/slack/{left - 1}")
        body = await request.post()
        return web.json_response({"challenge": (await request.json())["challenge"]}) if not body else web.Response()

    application = web.Application()
    application.add_routes([web.post("/slack/{left}", bounce)])
    async with serve(application) as url:
        base = url.removesuffix("events")
        await workplace.do({"do": "deliver_by_http", "request_url": f"{base}2"})
        with pytest.raises(ValueError, match="too_many_redirects"):
            await workplace.do({"do": "deliver_by_http", "request_url": f"{base}3"})
    assert asked == [2, 1, 0, 3, 2, 1]


async def test_url_that_does_not_return_the_challenge_is_not_taken(workplace: Workplace) -> None:
    async def deny(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="hello")

    application = web.Application()
    application.add_routes([web.post("/slack/events", deny)])
    async with serve(application) as url, open_socket(workplace):
        with pytest.raises(ValueError, match=r"^The address .+ was not verified: it did not return the challenge\.$"):
            await workplace.do({"do": "deliver_by_http", "request_url": url})
        assert workplace.open_sockets == 1
    with pytest.raises(ValueError, match="not an http address of this machine"):
        await workplace.do({"do": "deliver_by_http", "request_url": "https://example.com/slack/events"})
    with pytest.raises(ValueError, match="no request URL"):
        await workplace.do({"do": "ssl_check"})


async def test_stock_bolt_answers_ssl_check_unsigned(workplace: Workplace) -> None:
    async with serve(make_http_app(workplace).web_app()) as url:
        await workplace.do({"do": "deliver_by_http", "request_url": url})
        assert (await workplace.do({"do": "ssl_check"}))["status"] == 200


async def test_an_app_has_sockets_or_request_urls_and_never_both(workplace: Workplace) -> None:
    listener = Listener()
    async with serve(listener.application) as url, open_socket(workplace) as socket:
        await workplace.do({"do": "deliver_by_http", "request_url": url})
        assert (await socket.read())["reason"] == "link_disabled"
        assert workplace.open_sockets == 0
        assert (await _command(workplace))["ok"]
        with pytest.raises(SlackApiError):
            await AsyncWebClient(base_url=workplace.api_url).apps_connections_open(app_token=workplace.app_token)
        await workplace.do({"do": "deliver_by_socket"})
        async with open_socket(workplace) as again:
            typed = asyncio.create_task(_command(workplace))
            await again.ack(await again.read())
            assert (await typed)["ok"]
    assert len(listener.got) == 1


async def test_duplicated_and_lost_deliveries_over_http(
    still_workplace: Workplace, listener: Listener, clock: Clock
) -> None:
    await still_workplace.do({"do": "misdeliver", "kind": "duplicate", "type": "slash_commands"})
    assert (await _command(still_workplace))["ok"]
    assert len(listener.got) == 2
    assert listener.got[0][1] == listener.got[1][1]
    await still_workplace.do({"do": "misdeliver", "kind": "lost"})
    typed = asyncio.create_task(_command(still_workplace))
    await clock.wait_for_sleepers(1)
    await clock.advance(3)
    assert '"operation_timeout"' in (await typed)["error"]
    assert len(listener.got) == 2
