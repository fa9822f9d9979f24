"""The conversation of an export: one request, and an archive that ends with the connection. It blocks its thread.

As a real server does: it answers once the guest is free, with a head at once and bytes perhaps much later; an error in
the middle is a second response, head and all, at the end of what was sent.
"""

from __future__ import annotations

import http
import time

from bot.errors import StreamCut
from bot.operations.stream_ports import Ended, Phase, Sink
from bot.xen.streams_head import MAX_HEAD, MAX_PAGE, TAIL, BadHead, Head, Moved, broke_off, page_at_end, refused, split
from bot.xen.streams_wire import FIRST_BYTE_TIMEOUT_S, HEAD_TIMEOUT_S, SILENCE_TIMEOUT_S, Wire


class Export:
    """One export from one host into a sink; `run` once, in a thread.

    Args:
        wire: A connection that is not yet made; it is closed at the end.
        request: The request, head and empty line.
        sink: Takes the archive.
    """

    def __init__(self, wire: Wire, request: bytes, sink: Sink) -> None:
        self._wire = wire
        self._request = request
        self._sink = sink
        self._tail = b""

    def run(self) -> Ended | Moved:
        """Fills the sink until the stream ends.

        Raises CallLost (nothing was sent), Unreachable, XapiFailure (references not yet named), StreamCut, Cut, and
        as the sink does.
        """
        wire = self._wire
        # A host may be silent for minutes in which our own disk has long failed.
        wire.look_up = self._sink.check
        try:
            wire.connect()
            wire.enter(Phase.WAITING)
            wire.send_all(self._request)
            head, rest = self._head()
            if head.status != http.HTTPStatus.OK:
                return refused(wire.host.address, head, self._page(head, rest))
            return self._archive(rest, head.length)
        finally:
            wire.close()

    def _head(self) -> tuple[Head, bytes]:
        data, room = b"", memoryview(bytearray(MAX_HEAD))
        until: float | None = None
        while True:
            count = self._wire.receive_some(room, FIRST_BYTE_TIMEOUT_S if until is None else HEAD_TIMEOUT_S)
            if not count:
                raise StreamCut(f"{self._wire.host.address} closed the connection without an answer.")
            until = until or time.monotonic() + HEAD_TIMEOUT_S
            if time.monotonic() > until:
                raise StreamCut(f"{self._wire.host.address} began an answer and did not go on.")
            data += room[:count]
            try:
                found = split(data)
            except BadHead as bad:
                raise StreamCut(f"{self._wire.host.address} {bad}.") from bad
            if found is not None:
                return found

    def _page(self, head: Head, rest: bytes) -> bytes:
        """The body of an error, as far as it comes."""
        wanted = min(MAX_PAGE, MAX_PAGE if head.length is None else head.length)
        room, until = memoryview(bytearray(MAX_PAGE)), time.monotonic() + HEAD_TIMEOUT_S
        try:
            while len(rest) < wanted:
                count = self._wire.receive_some(room, HEAD_TIMEOUT_S)
                if not count or time.monotonic() > until:
                    break
                rest += room[:count]
        except StreamCut:
            # The status is known, and of the page there is what there is.
            return rest
        return rest

    def _archive(self, rest: bytes, length: int | None) -> Ended:
        wire = self._wire
        try:
            # No XAPI states a length for an archive; what lies beyond one that is stated is nobody's.
            self._begin(rest[:length])
            self._fill(length)
        except StreamCut as cut:
            raise StreamCut(f"The export broke off after {wire.moved} bytes: {cut}") from cut
        page = page_at_end(self._tail)
        if page is not None:
            raise broke_off("export", wire.host.address, wire.moved, page)
        if length is not None and wire.moved != length:
            raise StreamCut(f"The export ended after {wire.moved} bytes, and {length} were announced.")
        return Ended(wire.host.address, wire.moved, said_goodbye=wire.said_goodbye)

    def _begin(self, rest: bytes) -> None:
        """What came in one piece with the head."""
        while rest:
            room = self._room()
            count = min(len(rest), len(room))
            room[:count] = rest[:count]
            self._wire.moved += count
            self._give(room, count)
            rest = rest[count:]

    def _fill(self, length: int | None) -> None:
        wire = self._wire
        if wire.moved:
            wire.enter(Phase.FLOWING)
        while length is None or wire.moved < length:
            room = self._room()
            if length is not None:
                room = room[: length - wire.moved]
            filled = 0
            while filled < len(room):
                # The whole buffer at once: each waking of a thread costs. A turn of the wire ends the wait for a slow
                # host, so that progress and silence are told truly.
                count = wire.receive(room[filled:], SILENCE_TIMEOUT_S)
                if not count:
                    self._give(room, filled)
                    return
                if not wire.moved:
                    wire.enter(Phase.FLOWING)
                filled += count
                wire.moved += count
            self._give(room, filled)

    def _room(self) -> memoryview:
        self._wire.held_up = True
        room = self._sink.take()
        self._wire.held_up = False
        return room

    def _give(self, room: memoryview, count: int) -> None:
        self._tail = (self._tail + bytes(room[max(0, count - TAIL) : count]))[-TAIL:]
        self._sink.give(count)
