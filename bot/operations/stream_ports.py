"""All that operations may use of the streams of a pool: exports, imports, and making an imported guest ready."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import msgspec

from bot.domain.restores import Before, Readiness, Restored


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

    async def started_at(self, pool: str, vm: str) -> float | None:
        """When a guest was started last by its record, in Unix seconds of its pool's clock; None for never, or gone.

        Raises Unreachable, XapiFailure.
        """
        ...

    async def before(self, pool: str, name: str) -> Before:
        """What there is before an import of a guest that its archive calls so. Raises Unreachable, XapiFailure."""
        ...

    async def arrived(self, pool: str, task: str, before: Before | None) -> tuple[str, ...]:
        """The guests (UUIDs) that an import has made: the result of its task.

        Where the pool does not tell, the one that was not there `before` and bears the task's reference. Raises Refused
        where several may be meant, Unreachable, XapiFailure.
        """
        ...

    def importing(self, pool: str, task: str) -> bool:
        """Whether a guest is being imported under that task, as the feed has it."""
        ...

    async def mark(self, pool: str, vm: str, name: str, before: Before) -> None:
        """Names an imported guest so, and the networks made for it: they were not there before, and only it is on them.

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

    async def note_compared(self, pool: str, vm: str, note: str) -> None:
        """Leaves a note of a comparison on a guest, which goes when it is made ready.

        Raises NotFound, Unreachable, XapiFailure.
        """
        ...

    async def add_tags(self, pool: str, vm: str, tags: frozenset[str]) -> None:
        """Gives a guest these tags. Raises NotFound, Unreachable, XapiFailure."""
        ...

    async def take_tags(self, pool: str, vm: str, tags: frozenset[str]) -> None:
        """Takes these tags from a guest, which `bring_back` gives back. Raises NotFound, Unreachable, XapiFailure."""
        ...

    async def start_with_host(self, pool: str, vm: str, value: str) -> None:
        """Gives a guest automatic power-on. Raises NotFound, Unreachable, XapiFailure."""
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
