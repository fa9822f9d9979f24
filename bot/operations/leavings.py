"""What the record of a job that is over says it has made and could not take back: by UUIDs that were stored alone.

A name, a tag or a key that looks like ours proves nothing, since copies inherit it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from bot.domain.job import FINAL
from bot.domain.message import Button
from bot.domain.record import BAD, JobRecord, StepRecord, StepState
from bot.domain.restores import Before
from bot.domain.texts import say
from bot.domain.words import numbered
from bot.operations import trying
from bot.operations.move_by_backup_steps import COMPARE
from bot.operations.restore_steps import GUEST, IMPORT, MARK, READY, REMOVE, WATCH, readiness
from bot.operations.sr_add_steps import REMOVE as REMOVE_STORAGE
from bot.operations.sr_add_steps import SR

#: The kinds of steps behind which something may stay when they do not go well.
KINDS: Final = frozenset({IMPORT, REMOVE, trying.SWEEP, REMOVE_STORAGE})
#: The names begin so under which the disks of an imported guest are stored.
_DISK_OF: Final = "disk "


class LeftGuest(msgspec.Struct, frozen=True):
    """A guest that a job imported and did not take back, in a pool, with its disks: UUIDs.

    `names` are those that the job may have left it with, `mark` what the networks are called that came with it.
    `template` tells whether the job left it as a template, None where it may have; `bare` that it left it without any
    network card. `starts` are the times (Unix seconds of its pool's clock) at which it is known to have been started:
    before it came, or by the job.
    """

    pool: str
    uuid: str
    disks: tuple[str, ...]
    names: tuple[str, ...]
    mark: str
    starts: tuple[float, ...]
    template: bool | None = None
    bare: bool = False


class LeftDisks(msgspec.Struct, frozen=True):
    """The disks (UUIDs) that a job tried a storage of a pool with and did not remove; all are called `mark`."""

    pool: str
    sr: str
    mark: str
    disks: tuple[str, ...]


class LeftStorage(msgspec.Struct, frozen=True):
    """Storage (UUID) that a job added to a pool and did not take back, called `mark`.

    `made` tells that the job made it, so that nothing of others lay in it; it only attached it again otherwise. `disks`
    (UUIDs) are those that it was tried with.
    """

    pool: str
    sr: str
    mark: str
    made: bool
    disks: tuple[str, ...] = ()


def guests(job: JobRecord) -> tuple[LeftGuest, ...]:
    """The guests that a job has left by its own record; whether they are still there only the pool can tell."""
    return tuple(_guests(job)) if job.state in FINAL else ()


def disks(job: JobRecord) -> tuple[LeftDisks, ...]:
    """The disks that a job has left, likewise."""
    return tuple(_disks(job)) if job.state in FINAL else ()


def storage(job: JobRecord) -> tuple[LeftStorage, ...]:
    """The storage that a job has left, likewise."""
    removed = _step(job, REMOVE_STORAGE) if job.state in FINAL else None
    filled = job.step(removed.index) if removed is not None and removed.state in BAD else None
    # One whose clean-up went wrong is left by the job that made it.
    if removed is None or filled is None or SR not in job.made:
        return ()
    made = any(filled.call.flags)
    pool, mark = job.pool_of(removed.index), trying.mark_of(filled)
    return (LeftStorage(pool, job.made[SR], mark, made=made, disks=_tried_with(job)),)


def is_rolled_back(job: JobRecord) -> bool:
    """Whether what the job has left is the copy of a guest, which goes when its move is rolled back.

    One that never became ready is a template still, which no command finds by its UUID, and goes as any other guest.
    """
    ready = _step(job, READY)
    is_ready = ready is not None and ready.state is StepState.DONE
    return _step(job, COMPARE) is not None and GUEST in job.made and is_ready


def mends(job: JobRecord) -> tuple[Button, ...]:
    """The button that takes away what a job has left; none where it left nothing that is known."""
    if not guests(job) and any(not one.made for one in storage(job)):
        return (forgetting(job),)
    left = guests(job) or disks(job) or storage(job)
    return (button(job, "Remove what is left"),) if left else ()


def forgetting(job: JobRecord) -> Button:
    """Asks for the plan that unplugs and forgets storage which the job has only attached again."""
    says = say("Plan: forget the storage that job {n} attached", n=numbered(job))
    return Button(f"Forget storage of job {job.number}", "ask", f"clean-up {job.number}", says=says)


def button(job: JobRecord, label: str) -> Button:
    """Asks for the plan that removes what the job has left."""
    return Button(label, "ask", f"clean-up {job.number}", says=say("Plan: remove what job {n} left", n=numbered(job)))


def _step(job: JobRecord, kind: str) -> StepRecord | None:
    return next((step for step in job.steps if step.kind == kind), None)


def _guests(job: JobRecord) -> Iterator[LeftGuest]:
    brought, removed = _step(job, IMPORT), _step(job, REMOVE)
    if brought is None or removed is None or removed.state is StepState.DONE:
        return
    pool, mark = job.pool_of(brought.index), f"{MARK} {job.nonce}"
    if GUEST in brought.made:
        yield from _whole(job, brought.made, removed, pool, mark)
    elif brought.state in BAD and brought.noted:
        # It came, did not get as far as being known under its mark, and did not go again.
        before = msgspec.json.decode(brought.noted, type=Before)
        for uuid, came in before.came.items():
            yield LeftGuest(pool, uuid, came.disks, (mark, before.name), mark, _starts(job, uuid))


def _whole(job: JobRecord, made: dict[str, str], removed: StepRecord, pool: str, mark: str) -> Iterator[LeftGuest]:
    ready = _step(job, READY)
    is_ready = ready is not None and ready.state is StepState.DONE
    if is_ready and job.plan.steps[removed.index].unless_well and removed.state is StepState.WAITING:
        # It was wanted, and is whole.
        return
    its = tuple(uuid for name, uuid in sorted(made.items()) if name.startswith(_DISK_OF))
    starts = _starts(job, made[GUEST])
    if not is_ready or ready is None:
        yield LeftGuest(pool, made[GUEST], its, (mark,), mark, starts, template=True)
        return
    wished = readiness(job.filled.steps[ready.index])
    yield LeftGuest(pool, made[GUEST], its, (wished.name,), mark, starts, template=False, bare=not wished.nics)


def _starts(job: JobRecord, guest: str) -> tuple[float, ...]:
    """When a guest is known to have been started: as it came, and by the job itself."""
    brought, watched = _step(job, IMPORT), _step(job, WATCH)
    found = [float(watched.noted)] if watched is not None and watched.noted else []
    if brought is not None and brought.noted:
        came = msgspec.json.decode(brought.noted, type=Before).came.get(guest)
        found += [came.started_at] if came is not None and came.started_at is not None else []
    return tuple(found)


def _disks(job: JobRecord) -> Iterator[LeftDisks]:
    tried, swept, deleted = (_step(job, kind) for kind in (trying.TRY, trying.SWEEP, REMOVE_STORAGE))
    if tried is None or swept is None or swept.state is StepState.DONE:
        return
    if deleted is not None and deleted.state is StepState.DONE:
        # They went with their storage.
        return
    filled, known = job.step(swept.index), _tried_with(job)
    if filled is not None and known:
        (sr,) = filled.call.uuids("SR")
        yield LeftDisks(job.pool_of(swept.index), sr, trying.mark_of(filled), known)


def _tried_with(job: JobRecord) -> tuple[str, ...]:
    """The disks (UUIDs) that the job has written down when it made them, or was about to remove them."""
    wrote = [step for step in job.steps if step.kind in {trying.TRY, trying.SWEEP, REMOVE_STORAGE}]
    return tuple(sorted({uuid for step in wrote for uuid in trying.disks_noted(step.noted)}))
