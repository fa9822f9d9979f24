"""All that operations may use of the archive and of its catalogue. `bot.backups` and `bot.store` implement these."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from bot.domain.backup import Contents
from bot.domain.backup_facts import Label, Room
from bot.domain.catalogue import Archived, Backup, Proof, Shown
from bot.domain.upkeep import Pruned
from bot.operations.stream_ports import Sink


class Filling(Protocol):
    """What an export is received into, and how far it was found to be right."""

    @property
    def sink(self) -> Sink:
        """What takes the stream in."""
        ...

    @property
    def covered(self) -> int:
        """Bytes of the guest's disks that are known to be right so far."""
        ...

    @property
    def expected(self) -> int:
        """Bytes of all its disks together; 0 until the archive has said so."""
        ...


class Arrival(Filling, Protocol):
    """A backup that is coming in. Nothing of it counts before `commit`; what is not committed must be discarded."""

    async def whole(self) -> Contents:
        """Waits until everything that came is verified to its end, and on disk. Raises Damaged, TargetFailed."""
        ...

    async def commit(self, label: Label) -> Backup:
        """Makes it a backup, all at once; waited for even when cancelled. Raises Damaged, TargetFailed."""
        ...

    async def discard(self) -> None:
        """Ends it and removes all its files; harmless after `commit`. Raises TargetFailed."""
        ...


class Archives(Protocol):
    """The place where backups are kept. `mark` is what a job's nonce and the guest make, in lower-case hex.

    Every method raises TargetFailed where the place cannot be read or written, or no place is configured.
    """

    async def receive(self, guest: str, mark: str, likely: int, /) -> Arrival:
        """Makes room for a new backup of a guest (UUID); it will take up about `likely` bytes (0: nobody knows)."""
        ...

    def expect(self, guest: str, mark: str, likely: int, /) -> None:
        """Keeps room for what will be received of a guest (UUID) under this mark, until it is; 0 bytes give it up.

        What is kept lives as long as the bot. Never raises.
        """
        ...

    @property
    def promises(self) -> int:
        """How often room was promised so far."""
        ...

    async def made(self, guest: str, mark: str, /) -> Backup | None:
        """The backup that was committed under this mark."""
        ...

    async def sweep(self, guest: str, mark: str, /) -> None:
        """Removes what was begun under this mark and never committed."""
        ...

    async def room(self, besides: Collection[str] = (), /) -> Room:
        """How much may still be written, with what backups under way or expected will take kept for them.

        What is expected of the guests `besides` (UUIDs) is not kept: of them it is asked.
        """
        ...

    async def shares_server(self, config: Mapping[str, str], /) -> bool:
        """Whether it lies on the file server of an SR with this device-config: no independent copy then."""
        ...


class Catalogue(Protocol):
    """What is known of the backups, quick to ask."""

    async def backups(self, *, guest: str = "", limit: int | None = None) -> Sequence[Backup]:
        """Newest first, at most `limit`; `guest` (a UUID) keeps only its own. Those that are gone are left out."""
        ...

    async def keep_backup(self, backup: Backup) -> None:
        """Catalogues a backup, or what is new of one that is known."""
        ...

    async def verified_backup(self, found: Backup, job: int) -> Backup:
        """Catalogues a backup with the newest look at it, which the job has made; gives it as it is known now."""
        ...


class Comparison(Filling, Protocol):
    """Disks that come in to be compared with those of a backup. Nothing of them is kept; it must be discarded."""

    async def same(self) -> int:
        """Waits for the end of the stream: how many blocks were compared. Raises Damaged where any disk differs."""
        ...

    async def discard(self) -> None:
        """Ends it; harmless when it is over. Raises TargetFailed."""
        ...


class Library(Protocol):
    """What lies in the archive, to be read. A backup is named by its id.

    Every method raises TargetFailed where the place cannot be read, or no place is configured.
    """

    async def listing(self) -> Shown:
        """All there is, those in the trash included."""
        ...

    async def glance(self) -> Shown:
        """The same for somebody who may give up waiting. Raises TargetFailed where it is read for others already."""
        ...

    async def archived(self, backup: str, /) -> Archived:
        """What is known of a backup, and what its manifest says is in it. Raises NotFound."""
        ...

    async def path(self, backup: str, /) -> Path:
        """Where its archive lies. Raises NotFound."""
        ...

    async def compare(self, backup: str, /) -> Comparison:
        """Makes ready for comparing disks with those of a backup. Raises NotFound, Refused without its proof."""
        ...

    def looking_at(self) -> frozenset[str]:
        """The backups whose archives are being read again right now."""
        ...

    async def check(
        self, backup: str, how: Proof, share: float, who: str, progress: Callable[[int, int], None], /
    ) -> Backup:
        """Reads its archive again, all of it or a random part (`share`, 0 to 1), and keeps what was found beside it.

        Of several looks at one backup each waits for the one before. `progress` gets the bytes looked at and those to
        look at, on the event loop, about once a second. Ends within a second when it is cancelled, and keeps nothing
        then. Raises NotFound, Refused where a part proves nothing.
        """
        ...


class Steward(Protocol):
    """Who removes backups by the rule of the configuration."""

    async def prune(self, who: str, /) -> Pruned:
        """Moves to the trash what no rule keeps, and removes what lay there long enough. Raises TargetFailed."""
        ...
