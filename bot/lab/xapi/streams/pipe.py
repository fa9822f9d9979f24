"""The connection of a stream: what is sent as it is, what comes in, and how it ends."""

import asyncio
import socket
from typing import Final

from aiohttp import web

from bot.lab.xapi.streams.body import Body

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
        self._body = Body(request)
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
        """Returns the next bytes of the body, at most so many; none at its end, or when the client is gone."""
        await self._heard.wait()
        return await self._body.read(most)

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
        self._body.close()
        if self._request.transport is not None:
            self._request.transport.close()

    def cut(self) -> None:
        """Closes the connection in the middle of whatever is under way."""
        self._body.close()
        if self._request.transport is not None:
            self._request.transport.abort()
