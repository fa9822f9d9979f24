"""What naive simulations of Slack miss, items 12 to 22: one test each, with the stock Python SDK as the client.

12 chat.update's rule for text and blocks · 13 rate limits, 429 and Retry-After, switchable · 14 scopes and membership ·
15 guests, deactivated, other-team and bot accounts in the switcher · 16 the bot's own messages and edits ·
17 slash commands refused in threads · 18 disconnect frames, server restart, too_many_websockets · 19 encodings ·
20 ping echo and server pings · 21 double click and two browsers · 22 inspector. The detailed tests stand in the files
named for each subject.
"""

import asyncio
import contextlib
import json
import logging

import pytest
from aiohttp import ClientSession
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_clients import (
    DEADLINE_S,
    Connect,
    Json,
    bot,
    make_app,
    make_button,
    person,
    until_logged,
)
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient
from slack_stock import StockSocket, eventually, open_stock_socket, post_card, press, read_screen, type_command

from bot.lab.slack import Clock, Workplace


async def test_item_12_text_without_blocks_drops_the_blocks(workplace: Workplace) -> None:
    web = bot(workplace).web
    metadata = {"event_type": "xen_job", "event_payload": {"job": 7}}
    card = await post_card(workplace, make_button("7"), metadata=metadata)
    where = {"channel": card["channel"], "ts": card["ts"]}
    kept = (await bot(workplace).post("chat.update", **where, metadata=metadata))["message"]
    assert kept["blocks"][0]["block_id"] == "row"
    assert "blocks" not in (await web.chat_update(**where, text="decided"))["message"]
    both = (await web.chat_update(**where, text="card", blocks=make_button("8")))["message"]
    assert both["blocks"][0]["elements"][0]["value"] == "8"
    emptied = (await web.chat_update(**where, text="card", blocks=[]))["message"]
    assert ("blocks" in emptied, emptied["metadata"]) == (False, metadata)


async def test_item_13_limits_answer_429_with_retry_after_and_can_be_switched_off(
    still_workplace: Workplace, clock: Clock
) -> None:
    web, ops = bot(still_workplace).web, still_workplace.channels["ops"]
    burst = [await bot(still_workplace).post("chat.postMessage", channel=ops, text=str(n)) for n in range(8)]
    assert all(answer["ok"] for answer in burst)
    with pytest.raises(SlackApiError) as refused:
        await web.chat_postMessage(channel=ops, text="one too many")
    assert (refused.value.response.status_code, refused.value.response["error"]) == (429, "ratelimited")
    await clock.advance(int(refused.value.response.headers["Retry-After"]))
    posted = await web.chat_postMessage(channel=ops, text="waited")
    for method, tier, given in (
        ("chat.update", 50, {"channel": ops, "ts": posted["ts"], "text": "x"}),
        ("users.info", 100, {"user": still_workplace.bot_user_id}),
    ):
        answers = await asyncio.gather(*(bot(still_workplace).post(method, **given) for _ in range(tier + 1)))
        assert [answer["error"] for answer in answers if not answer["ok"]] == ["ratelimited"]
    await still_workplace.do({"do": "ratelimits", "on": False})
    assert (await web.users_info(user=still_workplace.bot_user_id))["ok"]
    # The SDK's own handler waits as long as it is told and sends again.
    await still_workplace.do({"do": "fail", "method": "auth.test", "kind": "429", "retry_after": 0})
    patient = AsyncWebClient(token=still_workplace.bot_token, base_url=still_workplace.api_url)
    patient.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=1))
    assert (await patient.auth_test())["ok"]


async def test_item_14_scopes_and_membership_are_asked_for(workplace: Workplace) -> None:
    web, people, channels = bot(workplace).web, workplace.people, workplace.channels
    with pytest.raises(SlackApiError) as refused:
        await web.reactions_add(channel=channels["ops"], timestamp="1.000001", name="eyes")
    answer = refused.value.response
    assert (answer["error"], answer["needed"]) == ("missing_scope", "reactions:write")
    assert "chat:write" in answer["provided"].split(",")
    with pytest.raises(SlackApiError, match="not_in_channel"):
        await web.chat_postMessage(channel=channels["random"], text="x")
    with pytest.raises(SlackApiError, match="user_not_in_channel"):
        await web.chat_postEphemeral(channel=channels["ops"], user=people["former"].id, text="x")
    with pytest.raises(SlackApiError, match="not_in_channel"):
        await web.chat_postEphemeral(channel=channels["random"], user=people["viewer"].id, text="x")
    await workplace.do({"do": "channel", "name": "ops", "posting": "restricted"})
    with pytest.raises(SlackApiError, match="restricted_action"):
        await web.chat_postMessage(channel=channels["ops"], text="x")


