"""What lies in a folder of backups. Whatever is there that is no backup becomes a sentence, never a failure."""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from bot.backups import folder_files as files
from bot.backups.manifest import LONGEST, BadManifest, Manifest, decode_manifest, is_id, is_uuid
from bot.backups.target import ARCHIVE, PROOF, Listing, Stored, Unfinished
from bot.backups.wrong import quote
from bot.domain.catalogue import BackupState, Odd, Verification

MANIFEST: Final = "manifest.json"
CHECKED: Final = "checked.json"
TRASHED: Final = "trashed.json"
TRASH: Final = ".trash"
PARTIAL: Final = ".partial"
GOING: Final = ".going"

# What file systems, file servers and the bot itself put beside the folders of guests begins so, or is called so.
_NO_NEWS_BEGINS: Final = (".", "@", "#", "$")
_NO_NEWS: Final = frozenset({"lost+found", "System Volume Information"})
_LONGEST_CHECK: Final = 1 << 20
_MOST_FINDINGS: Final = 200
_LONGEST_PATH: Final = 300
_READABLE: Final = "Give the bot's user the right to read it, or move it away."

_T = TypeVar("_T")


class Trashed(msgspec.Struct, frozen=True):
    """When something went to the trash (Unix seconds), and who sent it there."""

    at: float
    who: str


