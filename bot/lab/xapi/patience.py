"""How long a host waits for the head of the first request on a connection: a real server answers 408 to a slow one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

READ_S: Final = 10.0
HEAD_S: Final = 60.0
_ANSWER: Final = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"

# What is told to come where a client of HTTP/1.0 does not say how much: it ends with the connection.
UNKNOWN_LENGTH: Final = 2**50

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class PatientHandler(RequestHandler):
    """One connection."""

    __slots__ = ("_head_timer", "_is_first", "_is_heard", "_lost", "_patience", "_read_timer")

    def __init__(
        self, manager: web.Server, *, keepalive_s: float, patience: tuple[float, float], is_heard: Callable[[], bool]
    ) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(
            manager,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # which the annotation forgets: calls have a journal of their own
            keepalive_timeout=keepalive_s,
        )
        self._patience = patience
        self._is_heard = is_heard
        self._is_first = True
        self._read_timer: asyncio.TimerHandle | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._lost: asyncio.Event | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins to wait."""
        super().connection_made(transport)
        read_s, head_s = self._patience
        loop = asyncio.get_running_loop()
        self._head_timer = loop.call_later(head_s, self._give_up)
        self._read_timer = loop.call_later(read_s, self._give_up)

    def data_received(self, data: bytes) -> None:
        """Waits anew for the next piece, but no longer for the whole."""
        super().data_received(self._tell_length(data))
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = asyncio.get_running_loop().call_later(self._patience[0], self._give_up)

    def _tell_length(self, data: bytes) -> bytes:
        """Returns the first piece of a connection with a length, where it is an upload that may go on to the end."""
        is_first, self._is_first = self._is_first, False
        head, end, _ = data.partition(b"\r\n\r\n")
        line, _, fields = head.partition(b"\r\n")
        is_endless = is_first and bool(end) and line.startswith(b"PUT ") and line.endswith(b" HTTP/1.0")
        if not is_endless or b"content-length:" in fields.lower() or b"transfer-encoding:" in fields.lower():
            return data
        return line + b"\r\nContent-Length: %d" % UNKNOWN_LENGTH + data[len(line) :]

    def connection_lost(self, exc: BaseException | None) -> None:
        """Waits no longer, and tells who wanted to know."""
        self.note_head()
        super().connection_lost(exc)
        if self._lost is not None:
            self._lost.set()

    def watch(self, lost: asyncio.Event) -> None:
        """Sets an event when the connection is gone."""
        self._lost = lost

    def note_head(self) -> None:
        """Waits no longer: the head is there, and later requests may take their time."""
        for timer in (self._read_timer, self._head_timer):
            if timer is not None:
                timer.cancel()
        self._read_timer = self._head_timer = None

    def _give_up(self) -> None:
        self.note_head()
        if self.transport is not None and self._is_heard():
            self.transport.write(_ANSWER)
            self.transport.close()


class PatientServer(web.Server):
    """Makes the connections of a host.

    Args:
        handler: Answers a request.
        keepalive_s: Seconds that a connection may be idle after a request.
        patience: Seconds for each read of a head, and for the whole.
        is_heard: Tells whether what is sent arrives.
    """

    def __init__(
        self, handler: Handler, *, keepalive_s: float, patience: tuple[float, float], is_heard: Callable[[], bool]
    ) -> None:
        super().__init__(handler)
        self._keepalive_s = keepalive_s
        self._patience = patience
        self._is_heard = is_heard

    def __call__(self) -> RequestHandler:
        """Makes a connection."""
        return PatientHandler(self, keepalive_s=self._keepalive_s, patience=self._patience, is_heard=self._is_heard)
