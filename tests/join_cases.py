"""Every rule of a join, broken: how it is done to a lab, what people are told of it, and with what XAPI refuses it."""

from __future__ import annotations

from join_cases_settings import SETTINGS
from join_changes import (
    Case,
    cluster,
    guests,
    host_field,
    made,
    management_field,
    metrics_field,
    pool_field,
    record_left,
    second_address,
    together,
    updates_apart,
)

from bot.domain.plan import Grade
from bot.lab.xapi.values import stable_uuid

_HA = "Switch it off while hosts come and go, and on again afterwards."
_SAME = "Bring xenserver4 to XenServer 8.4.0 (cloud-24160)"
_HALF_DONE = "Finish the update that is half done on one side, then join: both run one version."
_8_4 = "XenServer 8.4.0 (cloud-24160)"
_FORGET = f"xe host-forget uuid={stable_uuid('host', 'xenserver4')}"

_POOLS = (
    Case(
        "other hosts in the pool of the host",
        record_left("xenserver4"),
        "Other hosts",
        "2 hosts",
        "2 hosts",
        "Eject the other hosts from its pool first, which wipes them: their coordinator cannot join.",
    ),
    Case(
        "what a join left that broke off",
        record_left("xenserver1", of="xenserver4"),
        "An earlier join",
        "none goes on",
        "has a record of it without an address",
        f"Run {_FORGET} on the coordinator of experiment, which removes that record; then join again. An earlier join "
        "broke off half-way.",
    ),
    Case(
        "a join that goes on",
        made("task", name_label="Async.pool.join", status="pending"),
        "An earlier join",
        "works on a join now",
        "knows nothing of it",
        "Wait until it has ended.",
    ),
    Case(
        "a member that has fallen silent",
        metrics_field("live", False, "xenserver3"),
        "Members that answer",
        "answers",
        "silent: xenserver3",
        "See to them first (/xen pool-check): what is said of them here is as the pool last had it.",
        grade=Grade.WARNING,
    ),
    Case(
        "a full pool under a small licence",
        together(pool_field("restrictions", {"restrict_pool_size": "true"}, "xenserver1"), record_left("xenserver1")),
        "Pool size",
        "one host more",
        "3 of at most 3 by its licence",
        "Give experiment a licence without that limit, or choose a pool with room.",
        "LICENCE_RESTRICTION",
    ),
    Case(
        "no management interface",
        management_field("management", False),
        "Management interface",
        "none",
        "eth0",
        "Wait until xenserver4 has booted, then give it a management interface if it has none.",
        "HOST_STILL_BOOTING",
    ),
    Case(
        "a licence without pools",
        pool_field("restrictions", {"restrict_pooling": "true"}),
        "Licence for pools",
        "no",
        "yes",
        "Give xenserver4 a licence that includes pools.",
        "LICENSE_DOES_NOT_SUPPORT_POOLING",
    ),
    Case(
        "high availability on the host",
        pool_field("ha_enabled", True),
        "High availability",
        "on",
        "off",
        _HA,
        "HA_IS_ENABLED",
    ),
    Case(
        "high availability in the pool",
        pool_field("ha_enabled", True, "xenserver1"),
        "High availability",
        "off",
        "on",
        _HA,
        "HA_IS_ENABLED",
    ),
    Case(
        "a clustered host",
        made("Cluster_host"),
        "Clustering",
        "on",
        "off",
        "Take xenserver4 out of its own cluster first.",
        "CLUSTERING_ENABLED",
    ),
    Case(
        "two addresses on the network of the pool's cluster",
        together(cluster(), second_address),
        "Network of the cluster",
        "2 addresses on eth0",
        "eth0",
        "Give xenserver4 exactly one address on eth0.",
        "POOL_JOINING_HOST_MUST_HAVE_ONLY_ONE_IP_ON_CLUSTERING_NETWORK",
    ),
    Case(
        "a cluster of the pool on a VLAN",
        cluster(9),
        "Network of the cluster",
        "1 address on eth0",
        "eth0, VLAN 9",
        "Move the cluster to a network without a VLAN: on one it takes no new host.",
        "POOL_JOINING_POOL_CANNOT_ENABLE_CLUSTERING_ON_VLAN_NETWORK",
    ),
)

