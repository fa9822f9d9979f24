import asyncio

from aiohttp import ClientSession
from slack_clients import Json, bot, make_button, open_socket, person
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.lab.slack import Clock, Workplace


async def _take_command_url(workplace: Workplace) -> str:
    ops = workplace.channels["ops"]
    async with open_socket(workplace) as socket:
        operator = person(workplace, "operator")
        typed = asyncio.create_task(operator.post("chat.command", channel=ops, command="/xen", text=""))
        frame = await socket.read()
        await socket.ack(frame)
        await typed
    return str(frame["payload"]["response_url"])


async def _take_click_url(workplace: Workplace, ts: str) -> str:
    where = {"channel": workplace.channels["ops"], "message_ts": ts, "block_id": "row", "action_id": "go"}
    async with open_socket(workplace) as socket:
        pressed = asyncio.create_task(person(workplace, "operator").post("blocks.actions", **where))
        frame = await socket.read()
        await socket.ack(frame)
        await pressed
    return str(frame["payload"]["response_url"])


async def _read(workplace: Workplace, key: str) -> list[Json]:
    screen = await person(workplace, key).post("lab.screen", channel=workplace.channels["ops"])
    messages: list[Json] = screen["messages"]
    return messages


async def test_five_answers_and_no_more(workplace: Workplace) -> None:
    respond = AsyncWebhookClient(await _take_command_url(workplace))
    for number in range(5):
        answer = await respond.send(text=str(number))
        assert (answer.status_code, answer.body) == (200, "ok")
    refused = await respond.send(text="6")
    assert refused.status_code == 404
    assert "used_url" in refused.body
    assert [message["text"] for message in await _read(workplace, "operator")] == ["0", "1", "2", "3", "4"]


async def test_answers_end_after_thirty_minutes(still_workplace: Workplace, clock: Clock) -> None:
    respond = AsyncWebhookClient(await _take_command_url(still_workplace))
    await clock.advance(29 * 60)
    assert (await respond.send(text="in time")).status_code == 200
    await clock.advance(2 * 60)
    refused = await respond.send(text="too late")
    assert refused.status_code == 404
    assert "expired_url" in refused.body


async def test_answer_is_private_unless_it_says_otherwise(workplace: Workplace) -> None:
    respond = AsyncWebhookClient(await _take_command_url(workplace))
    await respond.send(text="private")
    await respond.send(text="public", response_type="in_channel")
    assert [message["text"] for message in await _read(workplace, "viewer")] == ["public"]
    assert [message["text"] for message in await _read(workplace, "operator")] == ["private", "public"]


async def test_replacing_edits_the_clicked_message(workplace: Workplace) -> None:
    ops = workplace.channels["ops"]
    posted = await bot(workplace).post("chat.postMessage", channel=ops, text="card", blocks=make_button("7"))
    respond = AsyncWebhookClient(await _take_click_url(workplace, posted["ts"]))
    await respond.send(text="decided", replace_original=True)
    [message] = await _read(workplace, "viewer")
    assert (message["ts"], message["text"]) == (posted["ts"], "decided")
    await respond.send(text="", delete_original=True)
    assert await _read(workplace, "viewer") == []


async def test_ephemeral_message_is_replaced_and_deleted_only_this_way(workplace: Workplace) -> None:
    ops, reader = workplace.channels["ops"], workplace.people["operator"].id
    shown = {"channel": ops, "user": reader, "text": "sure?", "blocks": make_button("7")}
    ts = (await bot(workplace).post("chat.postEphemeral", **shown))["message_ts"]
    respond = AsyncWebhookClient(await _take_click_url(workplace, ts))
    await respond.send(text="asked", replace_original=True)
    [message] = await _read(workplace, "operator")
    assert (message["text"], message["is_ephemeral"]) == ("asked", True)
    await respond.send(text="", delete_original=True)
    assert await _read(workplace, "operator") == []


async def test_click_answer_that_says_nothing_replaces_with_a_warning(workplace: Workplace) -> None:
    ops = workplace.channels["ops"]
    posted = await bot(workplace).post("chat.postMessage", channel=ops, text="card", blocks=make_button("7"))
    await AsyncWebhookClient(await _take_click_url(workplace, posted["ts"])).send(text="decided")
    assert [message["text"] for message in await _read(workplace, "viewer")] == ["decided"]
    assert any("neither replace_original" in entry["what"] for entry in workplace.log())


async def test_bad_blocks_are_refused(workplace: Workplace) -> None:
    respond = AsyncWebhookClient(await _take_command_url(workplace))
    refused = await respond.send(text="x", blocks=[{"type": "nonsense"}])
    assert refused.status_code == 400
    assert "invalid_blocks" in refused.body


async def test_unknown_url_is_not_found(workplace: Workplace) -> None:
    address = f"{workplace.url}/hooks/commands/T1/nothing"
    async with ClientSession() as session, session.post(address, json={"text": "x"}) as response:
        assert response.status == 404
