"""What an armed fault does to a stream, at the byte where it strikes."""

from collections.abc import Awaitable, Callable
from typing import Final

from bot.lab.xapi.clock import Clock
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.stream_faults import StreamFault
from bot.lab.xapi.streams.pipe import LostError, Pipe
from bot.lab.xapi.values import MIB

_TRICKLE: Final = 16 * 1024  # bytes that go at once when a stream is slow
# What is done at a byte of the wire; the rest is done to the archive.
_ON_THE_WIRE: Final = frozenset({"cut", "fail", "silence", "slow", "storage_full"})


class Trouble:
    """Waits for its byte and strikes once.

    Args:
        fault: What was armed for this request, or None for no trouble at all.
        clock: Simulated time.
        pipe: The connection.
    """

    def __init__(self, fault: StreamFault | None, clock: Clock, pipe: Pipe) -> None:
        self._fault = fault
        self._clock = clock
        self._pipe = pipe
        self._left = fault.after if fault is not None else 0
        self._is_wire = fault is not None and fault.action in _ON_THE_WIRE
        self._bytes_per_s = 0.0

    def has(self, action: str) -> bool:
        """Tells whether the archive is to be treated so."""
        return self._fault is not None and self._fault.action == action

    def is_due(self, action: str, reached: int) -> bool:
        """Tells once, at the first byte of the plain archive that is far enough, that it is to be treated so."""
        if self._fault is None or self._fault.action != action or reached < self._fault.after:
            return False
        self._fault = None
        return True

    async def send(self, data: bytes, put: Callable[[bytes], Awaitable[None]], *, is_packed: bool) -> None:
        """Sends bytes, with whatever happens between two of them; raises as `_strike`.

        What a compressor has given out is sent whole before work fails, since its end shall be a valid one.
        """
        if self._is_wire and self._left < len(data):
            place = len(data) if is_packed and self.has("fail") else self._left
            head, data = data[:place], data[place:]
            if head:
                await put(head)
            await self._strike()
        elif self._is_wire:
            self._left -= len(data)
        for start in range(0, len(data), _TRICKLE if self._bytes_per_s else len(data) or 1):
            piece = data[start : start + _TRICKLE] if self._bytes_per_s else data
            await put(piece)
            await self._slow_down(len(piece))

    async def note_read(self, size: int) -> None:
        """Counts bytes of a body that were read; raises as `_strike`."""
        if self._is_wire and self._left < size:
            await self._strike()
        elif self._is_wire:
            self._left -= size
        await self._slow_down(size)

    async def _slow_down(self, size: int) -> None:
        if self._bytes_per_s:
            await self._clock.sleep(size / self._bytes_per_s)

    async def _strike(self) -> None:
        """Does what was armed.

        Raises:
            LostError: The connection is cut.
            ApiError: The work fails.
        """
        fault, self._is_wire = self._fault, False
        if fault is None:
            return
        match fault.action:
            case "cut":
                await self._pipe.break_off()
                raise LostError
            case "fail":
                raise ApiError(*fault.error)
            case "storage_full":
                raise ApiError("VDI_IO_ERROR", "Device I/O errors")
            case "silence":
                await self._clock.sleep(fault.seconds)
            case "slow":
                self._bytes_per_s = fault.mib_per_s * MIB
