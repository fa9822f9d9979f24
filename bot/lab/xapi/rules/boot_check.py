"""Whether a guest could run on a host, in XAPI's order of checks and with its parameters."""

from typing import Final

from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.boot_devices import check_devices, check_networks
from bot.lab.xapi.rules.guest_operations import is_upgrading
from bot.lab.xapi.rules.ha import assert_plan_survives
from bot.lab.xapi.rules.memory import compute_free, compute_need
from bot.lab.xapi.values import NULL_REF, Value

_OTHER_VENDOR: Final = "VM last booted on a host which had a CPU from a different vendor."
_FEWER_FEATURES: Final = "VM last booted on a CPU with features this host's CPU does not have."
_NO_KEYS: Final = "Host does not have new leveling feature keys - not comparing VM's flags"


def assert_can_boot(
    pool: Pool,
    vm: str,
    host: str,
    *,
    with_cpu: bool = True,
    with_memory: bool = True,
    with_storage: bool = True,
) -> None:
    """Raises the first reason why a guest cannot run on a host.

    Args:
        pool: The pool of both.
        vm: The guest; a running guest on its own host passes even when that host is disabled.
        host: The host.
        with_cpu: Whether to compare CPUs; a migration has done so before.
        with_memory: Whether to compare memory.
        with_storage: Whether the disks must be seen there; a migration with storage brings them along.
    """
    database = pool.database
    record = database.record("VM", vm)
    if not database.has("host", host):
        raise ApiError("HOST_NOT_LIVE")
    is_at_home = record["resident_on"] == host
    if with_cpu and not is_at_home:
        _check_upgrade(pool, vm, host)
    limits = [record[f"memory_{name}"] for name in ("static_min", "dynamic_min", "dynamic_max", "static_max")]
    if limits != sorted(limits):
        raise ApiError("MEMORY_CONSTRAINT_VIOLATION")
    if not database.get("host_metrics", database.get("host", host, "metrics"), "live"):
        raise ApiError("HOST_NOT_LIVE")
    if not database.get("host", host, "enabled") and not is_at_home:
        raise ApiError("HOST_DISABLED", host)
    _check_platform(database, vm, host)
    if with_cpu and record["power_state"] != "Halted":
        check_cpu(database, vm, host)
    if with_storage:
        _check_storage(database, vm, host)
    check_networks(database, vm, host)
    check_devices(database, vm, host)
    if record["domain_type"] == "hvm" and not any("hvm" in one for one in database.get("host", host, "capabilities")):
        raise ApiError("VM_HVM_REQUIRED", vm)
    _check_capacity(pool, vm, host, with_memory=with_memory)


def _check_capacity(pool: Pool, vm: str, host: str, *, with_memory: bool) -> None:
    record = pool.database.record("VM", vm)
    if with_memory:
        check_memory(pool.database, vm, host)
    check_cpu_count_of(record, pool.database, host)
    if with_memory and record["resident_on"] != host:
        assert_plan_survives(pool, placed=(vm, host))


def _check_upgrade(pool: Pool, vm: str, host: str) -> None:
    if is_upgrading(pool) and is_older(pool.database, host, pool.database.get("VM", vm, "resident_on")):
        raise ApiError("VM_HOST_INCOMPATIBLE_VERSION", host, vm)


def check_cpu(database: Database, vm: str, host: str) -> None:
    """Compares the CPU that a guest started on with a host's.

    Raises:
        ApiError: `VM_INCOMPATIBLE_WITH_THIS_HOST [vm, host, reason]`.
    """
    check_cpu_of(database.record("VM", vm), vm, database, host)


def check_cpu_of(record: dict[str, Value], vm: str, database: Database, host: str) -> None:
    """Compares the CPU that a guest started on with that of a host, which may be of another pool; fails alike.

    Args:
        record: The guest.
        vm: Its reference, for the error.
        database: The records of the host's pool.
        host: The host.
    """
    flags: dict[str, str] = record["last_boot_CPU_flags"]
    info: dict[str, str] = database.get("host", host, "cpu_info")
    key = "features_pv" if record["domain_type"] == "pv" else "features_hvm"
    if "vendor" in flags and info.get("vendor") != flags["vendor"]:
        raise ApiError("VM_INCOMPATIBLE_WITH_THIS_HOST", vm, host, _OTHER_VENDOR)
    if not info.get(key):
        raise ApiError("VM_INCOMPATIBLE_WITH_THIS_HOST", vm, host, _NO_KEYS)
    if not _is_subset(flags.get("features", ""), info[key]):
        raise ApiError("VM_INCOMPATIBLE_WITH_THIS_HOST", vm, host, _FEWER_FEATURES)


def _is_subset(needed: str, offered: str) -> bool:
    wanted = [int(word, 16) for word in needed.split("-") if word]
    given = [int(word, 16) for word in offered.split("-") if word]
    given += [0] * (len(wanted) - len(given))
    return all(mine & ~theirs == 0 for mine, theirs in zip(wanted, given, strict=False))


def _check_platform(database: Database, vm: str, host: str) -> None:
    wanted: int = database.get("VM", vm, "hardware_platform_version")
    offered: list[int] = database.get("host", host, "virtual_hardware_platform_versions")
    if wanted not in offered:
        raise ApiError(
            "VM_HOST_INCOMPATIBLE_VIRTUAL_HARDWARE_PLATFORM_VERSION",
            host,
            f"[{'; '.join(str(version) for version in offered)}]",
            vm,
            str(wanted),
        )


def _check_storage(database: Database, vm: str, host: str) -> None:
    plugged = {
        database.get("PBD", pbd, "SR")
        for pbd in database.get("host", host, "PBDs")
        if database.get("PBD", pbd, "currently_attached")
    }
    for vbd in database.get("VM", vm, "VBDs"):
        disk = database.record("VBD", vbd)
        if disk["empty"] or disk["VDI"] == NULL_REF:
            continue
        storage = database.get("VDI", disk["VDI"], "SR")
        if storage not in plugged:
            raise ApiError("VM_REQUIRES_SR", vm, storage)


def check_memory(database: Database, vm: str, host: str) -> None:
    """Compares what a guest needs with what a host has free.

    Raises:
        ApiError: `HOST_NOT_ENOUGH_FREE_MEMORY [needed, available]` in bytes.
    """
    needed, free = compute_need(database, vm), compute_free(database, host)
    if needed > free:
        raise ApiError("HOST_NOT_ENOUGH_FREE_MEMORY", str(needed), str(free))


def check_cpu_count_of(record: dict[str, Value], database: Database, host: str) -> None:
    """Compares the virtual CPUs of a guest with the CPUs of a host.

    Raises:
        ApiError: `HOST_NOT_ENOUGH_PCPUS [wanted, there]`.
    """
    count = int(database.get("host", host, "cpu_info").get("cpu_count", "0"))
    if record["VCPUs_max"] > count and record["platform"].get("vcpu-unrestricted") != "true":
        raise ApiError("HOST_NOT_ENOUGH_PCPUS", str(record["VCPUs_max"]), str(count))


def read_version(database: Database, host: str) -> tuple[int, ...]:
    """Returns the platform version of a host, comparable."""
    text: str = database.get("host", host, "software_version").get("platform_version", "0")
    return tuple(int(part) for part in text.split(".") if part.isdecimal())


def is_older(database: Database, host: str, than: str) -> bool:
    """Tells whether a host runs an older version than another; False when there is no other."""
    return database.has("host", than) and read_version(database, host) < read_version(database, than)
