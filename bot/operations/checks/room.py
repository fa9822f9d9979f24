"""Whether the target has room for the guest: memory as XAPI counts it, and physical CPUs."""

from __future__ import annotations

import msgspec

from bot.domain.guest_facts import MigrationFacts
from bot.domain.inventory import Host, Vm
from bot.domain.plan import Check
from bot.domain.texts import Phrase, Size, many, say
from bot.domain.words import counted
from bot.operations.checks.grading import blocked, fine

_MIB = 1 << 20
_GIB = 1 << 30
_TENTH_OF_GIB = _GIB // 10
# More guests than this are no advice that a person could follow.
_MOVES_NAMED = 4


def memory(facts: MigrationFacts) -> Check:
    """Dynamic minimum plus overhead against host.compute_free_memory, which is what XAPI compares.

    XAPI counts every guest there at its dynamic minimum, and guests on their way there too.
    """
    vm, target, key, title = facts.vm, facts.target, "memory", "Memory"
    free, needed = max(target.memory_free, 0), max(vm.memory_needed, 0)
    if needed <= free:
        fact = say(
            "{vm} needs {needed}, {host} can give {free}",
            vm=vm.name,
            needed=Size(_up(needed)),
            host=target.name,
            free=Size(_down(free)),
        )
        return fine(key, title, fact)
    base, what = (
        (vm.memory_static_max, "static maximum")
        if vm.domain_type == "pv_in_pvh"
        else (vm.memory_dynamic_min, "dynamic minimum")
    )
    overhead = max(needed - base, 0)
    fact = say(
        "{vm} needs {needed} (" + what + " {base} + {overhead} overhead), {host} can give {free}. {other}",
        vm=vm.name,
        needed=Size(_up(needed)),
        base=Size(base),
        overhead=Size(overhead),
        host=target.name,
        free=Size(_down(free)),
        other=_other_figure(target, free),
    )
    fix, hopeless = _make_room(facts, needed - free, free - overhead)
    return msgspec.structs.replace(blocked(key, "Not enough memory", fact, fix), hopeless=hopeless)


def _other_figure(target: Host, free: int) -> Phrase:
    why = "what is idle now, not what XAPI has left to promise"
    if target.memory_idle > free:
        return say("“Free memory” of {idle} in other tools is " + why, idle=Size(target.memory_idle))
    return say("“Free memory” in other tools is another figure: " + why)


def _make_room(facts: MigrationFacts, short: int, limit: int) -> tuple[Phrase, bool]:
    """What would make it fit, and whether nothing would."""
    vm = facts.vm
    move, can_move = _moving_off(facts, short)
    shrink = say("Lower the dynamic minimum of {vm} to {limit} or less", vm=vm.name, limit=Size(max(0, _down(limit))))
    can_shrink = _down(limit) > 0 and vm.domain_type != "pv_in_pvh"
    if can_shrink:
        way = say("{shrink}, or {move}" if can_move else "{shrink}; {move}", shrink=shrink, move=move)
    else:
        way = say("To make it fit, {move}" if can_move else "Nothing makes it fit now: {move}", move=move)
    roomy = [host.name for host in facts.pool_hosts if _has_room(host, facts)]
    elsewhere = say(", or choose {hosts}, which has room", hosts=many(roomy)) if roomy else say("")
    return say("{way}{elsewhere}.", way=way, elsewhere=elsewhere), not can_shrink and not can_move


def _moving_off(facts: MigrationFacts, short: int) -> tuple[Phrase, bool]:
    """What could be moved off the target to free that much, and whether anything could, as far as is known."""
    target, movers = facts.target, _movers(facts, short)
    if movers:
        named = many([say("{guest} {size}", guest=each.name, size=Size(each.memory_needed)) for each in movers])
        line = "move at least {short} off {host} ({guests} would do)"
        return say(line, short=Size(_up(short)), host=target.name, guests=named), True
    if target.guests and not any(each.host == target.uuid for each in facts.neighbours):
        return say("move at least {short} off {host}", short=Size(_up(short)), host=target.name), True
    line = "nothing that runs on {host} could move elsewhere and free {short}"
    return say(line, host=target.name, short=Size(_up(short))), False


