"""Each rule of a join: broken in the lab, our check names it with both values, and XAPI refuses with its own code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from xen_lab import EXPERIMENT, following, loaded, pool_settings

from bot.domain.joining import JoinFacts
from bot.domain.plan import Grade
from bot.domain.texts import plain
from bot.errors import XapiFailure
from bot.lab.xapi import Datacentre
from bot.operations.joining.rule import Rule
from bot.operations.joining.rules import rules
from bot.operations.xapi_words import known_codes
from bot.xen import Pools

Change = tuple[str, str, Any]


@pytest.fixture
async def both(lab: Datacentre) -> AsyncIterator[Pools]:
    """The pool and the host that fits it."""
    settings = (pool_settings(lab, *EXPERIMENT, name="experiment"), pool_settings(lab, "xenserver4"))
    async with following(*settings) as pools:
        await loaded(pools)
        yield pools


def _database(lab: Datacentre, host: str) -> tuple[Any, Any]:
    for pool in lab._pools:
        for machine in pool.machines.values():
            if machine.name == host:
                return pool.database, machine
    raise AssertionError(host)


def _host(field: str, value: Any, host: str = "xenserver4") -> Callable[[Datacentre], None]:
    def change(lab: Datacentre) -> None:
        database, machine = _database(lab, host)
        old = database.get("host", machine.ref, field)
        database.set("host", machine.ref, **{field: {**old, **value} if isinstance(old, dict) else value})

    return change


def _pool(field: str, value: Any, host: str = "xenserver4") -> Callable[[Datacentre], None]:
    def change(lab: Datacentre) -> None:
        database, _ = _database(lab, host)
        (ref,) = database.refs("pool")
        old = database.get("pool", ref, field)
        database.set("pool", ref, **{field: {**old, **value} if isinstance(old, dict) else value})

    return change


def _management(field: str, value: Any) -> Callable[[Datacentre], None]:
    def change(lab: Datacentre) -> None:
        database, machine = _database(lab, "xenserver4")
        for pif in database.get("host", machine.ref, "PIFs"):
            database.set("PIF", pif, **{field: value})

    return change


def _made(class_name: str, **fields: Any) -> Callable[[Datacentre], None]:
    def change(lab: Datacentre) -> None:
        _database(lab, "xenserver4")[0].create(class_name, **fields)

    return change


def _shared(lab: Datacentre) -> None:
    database, _ = _database(lab, "xenserver4")
    ref = next(ref for ref, record in database.items("SR") if not record["is_tools_sr"])
    database.set("SR", ref, shared=True)


def _small(lab: Datacentre) -> None:
    _pool("restrictions", {"restrict_pool_size": "true"}, "xenserver1")(lab)
    database, machine = _database(lab, "xenserver1")
    database.create(
        "host", name_label="third", address="127.0.1.99", metrics=database.get("host", machine.ref, "metrics")
    )


def _vlan(lab: Datacentre) -> None:
    """A VLAN on top of the very card that the host is managed over."""
    database, machine = _database(lab, "xenserver4")
    (card, *_) = database.get("host", machine.ref, "PIFs")
    network = database.create("network", name_label="guests", bridge="xapi7")
    own = database.create("PIF", host=machine.ref, network=network, device="eth0", VLAN=7)
    database.create("VLAN", tag=7, tagged_PIF=card, untagged_PIF=own)


def _cluster(vlan: int = -1) -> Callable[[Datacentre], None]:
    """Clustered storage of the pool, over the card that its coordinator is managed over."""

    def change(lab: Datacentre) -> None:
        database, machine = _database(lab, "xenserver1")
        (card, *_) = database.get("host", machine.ref, "PIFs")
        if vlan > 0:
            network = database.create("network", name_label="storage", bridge="xapi9")
            card = database.create("PIF", host=machine.ref, network=network, device="eth0", VLAN=vlan)
        database.create("Cluster_host", host=machine.ref, PIF=card)

    return change


def _second_address(lab: Datacentre) -> None:
    database, machine = _database(lab, "xenserver4")
    network = database.create("network", name_label="more", bridge="xapi8")
    database.create("PIF", host=machine.ref, network=network, device="eth0", VLAN=-1, IP="192.0.2.44")


def _update(lab: Datacentre) -> None:
    """One update on both sides, and one on the host alone; their references differ from pool to pool."""
    for host, names in (("xenserver1", ("common",)), ("xenserver4", ("common", "extra"))):
        database, machine = _database(lab, host)
        refs = [
            database.create("pool_update", uuid=f"{name}-0000", name_label=name, enforce_homogeneity=True)
            for name in names
        ]
        database.set("host", machine.ref, updates=refs)


def _network(purpose: str, host: str) -> Callable[[Datacentre], None]:
    def change(lab: Datacentre) -> None:
        database, _ = _database(lab, host)
        database.set("network", next(iter(database.refs("network"))), purpose=[purpose])

    return change


def _both(*changes: Callable[[Datacentre], None]) -> Callable[[Datacentre], None]:
    def change(lab: Datacentre) -> None:
        for one in changes:
            one(lab)

    return change


def _authority(host: str, fingerprint: str) -> Callable[[Datacentre], None]:
    def change(lab: Datacentre) -> None:
        _database(lab, host)[0].create("Certificate", type="ca", name="company", fingerprint=fingerprint)

    return change


def _driver(lab: Datacentre) -> None:
    database, _ = _database(lab, "xenserver4")
    ref = next(ref for ref, record in database.items("SM") if record["features"])
    features = dict(database.get("SM", ref, "features"))
    features.popitem()
    database.set("SM", ref, features=features)


def _guests(state: str, *, busy: bool = False) -> Callable[[Datacentre], None]:
    """The host of the other vendor as one of the pool's, so that nothing but its guests speaks against it."""

    def change(lab: Datacentre) -> None:
        _host("cpu_info", {"vendor": "GenuineIntel"}, "xenserver2")(lab)
        database, _ = _database(lab, "xenserver2")
        for ref, record in list(database.items("VM")):
            if record["is_control_domain"] or record["is_a_template"]:
                continue
            operations = {"OpaqueRef:task": "snapshot"} if busy else {}
            database.set("VM", ref, power_state=state, current_operations=operations)

    return change


