"""One connection for one stream: a thread waits on it, and any other may cut it or look how it stands.

Waiting happens in short turns, so that a cut is noticed and silence is measured; nothing here limits how long a
stream may take. A host that is gone is told from one that has nothing to say by TCP's own probes.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from typing import Final

from bot.errors import StreamCut
from bot.operations.stream_ports import Flow, Phase
from bot.xen.settings import HostSettings
from bot.xen.streams_dial import TURN_S, Addresses, reach, ready
from bot.xen.streams_tls import Tls
from bot.xen.tls import Trust, WrongCertificate
from bot.xen.transport import CONNECT_TIMEOUT_S, CallLost, describe

#: A host may wait for another operation of the guest first, and its own clients wait this long as well.
FIRST_BYTE_TIMEOUT_S: Final = 35 * 60.0
#: Reading zeros for a compressor gives no byte; a disk of 2 TiB at 500 MB/s takes over an hour.
SILENCE_TIMEOUT_S: Final = 2 * 3600.0
#: From the first byte of a head to its last.
HEAD_TIMEOUT_S: Final = 30.0


class Cut(Exception):
    """We have cut it ourselves."""


class Closed(StreamCut):
    """The other end has closed the connection, or reset it, while there was more to be sent or received."""


class Wire:
    """The connection, made by `connect`. Every method but `cut` and `flow` belongs to one thread.

    Args:
        host: Where to connect.
        trust: What its certificate is checked against, before a byte is sent.
        addresses: What its address resolves to, as `getaddrinfo` says it.

    Attributes:
        host: Where it connects.
        moved: Bytes of the archive, counted by whoever uses the connection.
        held_up: Whether our own side is waited for.
        said_goodbye: Whether the other end closed the connection in order.
        look_up: Called between the turns of a wait; what it raises ends the wait.
    """

    def __init__(self, host: HostSettings, trust: Trust, addresses: Addresses) -> None:
        self.host = host
        self.moved = 0
        self.held_up = False
        self.said_goodbye = True
        self.look_up: Callable[[], None] = _see_nothing
        self._trust = trust
        self._addresses = addresses
        self._guard = threading.Lock()
        self._sock: socket.socket | None = None
        self._is_cut = False
        self._phase = Phase.CONNECTING
        self._moved_at = time.monotonic()
        self._tls: Tls | None = None

    def flow(self) -> Flow:
        """How it stands now."""
        return Flow(
            host=self.host.address,
            phase=self._phase,
            moved=self.moved,
            last_byte_age=max(0.0, time.monotonic() - self._moved_at),
            held_up=self.held_up,
        )

    def enter(self, phase: Phase) -> None:
        """Begins a phase; its silence is measured from now on."""
        self._phase = phase
        self._moved_at = time.monotonic()

    def cut(self) -> None:
        """Ends the connection, and with it whatever its thread waits for; from any thread, as often as one likes."""
        with self._guard:
            self._is_cut = True
            if self._sock is not None:
                with contextlib.suppress(OSError):
                    self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Closes it; unsent bytes are thrown away, so that nothing arrives after we have given it up."""
        with self._guard:
            sock, self._sock = self._sock, None
            if sock is not None:
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.close()

    def connect(self) -> None:
        """Connects and checks the certificate. Raises CallLost (nothing was sent), Cut."""
        try:
            sock = self._reached()
            sock.setblocking(True)
            turn = struct.pack("ll", 0, int(TURN_S * 1_000_000))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, turn)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, turn)
            if self._trust.context is not None:
                self._tls = self._secured(Tls(sock, self._trust.context, self.host.address))
        except (OSError, WrongCertificate) as error:
            self._check()
            raise CallLost(describe(error), sent=False) from error

    def receive(self, room: memoryview, silence_s: float) -> int:
        """Fills the room as far as it goes within a turn; 0 at the end of the stream. Raises StreamCut, Cut."""
        return self._received(room, socket.MSG_WAITALL, silence_s)

    def receive_some(self, room: memoryview, silence_s: float) -> int:
        """Gives what there is, as soon as there is any; 0 at the end of the stream. Raises StreamCut, Cut."""
        return self._received(room, 0, silence_s)

    def _received(self, room: memoryview, flags: int, silence_s: float) -> int:
        while True:
            try:
                count = self._tls.receive(room) if self._tls is not None else self._socket.recv_into(room, 0, flags)
            except ssl.SSLEOFError:
                self._check()
                self.said_goodbye = False
                return 0
            except OSError as error:
                self._waited(error, silence_s)
            else:
                self._check()
                self._moved_at = time.monotonic()
                return count

    def send(self, data: memoryview, silence_s: float) -> int:
        """Sends some of it; 0 when a turn was not enough, and then the same data must come again.

        Raises StreamCut, Cut.
        """
        try:
            sent = self._tls.send(data) if self._tls is not None else self._socket.send(data)
        except OSError as error:
            self._waited(error, silence_s)
            return 0
        self._check()
        self._moved_at = time.monotonic()
        return sent

    def send_all(self, data: bytes) -> None:
        """Sends a request's head. Raises StreamCut, Cut."""
        left = memoryview(data)
        while left:
            left = left[self.send(left, HEAD_TIMEOUT_S) :]

    def heard(self, within_s: float = 0.0) -> bytes | None:
        """What the other end says within this time: None for nothing, empty when it has closed.

        Raises StreamCut, Cut.
        """
        sock, tls = self._socket, self._tls
        if not (tls is not None and tls.has_more) and not ready(sock, select.POLLIN, within_s):
            self._check()
            return None
        room = memoryview(bytearray(4096))
        try:
            if tls is not None:
                return bytes(room[: tls.receive(room, socket.MSG_DONTWAIT)])
            return bytes(room[: sock.recv_into(room, 0, socket.MSG_DONTWAIT)])
        except ssl.SSLEOFError:
            self.said_goodbye = False
            return b""
        except BlockingIOError:
            # TLS has things of its own to say.
            return None
        except OSError as error:
            raise self._broken(error) from error
        finally:
            self._check()

    @property
    def _socket(self) -> socket.socket:
        if self._sock is None:
            raise Cut
        return self._sock

    def _check(self) -> None:
        if self._is_cut:
            raise Cut

    def _use(self, sock: socket.socket) -> None:
        """From now on `cut` means this one."""
        with self._guard:
            self._sock = sock
        self._check()

    def _reached(self) -> socket.socket:
        failure: OSError = ConnectionRefusedError()
        for family, kind, protocol, _, address in self._addresses:
            sock = socket.socket(family, kind, protocol)
            self._use(sock)
            try:
                reach(sock, address, self._check)
            except OSError as error:
                failure = error
                self.close()
            else:
                return sock
        raise failure

    def _secured(self, tls: Tls) -> Tls:
        until = time.monotonic() + CONNECT_TIMEOUT_S
        while True:
            try:
                tls.handshake()
            except BlockingIOError:
                self._check()
                if time.monotonic() > until:
                    raise TimeoutError from None
            else:
                self._trust.verify(tls.certificate)
                return tls

    def _waited(self, error: OSError, silence_s: float) -> None:
        """Returns if the error only says that a turn is over."""
        self._check()
        if not _is_turn(error):
            raise self._broken(error) from error
        self.look_up()
        if time.monotonic() - self._moved_at > silence_s:
            raise StreamCut(f"{self.host.address} has been silent for {silence_s / 60:.0f} min.")

    def _broken(self, error: OSError) -> Exception:
        if self._is_cut:
            return Cut()
        if error.errno == errno.ETIMEDOUT:
            return StreamCut(f"{self.host.address} is gone: it gives no sign of life.")
        if isinstance(error, ConnectionError):
            return Closed(f"{self.host.address} closed the connection.")
        return StreamCut(f"{self.host.address} {describe(error)}.")


def _see_nothing() -> None:
    """There is nothing else that could end a wait."""


def _is_turn(error: OSError) -> bool:
    return isinstance(error, (BlockingIOError, TimeoutError)) and error.errno != errno.ETIMEDOUT
