"""What a place for backups can do, whatever kind of place it is."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from bot.backups.custody import Custody
from bot.backups.manifest import Manifest
from bot.backups.proof import ProofWriter
from bot.backups.trouble import target_failed
from bot.backups.verifier import Verifier
from bot.domain import texts
from bot.domain.backup import Contents
from bot.domain.catalogue import Backup, Odd, Shown, Verification

ARCHIVE: Final = "archive.xva"
PROOF: Final = "proof"


@dataclass(frozen=True)
class Verified:
    """What was found in an archive while it came: its contents, and the SHA-256 of the proof that was written."""

    contents: Contents
    proof_sha256: str


class Checker:
    """Verifies an archive while it comes and writes its proof beside it. Memory is bounded at any size.

    One thread at a time; `covered` and `expected` (bytes of disks) may be read by others.
    """

    def __init__(self, proof: Path) -> None:
        self._proof = proof
        self._writer = ProofWriter(self._append)
        self._begun = False
        self._verifier = Verifier(self._writer)

    @property
    def covered(self) -> int:
        """Bytes of disks known to be right so far."""
        return self._verifier.covered

    @property
    def expected(self) -> int:
        """Bytes of all disks together; 0 until the description of the guest was read."""
        return self._verifier.expected

    def feed(self, data: memoryview) -> None:
        """Takes the next bytes. Raises Damaged, TargetFailed."""
        self._verifier.feed(data)

    def finish(self) -> Verified:
        """Says that nothing more comes; the proof is whole afterwards. Raises Damaged, TargetFailed."""
        contents = self._verifier.finish()
        return Verified(contents, self._writer.close())

    def _append(self, piece: bytes) -> None:
        """Opened anew for each piece, some 64 KiB for 2 GiB of archive: nothing is left open by one who gives up."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_APPEND if self._begun else os.O_TRUNC)
        try:
            with os.fdopen(os.open(self._proof, flags, 0o600), "wb") as file:
                file.write(piece)
            self._begun = True
        except OSError as error:
            raise target_failed(error, self._proof, "could not be written") from error


@dataclass(frozen=True)
class Draft:
    """A backup that is being made: its files lie in `folder`, which nobody takes for a backup before `commit`."""

    id: str
    guest: str
    folder: Path

    @property
    def archive(self) -> Path:
        """Where the archive is to be written."""
        return self.folder / ARCHIVE

    def checker(self) -> Checker:
        """What the bytes must pass through: it verifies them, and writes the proof."""
        return Checker(self.folder / PROOF)


@dataclass(frozen=True)
class Stored:
    """A backup that is there: what its manifest says, where its files are, and what is known of it now.

    `trashed_at` is when it went to the trash, in Unix seconds; None for one that is not there.
    """

    manifest: Manifest
    backup: Backup
    archive: Path
    proof: Path
    trashed_at: float | None = None


@dataclass(frozen=True)
class Unfinished:
    """A draft in `place`, neither committed nor discarded: `size` in bytes, `at` when it was written to last."""

    id: str
    guest: str
    place: str
    size: int
    at: float

    def odd(self, now: float) -> Odd:
        """The same as something that somebody may have to look at."""
        last = texts.span(max(0.0, now - self.at))
        what = f"was begun and not finished: {texts.size(self.size)}, written to last {last} ago"
        command = f"xenbot backups discard {self.id}"
        return Odd(self.place, f"{self.guest}/{self.id}", what, "{command} removes it.", command, self.guest, self.id)


@dataclass(frozen=True)
class Listing:
    """All there is; `findings` is what is there and is no usable backup, drafts left out.

    `unread` and `blind` tell what could not be seen; see `Shown`.
    """

    stored: tuple[Stored, ...] = ()
    unfinished: tuple[Unfinished, ...] = ()
    findings: tuple[Odd, ...] = ()
    unread: frozenset[str] = frozenset()
    blind: bool = False
    backups: tuple[Backup, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "backups", tuple(one.backup for one in self.stored))

    def shown(self, now: float) -> Shown:
        """The same as the catalogue, and people, need it; `now` in Unix seconds."""
        odd = (*self.findings, *(one.odd(now) for one in self.unfinished))
        return Shown(self.backups, self.unread, self.blind, odd)


@dataclass(frozen=True)
class Space:
    """Bytes that may still be written, and bytes altogether."""

    free: int
    total: int


class Target(Protocol):
    """A place for backups. Every call may wait for a disk or a network: none belongs on the event loop.

    Calls may come from several threads and several bots at once. Each raises TargetFailed when the place cannot be
    read or written; `id` is always that of a backup (`manifest.make_id`), and NotFound is raised when there is none
    of that id.
    """

    def begin(self, identity: str, guest: str) -> Draft:
        """Makes room for a new backup of a guest (UUID). Refuses an id that is there already (TargetFailed)."""
        ...

    def commit(self, draft: Draft, manifest: Manifest) -> Stored:
        """Makes a draft a backup, all at once: after a crash it is either there, whole, or still a draft.

        Raises:
            Damaged: The archive that lies there is not as long as the manifest says, or the proof is another one.
        """
        ...

    def discard(self, identity: str) -> None:
        """Removes a draft with all its files; never a backup. One that is gone already is fine."""
        ...

    def listing(self, guest: str = "") -> Listing:
        """Lists the backups, newest first, those in the trash included; `guest` (a UUID) keeps only its own."""
        ...

    def find(self, identity: str) -> Stored:
        """Returns one backup; also from the trash."""
        ...

    def record(self, identity: str, look: Verification) -> Backup:
        """Keeps the result of a later verification beside the backup; returns it as it is known now."""
        ...

    def trash(self, identity: str, who: str, at: float) -> None:
        """Moves a backup to the trash (`at` in Unix seconds): it is listed there and can be recovered."""
        ...

    def recover(self, identity: str) -> Stored:
        """Moves a backup out of the trash again."""
        ...

    def purge(self, before: float, only: Collection[str] | None = None) -> tuple[Backup, ...]:
        """Removes for good what went to the trash before that time (Unix seconds); returns what was removed.

        `only` keeps it to these ids.
        """
        ...

    def space(self) -> Space:
        """Asks how much may still be written."""
        ...

    def probe(self) -> None:
        """Writes a little and removes it again. Raises TargetFailed where that does not work."""
        ...

    def shares_server(self, device_config: Mapping[str, str]) -> bool:
        """Whether it lies on the file server of an SR with this device-config: no independent copy then."""
        ...

    def custody(self) -> Custody:
        """Tells who prunes here, and when that was done last."""
        ...

    def keep_custody(self, custody: Custody) -> None:
        """Keeps that for everybody; to be called while `alone`."""
        ...

    def alone(self) -> AbstractContextManager[None]:
        """Keeps other bots and commands from pruning meanwhile. Raises TargetFailed when one does already."""
        ...
