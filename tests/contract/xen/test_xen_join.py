"""Each rule of a join: broken in the lab, our check names it with both values, and XAPI refuses with its own code."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from xen_lab import EXPERIMENT, following, loaded, pool_settings

from bot.domain.plan import Grade
from bot.domain.texts import plain
from bot.errors import XapiFailure
from bot.lab.xapi import Datacentre
from bot.operations.joining.rules import rules
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


def _host(field: str, value: Any) -> Callable[[Datacentre], None]:
    def change(lab: Datacentre) -> None:
        database, machine = _database(lab, "xenserver4")
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


RULES: list[tuple[str, Callable[[Datacentre], None], str, str]] = [
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


@pytest.mark.parametrize(("what", "break_it", "key", "code"), RULES, ids=[one[0] for one in RULES])
async def test_a_broken_rule_is_named_before_and_refused_by_xapi(
    lab: Datacentre, what: str, break_it: Callable[[Datacentre], None], key: str, code: str
) -> None:
    break_it(lab)
    settings = (pool_settings(lab, *EXPERIMENT, name="experiment"), pool_settings(lab, "xenserver4"))
    async with following(*settings) as pools:
        await loaded(pools)
        host, target = pools.host("xenserver4"), pools.pool("experiment")
        assert target.pool is not None
        facts = await pools.joining(host.uuid, target.pool.uuid)
        broken = {one.key: one for one in rules(facts) if one.grade is Grade.BLOCKED}
        assert set(broken) == {key}, what
        said = plain(broken[key].check(facts).fact)
        assert "xenserver4: " in said
        assert "experiment: " in said
        assert broken[key].fix is not None
        with pytest.raises(XapiFailure) as refused:
            await pools.members.join(host.uuid, target.pool.uuid)
        assert refused.value.code == code


async def test_a_host_that_fits_breaks_no_rule(both: Pools) -> None:
    target = both.pool("experiment")
    assert target.pool is not None
    facts = await both.joining(both.host("xenserver4").uuid, target.pool.uuid)
    assert [one.key for one in rules(facts) if one.grade is not Grade.OK] == []
    assert len(rules(facts)) >= 26
