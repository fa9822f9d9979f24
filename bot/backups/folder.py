"""Backups in a folder: a local disk, or a file server that is mounted.

    <path>/<UUID of the guest>/<id>/archive.xva     the archive
                                    proof           see `proof`
                                    manifest.json   see `manifest`
                                    checked.json    the newest verification, once there was one
    <path>/<UUID of the guest>/<id>.partial/        a draft
    <path>/.trash/<id>/                             one that is to go, with trashed.json
    <path>/.trash/<id>.going/                       one that is being removed
    <path>/.custody.json                            see `custody`

A backup comes into being by the renaming of its draft, and goes by the renaming of its folder: each is one step that
has happened or has not. Names of guests are in the manifests alone.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from bot.backups import folder_files as files
from bot.backups.custody import LONGEST as LONGEST_CUSTODY
from bot.backups.custody import Custody
from bot.backups.folder_listing import CHECKED, GOING, MANIFEST, PARTIAL, TRASH, TRASHED, Inspector, Trashed
from bot.backups.manifest import LONGEST, BadManifest, Manifest, encode_manifest, is_id, is_uuid
from bot.backups.mounts import mount_of, read_mounts, shares_server
from bot.backups.proof import BadProof, ProofReader
from bot.backups.target import ARCHIVE, PROOF, Draft, Listing, Space, Stored
from bot.backups.trouble import target_failed
from bot.domain.catalogue import Backup, Verification, looked_at
from bot.errors import Damaged, NotFound, Refused, TargetFailed

_LOCK: Final = ".lock"
_CUSTODY: Final = ".custody.json"


class Folder:
    """A `Target` in a folder.

    Args:
        path: The folder, which must exist.
        mounted: Whether something must be mounted there. Without that, a file server that is not mounted looks like
            an empty folder, and backups would fill the disk beneath it.
    """

    def __init__(self, path: Path, *, mounted: bool = False) -> None:
        self.path = path
        self._mounted = mounted

    def begin(self, identity: str, guest: str) -> Draft:
        """See `Target.begin`."""
        self._refuse_bad_names(identity, guest)
        with self._root("could not be written", guest, identity + PARTIAL) as root:
            if not files.exists(guest, root):
                with contextlib.suppress(FileExistsError):
                    files.make_folder(guest, root)
            with files.open_folder(guest, root) as folder:
                if files.exists(identity, folder):
                    raise FileExistsError(errno.EEXIST, "File exists")
                files.make_folder(identity + PARTIAL, folder)
        return Draft(identity, guest, self.path / guest / (identity + PARTIAL))

    def commit(self, draft: Draft, manifest: Manifest) -> Stored:
        """See `Target.commit`."""
        if (draft.id, draft.guest) != (manifest.id, manifest.guest):
            raise ValueError("the manifest is of another backup")
        content = encode_manifest(manifest)
        if len(content) > LONGEST:
            raise ValueError("no manifest can be so long")
        place = (draft.guest, draft.id + PARTIAL)
        with self._root("could not be written", *place) as root, files.open_folder(draft.guest, root) as guest:
            with files.open_folder(draft.id + PARTIAL, guest) as folder:
                size = files.sync_file(ARCHIVE, folder)
                if size != manifest.size:
                    raise Damaged(
                        f"The archive on disk has {size:,} bytes, not the {manifest.size:,} that came.", offset=size
                    )
                files.sync_file(PROOF, folder)
                with os.fdopen(files.open_plain(PROOF, folder), "rb") as proof:
                    try:
                        ProofReader(proof, manifest.proof_sha256)
                    except BadProof as error:
                        raise Damaged(f"The proof of the archive cannot be used: {error}.") from error
                files.write_small(MANIFEST, folder, content)
            files.move_folder(draft.id + PARTIAL, guest, guest, draft.id)
        return self.find(draft.id)

    def discard(self, identity: str) -> None:
        """See `Target.discard`."""
        self._refuse_bad_names(identity)
        with self._root(f"could not be cleared of the draft {identity}") as root:
            while (home := self._home(root, identity + PARTIAL)) is not None:
                with home as folder:
                    files.remove_folder(identity + PARTIAL, folder)

    def listing(self, guest: str = "") -> Listing:
        """See `Target.listing`."""
        with self._root("could not be read") as root:
            return Inspector(self.path, root).listing(guest)

    def find(self, identity: str) -> Stored:
        """See `Target.find`."""
        with self._root(f"could not be searched for {identity}") as root:
            return self._find(root, identity)

    def record(self, identity: str, look: Verification) -> Backup:
        """See `Target.record`."""
        with self._root(f"did not take the verification of {identity}") as root:
            backup = looked_at(self._find(root, identity).backup, look)
            if backup.verified is not None:
                with self._home_of(root, identity, TRASH) as home, files.open_folder(identity, home) as folder:
                    files.write_small(CHECKED, folder, msgspec.json.encode(backup.verified))
            return self._find(root, identity).backup

    def trash(self, identity: str, who: str, at: float) -> None:
        """See `Target.trash`."""
        self._refuse_bad_names(identity)
        with self._root(f"could not move {identity} to the trash", TRASH) as root:
            if not files.exists(TRASH, root):
                with contextlib.suppress(FileExistsError):
                    files.make_folder(TRASH, root)
            with self._home_of(root, identity) as home, files.open_folder(TRASH, root) as trash:
                with files.open_folder(identity, home) as folder:
                    # Written before the move: nothing lies in the trash without the time at which it came there.
                    files.write_small(TRASHED, folder, msgspec.json.encode(Trashed(at, who)))
                files.move_folder(identity, home, trash, identity)

    def recover(self, identity: str) -> Stored:
        """See `Target.recover`."""
        stored = self.find(identity)
        if stored.trashed_at is None:
            raise Refused(f"The backup {identity} is not in the trash.", "It can be used as it is.")
        guest = stored.manifest.guest
        with self._root(f"could not give back {identity}", TRASH) as root, files.open_folder(TRASH, root) as trash:
            if not files.exists(guest, root):
                files.make_folder(guest, root)
            with files.open_folder(guest, root) as home:
                files.move_folder(identity, trash, home, identity)
                with files.open_folder(identity, home) as folder, contextlib.suppress(FileNotFoundError):
                    os.unlink(TRASHED, dir_fd=folder)
        return self.find(identity)

    def purge(self, before: float, only: Collection[str] | None = None) -> tuple[Backup, ...]:
        """See `Target.purge`."""
        gone = []
        with self._root("could not be emptied", TRASH) as root:
            if not files.exists(TRASH, root):
                return ()
            with files.open_folder(TRASH, root) as trash:
                for name in files.names(trash):
                    if name.endswith(GOING):
                        # A removal that was cut short.
                        self._remove(name, trash)
                for stored in list(Inspector(self.path, root).trash()):
                    name = stored.manifest.id
                    if (
                        stored.trashed_at is None
                        or stored.trashed_at >= before
                        or (only is not None and name not in only)
                    ):
                        continue
                    # A crash in the middle must not leave what looks like a backup.
                    files.move_folder(name, trash, trash, name + GOING)
                    self._remove(name + GOING, trash)
                    gone.append(stored.backup)
        return tuple(gone)

    def _remove(self, name: str, trash: int) -> None:
        """Removes a folder, or leaves the rest of it to the next time.

        A file that somebody still reads keeps its place on a file server, and some servers put folders into every
        folder: neither may keep the others from being removed.
        """
        try:
            files.remove_folder(name, trash)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, errno.EISDIR, errno.EPERM}:
                raise

    def space(self) -> Space:
        """See `Target.space`."""
        with self._root("could not be asked for its free space") as root:
            found = os.fstatvfs(root)
        return Space(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)

    def probe(self) -> None:
        """See `Target.probe`."""
        with self._root("could not be written") as root:
            name = f".probe.{secrets.token_hex(4)}"
            try:
                files.write_small(name, root, b"xenbot\n")
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=root)

    def shares_server(self, device_config: Mapping[str, str]) -> bool:
        """See `Target.shares_server`."""
        mount = mount_of(os.path.realpath(self.path), read_mounts())
        return mount is not None and shares_server(mount, device_config)

    def custody(self) -> Custody:
        """See `Target.custody`."""
        with self._root("could not be read", _CUSTODY) as root:
            try:
                return msgspec.json.decode(files.read_small(_CUSTODY, root, LONGEST_CUSTODY), type=Custody)
            except FileNotFoundError:
                return Custody()
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise BadManifest(f"it does not tell who prunes here ({error})") from error

    def keep_custody(self, custody: Custody) -> None:
        """See `Target.keep_custody`."""
        with self._root("could not be written", _CUSTODY) as root:
            files.write_small(_CUSTODY, root, msgspec.json.encode(custody))

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """See `Target.alone`."""
        with self._root("could not be locked") as root:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(_LOCK, flags, 0o600, dir_fd=root)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                raise TargetFailed(
                    f"{self.path} is being pruned by another bot or command.", "Try again when that has ended."
                ) from None
        try:
            yield
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _root(self, doing: str, *within: str) -> Iterator[int]:
        """The folder itself; what the system says against it or what is `within` comes out as TargetFailed."""
        try:
            if self._mounted and not self.path.is_mount():
                raise TargetFailed(
                    f"Nothing is mounted at {self.path}.", "Mount it, or set `mounted` in [backups] to false."
                )
            with files.open_root(self.path) as root:
                yield root
        except OSError as error:
            raise target_failed(error, self.path.joinpath(*within), doing) from error
        except (files.NotPlain, BadManifest) as error:
            where = self.path.joinpath(*within)
            raise TargetFailed(f"{where} {doing}: {error}.", "Look at that place, then run it again.") from error

    def _home(self, root: int, name: str, *others: str) -> contextlib.AbstractContextManager[int] | None:
        """The folder of a guest, or one of `others`, that holds something of that name."""
        for guest in (*filter(is_uuid, files.names(root)), *others):
            with contextlib.suppress(*files.CLOSED), files.open_folder(guest, root) as home:
                if files.exists(name, home):
                    return files.open_folder(guest, root)
        return None

    def _home_of(self, root: int, identity: str, *others: str) -> contextlib.AbstractContextManager[int]:
        """As `_home`. Raises NotFound."""
        home = self._home(root, identity, *others)
        if home is None:
            raise NotFound("backup", identity)
        return home

    def _find(self, root: int, identity: str) -> Stored:
        try:
            stored = Inspector(self.path, root).find(identity) if is_id(identity) else None
        except (files.NotPlain, BadManifest) as error:
            # As in the list, where a sentence tells of it.
            raise NotFound("usable backup", identity) from error
        if stored is None:
            raise NotFound("backup", identity)
        return stored

    def _refuse_bad_names(self, identity: str, guest: str | None = None) -> None:
        if not is_id(identity) or (guest is not None and not is_uuid(guest)):
            raise ValueError("an id of a backup and a UUID of a guest are needed")