async def test_item_15_special_accounts_are_in_the_switcher(workplace: Workplace) -> None:
    async with ClientSession() as session, session.get(f"{workplace.url}/lab/people") as response:
        offered = {one["key"]: one for one in (await response.json())["people"]}
    assert {"guest", "guest2", "outsider", "former", "robot"} <= set(offered)
    web = bot(workplace).web
    shown = {key: (await web.users_info(user=offered[key]["id"]))["user"] for key in offered}
    flags = ("is_restricted", "is_ultra_restricted", "is_bot", "deleted")
    marked = {key: [name for name in flags if user.get(name)] for key, user in shown.items()}
    assert {key: found for key, found in marked.items() if found} == {
        "guest": ["is_restricted", "is_ultra_restricted"],
        "guest2": ["is_restricted"],
        "former": ["deleted"],
        "robot": ["is_bot"],
    }
    assert shown["outsider"]["team_id"] != shown["viewer"]["team_id"] == workplace.team_id
    assert (await type_command(workplace, key="former"))["error"] == "account_inactive"
    assert "Bot users cannot" in (await type_command(workplace, key="robot"))["error"]
    async with open_stock_socket(workplace) as socket:
        for key in ("guest", "guest2", "outsider"):
            _, payload = await socket.answer(type_command(workplace, key=key))
            assert (payload["user_id"], payload["team_id"]) == (offered[key]["id"], offered[key]["team_id"])
    said = await person(workplace, "robot").post("chat.postMessage", channel=workplace.channels["ops"], text="deployed")
    assert said["message"]["bot_id"] == shown["robot"]["profile"]["bot_id"]


async def test_item_16_own_messages_and_their_edits_come_back(open_workplace: Workplace) -> None:
    web, ops = bot(open_workplace).web, open_workplace.channels["ops"]
    async with open_stock_socket(open_workplace) as socket:
        posted = await web.chat_postMessage(channel=ops, text="first")
        await web.chat_update(channel=ops, ts=posted["ts"], text="second")
        await web.chat_delete(channel=ops, ts=posted["ts"])
        requests = [await socket.read() for _ in range(3)]
        for request in requests:
            await socket.ack(request)
    new, changed, deleted = (request.payload["event"] for request in requests)
    assert (new["bot_id"], new["app_id"], new["text"]) == (posted["message"]["bot_id"], open_workplace.app_id, "first")
    assert (changed["subtype"], changed["hidden"]) == ("message_changed", True)
    assert (changed["message"]["text"], changed["previous_message"]["text"]) == ("second", "first")
    assert (deleted["subtype"], deleted["deleted_ts"]) == ("message_deleted", posted["ts"])


async def test_item_17_slash_command_is_refused_in_a_thread(workplace: Workplace) -> None:
    card = await post_card(workplace, [])
    async with open_stock_socket(workplace) as socket:
        answer = await type_command(workplace, thread_ts=card["ts"])
        assert socket.requests.empty()
    assert "not supported in threads" in answer["error"]
    assert (await read_screen(workplace))["notices"][-1]["kind"] == "command_refused"


async def _is_another(socket: StockSocket, session: str | None) -> bool:
    """Return whether the client has come back on another connection."""
    return await socket.client.session_id() != session and await socket.client.is_connected()


async def test_item_18_disconnects_restart_and_an_eleventh_socket(workplace: Workplace) -> None:
    async with open_stock_socket(workplace, ping_interval=0.1) as socket:
        for reason in ("warning", "refresh_requested"):
            session = await socket.client.session_id()
            await workplace.do({"do": "disconnect", "reason": reason})
            await eventually(lambda session=session: _is_another(socket, session))
            assert (await socket.answer(type_command(workplace)))[0]["ok"]
        await workplace.stop()
        await workplace.start()
        async with asyncio.timeout(DEADLINE_S):
            await workplace.connected()
        assert (await socket.answer(type_command(workplace)))[0]["ok"]
    async with contextlib.AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(open_stock_socket(workplace)) for _ in range(10)]
        assert [await socket.client.is_connected() for socket in sockets] == [True] * 10
        await stack.enter_async_context(open_stock_socket(workplace))
        await until_logged(workplace, lambda log: "disconnect too_many_websockets" in {each["what"] for each in log})
        assert workplace.open_sockets == 10


