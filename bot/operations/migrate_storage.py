"""Migration together with disks, inside a pool: `/xen migrate <vm> to <host> sr <sr>`.

One call of XAPI copies the disks while the guest runs, then moves its memory; a halted guest's disks are copied alone.
Each disk gets a new UUID, its place in the guest (userdevice) stays. So the goal is kept by place, and a look goes by
that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bot.domain.calls import Call, DiskMap, Flag, Options, Reception, Ref
from bot.domain.disk_moves import DiskMoveFacts, SendFacts
from bot.domain.inventory import Disk, PowerState
from bot.domain.message import Button
from bot.domain.plan import Grade, LockKey, Plan, Step, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import Phrase, Size, clean, many, say
from bot.errors import Refused
from bot.operations import migrate
from bot.operations.base import NOBODY, Homes, Operation
from bot.operations.checks import sending
from bot.operations.not_arrived import booted
from bot.operations.placement import placement
from bot.operations.ports import Facts
from bot.operations.risk import assess
from bot.operations.risk_reasons import copying, filling
from bot.operations.sent import STEP, goals, look, origins, target_of, told
from bot.operations.space import COPY_BYTES_PER_S, copied, free_on

NAME = "migrate-storage"
_LEAST_S = 10.0


async def plan(vm: str, host: str, to: Mapping[str, str], facts: Facts, approval: ApprovalSettings) -> Plan:
    """The plan for moving a guest to a host with its disks (UUIDs), `to` as the goals of Facts.sending.

    A plain migration where every disk is there already. Raises as Facts.sending.
    """
    read = await facts.sending(vm, host, to)
    if read.goals and not read.strange and not moving(read) and read.move.vm.power_state is PowerState.RUNNING:
        return await migrate.plan(vm, host, facts, approval)
    return decide(read, approval)


def moving(facts: SendFacts) -> list[Disk]:
    """The disks that are to be copied to another SR."""
    disks = [disk for disk in facts.move.vm.disks if disk.vdi and not disk.cd and disk.sr is not None]
    return [
        disk for disk in disks if disk.sr is not None and facts.goals.get(disk.userdevice, disk.sr.uuid) != disk.sr.uuid
    ]


def decide(facts: SendFacts, approval: ApprovalSettings, homes: Homes = NOBODY, *, back: bool = False) -> Plan:
    """The plan that follows from the facts: every check is judged, blocked or not. Never raises."""
    move = facts.move
    vm, to = move.vm, move.target
    checks = tuple(sending.checks(facts, moving(facts)))
    also = [] if back else [factor for part in facts.parts for factor in filling(part, _left_on(facts, part))]
    risk = assess(move, checks, approval, homes, back=back, also=[*copying(vm), *also])
    total = sum(_size(facts, disk) for disk in moving(facts))
    memory = (vm.memory_actual or vm.memory_dynamic_max) if vm.power_state is PowerState.RUNNING else 0
    return Plan(
        operation=NAME,
        pool=vm.pool,
        title=_title(facts),
        refusal=say("{vm} cannot be migrated to {target} with its disks", vm=vm.name, target=to.name),
        targets=(Target("VM", vm.uuid, vm.name), Target("host", to.uuid, to.name)),
        placements=(placement(vm),),
        checks=checks,
        risk=risk.risk,
        risk_reasons=risk.reasons,
        steps=_steps(facts),
        locks=_locks(facts),
        after=tuple(_after(facts, total, risk.survival)),
        estimate_s=max(_LEAST_S, total / COPY_BYTES_PER_S + memory / migrate.MEMORY_BYTES_PER_S),
        names=_names(facts),
        approvers=risk.approvers,
        back=back,
        booted=booted([vm]),
    )


def _title(facts: SendFacts) -> Phrase:
    vm, to, where = facts.move.vm, facts.move.target, _goals_told(facts)
    if vm.power_state is PowerState.HALTED:
        return say("Migrate {vm}, which is halted, to {target}: {where}", vm=vm.name, target=to.name, where=where)
    source: str | Phrase = facts.move.source.name if facts.move.source is not None else say("no host")
    return say(
        "Migrate {vm} with storage: {source} → {target}, {where}",
        vm=vm.name,
        source=source,
        target=to.name,
        where=where,
    )


def _goals_told(facts: SendFacts) -> Phrase:
    """Which disks go to which SR; those that stay are left out."""
    going = moving(facts)
    names, lines = migrate.names(facts.move), []
    for part in facts.parts:
        places = [say("{at}", at=disk.userdevice) for disk in going if facts.goals[disk.userdevice] == part.target.uuid]
        if places:
            noun = "disk {places} → {sr}" if len(places) == 1 else "disks {places} → {sr}"
            lines.append(say(noun, places=many(places), sr=told(part.target, names)))
    return say("{lines}", lines=many(lines)) if lines else say("no disk")


def _size(facts: SendFacts, disk: Disk) -> int:
    image = next((part.images[disk.userdevice] for part in facts.parts if disk.userdevice in part.images), None)
    return copied(disk, image) if image is not None else max(disk.size, 0)


def _left_bytes(facts: SendFacts, part: DiskMoveFacts) -> int | None:
    free = free_on(part.target)
    coming = [disk for disk in moving(facts) if facts.goals[disk.userdevice] == part.target.uuid]
    return None if free is None else free - sum(_size(facts, disk) for disk in coming)


def _left_on(facts: SendFacts, part: DiskMoveFacts) -> int | None:
    left = _left_bytes(facts, part)
    return None if left is None else left * 100 // part.target.size


def _steps(facts: SendFacts) -> tuple[Step, ...]:
    """The one call, which names every disk, those that stay included; none where nobody knows how to get there."""
    vm, to, disks = facts.move.vm, facts.move.target, [one for one in facts.move.vm.disks if one.vdi and not one.cd]
    if facts.network is None or any(disk.sr is None for disk in disks):
        return ()
    places = {
        disk.userdevice: (disk.vdi, facts.goals.get(disk.userdevice, disk.sr.uuid))
        for disk in disks
        if disk.sr is not None
    }
    args = (
        Ref("VM", vm.uuid),
        Reception(to.uuid, facts.network.uuid),
        Flag(True),
        DiskMap(places),
        # Inside a pool the interfaces stay on their networks, and XAPI refuses any map of them.
        Options({}),
        Options({}),
    )
    return (
        Step(
            STEP,
            say("Migrate {vm} with storage to {target}", vm=vm.name, target=to.name),
            Call("VM.migrate_send", args),
        ),
    )


def _locks(facts: SendFacts) -> tuple[LockKey, ...]:
    move = facts.move
    hosts = {host.uuid: host.name for host in (move.source, move.target) if host is not None}
    srs = {part.target.uuid: part.target.name for part in facts.parts}
    srs |= {disk.sr.uuid: disk.sr.name for disk in moving(facts) if disk.sr is not None}
    held = [LockKey("VM", move.vm.uuid, move.vm.name)]
    held += [LockKey("host", uuid, name) for uuid, name in hosts.items()]
    return *held, *(LockKey("SR", uuid, name) for uuid, name in srs.items())


def _after(facts: SendFacts, total: int, survival: Phrase | None) -> Iterator[Phrase]:
    running = facts.move.vm.power_state is PowerState.RUNNING
    if running:
        yield from migrate.after(facts.move, survival)
    for part in facts.parts:
        left = _left_bytes(facts, part)
        if left is not None:
            sr = told(part.target, migrate.names(facts.move))
            yield say("After the move: {sr} has about {left} free", sr=sr, left=Size(max(0, left)))
    over = say(" over {network}", network=facts.network.name) if facts.network is not None else say("")
    yield say("{size} are copied{over}, all in one step that cannot be resumed.", size=Size(total), over=over)
    yield say("Each disk gets a new UUID; its place in the guest stays, and its snapshots follow it.")
    if running:
        yield say("If it breaks off or is cancelled, the guest runs on where it is, with its disks where they were.")
    else:
        yield say("The guest stays off; afterwards it can be started on {host}.", host=facts.move.target.name)


def _names(facts: SendFacts) -> dict[str, str]:
    named = migrate.names(facts.move) | {part.target.uuid: part.target.name for part in facts.parts}
    return named | ({facts.network.uuid: facts.network.name} if facts.network is not None else {})


async def _replan(earlier: Plan, facts: Facts, approval: ApprovalSettings, homes: Homes) -> Plan:
    wanted = {at: goals(earlier)[at][1] for at in origins(earlier)}
    read = await facts.sending(target_of(earlier, "VM").uuid, target_of(earlier, "host").uuid, wanted)
    return decide(read, approval, homes, back=earlier.back)


async def _reverse(done: Plan, facts: Facts, approval: ApprovalSettings) -> Plan:
    """The plan for bringing guest and disks back to where they were. Raises Refused where that cannot be told."""
    vm, back = target_of(done, "VM"), origins(done)
    host = done.placements[0].host or await _host_that_sees(sorted(set(back.values())), vm, facts)
    return decide(await facts.sending(vm.uuid, host, back), approval, back=True)


async def _host_that_sees(srs: Sequence[str], vm: Target, facts: Facts) -> str:
    """A host for a guest that ran nowhere: one that has all these SRs plugged. Raises Refused."""
    seen = [(await facts.disk_move(vm.uuid, sr)).target.hosts for sr in srs]
    common = sorted(frozenset.intersection(*seen)) if seen else []
    if not common:
        raise Refused(f"No host sees all the storage that the disks of {clean(vm.name)} were on.")
    return common[0]


def _running(of: Plan) -> Phrase:
    vm, host = target_of(of, "VM"), target_of(of, "host")
    return say("Migrating {vm} with storage → {host}", vm=vm.name, host=host.name)


def _instead(of: Plan) -> tuple[Button, ...]:
    """What can be asked for where the move is not possible, each a request of its own."""
    vm = target_of(of, "VM")
    stops = {check.key.partition(":")[0] for check in of.checks if check.grade is Grade.BLOCKED}
    if "pool" in stops:
        return ()
    buttons = []
    if "iso" in stops:
        buttons.append(Button("Eject", "ask", f"eject {vm.uuid}", says=say("Plan: eject the CD from {vm}", vm=vm.name)))
    buttons.append(Button("Other hosts", "ask", f"why {vm.uuid}", says=say("Where {vm} could go", vm=vm.name)))
    return tuple(buttons)


OPERATION = Operation(
    name=NAME,
    replan=_replan,
    look=look,
    running=_running,
    reverse=_reverse,
    instead=_instead,
    when_stopped=say("The guest stays where it is, and its disks where they were; what was copied is thrown away."),
    crowded=frozenset({"TOO_MANY_STORAGE_MIGRATES"}),
    learns=True,
)