_SOFTWARE = (
    Case(
        "running guests",
        guests("Running"),
        "Running guests",
        "test1, test2",
        "may run",
        "Shut them down first (/xen stop <vm>); they come along into the pool.",
        "JOINING_HOST_CANNOT_HAVE_RUNNING_VMS",
        host="xenserver2",
    ),
    Case(
        "a guest at work",
        guests("Halted", busy=True),
        "Guests at work",
        "test1, test2",
        "may work",
        "Wait until nothing goes on at the guests there.",
        "JOINING_HOST_CANNOT_HAVE_VMS_WITH_CURRENT_OPERATIONS",
        host="xenserver2",
    ),
    Case(
        "an update to finish",
        host_field("pending_guidances", ["reboot_host"]),
        "Updates to finish",
        "reboot host",
        "none",
        "Do on xenserver4 what the updates still ask for, mostly a reboot.",
        "HOST_PENDING_MANDATORY_GUIDANCE_NOT_EMPTY",
    ),
    Case(
        "an update to finish in the pool",
        host_field("pending_guidances", ["restart_toolstack"], "xenserver3"),
        "Updates to finish",
        "none",
        "restart toolstack",
        "Do on xenserver3 what the updates still ask for, mostly a reboot.",
        "HOST_PENDING_MANDATORY_GUIDANCE_NOT_EMPTY",
    ),
    Case(
        "updates being applied on the host",
        pool_field("current_operations", {"OpaqueRef:task": "apply_updates"}),
        "Upgrade going on",
        "apply updates",
        "no",
        "Finish the upgrade, or wait until what goes on there has ended.",
        "NOT_SUPPORTED_DURING_UPGRADE",
    ),
    Case(
        "updates being applied in the pool",
        pool_field("current_operations", {"OpaqueRef:task": "apply_updates"}, "xenserver1"),
        "Upgrade going on",
        "no",
        "apply updates",
        "Finish the upgrade, or wait until what goes on there has ended.",
        "NOT_SUPPORTED_DURING_UPGRADE",
    ),
    Case(
        "a rolling upgrade of the pool",
        pool_field("other_config", {"rolling_upgrade_in_progress": ""}, "xenserver1"),
        "Upgrade going on",
        "no",
        "yes",
        "Finish the upgrade, or wait until what goes on there has ended.",
    ),
    Case(
        "another brand",
        host_field("software_version", {"product_brand": "XCP-ng"}),
        "Version",
        "XCP-ng 8.4.0 (cloud-24160)",
        _8_4,
        f"{_SAME}, with the same updates, then join.",
        "HOSTS_NOT_COMPATIBLE",
    ),
    Case(
        "another platform",
        host_field("software_version", {"platform_version": "3.9.9"}),
        "Version",
        f"{_8_4}, platform version 3.9.9",
        f"{_8_4}, platform version 3.4.0",
        "xenserver4 is newer, and no host goes back but by a new installation: bring experiment to "
        f"{_8_4}, platform version 3.9.9 first, or install xenserver4 anew with {_8_4}, platform version 3.4.0.",
        "HOSTS_NOT_COMPATIBLE",
    ),
    *(
        Case(
            f"another {shown}",
            host_field("software_version", {key: other}),
            "Version",
            f"{_8_4}, {shown} {other}",
            f"{_8_4}, {shown} {own}",
            f"{_SAME}, {shown} {own}, with the same updates, then join.",
            "HOSTS_NOT_HOMOGENEOUS",
        )
        for key, shown, other, own in (
            ("xapi_build", "xapi build", "0.1", "24.16.0"),
            ("git_id", "git id", "0abc", "0"),
            ("linux", "linux", "0.1", "4.19.0+1"),
        )
    ),
    Case(
        "another database",
        host_field("software_version", {"db_schema": "5.1"}),
        "API and database",
        "API 2.21, schema 5.1",
        "API 2.21, schema 5.778",
        _HALF_DONE,
        "POOL_JOINING_HOST_MUST_HAVE_SAME_DB_SCHEMA",
    ),
    Case(
        "another API",
        host_field("API_version_minor", 1),
        "API and database",
        "API 2.1, schema 5.778",
        "API 2.21, schema 5.778",
        _HALF_DONE,
        "POOL_JOINING_HOST_MUST_HAVE_SAME_API_VERSION",
    ),
    Case(
        "an update of its own on each side",
        updates_apart,
        "Updates",
        "2 updates, 1 of its own",
        "2 updates, 1 of its own",
        "Apply the same ones on both: xenserver4 lacks XS84E002, experiment lacks XS84E001.",
        "HOSTS_NOT_HOMOGENEOUS",
    ),
    Case(
        "another licence",
        host_field("edition", "express"),
        "Licence",
        "express",
        "standard",
        "Give xenserver4 the licence of the pool.",
        "LICENSE_HOST_POOL_MISMATCH",
    ),
)

CASES = (*_POOLS, *_SOFTWARE, *SETTINGS)
