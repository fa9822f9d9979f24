"""What speaks against a join: done to the records of a lab, told to people, and taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from bot.domain.plan import SIGNS, Grade
from bot.lab.xapi import Datacentre
from bot.lab.xapi.machine import CertificateFile
from bot.lab.xapi.rules.half_joined import add_half_joined
from bot.lab.xapi.schema.model import CLASSES

Change = Callable[[Datacentre], None]


class Case(msgspec.Struct, frozen=True):
    """A rule that is broken where a host would join the pool `experiment`.

    `here` and `there` are the values of the host and of the pool as people read them. `code` is XAPI's refusal, ""
    where it is not even asked, or lets the host in.
    """

    what: str
    breaks: Change
    rule: str
    here: str
    there: str
    fix: str
    code: str = ""
    host: str = "xenserver4"
    grade: Grade = Grade.BLOCKED

    @property
    def lines(self) -> list[str]:
        """What an answer says of it."""
        return [
            f"{SIGNS[self.grade]} {self.rule}: {self.host}: {self.here}; experiment: {self.there}",
            f"Fix: {self.fix}",
        ]


@contextmanager
def broken(lab: Datacentre, change: Change) -> Iterator[None]:
    """The lab with the change while the block runs; what it made and set, and that alone, is taken back at the end."""
    before = _records(lab)
    machines = [one for pool in lab._pools for one in pool.machines.values()]
    was_of = [(one, one.licensing, one.lost_file) for one in machines]
    change(lab)
    after = _records(lab)
    made = [key for key in after if key not in before]
    was = {key: {name: old for name, old in before[key].items() if after[key][name] != old} for key in before}
    try:
        yield
    finally:
        for database, name, ref in reversed(made):
            database.delete(name, ref)
        for (database, name, ref), fields in was.items():
            database.set(name, ref, **fields)
        for machine, licensing, lost in was_of:
            machine.licensing, machine.lost_file = licensing, lost


def _records(lab: Datacentre) -> dict[tuple[Any, str, str], dict[str, Any]]:
    databases = [pool.database for pool in lab._pools]
    return {
        (database, name, ref): dict(fields)
        for database in databases
        for name in CLASSES
        for ref, fields in database.items(name)
    }


def database_of(lab: Datacentre, host: str) -> tuple[Any, Any]:
    for pool in lab._pools:
        for machine in pool.machines.values():
            if machine.name == host:
                return pool.database, machine
    raise AssertionError(host)


def host_field(field: str, value: Any, host: str = "xenserver4") -> Change:
    def change(lab: Datacentre) -> None:
        database, machine = database_of(lab, host)
        old = database.get("host", machine.ref, field)
        database.set("host", machine.ref, **{field: {**old, **value} if isinstance(old, dict) else value})

    return change


def pool_field(field: str, value: Any, host: str = "xenserver4") -> Change:
    def change(lab: Datacentre) -> None:
        database, _ = database_of(lab, host)
        (ref,) = database.refs("pool")
        old = database.get("pool", ref, field)
        database.set("pool", ref, **{field: {**old, **value} if isinstance(old, dict) else value})

    return change


def management_field(field: str, value: Any) -> Change:
    def change(lab: Datacentre) -> None:
        database, machine = database_of(lab, "xenserver4")
        for pif in database.get("host", machine.ref, "PIFs"):
            database.set("PIF", pif, **{field: value})

    return change


def made(class_name: str, at: str = "xenserver4", **fields: Any) -> Change:
    def change(lab: Datacentre) -> None:
        database_of(lab, at)[0].create(class_name, **fields)

    return change


def metrics_field(field: str, value: Any, host: str) -> Change:
    def change(lab: Datacentre) -> None:
        database, machine = database_of(lab, host)
        database.set("host_metrics", database.get("host", machine.ref, "metrics"), **{field: value})

    return change


def without_brand(platform: str, host: str) -> Change:
    """A host that tells no brand, only the name of its platform."""

    def change(lab: Datacentre) -> None:
        database, machine = database_of(lab, host)
        software = dict(database.get("host", machine.ref, "software_version"))
        del software["product_brand"]
        database.set("host", machine.ref, software_version={**software, "platform_name": platform})

    return change


def unlicensed(lab: Datacentre) -> None:
    """The licence daemon of the host does not answer."""
    database_of(lab, "xenserver4")[1].licensing = False


def lost_file(file: CertificateFile, host: str) -> Change:
    def change(lab: Datacentre) -> None:
        database_of(lab, host)[1].lost_file = file

    return change


def busy_snapshot(lab: Datacentre) -> None:
    """A snapshot on the host that is being exported."""
    database, _ = database_of(lab, "xenserver4")
    working = {"OpaqueRef:task": "export"}
    database.create("VM", name_label="night", is_a_snapshot=True, is_a_template=True, current_operations=working)


def without_driver(kind: str) -> Change:
    """The host has a driver of another type in its place."""

    def change(lab: Datacentre) -> None:
        database, _ = database_of(lab, "xenserver4")
        ref = next(ref for ref, record in database.items("SM") if record["type"] == kind)
        database.set("SM", ref, type=f"old-{kind}")

    return change


def shared_storage(lab: Datacentre) -> None:
    database, _ = database_of(lab, "xenserver4")
    ref = next(ref for ref, record in database.items("SR") if not record["is_tools_sr"])
    database.set("SR", ref, shared=True)


def record_left(at: str, of: str = "") -> Change:
    """What a join that broke off left at the pool of a host: a record of the host `of`, or of one that has gone."""

    def change(lab: Datacentre) -> None:
        uuid = ""
        if of:
            database, machine = database_of(lab, of)
            uuid = database.get("host", machine.ref, "uuid")
        add_half_joined(database_of(lab, at)[0], uuid=uuid, name=of or "third", edition="standard")

    return change


def vlan(lab: Datacentre) -> None:
    """A VLAN on top of the very card that the host is managed over."""
    database, machine = database_of(lab, "xenserver4")
    (card, *_) = database.get("host", machine.ref, "PIFs")
    network = database.create("network", name_label="guests", bridge="xapi7")
    own = database.create("PIF", host=machine.ref, network=network, device="eth0", VLAN=7)
    database.create("VLAN", tag=7, tagged_PIF=card, untagged_PIF=own)


def cluster(vlan: int = -1, device: str = "eth0", *, joins: bool = True) -> Change:
    """Clustered storage of the pool, over the card that its coordinator is managed over, or over another."""

    def change(lab: Datacentre) -> None:
        database, machine = database_of(lab, "xenserver1")
        (card, *_) = database.get("host", machine.ref, "PIFs")
        if vlan > 0 or device != "eth0":
            network = database.create("network", name_label="storage", bridge="xapi9")
            card = database.create("PIF", host=machine.ref, network=network, device=device, VLAN=vlan)
        whole = database.create("Cluster", pool_auto_join=joins)
        database.create("Cluster_host", cluster=whole, host=machine.ref, PIF=card, enabled=True)

    return change


def second_address(*, elsewhere: bool = False) -> Change:
    """Another address of the host on the network that it is managed over, or on a VLAN over the same card."""

    def change(lab: Datacentre) -> None:
        database, machine = database_of(lab, "xenserver4")
        (card, *_) = database.get("host", machine.ref, "PIFs")
        network = database.get("PIF", card, "network")
        if elsewhere:
            network = database.create("network", name_label="more", bridge="xapi8")
        database.create("PIF", host=machine.ref, network=network, device="eth0", VLAN=-1, IP="192.0.2.44")

    return change


def updates_apart(lab: Datacentre) -> None:
    """One update on both sides, and one on each alone; their references differ from pool to pool."""
    for host, names in (("xenserver1", ("common", "XS84E002")), ("xenserver4", ("common", "XS84E001"))):
        database, machine = database_of(lab, host)
        refs = [
            database.create("pool_update", uuid=f"{name}-0000", name_label=name, enforce_homogeneity=True)
            for name in names
        ]
        database.set("host", machine.ref, updates=refs)


def network_purpose(purpose: str, host: str) -> Change:
    def change(lab: Datacentre) -> None:
        database, _ = database_of(lab, host)
        database.set("network", next(iter(database.refs("network"))), purpose=[purpose])

    return change


def together(*changes: Change) -> Change:
    def change(lab: Datacentre) -> None:
        for one in changes:
            one(lab)

    return change


def authority(host: str, fingerprint: str) -> Change:
    def change(lab: Datacentre) -> None:
        database_of(lab, host)[0].create("Certificate", type="ca", name="company", fingerprint=fingerprint)

    return change


def trusted(host: str, *purposes: str, kind: str = "pinned", mark: str = "AA:03") -> Change:
    """A certificate of that fingerprint that a pool was told to trust for these purposes; for everything without."""

    def change(lab: Datacentre) -> None:
        database, _ = database_of(lab, host)
        database.create("Certificate", type=kind, fingerprint=mark, purpose=list(purposes))

    return change


def driver(lab: Datacentre) -> None:
    database, _ = database_of(lab, "xenserver4")
    ref = next(ref for ref, record in database.items("SM") if record["features"])
    features = dict(database.get("SM", ref, "features"))
    features.popitem()
    database.set("SM", ref, features=features)


def bond(lab: Datacentre) -> None:
    database, machine = database_of(lab, "xenserver4")
    network = database.create("network", name_label="bonded", bridge="xapi6")
    master = database.create("PIF", host=machine.ref, network=network, device="bond0", VLAN=-1)
    database.create("Bond", master=master)


def like(host: str, other: str) -> Change:
    """The host has the processor of the other."""

    def change(lab: Datacentre) -> None:
        database, machine = database_of(lab, other)
        host_field("cpu_info", database.get("host", machine.ref, "cpu_info"), host)(lab)

    return change


def without_aes(lab: Datacentre) -> None:
    database, machine = database_of(lab, "xenserver4")
    words = database.get("host", machine.ref, "cpu_info")["features_hvm"].split("-")
    words[1] = f"{int(words[1], 16) & ~(1 << 25):08x}"
    host_field("cpu_info", dict.fromkeys(("features_hvm", "features_hvm_host"), "-".join(words)))(lab)


def guests(state: str, *, busy: bool = False) -> Change:
    """The host of the other vendor as one of the pool's, so that nothing but its guests speaks against it."""

    def change(lab: Datacentre) -> None:
        like("xenserver2", "xenserver1")(lab)
        database, _ = database_of(lab, "xenserver2")
        for ref, record in list(database.items("VM")):
            if record["is_control_domain"] or record["is_a_template"]:
                continue
            operations = {"OpaqueRef:task": "snapshot"} if busy else {}
            database.set("VM", ref, power_state=state, current_operations=operations)

    return change