class Inspector:
    """Looks through the folder whose descriptor is `root` and whose path, for people, is `path`."""

    def __init__(self, path: Path, root: int) -> None:
        self._path = path
        self._root = root
        self._stored: list[Stored] = []
        self._unfinished: list[Unfinished] = []
        self._findings: list[Odd] = []
        self._unread: set[str] = set()
        self._blind = False

    def listing(self, guest: str = "") -> Listing:
        """Returns everything, or what is of one guest. Raises OSError when the folder itself cannot be read."""
        for name in files.names(self._root):
            if is_uuid(name):
                if guest in {"", name}:
                    self._look_through(name)
            elif not guest:
                self._note_foreign(name, self._root)
        for stored in self.trash():
            if guest in {"", stored.manifest.guest}:
                self._stored.append(stored)
        order = sorted(self._stored, key=lambda one: (one.manifest.at, one.manifest.id), reverse=True)
        return Listing(
            tuple(order), tuple(self._unfinished), tuple(self._findings), frozenset(self._unread), self._blind
        )

    def find(self, identity: str) -> Stored | None:
        """Returns the backup of that id, None when there is none. Raises BadManifest, NotPlain, OSError.

        Where a folder may not be read, nobody knows what is in it.
        """
        denied: PermissionError | None = None
        for guest in (*filter(is_uuid, files.names(self._root)), TRASH):
            try:
                with files.open_folder(guest, self._root) as folder:
                    if files.exists(identity, folder):
                        return self._read(identity, folder, guest)
            except PermissionError as error:
                denied = error
            except files.CLOSED:
                continue
        if denied is not None:
            raise denied
        return None

    def trash(self) -> Iterator[Stored]:
        """Yields what is in the trash and can be read."""
        try:
            with files.open_folder(TRASH, self._root) as trash:
                for name in filter(is_id, files.names(trash)):
                    found = self._try(f"{TRASH}/{name}", partial(self._read, name, trash, TRASH))
                    if found is not None:
                        yield found
        except FileNotFoundError:
            return
        except OSError as error:
            self._blind = self._blind or not _certain(error)
            self._note(TRASH, f"cannot be read: {error.strerror}", _READABLE)

    def _look_through(self, guest: str) -> None:
        try:
            with files.open_folder(guest, self._root) as folder:
                for name in files.names(folder):
                    self._look_at(guest, name, folder)
        except OSError as error:
            if not _certain(error):
                self._unread.add(guest)
            self._note(guest, f"cannot be read: {error.strerror}", _READABLE)

    def _look_at(self, guest: str, name: str, folder: int) -> None:
        if is_id(name):
            stored = self._try(f"{guest}/{name}", lambda: self._read(name, folder, guest))
            if stored is not None:
                self._stored.append(stored)
        elif name.endswith(PARTIAL) and is_id(name.removesuffix(PARTIAL)):
            draft = self._try(f"{guest}/{name}", lambda: self._weigh(name, folder, guest))
            if draft is not None:
                self._unfinished.append(draft)
        else:
            self._note_foreign(name, folder, f"{guest}/")

    def _try(self, where: str, read: Callable[[], _T]) -> _T | None:
        """What is read, or None and a finding."""
        try:
            return read()
        except (BadManifest, files.NotPlain) as error:
            again = "If its archive is whole, {command} takes it in anew; then remove that folder."
            self._note(where, f"is no usable backup: {error}", again, self._adopt(f"{where}/{ARCHIVE}"))
        except FileNotFoundError:
            # Moved or removed since the folder was listed.
            return None
        except OSError as error:
            if not _certain(error):
                self._unread.add(where.rpartition("/")[2].removesuffix(PARTIAL))
            self._note(where, f"cannot be read: {error.strerror}", _READABLE)
        return None

    def _note_foreign(self, name: str, folder: int, within: str = "") -> None:
        if name.startswith(_NO_NEWS_BEGINS) or name in _NO_NEWS:
            return
        fix, command = "Move it away.", ""
        with contextlib.suppress(OSError):
            if stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                fix = "If it is an archive, {command} takes it in; then move it away."
                command = self._adopt(within + name)
        self._note(within + name, "is none of the bot's", fix, command)

    def _adopt(self, where: str) -> str:
        return f"xenbot backups adopt {shlex.quote(quote(str(self._path / where), _LONGEST_PATH))}"

    def _note(self, where: str, what: str, fix: str, command: str = "") -> None:
        # Enough for people; a folder full of other things must not fill the memory.
        place, guest = quote(str(self._path), _LONGEST_PATH), where.partition("/")[0]
        if len(self._findings) < _MOST_FINDINGS:
            guest = guest if is_uuid(guest) else ""
            self._findings.append(Odd(place, quote(where, _LONGEST_PATH), what, fix, command, guest))
        elif len(self._findings) == _MOST_FINDINGS:
            self._findings.append(Odd(place, "", "holds more that is no backup"))

    def _weigh(self, name: str, parent: int, guest: str) -> Unfinished:
        with files.open_folder(name, parent) as folder:
            size, at = 0, os.fstat(folder).st_mtime
            for entry in files.names(folder):
                found = os.stat(entry, dir_fd=folder, follow_symlinks=False)
                size, at = size + found.st_size, max(at, found.st_mtime)
        return Unfinished(name.removesuffix(PARTIAL), guest, str(self._path), size, at)

    def _read(self, name: str, parent: int, home: str) -> Stored:
        """One backup. What is wrong with its manifest raises; what is wrong with its files makes it a damaged one."""
        with files.open_folder(name, parent) as folder:
            try:
                manifest = decode_manifest(files.read_small(MANIFEST, folder, LONGEST))
                trashed_at = _trashed_at(folder) if home == TRASH else None
                damage = _missing(folder, manifest)
            except FileNotFoundError:
                manifest, trashed_at, damage = None, None, "its manifest is gone"
            if damage and not files.is_there(name, parent, folder):
                # It was moved or removed while it was looked at.
                raise FileNotFoundError(errno.ENOENT, "No such file or directory", name)
            if manifest is None:
                raise BadManifest(
                    f"it has no {MANIFEST}, or no {TRASHED}" if home == TRASH else f"it has no {MANIFEST}"
                )
            if manifest.id != name or home not in {TRASH, manifest.guest}:
                raise BadManifest("its manifest is that of another backup")
            verified = self._last_look(folder, manifest)
        state = BackupState.WHOLE
        if damage:
            before = verified or manifest.verification()
            verified = Verification(before.at, before.how, before.who, (damage,))
        if verified is not None and verified.damage:
            state = BackupState.DAMAGED
        if home == TRASH:
            state = BackupState.TRASHED
        place = self._path / home / name
        return Stored(manifest, manifest.backup(verified, state), place / ARCHIVE, place / PROOF, trashed_at)

    def _last_look(self, folder: int, manifest: Manifest) -> Verification | None:
        """The newest verification; None where a later one was kept and can no longer be read."""
        try:
            return msgspec.json.decode(files.read_small(CHECKED, folder, _LONGEST_CHECK), type=Verification)
        except FileNotFoundError:
            return manifest.verification()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, files.NotPlain, OSError) as error:
            what = f"has a last verification that cannot be read ({error})"
            where, again = f"{manifest.guest}/{manifest.id}", f"/xen verify {manifest.id}"
            self._note(where, what, "{command} looks at it again.", again)
            return None


def _certain(error: OSError) -> bool:
    """Whether an error says what is there: nothing, or no folder. Any other may be over in a moment."""
    return error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


def _missing(folder: int, manifest: Manifest) -> str:
    """What can be seen of an archive's damage without reading it; "" when nothing can."""
    try:
        found = os.stat(ARCHIVE, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return "The archive itself is gone."
    if not stat.S_ISREG(found.st_mode):
        return "In the place of the archive lies something that is no file."
    if found.st_size != manifest.size:
        return f"The archive has {found.st_size:,} bytes and should have {manifest.size:,}."
    return ""


def _trashed_at(folder: int) -> float:
    try:
        return msgspec.json.decode(files.read_small(TRASHED, folder, _LONGEST_CHECK), type=Trashed).at
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadManifest(f"when it came to the trash cannot be read ({error})") from error
