"""A host's address with the plainest fast server behind it: one archive out of memory for everybody who exports.

python peer.py SETTINGS; prints {"port": …}. An import is read and thrown away; all else goes to the host of the lab, so
that logins and tasks are the lab's. Threads and blocking sockets: the kernel sends the file where there is no TLS.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import re
import socket
import ssl
import sys
import threading
from urllib.parse import urlsplit

OK = b"HTTP/1.0 200 OK\r\nConnection: close\r\ncontent-type: application/octet-stream\r\n\r\n"
PIECE = 1 << 20


class Peer:
    def __init__(self, address: str, pem: str, behind: str, archive: str) -> None:
        self._behind = urlsplit(behind)
        self._file = os.open(archive, os.O_RDONLY)
        self._size = os.fstat(self._file).st_size
        self._memory = memoryview(mmap.mmap(self._file, 0, prot=mmap.PROT_READ))
        self._context: ssl.SSLContext | None = None
        if pem:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(pem)
        self._listener = socket.create_server((address, 0))
        self.port = self._listener.getsockname()[1]

    def run(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
            with sock:
                head = b""
                while b"\r\n\r\n" not in head:
                    data = sock.recv(1 << 16)
                    if not data:
                        return
                    head += data
                if head.startswith(b"GET /export?"):
                    self._export(sock)
                elif head.startswith(b"PUT /import?"):
                    self._import(sock, head)
                else:
                    self._relay(sock, head)

    def _export(self, sock: socket.socket) -> None:
        sock.sendall(OK)
        if isinstance(sock, ssl.SSLSocket):
            for start in range(0, self._size, PIECE):
                sock.sendall(self._memory[start : start + PIECE])
            sock.unwrap().close()
            return
        sent = 0
        while sent < self._size:
            sent += os.sendfile(sock.fileno(), self._file, sent, 1 << 30)

    def _import(self, sock: socket.socket, head: bytes) -> None:
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        assert length is not None
        left = int(length[1]) - len(head.partition(b"\r\n\r\n")[2])
        sock.sendall(OK)
        room = memoryview(bytearray(PIECE))
        while left > 0:
            count = sock.recv_into(room)
            if not count:
                return
            left -= count
        if isinstance(sock, ssl.SSLSocket):
            sock.unwrap().close()

    def _relay(self, sock: socket.socket, head: bytes) -> None:
        with socket.create_connection((self._behind.hostname, self._behind.port)) as behind:
            behind.sendall(head)
            threading.Thread(target=_pipe, args=(behind, sock), daemon=True).start()
            _pipe(sock, behind)


def _pipe(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    peer = Peer(**json.loads(sys.argv[1]))
    print(json.dumps({"port": peer.port}), flush=True)  # noqa: T201  the line that the benchmark reads
    peer.run()
