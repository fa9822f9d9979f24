"""Moving a guest by backup and restore: `/xen move-by-backup <vm> to <host>`, where it can be moved in no other way.

The guest is shut down and kept off, backed up, restored at the other host under its name and addresses, read back from
there and compared, and only then started there. The source stays as it is, off, until somebody retires it or rolls
back: each is a request of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

import msgspec

from bot.domain.backup_facts import BackupFacts
from bot.domain.catalogue import Archived
from bot.domain.inventory import Host, PowerState, Tools, Vm
from bot.domain.message import Button, Table
from bot.domain.plan import LockKey, Plan, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.record import JobRecord
from bot.domain.restores import Restored, RestoreFacts
from bot.domain.texts import Phrase, Size, plain, say
from bot.errors import CannotTell, NotFound, Unreachable, XapiFailure
from bot.operations import backup, leavings, restore
from bot.operations.backup_room import ROOM
from bot.operations.backup_words import RESTART_S
from bot.operations.base import Homes, Look, Operation, Seen, entire
from bot.operations.checks import moving
from bot.operations.checks.backing import Place, estimate, expected
from bot.operations.checks.meeting import Wish
from bot.operations.move_by_backup_steps import (
    COMPARE,
    RUNS,
    WATCH,
    copy_left,
    copy_of,
    guard,
    look,
    pool_there,
    runs_after,
    steps,
    tools_wanted,
)
from bot.operations.move_parted import parted
from bot.operations.network_words import mapping
from bot.operations.placement import placement
from bot.operations.ports import Facts
from bot.operations.restore_steps import wished
from bot.operations.risk import assess_move_by_backup

NAME = "move-by-backup"
#: What undoes a move, and what makes it final.
ROLL_BACK, RETIRE = "roll-back", "retire"


async def plan(vm: Vm, host: Host, sr: str, networks: str, facts: Facts, approval: ApprovalSettings) -> Plan:
    """The plan for moving a guest to a host, its disks to the SR (UUID, or the pool's default).

    `networks` says which card goes to which network, as people write it. Raises as Facts.migration.
    """
    read, now = await _source(vm.uuid, vm.pool, facts)
    coming = moving.foreseen(read, now)
    there = await _target(read, coming, host.pool, host.uuid, sr, facts)
    chosen, strange = mapping(networks, coming.contents.guest.nics, there.networks)
    wish = _wish(read, chosen, strange)
    tools = read.vm.tools is Tools.PRESENT
    place = await backup.place_of({vm.uuid: read}, facts)
    return decide(read, coming, place, there, wish, approval, tools=tools)


async def _source(vm: str, pool: str, facts: Facts) -> tuple[BackupFacts, Restored]:
    read, now = await asyncio.gather(facts.backup(vm), facts.restored(pool, vm))
    return read, now


async def _target(read: BackupFacts, coming: Archived, pool: str, host: str, sr: str, facts: Facts) -> RestoreFacts:
    """The facts of the pool that shall take it; the guest itself is off by then, and disturbs nobody."""
    found = await facts.restore(restore.coming(coming, read.vm.name), pool, host, sr)
    others = {mac: tuple(one for one in holders if one.uuid != read.vm.uuid) for mac, holders in found.macs.items()}
    return msgspec.structs.replace(
        found,
        names=tuple(one for one in found.names if one.uuid != read.vm.uuid),
        macs={mac: holders for mac, holders in others.items() if holders},
    )


def _wish(read: BackupFacts, networks: Mapping[str, str], strange: tuple[str, ...]) -> Wish:
    running = read.vm.power_state is PowerState.RUNNING
    return Wish(
        restore.usable_name(read.vm.name), start=running, keep_mac=True, networks=dict(networks), strange=strange
    )


def decide(
    read: BackupFacts,
    coming: Archived,
    place: Place,
    there: RestoreFacts,
    wish: Wish,
    approval: ApprovalSettings,
    *,
    tools: bool,
) -> Plan:
    """The plan that follows from the facts: every check is judged, blocked or not. Never raises."""
    vm = read.vm
    wish = msgspec.structs.replace(wish, networks=restore.networks_for(coming, there, wish))
    ready = restore.readiness_for(coming, there, wish)
    seconds = _seconds(read, place)
    outage = sum(seconds) + RESTART_S if vm.power_state is PowerState.RUNNING else 0.0
    risk = assess_move_by_backup(read, there, restore.left_on(coming.contents, there), outage, approval)
    host = there.host.name if there.host is not None else ""
    sr = there.sr.uuid if there.sr is not None else ""
    return Plan(
        operation=NAME,
        pool=read.pool.uuid,
        title=say("Move {vm} to {host} by backup and restore", vm=vm.name, host=host),
        refusal=say("{vm} cannot be moved to {host} by backup and restore", vm=vm.name, host=host),
        targets=(Target("VM", vm.uuid, vm.name), Target("host", ready.host, host)),
        placements=(placement(vm),),
        checks=tuple(moving.checks(read, coming, place, there, wish)),
        risk=risk.risk,
        risk_reasons=risk.reasons,
        steps=steps(read, there, ready, sr, expected(read, place), tools=tools),
        locks=tuple(_locks(read, there)),
        after=tuple(_after(read, there)),
        estimate_s=sum(seconds) + (RESTART_S if outage else 0.0),
        names=_names(read, there),
        approvers=risk.approvers,
    )


def _seconds(read: BackupFacts, place: Place) -> tuple[float, float, float]:
    """How long the export may take, the import, and reading the copy back."""
    export = estimate(read, place).most
    return export, restore.seconds_for(expected(read, place)), export


def _locks(read: BackupFacts, there: RestoreFacts) -> Iterator[LockKey]:
    yield LockKey("VM", read.vm.uuid, read.vm.name)
    yield from restore.places_in(there)


def _names(read: BackupFacts, there: RestoreFacts) -> dict[str, str]:
    here = {read.pool.uuid: read.pool.name, read.vm.uuid: read.vm.name}
    return here | {host.uuid: host.name for host in read.hosts} | restore.names_in(there)


def _after(read: BackupFacts, there: RestoreFacts) -> Iterator[Phrase]:
    """What happens, what will be new, and what is left to be done; how long the guest is away is told as a risk."""
    vm = read.vm.name
    if read.vm.power_state is PowerState.RUNNING:
        always = (
            "Whatever goes wrong, and if you cancel, {vm} is started again in {pool} first thing, once its copy"
            " certainly does not run. It never runs twice."
        )
        yield say(always, vm=vm, pool=read.pool.name)
    else:
        yield say("{vm} is off, and so is its copy then.", vm=vm)
    if there.sr is not None:
        size = sum(max(0, disk.size) for disk in read.vm.disks if disk.vdi and not disk.cd)
        sr, pool = there.sr.name, there.pool.name
        yield say("Its disks, up to {size}, go to {sr} of {pool}.", size=Size(size), sr=sr, pool=pool)
    yield say(
        "The copy has its name and its MAC addresses, and new UUIDs; automatic power-on and its priority in high"
        " availability are left off. Snapshots stay with the source."
    )
    yield say(
        "Afterwards {vm} stays in {pool}, off, with its disks: it is retired or rolled back then, each with an approval"
        " of its own. Both must never be started side by side: they have the same addresses.",
        vm=vm,
        pool=read.pool.name,
    )
    yield say("The backup that is made for it stays in the archive.")


# Planning again


async def _replan(earlier: Plan, facts: Facts, approval: ApprovalSettings, _homes: Homes) -> Plan:
    vm = earlier.targets[0]
    ready, sr = wished(earlier)
    read, now = await _source(vm.uuid, earlier.pool, facts)
    coming = moving.foreseen(read, now)
    there = await _target(read, coming, pool_there(earlier), ready.host, sr, facts)
    wish = _wish(read, {nic.device: nic.network for nic in ready.nics}, ())
    place = await backup.place_of({vm.uuid: read}, facts)
    return decide(read, coming, place, there, wish, approval, tools=tools_wanted(earlier))


# How things stand in the end


async def _sum_up(of: Plan, done: frozenset[int], facts: Facts) -> Look:
    """Where the guest runs now: there as a copy, or here as before."""
    vm = of.targets[0]
    here = await facts.restored(of.pool, vm.uuid)
    copy = await _copy(of, done, facts)
    host = of.names.get(here.host, here.host)
    if copy is not None and here.power_state is PowerState.RUNNING and copy.power_state is PowerState.RUNNING:
        words = "{vm} RUNS TWICE: on {here} and on {there}; stop one of them"
        return Look(Seen.HARMED, say(words, vm=vm.name, here=host, there=_on(of, copy)), ())
    if all(index in done for index, step in enumerate(of.steps) if not step.undoes):
        return _arrived(of, here, copy)
    was = PowerState.RUNNING if runs_after(of) else PowerState.HALTED
    left = () if copy is None else (say("The copy {copy} is left on {host}", copy=copy.name, host=_on(of, copy)),)
    if here.power_state is was and not here.remembered and copy is None:
        words = "{vm} was not moved, and runs on {host}"
        words = words if was is PowerState.RUNNING else "{vm} was not moved, and is off as before"
        return Look(Seen.NOT_DONE, say(words, vm=vm.name, host=host), ())
    if here.power_state is was:
        return Look(Seen.HARMED, say("{vm} was not moved, and not all is as before", vm=vm.name), left)
    return Look(Seen.HARMED, say("GUEST IS DOWN: {vm} was not moved, and does not run", vm=vm.name), left)


async def _copy(of: Plan, done: frozenset[int], facts: Facts) -> Restored | None:
    """The copy as it is now, None for none; where its pool is silent, none where it certainly does not run."""
    uuid = copy_of(of)
    if not uuid:
        return None
    try:
        return await facts.restored(pool_there(of), uuid)
    except NotFound:
        return None
    except (Unreachable, CannotTell, XapiFailure):
        started = any(of.steps[index].makes == RUNS for index in done)
        stopped = any(of.steps[index].undoes == RUNS for index in done)
        if started and not stopped:
            raise
        return None


def _arrived(of: Plan, here: Restored, copy: Restored | None) -> Look:
    vm = of.targets[0]
    if copy is None:
        return Look(Seen.HARMED, say("the copy of {vm} is gone", vm=vm.name), ())
    name, host, pool = vm.name, _on(of, copy), of.names.get(of.pool, "")
    kept = say("{vm} of {pool} is kept as it was, off: retire it, or roll back", vm=name, pool=pool)
    if not runs_after(of):
        return Look(Seen.DONE, say("{vm} is copied to {host}, off as before", vm=name, host=host), (kept,))
    if copy.power_state is PowerState.RUNNING and here.power_state is PowerState.HALTED:
        now = say("{vm} now runs on {host}, as a copy", vm=name, host=host)
        return Look(Seen.GOING_ON if copy.operations else Seen.DONE, now, (kept,))
    return Look(Seen.HARMED, say("the copy of {vm} does not run on {host}", vm=name, host=host), ())


def _on(of: Plan, copy: Restored) -> str:
    return of.names.get(copy.host, copy.host) or of.targets[1].name


# What is shown


def _running(of: Plan) -> Phrase:
    return say("Moving {vm} to {host} by backup and restore", vm=of.targets[0].name, host=of.targets[1].name)


def _table(of: Plan) -> Table | None:
    """Every step and where it is done, for whoever decides."""
    if of.blocked:
        return None
    way = [step for step in of.steps if not step.undoes]
    rows = [(str(n), plain(step.title), of.names.get(step.pool or of.pool, "")) for n, step in enumerate(way, 1)]
    return Table(("", "Step", "Pool"), tuple(rows))


def _then(of: Plan) -> tuple[Button, ...]:
    vm = of.targets[0]
    retire = Button(
        "Retire source", "ask", f"retire {vm.uuid}", says=say("Plan: retire the source of {vm}", vm=vm.name)
    )
    return (retire, _back(of, vm.uuid))


def _mends(job: JobRecord) -> tuple[Button, ...]:
    """By the copy, which tells this move from every other of the guest; one that never became ready is removed."""
    if not leavings.is_rolled_back(job):
        return leavings.mends(job)
    copy = copy_left(job)
    return (_back(job.plan, copy),) if copy else ()


def _back(of: Plan, guest: str) -> Button:
    says = say("Plan: roll the move of {vm} back", vm=of.targets[0].name)
    return Button("Roll back", "ask", f"roll-back {guest}", says=says)


OPERATION = Operation(
    name=NAME,
    replan=_replan,
    look=look,
    running=_running,
    when_stopped=say(
        "The guest is started again first thing, once its copy certainly does not run; the copy is removed with its"
        " disks."
    ),
    settle_s=30.0,
    advanced=entire,
    crowded=frozenset({"VDI_IN_USE", "OTHER_OPERATION_IN_PROGRESS"}),
    then=_then,
    onward=_then,
    mends=_mends,
    # What these offer means the newest move of the guest.
    settles=frozenset({NAME, RETIRE}),
    sum_up=_sum_up,
    table=_table,
    tells=frozenset({COMPARE, WATCH}),
    whole=True,
    ahead=ROOM,
    guard=guard,
    parted=parted,
)
