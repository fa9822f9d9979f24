import asyncio

import pytest
from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_clients import DEADLINE_S, Connect, Json, bot, make_app, open_socket, person
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.lab.slack import Clock, Workplace


async def _type(workplace: Workplace, text: str = "status") -> Json:
    ops = workplace.channels["ops"]
    return await person(workplace, "operator").post("chat.command", channel=ops, command="/xen", text=text)


async def _address(workplace: Workplace) -> str:
    opened = await AsyncWebClient(base_url=workplace.api_url).apps_connections_open(app_token=workplace.app_token)
    return str(opened["url"])


async def test_each_envelope_goes_to_one_socket_in_turn(workplace: Workplace) -> None:
    async with open_socket(workplace) as one, open_socket(workplace) as two:
        first = asyncio.create_task(_type(workplace, "1"))
        second = asyncio.create_task(_type(workplace, "2"))
        frames = await asyncio.gather(one.read(), two.read())
        for socket, frame in zip((one, two), frames, strict=True):
            await socket.ack(frame)
        assert (await first)["ok"]
        assert (await second)["ok"]
    assert {frame["payload"]["text"] for frame in frames} == {"1", "2"}


async def test_ack_on_another_socket_counts(workplace: Workplace) -> None:
    async with open_socket(workplace) as old:
        typed = asyncio.create_task(_type(workplace))
        frame = await old.read()
        async with open_socket(workplace) as new:
            await new.ack(frame, {"text": "late but here"})
            await new.ack(frame, {"text": "a second ack is ignored"})
            assert (await typed)["ok"]
    screen = await person(workplace, "operator").post("lab.screen", channel=workplace.channels["ops"])
    assert [message["text"] for message in screen["messages"]] == ["late but here"]


async def test_bolt_acks_on_its_new_socket_after_a_drop(workplace: Workplace, connect: Connect) -> None:
    app = make_app(workplace)
    received, go_on = asyncio.Event(), asyncio.Event()

    @app.command("/xen")
    async def answer(ack: AsyncAck) -> None:
        received.set()
        await go_on.wait()
        await ack("still here")

    handler = await connect(workplace, app)
    typed = asyncio.create_task(_type(workplace))
    await received.wait()
    old_session = await handler.client.session_id()
    await workplace.do({"do": "drop_sockets"})
    assert workplace.open_sockets == 0
    await handler.client.connect_to_new_endpoint(force=True)
    assert await handler.client.session_id() != old_session
    go_on.set()
    assert (await typed)["ok"]


async def test_disconnect_frame_makes_bolt_come_back(workplace: Workplace, connect: Connect) -> None:
    app = make_app(workplace)

    @app.command("/xen")
    async def answer(ack: AsyncAck) -> None:
        await ack()

    await connect(workplace, app)
    await workplace.do({"do": "disconnect", "reason": "refresh_requested"})
    assert workplace.open_sockets == 0
    async with asyncio.timeout(DEADLINE_S):
        await workplace.connected()
    assert (await _type(workplace))["ok"]
    opened = [entry["what"] for entry in workplace.log() if entry["what"].endswith("opened")]
    assert opened == ["socket 1 opened", "socket 2 opened"]


async def test_eleventh_socket_is_turned_away(workplace: Workplace) -> None:
    async with ClientSession() as session:
        sockets = [await session.ws_connect(await _address(workplace)) for _ in range(11)]
        first_frames = [await socket.receive_json() for socket in sockets]
        assert [frame["type"] for frame in first_frames] == ["hello"] * 10 + ["disconnect"]
        assert [frame["num_connections"] for frame in first_frames[:10]] == list(range(1, 11))
        assert first_frames[10]["reason"] == "too_many_websockets"
        for socket in sockets:
            await socket.close()


async def test_ping_data_is_echoed_and_the_server_pings_too(workplace: Workplace) -> None:
    async with ClientSession() as session:
        websocket = await session.ws_connect(await _address(workplace), autoping=False)
        await websocket.ping(b"sdk-ping-pong:1700000000.5")
        seen: dict[WSMsgType, bytes] = {}
        async with asyncio.timeout(DEADLINE_S):
            while len(seen) < 3:
                message = await websocket.receive()
                seen[message.type] = bytes(message.data) if isinstance(message.data, bytes | bytearray) else b""
        assert seen[WSMsgType.PONG] == b"sdk-ping-pong:1700000000.5"
        assert seen[WSMsgType.PING].startswith(b"Ping from")
        await websocket.close()


async def test_ticket_works_once_and_survives_a_refused_handshake(workplace: Workplace) -> None:
    address = await _address(workplace)
    async with ClientSession() as session:
        await workplace.do({"do": "refuse_connections", "on": True})
        with pytest.raises(WSServerHandshakeError, match="503"):
            await session.ws_connect(address)
        await workplace.do({"do": "refuse_connections", "on": False})
        websocket = await session.ws_connect(address)
        with pytest.raises(WSServerHandshakeError, match="404"):
            await session.ws_connect(address)
        await websocket.close()


