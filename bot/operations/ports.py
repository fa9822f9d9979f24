"""All that operations, jobs and handlers may use of a pool. `bot.xen` implements these; tests may bring their own.

References never pass here: objects are UUIDs. Only a task's reference travels, as an opaque handle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import msgspec

from bot.domain.backup_facts import BackupFacts, Snapshot
from bot.domain.calls import Call
from bot.domain.disk_moves import DiskMoveFacts, SendFacts
from bot.domain.guest_facts import LeavingFacts, MigrationFacts, PowerFacts, Residents, Whereabouts, XapiVerdict
from bot.domain.health import HealthFacts, PlugFacts
from bot.domain.inventory import Host, Pool, PoolView, Sr, Vm
from bot.domain.joining import JoinFacts, Membership
from bot.domain.remains import Remains
from bot.domain.restores import Coming, Restored, RestoreFacts
from bot.operations.schedule_ports import Schedules
from bot.operations.storage_ports import StorageReads

if TYPE_CHECKING:  # the archive's ports are made of those below
    from bot.operations.archive_ports import Archives, Catalogue, Library


class TaskStatus(StrEnum):
    """The states of an XAPI task.

    Only the status counts, never the progress (a task may stand at 1.0 and be pending).
    """

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        """Whether the task has ended, well or not."""
        return self in {TaskStatus.SUCCESS, TaskStatus.FAILURE, TaskStatus.CANCELLED}


class TaskView(msgspec.Struct, frozen=True):
    """A task as just read. `error` holds code and parameters after a failure, names in place of references."""

    handle: str
    status: TaskStatus
    progress: float
    error: tuple[str, ...]
    label: str
    can_cancel: bool


class Fleet(Protocol):
    """Look-ups in the live inventory: from memory, at once, never waiting for a pool."""

    def pools(self) -> tuple[PoolView, ...]:
        """Every configured pool in order of configuration, with what the feed holds of it."""
        ...

    def pool(self, text: str) -> PoolView:
        """The pool of that name or UUID (or unique prefix). Raises NotFound, Ambiguous."""
        ...

    def vm(self, text: str) -> Vm:
        """The guest of that name, UUID or unique prefix, over all pools. Raises NotFound, Ambiguous."""
        ...

    def host(self, text: str) -> Host:
        """The host, likewise."""
        ...

    def sr(self, text: str) -> Sr:
        """The storage repository, likewise."""
        ...


class Facts(Protocol):
    """Direct reads, for plans: not from the feed. Beside the pools there are the archive and its catalogue."""

    @property
    def archives(self) -> Archives:
        """The place where backups are kept."""
        ...

    @property
    def library(self) -> Library:
        """What lies there, to be read."""
        ...

    @property
    def catalogue(self) -> Catalogue:
        """What is known of the backups there."""
        ...

    @property
    def schedules(self) -> Schedules:
        """The standing plans."""
        ...

    @property
    def storage(self) -> StorageReads:
        """What is read before storage is added or tried."""
        ...

    async def migration(self, vm: str, host: str) -> MigrationFacts:
        """All facts for moving guest `vm` to `host` (UUIDs). Raises NotFound, Unreachable, CannotTell, XapiFailure."""
        ...

    async def placements(self, vm: str) -> tuple[MigrationFacts, ...]:
        """The facts for moving a guest to each other host of its pool, in order of names. Raises as `migration`."""
        ...

    async def power(self, vm: str, operations: tuple[str, ...], *, placing: bool = False) -> PowerFacts:
        """All facts for starting or stopping guest `vm` (UUID), with XAPI's verdict on each of these operations.

        With `placing` every host of the pool is asked whether the guest could run there. Raises as `migration`.
        """
        ...

    async def disk_move(self, vm: str, sr: str) -> DiskMoveFacts:
        """All facts for moving the disks of guest `vm` to the SR `sr` (UUIDs). Raises as `migration`."""
        ...

    async def restore(self, guest: Coming, pool: str, host: str, sr: str) -> RestoreFacts:
        """All facts for restoring a guest to a pool (UUID), its disks to the SR `sr` (or the default, "").

        With `host` ("" for any) it shall run there. Raises as `migration`.
        """
        ...

    async def backup(self, vm: str) -> BackupFacts:
        """All facts for backing up guest `vm` (UUID), but for those of the archive. Raises as `migration`."""
        ...

    async def snapshots(self, pool: str, vm: str) -> tuple[Snapshot, ...]:
        """The snapshots of guest `vm` (UUID). Raises as `whereabouts`."""
        ...

    async def exists(self, pool: str, kind: str, uuid: str) -> bool:
        """Whether an object of that class is there. Raises Unreachable, XapiFailure."""
        ...

    async def restored(self, pool: str, vm: str) -> Restored:
        """A guest that was restored, as it is now. Raises NotFound when it is gone, Unreachable, XapiFailure."""
        ...

    async def marked(self, pool: str, name: str) -> tuple[str, ...]:
        """The guests (UUIDs) of exactly that name, asked of the pool. Raises Unreachable, XapiFailure."""
        ...

    async def remains(self, pool: str, vm: str, disks: Sequence[str], networks: str = "") -> Remains:
        """What is there of a guest (UUID, "" for none), of disks (UUIDs), and of networks of exactly that name.

        Raises Unreachable, XapiFailure.
        """
        ...

    async def sending(self, vm: str, host: str, goals: Mapping[str, str]) -> SendFacts:
        """All facts for moving guest `vm` to `host` together with disks (UUIDs). Raises as `migration`.

        `goals` gives the SR by the disk's place in the guest (userdevice), under "" that of every disk not named.
        """
        ...

    async def leaving(self, host: str) -> LeavingFacts:
        """All facts for moving every guest of `host` (UUID) elsewhere, read once for all. Raises as `migration`."""
        ...

    async def verdicts(self, pairs: Sequence[tuple[str, str]]) -> tuple[XapiVerdict, ...]:
        """For each guest and host (UUIDs) whether XAPI would let it run there. Raises as `migration`."""
        ...

    async def residents(self, pool: str, host: str) -> Residents:
        """What runs on the host now, and whether it takes guests. Raises as `whereabouts`."""
        ...

    async def joining(self, host: str, pool: str) -> JoinFacts:
        """Everything that decides whether a host can join a pool (UUIDs), of both sides. Raises as `migration`."""
        ...

    async def membership(self, pool: str, host: str) -> Membership:
        """How far a host is a member of a pool (UUIDs), by the live feed.

        That the pool does not know it is asked of the pool itself. Raises Unreachable, also before the first load,
        XapiFailure, and CannotTell where the feed has not told yet of a host that the pool knows.
        """
        ...

    async def control_load(self, host: str) -> float | None:
        """The load of a host's control domain (the average of a minute), asked within half a second; None untold."""
        ...

    async def health(self, pool: str) -> HealthFacts:
        """All that the health of a pool (UUID) is judged by, from the live feed.

        Only clocks and control domains are asked for; a host that does not tell them within a second is left without.
        Raises Unreachable before the first load.
        """
        ...

    async def plug(self, sr: str, host: str) -> PlugFacts:
        """The plug of an SR in a host (UUIDs). Raises NotFound where they are not of one pool; else as `migration`."""
        ...

    async def whereabouts(self, pool: str, vm: str) -> Whereabouts:
        """Where the guest is now. Raises NotFound when the object is gone, Unreachable, XapiFailure."""
        ...


