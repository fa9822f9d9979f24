"""Where the bytes of an export go: through the compressor into the connection, at the simulated bandwidth."""

import asyncio
from typing import Final

from bot.lab.xapi.archive.packing import Packing, make_packer
from bot.lab.xapi.streams.pace import Pace
from bot.lab.xapi.streams.visit import Visit

_THREAD_FROM: Final = 64 * 1024  # bytes whose compression would stop everybody else for too long


class EndedError(Exception):
    """The archive ends early, and the server calls that a success: a fault was armed."""


class Outlet:
    """The way of an archive to the client.

    Args:
        visit: The request.
        pace: How fast it goes.
        packing: How it is compressed.
    """

    def __init__(self, visit: Visit, pace: Pace, packing: Packing) -> None:
        self._visit = visit
        self._pace = pace
        self._is_packed = packing != "none"
        self._packer = make_packer(packing)
        self._written = 0
        self._at_work: asyncio.Task[bytes] | None = None

    async def write(self, data: bytes) -> None:
        """Sends some bytes of the archive.

        Raises:
            EndedError: The archive is to end here.
        """
        if self._visit.trouble.is_due("end_early", self._written + len(data)):
            raise EndedError
        self._written += len(data)
        await self._pace.carry(len(data))
        if not self._is_packed:
            await self.put(data)
            return
        if len(data) < _THREAD_FROM:
            packed = self._packer.compress(data)
        else:
            # Who interrupts this cannot interrupt the thread: `close` waits for it, or the end would be no end.
            self._at_work = asyncio.create_task(asyncio.to_thread(self._packer.compress, data))
            packed = await asyncio.shield(self._at_work)
            self._at_work = None
        if packed:
            await self.put(packed)

    @property
    def written(self) -> int:
        """Returns the bytes of the plain archive so far."""
        return self._written

    async def close(self) -> None:
        """Sends what the compressor holds back, with a valid end."""
        packed = await self._at_work if self._at_work is not None else b""
        if rest := packed + self._packer.flush():
            await self.put(rest)

    async def put(self, data: bytes) -> None:
        """Sends bytes as they are, with whatever was armed for this stream."""
        await self._visit.trouble.send(data, self._visit.pipe.send, is_packed=self._is_packed)