async def test_address_of_another_run_is_still_good(workplace: Workplace) -> None:
    address = (await _address(workplace)).partition("ticket=")[0] + "ticket=" + "0" * 36
    async with ClientSession() as session:
        websocket = await session.ws_connect(address)
        assert (await websocket.receive_json())["type"] == "hello"
        await websocket.close()


async def test_switched_off_socket_mode_lets_nobody_back(workplace: Workplace) -> None:
    await workplace.do({"do": "disconnect", "reason": "link_disabled"})
    with pytest.raises(SlackApiError, match="service_unavailable"):
        await _address(workplace)
    await workplace.do({"do": "clear_faults"})
    assert await _address(workplace)


async def test_strict_tickets_die_after_thirty_seconds(still_workplace: Workplace, clock: Clock) -> None:
    address = await _address(still_workplace)
    await still_workplace.do({"do": "strict_tickets", "on": True})
    await clock.advance(31)
    async with ClientSession() as session:
        with pytest.raises(WSServerHandshakeError, match="404"):
            await session.ws_connect(address)


async def test_socket_address_needs_the_app_token_in_the_header_by_post(workplace: Workplace) -> None:
    url = f"{workplace.api_url}apps.connections.open"
    app_header = {"Authorization": f"Bearer {workplace.app_token}"}
    async with ClientSession() as session:
        answers = [
            await (await session.post(url, data={"token": workplace.app_token})).json(),
            await (await session.get(url, headers=app_header)).json(),
            await (await session.post(url, headers=app_header)).json(),
        ]
    assert [answer.get("error") for answer in answers] == ["invalid_auth", "insecure_request", None]
    assert answers[2]["url"].startswith("ws://127.0.0.1:")
    assert (await bot(workplace).post("apps.connections.open"))["error"] == "not_allowed_token_type"


async def test_duplicated_envelope_comes_twice_with_one_id(workplace: Workplace) -> None:
    await workplace.do({"do": "misdeliver", "kind": "duplicate"})
    async with open_socket(workplace) as socket:
        typed = asyncio.create_task(_type(workplace))
        frames = [await socket.read(), await socket.read()]
        await socket.ack(frames[0])
        assert (await typed)["ok"]
    assert frames[0] == frames[1]


async def test_delayed_envelope_eats_into_the_three_seconds(still_workplace: Workplace, clock: Clock) -> None:
    await still_workplace.do({"do": "misdeliver", "kind": "late", "seconds": 2.5})
    async with open_socket(still_workplace) as socket:
        typed = asyncio.create_task(_type(still_workplace))
        arriving = asyncio.create_task(socket.read())
        await clock.wait_for_sleepers(1)
        await clock.advance(2.5)
        await arriving
        await clock.advance(0.5)
        assert "dispatch_failed" in (await typed)["error"]


async def test_stopping_ends_waiting_clients_at_once() -> None:
    workplace = Workplace(port=0)
    await workplace.start()
    async with open_socket(workplace) as socket:
        typed = asyncio.create_task(_type(workplace))
        await socket.read()
        await workplace.stop()
        assert "dispatch_failed" in (await typed)["error"]


async def test_warned_socket_works_on_and_closes_after_ten_seconds(still_workplace: Workplace, clock: Clock) -> None:
    async with open_socket(still_workplace) as socket:
        await still_workplace.do({"do": "disconnect", "reason": "warning"})
        assert (await socket.read())["reason"] == "warning"
        typed = asyncio.create_task(_type(still_workplace))
        await socket.ack(await socket.read())
        assert (await typed)["ok"]
        await clock.wait_for_sleepers(1)
        await clock.advance(10)
        with pytest.raises(ConnectionError, match="CLOSE"):
            await socket.read()


async def test_debug_reconnects_refreshes_the_socket_after_six_minutes(
    still_workplace: Workplace, clock: Clock
) -> None:
    address = await _address(still_workplace)
    async with ClientSession() as session:
        websocket = await session.ws_connect(f"{address}&debug_reconnects=true")
        assert (await websocket.receive_json())["type"] == "hello"
        await clock.wait_for_sleepers(1)
        await clock.advance(360)
        assert (await websocket.receive_json())["reason"] == "refresh_requested"
        await websocket.close()


async def test_killed_addresses_open_nothing_and_new_ones_do(workplace: Workplace) -> None:
    address = await _address(workplace)
    await workplace.do({"do": "expire_tickets"})
    async with ClientSession() as session:
        with pytest.raises(WSServerHandshakeError, match="404"):
            await session.ws_connect(address)
        websocket = await session.ws_connect(await _address(workplace))
        assert (await websocket.receive_json())["type"] == "hello"
        await websocket.close()
