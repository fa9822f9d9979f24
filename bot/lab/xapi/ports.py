"""Loopback addresses and free ports of this machine."""

import errno
import socket


def can_bind(address: str) -> bool:
    """Tells whether this machine has that address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                return False
            raise
    return True


def find_free_port() -> int:
    """Returns a port that nobody listens on at the first address of the lab."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.1.1", 0))
        port: int = probe.getsockname()[1]
    return port
