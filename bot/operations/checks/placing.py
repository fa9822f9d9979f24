"""Checks of the way from one host to the other: pool, storage, networks."""

from __future__ import annotations

from bot.domain.inventory import Disk, Host, MigrationFacts, Network
from bot.domain.plan import Check
from bot.domain.texts import Phrase, Size, many, say
from bot.domain.words import counted
from bot.operations.checks.grading import blocked, fine


def same_pool(facts: MigrationFacts) -> Check:
    """Both ends in one pool: shared storage and live migration without copying exist only there."""
    vm, target, key, title = facts.vm, facts.target, "pool", "Another pool"
    if target.pool == vm.pool:
        return fine(
            key,
            "Same pool",
            say("{vm} and {host} are both in {pool}", vm=vm.name, host=target.name, pool=facts.pool.name),
        )
    fact = say(
        "{host} is in another pool ({theirs}) than {vm} ({ours})",
        host=target.name,
        theirs=facts.target_pool.name,
        vm=vm.name,
        ours=facts.pool.name,
    )
    across = say(
        "to take {vm} to {pool}, back it up and restore it there, or export and import it",
        vm=vm.name,
        pool=facts.target_pool.name,
    )
    own = [host.name for host in facts.pool_hosts if host.uuid != vm.host]
    if own:
        return blocked(
            key, title, fact, say("Choose a host of its own pool ({hosts}); {across}.", hosts=many(own), across=across)
        )
    return blocked(key, title, fact, say("Its own pool has no other host; {across}.", across=across))


def elsewhere(facts: MigrationFacts) -> Check:
    """The target is another host. XAPI would accept the same one and only disturb the guest."""
    vm, target, key, title = facts.vm, facts.target, "there", "Another host"
    if vm.host != target.uuid:
        return fine(key, title, say("{vm} is not on {host} yet", vm=vm.name, host=target.name))
    others = [host.name for host in facts.pool_hosts if host.uuid != target.uuid]
    fix = say("Choose another host: {hosts}.", hosts=many(others)) if others else say("This pool has no other host.")
    return blocked(key, title, say("{vm} already runs on {host}", vm=vm.name, host=target.name), fix)


def storage(facts: MigrationFacts) -> list[Check]:
    """Every disk and every inserted CD is on storage that the target has plugged: XAPI counts CDs too."""
    filled = [disk for disk in facts.vm.disks if disk.vdi]
    bad = [_stuck(facts, disk) for disk in filled if disk.sr is None or facts.target.uuid not in disk.sr.hosts]
    if bad:
        return bad
    if not filled:
        return [
            fine("storage", "Shared storage", say("{vm} has no disk that would have to be reached", vm=facts.vm.name))
        ]
    names = sorted({disk.sr.name for disk in filled if disk.sr is not None})
    fact = say(
        "{disks} on shared storage that {host} reaches too ({srs})",
        disks=counted(len(filled), "disk", "disks"),
        host=facts.target.name,
        srs=many(names),
    )
    return [fine("storage", "Shared storage", fact)]


def _stuck(facts: MigrationFacts, disk: Disk) -> Check:
    key, sr, target = f"storage:{disk.userdevice}", disk.sr, facts.target.name
    if disk.cd:
        where = say("“{sr}”", sr=sr.name) if sr is not None else say("a library that cannot be seen")
        fact = say(
            "“{iso}” is in the CD drive, from {where}, which {host} cannot reach; a CD needs shared storage too",
            iso=disk.vdi_name,
            where=where,
            host=target,
        )
        return blocked(key, "ISO in the drive", fact, say("Eject the CD from {vm}.", vm=facts.vm.name))
    title = "Shared storage"
    what = say("disk {device} ({size})", device=disk.userdevice, size=Size(max(disk.size, 0)))
    shared = _shared(facts)
    away = (
        say("move the disk to {srs} (shared, reached from both hosts)", srs=many(shared))
        if shared
        else say("move the disk to an SR on shared storage that both hosts reach")
    )
    if sr is None:
        fact = say(
            "{disk} is on storage that cannot be seen, so it cannot be shared storage for {host}",
            disk=what,
            host=target,
        )
        return blocked(key, title, fact, say("Repair the storage of that disk, or {way}.", way=away))
    if sr.shared:
        fact = say(
            "{disk} is on {sr}, which is shared storage but is not plugged on {host}",
            disk=what,
            sr=sr.name,
            host=target,
        )
        return blocked(
            key, title, fact, say("Plug {sr} on {host} (repair the SR), or {way}.", sr=sr.name, host=target, way=away)
        )
    fact = say(
        "{disk} is on {sr}{owner}, which {host} cannot reach: it is not on shared storage",
        disk=what,
        sr=sr.name,
        owner=_owner(facts),
        host=target,
    )
    return blocked(key, title, fact, say("First {way}.", way=away))


def _owner(facts: MigrationFacts) -> Phrase:
    return say(" of {host}", host=facts.source.name) if facts.source is not None else say("")


def _shared(facts: MigrationFacts) -> list[str]:
    # Only the storage of this guest is among the facts: better to name less than to name what nobody looked at.
    both = {facts.target.uuid, facts.vm.host}
    seen = [disk.sr for disk in facts.vm.disks if disk.sr is not None and not disk.cd]
    return sorted({sr.name for sr in seen if sr.shared and both <= sr.hosts})


def networks(facts: MigrationFacts) -> list[Check]:
    """Every network of the guest exists on the target: it has a PIF there, or is internal and alone here."""
    missing = [network for network in facts.vm.networks if not _reaches(facts.target, network)]
    if missing:
        return [_cut_off(facts, network) for network in missing]
    if not facts.vm.networks:
        return [fine("network", "Networks", say("{vm} has no network", vm=facts.vm.name))]
    names = many([network.name for network in facts.vm.networks])
    return [fine("network", "Networks", say("{host} is on {networks}", host=facts.target.name, networks=names))]


def _reaches(target: Host, network: Network) -> bool:
    return network.internal or target.uuid in network.hosts


def _cut_off(facts: MigrationFacts, network: Network) -> Check:
    vm, target = facts.vm.name, facts.target.name
    return blocked(
        f"network:{network.uuid}",
        "Networks",
        say("{host} has no interface on {network}, which {vm} uses", host=target, network=network.name, vm=vm),
        say(
            "Give {host} an interface on {network}, or move {vm} to another network.",
            host=target,
            network=network.name,
            vm=vm,
        ),
    )
