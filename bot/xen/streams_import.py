"""The conversation of an import: an archive or a disk sent as the body of one request. It blocks its thread.

As a real server does: it answers 200 before it reads a byte of the archive, says nothing more until it is done, closes
the connection as soon as it has read the archive's end, and puts a second response behind the first when something
fails later. So both directions are watched, and only the task tells what came of it.
"""

from __future__ import annotations

import http
import time
from typing import Final

from bot.errors import StreamCut
from bot.operations.stream_ports import Ended, Phase
from bot.xen.streams_body import Body
from bot.xen.streams_dial import TURN_S
from bot.xen.streams_head import MAX_HEAD, MAX_PAGE, BadHead, Head, Moved, broke_off, page_at_end, refused, split
from bot.xen.streams_wire import HEAD_TIMEOUT_S, SILENCE_TIMEOUT_S, Closed, Wire

#: How long the answer, or a redirect, is waited for before anything is sent; a server may also want the body first.
ANSWER_FIRST_S: Final = 2.0
#: Read and sent at once. To let the kernel send the file itself is slower: it does so in pieces of 64 KiB.
PIECE_BYTES: Final = 1024 * 1024


class Import:
    """One import into one host; `run` once, in a thread.

    Args:
        wire: A connection that is not yet made; it is closed at the end.
        request: The request's head without its length and without the empty line behind it.
        body: The archive, or the bytes of a disk; it is closed at the end.
    """

    def __init__(self, wire: Wire, request: bytes, body: Body) -> None:
        self._wire = wire
        self._request = request
        self._body = body
        self._head: Head | None = None
        self._said = b""
        self._has_closed = False
        self._piece = memoryview(bytearray(PIECE_BYTES))

    def run(self) -> Ended | Moved:
        """Sends and listens until the server has closed, or has said all it will say.

        Raises CallLost (nothing was sent), Unreachable, XapiFailure (references not yet named), StreamCut, Cut,
        TargetFailed.
        """
        wire = self._wire
        try:
            self._body.open()
            wire.connect()
            wire.enter(Phase.WAITING)
            wire.send_all(self._request + f"Content-Length: {self._body.size}\r\n\r\n".encode())
            self._listen(ANSWER_FIRST_S)
            wire.enter(Phase.FLOWING)
            self._send()
            wire.enter(Phase.ENDING)
            self._hear_out()
            return self._result()
        finally:
            wire.close()
            self._body.close()

    def _send(self) -> None:
        try:
            while self._wire.moved < self._body.size and not self._is_over:
                self._push()
                self._listen()
        except Closed:
            # What it said before is still to be heard.
            self._wire.said_goodbye = False

    def _push(self) -> None:
        wire = self._wire
        wire.held_up = True
        count = self._body.read(self._piece, wire.moved)
        wire.held_up = False
        left = self._piece[: min(count, self._body.size - wire.moved)]
        while left and not self._is_over:
            sent = wire.send(left, SILENCE_TIMEOUT_S)
            if not sent:
                self._listen()
            wire.moved += sent
            left = left[sent:]

    @property
    def _is_over(self) -> bool:
        """Whether nothing more needs to be sent."""
        is_refused = self._head is not None and self._head.status != http.HTTPStatus.OK
        return self._has_closed or is_refused or self._page is not None

    @property
    def _page(self) -> bytes | None:
        """The second response, once it is whole."""
        return page_at_end(self._said) if self._head is not None and self._said else None

    def _hear_out(self) -> None:
        """Waits for the server's end; that of an error does not take long."""
        until = time.monotonic() + (HEAD_TIMEOUT_S if self._is_over else SILENCE_TIMEOUT_S)
        while not self._has_closed and self._page is None and time.monotonic() < until:
            length = self._head.length if self._head is not None else None
            if length is not None and len(self._said) >= length:
                break
            self._listen(TURN_S)

    def _listen(self, within_s: float = 0.0) -> None:
        """Takes in all that was said so far."""
        data = self._heard(within_s)
        while data:
            self._said += data
            if len(self._said) > MAX_HEAD + MAX_PAGE:
                raise StreamCut(f"{self._wire.host.address} does not stop answering.")
            data = self._heard(0.0)
        self._has_closed = data is not None
        if self._head is None:
            try:
                found = split(self._said)
            except BadHead as bad:
                raise StreamCut(f"{self._wire.host.address} {bad}.") from bad
            if found is not None:
                self._head, self._said = found

    def _heard(self, within_s: float) -> bytes | None:
        try:
            return self._wire.heard(within_s)
        except Closed:
            # So ends a connection whose server has read the archive's end and leaves unread what lies behind it.
            self._wire.said_goodbye = False
            return b""

    def _result(self) -> Ended | Moved:
        wire, head = self._wire, self._head
        how_far = f"The import broke off after {wire.moved} of {self._body.size} bytes"
        if head is None:
            raise StreamCut(f"{how_far}: {wire.host.address} closed the connection without an answer.")
        if head.status != http.HTTPStatus.OK:
            return refused(wire.host.address, head, self._said)
        page = self._page
        if page is not None:
            raise broke_off("import", wire.host.address, wire.moved, page)
        if not self._has_closed:
            raise StreamCut(f"{how_far}: {wire.host.address} has been silent for {SILENCE_TIMEOUT_S / 60:.0f} min.")
        return Ended(wire.host.address, wire.moved, said_goodbye=wire.said_goodbye, whole=wire.moved == self._body.size)
