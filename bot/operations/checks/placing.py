"""Checks of the way from one host to the other: pool and networks."""

from __future__ import annotations

from bot.domain.guest_facts import MigrationFacts
from bot.domain.inventory import Network, Pool, Vm
from bot.domain.plan import Check
from bot.domain.texts import Code, many, say
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
        "{vm} comes to {pool} only by a backup and a restore of it there: {move}",
        vm=vm.name,
        pool=facts.target_pool.name,
        move=Code("/xen move-by-backup"),
    )
    own = [host.name for host in facts.pool_hosts if host.uuid != vm.host]
    if own:
        return blocked(
            key, title, fact, say("Choose a host of its own pool ({hosts}); {across}.", hosts=many(own), across=across)
        )
    return blocked(
        key, title, fact, say("Move it by backup, since its own pool has no other host; {across}.", across=across)
    )


def licensed(pool: Pool, vm: Vm, *, storage: bool = False) -> list[Check]:
    """The licence of the pool lets a running guest move, or with `storage` its disks; told only where it does not.

    XAPI looks at it in the middle of the work, and no verdict that it can be asked for beforehand tells of the former.
    """
    if pool.storage_motion if storage else pool.live_motion:
        return []
    what = say("moving disks that are in use" if storage else "live migration")
    fact = say("the licence of {pool} does not include {what}", pool=pool.name, what=what)
    way = (
        say("move {vm} by backup: {words}", vm=vm.name, words=Code("/xen move-by-backup"))
        if storage
        else say("shut {vm} down and start it on the other host", vm=vm.name)
    )
    fix = say("Give the hosts of {pool} an edition that includes it, or {way}.", pool=pool.name, way=way)
    return [blocked("licence", "Licence", fact, fix)]


def elsewhere(facts: MigrationFacts) -> Check:
    """The target is another host. XAPI would accept the same one and only disturb the guest."""
    vm, target, key, title = facts.vm, facts.target, "there", "Another host"
    if vm.host != target.uuid:
        return fine(key, title, say("{vm} is not on {host} yet", vm=vm.name, host=target.name))
    others = [host.name for host in facts.pool_hosts if host.uuid != target.uuid]
    fix = (
        say("Choose another host: {hosts}.", hosts=many(others))
        if others
        else say("Add a host to this pool first: it has no other.")
    )
    return blocked(key, "Already there", say("{vm} already runs on {host}", vm=vm.name, host=target.name), fix)


def networks(facts: MigrationFacts) -> list[Check]:
    """Every network of the guest exists on the target: it has a PIF there, plugged or not."""
    missing = [network for network in facts.vm.networks if not _reaches(facts, network)]
    if missing:
        return [_cut_off(facts, network) for network in missing]
    if not facts.vm.networks:
        return [fine("network", "Networks", say("{vm} has no network", vm=facts.vm.name))]
    names = many([network.name for network in facts.vm.networks])
    return [fine("network", "Networks", say("{host} is on {networks}", host=facts.target.name, networks=names))]


def _reaches(facts: MigrationFacts, network: Network) -> bool:
    """As XAPI decides: an internal network is where its running guests are, and this guest is one of them."""
    if not network.internal or network.assumed_shared:
        return facts.target.uuid in network.hosts or network.assumed_shared
    return any(network.uuid in _networks_of(vm) for vm in facts.neighbours if vm.host == facts.target.uuid)


def _networks_of(vm: Vm) -> set[str]:
    return {network.uuid for network in vm.networks}


def _cut_off(facts: MigrationFacts, network: Network) -> Check:
    vm, target = facts.vm.name, facts.target.name
    key, title = f"network:{network.uuid}", "Missing network"
    if network.internal:
        fact = say(
            "{network}, which {vm} uses, has no interface on any host, so it exists only where its guests run",
            network=network.name,
            vm=vm,
        )
        fix = say("Move {vm} to a network that {host} has too, then ask again.", vm=vm, host=target)
        return blocked(key, title, fact, fix)
    return blocked(
        key,
        title,
        say("{host} has no interface on {network}, which {vm} uses", host=target, network=network.name, vm=vm),
        say(
            "Give {host} an interface on {network}, or move {vm} to another network.",
            host=target,
            network=network.name,
            vm=vm,
        ),
    )
