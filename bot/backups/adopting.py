"""Taking in an archive that was not made by this bot: a file from elsewhere, verified like any other."""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
from collections.abc import Callable, Iterator
from importlib.metadata import version
from io import FileIO
from pathlib import Path
from typing import Final

from bot.backups.folder_files import NotPlain, open_plain
from bot.backups.intake_file import WholeFile
from bot.backups.manifest import Manifest, is_uuid, make_id
from bot.backups.target import Draft, Stored, Target, Verified
from bot.backups.trouble import target_failed
from bot.backups.verifier import Verifier
from bot.domain.backup import ArchivedGuest
from bot.errors import Damaged, TargetFailed

_PIECE: Final = 4 << 20
HOW: Final = "adopted"


def adopt(target: Target, file: Path, who: str, now: float, progress: Callable[[int, int], None]) -> Stored:
    """Copies an archive into the place for backups, when every block of it is right.

    The file stays as it is. The backup counts as made when the file was written to last, and belongs to the guest that
    the archive itself names; of what pool that was, an archive does not tell.

    Args:
        target: The place.
        file: The archive.
        who: Who asks for it.
        now: Unix seconds.
        progress: Gets the bytes taken and the bytes to take. What it raises ends the work, and leaves nothing.

    Raises:
        Damaged: It is no archive, or no whole one; nothing is left of it.
        TargetFailed: It cannot be read, or the place not be written.
    """
    try:
        with FileIO(open_plain(file.resolve()), "rb") as source:
            status = os.fstat(source.fileno())
            at = max(0.0, min(status.st_mtime, now))
            draft = target.begin(make_id(at), _guest_of(source))
            try:
                found, size, sha256 = _copy(source, draft, status.st_size, progress)
                return target.commit(draft, _manifest(draft, found, size, sha256, who, at, now))
            except BaseException:
                # Whatever ended it: a backup that was committed is none of the drafts that this removes.
                target.discard(draft.id)
                raise
    except OSError as error:
        raise target_failed(error, file, "could not be read") from error
    except NotPlain as error:
        raise TargetFailed(f"{file} could not be read: {error}.", "Name a file.") from error


def _guest_of(source: FileIO) -> str:
    """The UUID of the guest, which says where the archive belongs; the beginning of the archive tells it."""
    verifier = Verifier()
    for piece in _pieces(source):
        verifier.feed(piece)
        if verifier.guest is not None:
            if not is_uuid(verifier.guest.uuid):
                raise Damaged("The archive names a guest without a usable UUID.")
            return verifier.guest.uuid
    # Too short to name one: this says what it is.
    return verifier.finish().guest.uuid


def _copy(source: FileIO, draft: Draft, size: int, progress: Callable[[int, int], None]) -> tuple[Verified, int, str]:
    checker = draft.checker()
    digest = hashlib.sha256()
    with contextlib.closing(WholeFile(draft.archive)) as copy:
        for piece in _pieces(source):
            checker.feed(piece)
            digest.update(piece)
            copy.append(piece)
            progress(copy.size, max(size, copy.size))
        found = checker.finish()
        copy.finish()
    return found, copy.size, digest.hexdigest()


def _pieces(source: FileIO) -> Iterator[memoryview]:
    """The file from its beginning, in one buffer that suits direct writes: each piece is good until the next one."""
    source.seek(0)
    buffer = memoryview(mmap.mmap(-1, _PIECE))
    filled = 0
    while count := source.readinto(buffer[filled:]):
        filled += count
        if filled == _PIECE:
            yield buffer
            filled = 0
    if filled:
        yield buffer[:filled]


def _manifest(draft: Draft, found: Verified, size: int, sha256: str, who: str, at: float, now: float) -> Manifest:
    return Manifest(
        id=draft.id,
        guest=draft.guest,
        name=_name_of(found.contents.guest),
        pool="",
        pool_name="",
        at=at,
        finished=now,
        size=size,
        sha256=sha256,
        proof_sha256=found.proof_sha256,
        contents=found.contents,
        how=HOW,
        job=None,
        who=who,
        bot=version("xenbot"),
    )


def _name_of(guest: ArchivedGuest) -> str:
    """What people call the guest; where only the snapshot's name is known, that, said to be one."""
    if guest.of or not guest.snapshot:
        return guest.of or guest.name
    return f"{guest.name} (a snapshot)"
