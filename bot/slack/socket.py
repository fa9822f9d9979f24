"""The Socket Mode link: one connection kept alive, and the moment after an envelope was answered.

Facts this stands on: the SDK's client never gives up on a dead ticket and never raises from `connect`, so a watchdog
replaces the whole client; Bolt sends an ack only after a poll of 10 ms, so work starts after the frame has left.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

import aiohttp
import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.adapter.socket_mode.async_internals import send_async_response
from slack_bolt.adapter.socket_mode.internals import build_headers
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from bot.slack.client import sdk_log
from bot.slack.faults import CALL_ERRORS
from bot.slack.spoken import is_noise

log = structlog.get_logger(__name__)

ANSWERED = "answered"
PING_EVERY_S = 10.0
SILENCE_LIMIT_S = 60.0
CONNECT_TIMEOUT_S = 20.0


class Handler(AsyncSocketModeHandler):
    """Bolt's handler, which also tells each listener's work when the answer to its envelope is out."""

    client: SocketModeClient

    def __init__(self, app: AsyncApp, app_token: str, *, ping_every_s: float) -> None:
        super().__init__(app, app_token, logger=sdk_log, ping_interval=ping_every_s)
        self.client.proxy = app.client.proxy
        self.heard_at = time.monotonic()
        self.asked_at: float | None = None
        self._open_envelopes = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self.client.on_message_listeners.append(self._hear)

    async def _hear(self, _frame: aiohttp.WSMessage) -> None:
        self.heard_at = time.monotonic()

    async def handle(self, client: AsyncBaseSocketModeClient, req: SocketModeRequest) -> None:
        """Runs one envelope through Bolt and sends its ack; `ANSWERED` in the context is set after that."""
        if req.type == "events_api" and is_noise(req.payload):
            # Every edit of a card comes back as an event; none of it may cost what a command waits for.
            await client.send_socket_mode_response(SocketModeResponse(req.envelope_id))
            return
        started = time.time()
        self.asked_at = time.monotonic()
        request = AsyncBoltRequest(mode="socket_mode", body=req.payload, headers=build_headers(req))
        answered = request.context[ANSWERED] = asyncio.Event()
        self._open_envelopes += 1
        self.idle.clear()
        try:
            response = await self.app.async_dispatch(request)
            await send_async_response(client, req, response, started)
        finally:
            answered.set()
            self._open_envelopes -= 1
            if not self._open_envelopes:
                self.idle.set()

    def silent_s(self) -> float:
        """Seconds since Slack was last heard: a frame or the echo of our ping."""
        pong = self.client.last_ping_pong_time
        since_pong = time.time() - pong if pong else float("inf")
        return max(0.0, min(time.monotonic() - self.heard_at, since_pong))

    async def close(self) -> None:
        """Closes the client and waits for its tasks, which `close_async` leaves behind."""
        await self.close_async()  # type: ignore[no-untyped-call]  # slack_bolt leaves it unannotated
        tasks = (self.client.message_processor, self.client.message_receiver, self.client.current_session_monitor)
        await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)


class Link:
    """Keeps one Socket Mode connection for as long as it runs, and replaces it when it goes deaf."""

    def __init__(
        self,
        app: AsyncApp,
        app_token: str,
        *,
        watch_every_s: float = 5.0,
        ping_every_s: float = PING_EVERY_S,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> None:
        self._app = app
        self._app_token = app_token
        self._watch_every_s = watch_every_s
        self._ping_every_s = ping_every_s
        self._connect_timeout_s = connect_timeout_s
        self._handler: Handler | None = None
        self._watch: asyncio.Task[None] | None = None
        self.connected = False
        self.rebuilt = 0

    @property
    def silent_s(self) -> float | None:
        """Seconds since Slack was last heard; None before the first connection."""
        return self._handler.silent_s() if self._handler else None

    @property
    def asked_ago_s(self) -> float | None:
        """Seconds since the last envelope; None before the first."""
        handler = self._handler
        return time.monotonic() - handler.asked_at if handler and handler.asked_at is not None else None

    async def start(self, url: str | None) -> None:
        """Connects, with the address just issued if there is one, and begins to watch. Never raises for the network."""
        await self._connect(url)
        self._watch = asyncio.get_running_loop().create_task(self._keep(), name="slack-link")

    async def stop(self, acks_timeout_s: float = 3.0) -> None:
        """Lets the acks under way go out (Slack allows 3 s), then closes."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        handler = self._handler
        if handler is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(acks_timeout_s):
                    await handler.idle.wait()
            await handler.close()
        self._handler = None
        self.connected = False

    async def _keep(self) -> None:
        missed = 0
        while True:
            await asyncio.sleep(self._watch_every_s)
            handler = self._handler
            self.connected = handler is not None and await handler.client.is_connected()
            missed = 0 if self.connected else missed + 1
            deaf = handler is not None and handler.silent_s() > max(SILENCE_LIMIT_S, 6 * self._ping_every_s)
            if missed < 3 and not deaf:
                continue
            log.warning("slack_link_rebuilt", checks_missed=missed, silent_s=round(self.silent_s or 0))
            missed = 0
            self.rebuilt += 1
            await self._connect(None)

    async def _connect(self, url: str | None) -> None:
        old, self._handler = self._handler, None
        if old is not None:
            await old.close()
        handler = Handler(self._app, self._app_token, ping_every_s=self._ping_every_s)
        self._handler = handler
        handler.client.wss_uri = url
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                await handler.connect_async()  # type: ignore[no-untyped-call]  # slack_bolt leaves it unannotated
        except CALL_ERRORS as error:
            log.warning("slack_connect_failed", error=type(error).__name__)
        self.connected = await handler.client.is_connected()
        if self.connected:
            log.info("slack_connected")
