"""Where events come from: JSON-RPC over aiohttp, or XML-RPC in a thread for servers without JSON-RPC (before 7.3).

Both give a `Batch` whose records are decoded slice by slice, so that the first reading of a large pool (tens of
megabytes) does not stop the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import msgspec
import structlog
import XenAPI

from bot.xen.model import SLICE, Change
from bot.xen.records import BY_EVENT_CLASS, Record, convert
from bot.xen.session import Entry, Line
from bot.xen.tls import Trust
from bot.xen.transport import CONNECT_TIMEOUT_S, CallLost, describe

#: How long the server holds an `event.from` without news. Short, since the age of all facts is measured by its
#: answers.
POLL_S: Final = 5.0
_SILENCE_S: Final = POLL_S + 10.0
_CLASSES: Final = sorted(BY_EVENT_CLASS)

_log = structlog.get_logger(__name__)


class SourceLost(Exception):
    """The host could not be asked or gave no sensible answer."""


class NoJson(Exception):
    """The server has no JSON-RPC."""


class Rejected(Exception):
    """XAPI answered with a failure."""

    def __init__(self, host: str, details: list[str]) -> None:
        super().__init__(f"{host} answered {details[0]}")
        self.code = details[0]


@dataclass(frozen=True)
class Slice:
    """A few decoded events; `unreadable` holds class (lower case) and reference of what could not be decoded."""

    changes: list[Change]
    unreadable: list[tuple[str, str]]


class _Event(msgspec.Struct, gc=False, rename={"cls": "class"}):
    cls: str
    operation: str
    ref: str
    snapshot: msgspec.Raw = msgspec.Raw(b"")


class _Result(msgspec.Struct, gc=False):
    events: list[msgspec.Raw]
    token: str
    valid_ref_counts: dict[str, int] = {}


class _Reply(msgspec.Struct, gc=False):
    result: _Result | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


class Batch:
    """The answer to one `event.from`. `counts` holds the number of objects per class (lower case) the server has."""

    def __init__(self, events: list[msgspec.Raw] | list[Any], token: str, counts: dict[str, int]) -> None:
        self._events = events
        self.token = token
        self.counts = counts

    def slices(self) -> Iterator[Slice]:
        """Decodes some fifty events per turn."""
        events = iter(self._events)
        while part := list(islice(events, SLICE)):
            yield _decode(part)


class JsonSource:
    """Asks by JSON-RPC over one connection."""

    def __init__(self, entry: Entry, trust: Trust) -> None:
        self._entry = entry
        self._url = f"{entry.host.url}/jsonrpc"
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trust.for_aiohttp, limit=1),
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT_S, sock_read=_SILENCE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def ask(self, token: str) -> Batch:
        """Waits for news since the token. Raises SourceLost, NoJson, Rejected."""
        body = await self._post(token)
        try:
            reply = _REPLY.decode(body)
            if reply.result is None:
                raise Rejected(self._entry.host.address, _error(reply.error))
        except msgspec.MsgspecError as error:
            raise SourceLost(f"{self._entry.host.address} gave an answer that is not XAPI's") from error
        return Batch(reply.result.events, reply.result.token, reply.result.valid_ref_counts)

    async def _post(self, token: str) -> bytes:
        request = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "event.from",
            "params": [self._entry.handle, _CLASSES, token, POLL_S],
        }
        try:
            async with self._http.post(
                self._url,
                data=msgspec.json.encode(request),
                headers={"Content-Type": "application/json"},
                allow_redirects=False,
            ) as response:
                if _without_json(response, first=not token):
                    raise NoJson
                if response.status != 200:
                    raise SourceLost(f"{self._entry.host.address} answered HTTP {response.status}")
                return await response.read()
        except aiohttp.ServerFingerprintMismatch as error:
            raise SourceLost(f"{self._entry.host.address} shows another certificate than the pinned one") from error
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError) as error:
            raise SourceLost(f"{self._entry.host.address} closed the connection without an answer") from error
        except (aiohttp.ClientError, OSError) as error:
            cause = getattr(error, "os_error", None) or error
            raise SourceLost(f"{self._entry.host.address} {describe(cause)}") from error


class XmlSource:
    """Asks by XML-RPC in a thread of its own; decoding takes seconds there for a large pool."""

    def __init__(self, entry: Entry, trust: Trust) -> None:
        self._line = Line(entry.host, trust, answer_timeout_s=_SILENCE_S)
        self._line.handle = entry.handle
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="xen-events")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.transport.abort()
        await asyncio.to_thread(self._thread.shutdown)
        self._line.transport.close()

    async def ask(self, token: str) -> Batch:
        """Waits for news since the token. Raises SourceLost, Rejected."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._ask, token)

    def _ask(self, token: str) -> Batch:
        try:
            answer = self._line.call("event.from", _CLASSES, token, POLL_S)
        except XenAPI.Failure as refusal:
            raise Rejected(self._line.host.address, refusal.details) from refusal
        except CallLost as lost:
            raise SourceLost(f"{self._line.host.address} {lost.reason}") from lost
        counts = {str(cls): int(count) for cls, count in answer["valid_ref_counts"].items()}
        return Batch(answer["events"], str(answer["token"]), counts)


_REPLY: Final = msgspec.json.Decoder(_Reply)
_EVENT: Final = msgspec.json.Decoder(_Event)
_DECODERS: Final = {cls: msgspec.json.Decoder(kind) for cls, kind in BY_EVENT_CLASS.items()}


def _without_json(response: aiohttp.ClientResponse, *, first: bool) -> bool:
    """Whether the server has no JSON-RPC: nothing at this path, or the XML-RPC handler, which knows no JSON.

    A server that has answered JSON before is only in trouble.
    """
    if response.status in {404, 501}:
        return True
    return first and response.status in {200, 500} and "json" not in response.content_type


def _decode(part: list[Any]) -> Slice:
    slice_ = Slice([], [])
    for raw in part:
        if isinstance(raw, msgspec.Raw):
            event = _EVENT.decode(raw)
            cls, gone, ref = event.cls.lower(), event.operation == "del", event.ref
        else:
            cls, gone, ref = str(raw["class"]).lower(), raw["operation"] == "del", str(raw["ref"])
        kind = BY_EVENT_CLASS.get(cls)
        if kind is None:
            continue
        try:
            record: Record | None = None
            if not gone:
                record = (
                    _DECODERS[cls].decode(event.snapshot)
                    if isinstance(raw, msgspec.Raw)
                    else convert(kind, raw["snapshot"])
                )
        except msgspec.MsgspecError as error:
            # One record in a shape we do not know must not cost the whole pool; it is missing, and counted as such.
            _log.warning("record_unreadable", cls=cls, error=str(error))
            slice_.unreadable.append((cls, ref))
        else:
            slice_.changes.append(Change(kind, ref, record))
    return slice_


def _error(raw: msgspec.Raw) -> list[str]:
    """Code and parameters of a JSON-RPC error; in emergency mode XAPI sends a bare list where 2.0 wants an object."""
    match msgspec.json.decode(raw):
        case {"message": str(code), "data": [*params]}:
            return [code, *map(str, params)]
        case {"message": str(code)}:
            return [code]
        case [str(code), *params]:
            return [code, *map(str, params)]
        case _:
            return ["INTERNAL_ERROR"]