def _movers(facts: MigrationFacts, short: int) -> list[Vm]:
    """Few guests of the target whose leaving would free enough: the smallest single one, else the largest together."""
    there = [each for each in facts.neighbours if each.host == facts.target.uuid and _can_leave(each, facts)]
    there.sort(key=lambda each: (each.memory_needed, each.name))
    alone = next((each for each in there if each.memory_needed >= short), None)
    if alone is not None:
        return [alone]
    chosen: list[Vm] = []
    for each in reversed(there[-_MOVES_NAMED:]):
        chosen.append(each)
        if sum(one.memory_needed for one in chosen) >= short:
            return chosen
    return []


def _can_leave(vm: Vm, facts: MigrationFacts) -> bool:
    """Whether it can be moved live and another host has the memory and sees its disks: else it is no way out."""
    if not vm.can_suspend or vm.immobile or vm.nested or vm.pci or vm.vgpu or vm.usb:
        return False
    return any(_takes(host, vm) for host in facts.pool_hosts if host.uuid != facts.target.uuid)


def _takes(host: Host, vm: Vm) -> bool:
    there = host.enabled and host.answers
    seen = all(disk.sr is not None and host.uuid in disk.sr.hosts for disk in vm.disks if disk.vdi)
    return there and seen and host.memory_free >= vm.memory_needed


def _has_room(host: Host, facts: MigrationFacts) -> bool:
    there = host.enabled and host.answers
    other = host.uuid not in {facts.target.uuid, facts.vm.host}
    return there and other and host.memory_free >= facts.vm.memory_needed


def _down(n_bytes: int) -> int:
    """Rounded so that what is shown is never more than there is."""
    step = _step(n_bytes)
    return n_bytes // step * step


def _up(n_bytes: int) -> int:
    """Rounded so that what is shown is never less than is needed."""
    step = _step(n_bytes)
    return -(-n_bytes // step) * step


def _step(n_bytes: int) -> int:
    # A tenth of a GiB is no whole number of bytes: whole GiB are left as they are, or 22 GiB would read as 22.0.
    if n_bytes >= _GIB:
        return _GIB if n_bytes % _GIB == 0 else _TENTH_OF_GIB
    return _MIB


def limits(facts: MigrationFacts) -> list[Check]:
    """The guest's own memory limits are in order; told only where they are not, since nearly all are."""
    vm = facts.vm
    if vm.memory_dynamic_min <= vm.memory_dynamic_max <= vm.memory_static_max:
        return []
    fact = say(
        "the memory limits of {vm} contradict each other: dynamic {low} to {high}, static maximum {most}",
        vm=vm.name,
        low=Size(max(vm.memory_dynamic_min, 0)),
        high=Size(max(vm.memory_dynamic_max, 0)),
        most=Size(max(vm.memory_static_max, 0)),
    )
    fix = say("Set the memory of {vm} so that minimum, maximum and static maximum only rise.", vm=vm.name)
    return [blocked("limits", "Memory limits", fact, fix)]


def physical_cpus(facts: MigrationFacts) -> Check:
    """As many physical CPUs as the guest may have vCPUs, unless it is marked vcpu-unrestricted."""
    vm, target, key, title = facts.vm, facts.target, "pcpus", "Physical CPUs"
    vcpus, cpus = counted(vm.vcpus_max, "vCPU", "vCPUs"), counted(target.cpu_count, "CPU", "CPUs")
    fact = say("{vm} may have {vcpus}, {host} has {cpus}", vm=vm.name, vcpus=vcpus, host=target.name, cpus=cpus)
    if vm.vcpus_max <= target.cpu_count or vm.vcpu_unrestricted:
        return fine(key, title, fact)
    title = "Too few CPUs"
    return blocked(key, title, fact, say("Shut {vm} down and lower its vCPUs to {n}.", vm=vm.name, n=target.cpu_count))
