"""The connection of a stream: what is sent as it is, what comes in, and how it ends."""

import asyncio
import socket
from typing import Final

from aiohttp import web

_BUFFER: Final = 4 * 1024**2  # bytes that wait for the client before the writer does


class LostError(Exception):
    """The client has closed the connection."""


class Pipe:
    """Writes an answer byte for byte and reads the body of a request.

    Args:
        request: What came in.
        heard: Is set while what is sent arrives.
    """

    def __init__(self, request: web.BaseRequest, heard: asyncio.Event) -> None:
        self._request = request
        self._heard = heard
        self._is_broken = False
        if request.transport is not None:
            request.transport.set_write_buffer_limits(high=_BUFFER)

    @property
    def is_lost(self) -> bool:
        """Tells whether the connection is gone."""
        transport = self._request.transport
        return self._is_broken or transport is None or transport.is_closing()

    async def send(self, data: bytes) -> None:
        """Sends some bytes; waits while the client does not take them.

        Raises:
            LostError: The client is gone.
        """
        await self._heard.wait()
        if self.is_lost:
            raise LostError
        try:
            await self._request.writer.write(data)
        except ConnectionError as error:
            raise LostError from error
        await asyncio.sleep(0)  # other connections have their turn, however fast this client is

    async def read(self, most: int) -> bytes:
        """Returns the next bytes of the body, none at its end.

        Raises:
            LostError: The client is gone before the end.
        """
        await self._heard.wait()
        try:
            return await self._request.content.read(most)
        except (ConnectionError, web.PayloadAccessError, web.RequestPayloadError) as error:
            raise LostError from error

    async def break_off(self) -> None:
        """Ends the connection as a host does that dies after the last byte it sent: TLS does not say goodbye."""
        transport = self._request.transport
        if transport is None:
            return
        self._is_broken = True
        transport.set_write_buffer_limits(high=1, low=0)
        try:
            await self._request.writer.drain()
            transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the client was faster
        transport.abort()

    def finish(self) -> None:
        """Closes the connection after what was sent."""
        if self._request.transport is not None:
            self._request.transport.close()

    def cut(self) -> None:
        """Closes the connection in the middle of whatever is under way."""
        if self._request.transport is not None:
            self._request.transport.abort()
