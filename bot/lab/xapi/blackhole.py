"""A port that swallows everything: connections to it are never made, as to a host whose cable was cut."""

import contextlib
import socket
from typing import Final

# A listening socket that accepts nothing completes one connection more than its backlog; ours are those.
_FILLERS: Final = 2


class BlackHole:
    """Listens on ports without ever accepting, with its queues filled: further handshakes get no answer."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []

    def open(self, address: str, ports: tuple[int, ...]) -> None:
        """Takes the place of a server that has just left these ports.

        Raises:
            OSError: Another program was faster.
        """
        for port in ports:
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self._sockets.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
            listener.listen(0)
            for _ in range(_FILLERS):
                filler = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                filler.setblocking(False)
                self._sockets.append(filler)
                with contextlib.suppress(BlockingIOError):  # it need not be made, only begun
                    filler.connect((address, port))

    def close(self) -> None:
        """Frees the ports."""
        for one in self._sockets:
            one.close()
        self._sockets = []