RULES: list[tuple[str, Callable[[Datacentre], None], str, str]] = [
    (
        "a licence without pools",
        _pool("restrictions", {"restrict_pooling": "true"}),
        "pooling",
        "LICENSE_DOES_NOT_SUPPORT_POOLING",
    ),
    (
        "two addresses on the network of the pool's cluster",
        _both(_cluster(), _second_address),
        "cluster-network",
        "POOL_JOINING_HOST_MUST_HAVE_ONLY_ONE_IP_ON_CLUSTERING_NETWORK",
    ),
    (
        "a cluster of the pool on a VLAN",
        _cluster(9),
        "cluster-network",
        "POOL_JOINING_POOL_CANNOT_ENABLE_CLUSTERING_ON_VLAN_NETWORK",
    ),
    ("a VLAN", _vlan, "vlans", "POOL_JOINING_HOST_HAS_NON_MANAGEMENT_VLANS"),
    (
        "another SDN controller",
        _made("SDN_controller", protocol="ssl", address="192.0.2.9", port=6640),
        "sdn",
        "OPERATION_NOT_ALLOWED",
    ),
    ("an update more", _update, "updates", "HOSTS_NOT_HOMOGENEOUS"),
    (
        "disks offered openly here and encrypted there",
        _both(_network("insecure_nbd", "xenserver4"), _network("nbd", "xenserver1")),
        "nbd",
        "OPERATION_NOT_ALLOWED",
    ),
    (
        "another certificate of one authority",
        _both(_authority("xenserver4", "AA:01"), _authority("xenserver1", "AA:02")),
        "authorities",
        "POOL_JOINING_HOST_CA_CERTIFICATES_CONFLICT",
    ),
    (
        "updates being applied in the pool",
        _pool("current_operations", {"OpaqueRef:task": "apply_updates"}, "xenserver1"),
        "upgrade",
        "NOT_SUPPORTED_DURING_UPGRADE",
    ),
    (
        "updates being applied on the host",
        _pool("current_operations", {"OpaqueRef:task": "apply_updates"}),
        "upgrade",
        "NOT_SUPPORTED_DURING_UPGRADE",
    ),
    ("an older storage driver", _driver, "drivers", "POOL_JOINING_SM_FEATURES_INCOMPATIBLE"),
    (
        "an update to finish in the pool",
        _host("pending_guidances", ["reboot_host"], "xenserver3"),
        "guidance",
        "HOST_PENDING_MANDATORY_GUIDANCE_NOT_EMPTY",
    ),
    ("another brand", _host("software_version", {"product_brand": "XCP-ng"}), "version", "HOSTS_NOT_COMPATIBLE"),
    ("another commit", _host("software_version", {"git_id": "0abc"}), "version", "HOSTS_NOT_HOMOGENEOUS"),
    ("another linux", _host("software_version", {"linux": "0.1"}), "version", "HOSTS_NOT_HOMOGENEOUS"),
    (
        "another service of the same directory",
        _host("external_auth_service_name", "elsewhere"),
        "auth",
        "POOL_JOINING_EXTERNAL_AUTH_MISMATCH",
    ),
    ("a full pool under a small licence", _small, "pool-size", "LICENCE_RESTRICTION"),
    ("no management interface", _management("management", False), "management", "HOST_STILL_BOOTING"),
    ("high availability on the host", _pool("ha_enabled", True), "ha", "HA_IS_ENABLED"),
    ("high availability in the pool", _pool("ha_enabled", True, "xenserver1"), "ha", "HA_IS_ENABLED"),
    ("a clustered host", _made("Cluster_host"), "clustering", "CLUSTERING_ENABLED"),
    (
        "an update to finish",
        _host("pending_guidances", ["reboot_host"]),
        "guidance",
        "HOST_PENDING_MANDATORY_GUIDANCE_NOT_EMPTY",
    ),
    ("another platform", _host("software_version", {"platform_version": "3.9.9"}), "version", "HOSTS_NOT_COMPATIBLE"),
    ("another build", _host("software_version", {"xapi_build": "0.1"}), "version", "HOSTS_NOT_HOMOGENEOUS"),
    ("another CPU vendor", _host("cpu_info", {"vendor": "AuthenticAMD"}), "cpu-vendor", "HOSTS_NOT_HOMOGENEOUS"),
    ("shared storage", _shared, "shared-sr", "JOINING_HOST_CANNOT_CONTAIN_SHARED_SRS"),
    ("a bond", _made("Bond"), "bonds", "POOL_JOINING_HOST_HAS_BONDS"),
    ("a tunnel", _made("tunnel"), "tunnels", "POOL_JOINING_HOST_HAS_TUNNELS"),
    ("SR-IOV", _made("network_sriov"), "sriov", "POOL_JOINING_HOST_HAS_NETWORK_SRIOVS"),
    (
        "another VLAN of management",
        _management("VLAN", 7),
        "management-vlan",
        "POOL_JOINING_HOST_MANAGEMENT_VLAN_DOES_NOT_MATCH",
    ),
    ("another directory", _host("external_auth_type", "AD"), "auth", "POOL_JOINING_EXTERNAL_AUTH_MISMATCH"),
    ("another licence", _host("edition", "express"), "edition", "LICENSE_HOST_POOL_MISMATCH"),
    (
        "another network backend",
        _host("software_version", {"network_backend": "bridge"}),
        "backend",
        "OPERATION_NOT_ALLOWED",
    ),
    (
        "another database",
        _host("software_version", {"db_schema": "5.1"}),
        "api",
        "POOL_JOINING_HOST_MUST_HAVE_SAME_DB_SCHEMA",
    ),
    (
        "another API",
        _host("API_version_minor", 1),
        "api",
        "POOL_JOINING_HOST_MUST_HAVE_SAME_API_VERSION",
    ),
    ("another kind of address", _management("primary_address_type", "IPv6"), "address-type", "OPERATION_NOT_ALLOWED"),
    (
        "certificates unchecked",
        _pool("tls_verification_enabled", False),
        "tls",
        "POOL_JOINING_HOST_TLS_VERIFICATION_MISMATCH",
    ),
]


