"""Files and folders by descriptor: a link that somebody puts in the way is never followed.

Names that come here were checked before: they are ours, ids or UUIDs, and never hold a slash.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from typing import Final

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Non-blocking, or a pipe in the place of a file would be waited for.
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


CLOSED: Final = (FileNotFoundError, NotADirectoryError, PermissionError)
"""What opening a folder raises that is gone, is none, or is somebody else's: nothing of ours can be in it."""


class NotPlain(ValueError):
    """What lies there is no plain file, or too long to be what it should be; the sentence says which."""


@contextlib.contextmanager
def open_root(path: str | os.PathLike[str]) -> Iterator[int]:
    """Opens the folder that was configured; it may be a link. Raises OSError."""
    descriptor = os.open(path, _FOLDER)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def open_folder(name: str, parent: int) -> Iterator[int]:
    """Opens a folder within another. Raises OSError, also when it is a link."""
    descriptor = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def names(folder: int) -> list[str]:
    """Returns the names in a folder, in order. Raises OSError."""
    return sorted(os.listdir(folder))


def make_folder(name: str, parent: int) -> None:
    """Makes a folder that only we may read, and makes sure it stays. Raises OSError."""
    os.mkdir(name, 0o700, dir_fd=parent)
    sync_folder(parent)


def open_plain(name: str | os.PathLike[str], folder: int | None = None) -> int:
    """Opens a file to be read: one in a folder, or a path. Raises OSError, NotPlain."""
    descriptor = os.open(name, _READ, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotPlain("it is no plain file")
    return descriptor


def read_small(name: str, folder: int, longest: int) -> bytes:
    """Returns a file of at most `longest` bytes. Raises OSError, NotPlain."""
    with os.fdopen(open_plain(name, folder), "rb") as file:
        content = file.read(longest + 1)
    if len(content) > longest:
        raise NotPlain("it is too long")
    return content


def write_small(name: str, folder: int, content: bytes) -> None:
    """Writes a file all at once: after a crash it is there as it was before, or as it is now. Raises OSError."""
    temporary = f".{name}.{secrets.token_hex(4)}"
    descriptor = os.open(temporary, _NEW, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise
    sync_folder(folder)


def sync_file(name: str, folder: int) -> int:
    """Makes sure a file is on disk; returns its length in bytes. Raises OSError, NotPlain."""
    descriptor = open_plain(name, folder)
    try:
        os.fsync(descriptor)
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def sync_folder(folder: int) -> None:
    """Makes sure that what was made, moved or removed in a folder stays so. Raises OSError."""
    try:
        os.fsync(folder)
    except OSError as error:
        # Some file servers (SMB) have no such request for folders, and make each change to last by itself.
        if error.errno not in {errno.EINVAL, errno.EOPNOTSUPP}:
            raise


def move_folder(name: str, source: int, target: int, new_name: str) -> None:
    """Moves a folder to where nothing of that name is, and makes sure both ends stay.

    Raises OSError; then it is where it was.
    """
    # A rename would take the place of an empty folder without a word.
    if exists(new_name, target):
        raise FileExistsError(errno.EEXIST, "File exists")
    os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)
    try:
        sync_folder(target)
        if source != target:
            sync_folder(source)
    except OSError:
        # After a crash it may be back where it was: whoever is told that the move failed finds it there now too.
        with contextlib.suppress(OSError):
            os.rename(new_name, name, src_dir_fd=target, dst_dir_fd=source)
        raise


def exists(name: str, folder: int) -> bool:
    """Whether anything of that name is there, a dangling link included. Raises OSError."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def is_there(name: str, parent: int, folder: int) -> bool:
    """Whether the open folder still is the one of that name: it may have been moved since. Raises OSError."""
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(found, os.fstat(folder))


def remove_folder(name: str, parent: int) -> int:
    """Removes a folder with the files in it, which may be gone already; returns how many bytes they had.

    Folders within it are none of ours: then it stays, with an OSError.
    """
    freed = 0
    try:
        with open_folder(name, parent) as folder:
            for entry in names(folder):
                with contextlib.suppress(FileNotFoundError):
                    found = os.stat(entry, dir_fd=folder, follow_symlinks=False)
                    if stat.S_ISDIR(found.st_mode):
                        # The folder that holds it will not be empty, and says so.
                        continue
                    os.unlink(entry, dir_fd=folder)
                    freed += found.st_size if stat.S_ISREG(found.st_mode) else 0
        os.rmdir(name, dir_fd=parent)
    except FileNotFoundError:
        return freed
    sync_folder(parent)
    return freed
