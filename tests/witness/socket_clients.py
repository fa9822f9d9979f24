"""The four Socket Mode clients of Slack's SDK for Python behind one face: two run on threads, two on the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from people import DEADLINE_S
from slack_sdk.socket_mode.aiohttp import SocketModeClient as AiohttpClient
from slack_sdk.socket_mode.builtin import SocketModeClient as BuiltinClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.socket_mode.websocket_client import SocketModeClient as WebsocketClient
from slack_sdk.socket_mode.websockets import SocketModeClient as WebsocketsClient
from slack_sdk.web import WebClient
from slack_sdk.web.async_client import AsyncWebClient

from bot.lab.slack import Workplace

PING_S = 0.6
_CLOSING: list[threading.Thread] = []
Answer = Callable[[SocketModeRequest], dict[str, Any] | None]


class Heard:
    """The requests a client was given, and how to wait for them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self.requests: list[SocketModeRequest] = []

    def note(self, request: SocketModeRequest) -> None:
        """Takes a request, on whichever thread."""
        self._loop.call_soon_threadsafe(self._keep, request)

    def _keep(self, request: SocketModeRequest) -> None:
        self.requests.append(request)
        self._arrived.set()

    async def wait(self, count: int) -> list[SocketModeRequest]:
        """The requests, once there are so many."""
        async with asyncio.timeout(DEADLINE_S):
            while len(self.requests) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.requests


@asynccontextmanager
async def _on_threads(
    make: Callable[..., Any], workplace: Workplace, answer: Answer, heard: Heard
) -> AsyncIterator[Any]:
    client = make(app_token=workplace.app_token, web_client=WebClient(base_url=workplace.api_url), ping_interval=PING_S)

    def listen(client: Any, request: SocketModeRequest) -> None:
        heard.note(request)
        payload = answer(request)
        if payload is not None:
            client.send_socket_mode_response(SocketModeResponse(request.envelope_id, payload))

    client.socket_mode_request_listeners.append(listen)
    await asyncio.to_thread(client.connect)
    try:
        yield client
    finally:
        # The thread that receives is not to begin anew while it is closed, and may follow a session that is no more for
        # ever: it is a daemon, and ends with the tests.
        client.current_session_runner.event.set()
        # One of them waits ten seconds for its own threads; the tests need not.
        closing = threading.Thread(target=client.close, daemon=True)
        closing.start()
        _CLOSING.append(closing)


@asynccontextmanager
async def _on_the_loop(
    make: Callable[..., Any], workplace: Workplace, answer: Answer, heard: Heard
) -> AsyncIterator[Any]:
    client = make(
        app_token=workplace.app_token, web_client=AsyncWebClient(base_url=workplace.api_url), ping_interval=PING_S
    )

    async def listen(client: Any, request: SocketModeRequest) -> None:
        heard.note(request)
        payload = answer(request)
        if payload is not None:
            await client.send_socket_mode_response(SocketModeResponse(request.envelope_id, payload))

    client.socket_mode_request_listeners.append(listen)
    await client.connect()
    try:
        yield client
    finally:
        await client.close()


CLIENTS = {
    "aiohttp": (_on_the_loop, AiohttpClient),
    "websockets": (_on_the_loop, WebsocketsClient),
    "websocket-client": (_on_threads, WebsocketClient),
    "builtin": (_on_threads, BuiltinClient),
}


@asynccontextmanager
async def connected(name: str, workplace: Workplace, answer: Answer) -> AsyncIterator[Heard]:
    """A client of that name that gives `answer` as its ack, or none where it is None."""
    run, make = CLIENTS[name]
    heard = Heard()
    async with run(make, workplace, answer, heard):
        async with asyncio.timeout(DEADLINE_S):
            await workplace.connected()
        yield heard


def wait_until_closed() -> None:
    """Returns when the threads of every client have ended, but for one that never does."""
    while _CLOSING:
        _CLOSING.pop().join(DEADLINE_S)
