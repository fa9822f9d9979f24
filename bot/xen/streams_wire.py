"""One connection for one stream: a thread waits on it, and any other may cut it or look how it stands.

Waiting happens in short turns, so that a cut is noticed and silence is measured; nothing here limits how long a
stream may take. A host that is gone is told from one that has nothing to say by TCP's own probes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import ssl
import struct
import threading
import time
from typing import Final

from bot.errors import StreamCut
from bot.operations.ports import Flow, Phase
from bot.xen.settings import HostSettings
from bot.xen.streams_dial import TURN_S, Addresses, reach, ready
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
    """

    def __init__(self, host: HostSettings, trust: Trust, addresses: Addresses) -> None:
        self.host = host
        self.moved = 0
        self.held_up = False
        self.said_goodbye = True
        self._trust = trust
        self._addresses = addresses
        self._guard = threading.Lock()
        self._sock: socket.socket | None = None
        self._is_cut = False
        self._phase = Phase.CONNECTING
        self._moved_at = time.monotonic()
        self._flags = 0
        self._has_ended = False
        self._later: OSError | None = None

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
                    # Not the TLS socket's own, which also takes its state away under the thread that uses it.
                    socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

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
            sock = self._plain()
            if self._trust.context is not None:
                self._use(self._secured(sock, self._trust.context))
            else:
                self._flags = socket.MSG_WAITALL
                sock.setblocking(True)
                turn = struct.pack("ll", 0, int(TURN_S * 1_000_000))
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, turn)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, turn)
        except (OSError, WrongCertificate) as error:
            self._check()
            raise CallLost(describe(error), sent=False) from error

    @property
    def is_encrypted(self) -> bool:
        """Whether it speaks TLS."""
        return self._trust.encrypted

    def receive(self, room: memoryview, silence_s: float) -> int:
        """Fills the room as far as it goes within a turn; 0 at the end of the stream. Raises StreamCut, Cut."""
        filled = self._received(room, self._flags, silence_s)
        sock = self._sock
        if not filled or not isinstance(sock, ssl.SSLSocket):
            return filled
        # TLS gives a record at a time, 16 KiB at most: all that a turn costs would be paid for each.
        try:
            while filled < len(room):
                count = sock.recv_into(room[filled:])
                if not count:
                    self._has_ended = True
                    break
                filled += count
        except TimeoutError:
            pass
        except OSError as error:
            self._later = error
        self._check()
        self._moved_at = time.monotonic()
        return filled

    def receive_some(self, room: memoryview, silence_s: float) -> int:
        """Gives what there is, as soon as there is any; 0 at the end of the stream. Raises StreamCut, Cut."""
        return self._received(room, 0, silence_s)

    def _received(self, room: memoryview, flags: int, silence_s: float) -> int:
        while not self._has_ended:
            try:
                if self._later is not None:
                    raise self._later
                count = self._socket.recv_into(room, 0, flags)
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
        return 0

    def send(self, data: memoryview, silence_s: float) -> int:
        """Sends some of it; 0 when nothing of it could be sent within a turn. Raises StreamCut, Cut."""
        sock, sent = self._socket, 0
        try:
            while sent < len(data):
                sent += sock.send(data[sent:])
        except OSError as error:
            # After a turn without success the same bytes must come next, which they do.
            if not sent or not _is_turn(error):
                self._waited(error, silence_s)
        self._check()
        if sent:
            self._moved_at = time.monotonic()
        return sent

    def send_file(self, descriptor: int, offset: int, count: int, silence_s: float) -> int | None:
        """Sends some of a file without copying it, which only goes without TLS.

        0 at the file's end; None when nothing of it could be sent within a turn. Raises StreamCut, Cut.
        """
        try:
            sent = os.sendfile(self._socket.fileno(), descriptor, offset, count)
        except OSError as error:
            self._waited(error, silence_s)
            return None
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
        sock = self._socket
        is_tls = self.is_encrypted
        if not (isinstance(sock, ssl.SSLSocket) and sock.pending()) and not ready(sock, select.POLLIN, within_s):
            self._check()
            return None
        try:
            if is_tls:
                sock.settimeout(0)
            return sock.recv(4096, 0 if is_tls else socket.MSG_DONTWAIT)
        except ssl.SSLEOFError:
            self.said_goodbye = False
            return b""
        except (ssl.SSLWantReadError, BlockingIOError):
            # TLS has things of its own to say.
            return None
        except OSError as error:
            raise self._broken(error) from error
        finally:
            self._check()
            if is_tls:
                sock.settimeout(TURN_S)

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

    def _plain(self) -> socket.socket:
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

    def _secured(self, sock: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
        sock.settimeout(CONNECT_TIMEOUT_S)
        tls = context.wrap_socket(
            sock,
            server_hostname=self.host.address,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,
        )
        self._use(tls)
        tls.do_handshake()
        self._trust.verify(tls.getpeercert(binary_form=True))
        tls.settimeout(TURN_S)
        return tls

    def _waited(self, error: OSError, silence_s: float) -> None:
        """Returns if the error only says that a turn is over."""
        self._check()
        if not _is_turn(error):
            raise self._broken(error) from error
        if time.monotonic() - self._moved_at > silence_s:
            raise StreamCut(f"{self.host.address} has been silent for {silence_s / 60:.0f} min.")

    def _broken(self, error: OSError) -> Exception:
        if self._is_cut:
            return Cut()
        if error.errno == errno.ETIMEDOUT:
            return StreamCut(f"{self.host.address} is gone: it gives no sign of life.")
        if isinstance(error, (ConnectionError, ssl.SSLEOFError)):
            return Closed(f"{self.host.address} closed the connection.")
        return StreamCut(f"{self.host.address} {describe(error)}.")


def _is_turn(error: OSError) -> bool:
    return isinstance(error, (BlockingIOError, TimeoutError)) and error.errno != errno.ETIMEDOUT
