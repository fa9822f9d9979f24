"""A stream that is looked at as it comes: one thread checks every byte of it; others may read each of them too."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, Generic, Protocol, TypeVar

from bot.backups.intake_ring import BUFFER_BYTES, BUFFERS, Ring, Stopped
from bot.errors import TargetFailed

#: How long an aborted stream is waited for: a write that takes longer than that waits for a dead disk.
LINGER_S: Final = 1.0

_EXAMINE: Final = 0

_F = TypeVar("_F")
_T = TypeVar("_T")
_F_co = TypeVar("_F_co", covariant=True)


class Examiner(Protocol[_F_co]):
    """Looks at every byte of an archive, and says in the end what it found."""

    def feed(self, data: memoryview, /) -> None:
        """Takes the next bytes. Raises Damaged, TargetFailed."""
        ...

    def finish(self) -> _F_co:
        """Says that nothing more comes. Raises Damaged, TargetFailed."""
        ...


class Examined(Generic[_F]):
    """A `Sink` of which nothing is kept but what its examiner finds.

    Args:
        name: What it is called where it is given up.
        examiner: Looks at every byte, in a thread of its own.
        others: How many threads of a subclass read every byte too.
        size: Bytes of each buffer.
        count: How many buffers; nothing else here grows with what comes.
    """

    def __init__(
        self, name: str, examiner: Examiner[_F], *, others: int = 0, size: int = BUFFER_BYTES, count: int = BUFFERS
    ) -> None:
        self._name = name
        self._examiner = examiner
        self._ring = Ring(1 + others, size=size, count=count)
        self._guard = threading.Lock()
        self._failure: BaseException | None = None
        self._threads = ThreadPoolExecutor(1 + others, thread_name_prefix="intake")
        self._works: list[Future[Any]] = []
        self._examining = self._started(self._threads.submit(self._examine))

    def take(self) -> memoryview:
        """See `Sink.take`."""
        try:
            return self._ring.take()
        except Stopped:
            raise self._reason() from None

    def give(self, count: int) -> None:
        """See `Sink.give`."""
        try:
            self._ring.give(count)
        except Stopped:
            raise self._reason() from None

    def check(self) -> None:
        """See `Sink.check`."""
        if self._failure is not None:
            raise self._failure

    def abort(self) -> None:
        """See `Sink.abort`."""
        self._fail(self._given_up())

    async def ended(self) -> _F:
        """Waits until all of it was looked at; gives what was found. Raises TargetFailed, Damaged."""
        self._ring.finish()
        try:
            await self._threads_end(None)
        except asyncio.CancelledError:
            self.abort()
            raise
        if self._failure is not None:
            raise self._failure
        return self._examining.result()

    async def discard(self) -> None:
        """Ends what is not over, and waits for it. Raises TargetFailed when a thread hangs."""
        if not all(work.done() for work in self._works):
            self.abort()
        await self._threads_end(LINGER_S)

    def _started(self, work: Future[_T]) -> Future[_T]:
        self._works.append(work)
        work.add_done_callback(self._over)
        return work

    async def _threads_end(self, within_s: float | None) -> None:
        # They end with their work.
        self._threads.shutdown(wait=False)
        works = {asyncio.wrap_future(work) for work in self._works}
        for one in works:
            # `_over` has what went wrong.
            one.add_done_callback(lambda done: done.cancelled() or done.exception())
        _, hanging = await asyncio.wait(works, timeout=within_s)
        if hanging:
            raise self._hangs()
        self._ring.free_memory()

    def _hangs(self) -> TargetFailed:
        return TargetFailed(
            f"{self._name} hangs: what reads it along does not come to an end.",
            "See how busy the machine of xenbot is, then run it again.",
        )

    def _examine(self) -> _F:
        while (buffer := self._ring.next(_EXAMINE)) is not None:
            self._examiner.feed(buffer.data)
            self._ring.let_go(buffer)
        return self._examiner.finish()

    def _reason(self) -> BaseException:
        return self._failure or self._given_up()

    def _given_up(self) -> TargetFailed:
        return TargetFailed(f"{self._name} was given up before its end.", "Run it again.")

    def _fail(self, failure: BaseException) -> None:
        with self._guard:
            self._failure = self._failure or failure
        self._ring.stop()

    def _over(self, work: Future[Any]) -> None:
        failure = work.exception()
        if failure is not None and not isinstance(failure, Stopped):
            self._fail(failure)
