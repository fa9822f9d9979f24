"""A ring of page-aligned buffers between one thread that fills and several that each read every byte in order.

The memory is taken once and its size does not depend on what passes through. A buffer is free again when its last
reader has let go of it; the filler waits for that, which is all the flow control there is.
"""

from __future__ import annotations

import mmap
import threading
from collections import deque
from typing import Final

#: Big enough that a thread's turn and a direct write cost little beside the work: pieces of 1 MiB take a sixth more
#: processor time. A buffer for each who works, the filler included, would be four; three are no slower and take a
#: quarter less, so that four exports fit in a small guest.
BUFFER_BYTES: Final = 3 * 1024 * 1024
BUFFERS: Final = 3


class Stopped(Exception):
    """The ring was stopped; whoever stopped it knows why."""


class Buffer:
    """One buffer: `data` is the part that is filled, `offset` where it begins in the stream."""

    __slots__ = ("data", "filled", "offset", "readers", "whole")

    def __init__(self, whole: memoryview) -> None:
        self.whole = whole
        self.data = whole[:0]
        self.filled = 0
        self.offset = 0
        self.readers = 0


class Ring:
    """The buffers, and who has which. All methods may be called from any thread.

    Args:
        readers: How many threads read everything.
        size: Bytes of each buffer, a multiple of the page size.
        count: How many buffers.
    """

    def __init__(self, readers: int, *, size: int = BUFFER_BYTES, count: int = BUFFERS) -> None:
        if size <= 0 or size % mmap.PAGESIZE or count < 1:
            raise ValueError("buffers are whole pages, and there is at least one")
        # Anonymous memory of its own begins on a page, as direct I/O wants it.
        whole = memoryview(mmap.mmap(-1, size * count))
        self._free = deque(Buffer(whole[start : start + size]) for start in range(0, size * count, size))
        self._queues: list[deque[Buffer]] = [deque() for _ in range(readers)]
        self._turn = threading.Condition()
        self._filling: Buffer | None = None
        self._taken = 0
        self._finished = False
        self._stopped = False

    @property
    def taken(self) -> int:
        """Bytes that were given so far."""
        return self._taken

    def take(self) -> memoryview:
        """The room that is left in the buffer being filled, or a free one; waits for it. Raises Stopped."""
        with self._turn:
            while self._filling is None and not self._free and not self._stopped:
                self._turn.wait()
            if self._stopped:
                raise Stopped
            if self._filling is None:
                self._filling = self._free.popleft()
                self._filling.offset = self._taken
                self._filling.filled = 0
            return self._filling.whole[self._filling.filled :]

    def give(self, count: int) -> None:
        """Says that the first `count` bytes of the room are filled. Readers get a buffer when it is full.

        Raises Stopped.
        """
        with self._turn:
            if self._stopped:
                raise Stopped
            buffer = self._filling
            if buffer is None or not 0 <= count <= len(buffer.whole) - buffer.filled:
                raise ValueError("more was given than was taken")
            buffer.filled += count
            self._taken += count
            if buffer.filled == len(buffer.whole):
                self._pass_on()

    def finish(self) -> None:
        """Says that nothing more comes: readers get the rest, then the end."""
        with self._turn:
            if self._filling is not None and self._filling.filled:
                self._pass_on()
            self._finished = True
            self._turn.notify_all()

    def next(self, reader: int) -> Buffer | None:
        """The next buffer for this reader, which must be let go of; None at the end. Waits. Raises Stopped."""
        queue = self._queues[reader]
        with self._turn:
            while not queue and not self._finished and not self._stopped:
                self._turn.wait()
            if self._stopped:
                raise Stopped
            return queue.popleft() if queue else None

    def let_go(self, buffer: Buffer) -> None:
        """Says that one reader needs the buffer no more."""
        with self._turn:
            buffer.readers -= 1
            if buffer.readers == 0:
                self._free.append(buffer)
                self._turn.notify_all()

    def stop(self) -> None:
        """Wakes everybody who waits with Stopped; whoever works on a buffer finds out afterwards."""
        with self._turn:
            self._stopped = True
            self._turn.notify_all()

    def free_memory(self) -> None:
        """Lets go of the memory, once no thread uses the ring any more; it goes with the last piece in use."""
        with self._turn:
            self._stopped = True
            self._free.clear()
            for queue in self._queues:
                queue.clear()
            self._filling = None

    def _pass_on(self) -> None:
        buffer, self._filling = self._filling, None
        if buffer is not None:
            buffer.data = buffer.whole[: buffer.filled]
            buffer.readers = len(self._queues)
            for queue in self._queues:
                queue.append(buffer)
            self._turn.notify_all()
