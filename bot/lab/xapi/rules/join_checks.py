"""What stands between a host and a pool that it wants to join, in XAPI's order."""

from collections.abc import Callable
from typing import Final

from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.licence import assert_ranked_alike
from bot.lab.xapi.values import Value

_SMALL_POOL: Final = 3
_LINUX_PACK: Final = "xs:linux"  # there as soon as the pack is installed
_BUNDLE: Final = "/etc/stunnel/xapi-pool-ca-bundle.pem"
# Classes of which a joining host may have none, and how it is told.
_NETWORKING: Final = (
    ("Bond", "POOL_JOINING_HOST_HAS_BONDS"),
    ("tunnel", "POOL_JOINING_HOST_HAS_TUNNELS"),
    ("network_sriov", "POOL_JOINING_HOST_HAS_NETWORK_SRIOVS"),
)


def check_join(here: Pool, there: Pool, *, force: bool) -> None:
    """Raises the first reason why the host of one pool cannot join another.

    Args:
        here: The pool that the joining host is alone in.
        there: The pool that it wants to join.
        force: Whether other software and processors are let pass; other vendors as well.
    """
    for check in (_check_pools, _check_guests, _check_hosts):
        check(here, there)
    if not force:
        _check_alike(here, there)
    for check in (_check_storage, _check_networks, _check_settings, _check_addresses, _check_trust, _check_drivers):
        check(here, there)


def assert_certificates(here: Pool, there: Pool) -> None:
    """Refuses a join, once nothing else speaks against it, where files of certificates are not there to be exchanged.

    Nothing was changed by then: the host is a pool of its own still, and the pool has no record of it.

    Raises:
        ApiError: `CERTIFICATE_LIBRARY_CORRUPT`, `POOL_JOINING_MASTER_CERTIFICATE_NOT_IN_POOL_BUNDLE`,
            `POOL_JOINING_POOL_BUNDLE_EMPTY_AFTER_IMPORT`.
    """
    if here.coordinator.lost_file == "own":
        raise ApiError("CERTIFICATE_LIBRARY_CORRUPT")
    if there.coordinator.lost_file == "pool":
        uuid = there.database.get("host", there.coordinator.ref, "uuid")
        raise ApiError("POOL_JOINING_MASTER_CERTIFICATE_NOT_IN_POOL_BUNDLE", uuid)
    if here.coordinator.lost_file == "bundle":
        raise ApiError("POOL_JOINING_POOL_BUNDLE_EMPTY_AFTER_IMPORT", _BUNDLE)


def _find_management(database: Database, host: str) -> dict[str, Value] | None:
    for pif in database.get("host", host, "PIFs"):
        if database.get("PIF", pif, "management"):
            return database.record("PIF", pif)
    return None


def _check_pools(here: Pool, there: Pool) -> None:
    mine, theirs = (pool.database.record("pool", pool.ref) for pool in (here, there))
    is_small = mine["restrictions"].get("restrict_pool_size") == "true"
    if is_small and there.database.count("host") >= _SMALL_POOL:
        raise ApiError("LICENCE_RESTRICTION", "Pool_size")
    if _find_management(here.database, here.coordinator.ref) is None:
        raise ApiError("HOST_STILL_BOOTING")
    if mine["ha_enabled"]:
        raise ApiError("HA_IS_ENABLED")
    if members := [ref for ref, one in here.database.items("Cluster_host") if one["enabled"]]:
        raise ApiError("CLUSTERING_ENABLED", members[0])
    _check_cluster(here, there)
    if theirs["ha_enabled"]:
        raise ApiError("HA_IS_ENABLED")
    if here is there:
        is_itself = here.database.count("host") == 1
        raise ApiError(
            "OPERATION_NOT_ALLOWED",
            "Host cannot become slave of itself" if is_itself else "Host is already part of a pool",
        )
    if here.database.count("host") > 1:
        raise ApiError("JOINING_HOST_CANNOT_BE_MASTER_OF_OTHER_HOSTS")


def _check_cluster(here: Pool, there: Pool) -> None:
    """A pool with clustered storage wants one address of the host on the network that its cluster talks over."""
    database = there.database
    for _, member in database.items("Cluster_host"):
        if not database.has("PIF", member["PIF"]) or not _joins_by_itself(database, member["cluster"]):
            return
        pif = database.record("PIF", member["PIF"])
        if pif["VLAN"] > 0 and not pif["management"]:
            raise ApiError("POOL_JOINING_POOL_CANNOT_ENABLE_CLUSTERING_ON_VLAN_NETWORK", str(pif["VLAN"]))
        parts = [part for bond in pif["bond_master_of"] for part in database.get("Bond", bond, "slaves")]
        bridges = {_find_bridge(database, part) for part in parts or [member["PIF"]]}
        own = here.database
        pifs = own.get("host", here.coordinator.ref, "PIFs")
        if len([one for one in pifs if own.get("PIF", one, "IP") and _find_bridge(own, one) in bridges]) != 1:
            raise ApiError("POOL_JOINING_HOST_MUST_HAVE_ONLY_ONE_IP_ON_CLUSTERING_NETWORK")
        return


