"""Live migration inside a pool: `/xen migrate <vm> to <host>`.

`plan` reads all facts at one moment, `decide` turns them into a plan without touching anything, and `look` says later
whether the guest really moved.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bot.domain.calls import Call, Options, Ref
from bot.domain.guest_facts import MigrationFacts, Whereabouts
from bot.domain.inventory import Disk, Host, PowerState, Sr, Vm
from bot.domain.message import Button
from bot.domain.plan import Check, Choice, Grade, LockKey, Plan, Step, Target, Way
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import Phrase, Size, Span, clean, many, say
from bot.domain.words import power_word, tools_word
from bot.errors import Refused
from bot.operations.base import NOBODY, Homes, Look, Operation, Seen, buttons_of
from bot.operations.checks import guest, placing, room, storage, target
from bot.operations.checks.verdict import foreseen, with_verdict
from bot.operations.not_arrived import booted, not_arrived
from bot.operations.placement import placement
from bot.operations.ports import Facts
from bot.operations.risk import assess
from bot.operations.space import COPY_BYTES_PER_S
from bot.operations.survival import Layout

NAME = "migrate"
STEP = "pool_migrate"
#: A rough rate of a live migration over gigabit Ethernet; the start and the end take some seconds whatever the size.
MEMORY_BYTES_PER_S = 100 << 20
_LEAST_S = 10.0
# What parts two hosts for good, and what else does not matter to a guest that is shut down, copied and booted anew.
_APART = frozenset({"pool", "cpu-vendor", "cpu-features", "version"})
_CURED = _APART | {"storage", "tools", "immobile", "nested", "resets", "network", "iso", "licence", "xapi"}


async def plan(vm: str, host: str, facts: Facts, approval: ApprovalSettings) -> Plan:
    """The plan for moving a guest to a host (UUIDs), the pool's other hosts beside it. Raises as Facts.migration."""
    read = await facts.migration(vm, host)
    return msgspec.structs.replace(decide(read, approval), others=_others(read))


def _others(read: MigrationFacts) -> tuple[Choice, ...]:
    """The other hosts of the pool, for someone who named one: not judged yet, the roomiest first."""
    ends = {read.target.uuid, read.vm.host}
    usable = [host for host in read.pool_hosts if host.uuid not in ends and _usable(host)]
    usable.sort(key=lambda host: (-host.memory_free, host.name))
    return tuple(Choice(host.uuid, host.name, say("can give {free}", free=Size(host.memory_free))) for host in usable)


def _usable(host: Host) -> bool:
    return host.enabled and host.answers


def decide(
    facts: MigrationFacts,
    approval: ApprovalSettings,
    homes: Homes = NOBODY,
    *,
    back: bool = False,
    before: Layout | None = None,
) -> Plan:
    """The plan that follows from the facts: every check is judged, blocked or not. Never raises.

    `homes` as for `Operation.replan`; `back` for the way back right after a move, as in `Plan.back`; `before` as for
    `assess`.
    """
    vm, to = facts.vm, facts.target
    checks = checks_of(facts)
    risk = assess(facts, checks, approval, homes, back=back, before=before)
    call = Call("VM.pool_migrate", (Ref("VM", vm.uuid), Ref("host", to.uuid), Options({"live": "true"})))
    return Plan(
        operation=NAME,
        pool=vm.pool,
        title=say("Migrate {vm}: {source} → {target}", vm=vm.name, source=_source_name(facts), target=to.name),
        refusal=say("{vm} cannot be migrated to {target}", vm=vm.name, target=to.name),
        targets=(Target("VM", vm.uuid, vm.name), Target("host", to.uuid, to.name)),
        placements=(placement(vm),),
        checks=checks,
        risk=risk.risk,
        risk_reasons=risk.reasons,
        steps=(Step(STEP, say("Migrate {vm} to {target}", vm=vm.name, target=to.name), call),),
        locks=_locks(facts),
        after=after(facts, risk.survival),
        estimate_s=max(_LEAST_S, (vm.memory_actual or vm.memory_dynamic_max) / MEMORY_BYTES_PER_S),
        names=names(facts),
        approvers=risk.approvers,
        back=back,
        ways=_ways(facts),
        booted=booted([vm]),
    )


def _ways(facts: MigrationFacts) -> tuple[Way, ...]:
    """What can be done about the disks that keep the guest where it is: they move first, or along with it."""
    if facts.target.pool != facts.vm.pool:
        return ()
    ways = []
    vm, host = facts.vm, facts.target
    found = storage.relocation(facts)
    if found is not None:
        stuck, sr = found
        label = "Plan: move disk" if len(stuck) == 1 else "Plan: move disks"
        says = say("Plan: move {cost}", cost=_cost(facts, stuck, sr))
        ways.append(Way(label, f"move-disks {vm.uuid} disk {_places(stuck)} to {sr.uuid}", says))
    found = storage.together(facts)
    if found is not None:
        stuck, sr = found
        words = f"migrate {vm.uuid} to {host.uuid} disk {_places(stuck)} sr {sr.uuid}"
        says = say("Plan: migrate to {host} with {cost}", host=host.name, cost=_cost(facts, stuck, sr))
        ways.append(Way("Plan: migrate with storage", words, says))
    return tuple(ways)


