"""A new file written once from front to back, past the page cache where the file system lets us.

The page cache is what limits a fast stream to a fast disk, and a stream of many gigabytes through it pushes out
everything the machine needs. Direct writes need aligned memory, offsets and lengths, so that the last piece goes
the ordinary way.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
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
_DIRECT: Final = getattr(os, "O_DIRECT", 0)
#: File systems without direct writes say so by these, some when asked and some at the first write.
_NOT_DIRECT: Final = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTTY, errno.ENOSYS})


class WholeFile:
    """The file, made new and open for writing. For one thread at a time; every method may wait for the disk.

    Raises TargetFailed.

    Attributes:
        path: Where it is.
        size: Bytes written so far.
        is_direct: Whether writes go past the page cache.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._allocated: int | None = 0
        self._cached = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with self._told("could not be made"):
            self._file = os.open(path, flags, 0o600)
        self._goes_direct = False
        try:
            self.is_direct = self._turn_direct(on=True)
        except OSError as error:
            self.close()
            raise target_failed(error, path, "could not be opened") from error

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
            os.ftruncate(self._file, self.size)
            os.fsync(self._file)
            ours = os.fstat(self._file)
            named = self.path.lstat()
            if (ours.st_dev, ours.st_ino) != (named.st_dev, named.st_ino):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    def close(self) -> None:
        """Closes it; what is not finished stays as it is."""
        # An error that only closing tells (NFS) matters to a file that is kept, and that one was synced.
        with contextlib.suppress(OSError):
            os.close(self._file)

    def _write(self, data: memoryview, offset: int) -> int:
        length = len(data) - len(data) % ALIGNMENT
        if self.is_direct and length and offset % ALIGNMENT == 0:
            try:
                self._turn_direct(on=True)
                return os.pwrite(self._file, data[:length], offset)
            except OSError as error:
                if error.errno not in _NOT_DIRECT:
                    raise
                self.is_direct = False
        self._turn_direct(on=False)
        written = os.pwrite(self._file, data, offset)
        self._cached += written
        if self._cached >= CACHED_BYTES:
            # So that a slow disk shows now, and the last sync does not take minutes.
            os.fdatasync(self._file)
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(self._file, 0, 0, os.POSIX_FADV_DONTNEED)
            self._cached = 0
        return written

    def _turn_direct(self, *, on: bool) -> bool:
        """Turns direct writes on or off, for the descriptor that is there: another one might be of another file.

        False where the file system has none. Raises OSError.
        """
        if on == self._goes_direct:
            return on
        try:
            flags = fcntl.fcntl(self._file, fcntl.F_GETFL)
            fcntl.fcntl(self._file, fcntl.F_SETFL, flags | _DIRECT if on else flags & ~_DIRECT)
        except OSError as error:
            if not on or error.errno not in _NOT_DIRECT:
                raise
            return False
        self._goes_direct = on and bool(_DIRECT)
        return self._goes_direct

    def _preallocate(self, needed: int) -> None:
        """Reserves blocks ahead of the writing, where that is possible; where it is not, nothing is lost."""
        if self._allocated is None or needed <= self._allocated:
            return
        step = max(PREALLOCATE_BYTES, needed - self._allocated)
        if _fallocate is not None and _fallocate(self._file, self._allocated, step):
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