def _joins_by_itself(database: Database, cluster: str) -> bool:
    return bool(database.get("Cluster", cluster, "pool_auto_join"))


def _find_bridge(database: Database, pif: str) -> Value:
    return database.get("network", database.get("PIF", pif, "network"), "bridge")


def _check_guests(here: Pool, _there: Pool) -> None:
    domains = dict(here.database.items("VM"))
    own = here.database.get("host", here.coordinator.ref, "control_domain")
    if any(record["power_state"] == "Running" and ref != own for ref, record in domains.items()):
        raise ApiError("JOINING_HOST_CANNOT_HAVE_RUNNING_VMS")
    if any(record["current_operations"] for record in domains.values()):
        raise ApiError("JOINING_HOST_CANNOT_HAVE_VMS_WITH_CURRENT_OPERATIONS")


def _check_hosts(here: Pool, there: Pool) -> None:
    for pool in (here, there):
        if pool.database.get("host", pool.coordinator.ref, "pending_guidances"):
            raise ApiError("HOST_PENDING_MANDATORY_GUIDANCE_NOT_EMPTY", pool.coordinator.ref)
    mine, theirs = _read_software(here), _read_software(there)
    if mine.get("platform_version") != theirs.get("platform_version") or _name_product(mine) != _name_product(theirs):
        raise ApiError("HOSTS_NOT_COMPATIBLE")


def _read_software(pool: Pool) -> dict[str, str]:
    software: dict[str, str] = pool.database.get("host", pool.coordinator.ref, "software_version")
    return software


def _name_product(software: dict[str, str]) -> str | None:
    """Returns the brand; the name of the platform where none is told."""
    return software.get("product_brand", software.get("platform_name"))


def _check_alike(here: Pool, there: Pool) -> None:
    mine, theirs = _read_software(here), _read_software(there)
    is_other = any(mine.get(key) != theirs.get(key) for key in ("xapi", "git_id"))
    if is_other or (_LINUX_PACK in mine) != (_LINUX_PACK in theirs):
        raise ApiError("HOSTS_NOT_HOMOGENEOUS", "Software version differs")
    vendors = {pool.database.get("host", pool.coordinator.ref, "cpu_info").get("vendor") for pool in (here, there)}
    if len(vendors) > 1:
        raise ApiError("HOSTS_NOT_HOMOGENEOUS", "CPUs differ")


def _check_storage(here: Pool, _there: Pool) -> None:
    if any(record["shared"] and not record["is_tools_sr"] for _, record in here.database.items("SR")):
        raise ApiError("JOINING_HOST_CANNOT_CONTAIN_SHARED_SRS")


def _check_networks(here: Pool, there: Pool) -> None:
    for class_name, code in _NETWORKING:
        if here.database.count(class_name):
            raise ApiError(code)
    if any(not here.database.get("PIF", vlan["untagged_PIF"], "management") for _, vlan in here.database.items("VLAN")):
        raise ApiError("POOL_JOINING_HOST_HAS_NON_MANAGEMENT_VLANS")
    mine, theirs = (_find_management(pool.database, pool.coordinator.ref) for pool in (here, there))
    if mine is not None and theirs is not None and mine["VLAN"] != theirs["VLAN"]:
        raise ApiError("POOL_JOINING_HOST_MANAGEMENT_VLAN_DOES_NOT_MATCH", str(mine["VLAN"]), str(theirs["VLAN"]))