def _places(disks: Sequence[Disk]) -> str:
    return ",".join(disk.userdevice for disk in disks)


def _cost(facts: MigrationFacts, stuck: Sequence[Disk], sr: Sr) -> Phrase:
    size = sum(max(disk.size, 0) for disk in stuck)
    return say(
        "{disks} of {vm} to {sr}, {size} at most, about {time}",
        disks=say("disk {devices}", devices=many([say("{device}", device=disk.userdevice) for disk in stuck])),
        vm=facts.vm.name,
        sr=sr.name,
        size=Size(size),
        time=Span(size / COPY_BYTES_PER_S),
    )


def checks_of(facts: MigrationFacts) -> tuple[Check, ...]:
    """What speaks for and against the move, in the order a person would mend it. Never raises."""
    return tuple(_checks(facts))


def _source_name(facts: MigrationFacts) -> str | Phrase:
    return facts.source.name if facts.source is not None else say("no host")


def _checks(facts: MigrationFacts) -> list[Check]:
    """Across pools only what can really be judged is judged."""
    old, same = target.supported(facts.pool, (facts.source, facts.target)), placing.same_pool(facts)
    itself = [guest.power(facts), guest.foreign_work(facts), guest.blocked_operations(facts.vm)]
    vendor = target.cpu_vendor(facts)
    cpu = [vendor] if vendor.grade is Grade.BLOCKED else [vendor, target.features(facts)]
    bound = [guest.tools(facts), *guest.devices(facts), *guest.resets(facts)]
    bound += [guest.immobile(facts), guest.nested(facts)]
    there = [target.enabled(facts), target.live(facts)]
    if facts.source is not None:
        there.append(target.source_live(facts, facts.source))
    if facts.target.pool != facts.vm.pool:
        return [old, same, *itself, *cpu, *bound, *there]
    fit = [
        *target.virtualisation(facts),
        target.hardware(facts),
        *room.limits(facts),
        room.memory(facts),
        room.physical_cpus(facts),
    ]
    if facts.source is not None:
        fit.insert(0, target.version(facts, facts.source))
    checks = [
        old,
        same,
        *placing.licensed(facts.pool, facts.vm),
        placing.elsewhere(facts),
        *itself,
        *storage.storage(facts),
        *cpu,
        *fit,
    ]
    checks += [*placing.networks(facts), *bound, *there]
    checks += [target.target_work(facts), *target.high_availability(facts)]
    return with_verdict(facts, checks)


def _locks(facts: MigrationFacts) -> tuple[LockKey, ...]:
    ends = [facts.target] if facts.source is None else [facts.source, facts.target]
    hosts = {host.uuid: LockKey("host", host.uuid, host.name) for host in ends}
    return LockKey("VM", facts.vm.uuid, facts.vm.name), *hosts.values()


def _left(facts: MigrationFacts) -> int | None:
    """Bytes the target can still give after the move; None where the move cannot be."""
    if facts.target.pool != facts.vm.pool or facts.vm.host == facts.target.uuid:
        return None
    left = facts.target.memory_free - facts.vm.memory_needed
    return left if left >= 0 else None


def after(facts: MigrationFacts, survival: Phrase | None) -> tuple[Phrase, ...]:
    """What will be true of the hosts after the move."""
    left = _left(facts)
    runs = (say("The guest keeps running."),)
    if left is None:
        return runs
    kept = say(
        "After the move: {host} can still give {left} of {total}{survival}",
        host=facts.target.name,
        left=Size(left),
        total=Size(facts.target.memory_total),
        survival=say("; {what_if}", what_if=survival) if survival is not None else say(""),
    )
    return kept, *runs


def names(facts: MigrationFacts) -> dict[str, str]:
    """The display names of all that a plan of this move mentions."""
    vm = facts.vm
    named = {facts.pool.uuid: facts.pool.name, facts.target_pool.uuid: facts.target_pool.name, vm.uuid: vm.name}
    named |= {host.uuid: host.name for host in facts.pool_hosts}
    named |= {host.uuid: host.name for host in (facts.source, facts.target) if host is not None}
    named |= {disk.sr.uuid: disk.sr.name for disk in vm.disks if disk.sr is not None}
    return named | {network.uuid: network.name for network in vm.networks}


def _target_of(of: Plan, kind: str) -> Target:
    return next(one for one in of.targets if one.kind == kind)


async def _replan(earlier: Plan, facts: Facts, approval: ApprovalSettings, homes: Homes) -> Plan:
    vm, host = _target_of(earlier, "VM"), _target_of(earlier, "host")
    return decide(await facts.migration(vm.uuid, host.uuid), approval, homes, back=earlier.back)


