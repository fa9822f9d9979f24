"""What can stop `VM.migrate_send`, in XAPI's order: the guest's state, the destination, its disks, its interfaces."""

from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.boot_check import assert_can_boot, check_cpu_count_of, check_cpu_of, is_older, read_version
from bot.lab.xapi.rules.guest_copies import list_disks
from bot.lab.xapi.rules.guest_operations import check_operation, is_upgrading
from bot.lab.xapi.rules.licence import assert_licensed
from bot.lab.xapi.rules.memory import compute_free, compute_need
from bot.lab.xapi.rules.receive import Destination, find_destination
from bot.lab.xapi.rules.storage_moves import check_disk_movable, check_support
from bot.lab.xapi.rules.storage_operations import sees

_NO_MAP_INSIDE = "VIF mapping is not allowed for intra-pool migration -all VIFs must be on the same network"


def assert_can_migrate(
    pool: Pool,
    vm: str,
    dest: dict[str, str],
    vdi_map: dict[str, str],
    vif_map: dict[str, str],
    options: dict[str, str],
    *,
    holds: bool = False,
) -> Destination:
    """Raises the first reason why a guest cannot be sent; returns where it goes.

    Args:
        pool: The guest's pool.
        vm: The guest.
        dest: The answer of `host.migrate_receive`.
        vdi_map: The target repository of each disk.
        vif_map: The target network of each interface; empty inside a pool.
        options: `force` and `copy`.
        holds: Whether the caller holds the guest already, so that its state was checked.
    """
    force = options.get("force") == "true"
    if not holds:
        check_operation(pool, vm, "migrate_send", force=force)
    assert_licensed(pool, "Storage_motion")
    there = find_destination(pool, dest)
    _check_disk_map(pool.database, there, vm, vdi_map)
    if there.is_here:
        _check_inside(pool, vm, there.host, vdi_map, vif_map, force=force)
    else:
        _check_across(pool, there, vm, vdi_map, vif_map, options)
    for vdi in list_moving(pool.database, vm, vdi_map):
        check_disk_movable(pool.database, vdi)
    if not there.is_here and pool.database.get("VM", vm, "VGPUs"):
        raise ApiError("VM_HAS_VGPU", vm)
    return there


def list_moving(database: Database, vm: str, vdi_map: dict[str, str]) -> dict[str, str]:
    """Returns the disks of a guest that go to another repository than their own, with it."""
    return {
        vdi: vdi_map[vdi] for vdi in list_disks(database, vm).values() if vdi_map[vdi] != database.get("VDI", vdi, "SR")
    }


def _check_disk_map(database: Database, there: Destination, vm: str, vdi_map: dict[str, str]) -> None:
    for vdi, storage in vdi_map.items():
        database.record("VDI", vdi)
        there.pool.database.record("SR", storage)
    for vdi in list_disks(database, vm).values():
        if vdi not in vdi_map:
            raise ApiError("VDI_NOT_IN_MAP", vdi)


def _check_inside(
    pool: Pool, vm: str, host: str, vdi_map: dict[str, str], vif_map: dict[str, str], *, force: bool
) -> None:
    database = pool.database
    source: str = database.get("VM", vm, "resident_on")
    if is_upgrading(pool) and is_older(database, host, source):
        raise ApiError("NOT_SUPPORTED_DURING_UPGRADE")
    for vdi, storage in list_moving(database, vm, vdi_map).items():
        check_support(database, vdi, storage)
    needs_memory = database.get("VM", vm, "power_state") != "Halted"
    assert_can_boot(pool, vm, host, with_cpu=not force, with_storage=False, with_memory=needs_memory)
    if vif_map:
        raise ApiError("OPERATION_NOT_ALLOWED", _NO_MAP_INSIDE)


def _check_across(
    pool: Pool,
    there: Destination,
    vm: str,
    vdi_map: dict[str, str],
    vif_map: dict[str, str],
    options: dict[str, str],
) -> None:
    database, other = pool.database, there.pool.database
    record = database.record("VM", vm)
    home = record["resident_on"] if record["resident_on"] in pool.machines else pool.coordinator.ref
    if read_version(other, there.host) < read_version(database, home):
        raise ApiError("VM_HOST_INCOMPATIBLE_VERSION_MIGRATE", vm, there.host)
    for vdi, storage in vdi_map.items():
        for one, known, missing in (
            (database.get("VDI", vdi, "SR"), database, "VDI_SNAPSHOT;VDI_MIRROR"),
            (storage, other, "VDI_MIRROR"),
        ):
            if known.get("SR", one, "type") in {"iso", "udev"}:
                raise ApiError("SR_DOES_NOT_SUPPORT_MIGRATION", one, missing)
    if options.get("copy") == "true" and record["power_state"] != "Halted":
        raise ApiError("VM_BAD_POWER_STATE", vm, "halted", record["power_state"].lower())
    wanted, offered = (
        record["hardware_platform_version"],
        other.get("host", there.host, "virtual_hardware_platform_versions"),
    )
    if wanted not in offered:
        text = f"[{'; '.join(str(version) for version in offered)}]"
        raise ApiError("VM_HOST_INCOMPATIBLE_VIRTUAL_HARDWARE_PLATFORM_VERSION", there.host, text, vm, str(wanted))
    if not other.get("host", there.host, "enabled"):
        raise ApiError("HOST_DISABLED", there.host)
    check_cpu_count_of(record, other, there.host)
    for vif in record["VIFs"]:
        if vif not in vif_map:
            raise ApiError("VIF_NOT_IN_MAP", vif)
        other.record("network", vif_map[vif])
    _check_import(pool, there, vm, vdi_map, options)


def _check_import(pool: Pool, there: Destination, vm: str, vdi_map: dict[str, str], options: dict[str, str]) -> None:
    """Does what the dry run of the import at the destination finds."""
    database, other = pool.database, there.pool.database
    record = database.record("VM", vm)
    if options.get("force") != "true" and record["power_state"] != "Halted":
        check_cpu_of(record, vm, other, there.host)
    if record["power_state"] != "Halted":
        needed, free = compute_need(database, vm), compute_free(other, there.host)
        if needed > free:
            raise ApiError("HOST_NOT_ENOUGH_FREE_MEMORY", str(needed), str(free))
    for storage in vdi_map.values():
        if not sees(other, there.host, storage):
            raise ApiError("VM_REQUIRES_SR", vm, storage)
    seed = record["other_config"].get("mac_seed")
    for _, guest in other.items("VM"):
        if seed and guest["other_config"].get("mac_seed") == seed:
            raise ApiError("DUPLICATE_MAC_SEED", seed)
