"""A server in front of a host of the lab: it answers `/export` and `/import` as a test says, byte by byte.

Everything else goes to the host behind it, so that logins, tasks and the feed are the lab's. It can do what no proper
server does: dribble, cut, reset, say nothing, leave TLS without a word.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from xen_lab import following, loaded, self_signed

from bot.lab.xapi import Datacentre
from bot.xen import HostSettings, Pools, PoolSettings

OK = (
    b"HTTP/1.0 200 OK\r\nConnection: close\r\nCache-Control: no-cache, no-store\r\ntask-id: OpaqueRef:t\r\n"
    b"Server: xapi/0.0\r\ncontent-type: application/octet-stream\r\n"
    b'Content-Disposition: attachment; filename="export.xva"\r\n\r\n'
)
OK_IMPORT = (
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nCache-Control: no-cache, no-store\r\ntask-id:OpaqueRef:t\r\n"
    b"content-type: application/octet-stream\r\n\r\n"
)


def page(status: str, text: str = "") -> bytes:
    """An error as a server of XAPI tells it."""
    body = f"<html><body><h1>HTTP {status}</h1>An unexpected error occurred."
    if text:
        body += f"<h1> Additional information </h1>{text}"
    body += "</body></html>"
    return (
        f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\ncontent-type: text/html\r\nconnection: close\r\n"
        f"cache-control: no-cache, no-store\r\n\r\n{body}"
    ).encode()


def moved(location: str) -> bytes:
    """A redirect as a server of XAPI sends it."""
    return f"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\nLocation: {location}\r\n\r\n".encode()


@dataclass
class Visit:
    """One request for a stream, and the connection it came over."""

    line: str
    headers: dict[str, str]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    body: bytearray = field(default_factory=bytearray)

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.line.split(" ")[1]).query).items()}

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def read_body(self, at_most: int | None = None) -> None:
        """Reads what is sent, up to the length that was stated or a smaller one."""
        length = int(self.headers["content-length"])
        wanted = length if at_most is None else min(length, at_most)
        while len(self.body) < wanted:
            data = await self.reader.read(min(1 << 16, wanted - len(self.body)))
            if not data:
                return
            self.body += data

    async def is_left(self) -> None:
        """Waits until the other end has gone."""
        with suppress(OSError):
            while await self.reader.read(1 << 16):
                pass

    def leave_without_goodbye(self) -> None:
        """Closes the connection and says nothing in TLS."""
        self.writer.transport.abort()

    def reset(self) -> None:
        """Ends the connection as a crashed machine does that comes back."""
        sock: socket.socket = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Visit], Awaitable[None]]


class Front:
    """Stands in front of one host. `script` has the conversation of a stream; `visits` are those there were."""

    def __init__(self, lab: Datacentre, name: str, scheme: str) -> None:
        self.host = lab.hosts[name]
        self.scheme = scheme
        self.settings = HostSettings(self.host.address)
        self.visits: list[Visit] = []
        self.script: Script | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        context: ssl.SSLContext | None = None
        fingerprint = ""
        if self.scheme == "https":
            context, fingerprint = await asyncio.to_thread(self_signed, self.host.address)
        self._server = server = await asyncio.start_server(self._serve, self.host.address, 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        self.settings = HostSettings(self.host.address, port, fingerprint, self.scheme)  # type: ignore[arg-type]
        try:
            yield
        finally:
            self.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def close(self) -> None:
        """Listens no more; what is connected stays."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            # A connection whose handshake was all there was has no head.
            # This Python's streams stumble over a conversation that was cancelled.
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._talk(await reader.readuntil(b"\r\n\r\n"), reader, writer)
                writer.close()
                await writer.wait_closed()
        finally:
            writer.transport.abort()

    async def _talk(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line, *headers = head.decode().split("\r\n")
        if "/export?" not in line and "/import?" not in line:
            await self._relay(head, reader, writer)
            return
        named = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in headers if each)}
        visit = Visit(line, named, reader, writer)
        self.visits.append(visit)
        assert self.script is not None, "no stream was expected here"
        await self.script(visit)

    async def _relay(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        plain = urlsplit(self.host.http)
        from_lab, to_lab = await asyncio.open_connection(plain.hostname, plain.port)
        to_lab.write(head)
        ways = [asyncio.create_task(_pipe(reader, to_lab)), asyncio.create_task(_pipe(from_lab, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            to_lab.transport.abort()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()


async def holds(condition: Callable[[], object], within_s: float = 60.0) -> None:
    """Waits until something that another thread changes is so."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  threads and the kernel ring no bell here
            await asyncio.sleep(0.005)


class Scene:
    """The pool `experiment` behind two fronts."""

    def __init__(self, lab: Datacentre, pools: Pools, fronts: dict[str, Front]) -> None:
        self.lab = lab
        self.pools = pools
        self.fronts = fronts
        self.uuid = pools.pool("experiment").pool.uuid  # type: ignore[union-attr]  # loaded
        # Its disk is on the local storage of the coordinator, so that no other host serves it unasked.
        self.vm = pools.vm("web-local").uuid

    @property
    def first(self) -> Front:
        """The front of the coordinator."""
        return self.fronts["xenserver1"]

    @property
    def second(self) -> Front:
        return self.fronts["xenserver3"]

    def session(self) -> str:
        """The session that the last stream travelled with."""
        return [visit for front in self.fronts.values() for visit in front.visits][-1].query["session_id"]


@asynccontextmanager
async def scene(lab: Datacentre, scheme: str = "https", **fields: Any) -> AsyncIterator[Scene]:
    """Two fronts, and the bot's pools that know only them."""
    fronts = {name: Front(lab, name, scheme) for name in ("xenserver1", "xenserver3")}
    async with AsyncExitStack() as stack:
        for front in fronts.values():
            await stack.enter_async_context(front.listening())
        hosts = tuple(front.settings for front in fronts.values())
        settings = PoolSettings("experiment", hosts, insecure=scheme == "http", **fields)
        pools = await stack.enter_async_context(following(settings))
        await loaded(pools)
        yield Scene(lab, pools, fronts)
