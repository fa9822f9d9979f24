"""Where events come from: JSON-RPC over aiohttp, or XML-RPC in a thread for servers without JSON-RPC (before 7.3).

Both give a `Batch` whose records are decoded slice by slice, so that the first reading of a large pool (tens of
megabytes) does not stop the event loop.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Final, Self

import aiohttp
import msgspec
import XenAPI

from bot.xen.batch import Batch, read_json, read_xml
from bot.xen.classes import BY_EVENT_CLASS
from bot.xen.line import Line
from bot.xen.logins import Entry
from bot.xen.tls import Trust
from bot.xen.transport import CONNECT_TIMEOUT_S, CallLost, describe

#: How long the server holds an `event.from` without news. Short, since the age of all facts is measured by its
#: answers.
POLL_S: Final = 5.0
_SILENCE_S: Final = POLL_S + 10.0
_CLASSES: Final = sorted(BY_EVENT_CLASS)


class SourceLost(Exception):
    """The host could not be asked or gave no sensible answer."""


class NoJson(Exception):
    """The server has no JSON-RPC."""


class Rejected(Exception):
    """XAPI answered with a failure."""

    def __init__(self, host: str, details: list[str]) -> None:
        super().__init__(f"{host} answered {details[0]}")
        self.code = details[0]


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
            batch = read_json(body)
        except msgspec.MsgspecError as error:
            raise SourceLost(f"{self._entry.host.address} gave an answer that is not XAPI's") from error
        if isinstance(batch, list):
            raise Rejected(self._entry.host.address, batch)
        return batch

    async def _post(self, token: str) -> bytearray:
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
                # Joining tens of megabytes at the end, as `read` does, would hold up everybody else.
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                return body
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
        return read_xml(answer)


def _without_json(response: aiohttp.ClientResponse, *, first: bool) -> bool:
    """Whether the server has no JSON-RPC: nothing at this path, or the XML-RPC handler, which knows no JSON.

    A server that has answered JSON before is only in trouble.
    """
    if response.status in {404, 501}:
        return True
    return first and response.status in {200, 500} and "json" not in response.content_type
