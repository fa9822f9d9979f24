"""The body of a request as it comes in: what has arrived is kept when the client goes away right after sending it.

The kernel of a real server keeps it too, so that an import whose client died at the very end still succeeds.
"""

import asyncio
from collections import deque
from typing import Final

from aiohttp import web

_MOST: Final = 4 * 1024**2  # bytes that wait here before the client has to


class Body:
    """Reads a body ahead of whoever asks for it.

    Args:
        request: Where it comes in.
    """

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._is_over = False
        self._moved = asyncio.Event()
        self._work: asyncio.Task[None] | None = None

    async def read(self, most: int) -> bytes:
        """Returns the next bytes, at most so many; none at the end, or when no more will come."""
        if self._work is None:
            self._work = asyncio.create_task(self._read_ahead())
        while not self._parts and not self._is_over:
            self._moved.clear()
            await self._moved.wait()
        if not self._parts:
            return b""
        part = self._parts.popleft()
        if len(part) > most:
            self._parts.appendleft(part[most:])
            part = part[:most]
        self._size -= len(part)
        self._moved.set()
        return part

    def close(self) -> None:
        """Reads no further."""
        if self._work is not None:
            self._work.cancel()

    async def _read_ahead(self) -> None:
        content, protocol = self._request.content, self._request.protocol
        try:
            while data := await content.readany():
                self._parts.append(data)
                self._size += len(data)
                self._moved.set()
                if self._size > _MOST:
                    # While nothing is read from the socket nobody learns of its end either, and all stays in order.
                    protocol.pause_reading()
                    while self._size > _MOST // 2:
                        self._moved.clear()
                        await self._moved.wait()
                    protocol.resume_reading()
        except (ConnectionError, web.PayloadAccessError, web.RequestPayloadError):
            pass  # the client is gone: what it has sent is here
        finally:
            self._is_over = True
            self._moved.set()
