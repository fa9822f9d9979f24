"""Reaching a host for a stream: in short turns, so that it can be given up at any moment."""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from bot.xen.transport import CONNECT_TIMEOUT_S

#: How long one wait of a stream's thread lasts.
TURN_S: Final = 0.5
#: A host that answers no probe for a minute and a half is gone.
_KEEPALIVE: Final = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 6))

#: What `getaddrinfo` says.
Addresses: TypeAlias = Sequence[tuple[Any, ...]]


def reach(sock: socket.socket, address: tuple[Any, ...], check: Callable[[], None]) -> None:
    """Connects, and lets TCP probe whether the host is still there; `check` raises when it is not wanted any more.

    Raises OSError. Nothing from outside wakes a socket that is still connecting, which is why this takes turns.
    """
    sock.setblocking(False)
    until = time.monotonic() + CONNECT_TIMEOUT_S
    code = sock.connect_ex(address)
    if code == errno.EINPROGRESS:
        while not ready(sock, select.POLLOUT, TURN_S):
            check()
            if time.monotonic() > until:
                raise TimeoutError
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def ready(sock: socket.socket, event: int, within_s: float) -> bool:
    """Whether one of poll's events comes within this time."""
    poller = select.poll()
    poller.register(sock, event)
    return bool(poller.poll(within_s * 1000))
