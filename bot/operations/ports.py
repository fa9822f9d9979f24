"""All that operations, jobs and handlers may use of a pool. `bot.xen` implements these; tests may bring their own.

References never pass here: objects are UUIDs. Only a task's reference travels, as an opaque handle.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from bot.domain.disk_moves import DiskMoveFacts
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
from bot.domain.plan import Call


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
    """Direct reads, for plans: not from the feed."""

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

    async def leaving(self, host: str) -> LeavingFacts:
        """All facts for moving every guest of `host` (UUID) elsewhere, read once for all. Raises as `migration`."""
        ...

    async def verdicts(self, pairs: Sequence[tuple[str, str]]) -> tuple[XapiVerdict, ...]:
        """For each guest and host (UUIDs) whether XAPI would let it run there. Raises as `migration`."""
        ...

    async def residents(self, pool: str, host: str) -> Residents:
        """What runs on the host now, and whether it takes guests. Raises as `whereabouts`."""
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
