"""Takes in one archive: every byte is checked, hashed and written, by a thread each, out of one buffer.

All read the same buffer, which is free again when the slowest has done with it: doing one after the other would cost
the sum of them. What is not closed leaves an error, and a file for the archive to remove.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Generic, Protocol, Self, TypeVar

from bot.backups.intake_file import WholeFile
from bot.backups.intake_ring import BUFFER_BYTES, BUFFERS, Ring, Stopped
from bot.errors import TargetFailed

#: How long an aborted intake is waited for: a write that takes longer than that waits for a dead disk.
LINGER_S: Final = 1.0

_VERIFY: Final = 0
_HASH: Final = 1
_WRITE: Final = 2


_F = TypeVar("_F")
_F_co = TypeVar("_F_co", covariant=True)


class Examiner(Protocol[_F_co]):
    """Looks at every byte of an archive, and says in the end what it found."""

    def feed(self, data: memoryview, /) -> None:
        """Takes the next bytes. Raises Damaged, TargetFailed."""
        ...

    def finish(self) -> _F_co:
        """Says that nothing more comes. Raises Damaged, TargetFailed."""
        ...


@dataclass(frozen=True)
class Received(Generic[_F]):
    """An archive that is checked and on disk: bytes, SHA-256 in hex, and what was found in it."""

    size: int
    sha256: str
    contents: _F


class Intake(Generic[_F]):
    """A `Sink` that makes one file. As a context manager it discards what was not closed.

    Args:
        path: The file, which is made new.
        verifier: Looks at every byte, in a thread of its own.
        size: Bytes of each buffer.
        count: How many buffers; nothing else here grows with the archive.
    """

    def __init__(self, path: Path, verifier: Examiner[_F], *, size: int = BUFFER_BYTES, count: int = BUFFERS) -> None:
        self.path = path
        self._verifier = verifier
        self._ring = Ring(3, size=size, count=count)
        self._guard = threading.Lock()
        self._failure: BaseException | None = None
        self._written = 0
        self._direct: bool | None = None
        threads = ThreadPoolExecutor(3, thread_name_prefix="intake")
        self._verifying = threads.submit(self._verify)
        self._hashing = threads.submit(self._hash)
        self._writing = threads.submit(self._write)
        self._works: tuple[Future[Any], ...] = (self._verifying, self._hashing, self._writing)
        # They end with their work.
        threads.shutdown(wait=False)
        for work in self._works:
            work.add_done_callback(self._over)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.discard()

    @property
    def written(self) -> int:
        """Bytes written so far."""
        return self._written

    @property
    def is_direct(self) -> bool | None:
        """Whether the file system takes writes past its cache; None until it has been asked."""
        return self._direct

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

    async def close(self) -> Received[_F]:
        """Waits until everything is checked and on disk. Raises TargetFailed, Damaged."""
        self._ring.finish()
        try:
            await self._threads_end(None)
        except asyncio.CancelledError:
            self.abort()
            raise
        if self._failure is not None:
            raise self._failure
        return Received(self._writing.result(), self._hashing.result(), self._verifying.result())

    async def discard(self) -> None:
        """Ends what is not over, and waits for it; the file stays. Raises TargetFailed when a write hangs."""
        if not all(work.done() for work in self._works):
            self.abort()
        await self._threads_end(LINGER_S)

    async def _threads_end(self, within_s: float | None) -> None:
        works = {asyncio.wrap_future(work) for work in self._works}
        for one in works:
            # `_over` has what went wrong.
            one.add_done_callback(lambda done: done.cancelled() or done.exception())
        _, hanging = await asyncio.wait(works, timeout=within_s)
        if hanging:
            raise TargetFailed(
                f"{self.path} hangs: a write to it does not come back.",
                "See that it is mounted and that its server answers.",
            )
        self._ring.free_memory()

    def _verify(self) -> _F:
        while (buffer := self._ring.next(_VERIFY)) is not None:
            self._verifier.feed(buffer.data)
            self._ring.let_go(buffer)
        return self._verifier.finish()

    def _hash(self) -> str:
        # Half of all the processor time of an intake, so that it does not share a thread.
        digest = hashlib.sha256()
        while (buffer := self._ring.next(_HASH)) is not None:
            digest.update(buffer.data)
            self._ring.let_go(buffer)
        return digest.hexdigest()

    def _write(self) -> int:
        with contextlib.closing(WholeFile(self.path)) as file:
            while (buffer := self._ring.next(_WRITE)) is not None:
                file.append(buffer.data)
                self._ring.let_go(buffer)
                self._written, self._direct = file.size, file.is_direct
            file.finish()
            return file.size

    def _reason(self) -> BaseException:
        return self._failure or self._given_up()

    def _given_up(self) -> TargetFailed:
        return TargetFailed(f"{self.path} was given up before its end.", "Run it again.")

    def _fail(self, failure: BaseException) -> None:
        with self._guard:
            self._failure = self._failure or failure
        self._ring.stop()

    def _over(self, work: Future[Any]) -> None:
        failure = work.exception()
        if failure is not None and not isinstance(failure, Stopped):
            self._fail(failure)
