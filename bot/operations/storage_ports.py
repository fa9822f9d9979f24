"""All that operations may use of storage: what is read before it is added or tried, and what is done to it."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from bot.domain.storing import Holder, NfsFacts, NfsPlace, SrFacts, SrNow, Tried


class StorageReads(Protocol):
    """Direct reads. Every pool, host and storage is a UUID."""

    async def nfs(self, pool: str, place: NfsPlace) -> NfsFacts:
        """What every host of the pool finds at a place, each asked at once and given up after a while.

        Raises NotFound, Unreachable, XapiFailure for what has nothing to do with the place.
        """
        ...

    async def trying(self, sr: str) -> SrFacts:
        """What decides whether a storage can be tried. Raises NotFound, Unreachable, XapiFailure."""
        ...

    async def now(self, pool: str, sr: str) -> SrNow | None:
        """The storage as it is; None where it is gone. Raises Unreachable, XapiFailure."""
        ...

    async def users(self, pool: str, sr: str) -> tuple[str, ...]:
        """The names of whoever has a disk in a storage: guests and their snapshots. Raises Unreachable, XapiFailure."""
        ...

    async def holders(self, wanted: Sequence[str]) -> tuple[tuple[Holder, ...], tuple[str, ...]]:
        """The configured pools that hold any of these storages, and the names of those that could not be asked."""
        ...

    async def named(self, pool: str, name: str) -> tuple[str, ...]:
        """The storage of exactly that name (UUIDs). Raises Unreachable, XapiFailure."""
        ...

    async def tried(self, pool: str, sr: str, mark: str) -> tuple[Tried, ...] | None:
        """What is written on the disks called `mark` of how their hosts did; None where no such disk and snapshot is.

        A disk on which nothing is written yet adds nothing, nor does a snapshot. Raises Unreachable, XapiFailure.
        """
        ...


class RawDisks(Protocol):
    """One disk, byte by byte, through one very host. A cancelled stream has ended when the cancellation is through."""

    async def write(self, pool: str, host: str, vdi: str, data: bytes) -> bool:
        """Writes a disk that is in no guest; False where the host sends that on, since it does not see the storage.

        Raises Unreachable where nothing was sent, CannotTell for a host that is not listed, XapiFailure, StreamCut.
        """
        ...

    async def read(self, pool: str, host: str, vdi: str, size: int) -> bytes | None:
        """The disk, one byte too long where it is longer than `size`; None as `write` says False. Raises as that."""
        ...


class Storing(Protocol):
    """What is done to storage, by UUIDs. Every call may come twice, and ends in time whatever a file server does.

    Raises Unreachable, XapiFailure, and CannotTell where the pool did not end its work in time.
    """

    async def fit(self, pool: str, sr: str, config: dict[str, str]) -> None:
        """Gives every host of the pool a plug for the storage where it has none; one that is off puts it in at boot."""
        ...

    async def attach(self, pool: str, sr: str, host: str) -> None:
        """Puts the plug in that the host has."""
        ...

    async def scan(self, pool: str, sr: str) -> None:
        """Has the pool look at what lies in it, and make records of that."""
        ...

    async def detach(self, pool: str, sr: str) -> None:
        """Pulls every plug of the storage."""
        ...

    async def freed(self, pool: str, sr: str, names: AbstractSet[str]) -> None:
        """Has the storage free the hidden copies that deleted snapshots leave; waits for that for a few minutes.

        Raises Refused as `destroy`.
        """
        ...

    async def forget(self, pool: str, sr: str) -> None:
        """Removes its records; what lies in it stays."""
        ...

    async def destroy(self, pool: str, sr: str, names: AbstractSet[str]) -> None:
        """Deletes it where it is still called by one of these names and holds nothing; its plugs are pulled.

        Raises Refused for one that has another name or holds a disk by now, which is somebody else's then.
        """
        ...

    async def rename(self, pool: str, sr: str, name: str) -> None:
        """Names it."""
        ...

    async def prefer(self, pool: str, sr: str, *, suspend: bool, crash: bool) -> None:
        """Has it take the pool's new disks, and with these its suspended guests and its crash dumps."""
        ...

    async def make_disk(self, pool: str, sr: str, host: str, name: str, size: int) -> str:
        """A new disk that is meant for trying that host; gives its UUID."""
        ...

    async def snapshot(self, pool: str, vdi: str) -> str:
        """Makes a snapshot of a disk, which takes its name; gives its UUID."""
        ...

    async def note(self, pool: str, vdi: str, tried: Tried) -> None:
        """Writes on a disk how its host did."""
        ...

    async def disks(self, pool: str, sr: str, name: str) -> tuple[str, ...]:
        """The disks (UUIDs) of that name in the storage, snapshots too."""
        ...

    async def remove_disks(self, pool: str, sr: str, name: str, *, only: AbstractSet[str] | None = None) -> None:
        """Destroys every disk of that name in the storage, or of those `only` these (UUIDs), snapshots first."""
        ...
