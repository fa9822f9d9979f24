"""A new file written once from front to back, past the page cache where the file system lets us.

The page cache is what limits a fast stream to a fast disk, and a stream of many gigabytes through it pushes out
everything the machine needs. Direct writes need aligned memory, offsets and lengths, so that the last piece goes
through an ordinary descriptor.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bot.backups.trouble import target_failed

#: Multiples of it suit the blocks of every disk in use.
ALIGNMENT: Final = 4096
PREALLOCATE_BYTES: Final = 256 * 1024 * 1024
#: Without direct writes, how much may lie in the page cache before it is put on disk.
CACHED_BYTES: Final = 64 * 1024 * 1024
#: File systems without direct writes say so by these, some at opening and some at the first write.
_NOT_DIRECT: Final = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTTY, errno.ENOSYS})


class WholeFile:
    """The file, made new and open for writing. For one thread at a time; every method may wait for the disk.

    Raises TargetFailed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._allocated: int | None = 0
        self._cached = 0
        self._direct: int | None = None
        flags = os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
        with self._told("could not be made"):
            self._ordinary = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            self._direct = os.open(path, flags | getattr(os, "O_DIRECT", 0)) if hasattr(os, "O_DIRECT") else None
        except OSError as error:
            if error.errno not in _NOT_DIRECT:
                os.close(self._ordinary)
                raise target_failed(error, path, "could not be opened") from error

    @property
    def is_direct(self) -> bool:
        """Whether writes go past the page cache."""
        return self._direct is not None

    def append(self, data: memoryview) -> None:
        """Writes `data` behind what is there. Raises TargetFailed."""
        with self._told("could not be written"):
            self._preallocate(self.size + len(data))
            done = 0
            while done < len(data):
                rest = data[done:]
                done += self._write(rest, self.size + done)
        self.size += len(data)

    def finish(self) -> None:
        """Gives the file its true size and waits until it is on disk. Raises TargetFailed."""
        with self._told("could not be put on disk"):
            os.ftruncate(self._ordinary, self.size)
            os.fsync(self._ordinary)
            ours = os.fstat(self._ordinary)
            named = self.path.lstat()
            if (ours.st_dev, ours.st_ino) != (named.st_dev, named.st_ino):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    def close(self) -> None:
        """Closes it; what is not finished stays as it is."""
        for descriptor in (self._direct, self._ordinary):
            if descriptor is not None:
                # An error that only closing tells (NFS) matters to a file that is kept, and that one was synced.
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        self._direct = None

    def _write(self, data: memoryview, offset: int) -> int:
        length = len(data) - len(data) % ALIGNMENT
        if self._direct is not None and length and offset % ALIGNMENT == 0:
            try:
                return os.pwrite(self._direct, data[:length], offset)
            except OSError as error:
                if error.errno not in _NOT_DIRECT:
                    raise
                os.close(self._direct)
                self._direct = None
        written = os.pwrite(self._ordinary, data, offset)
        self._cached += written
        if self._cached >= CACHED_BYTES:
            # So that a slow disk shows now, and the last sync does not take minutes.
            os.fdatasync(self._ordinary)
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(self._ordinary, 0, 0, os.POSIX_FADV_DONTNEED)
            self._cached = 0
        return written

    def _preallocate(self, needed: int) -> None:
        """Reserves blocks ahead of the writing, where that is possible; where it is not, nothing is lost."""
        if self._allocated is None or needed <= self._allocated:
            return
        step = max(PREALLOCATE_BYTES, needed - self._allocated)
        if _fallocate is not None and _fallocate(self._ordinary, self._allocated, step):
            self._allocated += step
        else:
            # Not known here, or no room for a whole step: the writes themselves find out what there is room for.
            self._allocated = None

    def _told(self, doing: str) -> _Told:
        return _Told(self.path, doing)


class _Told(contextlib.AbstractContextManager[None]):
    """Turns the system's errors into ours."""

    def __init__(self, path: Path, doing: str) -> None:
        self._path = path
        self._doing = doing

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise target_failed(error, self._path, self._doing) from error


def _system_fallocate() -> Callable[[int, int, int], bool] | None:
    """The system's own call, where there is one.

    The C library's `posix_fallocate`, which Python offers, writes into every single block where the file system cannot
    reserve (NFS before 4.2), which is worse than nothing.
    """
    try:
        call = ctypes.CDLL(None, use_errno=True).fallocate64
    except (OSError, AttributeError):
        return None
    call.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    call.restype = ctypes.c_int
    return lambda descriptor, start, length: call(descriptor, 0, start, length) == 0


_fallocate: Final = _system_fallocate()
