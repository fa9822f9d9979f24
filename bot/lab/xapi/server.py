"""The sockets of one simulated host: HTTPS and plain HTTP on its own loopback address.

A request is read here, decoded by a wire module, given to `Answerer.answer`, encoded and sent; the connection is
closed without an answer where a fault or a dead toolstack wants it so.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from aiohttp import HttpVersion11, web

from bot.lab.xapi.blackhole import BlackHole
from bot.lab.xapi.database import Row
from bot.lab.xapi.errors import ApiError, ConnectionDroppedError
from bot.lab.xapi.faults import Faults
from bot.lab.xapi.machine import Machine, Toolstack
from bot.lab.xapi.patience import HEAD_S, READ_S, PatientHandler, PatientServer
from bot.lab.xapi.values import Value
from bot.lab.xapi.wire import jsonrpc, pages, xml_values, xmlrpc
from bot.lab.xapi.wire.request import BadRequestError, Request

BODY_LIMIT: Final = 307_200
HEADER_LIMIT: Final = 1024
_KEEP_ALIVE_S: Final = 3600.0
_SHUTDOWN_S: Final = 0.05
_ROWS_AT_ONCE: Final = 50
_SLICE_BYTES: Final = 256 * 1024
_HEADERS: Final = {
    "Cache-Control": "no-cache, no-store",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "X-Requested-With",
}

Encode = Callable[[Value, ApiError | None], bytes]


class Answerer(Protocol):
    """What stands behind the sockets."""

    faults: Faults

    async def receive(self, machine: Machine, request: web.BaseRequest, heard: asyncio.Event) -> bool:
        """Serves a request for a stream; returns False when there is no handler for it."""

    async def answer(self, machine: Machine, method: str, params: list[Value], headers: Mapping[str, str]) -> Value:
        """Does a call; raises `ApiError` where it fails."""

    def spell(self, method: str) -> str:
        """Returns the dotted name of a method."""

    def list_methods(self) -> list[str]:
        """Returns the names of all served methods."""


class HostServer:
    """Listens for one machine.

    Args:
        machine: The host.
        answerer: Does the calls.
        context: The certificate to serve.
        patience: Seconds for each read of a request's head, and for the whole.
    """

    def __init__(
        self,
        machine: Machine,
        answerer: Answerer,
        context: ssl.SSLContext,
        *,
        patience: tuple[float, float] = (READ_S, HEAD_S),
    ) -> None:
        self._machine = machine
        self._answerer = answerer
        self._context = context
        self._patience = patience
        self._runner: web.ServerRunner | None = None
        self._server: web.Server | None = None
        self._sites: list[web.TCPSite] = []
        self._ports = (0, 0)
        self._heard = asyncio.Event()
        self._heard.set()
        self._hole = BlackHole()

    async def listen(self, https_port: int, http_port: int) -> None:
        """Binds both ports, and those again whenever it is opened.

        Raises:
            OSError: One is taken, or the address is not of this machine.
        """
        self._ports = (https_port, http_port)
        await self.open()

    async def open(self) -> None:
        """Listens on its ports; fails as `listen`."""
        server = PatientServer(
            self._handle,
            patience=self._patience,
            is_heard=self._heard.is_set,
            keepalive_s=_KEEP_ALIVE_S,
        )
        runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_S)
        await runner.setup()
        self._server, self._runner = server, runner
        self._heard.set()
        try:
            await self._bind(runner)
        except OSError:
            await self.close()
            raise

    async def _bind(self, runner: web.ServerRunner) -> None:
        https_port, http_port = self._ports
        address = self._machine.address
        self._sites = [
            web.TCPSite(runner, address, https_port, ssl_context=self._context),
            web.TCPSite(runner, address, http_port),
        ]
        for site in self._sites:
            await site.start()

    async def close(self) -> None:
        """Closes the ports and cuts every connection."""
        self._hole.close()
        runner, self._runner = self._runner, None
        if runner is not None:
            self._abort()
            await runner.cleanup()
        self._server = None

    async def fall_silent(self) -> None:
        """Answers nothing any more, as a host whose cable was cut: connections hang, new ones are never made."""
        self._heard.clear()
        for site in self._sites:
            await site.stop()
        self._hole.open(self._machine.address, self._ports)

    async def be_heard(self) -> None:
        """Answers again, also what was asked meanwhile."""
        self._hole.close()
        if self._runner is not None:
            await self._bind(self._runner)
        self._heard.set()

    def cut_connections(self) -> None:
        """Closes every open connection in the middle of whatever it does; who hears nothing does not learn it."""
        if self._heard.is_set():
            self._abort()

    def _abort(self) -> None:
        for connection in self._server.connections if self._server else []:
            if connection.transport is not None:
                connection.transport.abort()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if isinstance(request.protocol, PatientHandler):
            request.protocol.note_head()
        response = await self._respond(request)
        await self._heard.wait()
        if request.version < HttpVersion11:
            response.force_close()  # whatever the client would like to keep
        return response

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        await self._heard.wait()
        if self._machine.toolstack is Toolstack.DOWN or not self._machine.is_alive:
            return _drop(request)
        if _measure_head(request) > HEADER_LIMIT:
            return pages.refuse_headers()
        if request.method == "OPTIONS":
            return pages.answer_options()
        if request.method != "POST":
            return await self._receive(request)
        if request.content_length is None:
            return pages.report_failure("no content length")
        if request.content_length > BODY_LIMIT:
            return pages.report_failure("body too large")
        body = await request.read()
        # The longest registered prefix decides, so every other path is XML-RPC.
        is_json = request.path.startswith("/jsonrpc")
        try:
            call = jsonrpc.read_request(body) if is_json else xmlrpc.read_request(body)
        except BadRequestError as error:
            return pages.report_failure(str(error))
        answer = await self._answer(request, call, is_json=is_json)
        if answer is None:
            return _drop(request)
        content_type = jsonrpc.CONTENT_TYPE if is_json else xmlrpc.CONTENT_TYPE
        return await _send(request, answer, {**_HEADERS, "Content-Type": content_type})

    async def _receive(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method not in {"GET", "HEAD", "PUT"}:
            return pages.refuse_method(f"Unknown {request.method}")
        if await self._answerer.receive(self._machine, request, self._heard):
            return web.Response()  # never sent: the handler has answered and closed the connection
        return pages.refuse_page()

    async def _answer(self, request: web.BaseRequest, call: Request, *, is_json: bool) -> bytes | None:
        """Returns the encoded answer, or None where the connection is to be closed instead."""
        encode = _make_encoder(call, is_json=is_json)
        method = self._answerer.spell(call.method)
        if method == "system.listMethods":
            names = self._answerer.list_methods()
            return encode(names, None) if is_json else xmlrpc.write_bare(names)
        headers = {name.lower(): value for name, value in request.headers.items()}
        strike = self._answerer.faults.strike
        try:
            try:
                await strike(method, "before", self._machine.name)
                value = await self._answerer.answer(self._machine, method, call.params, headers)
                await _encode_rows(value, jsonrpc.encode_row if is_json else xml_values.encode_row)
                answer = encode(value, None)
            except ApiError as error:
                answer = encode(None, error)
            await _strike_after(strike(method, "after", self._machine.name))
        except _ReplacedError as replaced:
            return encode(None, replaced.error)
        except ConnectionDroppedError:
            return None
        return answer


def _measure_head(request: web.BaseRequest) -> int:
    """Returns how many bytes came before the body: the first line counts as well."""
    first = len(request.method) + len(request.raw_path) + len(" HTTP/1.1\r\n") + 1
    return first + sum(len(name) + len(value) + len(": \r\n") for name, value in request.raw_headers) + len("\r\n")


class _ReplacedError(Exception):
    def __init__(self, error: ApiError) -> None:
        self.error = error


async def _strike_after(strike: Awaitable[None]) -> None:
    try:
        await strike
    except ApiError as error:
        raise _ReplacedError(error) from error


def _make_encoder(call: Request, *, is_json: bool) -> Encode:
    envelope = call.envelope or {}

    def encode(value: Value, error: ApiError | None) -> bytes:
        if is_json:
            return jsonrpc.write_error(error, envelope) if error else jsonrpc.write_answer(value, envelope)
        return xmlrpc.write_error(error) if error else xmlrpc.write_answer(value)

    return encode


async def _encode_rows(value: Value, encode_row: Callable[[Row], object]) -> None:
    """Encodes the records of a large answer in slices, so that other connections are served meanwhile."""
    rows: list[Row] = []
    if isinstance(value, dict):
        rows = [item for item in value.values() if isinstance(item, Row)]
        events = value.get("events")
        if isinstance(events, list):
            rows = [event["snapshot"] for event in events if "snapshot" in event]
    for number, row in enumerate(rows):
        encode_row(row)
        if number % _ROWS_AT_ONCE == _ROWS_AT_ONCE - 1:
            await asyncio.sleep(0)


async def _send(request: web.BaseRequest, answer: bytes, headers: dict[str, str]) -> web.StreamResponse:
    """Sends an answer; a long one in slices, since encrypting an inventory in one go would stop everybody else."""
    if len(answer) <= _SLICE_BYTES:
        return web.Response(body=answer, headers=headers)
    response = web.StreamResponse(headers=headers)
    response.content_length = len(answer)
    await response.prepare(request)
    view = memoryview(answer)
    for start in range(0, len(view), _SLICE_BYTES):
        await response.write(view[start : start + _SLICE_BYTES])
        await asyncio.sleep(0)
    return response


def _drop(request: web.BaseRequest) -> web.StreamResponse:
    """Closes the connection without an answer; what is returned is never sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
