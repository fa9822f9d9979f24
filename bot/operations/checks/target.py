"""Checks of the target host: can it take this guest, and will it be there."""

from __future__ import annotations

import re

from bot.domain.inventory import Host, MigrationFacts
from bot.domain.plan import Check
from bot.domain.texts import Moment, Phrase, Size, many, say
from bot.domain.words import counted
from bot.operations import cpu_features
from bot.operations.checks.grading import blocked, fine, warning

_HVM_DOMAINS = {"hvm", "pvh", "pv_in_pvh"}
_LEAVING = {"evacuate": "is being evacuated", "shutdown": "is shutting down", "reboot": "is rebooting"}
_MIB = 1 << 20
_TENTH_OF_GIB = (1 << 30) // 10


def cpu_vendor(facts: MigrationFacts) -> Check:
    """The vendor the guest was booted on. A live guest cannot change it."""
    vm, target, key, title = facts.vm, facts.target, "cpu-vendor", "CPU vendor"
    booted = vm.boot_vendor or (facts.source.cpu_vendor if facts.source is not None else "")
    if not booted or not target.cpu_vendor:
        return warning(key, title, say("XAPI does not say on which CPU vendor {vm} was booted", vm=vm.name))
    if booted == target.cpu_vendor:
        return fine(key, title, say("both are {vendor}", vendor=booted))
    fact = say(
        "{vm} was booted on {booted}, {host} has {vendor} ({model})",
        vm=vm.name,
        booted=booted,
        host=target.name,
        vendor=target.cpu_vendor,
        model=target.cpu_model,
    )
    shut = say("It can go there only shut down." if target.pool != vm.pool else "Shut it down and start it there.")
    fix = say("None while {vm} runs: CPU vendors cannot be mixed. {shut}", vm=vm.name, shut=shut)
    return blocked(key, title, fact, fix)


def features(facts: MigrationFacts) -> Check:
    """Every CPU feature the guest was booted with, in the set the target takes guests in with.

    Sets of two vendors are not comparable: call it only where `cpu_vendor` does not block.
    """
    vm, target, key, title = facts.vm, facts.target, "cpu-features", "CPU features"
    needed = cpu_features.parse(vm.boot_features)
    if needed is None:
        return warning(key, title, say("XAPI does not say with which CPU features {vm} was booted", vm=vm.name))
    hvm = vm.hvm or vm.domain_type in _HVM_DOMAINS
    offered = cpu_features.parse(target.features_hvm if hvm else target.features_pv)
    if offered is None:
        fact = say("{host} does not publish its CPU features, so nobody can compare them", host=target.name)
        fix = say("Update {host}, or shut {vm} down and start it there.", host=target.name, vm=vm.name)
        return blocked(key, title, fact, fix)
    names, count = cpu_features.missing(needed, offered)
    if not count:
        return fine(key, title, say("{host} has every CPU feature {vm} was booted with", host=target.name, vm=vm.name))
    which = say(", among them {names}", names=many(names[:8])) if names else say("")
    fact = say(
        "{host} lacks {n} of the CPU features {vm} was booted with{which}",
        host=target.name,
        n=count,
        vm=vm.name,
        which=which,
    )
    if target.pool != vm.pool:
        return blocked(key, title, fact, say("It can go there only shut down."))
    fix = say("Shut {vm} down and start it again: it then starts with what every host of the pool has.", vm=vm.name)
    return blocked(key, title, fact, fix)


def version(facts: MigrationFacts, source: Host) -> Check:
    """Older to newer is fine. XAPI refuses the other way during a rolling upgrade and does not compare otherwise."""
    target, key, title = facts.target, "version", "Version"
    here, there = _number(source), _number(target)
    if not here or not there:
        fact = say("{one} or {other} does not say its version", one=source.name, other=target.name)
        return warning(key, title, fact)
    if here == there:
        return fine(key, title, say("both run {product}", product=_product(target)))
    fact = say(
        "{source} runs {here}, {target} runs {there}",
        source=source.name,
        here=_product(source),
        target=target.name,
        there=_product(target),
    )
    if here < there:
        return fine(key, title, fact)
    older = say("{fact}: an older version", fact=fact)
    if facts.pool.upgrading:
        fix = say("Choose a host that is already upgraded, or upgrade {host} first.", host=target.name)
        return blocked(key, title, say("{fact}, and the pool is being upgraded", fact=older), fix)
    return warning(
        key, title, older, say("Bring {host} to the version of {other}.", host=target.name, other=source.name)
    )


def _number(host: Host) -> tuple[int, ...]:
    # platform_version is what XAPI compares; nine digits keep any text a server sends within int()'s limits.
    return tuple(int(part) for part in re.findall(r"[0-9]{1,9}", host.platform_version or host.version))


