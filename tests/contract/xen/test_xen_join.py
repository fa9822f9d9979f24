"""Each rule of a join: broken in the lab, our check names it with both values, and XAPI refuses with its own code."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from join_changes import (
    authority,
    cluster,
    driver,
    guests,
    host_field,
    joined,
    judged,
    made,
    management_field,
    network_purpose,
    one_update_more,
    pool_field,
    second_address,
    shared_storage,
    small_licence,
    together,
    vlan,
)
from xen_lab import EXPERIMENT, following, loaded, pool_settings

from bot.domain.plan import Grade
from bot.domain.texts import plain
from bot.errors import XapiFailure
from bot.lab.xapi import Datacentre
from bot.operations.joining.rules import rules
from bot.operations.xapi_words import known_codes
from bot.xen import Pools

RULES: list[tuple[str, Callable[[Datacentre], None], str, str]] = [
    (
        "a licence without pools",
        pool_field("restrictions", {"restrict_pooling": "true"}),
        "pooling",
        "LICENSE_DOES_NOT_SUPPORT_POOLING",
    ),
    (
        "two addresses on the network of the pool's cluster",
        together(cluster(), second_address),
        "cluster-network",
        "POOL_JOINING_HOST_MUST_HAVE_ONLY_ONE_IP_ON_CLUSTERING_NETWORK",
    ),
    (
        "a cluster of the pool on a VLAN",
        cluster(9),
        "cluster-network",
        "POOL_JOINING_POOL_CANNOT_ENABLE_CLUSTERING_ON_VLAN_NETWORK",
    ),
    ("a VLAN", vlan, "vlans", "POOL_JOINING_HOST_HAS_NON_MANAGEMENT_VLANS"),
    (
        "another SDN controller",
        made("SDN_controller", protocol="ssl", address="192.0.2.9", port=6640),
        "sdn",
        "OPERATION_NOT_ALLOWED",
    ),
    ("an update more", one_update_more, "updates", "HOSTS_NOT_HOMOGENEOUS"),
    (
        "disks offered openly here and encrypted there",
        together(network_purpose("insecure_nbd", "xenserver4"), network_purpose("nbd", "xenserver1")),
        "nbd",
        "OPERATION_NOT_ALLOWED",
    ),
    (
        "another certificate of one authority",
        together(authority("xenserver4", "AA:01"), authority("xenserver1", "AA:02")),
        "authorities",
        "POOL_JOINING_HOST_CA_CERTIFICATES_CONFLICT",
    ),
    (
        "updates being applied in the pool",
        pool_field("current_operations", {"OpaqueRef:task": "apply_updates"}, "xenserver1"),
        "upgrade",
        "NOT_SUPPORTED_DURING_UPGRADE",
    ),
    (
        "updates being applied on the host",
        pool_field("current_operations", {"OpaqueRef:task": "apply_updates"}),
        "upgrade",
        "NOT_SUPPORTED_DURING_UPGRADE",
    ),
    ("an older storage driver", driver, "drivers", "POOL_JOINING_SM_FEATURES_INCOMPATIBLE"),
    (
        "an update to finish in the pool",
        host_field("pending_guidances", ["reboot_host"], "xenserver3"),
        "guidance",
        "HOST_PENDING_MANDATORY_GUIDANCE_NOT_EMPTY",
    ),
    ("another brand", host_field("software_version", {"product_brand": "XCP-ng"}), "version", "HOSTS_NOT_COMPATIBLE"),
    ("another commit", host_field("software_version", {"git_id": "0abc"}), "version", "HOSTS_NOT_HOMOGENEOUS"),
    ("another linux", host_field("software_version", {"linux": "0.1"}), "version", "HOSTS_NOT_HOMOGENEOUS"),
    (
        "another service of the same directory",
        host_field("external_auth_service_name", "elsewhere"),
        "auth",
        "POOL_JOINING_EXTERNAL_AUTH_MISMATCH",
    ),
    ("a full pool under a small licence", small_licence, "pool-size", "LICENCE_RESTRICTION"),
    ("no management interface", management_field("management", False), "management", "HOST_STILL_BOOTING"),
    ("high availability on the host", pool_field("ha_enabled", True), "ha", "HA_IS_ENABLED"),
    ("high availability in the pool", pool_field("ha_enabled", True, "xenserver1"), "ha", "HA_IS_ENABLED"),
    ("a clustered host", made("Cluster_host"), "clustering", "CLUSTERING_ENABLED"),
    (
        "an update to finish",
        host_field("pending_guidances", ["reboot_host"]),
        "guidance",
        "HOST_PENDING_MANDATORY_GUIDANCE_NOT_EMPTY",
    ),
    (
        "another platform",
        host_field("software_version", {"platform_version": "3.9.9"}),
        "version",
        "HOSTS_NOT_COMPATIBLE",
    ),
    ("another build", host_field("software_version", {"xapi_build": "0.1"}), "version", "HOSTS_NOT_HOMOGENEOUS"),
    ("another CPU vendor", host_field("cpu_info", {"vendor": "AuthenticAMD"}), "cpu-vendor", "HOSTS_NOT_HOMOGENEOUS"),
    ("shared storage", shared_storage, "shared-sr", "JOINING_HOST_CANNOT_CONTAIN_SHARED_SRS"),
    ("a bond", made("Bond"), "bonds", "POOL_JOINING_HOST_HAS_BONDS"),
    ("a tunnel", made("tunnel"), "tunnels", "POOL_JOINING_HOST_HAS_TUNNELS"),
    ("SR-IOV", made("network_sriov"), "sriov", "POOL_JOINING_HOST_HAS_NETWORK_SRIOVS"),
    (
        "another VLAN of management",
        management_field("VLAN", 7),
        "management-vlan",
        "POOL_JOINING_HOST_MANAGEMENT_VLAN_DOES_NOT_MATCH",
    ),
    ("another directory", host_field("external_auth_type", "AD"), "auth", "POOL_JOINING_EXTERNAL_AUTH_MISMATCH"),
    ("another licence", host_field("edition", "express"), "edition", "LICENSE_HOST_POOL_MISMATCH"),
    (
        "another network backend",
        host_field("software_version", {"network_backend": "bridge"}),
        "backend",
        "OPERATION_NOT_ALLOWED",
    ),
    (
        "another database",
        host_field("software_version", {"db_schema": "5.1"}),
        "api",
        "POOL_JOINING_HOST_MUST_HAVE_SAME_DB_SCHEMA",
    ),
    (
        "another API",
        host_field("API_version_minor", 1),
        "api",
        "POOL_JOINING_HOST_MUST_HAVE_SAME_API_VERSION",
    ),
    (
        "another kind of address",
        management_field("primary_address_type", "IPv6"),
        "address-type",
        "OPERATION_NOT_ALLOWED",
    ),
    (
        "certificates unchecked",
        pool_field("tls_verification_enabled", False),
        "tls",
        "POOL_JOINING_HOST_TLS_VERIFICATION_MISMATCH",
    ),
]


#: What is about other hosts than the one that fits: which, and what its own guests or members are.
OTHERS: list[tuple[str, Callable[[Datacentre], None], str, str, str]] = [
    ("running guests", guests("Running"), "xenserver2", "running", "JOINING_HOST_CANNOT_HAVE_RUNNING_VMS"),
    (
        "a guest at work",
        guests("Halted", busy=True),
        "xenserver2",
        "busy",
        "JOINING_HOST_CANNOT_HAVE_VMS_WITH_CURRENT_OPERATIONS",
    ),
]


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
        facts, broken = await judged(pools, host, "experiment")
        assert set(broken) == {key}, what
        said = plain(broken[key].check(facts).fact)
        assert f"{host}: " in said
        assert "experiment: " in said
        assert broken[key].fix is not None
        with pytest.raises(XapiFailure) as refused:
            await joined(pools, facts)
        assert refused.value.code == code
        assert code in known_codes(), "a refusal that people read in our words"


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
