"""Which guests were moved by backup: the source that is kept off, and the copy that took its place."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from bot.domain.job import JobState
from bot.domain.plan import Placement, Plan, Target
from bot.domain.record import MOST_OF_A_GUEST, JobRecord
from bot.domain.restores import Restored
from bot.domain.texts import clean
from bot.errors import NotFound, Refused
from bot.operations.move_by_backup import NAME, ROLL_BACK
from bot.operations.move_by_backup_steps import copy_left, copy_of, pool_there, runs_after
from bot.operations.ports import Facts
from bot.operations.restore_steps import made_of


class Jobs(Protocol):
    """Where the jobs of a guest are looked up."""

    async def jobs(self, *, limit: int = 20, target: str = "") -> Sequence[JobRecord]:
        """Those about that object (a UUID), newest first."""
        ...


class Moved(msgspec.Struct, frozen=True):
    """A move whose copy there is.

    `was` is the host that the guest ran on before the move, None where it did not run or nobody knows any more.
    `here` is the pool (UUID) of the source, `there` that of the copy; `disks` are the UUIDs of the copy's disks as the
    move stored them. `ran` tells that the guest ran before, `at` (Unix seconds) when the move ended, `stuck` that its
    job waits for a person and holds the guest until then.
    """

    job: int
    source: Target
    copy: str
    here: str
    there: str
    host: Target
    disks: tuple[str, ...]
    names: dict[str, str]
    ran: bool
    at: float = 0.0
    was: Target | None = None
    stuck: bool = False

    @property
    def targets(self) -> tuple[Target, ...]:
        """What a plan about it is about: source, copy, the host of the copy, its pool, and where the source ran."""
        copy = Target("VM", self.copy, self.source.name)
        there = Target("pool", self.there, self.names.get(self.there, ""))
        return (self.source, copy, self.host, there, *((self.was,) if self.was is not None else ()))


def move_of(uuid: str, name: str, jobs: Iterable[JobRecord], *, failed: bool = False) -> Moved:
    """The newest move by backup of a guest: that of the source, or of the copy.

    With `failed` also one that did not go well and has not removed its copy. `jobs` are the newest first. Raises
    Refused for none, and where the newest was rolled back.
    """
    undone: dict[str, int] = {}
    for job in jobs:
        if job.operation == ROLL_BACK and job.state is JobState.SUCCEEDED:
            source, copy = (one.uuid for one in job.plan.targets[:2])
            if uuid in {source, copy}:
                undone.setdefault(copy, job.number)
            continue
        # One that ended partly has its copy too, which may have gone down right after it was started.
        went = job.state in {JobState.SUCCEEDED, JobState.PARTIAL}
        # One in need of attention holds its guest until somebody has closed it.
        if job.operation == NAME and (went or (failed and copy_left(job))):
            found = _moved(job)
            if found.copy and uuid in {found.source.uuid, found.copy}:
                if found.copy not in undone:
                    return found
                break
    if undone:
        number = next(iter(undone.values()))
        raise Refused(
            f"The move of “{clean(name)}” was rolled back by job {number}: nothing to retire or roll back.",
            f"`/xen job {number}` tells what was done.",
        )
    raise Refused(
        f"“{clean(name)}” was not moved by backup, as far as my records go.",
        "`/xen move-by-backup <vm> to <host>` does that; `/xen jobs` lists what was done.",
    )


async def one_moved(guests: Iterable[str], known: Jobs, *, failed: bool = False) -> str:
    """The source of the one move that any of these guests (UUIDs) is part of, else "".

    A copy has the name of its source, and means the same move. With `failed` as `move_of`.
    """
    found: dict[int, str] = {}
    for uuid in guests:
        with contextlib.suppress(Refused):
            move = move_of(uuid, uuid, await known.jobs(limit=MOST_OF_A_GUEST, target=uuid), failed=failed)
            found[move.job] = move.source.uuid
    return next(iter(found.values())) if len(found) == 1 else ""


def _moved(job: JobRecord) -> Moved:
    plan = job.filled
    return Moved(
        job=job.number,
        source=plan.targets[0],
        copy=copy_of(plan),
        here=plan.pool,
        there=pool_there(plan),
        host=plan.targets[1],
        disks=made_of(plan, "VDI"),
        names=plan.names,
        ran=runs_after(plan),
        at=job.finished_at or job.updated_at,
        was=_was(plan),
        stuck=job.state is JobState.NEEDS_ATTENTION,
    )


def _was(plan: Plan) -> Target | None:
    host = next((one.host for one in plan.placements if one.vm == plan.targets[0].uuid and runs_after(plan)), None)
    return Target("host", host, plan.names.get(host, host)) if host else None


def told_by(plan: Plan, disks: tuple[str, ...] = ()) -> Moved:
    """The move that a plan made from it is about: its guest ran where the plan tells on which host."""
    source, copy, host, there, *was = plan.targets
    at = was[0] if was else None
    return Moved(0, source, copy.uuid, plan.pool, there.uuid, host, disks, plan.names, at is not None, was=at)


async def copy_now(pool: str, copy: str, facts: Facts) -> Restored | None:
    """The copy as it is now, None where it is gone. Raises Unreachable, XapiFailure."""
    try:
        return await facts.restored(pool, copy)
    except NotFound:
        return None


def standing(now: Restored) -> Placement:
    """Where a guest of a move is, as part of what is agreed to."""
    return Placement(now.uuid, now.host or None, now.power_state.value, ())
