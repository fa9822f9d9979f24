"""One XML-RPC connection to one host: time limits, the TLS pin, extra headers, and no request sent twice.

The stock `xmlrpc.client.Transport.request` repeats a request when a kept connection breaks, though the server may
have executed it (one `VM.clone` was seen executed twice). Here a request is sent once, and the error says whether any
of it left.
"""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import ssl
import struct
import xmlrpc.client
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias
from xml.parsers.expat import ExpatError

from bot.xen.settings import HostSettings
from bot.xen.tls import Trust, WrongCertificate

CONNECT_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 30.0

#: Whatever an XML-RPC answer may hold; typed by `bot.xen.records` where it is used.
Wire: TypeAlias = Any


# How a peer that ends the connection itself shows; a time-out is none of these.
_ENDED = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError)


class CallLost(Exception):
    """The call had no full answer.

    `sent` tells whether any byte of the request may have reached the server; `ended` that the server ended the
    connection, so that nothing of the request is still under way.
    """

    def __init__(self, reason: str, *, sent: bool, ended: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent
        self.ended = ended


class _Texts(xmlrpc.client.Unmarshaller):
    """Leaves dates as XAPI wrote them: records are typed by msgspec later, which knows no `DateTime` objects."""

    dispatch = {  # noqa: RUF012  as in the parent
        **xmlrpc.client.Unmarshaller.dispatch,
        "dateTime.iso8601": xmlrpc.client.Unmarshaller.end_string,
    }


class _PinnedConnection(http.client.HTTPSConnection):
    """A TLS connection that is closed before anything is sent when the certificate is not the pinned one."""

    def __init__(self, host: HostSettings, trust: Trust) -> None:
        super().__init__(host.address, host.port, timeout=CONNECT_TIMEOUT_S, context=trust.context)
        self._trust = trust

    def connect(self) -> None:
        super().connect()
        tls = self.sock
        if not isinstance(tls, ssl.SSLSocket):
            raise WrongCertificate("did not speak TLS")
        try:
            self._trust.verify(tls.getpeercert(binary_form=True))
        except WrongCertificate:
            self.close()
            raise


class OnceTransport(xmlrpc.client.Transport):
    """A transport for `XenAPI.Session` that belongs to one host and one thread.

    Args:
        host: Where to connect; the address in the session's URI is not looked at.
        trust: What the host's certificate is checked against.
        answer_timeout_s: How long the server may be silent. `Async.*` calls and reads are answered in milliseconds.
    """

    def __init__(self, host: HostSettings, trust: Trust, *, answer_timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        super().__init__()
        self._host = host
        self._trust = trust
        self._answer_timeout_s = answer_timeout_s
        self._call_headers: tuple[tuple[str, str], ...] = ()
        self._http: http.client.HTTPConnection | None = None

    @contextlib.contextmanager
    def headers(self, headers: Mapping[str, str]) -> Iterator[None]:
        """Adds headers to the calls made inside, each on a new connection.

        A kept connection may be dead without our knowing; then the request would count as sent and its outcome as
        unknown.
        """
        self._call_headers = tuple(headers.items())
        self.close()
        try:
            yield
        finally:
            self._call_headers = ()

    def request(
        self,
        host: object,
        handler: str,
        request_body: object,
        verbose: bool = False,  # noqa: FBT001, FBT002  the parent's signature
    ) -> Wire:
        """Sends the request once. Raises CallLost."""
        del host
        self.verbose = verbose  # the parent reads it while it parses the answer
        connection = self._connected()
        try:
            self._send(connection, handler, request_body)
            response = connection.getresponse()
            if response.status == http.HTTPStatus.OK:
                return self.parse_response(response)
        except (OSError, http.client.HTTPException, xmlrpc.client.Error, ExpatError, ValueError) as error:
            self._cut()
            raise CallLost(describe(error), sent=True, ended=isinstance(error, _ENDED)) from error
        self.close()
        raise CallLost(f"answered HTTP {response.status}", sent=True)

    def getparser(self) -> tuple[xmlrpc.client.ExpatParser, xmlrpc.client.Unmarshaller]:
        """A parser that leaves dates as text."""
        target = _Texts()
        return xmlrpc.client.ExpatParser(target), target

    def close(self) -> None:
        """Closes the connection, if any."""
        connection, self._http = self._http, None
        if connection is not None:
            connection.close()

    def _cut(self) -> None:
        """Closes the connection and throws away what the kernel has not sent yet, so that it cannot arrive later."""
        connection = self._http
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def abort(self) -> None:
        """Wakes the thread that waits on this connection; may be called from any other thread."""
        connection = self._http
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _connected(self) -> http.client.HTTPConnection:
        if self._http is not None and self._http.sock is not None and not _readable(self._http.sock):
            return self._http
        self.close()
        connection = (
            _PinnedConnection(self._host, self._trust)
            if self._trust.encrypted
            else http.client.HTTPConnection(self._host.address, self._host.port, timeout=CONNECT_TIMEOUT_S)
        )
        # A connection that broke is never opened again behind our back: that would be a second sending.
        connection.auto_open = 0
        try:
            connection.connect()
        except (OSError, WrongCertificate) as error:
            connection.close()
            raise CallLost(describe(error), sent=False) from error
        connection.sock.settimeout(self._answer_timeout_s)
        self._http = connection
        return connection

    def _send(self, connection: http.client.HTTPConnection, handler: str, body: object) -> None:
        data = body.encode() if isinstance(body, str) else body
        if not isinstance(data, bytes):
            raise TypeError("an XML-RPC request is text or bytes")
        headers = {"Content-Type": "text/xml", "User-Agent": "xenbot", **dict(self._call_headers)}
        connection.request("POST", handler, data, headers)


def describe(error: BaseException) -> str:
    """What went wrong on the way, as the end of a sentence that begins with an address."""
    match error:
        case WrongCertificate():
            return str(error)
        case ConnectionRefusedError():
            return "refused the connection"
        case ssl.SSLCertVerificationError():
            return f"showed a certificate that cannot be trusted ({error.verify_message})"
        case TimeoutError():
            return "did not answer in time"
        case http.client.RemoteDisconnected() | ConnectionError() | http.client.IncompleteRead():
            return "closed the connection without an answer"
        case ssl.SSLError():
            return f"could not be spoken to over TLS ({error.reason or error})"
        case socket.gaierror():
            return "has an address that cannot be resolved"
        case OSError():
            return f"could not be reached ({error.strerror or error})"
        case _:
            return "gave an answer that is not XML-RPC"


def _readable(sock: socket.socket) -> bool:
    """Whether an idle connection has something to read: its end, since nobody has asked anything on it."""
    poller = select.poll()
    poller.register(sock, select.POLLIN | select.POLLHUP)
    return bool(poller.poll(0))
