"""TLS for a stream, over a socket of its own: in pieces of a quarter of a megabyte.

The library's TLS socket takes two system calls for each record of 16 KiB, which costs a fast stream a third of its
processor time; and this Python's version of it calls a reset connection an end of the stream.
"""

from __future__ import annotations

import socket
import ssl
from typing import Final

PIECE_BYTES: Final = 256 * 1024


class Tls:
    """The encrypted side of a connected socket. Belongs to one thread.

    `has_more` tells that there may be something to receive without asking the socket.

    Every wait is one of the socket, so that its time limit ends each call with BlockingIOError; what was begun goes on
    with the next call.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, name: str) -> None:
        self._sock = sock
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._engine = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._sealed = memoryview(bytearray(PIECE_BYTES))
        self._unsent = memoryview(b"")
        self._accepted = 0
        self._is_sending = False
        self.has_more = False

    @property
    def certificate(self) -> bytes | None:
        """What the other end has shown (DER), after the handshake."""
        return self._engine.getpeercert(binary_form=True)

    def handshake(self) -> None:
        """Does as much of the handshake as a turn allows; returns when it is done. Raises OSError."""
        while True:
            try:
                self._engine.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._pull(0)
            else:
                self._flush()
                return

    def receive(self, room: memoryview, flags: int = 0) -> int:
        """Opens what has come into the room; waits only for the first byte. 0 when the other end said goodbye.

        Raises OSError, SSLEOFError when it went without that.
        """
        filled = 0
        while filled < len(room):
            try:
                count = self._engine.read(len(room) - filled, room[filled:])
            except ssl.SSLWantReadError:
                self.has_more = False
                if filled:
                    # First of all, since what follows may raise, and this much would be lost.
                    break
                if self._outgoing.pending:
                    # TLS has something of its own to answer. What we send may be refused while there is more to hear.
                    self._flush()
                self._pull(flags)
            else:
                if not count:
                    break
                filled += int(count)
                self.has_more = True
        return filled

    def send(self, data: memoryview) -> int:
        """Sends some of it and says how much. After BlockingIOError the same data must come again. Raises OSError."""
        if not self._is_sending:
            self._accepted = 0
            while self._accepted < min(len(data), PIECE_BYTES):
                self._accepted += self._engine.write(data[self._accepted : PIECE_BYTES])
            self._is_sending = True
        self._flush()
        self._is_sending = False
        return self._accepted

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._unsent = memoryview(bytes(self._unsent) + self._outgoing.read())
        while self._unsent:
            self._unsent = self._unsent[self._sock.send(self._unsent) :]

    def _pull(self, flags: int) -> None:
        count = self._sock.recv_into(self._sealed, 0, flags)
        if count:
            self._incoming.write(self._sealed[:count])
        else:
            self._incoming.write_eof()
