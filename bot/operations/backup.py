"""Backing guests up: `/xen backup <vm> …`. A lane of steps for each guest; one that fails stops no other.

Green means: the archive was verified to its end, the pool calls the export a success, the file is on disk under its
name with its manifest, and the snapshot is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from bot.domain.backup_facts import BackupFacts
from bot.domain.catalogue import Backup, Proof
from bot.domain.inventory import PowerState, Vm
from bot.domain.plan import Check, Grade, LockKey, Plan, Risk, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import Code, Phrase, Quote, Size, Span, clean, many, say
from bot.domain.words import counted
from bot.errors import NotFound, Refused, TargetFailed, UserError, XenError
from bot.operations import backup_words as words
from bot.operations.backup_room import ROOM
from bot.operations.backup_steps import (
    Manner,
    export_of,
    guests_of,
    how_of,
    in_short,
    lane,
    look,
    manner_of,
    mark,
    nonce_of,
)
from bot.operations.base import Homes, Look, Operation, Seen
from bot.operations.checks.backing import (
    How,
    Place,
    disks_of,
    estimate,
    expected,
    of_guest,
    of_place,
    snapshot_room,
)
from bot.operations.checks.export_time import in_a_row
from bot.operations.checks.grading import fine
from bot.operations.placement import placement
from bot.operations.ports import Facts
from bot.operations.risk import assess_backup

NAME = "backup"
# With more guests than that the result names them and leaves the rest to `/xen backups`.
_NAMED = 8
_NUMBERS = {"archive", "merging", "snapshot-room", "time", "chain", "exported"}

#: Whom it concerns, why no backup of it could be made now, and the way out where one is known.
Hindrance: TypeAlias = tuple[str, Phrase, Phrase | None]


async def plan(vms: Sequence[str], manner: Manner, facts: Facts, approval: ApprovalSettings) -> Plan:
    """The plan for backing up these guests (UUIDs). Raises Refused for those of two pools, else as Facts.migration."""
    reads = {vm: await facts.backup(vm) for vm in dict.fromkeys(vms)}
    pools = {read.pool.uuid: read.pool.name for read in reads.values()}
    if len(pools) > 1:
        names = " and ".join(sorted(clean(name) for name in pools.values()))
        raise Refused(f"These guests are in different pools: {names}.", "Ask for those of each pool by themselves.")
    hows = {vm: _how(read, manner) for vm, read in reads.items()}
    return decide(reads, hows, manner, await place_of(reads, facts), approval)


async def hindrances(
    vms: Sequence[Vm], manner: Manner, facts: Facts, approval: ApprovalSettings
) -> AsyncIterator[Hindrance]:
    """What would stop backups now: of each guest by itself, then of those of a pool together. Raises none of it."""
    well: dict[str, list[str]] = {}
    for vm in vms:
        found = [one async for one in _against([vm.uuid], vm.name, manner, facts, approval)]
        if not found:
            well.setdefault(vm.pool, []).append(vm.uuid)
        for one in found:
            yield one
    for together in well.values():
        if len(together) > 1:
            async for one in _against(together, f"{len(together)} guests together", manner, facts, approval):
                yield one


async def _against(
    vms: Sequence[str], whom: str, manner: Manner, facts: Facts, approval: ApprovalSettings
) -> AsyncIterator[Hindrance]:
    try:
        made = await plan(vms, manner, facts, approval)
    except UserError as refusal:
        yield whom, say("{why}", why=Quote(refusal.message)), say("{fix}", fix=Quote(refusal.fix))
        return
    except XenError as silent:
        yield whom, say("the pool could not be asked: {why}", why=Quote(str(silent))), None
        return
    for check in made.blocked:
        yield whom, check.fact, check.fix
    if not made.blocked and approval.needed(made.risk, made.approvers):
        yield whom, say("an approval of its own is needed: {why}", why=many(made.risk_reasons)), None


def _how(read: BackupFacts, manner: Manner) -> How:
    if read.vm.power_state is PowerState.HALTED:
        return How.HALTED
    if not manner.cold:
        return How.WARM
    full = any(check.grade is Grade.BLOCKED for check in snapshot_room(read))
    return How.IN_PLACE if full else How.COLD


async def place_of(reads: Mapping[str, BackupFacts], facts: Facts) -> Place:
    """What is known of the place where backups of these guests would go."""
    try:
        room = await facts.archives.room(reads)
        servers = {sr: config for read in reads.values() for sr, config in read.servers.items()}
        shared = await asyncio.gather(*(facts.archives.shares_server(config) for config in servers.values()))
        same = frozenset(sr for sr, there in zip(servers, shared, strict=True) if there)
    except TargetFailed as failed:
        return Place(None, (failed.message, failed.fix))
    return Place(room, same=same, earlier=tuple(await facts.catalogue.backups()))


def decide(
    reads: Mapping[str, BackupFacts],
    hows: Mapping[str, How],
    manner: Manner,
    place: Place,
    approval: ApprovalSettings,
    *,
    several: bool = False,
) -> Plan:
    """The plan that follows from the facts: every check is judged, blocked or not. Never raises."""
    several = several or len(reads) > 1
    checks = [check for vm, read in reads.items() for check in _told(read, hows[vm], place, several=several)]
    times = {vm: estimate(read, place) for vm, read in reads.items()}
    least, most = in_a_row(list(times.values()))
    outages = [_outage(read, hows[vm], times[vm].most) for vm, read in reads.items() if hows[vm].stops]
    risk = assess_backup(list(reads.values()), outages, approval)
    first = next(iter(reads.values()))
    whom = counted(len(reads), "guest", "guests") if several else say("{vm}", vm=first.vm.name)
    stopped = any(how.stops for how in hows.values())
    title = say("Back up {whom}, shut down for it" if stopped else "Back up {whom}", whom=whom)
    return Plan(
        operation=NAME,
        pool=first.pool.uuid,
        title=title,
        refusal=say("{whom} cannot be backed up", whom=whom),
        targets=tuple(Target("VM", vm, read.vm.name) for vm, read in reads.items()),
        placements=tuple(placement(read.vm) for read in reads.values()),
        checks=(of_place(reads, place), *checks),
        risk=risk.risk,
        risk_reasons=risk.reasons,
        steps=tuple(step for vm, read in reads.items() for step in lane(read, hows[vm], manner, expected(read, place))),
        locks=tuple(LockKey("VM", vm, read.vm.name) for vm, read in reads.items()),
        after=tuple(words.after(reads, hows, manner, place, times)),
        estimate_s=most,
        estimate_least_s=least,
        names=_names(reads),
        approvers=risk.approvers,
        # How many are under way at once the settings say: by pool, host and archive, over all jobs.
        parallel=len(reads),
    )


def _told(read: BackupFacts, how: How, place: Place, *, several: bool) -> Iterator[Check]:
    """The checks of one guest; of one among several what is not fine in full, all the rest in one."""
    checks = of_guest(read, how, place)
    if not several:
        yield from checks
        return
    for check in checks:
        if check.grade is not Grade.OK:
            title = f"{read.vm.name}: {check.title}"
            yield msgspec.structs.replace(check, key=f"{check.key}:{read.vm.uuid}", title=title)
    if not any(check.grade is Grade.BLOCKED for check in checks):
        yield fine(f"guest:{read.vm.uuid}", read.vm.name, say("{vm} can be backed up", vm=read.vm.name))


def _outage(read: BackupFacts, how: How, seconds: float) -> tuple[Risk, Phrase]:
    if how is How.IN_PLACE:
        time = Span(seconds + words.RESTART_S)
        return Risk.HIGH, say("{vm} is off for the whole export, up to {time}", vm=read.vm.name, time=time)
    return Risk.MEDIUM, say("{vm} is shut down and started again, about {t}", vm=read.vm.name, t=Span(words.RESTART_S))


def _names(reads: Mapping[str, BackupFacts]) -> dict[str, str]:
    found: dict[str, str] = {}
    for vm, read in reads.items():
        found |= {read.pool.uuid: read.pool.name, vm: read.vm.name}
        found |= {key: host.name for host in read.hosts for key in (host.uuid, host.address)}
        found |= {disk.sr.uuid: disk.sr.name for disk in disks_of(read) if disk.sr is not None}
    return found


async def _replan(earlier: Plan, facts: Facts, approval: ApprovalSettings, _homes: Homes) -> Plan:
    """The same judged again, each guest in the way that was agreed to."""
    reads: dict[str, BackupFacts] = {}
    exports = [step for vm in guests_of(earlier) if (step := export_of(earlier.steps, vm)) is not None]
    for step in exports:
        reads[step.lane] = await facts.backup(step.lane)
    if not reads:
        raise NotFound("guest", earlier.targets[0].name)
    hows = {step.lane: how_of(step) for step in exports}
    place = await place_of(reads, facts)
    now = decide(reads, hows, manner_of(exports[0]), place, approval, several=len(earlier.targets) > 1)
    checks = tuple(_unmoved(check) for check in now.checks)
    return msgspec.structs.replace(now, targets=earlier.targets, checks=checks)


def _unmoved(check: Check) -> Check:
    """What other backups do meanwhile, to the numbers too, does not count until a check truly blocks."""
    number = check.key.partition(":")[0] in _NUMBERS and check.grade is Grade.WARNING
    return msgspec.structs.replace(check, grade=Grade.OK) if number else check


async def _renew(earlier: Plan, facts: Facts, approval: ApprovalSettings) -> Plan:
    """The guests of which no backup was made, planned anew."""
    exports = [step for vm in guests_of(earlier) if (step := export_of(earlier.steps, vm)) is not None]
    if not exports:
        raise Refused("Every guest of that job was backed up.", "`/xen backups` shows them.")
    return await plan([step.lane for step in exports], manner_of(exports[0]), facts, approval)


def _advanced(of: Plan, begun: frozenset[int]) -> Plan:
    left = tuple(step for index, step in enumerate(of.steps) if index not in begun)
    guests = {step.lane for step in left}
    kept = tuple(place for place in of.placements if place.vm in guests)
    return msgspec.structs.replace(of, steps=left, placements=kept)


async def _sum_up(of: Plan, done: frozenset[int], facts: Facts) -> Look:
    """Which guests have their backup now, seen in the archive."""
    guests = guests_of(of)
    made: dict[str, Backup] = {}
    for vm in guests:
        step = export_of(of.steps, vm)
        backup = await _made(vm, nonce_of(step), facts) if step is not None else None
        if backup is not None:
            made[vm] = backup
    told = [await _evidence(of, vm, backup, done, facts) for vm, backup in made.items()]
    evidence = tuple(line for lines in told for line in lines)
    if len(guests) > _NAMED:
        evidence = (say("Backed up: {guests}", guests=many([of.names.get(vm, vm) for vm in made])),) if made else ()
    names = {vm: of.names.get(vm, vm) for vm in guests}
    if len(guests) == 1:
        if made and not done.issuperset(index for index, step in enumerate(of.steps) if not step.unless_well):
            left = say("Backed up {vm}, but what was made for it is not all cleaned up", vm=names[guests[0]])
            return Look(Seen.NOT_DONE, left, evidence)
        if made:
            return Look(Seen.DONE, say("Backed up {vm}", vm=names[guests[0]]), evidence)
        return Look(Seen.NOT_DONE, say("{vm} was not backed up", vm=names[guests[0]]), evidence)
    if len(made) == len(guests):
        return Look(Seen.DONE, say("Backed up {n} guests", n=len(guests)), evidence)
    return Look(Seen.NOT_DONE, say("Backed up {n} of {all} guests", n=len(made), all=len(guests)), evidence)


async def _made(vm: str, nonce: str, facts: Facts) -> Backup | None:
    try:
        return await facts.archives.made(vm, mark(nonce, vm))
    except TargetFailed:
        return None


async def _evidence(of: Plan, vm: str, backup: Backup, done: frozenset[int], facts: Facts) -> list[Phrase]:
    line = in_short(backup, await _blocks(backup, facts))
    took = backup.verified.at - backup.at if backup.verified and backup.verified.how is Proof.STREAM else 0
    if took >= 1:
        rate = Size(int(backup.size / took))
        line = say("{line} · in {time}, {rate}/s", line=line, time=Span(took), rate=rate)
    if len(of.targets) > 1:
        line = say("{vm}: {line}", vm=of.names.get(vm, vm), line=line)
    step = export_of(of.steps, vm)
    if step is None or len(of.targets) > 1:
        return [line]
    ours = [index for index, one in enumerate(of.steps) if one.lane == vm and one.undoes and not one.unless_well]
    gone = say("; snapshot removed") if how_of(step).snapshot and done.issuperset(ours) else say("")
    how = say("{how}{gone} · SHA-256 {hash}", how=say(how_of(step).value), gone=gone, hash=Code(backup.sha256[:16]))
    return [line, how]


async def _blocks(backup: Backup, facts: Facts) -> int:
    """How many blocks of disks its archive holds, 0 where that cannot be read now."""
    try:
        return (await facts.library.archived(backup.id)).contents.blocks
    except (TargetFailed, NotFound):
        return 0


OPERATION = Operation(
    name=NAME,
    replan=_replan,
    look=look,
    running=words.running,
    instead=words.instead,
    when_stopped=say(
        "What has come is thrown away, the snapshot is removed, a guest that was stopped is started again."
    ),
    settle_s=20.0,
    # XAPI has not begun: the disk is still being detached from the export, or other work goes on at the guest.
    crowded=frozenset({"VDI_IN_USE", "OTHER_OPERATION_IN_PROGRESS"}),
    then=words.then,
    advanced=_advanced,
    sum_up=_sum_up,
    table=words.table,
    renew=_renew,
    stays=True,
    ahead=ROOM,
)
