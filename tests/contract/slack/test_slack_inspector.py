"""The inspector: what crossed the wire, without secrets, with outcome and size, filtered and as a stream."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, StreamReader
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_clients import DEADLINE_S, Connect, Json, bot, make_app, open_socket, person, until_logged

from bot.lab.slack import Workplace
from bot.lab.slack.inspector import Inspector, Passed


async def test_inspector_keeps_frames_and_calls_without_secrets(workplace: Workplace) -> None:
    async with open_socket(workplace) as socket:
        ops = workplace.channels["ops"]
        operator = person(workplace, "operator")
        typed = asyncio.create_task(operator.post("chat.command", channel=ops, command="/xen", text="status"))
        frame = await socket.read()
        await socket.ack(frame)
        await typed
    entries = workplace.log()
    assert {"http", "frame_out", "frame_in", "socket"} <= {entry["kind"] for entry in entries}
    text = json.dumps(entries)
    tokens = [workplace.bot_token, workplace.app_token, *(one.token for one in workplace.people.values())]
    assert not [token for token in tokens if token in text]
    assert frame["payload"]["response_url"] not in text
    assert "ticket=…" in json.dumps(entries, ensure_ascii=False)
    shown = await operator.post("lab.log", since=entries[-1]["n"] - 1)
    assert shown["entries"][0] == entries[-1]


async def test_one_command_leaves_its_frame_its_ack_its_calls_and_its_response_url(
    workplace: Workplace, connect: Connect
) -> None:
    app = make_app(workplace)

    @app.command("/xen")
    async def answer(ack: AsyncAck, respond: AsyncRespond) -> None:
        await ack()
        await respond("done")

    await connect(workplace, app)
    operator, ops = person(workplace, "operator"), workplace.channels["ops"]
    await operator.post("chat.command", channel=ops, command="/xen", text="status")
    await until_logged(workplace, lambda log: any(entry["kind"] == "response_url" for entry in log))
    refused = await bot(workplace).post("chat.postMessage", channel=ops)
    entries = {entry["what"]: entry for entry in workplace.log()}
    frame, ack, hook, call = (entries[what] for what in ("slash_commands", "ack", "commands", "chat.postMessage"))
    assert [each["direction"] for each in (frame, ack, hook, call)] == ["to_app", *["from_app"] * 3]
    assert [each["outcome"] for each in (frame, ack, hook, call)] == ["sent", "ok", "ok", refused["error"]]
    assert all(each["size"] > 0 for each in (frame, ack, hook, call))
    assert call["ms"] is not None
    assert call["answer"]["error"] == "no_text"
    assert hook["request"]["text"] == "done"


@asynccontextmanager
async def _follow(workplace: Workplace, query: str) -> AsyncIterator[StreamReader]:
    async with ClientSession() as session, session.get(f"{workplace.url}/lab/wire?{query}") as response:
        assert response.content_type == "text/event-stream"
        yield response.content


async def _read_batch(stream: StreamReader) -> list[Json]:
    async with asyncio.timeout(DEADLINE_S):
        while not (line := await stream.readline()).startswith(b"data: "):
            pass
    batch: list[Json] = json.loads(line.removeprefix(b"data: "))
    return batch


async def test_stream_sends_what_is_asked_for_as_it_happens(workplace: Workplace) -> None:
    async with _follow(workplace, "kind=http&what=CHAT.&outcome=failed") as stream:
        ops = workplace.channels["ops"]
        await bot(workplace).post("auth.test")
        await bot(workplace).post("chat.postMessage", channel=ops, text="well")
        await bot(workplace).post("chat.postMessage", channel=ops)
        [entry] = await _read_batch(stream)
        assert (entry["what"], entry["outcome"]) == ("chat.postMessage", "no_text")
    async with _follow(workplace, f"since={entry['n'] - 1}") as again:
        assert (await _read_batch(again))[0] == entry


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"outcome": "ok"}, ["auth.test"]),
        ({"outcome": "failed"}, ["users.info"]),
        ({"outcome": "user_not_found"}, ["users.info"]),
        ({"kinds": "socket,frame_in"}, []),
        ({"what": "USERS"}, ["users.info"]),
    ],
)
async def test_log_is_filtered_by_kind_text_and_outcome(workplace: Workplace, wanted: Json, found: list[str]) -> None:
    await bot(workplace).post("auth.test")
    await bot(workplace).post("users.info", user="U0NOBODY")
    shown = await person(workplace, "viewer").post("lab.log", **wanted)
    assert [entry["what"] for entry in shown["entries"]] == found


def test_log_is_bounded_in_entries_and_bytes() -> None:
    log = Inspector()
    for number in range(1200):
        log.record("http", str(number), 0.0, Passed("ok", 10))
    assert [len(log.entries()), log.entries()[0]["what"]] == [1000, "200"]
    log.record("http", "big", 0.0, Passed("ok", 16 * 1024 * 1024))
    assert [entry["what"] for entry in log.entries()] == ["big"]
