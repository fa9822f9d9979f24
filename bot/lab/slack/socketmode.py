"""Socket Mode on the wire: tickets, websocket connections, frames, pings, disconnects."""

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from bot.lab.slack.clock import Clock
from bot.lab.slack.faults import Faults
from bot.lab.slack.inspector import Inspector, Passed

Json = dict[str, Any]

_MOST_LINKS = 10
_PING_PERIOD_S = 10.0
_TICKET_LIFE_S = 30.0
_TICKET_LENGTH = 36
# How long a socket lives after a disconnect frame if the client does not close it itself.
_GRACE_S = 10.0
_REFRESH_S = 360.0


@dataclass(eq=False, slots=True)
class Link:
    """One open socket; ``leaving`` once it was told to disconnect, and gets no more envelopes."""

    socket: web.WebSocketResponse
    transport: asyncio.Transport | None
    number: int
    leaving: bool = False
    last_pong: float = field(default_factory=time.monotonic)


class SocketMode:
    """The open sockets of the app and the frames that go over them.

    Pings run on real time: they guard a real connection, whatever clock the workplace keeps.
    """

    def __init__(self, *, clock: Clock, faults: Faults, log: Inspector, app_id: str) -> None:
        self._clock = clock
        self._faults = faults
        self._log = log
        self._app_id = app_id
        self._links: list[Link] = []
        self._turn = 0
        self._count = 0
        self._tickets: dict[str, float] = {}
        self._used: set[str] = set()
        self._opened = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.on_ack: Callable[[Json], str] = lambda _frame: "late or repeated"
        # False while the app takes its deliveries over HTTP.
        self.is_on = True

    @property
    def open_count(self) -> int:
        """How many sockets take envelopes."""
        return sum(not link.leaving for link in self._links)

    def issue_ticket(self) -> str:
        """Return a ticket for one connection."""
        ticket = secrets.token_hex(_TICKET_LENGTH // 2)
        self._tickets[ticket] = self._clock.now()
        return ticket

    def expire_tickets(self) -> None:
        """Let no address given out so far open a socket."""
        self._used |= set(self._tickets)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Run one websocket from handshake to close."""
        ticket = request.query.get("ticket", "")
        if self._faults.refuse_links or not self.is_on:
            return web.Response(status=503)
        if not self._is_good(ticket):
            self._log.record("socket", "ticket refused", self._clock.now())
            return web.Response(status=404)
        # autoping off: pings are answered below, with their data unchanged, because the SDK reads it back.
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        self._used.add(ticket)
        if len(self._links) >= _MOST_LINKS:
            await socket.send_json(self._disconnect_frame("too_many_websockets"))
            self._log.record("frame_out", "disconnect too_many_websockets", self._clock.now(), Passed("sent"))
            await socket.close()
            return socket
        self._count += 1
        link = Link(socket=socket, transport=request.transport, number=self._count)
        await socket.send_json(
            {
                "type": "hello",
                "num_connections": self.open_count + 1,
                "connection_info": {"app_id": self._app_id},
                "debug_info": {"host": "applink-1", "build_number": 1, "approximate_connection_time": 18060},
            }
        )
        self._links.append(link)
        self._opened.set()
        self._log.record("socket", f"socket {link.number} opened", self._clock.now())
        helpers = [asyncio.create_task(self._ping(link))]
        if request.query.get("debug_reconnects") == "true":
            helpers.append(asyncio.create_task(self._refresh(link)))
        try:
            await self._read(link)
        finally:
            for helper in helpers:
                helper.cancel()
            self._remove(link)
            self._log.record("socket", f"socket {link.number} closed", self._clock.now())
        return socket

    async def send(self, text: str) -> int | None:
        """Send a frame to the next socket in turn and return its number; None when none is open."""
        while ready := [link for link in self._links if not link.leaving]:
            self._turn += 1
            link = ready[self._turn % len(ready)]
            try:
                await link.socket.send_str(text)
            except ConnectionError:
                # Broken but not yet noticed by the reader: take it out and try the next one.
                self._remove(link)
            else:
                return link.number
        return None

    async def wait_open(self) -> None:
        """Return once a socket takes envelopes."""
        await self._opened.wait()

    def drop_all(self) -> None:
        """Break every socket without a close frame, as a lost network does."""
        for link in list(self._links):
            self._remove(link)
            if link.transport is not None:
                link.transport.abort()

    async def disconnect_all(self, reason: str) -> None:
        """Tell every socket to go; except for ``warning``, none gets another envelope."""
        for link in list(self._links):
            await self._disconnect(link, reason)

    async def _disconnect(self, link: Link, reason: str) -> None:
        if reason != "warning":
            link.leaving = True
            self._settle()
        with contextlib.suppress(ConnectionError):
            await link.socket.send_json(self._disconnect_frame(reason))
        self._log.record("frame_out", f"disconnect {reason}", self._clock.now(), Passed("sent"), socket=link.number)
        task = asyncio.create_task(self._close_later(link))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _refresh(self, link: Link) -> None:
        """Replace the socket after six minutes, for those who ask for it with ``debug_reconnects=true``."""
        await self._clock.sleep_until(self._clock.now() + _REFRESH_S)
        await self._disconnect(link, "refresh_requested")

    async def close(self) -> None:
        """Close every socket and end every task."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        links = list(self._links)
        for link in links:
            self._remove(link)
        # A client that does not answer the close frame must not hold the others up.
        await asyncio.gather(*(self._close(link) for link in links))

    def _is_good(self, ticket: str) -> bool:
        issued = self._tickets.get(ticket)
        if ticket in self._used:
            return False
        if self._faults.strict_tickets:
            return issued is not None and self._clock.now() - issued <= _TICKET_LIFE_S
        # A client keeps the URL it was given when its handshake fails, also across our own restart.
        return issued is not None or (len(ticket) == _TICKET_LENGTH and ticket.isalnum())

    async def _read(self, link: Link) -> None:
        async for message in link.socket:
            if message.type is WSMsgType.PING:
                await link.socket.pong(message.data)
            elif message.type is WSMsgType.PONG:
                link.last_pong = time.monotonic()
            elif message.type is WSMsgType.TEXT:
                self._take(message.data, link)

    def _take(self, text: str, link: Link) -> None:
        try:
            frame = json.loads(text)
        except ValueError:
            frame = None
        if not isinstance(frame, dict) or "envelope_id" not in frame:
            self._log.record("warning", "frame not understood", self._clock.now(), socket=link.number, text=text)
            return
        outcome = self.on_ack(frame)
        what = "ack" if outcome == "ok" else f"{outcome} ack"
        self._log.record(
            "frame_in",
            what,
            self._clock.now(),
            Passed(outcome, len(text.encode())),
            socket=link.number,
            frame=frame,
        )

    async def _ping(self, link: Link) -> None:
        while True:
            try:
                await link.socket.ping(b"Ping from applink-1")
            except ConnectionError:
                return
            await asyncio.sleep(_PING_PERIOD_S)
            if time.monotonic() - link.last_pong > 3 * _PING_PERIOD_S and link.transport is not None:
                link.transport.abort()
                return

    async def _close_later(self, link: Link) -> None:
        await self._clock.sleep_until(self._clock.now() + _GRACE_S)
        self._remove(link)
        await self._close(link)

    async def _close(self, link: Link) -> None:
        try:
            await asyncio.wait_for(link.socket.close(), timeout=1.0)
        except (TimeoutError, ConnectionError):
            if link.transport is not None:
                link.transport.abort()

    def _remove(self, link: Link) -> None:
        if link in self._links:
            self._links.remove(link)
        self._settle()

    def _settle(self) -> None:
        if self.open_count == 0:
            self._opened.clear()

    def _disconnect_frame(self, reason: str) -> Json:
        return {"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-1"}}
