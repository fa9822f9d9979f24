"""Takes in one archive: every byte is checked, hashed and written, by a thread each, out of one buffer.

All read the same buffer, which is free again when the slowest has done with it: doing one after the other would cost
the sum of them. What is not closed leaves an error, and a file for the archive to remove.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

from bot.backups.intake_examined import Examined, Examiner
from bot.backups.intake_file import WholeFile
from bot.backups.intake_ring import BUFFER_BYTES, BUFFERS
from bot.errors import TargetFailed

_HASH: Final = 1
_WRITE: Final = 2

_F = TypeVar("_F")


@dataclass(frozen=True)
class Received(Generic[_F]):
    """An archive that is checked and on disk: bytes, SHA-256 in hex, and what was found in it."""

    size: int
    sha256: str
    contents: _F


class Intake(Examined[_F]):
    """A `Sink` that makes one file. As a context manager it discards what was not closed.

    Args:
        path: The file, which is made new.
        verifier: Looks at every byte, in a thread of its own.
        size: Bytes of each buffer.
        count: How many buffers; nothing else here grows with the archive.
    """

    def __init__(self, path: Path, verifier: Examiner[_F], *, size: int = BUFFER_BYTES, count: int = BUFFERS) -> None:
        super().__init__(str(path), verifier, others=2, size=size, count=count)
        self.path = path
        self._written = 0
        self._direct: bool | None = None
        self._hashing = self._started(self._threads.submit(self._hash))
        self._writing = self._started(self._threads.submit(self._write))

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

    async def close(self) -> Received[_F]:
        """Waits until everything is checked and on disk. Raises TargetFailed, Damaged."""
        contents = await self.ended()
        return Received(self._writing.result(), self._hashing.result(), contents)

    def _hangs(self) -> TargetFailed:
        return TargetFailed(
            f"{self.path} hangs: a write to it does not come back.",
            "See that it is mounted and that its server answers.",
        )

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