async def _retarget(earlier: Plan, host: str, facts: Facts, approval: ApprovalSettings) -> Plan:
    """The same guest to another host of its pool; the host it was planned for stays among the others."""
    vm, before = _target_of(earlier, "VM"), _target_of(earlier, "host")
    made = await plan(vm.uuid, host, facts, approval)
    known = {one.uuid: one for one in earlier.others}
    others = [known.get(one.uuid, one) for one in made.others if one.uuid != before.uuid]
    first = next((one for one in made.others if one.uuid == before.uuid), None)
    return msgspec.structs.replace(made, others=(*([first] if first is not None else []), *others))


async def _reverse(done: Plan, facts: Facts, approval: ApprovalSettings) -> Plan:
    """The plan for bringing the guest back to where it ran. Raises Refused when nobody knows where that was."""
    vm = _target_of(done, "VM")
    before = _before(done)
    if before is None:
        raise Refused(f"Nobody knows on which host {clean(vm.name)} ran before.", "Choose a host: `/xen migrate`.")
    return decide(await facts.migration(vm.uuid, before), approval, back=True)


def _before(of: Plan) -> str | None:
    return next((place.host for place in of.placements if place.vm == _target_of(of, "VM").uuid), None)


async def _look(of: Plan, _step: Step, facts: Facts) -> Look:
    """Where the guest is now.

    A migration that failed may still have moved it, and one that broke off may have shut it down. While one is under
    way XAPI keeps the power state at Running and the guest at its source.
    """
    vm, to = _target_of(of, "VM"), _target_of(of, "host")
    now = await facts.whereabouts(of.pool, vm.uuid)
    evidence = [evidence_of(now)]
    if STEP in now.operations:
        evidence.append(say("the pool still names a migration of {vm}", vm=vm.name))
        return Look(Seen.GOING_ON, say("{vm} is on its way to {host}", vm=vm.name, host=to.name), tuple(evidence))
    if now.power_state is not PowerState.RUNNING:
        headline = say(
            "GUEST IS DOWN: {vm} is {state}, it ran before", vm=vm.name, state=say(power_word(now.power_state))
        )
        return Look(Seen.HARMED, headline, tuple(evidence))
    if now.scheduled_host is not None or now.host is None:
        evidence.append(say("the pool has not settled where {vm} runs", vm=vm.name))
        return Look(Seen.GOING_ON, say("{vm} is on its way to {host}", vm=vm.name, host=to.name), tuple(evidence))
    if now.host == to.uuid:
        return Look(Seen.DONE, say("{vm} now runs on {host}", vm=vm.name, host=to.name), tuple(evidence))
    return not_arrived(of, vm, now, evidence[0])


def evidence_of(now: Whereabouts | Vm) -> Phrase:
    """What a look at the guest itself has seen."""
    seen = [say(power_word(now.power_state))]
    if now.power_state is PowerState.RUNNING:
        seen.append(say(tools_word(now.tools)))
        if now.addresses:
            seen.append(say("address {address}", address=now.addresses[0]))
    return say("Looked at: {seen}", seen=many(seen))


def _running(of: Plan) -> Phrase:
    return say("Migrating {vm} → {host}", vm=_target_of(of, "VM").name, host=_target_of(of, "host").name)


def _copied(of: Plan, stops: set[str]) -> tuple[Button, ...]:
    """The last resort, where nothing stops the move that would stop a backup and a restore there too."""
    vm, host = _target_of(of, "VM"), _target_of(of, "host")
    cured = _CURED | ({"power"} if of.placements[0].power_state == PowerState.HALTED else set())
    if not stops & _APART or not stops <= cured:
        return ()
    says = say("Plan: copy {vm} by backup and restore to {host}", vm=vm.name, host=host.name)
    return (Button("Copy by backup and restore", "ask", f"move-by-backup {vm.uuid} to {host.uuid}", says=says),)


def _instead(of: Plan) -> tuple[Button, ...]:
    """What can be asked for where the move is not possible, each a request of its own."""
    vm = _target_of(of, "VM")
    stops = {check.key.partition(":")[0] for check in of.blocked}
    copied = _copied(of, stops)
    if "pool" in stops:
        return copied
    buttons = [*copied]
    if "power" in stops:
        buttons.append(Button("Plan: start", "ask", f"start {vm.uuid}", says=say("Plan the start of {vm}", vm=vm.name)))
    if "storage" in stops:
        buttons += buttons_of(of)
    if "iso" in stops:
        buttons.append(Button("Eject", "ask", f"eject {vm.uuid}", says=say("Plan: eject the CD from {vm}", vm=vm.name)))
    buttons.append(Button("Other hosts", "ask", f"why {vm.uuid}", says=say("Where {vm} could go", vm=vm.name)))
    return tuple(buttons)


OPERATION = Operation(
    name=NAME,
    replan=_replan,
    look=_look,
    running=_running,
    reverse=_reverse,
    retarget=_retarget,
    instead=_instead,
    foreseen=foreseen,
    learns=True,
)
