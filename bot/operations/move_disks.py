"""Moving the disks of a running guest to another SR, one after the other: `/xen move-disks <vm> to <sr>`.

A moved disk is a new object with a new UUID; its place in the guest (userdevice) stays. So a step names the place, and
its call the disk that was there when planned.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bot.domain.calls import Call, Options, Ref
from bot.domain.disk_moves import DiskMoveFacts
from bot.domain.guest_facts import PowerFacts
from bot.domain.inventory import Disk, PowerState, Vm
from bot.domain.message import Button
from bot.domain.plan import Check, LockKey, Plan, Step, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import Code, Phrase, Size, many, say
from bot.domain.words import power_word
from bot.errors import Refused
from bot.operations.base import Homes, Look, Operation, Seen
from bot.operations.checks import disks, guest
from bot.operations.checks.placing import licensed
from bot.operations.checks.target import source_live, supported
from bot.operations.checks.verdict import with_storage_verdict
from bot.operations.placement import placement
from bot.operations.ports import Facts
from bot.operations.risk import assess_disk_move
from bot.operations.space import COPY_BYTES_PER_S, copied, free_on

NAME = "move-disks"
_KIND = "VDI.pool_migrate:"
_LEAST_S = 10.0
# While a disk moves, XAPI shows this at its guest.
_GOING_ON = "migrate_send"


async def plan(
    vm: str, sr: str, facts: Facts, approval: ApprovalSettings, devices: frozenset[str] = frozenset()
) -> Plan:
    """The plan for moving a guest's disks to an SR (UUIDs); all of them where no `devices` are named.

    Raises as Facts.migration.
    """
    return decide(await facts.disk_move(vm, sr), approval, devices)


def decide(
    facts: DiskMoveFacts, approval: ApprovalSettings, devices: frozenset[str] = frozenset(), *, back: bool = False
) -> Plan:
    """The plan that follows from the facts: every check is judged, blocked or not; `back` as in `Plan.back`."""
    vm, sr = facts.vm, facts.target
    chosen = [disk for disk in vm.disks if disk.vdi and not disk.cd and (not devices or disk.userdevice in devices)]
    moving = disks.moving(facts, chosen)
    sizes = {disk.userdevice: copied(disk, facts.images[disk.userdevice]) for disk in moving}
    total = sum(sizes.values())
    free = free_on(sr)
    left = None if free is None else (free - total) * 100 // sr.size
    # The way back takes up what the way there gave up, so numbers raise nothing.
    risk = assess_disk_move(facts, None if back else left, approval)
    return Plan(
        operation=NAME,
        pool=vm.pool,
        title=say("Move {disks} of {vm} to {sr}", disks=_listed(moving or chosen), vm=vm.name, sr=sr.name),
        refusal=say("The disks of {vm} cannot be moved to {sr}", vm=vm.name, sr=sr.name),
        targets=(Target("VM", vm.uuid, vm.name), Target("SR", sr.uuid, sr.name)),
        placements=(placement(vm),),
        checks=tuple(_checks(facts, chosen, moving, devices)),
        risk=risk.risk,
        risk_reasons=risk.reasons,
        steps=tuple(_step(facts, disk) for disk in moving),
        locks=_locks(facts, moving),
        after=_after(facts, total),
        estimate_s=max(_LEAST_S * max(1, len(moving)), total / COPY_BYTES_PER_S),
        names=_names(facts),
        approvers=risk.approvers,
        back=back,
    )


def _listed(those: list[Disk]) -> Phrase:
    return _numbered([disk.userdevice for disk in those], "disk", "disks") if those else say("the disks")


def _numbered(devices: Sequence[str], one: str, several: str) -> Phrase:
    named = many([say("{device}", device=device) for device in devices])
    return say((one if len(devices) == 1 else several) + " {devices}", devices=named)


def _checks(facts: DiskMoveFacts, chosen: list[Disk], moving: list[Disk], devices: frozenset[str]) -> list[Check]:
    """In the order a person would mend them."""
    checks = [supported(facts.pool, (facts.host,)), disks.same_pool(facts)]
    checks += [*licensed(facts.pool, facts.vm, storage=True), disks.power(facts)]
    checks += [guest.foreign_work(facts), guest.blocked_operations(facts.vm, _GOING_ON)]
    checks += [*disks.target(facts), *disks.each(facts, chosen, devices)]
    if moving:
        checks.append(disks.room(facts, moving))
    if facts.host is not None:
        checks.append(source_live(facts, facts.host))
    return with_storage_verdict(facts, checks)


def _step(facts: DiskMoveFacts, disk: Disk) -> Step:
    title = say("Move disk {device} of {vm} to {sr}", device=disk.userdevice, vm=facts.vm.name, sr=facts.target.name)
    call = Call("VDI.pool_migrate", (Ref("VDI", disk.vdi), Ref("SR", facts.target.uuid), Options({})))
    return Step(f"{_KIND}{disk.userdevice}", title, call, weight=max(1, copied(disk, facts.images[disk.userdevice])))


def _locks(facts: DiskMoveFacts, moving: list[Disk]) -> tuple[LockKey, ...]:
    srs = {sr.uuid: sr for sr in (facts.target, *(disk.sr for disk in moving)) if sr is not None}
    hosts = [LockKey("host", facts.host.uuid, facts.host.name)] if facts.host is not None else []
    return (
        LockKey("VM", facts.vm.uuid, facts.vm.name),
        *hosts,
        *(LockKey("SR", sr.uuid, sr.name) for sr in srs.values()),
    )


def _after(facts: DiskMoveFacts, total: int) -> tuple[Phrase, ...]:
    copies = say("{size} are copied, one disk after the other; the guest keeps running.", size=Size(total))
    renewed = say("Each disk gets a new UUID; its place in the guest stays, and its snapshots follow it.")
    free = free_on(facts.target)
    if free is None:
        return copies, renewed
    left = say("After the move: {sr} has about {left} free", sr=facts.target.name, left=Size(max(0, free - total)))
    return left, copies, renewed


def _names(facts: DiskMoveFacts) -> dict[str, str]:
    named = {facts.pool.uuid: facts.pool.name, facts.vm.uuid: facts.vm.name, facts.target.uuid: facts.target.name}
    named |= {facts.host.uuid: facts.host.name} if facts.host is not None else {}
    return named | {disk.sr.uuid: disk.sr.name for disk in facts.vm.disks if disk.sr is not None}


def _target_of(of: Plan, kind: str) -> Target:
    return next(one for one in of.targets if one.kind == kind)


def _device(step: Step) -> str:
    return step.kind.removeprefix(_KIND)


async def _replan(earlier: Plan, facts: Facts, approval: ApprovalSettings, _homes: Homes) -> Plan:
    devices = frozenset(_device(step) for step in earlier.steps)
    read = await facts.disk_move(_target_of(earlier, "VM").uuid, _target_of(earlier, "SR").uuid)
    return decide(read, approval, devices, back=earlier.back)


async def _look(of: Plan, step: Step, facts: Facts) -> Look:
    """On which SR the disk is now, found by its place in the guest: a disk that has moved has a new UUID."""
    vm, sr, device = _target_of(of, "VM"), _target_of(of, "SR"), _device(step)
    now: PowerFacts = await facts.power(vm.uuid, ())
    disk = next((one for one in now.vm.disks if one.userdevice == device and one.vdi), None)
    if disk is None:
        headline = say("{vm} has no disk {device} any more", vm=vm.name, device=device)
        return Look(Seen.HARMED, headline, (_state(now.vm),))
    evidence = (_seen(disk, step), _state(now.vm))
    where = disk.sr.name if disk.sr is not None else say("storage that cannot be seen")
    if _GOING_ON in now.vm.operations:
        moving = say("Disk {device} of {vm} is on its way to {sr}", device=device, vm=vm.name, sr=sr.name)
        return Look(Seen.GOING_ON, moving, (*evidence, say("the pool still names a storage migration")))
    down = now.vm.power_state is not PowerState.RUNNING
    place = _up(now.vm, say("Disk {device} of {vm} is on {where}", device=device, vm=vm.name, where=where))
    if disk.sr is not None and disk.sr.uuid == sr.uuid:
        return Look(Seen.DONE, place, evidence)
    return Look(Seen.HARMED if down else Seen.NOT_DONE, place, evidence)


def _up(vm: Vm, what: Phrase) -> Phrase:
    """What was found, behind the one thing that matters more: that the guest no longer runs."""
    if vm.power_state is PowerState.RUNNING:
        return what
    state = say(power_word(vm.power_state))
    return say("GUEST IS DOWN: {vm} is {state}, it ran before; {what}", vm=vm.name, state=state, what=what)


def _seen(disk: Disk, step: Step) -> Phrase:
    before = next(iter(step.call.uuids("VDI")), "")
    if before in {"", disk.vdi}:
        return say("Looked at: disk {device} is {now}", device=disk.userdevice, now=Code(disk.vdi))
    return say(
        "Looked at: disk {device} was {before}, it is {now} now",
        device=disk.userdevice,
        before=Code(before),
        now=Code(disk.vdi),
    )


def _state(vm: Vm) -> Phrase:
    return say("{vm} is {state}", vm=vm.name, state=power_word(vm.power_state))


def _advanced(of: Plan, begun: frozenset[int]) -> Plan:
    """What remains once these disks are on the target: the other steps, and the guest with those disks there."""
    moved = {_device(of.steps[index]) for index in begun}
    sr = _target_of(of, "SR").uuid
    places = tuple(
        msgspec.structs.replace(
            place, disks=tuple((device, sr if device in moved else where) for device, where in place.disks)
        )
        for place in of.placements
    )
    left = tuple(step for index, step in enumerate(of.steps) if index not in begun)
    return msgspec.structs.replace(of, steps=left, placements=places)


async def _sum_up(of: Plan, done: frozenset[int], facts: Facts) -> Look:
    """On which SR each disk is now, and under which UUID those that have moved."""
    vm, sr = _target_of(of, "VM"), _target_of(of, "SR")
    now = (await facts.power(vm.uuid, ())).vm
    found = {disk.userdevice: disk for disk in now.disks if disk.vdi and not disk.cd}
    wanted = [_device(step) for step in of.steps]
    there = [one for one in wanted if one in found and (where := found[one].sr) is not None and where.uuid == sr.uuid]
    moved = [step for index, step in enumerate(of.steps) if index in done and _device(step) in found]
    evidence = (*(_seen(found[_device(step)], step) for step in moved), _state(now))
    if len(there) == len(wanted):
        are = "{disks} of {vm} is on {sr}" if len(wanted) == 1 else "{disks} of {vm} are on {sr}"
        headline = _up(now, say(are, disks=_numbered(wanted, "Disk", "Disks"), vm=vm.name, sr=sr.name))
        return Look(Seen.DONE if now.power_state is PowerState.RUNNING else Seen.HARMED, headline, evidence)
    headline = say(
        "{n} of {all} disks of {vm} are on {sr}, not there: {rest}",
        n=len(there),
        all=len(wanted),
        vm=vm.name,
        sr=sr.name,
        rest=_numbered([one for one in wanted if one not in there], "disk", "disks"),
    )
    return Look(Seen.NOT_DONE, _up(now, headline), evidence)


async def _reverse(done: Plan, facts: Facts, approval: ApprovalSettings) -> Plan:
    """The plan for moving the disks back to where they were. Raises Refused where that was more than one SR."""
    vm, devices = _target_of(done, "VM"), [_device(step) for step in done.steps]
    before = {device: sr for device, sr in done.placements[0].disks if device in devices and sr}
    srs = sorted(set(before.values()))
    if len(srs) > 1:
        asks = [
            f"`/xen move-disks {vm.uuid} disk {','.join(one for one in devices if before.get(one) == sr)} to {sr}`"
            for sr in srs
        ]
        raise Refused("The disks were on several SRs, and one job moves to one.", f"Ask for {' and '.join(asks)}.")
    return decide(await facts.disk_move(vm.uuid, srs[0]), approval, frozenset(before), back=True)


def _running(of: Plan) -> Phrase:
    return say("Moving disks of {vm} → {sr}", vm=_target_of(of, "VM").name, sr=_target_of(of, "SR").name)


def _then(of: Plan) -> tuple[Button, ...]:
    """Storage that other hosts see lets the guest go there."""
    vm = _target_of(of, "VM")
    return (Button("Plan: migrate", "ask", f"migrate {vm.uuid}", says=say("Plan a migration of {vm}", vm=vm.name)),)


def _instead(of: Plan) -> tuple[Button, ...]:
    """A guest that does not run can be started first."""
    vm = _target_of(of, "VM")
    if any(check.key == "power" for check in of.blocked):
        return (Button("Plan: start", "ask", f"start {vm.uuid}", says=say("Plan the start of {vm}", vm=vm.name)),)
    return ()


OPERATION = Operation(
    name=NAME,
    replan=_replan,
    look=_look,
    running=_running,
    instead=_instead,
    when_stopped=say("A disk that is on its way stays where it was; disks that have moved stay there."),
    settle_s=5.0,
    crowded=frozenset({"TOO_MANY_STORAGE_MIGRATES"}),
    then=_then,
    advanced=_advanced,
    sum_up=_sum_up,
    reverse=_reverse,
    learns=True,
)