async def test_item_19_every_encoding_is_understood(workplace: Workplace) -> None:
    ops, text = workplace.channels["ops"], "日本語 & <b> 100 %"
    sync = WebClient(token=workplace.bot_token, base_url=workplace.api_url)
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]
    given = {"channel": ops, "text": text, "blocks": blocks}

    flat = {**given, "blocks": json.dumps(blocks)}

    def call_every_way() -> list[Json]:
        """JSON post, form post and a post with its arguments in the query: what the SDK itself chooses from."""
        return [
            dict(sync.api_call("chat.postMessage", json=given).data),  # type: ignore[arg-type]  # JSON is an object
            dict(sync.api_call("chat.postMessage", data=flat).data),  # type: ignore[arg-type]  # as above
            dict(sync.api_call("chat.postMessage", params=flat).data),  # type: ignore[arg-type]  # as above
        ]

    got = await bot(workplace).web.api_call("chat.postMessage", http_verb="GET", params=flat)
    for answer in (got, *await asyncio.to_thread(call_every_way)):
        assert (answer["message"]["text"], answer["message"]["blocks"][0]["text"]["text"]) == (text, text)
    verbs = {entry["verb"] for entry in workplace.log() if entry["what"] == "chat.postMessage"}
    assert verbs == {"GET", "POST"}


async def _is_echoed(socket: StockSocket) -> bool:
    """Return whether a pong came back; the SDK takes the time from the data of its own ping."""
    return socket.client.last_ping_pong_time is not None


async def test_item_20_pings_go_both_ways(workplace: Workplace, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="slack_sdk.socket_mode.aiohttp"):
        async with open_stock_socket(workplace, ping_interval=0.05) as socket:
            await eventually(lambda: _is_echoed(socket))
            assert not await socket.client.is_ping_pong_failing()
    assert any("PING" in record.getMessage() and "Ping from" in record.getMessage() for record in caplog.records)


async def test_item_21_double_clicks_and_two_browsers_all_reach_the_app(workplace: Workplace, connect: Connect) -> None:
    app, card = make_app(workplace), await post_card(workplace, make_button("7"))
    clicks: list[tuple[str, str]] = []

    @app.action("go")
    async def decide(ack: AsyncAck, body: Json, client: AsyncWebClient) -> None:
        is_first = not clicks
        clicks.append((body["user"]["username"], body["actions"][0]["action_ts"]))
        if is_first:
            await client.chat_update(channel=body["channel"]["id"], ts=body["message"]["ts"], text="decided", blocks=[])
        await ack()

    await connect(workplace, app)
    people = [person(workplace, key) for key in ("approver", "approver", "approver2")]
    answers = await asyncio.gather(*(press(one, card, value="7") for one in people))
    assert all(answer["ok"] for answer in answers)
    assert sorted(name for name, _ in clicks) == ["approver", "approver", "approver2"]
    assert len({action_ts for _, action_ts in clicks}) == 3
    # A browser that still shows the button may press it after the edit, too.
    assert (await press(people[2], card, value="7"))["ok"]
    assert [message["text"] for message in (await read_screen(workplace))["messages"]] == ["decided"]


async def test_item_22_inspector_shows_frames_and_calls_without_secrets(workplace: Workplace) -> None:
    async with open_stock_socket(workplace) as socket:
        _, payload = await socket.answer(type_command(workplace))
        await bot(workplace).post("chat.postMessage", channel=workplace.channels["ops"])
    await until_logged(workplace, lambda log: any(entry["what"] == "socket 1 closed" for entry in log))
    entries = workplace.log()
    found = {(entry["kind"], entry["what"]): entry for entry in entries}
    assert found["frame_out", "slash_commands"]["frame"]["payload"]["command"] == "/xen"
    assert found["frame_in", "ack"]["outcome"] == "ok"
    assert found["http", "chat.postMessage"]["outcome"] == "no_text"
    assert found["http", "apps.connections.open"]["by"] == "app"
    assert payload["response_url"] not in str(entries)
    assert workplace.app_token not in str(entries)