#: What is about other hosts than the one that fits: which, and what its own guests or members are.
OTHERS: list[tuple[str, Callable[[Datacentre], None], str, str, str]] = [
    ("running guests", _guests("Running"), "xenserver2", "running", "JOINING_HOST_CANNOT_HAVE_RUNNING_VMS"),
    (
        "a guest at work",
        _guests("Halted", busy=True),
        "xenserver2",
        "busy",
        "JOINING_HOST_CANNOT_HAVE_VMS_WITH_CURRENT_OPERATIONS",
    ),
]


async def _judged(pools: Pools, host: str, target: str) -> tuple[JoinFacts, dict[str, Rule]]:
    pool = pools.pool(target).pool
    assert pool is not None
    facts = await pools.joining(pools.host(host).uuid, pool.uuid)
    return facts, {one.key: one for one in rules(facts) if one.grade is Grade.BLOCKED}


async def _joined(pools: Pools, facts: JoinFacts) -> None:
    ends = facts.joining.coordinator.uuid, facts.pool.pool.uuid
    await pools.members.ended(*ends, await pools.members.begin(*ends))


@pytest.mark.parametrize(
    ("what", "break_it", "host", "key", "code"),
    [*((what, broken, "xenserver4", key, code) for what, broken, key, code in RULES), *OTHERS],
    ids=[one[0] for one in (*RULES, *OTHERS)],
)
async def test_a_broken_rule_is_named_before_and_refused_by_xapi(
    lab: Datacentre, what: str, break_it: Callable[[Datacentre], None], host: str, key: str, code: str
) -> None:
    break_it(lab)
    settings = (pool_settings(lab, *EXPERIMENT, name="experiment"), pool_settings(lab, host))
    async with following(*settings) as pools:
        await loaded(pools)
        facts, broken = await _judged(pools, host, "experiment")
        assert set(broken) == {key}, what
        said = plain(broken[key].check(facts).fact)
        assert f"{host}: " in said
        assert "experiment: " in said
        assert broken[key].fix is not None
        with pytest.raises(XapiFailure) as refused:
            await _joined(pools, facts)
        assert refused.value.code == code
        assert code in known_codes(), "a refusal that people read in our words"