def _check_settings(here: Pool, there: Pool) -> None:
    mine, theirs = (pool.database.record("host", pool.coordinator.ref) for pool in (here, there))

    def differ(read: Callable[[dict[str, Value]], Value]) -> bool:
        return bool(read(mine) != read(theirs))

    if differ(lambda host: (host["external_auth_type"], host["external_auth_service_name"].lower())):
        raise ApiError("POOL_JOINING_EXTERNAL_AUTH_MISMATCH")
    assert_ranked_alike(here, there)
    if differ(_read_backend):
        raise ApiError("OPERATION_NOT_ALLOWED", "Network backends differ")
    controllers = _read_controllers(here)
    if _read_backend(mine) == "openvswitch" and controllers and controllers != _read_controllers(there):
        raise ApiError("OPERATION_NOT_ALLOWED", "SDN controller differs")
    versions = [f"{host['API_version_major']}.{host['API_version_minor']}" for host in (mine, theirs)]
    if versions[0] != versions[1]:
        raise ApiError("POOL_JOINING_HOST_MUST_HAVE_SAME_API_VERSION", *versions)
    schemas = [host["software_version"].get("db_schema", "") for host in (mine, theirs)]
    if schemas[0] != schemas[1]:
        raise ApiError("POOL_JOINING_HOST_MUST_HAVE_SAME_DB_SCHEMA", *schemas)
    if _read_updates(here) != _read_updates(there):
        names = (host["name_label"] for host in (mine, theirs))
        raise ApiError("HOSTS_NOT_HOMOGENEOUS", "Updates on local host {} and pool host {} differ".format(*names))


def _check_addresses(here: Pool, there: Pool) -> None:
    pools = (here, there)
    pifs = [_find_management(pool.database, pool.coordinator.ref) for pool in pools]
    if len({pif["primary_address_type"] for pif in pifs if pif is not None}) > 1:
        raise ApiError("OPERATION_NOT_ALLOWED", "Primary address type differs")
    networks = [network for pool in pools for _, network in pool.database.items("network")]
    if {"nbd", "insecure_nbd"} <= {purpose for network in networks for purpose in network["purpose"]}:
        raise ApiError("OPERATION_NOT_ALLOWED", "Incompatible network purposes: nbd and insecure_nbd")


def _check_trust(here: Pool, there: Pool) -> None:
    if _verifies(here) != _verifies(there):
        raise ApiError("POOL_JOINING_HOST_TLS_VERIFICATION_MISMATCH")
    mine, theirs = _read_authorities(here), _read_authorities(there)
    if clashes := sorted(name for name in mine.keys() & theirs.keys() if mine[name] != theirs[name]):
        raise ApiError("POOL_JOINING_HOST_CA_CERTIFICATES_CONFLICT", *clashes)
    _check_purposes(here, there)
    working = [pool.database.get("pool", pool.ref, "current_operations").values() for pool in (here, there)]
    if any("apply_updates" in operations for operations in working):
        raise ApiError("NOT_SUPPORTED_DURING_UPGRADE")


def _check_purposes(here: Pool, there: Pool) -> None:
    """One certificate may be trusted for other purposes on each side, but not for some of them on both."""
    mine = _read_trusted(here)
    for fingerprint, (theirs, wanted) in _read_trusted(there).items():
        own, purposes = mine.get(fingerprint, ("", wanted))
        if purposes != wanted and purposes & wanted:
            raise ApiError("POOL_JOINING_HOST_TRUSTED_CERTIFICATES_CONFLICT", theirs, own)


def _check_drivers(here: Pool, there: Pool) -> None:
    mine = {driver["type"]: (ref, driver["features"]) for ref, driver in here.database.items("SM")}
    for ref, driver in there.database.items("SM"):
        own, features = mine.get(driver["type"], ("", {}))
        if not own or any(features.get(feature, -1) < version for feature, version in driver["features"].items()):
            raise ApiError("POOL_JOINING_SM_FEATURES_INCOMPATIBLE", ref, own)


def _read_backend(host: dict[str, Value]) -> Value:
    return host["software_version"].get("network_backend", "bridge")


def _read_controllers(pool: Pool) -> list[tuple[str, str, int]]:
    found = (one for _, one in pool.database.items("SDN_controller"))
    return sorted((one["protocol"], one["address"], one["port"]) for one in found)


def _read_updates(pool: Pool) -> set[str]:
    """Returns the UUIDs of what the coordinator has and every host must have."""
    applied = pool.database.get("host", pool.coordinator.ref, "updates")
    return {
        one["uuid"] for ref, one in pool.database.items("pool_update") if ref in applied and one["enforce_homogeneity"]
    }


def _read_authorities(pool: Pool) -> dict[str, str]:
    """Returns the fingerprints of the authorities that were installed under a name, as all were before API 2.23."""
    found = (one for _, one in pool.database.items("Certificate") if one["type"] == "ca" and one["name"])
    return {one["name"]: one["fingerprint"] for one in found}


def _read_trusted(pool: Pool) -> dict[str, tuple[str, set[str]]]:
    """Returns reference and purposes of the certificates that were installed without a name, by fingerprint."""
    return {
        one["fingerprint"]: (ref, set(one["purpose"]))
        for ref, one in pool.database.items("Certificate")
        if one["type"] in {"ca", "pinned"} and not one["name"]
    }


def _verifies(pool: Pool) -> Value:
    return pool.database.get("pool", pool.ref, "tls_verification_enabled")