def _product(host: Host) -> Phrase:
    if _shown := host.version or host.platform_version:
        return say("{product} {version}", product=host.product or "XenServer", version=_shown)
    return say("{product}", product=host.product)


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
        "{vm} needs {needed} (" + what + " {base} + {overhead} overhead), {host} can give {free}. "
        "“Free memory” in other tools is another figure: what is idle now, not what XAPI has left to promise",
        vm=vm.name,
        needed=Size(_up(needed)),
        base=Size(base),
        overhead=Size(overhead),
        host=target.name,
        free=Size(_down(free)),
    )
    return blocked(key, "Not enough memory", fact, _make_room(facts, needed - free, free - overhead))


def _make_room(facts: MigrationFacts, short: int, limit: int) -> Phrase:
    vm, target = facts.vm, facts.target
    move = say("move at least {short} off {host}", short=Size(_up(short)), host=target.name)
    if _down(limit) > 0 and vm.domain_type != "pv_in_pvh":
        first = say("Lower the dynamic minimum of {vm} to {limit} or less, or ", vm=vm.name, limit=Size(_down(limit)))
    else:
        first = say("To make it fit, ")
    roomy = [host.name for host in facts.pool_hosts if _has_room(host, facts)]
    if roomy:
        return say("{first}{move}, or choose {hosts}, which has room.", first=first, move=move, hosts=many(roomy))
    return say("{first}{move}.", first=first, move=move)


def _has_room(host: Host, facts: MigrationFacts) -> bool:
    there = host.enabled and host.live and host.silent_since is None
    other = host.uuid not in {facts.target.uuid, facts.vm.host}
    return there and other and host.memory_free >= facts.vm.memory_needed


def _down(n_bytes: int) -> int:
    """Rounded so that what is shown is never more than there is."""
    step = _TENTH_OF_GIB if n_bytes >= 1 << 30 else _MIB
    return n_bytes // step * step


def _up(n_bytes: int) -> int:
    """Rounded so that what is shown is never less than is needed."""
    step = _TENTH_OF_GIB if n_bytes >= 1 << 30 else _MIB
    return -(-n_bytes // step) * step


def physical_cpus(facts: MigrationFacts) -> Check:
    """As many physical CPUs as the guest may have vCPUs, unless it is marked vcpu-unrestricted."""
    vm, target, key, title = facts.vm, facts.target, "pcpus", "Physical CPUs"
    vcpus, cpus = counted(vm.vcpus_max, "vCPU", "vCPUs"), counted(target.cpu_count, "CPU", "CPUs")
    fact = say("{vm} may have {vcpus}, {host} has {cpus}", vm=vm.name, vcpus=vcpus, host=target.name, cpus=cpus)
    if vm.vcpus_max <= target.cpu_count or vm.vcpu_unrestricted:
        return fine(key, title, fact)
    return blocked(key, title, fact, say("Shut {vm} down and lower its vCPUs to {n}.", vm=vm.name, n=target.cpu_count))


def enabled(facts: MigrationFacts) -> Check:
    """The target takes guests: a disabled host (maintenance) does not."""
    target, key, title = facts.target, "enabled", "Host enabled"
    if target.enabled:
        return fine(key, title, say("{host} is enabled", host=target.name))
    fact = say("{host} is disabled (maintenance), it takes no guests", host=target.name)
    return blocked(
        key, title, fact, say("Enable {host} when its maintenance is over, or choose another host.", host=target.name)
    )


def live(facts: MigrationFacts) -> Check:
    """The target answers, to the coordinator and to our own probe.

    XAPI believes a dead member alive for up to ten minutes.
    """
    target, key, title = facts.target, "live", "Host live"
    fix = say("Look at {host} itself: power, network, toolstack. Or choose another host.", host=target.name)
    if not target.live:
        return blocked(key, title, say("the coordinator has lost {host}", host=target.name), fix)
    if target.silent_since is not None:
        fact = say(
            "{host} has been silent to our probe since {at}, though XAPI still says live",
            host=target.name,
            at=Moment(target.silent_since),
        )
        return blocked(key, title, fact, fix)
    return fine(key, title, say("{host} answers", host=target.name))


def target_work(facts: MigrationFacts) -> Check:
    """The target is not about to be emptied or restarted."""
    target, key, title = facts.target, "target-busy", "Other work on the host"
    operations = {*target.operations, *facts.busy_hosts.get(target.uuid, ())}
    for operation, words in _LEAVING.items():
        if operation in operations:
            fact = say("{host} " + words, host=target.name)
            return blocked(key, title, fact, say("Wait until that has ended, or choose another host."))
    if "apply_updates" in operations:
        return warning(key, title, say("{host} is applying updates and may restart soon", host=target.name))
    return fine(key, title, say("{host} is not being emptied or restarted", host=target.name))


def high_availability(facts: MigrationFacts) -> list[Check]:
    """A note, only for guests that high availability guards: it follows them to the other host."""
    if not (facts.pool.ha_enabled and facts.vm.ha_protected):
        return []
    fact = say("{vm} is protected by high availability, also on {host}", vm=facts.vm.name, host=facts.target.name)
    return [fine("ha", "High availability", fact)]
