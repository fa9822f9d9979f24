import asyncio

import pytest
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_clients import Connect, Json, make_app, open_socket, person

from bot.lab.slack import Clock, Workplace


async def _type(workplace: Workplace, key: str, text: str, **more: object) -> Json:
    ops = workplace.channels["ops"]
    return await person(workplace, key).post("chat.command", channel=ops, command="/xen", text=text, **more)


async def _take_command(workplace: Workplace, key: str, text: str) -> Json:
    """Return the payload the app gets for a typed command."""
    async with open_socket(workplace) as socket:
        typed = asyncio.create_task(_type(workplace, key, text))
        frame = await socket.read()
        await socket.ack(frame)
        assert (await typed)["ok"]
        assert frame["type"] == "slash_commands"
        assert frame["accepts_response_payload"] is True
        payload: Json = frame["payload"]
        return payload


async def test_ack_text_shows_to_its_person_only(workplace: Workplace, connect: Connect) -> None:
    app = make_app(workplace)

    @app.command("/xen")
    async def answer(ack: AsyncAck, command: Json) -> None:
        await ack(f"you said {command['text']}")

    await connect(workplace, app)
    ops = workplace.channels["ops"]
    typed = await _type(workplace, "operator", "status")
    assert typed["ok"]
    assert 0 < typed["ack_ms"] < 3000
    screen = await person(workplace, "operator").post("lab.screen", channel=ops)
    assert [message["text"] for message in screen["messages"]] == ["you said status"]
    assert screen["messages"][0]["is_ephemeral"] is True
    assert (await person(workplace, "approver").post("lab.screen", channel=ops))["messages"] == []


async def test_public_ack_shows_the_typed_command_too(workplace: Workplace, connect: Connect) -> None:
    app = make_app(workplace)

    @app.command("/xen")
    async def answer(ack: AsyncAck) -> None:
        await ack(text="well", response_type="in_channel")

    await connect(workplace, app)
    await _type(workplace, "operator", "status")
    screen = await person(workplace, "viewer").post("lab.screen", channel=workplace.channels["ops"])
    assert [message["text"] for message in screen["messages"]] == ["/xen status", "well"]


async def test_unacked_command_fails_visibly_after_three_seconds(
    still_workplace: Workplace, clock: Clock, connect: Connect
) -> None:
    app = make_app(still_workplace)
    received = asyncio.Event()

    @app.command("/xen")
    async def ignore() -> None:
        received.set()

    await connect(still_workplace, app)
    typed = asyncio.create_task(_type(still_workplace, "operator", "status"))
    await received.wait()
    await clock.advance(2.9)
    assert not typed.done()
    await clock.advance(0.2)
    answer = await typed
    assert answer == {"ok": False, "error": '/xen failed with the error "dispatch_failed"'}
    screen = await person(still_workplace, "operator").post("lab.screen")
    assert [notice["text"] for notice in screen["notices"]] == [answer["error"]]
    assert (await person(still_workplace, "viewer").post("lab.screen"))["notices"] == []


async def test_command_without_any_socket_fails_at_once(still_workplace: Workplace) -> None:
    answer = await _type(still_workplace, "operator", "status")
    assert "dispatch_failed" in answer["error"]


async def test_unknown_command_reaches_no_app(workplace: Workplace) -> None:
    operator = person(workplace, "operator")
    answer = await operator.post("chat.command", channel=workplace.channels["ops"], command="/zen", text="")
    assert answer["error"].startswith("/zen is not a valid command")


async def test_command_in_a_thread_is_refused(workplace: Workplace) -> None:
    answer = await _type(workplace, "operator", "status", thread_ts="1700000000.000001")
    assert answer["error"] == "/xen is not supported in threads. Sorry."


async def test_payload_is_flat_text_with_addresses_of_this_workplace(workplace: Workplace) -> None:
    payload = await _take_command(workplace, "operator", "status")
    assert all(isinstance(value, str) for value in payload.values())
    assert payload["user_id"] == workplace.people["operator"].id
    assert payload["channel_name"] == "ops"
    assert payload["api_app_id"] == workplace.app_id
    assert payload["response_url"].startswith(f"{workplace.url}/hooks/commands/")
    assert "thread_ts" not in payload


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("migrate <!channel> & *bold*", "migrate &lt;!channel&gt; &amp; *bold*"),
        ("see https://host/?a=1&b", "see <https://host/?a=1&amp;b>"),
        ("mail root@example.com", "mail root@example.com"),
        ("migrate 日本語サーバー", "migrate 日本語サーバー"),
    ],
)
async def test_text_is_escaped_as_the_manifest_asks(workplace: Workplace, typed: str, sent: str) -> None:
    assert (await _take_command(workplace, "operator", typed))["text"] == sent


async def test_people_and_channels_become_ids(workplace: Workplace) -> None:
    viewer, ops = workplace.people["viewer"].id, workplace.channels["ops"]
    payload = await _take_command(workplace, "operator", f"ask @viewer or <@{viewer}> in #ops")
    assert payload["text"] == f"ask <@{viewer}|viewer> or <@{viewer}|viewer> in <#{ops}|ops>"


async def test_outsider_brings_the_ids_of_another_team(workplace: Workplace) -> None:
    payload = await _take_command(workplace, "outsider", "status")
    assert payload["team_id"] == workplace.people["outsider"].team_id != workplace.team_id


async def test_guest_types_only_where_they_are_a_member(workplace: Workplace) -> None:
    guest = person(workplace, "guest")
    answer = await guest.post("chat.command", channel=workplace.channels["random"], command="/xen", text="")
    assert answer["error"] == "channel_not_found"


async def test_command_in_a_direct_conversation_names_it_so(workplace: Workplace) -> None:
    operator = person(workplace, "operator")
    opened = await operator.post("conversations.open", users=workplace.bot_user_id)
    async with open_socket(workplace) as socket:
        arguments = {"channel": opened["channel"]["id"], "command": "/xen", "text": "status"}
        typed = asyncio.create_task(operator.post("chat.command", **arguments))
        frame = await socket.read()
        await socket.ack(frame)
        assert (await typed)["ok"]
    assert frame["payload"]["channel_name"] == "directmessage"


async def test_deactivated_person_can_do_nothing(workplace: Workplace) -> None:
    await workplace.do({"do": "person", "key": "operator", "deleted": True})
    assert (await _type(workplace, "operator", "status"))["error"] == "account_inactive"
    await workplace.do({"do": "person", "key": "operator", "deleted": False})
    assert "dispatch_failed" in (await _type(workplace, "operator", "status"))["error"]