class Driver(Protocol):
    """What the engine does to a pool. Every `pool` is a pool UUID, every handle one this driver gave out."""

    def known(self, pool: str) -> Pool | None:
        """The pool, if the feed has loaded it."""
        ...

    def silent_s(self, pool: str) -> float:
        """For how many seconds the pool has answered nothing; without end for one that has not been loaded."""
        ...

    async def open_task(self, pool: str, label: str, description: str) -> str:
        """Makes a parent task (task.create) and gives its handle. Raises Unreachable, OutcomeUnknown, XapiFailure."""
        ...

    async def labelled(self, pool: str, nonce: str) -> tuple[str, ...]:
        """The handles of the tasks of `open_task` whose label ends with `nonce`. Raises Unreachable, XapiFailure."""
        ...

    async def begin(self, pool: str, call: Call, *, parent: str, job: str) -> str:
        """Sends `Async.<call>` as a child of `parent`, marked with the job; gives the child's handle.

        The request is sent at most once. Raises Unreachable when it certainly was not sent, OutcomeUnknown when its
        answer
        was lost, XapiFailure when the server refused it at once.
        """
        ...

    async def task(self, pool: str, handle: str) -> TaskView | None:
        """The task as it is now.

        None when the pool no longer has it (finished long ago, or the coordinator restarted).
        """
        ...

    async def children(self, pool: str, parent: str) -> tuple[TaskView, ...] | None:
        """The calls made under a parent; None when the parent itself is gone, which proves nothing about them."""
        ...

    async def wait(self, pool: str, handle: str, *, seen: TaskView | None, at_most_s: float) -> TaskView | None:
        """Waits until the task differs from `seen` or the time is over; then as `task`."""
        ...

    async def cancel(self, pool: str, handle: str) -> bool:
        """Asks the pool to stop the task; False when the pool says it cannot be stopped. Asking twice is harmless."""
        ...

    async def close_task(self, pool: str, handle: str) -> None:
        """Removes a finished task, or our parent, from the pool; one that is gone already is fine."""
        ...
