"""Removing what a job of ours left at a pool: `/xen clean-up <job>`, which mends what the check of a pool finds.

A backup whose end was cut off may leave the snapshot that it took, a restore or a rehearsal the guest that it imported,
a trial of storage its disks, the adding of storage all of it. They are removed by the UUIDs that were stored when they
were made, and by nothing else: a name, a tag or a key that looks like ours is inherited by copies of others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from bot.domain.calls import Call, Ref
from bot.domain.guest_facts import PowerFacts
from bot.domain.job import FINAL
from bot.domain.plan import RISK_ORDER, Check, LockKey, Plan, Risk, Step, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.record import JobRecord
from bot.domain.texts import Code, Phrase, say
from bot.domain.words import counted, numbered
from bot.errors import Refused
from bot.operations import clean_up_left, clean_up_storage, leavings
from bot.operations.backup_steps import DESTROY, DESTROY_DISK, DISK_OF, SNAPSHOT_OF, look
from bot.operations.base import Homes, Look, Operation, buttons_of
from bot.operations.checks.grading import already, fine
from bot.operations.checks.guest import foreign_work
from bot.operations.checks.target import supported
from bot.operations.ports import Facts
from bot.operations.risk import assess_power

NAME = "clean-up"


class Left(msgspec.Struct, frozen=True):
    """A snapshot that a job of ours took of a guest, with its disks: UUIDs, all stored when it was taken."""

    guest: str
    snapshot: str
    disks: tuple[str, ...]

    @property
    def anything(self) -> bool:
        """Whether there is anything to remove."""
        return bool(self.snapshot or self.disks)


def left_by(job: JobRecord) -> tuple[Left, ...]:
    """What a job that is over has made, as far as snapshots go; whether it is still there only the pool can tell."""
    if job.state not in FINAL:
        return ()
    made = job.made
    return tuple(
        Left(
            name.removeprefix(SNAPSHOT_OF),
            uuid,
            tuple(disk for key, disk in sorted(made.items()) if _is_disk(key, name.removeprefix(SNAPSHOT_OF))),
        )
        for name, uuid in sorted(made.items())
        if name.startswith(SNAPSHOT_OF)
    )


def _is_disk(key: str, guest: str) -> bool:
    return key.startswith(DISK_OF) and key.endswith(f" {guest}")


async def plan(job: JobRecord, facts: Facts, approval: ApprovalSettings) -> Plan:
    """The plan for removing what a job left. Raises Refused where there is nothing; else as Facts.power."""
    if job.state not in FINAL:
        raise Refused(f"Job {job.number} is not over: it clears up after itself.", f"`/xen job {job.number}` shows it.")
    title = say("Remove what job {n} left", n=numbered(job))
    left, guests = left_by(job), leavings.guests(job)
    storage, disks = leavings.storage(job), leavings.disks(job)
    if left:
        return await _planned(title, left, facts, approval)
    if guests and leavings.is_rolled_back(job):
        # By the copy: a later move of the same guest is another one.
        raise Refused(
            f"What job {job.number} left is the copy of a guest.", f"Roll it back: `/xen roll-back {guests[0].uuid}`."
        )
    if guests:
        return await clean_up_left.plan_guests(NAME, title, guests, facts)
    if storage:
        # The disks that it was tried with lie in it, and go with it.
        if not storage[0].made:
            title = say("Forget the storage that job {n} attached", n=numbered(job))
        return await clean_up_storage.plan(NAME, title, storage[0], facts)
    if disks:
        return await clean_up_left.plan_disks(NAME, title, disks[0], facts)
    raise Refused(f"Job {job.number} left nothing that is known.", f"`/xen job {job.number}` shows what it did.")


async def _planned(title: Phrase, left: Sequence[Left], facts: Facts, approval: ApprovalSettings) -> Plan:
    read = await asyncio.gather(*(facts.power(one.guest, ()) for one in left))
    there = await asyncio.gather(*(_still_there(one, of.pool.uuid, facts) for one, of in zip(left, read, strict=True)))
    pairs = list(zip(read, there, strict=True))
    return decide(title, [pair for pair in pairs if pair[1].anything] or pairs[:1], approval)


async def _still_there(one: Left, pool: str, facts: Facts) -> Left:
    """What of it hangs on the snapshot now, both as stored and as the pool has it; without a snapshot nothing.

    Once this job itself has removed the snapshot (then none is named), what is left are the disks that hung on it.
    """
    if not one.snapshot:
        there = await asyncio.gather(*(facts.exists(pool, "VDI", disk) for disk in one.disks))
        return Left(one.guest, "", tuple(disk for disk, is_there in zip(one.disks, there, strict=True) if is_there))
    now = next((found for found in await facts.snapshots(pool, one.guest) if found.uuid == one.snapshot), None)
    if now is None:
        return Left(one.guest, "", ())
    hanging = set(now.disks.values())
    return Left(one.guest, one.snapshot, tuple(disk for disk in one.disks if disk in hanging))


def decide(title: Phrase, left: Sequence[tuple[PowerFacts, Left]], approval: ApprovalSettings) -> Plan:
    """The plan that follows from the facts. Never raises."""
    first = left[0][0]
    risks = [assess_power(read, Risk.LOW, None, approval) for read, _ in left]
    worst = max(risks, key=lambda one: RISK_ORDER[one.risk])
    checks = [supported(first.pool, first.hosts)]
    for read, one in left:
        checks += [_there(read, one), foreign_work(read)]
    return Plan(
        operation=NAME,
        pool=first.pool.uuid,
        title=title,
        refusal=say("Nothing is removed"),
        targets=tuple(Target("VM", read.vm.uuid, read.vm.name) for read, _ in left),
        placements=(),
        checks=tuple(checks),
        risk=worst.risk,
        risk_reasons=worst.reasons,
        steps=tuple(step for read, one in left for step in _steps(read, one)),
        locks=tuple(LockKey("VM", read.vm.uuid, read.vm.name) for read, _ in left),
        after=(say("The guest itself and every other snapshot stay as they are."),),
        names={first.pool.uuid: first.pool.name} | {read.vm.uuid: read.vm.name for read, _ in left},
        approvers=worst.approvers,
    )


def _there(read: PowerFacts, one: Left) -> Check:
    key, title, vm = f"left:{read.vm.uuid}", "Left behind", read.vm.name
    if not one.anything:
        return already(key, title, say("no snapshot of {vm} by this job is there", vm=vm))
    disks = counted(len(one.disks), "disk", "disks")
    if not one.snapshot:
        return fine(key, title, say("{disks} of the snapshot of {vm}", vm=vm, disks=disks))
    return fine(
        key, title, say("a snapshot of {vm}, {uuid}, with {disks}", vm=vm, uuid=Code(one.snapshot), disks=disks)
    )


def _steps(read: PowerFacts, one: Left) -> tuple[Step, ...]:
    vm, lane = read.vm.name, read.vm.uuid
    gone = say("Remove the snapshot of {vm}", vm=vm)
    disk_gone = say("Remove a disk of the snapshot of {vm}", vm=vm)
    first = (Step(DESTROY, gone, Call(DESTROY, (Ref("VM", one.snapshot),)), lane=lane),) if one.snapshot else ()
    return (
        *first,
        *(Step(DESTROY_DISK, disk_gone, Call(DESTROY_DISK, (Ref("VDI", disk),)), lane=lane) for disk in one.disks),
    )


def _planned_for(of: Plan) -> tuple[Left, ...]:
    """What a plan, or the rest of one, removes by its steps."""
    left = []
    for target in of.targets:
        refs = [arg for step in of.steps if step.lane == target.uuid for arg in step.call.args if isinstance(arg, Ref)]
        snapshot = next((ref.uuid for ref in refs if ref.kind == "VM"), "")
        left.append(Left(target.uuid, snapshot, tuple(ref.uuid for ref in refs if ref.kind == "VDI")))
    return tuple(one for one in left if one.anything)


async def _replan(earlier: Plan, facts: Facts, approval: ApprovalSettings, _homes: Homes) -> Plan:
    guests = [clean_up_left.guest_of(step, earlier.pool) for step in earlier.steps if step.kind == clean_up_left.GUEST]
    if guests:
        return await clean_up_left.plan_guests(NAME, earlier.title, guests, facts)
    disks = [clean_up_left.disks_of(step, earlier.pool) for step in earlier.steps if step.kind == clean_up_left.DISKS]
    if disks:
        return await clean_up_left.plan_disks(NAME, earlier.title, disks[0], facts)
    storage = [step for step in earlier.steps if step.kind == clean_up_storage.STORAGE]
    if storage:
        left = clean_up_storage.storage_of(storage[0], earlier.pool)
        return await clean_up_storage.plan(NAME, earlier.title, left, facts)
    return await _planned(earlier.title, _planned_for(earlier), facts, approval)


async def _look(of: Plan, step: Step, facts: Facts) -> Look:
    own = {
        clean_up_left.GUEST: clean_up_left.look_at_guest,
        clean_up_left.DISKS: clean_up_left.look_at_disks,
        clean_up_storage.STORAGE: clean_up_storage.look,
    }
    return await own.get(step.kind, look)(of, step, facts)


OPERATION = Operation(
    name=NAME,
    replan=_replan,
    look=_look,
    instead=buttons_of,
    running=lambda of: say("{title}", title=of.title),
    when_stopped=say("What is removed by then stays removed."),
    settle_s=5.0,
)
