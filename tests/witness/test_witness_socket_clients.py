"""Every Socket Mode client of Slack's SDK for Python: aiohttp, websockets, websocket-client and the built-in one."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest
from people import DEADLINE_S, Json, People
from slack_sdk.socket_mode.request import SocketModeRequest
from socket_clients import CLIENTS, PING_S, connected, wait_until_closed

from bot.lab.slack import Workplace

pytestmark = [
    pytest.mark.parametrize("name", CLIENTS),
    # websocket-client leaves a socket unclosed where it is told to close while its own thread is opening it.
    pytest.mark.filterwarnings("ignore:unclosed <socket.socket:ResourceWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    yield
    wait_until_closed()
    # What a client has left goes here, where it is expected, not in the middle of another test.
    gc.collect()


def _echo(request: SocketModeRequest) -> Json:
    return {"text": f"got {request.payload['text']}"} if request.type == "slash_commands" else {}


def _sockets(workplace: Workplace, what: str) -> list[str]:
    return [entry["what"] for entry in workplace.log() if entry["kind"] == "socket" and entry["what"].endswith(what)]


async def test_it_acks_a_command_with_an_answer(workplace: Workplace, people: People, name: str) -> None:
    async with connected(name, workplace, _echo) as heard:
        assert (await people.type("日本語"))["ok"]
        assert await people.sees("got 日本語")
        [request] = await heard.wait(1)
    assert (request.type, request.accepts_response_payload) == ("slash_commands", True)
    assert request.payload["command"] == "/xen"


async def test_it_takes_long_frames(workplace: Workplace, people: People, name: str) -> None:
    async with connected(name, workplace, _echo) as heard:
        text = "界" * 3000
        await people.type(text)
        [request] = await heard.wait(1)
    assert request.payload["text"] == text


async def test_its_pings_are_answered_so_that_it_keeps_its_socket(workplace: Workplace, name: str) -> None:
    async with connected(name, workplace, _echo):
        # A client that misses four answers in a row takes its socket for dead.
        await asyncio.sleep(5 * PING_S)
        assert workplace.open_sockets == 1
        assert _sockets(workplace, "opened") == ["socket 1 opened"]
        assert _sockets(workplace, "closed") == []


@pytest.mark.parametrize(
    "trouble",
    [
        {"do": "disconnect", "reason": "warning"},
        {"do": "disconnect", "reason": "refresh_requested"},
        {"do": "drop_sockets"},
    ],
    ids=["warned", "refreshed", "dropped"],
)
async def test_it_comes_back(workplace: Workplace, people: People, name: str, trouble: Json) -> None:
    async with connected(name, workplace, _echo) as heard:
        await workplace.do(trouble)
        async with asyncio.timeout(DEADLINE_S):
            # The old one must be gone too: the built-in client reads from the new one only when it has let go of that.
            while not (len(_sockets(workplace, "opened")) > len(_sockets(workplace, "closed")) > 0):
                await people.screen()
        assert (await people.type("again"))["ok"]
        assert await people.sees("got again")
        await heard.wait(1)


async def test_an_event_it_did_not_ack_comes_again_and_says_so(workplace: Workplace, people: People, name: str) -> None:
    def only_the_second(request: SocketModeRequest) -> dict[str, Any] | None:
        return {} if request.retry_attempt else None

    async with connected(name, workplace, only_the_second) as heard:
        await people.call("chat.postMessage", channel=people.ops, text=f"<@{workplace.bot_user_id}> twice")
        first, second = await heard.wait(2)
    assert (first.retry_attempt, second.retry_attempt, second.retry_reason) == (0, 1, "timeout")
    assert first.payload["event_id"] == second.payload["event_id"]


async def test_every_envelope_of_a_crowd_is_acked_in_time(workplace: Workplace, people: People, name: str) -> None:
    async with connected(name, workplace, _echo) as heard:
        answers = await asyncio.gather(*(people.type(f"line {number}") for number in range(30)))
        assert all(answer["ok"] for answer in answers)
        requests = await heard.wait(30)
    assert len({request.envelope_id for request in requests}) == 30
