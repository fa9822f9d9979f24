"""What speaks against a join, done to a lab; and a join as it is judged and as it is tried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot.domain.joining import JoinFacts
from bot.domain.plan import Grade
from bot.lab.xapi import Datacentre
from bot.operations.joining.rule import Rule
from bot.operations.joining.rules import rules
from bot.xen import Pools


def database_of(lab: Datacentre, host: str) -> tuple[Any, Any]:
    for pool in lab._pools:
        for machine in pool.machines.values():
            if machine.name == host:
                return pool.database, machine
    raise AssertionError(host)


def host_field(field: str, value: Any, host: str = "xenserver4") -> Callable[[Datacentre], None]:
    def change(lab: Datacentre) -> None:
        database, machine = database_of(lab, host)
        old = database.get("host", machine.ref, field)
        database.set("host", machine.ref, **{field: {**old, **value} if isinstance(old, dict) else value})

    return change


def pool_field(field: str, value: Any, host: str = "xenserver4") -> Callable[[Datacentre], None]:
    def change(lab: Datacentre) -> None:
        database, _ = database_of(lab, host)
        (ref,) = database.refs("pool")
        old = database.get("pool", ref, field)
        database.set("pool", ref, **{field: {**old, **value} if isinstance(old, dict) else value})

    return change


def management_field(field: str, value: Any) -> Callable[[Datacentre], None]:
    def change(lab: Datacentre) -> None:
        database, machine = database_of(lab, "xenserver4")
        for pif in database.get("host", machine.ref, "PIFs"):
            database.set("PIF", pif, **{field: value})

    return change


def made(class_name: str, **fields: Any) -> Callable[[Datacentre], None]:
    def change(lab: Datacentre) -> None:
        database_of(lab, "xenserver4")[0].create(class_name, **fields)

    return change


def shared_storage(lab: Datacentre) -> None:
    database, _ = database_of(lab, "xenserver4")
    ref = next(ref for ref, record in database.items("SR") if not record["is_tools_sr"])
    database.set("SR", ref, shared=True)


def small_licence(lab: Datacentre) -> None:
    pool_field("restrictions", {"restrict_pool_size": "true"}, "xenserver1")(lab)
    database, machine = database_of(lab, "xenserver1")
    database.create(
        "host", name_label="third", address="127.0.1.99", metrics=database.get("host", machine.ref, "metrics")
    )


def vlan(lab: Datacentre) -> None:
    """A VLAN on top of the very card that the host is managed over."""
    database, machine = database_of(lab, "xenserver4")
    (card, *_) = database.get("host", machine.ref, "PIFs")
    network = database.create("network", name_label="guests", bridge="xapi7")
    own = database.create("PIF", host=machine.ref, network=network, device="eth0", VLAN=7)
    database.create("VLAN", tag=7, tagged_PIF=card, untagged_PIF=own)


def cluster(vlan: int = -1) -> Callable[[Datacentre], None]:
    """Clustered storage of the pool, over the card that its coordinator is managed over."""

    def change(lab: Datacentre) -> None:
        database, machine = database_of(lab, "xenserver1")
        (card, *_) = database.get("host", machine.ref, "PIFs")
        if vlan > 0:
            network = database.create("network", name_label="storage", bridge="xapi9")
            card = database.create("PIF", host=machine.ref, network=network, device="eth0", VLAN=vlan)
        database.create("Cluster_host", host=machine.ref, PIF=card)

    return change


def second_address(lab: Datacentre) -> None:
    database, machine = database_of(lab, "xenserver4")
    network = database.create("network", name_label="more", bridge="xapi8")
    database.create("PIF", host=machine.ref, network=network, device="eth0", VLAN=-1, IP="192.0.2.44")


def one_update_more(lab: Datacentre) -> None:
    """One update on both sides, and one on the host alone; their references differ from pool to pool."""
    for host, names in (("xenserver1", ("common",)), ("xenserver4", ("common", "extra"))):
        database, machine = database_of(lab, host)
        refs = [
            database.create("pool_update", uuid=f"{name}-0000", name_label=name, enforce_homogeneity=True)
            for name in names
        ]
        database.set("host", machine.ref, updates=refs)


def network_purpose(purpose: str, host: str) -> Callable[[Datacentre], None]:
    def change(lab: Datacentre) -> None:
        database, _ = database_of(lab, host)
        database.set("network", next(iter(database.refs("network"))), purpose=[purpose])

    return change


def together(*changes: Callable[[Datacentre], None]) -> Callable[[Datacentre], None]:
    def change(lab: Datacentre) -> None:
        for one in changes:
            one(lab)

    return change


def authority(host: str, fingerprint: str) -> Callable[[Datacentre], None]:
    def change(lab: Datacentre) -> None:
        database_of(lab, host)[0].create("Certificate", type="ca", name="company", fingerprint=fingerprint)

    return change


def driver(lab: Datacentre) -> None:
    database, _ = database_of(lab, "xenserver4")
    ref = next(ref for ref, record in database.items("SM") if record["features"])
    features = dict(database.get("SM", ref, "features"))
    features.popitem()
    database.set("SM", ref, features=features)


def guests(state: str, *, busy: bool = False) -> Callable[[Datacentre], None]:
    """The host of the other vendor as one of the pool's, so that nothing but its guests speaks against it."""

    def change(lab: Datacentre) -> None:
        host_field("cpu_info", {"vendor": "GenuineIntel"}, "xenserver2")(lab)
        database, _ = database_of(lab, "xenserver2")
        for ref, record in list(database.items("VM")):
            if record["is_control_domain"] or record["is_a_template"]:
                continue
            operations = {"OpaqueRef:task": "snapshot"} if busy else {}
            database.set("VM", ref, power_state=state, current_operations=operations)

    return change


async def judged(pools: Pools, host: str, target: str) -> tuple[JoinFacts, dict[str, Rule]]:
    pool = pools.pool(target).pool
    assert pool is not None
    facts = await pools.joining(pools.host(host).uuid, pool.uuid)
    return facts, {one.key: one for one in rules(facts) if one.grade is Grade.BLOCKED}


async def joined(pools: Pools, facts: JoinFacts) -> None:
    ends = facts.joining.coordinator.uuid, facts.pool.pool.uuid
    await pools.members.ended(*ends, await pools.members.begin(*ends))
