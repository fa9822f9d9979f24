"""What is sent as the body of a request: a file, or bytes that are in memory already. It is read by one thread."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from bot.errors import TargetFailed


class Body(Protocol):
    """`size` bytes, known once it is open."""

    size: int

    def open(self) -> None:
        """Makes it ready to be read. Raises TargetFailed."""
        ...

    def read(self, room: memoryview, offset: int) -> int:
        """Fills the room from that byte on as far as it goes at once, never with nothing. Raises TargetFailed."""
        ...

    def close(self) -> None:
        """Lets go of it; also of one that was never opened."""
        ...


class FileBody:
    """A file, which may be large and lie on a server that has died."""

    def __init__(self, path: Path) -> None:
        self.size = 0
        self._path = path
        self._file = -1

    def open(self) -> None:
        """See `Body.open`."""
        try:
            self._file = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            self.size = os.fstat(self._file).st_size
        except OSError as error:
            raise self._unreadable(error) from error

    def read(self, room: memoryview, offset: int) -> int:
        """See `Body.read`."""
        try:
            count = os.preadv(self._file, [room], offset)
        except OSError as error:
            raise self._unreadable(error) from error
        if not count:
            raise TargetFailed(
                f"{self._path} became shorter while it was sent.",
                "See who writes to the archive, then verify the backup.",
            )
        return count

    def close(self) -> None:
        """See `Body.close`."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _unreadable(self, error: OSError) -> TargetFailed:
        return TargetFailed(
            f"{self._path} could not be read: {error.strerror or error}.",
            "See that its folder is mounted and that its disk is well, then run it again.",
        )


class BytesBody:
    """Bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        self._data = memoryview(data)

    def open(self) -> None:
        """See `Body.open`."""

    def read(self, room: memoryview, offset: int) -> int:
        """See `Body.read`."""
        piece = self._data[offset : offset + len(room)]
        room[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        """See `Body.close`."""