async def test_features_that_no_host_tells_are_not_called_alike(lab: Datacentre) -> None:
    _host("cpu_info", {"features_hvm": "", "features_hvm_host": ""})(lab)
    settings = (pool_settings(lab, *EXPERIMENT, name="experiment"), pool_settings(lab, "xenserver4"))
    async with following(*settings) as pools:
        await loaded(pools)
        facts, broken = await _judged(pools, "xenserver4", "experiment")
        assert broken == {}
        (unclear,) = [one for one in rules(facts) if one.grade is not Grade.OK]
        assert (unclear.key, unclear.grade) == ("cpu-features", Grade.UNKNOWN)


async def test_suspended_guests_come_along(lab: Datacentre) -> None:
    _guests("Suspended")(lab)
    settings = (pool_settings(lab, *EXPERIMENT, name="experiment"), pool_settings(lab, "xenserver2"))
    async with following(*settings) as pools:
        await loaded(pools)
        facts, broken = await _judged(pools, "xenserver2", "experiment")
        assert broken == {}
        await _joined(pools, facts)


@pytest.mark.parametrize(
    ("host", "target", "said", "refusal"),
    [
        ("xenserver1", "xenserver4", "A coordinator of other hosts", ["JOINING_HOST_CANNOT_BE_MASTER_OF_OTHER_HOSTS"]),
        ("xenserver3", "xenserver4", "only ejected from there", []),
        ("xenserver3", "experiment", "a member already", ["OPERATION_NOT_ALLOWED", "Host is already part of a pool"]),
        (
            "xenserver4",
            "xenserver4",
            "a member already",
            ["OPERATION_NOT_ALLOWED", "Host cannot become slave of itself"],
        ),
    ],
)
async def test_a_host_that_is_not_alone_is_told_what_it_is_instead(
    both: Pools, host: str, target: str, said: str, refusal: list[str]
) -> None:
    facts, broken = await _judged(both, host, target)
    assert said in plain(broken["alone"].fix or "")
    if not refusal:  # a member takes no such call: it names its coordinator
        return
    here, there = (next(live for live in both._pools if live.pool == side.pool) for side in (facts.joining, facts.pool))
    address = facts.pool.coordinator.address
    task = await here.sessions.join(address, there.sessions)
    record = {"status": "pending"}
    async with asyncio.timeout(15):
        while record["status"] == "pending":
            record = await here.sessions.read("task.get_record", task)
    assert record["error_info"] == refusal


async def test_what_a_weaker_processor_takes_from_the_pool_is_named_with_the_guests_that_would_have_to_restart(
    lab: Datacentre,
) -> None:
    database, machine = _database(lab, "xenserver4")
    info = dict(database.get("host", machine.ref, "cpu_info"))
    words = info["features_hvm_host"].split("-") if "features_hvm_host" in info else info["features_hvm"].split("-")
    aes = 1 << 25
    words[1] = f"{int(words[1], 16) & ~aes:08x}"
    _host("cpu_info", dict.fromkeys(("features_hvm", "features_hvm_host"), "-".join(words)))(lab)
    settings = (pool_settings(lab, *EXPERIMENT, name="experiment"), pool_settings(lab, "xenserver4"))
    async with following(*settings) as pools:
        await loaded(pools)
        facts, broken = await _judged(pools, "xenserver4", "experiment")
        assert broken == {}, "XAPI levels the pool, it refuses nothing"
        (weaker,) = [one for one in rules(facts) if one.grade is Grade.WARNING]
        assert weaker.key == "cpu-features"
        assert "lacks 1 feature" in plain(weaker.mine)
        assert "takes aes from the whole pool" in plain(weaker.fix or "")
        assert "in use by" in plain(weaker.fix or "")
        assert facts.restarting
        await _joined(pools, facts)


async def test_a_host_that_fits_breaks_no_rule(both: Pools) -> None:
    target = both.pool("experiment")
    assert target.pool is not None
    facts = await both.joining(both.host("xenserver4").uuid, target.pool.uuid)
    assert [one.key for one in rules(facts) if one.grade is not Grade.OK] == []


async def test_every_rule_of_a_join_is_broken_somewhere_here(both: Pools) -> None:
    target = both.pool("experiment")
    assert target.pool is not None
    facts = await both.joining(both.host("xenserver4").uuid, target.pool.uuid)
    broken = {key for _, _, key, _ in RULES} | {key for _, _, _, key, _ in OTHERS}
    # By the tests above; what a join left that broke off, and hosts that are dead, have files of their own.
    broken |= {"alone", "cpu-features", "left-over", "members"}
    assert {one.key for one in rules(facts)} == broken
