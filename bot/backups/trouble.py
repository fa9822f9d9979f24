"""What the system's errors mean for the archive: one sentence with the path, and what to do about it."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

from bot.errors import TargetFailed

_FULL: Final = "Free space at [backups] path, or point that to another place, then run it again."
_MOUNT: Final = "See that it is mounted and that its server answers, then run it again."

#: By errno: what is wrong, and what to do.
_MEANINGS: Final[dict[int, tuple[str, str]]] = {
    errno.ENOSPC: ("no space is left for backups", _FULL),
    errno.EDQUOT: (
        "the quota for backups is used up",
        "Raise the quota or remove files of the bot's user, then run it again.",
    ),
    errno.EFBIG: (
        "the file system takes no file of that size",
        "Use a file system without that limit, such as ext4 or XFS.",
    ),
    errno.EROFS: (
        "the file system of the backups is read-only",
        "See in the kernel's log why, mount it for writing, then run it again.",
    ),
    errno.EIO: (
        "the disk or its server reported an I/O error",
        "Trust no file there before the disk has been checked.",
    ),
    errno.ENOENT: ("it is not there", _MOUNT),
    errno.ENOTDIR: ("part of the path is no directory", "Correct [backups] path."),
    errno.ESTALE: ("the file server no longer knows it", _MOUNT),
    errno.ENODEV: ("its device is gone", _MOUNT),
    errno.ENXIO: ("its device is gone", _MOUNT),
    errno.ETIMEDOUT: ("its server does not answer", _MOUNT),
    errno.EHOSTDOWN: ("its server is down", _MOUNT),
    errno.EACCES: ("the bot's user may not do that", "Give that user the right to read and write there."),
    errno.EPERM: ("the bot's user may not do that", "Give that user the right to read and write there."),
    errno.EEXIST: ("it is there already", "Look whether another bot uses the same folder."),
    errno.EMFILE: ("the bot has too many files open", "Raise its limit of open files, then run it again."),
}
#: What is true of the whole place, and is said before the path.
_FIRST: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


def target_failed(error: OSError, path: Path, doing: str) -> TargetFailed:
    """The error for a file or folder of the archive: `doing` is what was tried, as in "could not be written"."""
    what, fix = _MEANINGS.get(
        error.errno or 0, (error.strerror or str(error), "Look at that place, then run it again.")
    )
    if error.errno in _FIRST:
        brief = f"{what[0].upper()}{what[1:]}"
        return TargetFailed(f"{brief}: {path} {doing}.", fix, brief=f"{brief}.")
    return TargetFailed(f"{path} {doing}: {what}.", fix)
