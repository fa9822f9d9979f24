"""Checks of the target host: can it take this guest, and will it be there."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bot.domain.disk_moves import DiskMoveFacts
from bot.domain.guest_facts import MigrationFacts
from bot.domain.inventory import Host, Pool
from bot.domain.plan import Check
from bot.domain.texts import Moment, Phrase, many, say
from bot.domain.words import counted
from bot.operations import cpu_features
from bot.operations.checks.grading import blocked, fine, warning

_HVM_DOMAINS = {"hvm", "pvh", "pv_in_pvh"}
_LEAVING = {"evacuate": "is being evacuated", "shutdown": "is shutting down", "reboot": "is rebooting"}
# XCP-ng 8.2, Citrix Hypervisor 8.2 and XenServer 8 on: product versions from 8.2, platform versions from 3.2.
_OLDEST, _OLDEST_PLATFORM = (8, 2), (3, 2)


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
    shut = say("Shut {vm} down first" if target.pool != vm.pool else "Shut {vm} down and start it there", vm=vm.name)
    fix = say("{shut}: nothing helps while it runs, since CPU vendors cannot be mixed.", shut=shut)
    return blocked(key, "Another CPU vendor", fact, fix)


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
        return blocked(
            key, "Missing CPU features", fact, say("Shut {vm} down first: it can go there only so.", vm=vm.name)
        )
    fix = say("Shut {vm} down and start it again: it then starts with what every host of the pool has.", vm=vm.name)
    return blocked(key, "Missing CPU features", fact, fix)


def version(facts: MigrationFacts, source: Host) -> Check:
    """Older to newer is fine. XAPI refuses the other way during a rolling upgrade and does not compare otherwise."""
    target, key, title = facts.target, "version", "Version"
    here, there = _number(source), _number(target)
    if not here or not there:
        fact = say("{one} or {other} does not say its version", one=source.name, other=target.name)
        return warning(key, title, fact)
    if here == there:
        during = say(", in a rolling upgrade") if facts.pool.upgrading else say("")
        return fine(key, title, say("both run {product}{during}", product=_product(target), during=during))
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
        return blocked(key, "Older version", say("{fact}, and the pool is being upgraded", fact=older), fix)
    return warning(
        key, title, older, say("Bring {host} to the version of {other}.", host=target.name, other=source.name)
    )


def _number(host: Host) -> tuple[int, ...]:
    # platform_version is what XAPI compares.
    return _parts(host.platform_version or host.version)


def _parts(text: str) -> tuple[int, ...]:
    # Nine digits keep any text a server sends within int()'s limits.
    return tuple(int(part) for part in re.findall(r"[0-9]{1,9}", text))


def supported(pool: Pool, hosts: Iterable[Host | None]) -> Check:
    """No host involved is older than 8.2: there looking is allowed where it works, changing is not."""
    key, title = "supported", "Supported version"
    involved = {host.uuid: host for host in hosts if host is not None}
    old = [host for host in involved.values() if _is_old(host)]
    if not old:
        return fine(key, title, say("{pool} is not older than 8.2", pool=pool.name))
    which = [say("{host} runs {product}", host=host.name, product=_product(host)) for host in old]
    fact = say("{which}; xenbot changes nothing on pools older than 8.2", which=many(which))
    return blocked(key, title, fact, say("Update the pool to 8.2 or newer, or use the tools of that version."))


def _is_old(host: Host) -> bool:
    if version := _parts(host.version):
        return version < _OLDEST
    platform = _parts(host.platform_version)
    return bool(platform) and platform < _OLDEST_PLATFORM


def _product(host: Host) -> Phrase:
    if _shown := host.version or host.platform_version:
        return say("{product} {version}", product=host.product or "XenServer", version=_shown)
    return say("{product}", product=host.product)


def virtualisation(facts: MigrationFacts) -> list[Check]:
    """The target can run HVM guests at all, where the guest is one; told only where it cannot."""
    vm, target = facts.vm, facts.target
    if target.hvm_capable is not False or not (vm.hvm or vm.domain_type in _HVM_DOMAINS):
        return []
    fact = say(
        "{vm} needs hardware virtualisation, which {host} does not have, or has switched off in its firmware",
        vm=vm.name,
        host=target.name,
    )
    fix = say("Switch it on in the firmware of {host}, or choose another host.", host=target.name)
    return [blocked("hvm", "Hardware virtualisation", fact, fix)]


def hardware(facts: MigrationFacts) -> Check:
    """The target offers the version of virtual hardware that the guest was made for."""
    vm, target, key, title = facts.vm, facts.target, "hardware", "Virtual hardware"
    offered = target.hardware_versions
    if not offered or vm.hardware_version in offered:
        return fine(key, title, say("{host} offers the virtual hardware of {vm}", host=target.name, vm=vm.name))
    fact = say(
        "{vm} is made for virtual hardware version {wanted}, {host} offers {offered}",
        vm=vm.name,
        wanted=vm.hardware_version,
        host=target.name,
        offered=many(offered),
    )
    return blocked(key, title, fact, say("Update {host}, or choose a newer host.", host=target.name))


def enabled(facts: MigrationFacts) -> Check:
    """The target takes guests: a disabled host (maintenance) does not."""
    target, key, title = facts.target, "enabled", "Host enabled"
    if target.enabled:
        return fine(key, title, say("{host} is enabled", host=target.name))
    title, fact = "Host disabled", say("{host} is disabled (maintenance), it takes no guests", host=target.name)
    return blocked(key, title, fact, say("Enable {host} when its maintenance is over.", host=target.name))


def live(facts: MigrationFacts) -> Check:
    """The target answers, to the coordinator and to our own probe.

    XAPI believes a dead member alive for up to ten minutes.
    """
    fix = say("Look at {host} itself: power, network, toolstack.", host=facts.target.name)
    return _answers("live", ("Host live", "Host silent"), facts.target, fix)


def source_live(facts: MigrationFacts | DiskMoveFacts, source: Host) -> Check:
    """The host that would have to send the guest answers too: from a dead host nothing can be moved."""
    fix = say(
        "Look at {host} itself. While it is silent, {vm} cannot be moved and must not be started elsewhere.",
        host=source.name,
        vm=facts.vm.name,
    )
    return _answers("source-live", ("Its host live", "Its host silent"), source, fix)


def _answers(key: str, titles: tuple[str, str], host: Host, fix: Phrase) -> Check:
    title, trouble = titles
    if not host.live:
        return blocked(key, trouble, say("the coordinator has lost {host}", host=host.name), fix)
    if host.silent_since is not None:
        fact = say(
            "{host} has been silent to our probe since {at}, though XAPI still says live",
            host=host.name,
            at=Moment(host.silent_since),
        )
        return blocked(key, trouble, fact, fix)
    return fine(key, title, say("{host} answers", host=host.name))


def target_work(facts: MigrationFacts) -> Check:
    """The target is not about to be emptied or restarted."""
    target, key, title = facts.target, "target-busy", "Other work on the host"
    operations = {*target.operations, *facts.busy_hosts.get(target.uuid, ())}
    for operation, words in _LEAVING.items():
        if operation in operations:
            fact = say("{host} " + words, host=target.name)
            return blocked(key, title, fact, say("Wait until that has ended."))
    if "apply_updates" in operations:
        return warning(key, title, say("{host} is applying updates and may restart soon", host=target.name))
    return fine(key, title, say("{host} is not being emptied or restarted", host=target.name))


def high_availability(facts: MigrationFacts) -> list[Check]:
    """Whether the plan of high availability covers what it should; nothing to say where it is off."""
    pool, vm, key, title = facts.pool, facts.vm, "ha", "High availability"
    if not pool.ha_enabled:
        return []
    guarded = say("{vm} is protected" if vm.ha_protected else "{vm} is not protected", vm=vm.name)
    plan = say(
        "{guarded}; the plan of {pool} covers the loss of {covered}, {wanted} wanted",
        guarded=guarded,
        pool=pool.name,
        covered=counted(pool.ha_covered, "host", "hosts"),
        wanted=pool.ha_wanted,
    )
    if pool.ha_overcommitted or pool.ha_covered < pool.ha_wanted:
        fix = say("Free memory in {pool}, or lower the number of failures it should survive.", pool=pool.name)
        return [warning(key, title, plan, fix)]
    return [fine(key, title, plan)]
