"""All that operations, jobs and handlers may use of a pool. `bot.xen` implements these; tests may bring their own.

References never pass here: objects are UUIDs. Only a task's reference travels, as an opaque handle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from bot.domain.backup_facts import BackupFacts, Snapshot
from bot.domain.disk_moves import DiskMoveFacts, SendFacts
from bot.domain.health import HealthFacts, PlugFacts
from bot.domain.inventory import (
    Host,
    LeavingFacts,
    MigrationFacts,
    Pool,
    PoolView,
    PowerFacts,
    Residents,
    Sr,
    Vm,
    Whereabouts,
    XapiVerdict,
)
from bot.domain.joining import JoinFacts, Membership
from bot.domain.plan import Call
from bot.domain.restores import Coming, Readiness, Restored, RestoreFacts
from bot.operations.schedule_ports import Schedules

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
        """How far a host is a member of a pool (UUIDs), by the live feed. Raises Unreachable before the first load."""
        ...

    async def control_load(self, host: str) -> float | None:
        """The load of a host's control domain (the average of a minute), asked within half a second; None untold."""
        ...

    async def health(self, pool: str) -> HealthFacts:
        """All that the health of a pool (UUID) is judged by, from the live feed; only the clocks are read.

        A host that does not tell its time within a second is left without. Raises Unreachable before the first load.
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


class Compression(StrEnum):
    """How an export is packed by the host that sends it, as the query of XAPI's `/export` names it."""

    NONE = "false"
    GZIP = "gzip"
    ZSTD = "zstd"


class Phase(StrEnum):
    """Where a stream is. Between CONNECTING and FLOWING a host may wait for another operation, for minutes."""

    CONNECTING = "connecting"
    WAITING = "waiting"
    FLOWING = "flowing"
    ENDING = "ending"


class Flow(msgspec.Struct, frozen=True, gc=False):
    """How a stream stands: `moved` bytes of the archive, `host` (the address at the other end).

    `last_byte_age` is the seconds since the last byte moved, or since the phase began; `held_up` tells that it is our
    own side that is waited for: the disk that takes an export, or the file that an import is read from.
    """

    host: str
    phase: Phase
    moved: int = 0
    last_byte_age: float = 0.0
    held_up: bool = False


class Ended(msgspec.Struct, frozen=True, gc=False):
    """A stream that came to an end by itself, which proves nothing: `moved` bytes of the archive.

    `host` is the address that served it. `said_goodbye` tells that the other end closed the connection in order,
    `whole` that an import was taken to its last byte: a host may stop reading behind the archive's end.
    """

    host: str
    moved: int
    said_goodbye: bool = True
    whole: bool = True


class Sink(Protocol):
    """What takes in an export. One thread at a time fills it; `abort` may come from any other."""

    def take(self) -> memoryview:
        """Room to be filled, never empty; waits for it, with the caller's thread. Released by `give`.

        Raises TargetFailed, Damaged: whatever has gone wrong behind it so far, or that it was aborted.
        """
        ...

    def give(self, count: int) -> None:
        """Hands over the first `count` bytes of the room taken last. Raises as `take`."""
        ...

    def check(self) -> None:
        """Raises what has gone wrong behind it, as `take` would, and never waits."""
        ...

    def abort(self) -> None:
        """Ends it at once and wakes whoever waits in `take`; never waits, may come twice."""
        ...


class Streams(Protocol):
    """Whole guests to and from a pool, byte by byte. A cancelled stream has ended when the cancellation is through.

    `task` is a handle of `Driver.open_task`: the pool finishes that task, and only the task says whether the pool
    holds the stream for complete. Progress is told on the event loop, about once a second, in silence too.
    """

    async def export(
        self, pool: str, vm: str, sink: Sink, *, task: str, compress: Compression, progress: Callable[[Flow], None]
    ) -> Ended:
        """Fills the sink with the export of a halted guest or snapshot (UUID), until the stream ends.

        Raises Unreachable when the export certainly did not begin, XapiFailure when the host said why, at once or
        within the stream, StreamCut when it broke off, and what the sink raises.
        """
        ...

    async def send(self, pool: str, sr: str, path: Path, *, task: str, progress: Callable[[Flow], None]) -> Ended:
        """Imports an archive, all its disks to the SR (UUID); the guest's reference is the result of the task.

        Raises as `export`, and TargetFailed when the file cannot be read. After StreamCut only the task tells.
        """
        ...


class Restoring(Protocol):
    """What is done to a guest that was just imported. Every call may come twice; a pool is a pool's UUID."""

    async def restored(self, pool: str, vm: str) -> Restored:
        """See `Facts.restored`."""
        ...

    async def imported(self, pool: str, task: str) -> tuple[str, ...]:
        """The guests (UUIDs) that a finished import has as its result. Raises Unreachable, XapiFailure."""
        ...

    def importing(self, pool: str, task: str) -> bool:
        """Whether a guest is being imported under that task, as the feed has it."""
        ...

    async def networks(self, pool: str) -> frozenset[str]:
        """The networks there are (UUIDs). Raises Unreachable, XapiFailure."""
        ...

    async def mark(self, pool: str, vm: str, name: str, networks: frozenset[str]) -> None:
        """Names an imported guest so, and the networks made for it: those that were not among `networks` before.

        Until it is ready it is a template, which nothing starts.

        Raises NotFound, Refused for one that brought snapshots along, Unreachable, XapiFailure.
        """
        ...

    async def discard(self, pool: str, vm: str, mark: str) -> None:
        """Destroys a guest that an import just made, with every disk that only it has. Raises as `remove`."""
        ...

    async def prepare(self, pool: str, vm: str, wish: Readiness, mark: str, tags: frozenset[str]) -> None:
        """Makes a halted guest so that it may start as `wish` says; networks called `mark` that it leaves go.

        It loses these tags, by which schedules would take it for a guest of theirs.

        Raises NotFound, Refused where it does not stand still, Unreachable, XapiFailure.
        """
        ...

    async def set_aside(self, pool: str, vm: str, name: str) -> None:
        """Renames a halted guest and sees to it that it does not start by itself; `bring_back` undoes both.

        Raises NotFound, Refused for one that runs, Unreachable, XapiFailure.
        """
        ...

    async def bring_back(self, pool: str, vm: str, name: str) -> None:
        """Undoes `set_aside`. Raises NotFound, Unreachable, XapiFailure."""
        ...

    async def remove(self, pool: str, vm: str, disks: Sequence[str], mark: str, *, running: bool) -> tuple[str, ...]:
        """Destroys a guest with these disks of its own (UUIDs); gives what was left, in sentences. Gone is gone.

        One that runs is shut down hard where `running` says that this job started it. Raises Refused for one that
        somebody else has started, Unreachable, XapiFailure.
        """
        ...
