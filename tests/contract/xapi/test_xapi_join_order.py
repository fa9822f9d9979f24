"""A join that everything speaks against: one thing mended after the other, XAPI tells the next in its own order."""

from __future__ import annotations

from contextlib import ExitStack

import aiohttp
from datacentre_client import PASSWORD, Rpc
from join_changes import (
    authority,
    bond,
    broken,
    busy_snapshot,
    cluster,
    driver,
    host_field,
    lost_file,
    made,
    management_field,
    network_purpose,
    pool_field,
    record_left,
    shared_storage,
    together,
    trusted,
    unlicensed,
    updates_apart,
    vlan,
)

from bot.lab.xapi import Datacentre

_SOFTWARE = "software_version"
#: Of each what is done, and with what XAPI refuses as long as nothing before it is broken.
ORDER = (
    (pool_field("restrictions", {"restrict_pooling": "true"}), "LICENSE_DOES_NOT_SUPPORT_POOLING"),
    (
        together(pool_field("restrictions", {"restrict_pool_size": "true"}), record_left("xenserver1")),
        "LICENCE_RESTRICTION",
    ),
    (management_field("management", False), "HOST_STILL_BOOTING"),
    (pool_field("ha_enabled", True), "HA_IS_ENABLED"),
    (made("Cluster_host", enabled=True), "CLUSTERING_ENABLED"),
    (cluster(9), "POOL_JOINING_POOL_CANNOT_ENABLE_CLUSTERING_ON_VLAN_NETWORK"),
    (pool_field("ha_enabled", True, "xenserver1"), "HA_IS_ENABLED"),
    (record_left("xenserver4"), "JOINING_HOST_CANNOT_BE_MASTER_OF_OTHER_HOSTS"),
    (made("VM", power_state="Running"), "JOINING_HOST_CANNOT_HAVE_RUNNING_VMS"),
    (busy_snapshot, "JOINING_HOST_CANNOT_HAVE_VMS_WITH_CURRENT_OPERATIONS"),
    (host_field("pending_guidances", ["reboot_host"]), "HOST_PENDING_MANDATORY_GUIDANCE_NOT_EMPTY"),
    (host_field("pending_guidances", ["reboot_host"], "xenserver1"), "HOST_PENDING_MANDATORY_GUIDANCE_NOT_EMPTY"),
    (host_field(_SOFTWARE, {"platform_version": "3.9.9"}), "HOSTS_NOT_COMPATIBLE"),
    (host_field(_SOFTWARE, {"xapi": "0.1"}), "HOSTS_NOT_HOMOGENEOUS Software version differs"),
    (host_field("cpu_info", {"vendor": "AuthenticAMD"}), "HOSTS_NOT_HOMOGENEOUS CPUs differ"),
    (shared_storage, "JOINING_HOST_CANNOT_CONTAIN_SHARED_SRS"),
    (bond, "POOL_JOINING_HOST_HAS_BONDS"),
    (made("tunnel"), "POOL_JOINING_HOST_HAS_TUNNELS"),
    (made("network_sriov"), "POOL_JOINING_HOST_HAS_NETWORK_SRIOVS"),
    (vlan, "POOL_JOINING_HOST_HAS_NON_MANAGEMENT_VLANS"),
    (management_field("VLAN", 7), "POOL_JOINING_HOST_MANAGEMENT_VLAN_DOES_NOT_MATCH"),
    (host_field("external_auth_type", "AD"), "POOL_JOINING_EXTERNAL_AUTH_MISMATCH"),
    (unlicensed, "V6D_FAILURE The pool uses v6d. Pool edition list = [standard; standard]"),
    (host_field("edition", "express"), "LICENSE_HOST_POOL_MISMATCH"),
    (host_field(_SOFTWARE, {"network_backend": "bridge"}), "OPERATION_NOT_ALLOWED Network backends differ"),
    (made("SDN_controller", address="192.0.2.9"), "OPERATION_NOT_ALLOWED SDN controller differs"),
    (host_field("API_version_minor", 1), "POOL_JOINING_HOST_MUST_HAVE_SAME_API_VERSION"),
    (host_field(_SOFTWARE, {"db_schema": "5.1"}), "POOL_JOINING_HOST_MUST_HAVE_SAME_DB_SCHEMA"),
    (updates_apart, "HOSTS_NOT_HOMOGENEOUS Updates on local host xenserver4 and pool host xenserver1 differ"),
    (management_field("primary_address_type", "IPv6"), "OPERATION_NOT_ALLOWED Primary address type differs"),
    (
        together(network_purpose("insecure_nbd", "xenserver4"), network_purpose("nbd", "xenserver1")),
        "OPERATION_NOT_ALLOWED Incompatible network purposes",
    ),
    (pool_field("tls_verification_enabled", False), "POOL_JOINING_HOST_TLS_VERIFICATION_MISMATCH"),
    (
        together(authority("xenserver4", "AA:01"), authority("xenserver1", "AA:02")),
        "POOL_JOINING_HOST_CA_CERTIFICATES_CONFLICT company",
    ),
    (
        together(trusted("xenserver4", "licensing"), trusted("xenserver1", "licensing", "ldaps")),
        "POOL_JOINING_HOST_TRUSTED_CERTIFICATES_CONFLICT",
    ),
    (pool_field("current_operations", {"OpaqueRef:task": "apply_updates"}), "NOT_SUPPORTED_DURING_UPGRADE"),
    (driver, "POOL_JOINING_SM_FEATURES_INCOMPATIBLE"),
    (lost_file("own", "xenserver4"), "CERTIFICATE_LIBRARY_CORRUPT"),
    (lost_file("pool", "xenserver1"), "POOL_JOINING_MASTER_CERTIFICATE_NOT_IN_POOL_BUNDLE"),
    (lost_file("bundle", "xenserver4"), "POOL_JOINING_POOL_BUNDLE_EMPTY_AFTER_IMPORT"),
)


async def test_a_join_that_everything_speaks_against_is_refused_in_the_order_of_xapi(
    http: aiohttp.ClientSession,
) -> None:
    # Its own checks of what cannot be are off: much of this cannot be.
    lab = Datacentre(world="article", port=0, password=PASSWORD, speed=100)
    lab.login_delay_s = 0.0
    await lab.start()
    try:
        newcomer = await Rpc(http, lab.hosts["xenserver4"].http).login()
        mends: list[ExitStack] = []
        for change, _ in reversed(ORDER):
            mends.append(ExitStack())
            mends[-1].enter_context(broken(lab, change))
        told = []
        for _, code in ORDER:
            refusal = " ".join(await newcomer.fail("pool.join", "127.0.1.1", "root", PASSWORD))
            told.append(code if refusal.startswith(code) else refusal)
            mends.pop().close()
        assert told == [code for _, code in ORDER]
        assert await newcomer.call("pool.join", "127.0.1.1", "root", PASSWORD) == ""
    finally:
        await lab.stop()
