"""Second records of a guest: what snapshots, clones, copies and reverted guests share with their origin."""

from contextlib import ExitStack
from typing import Final

from bot.lab.xapi.calls import Context
from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.disk_work import copy_disk, discard, make_clone, take_snapshot
from bot.lab.xapi.rules.storage_operations import hold_disk_below, sees
from bot.lab.xapi.rules.vif_calls import make_mac
from bot.lab.xapi.schema.model import CLASSES
from bot.lab.xapi.values import NULL_REF, Value

# What belongs to one guest record alone: another one never takes it over, and a revert leaves it.
OWN: Final = frozenset(
    {
        "uuid",
        "allowed_operations",
        "current_operations",
        "power_state",
        "suspend_VDI",
        "resident_on",
        "scheduled_to_be_resident_on",
        "domid",
        "VBDs",
        "VIFs",
        "VGPUs",
        "VUSBs",
        "VTPMs",
        "attached_PCIs",
        "consoles",
        "crash_dumps",
        "blobs",
        "blocked_operations",
        "metrics",
        "guest_metrics",
        "snapshots",
        "children",
        "parent",
        "is_a_snapshot",
        "snapshot_of",
        "snapshot_time",
        "snapshot_info",
        "snapshot_metadata",
        "is_control_domain",
        "is_default_template",
        "appliance",
    }
)


def list_disks(database: Database, vm: str) -> dict[str, str]:
    """Returns the disks of a guest, drives left out, by their VBDs."""
    found = {}
    for vbd in database.get("VM", vm, "VBDs"):
        record = database.record("VBD", vbd)
        if record["type"] != "CD" and not record["empty"] and database.has("VDI", record["VDI"]):
            found[vbd] = record["VDI"]
    return found


def find_host(pool: Pool, vm: str) -> str:
    """Returns the host that works on a guest's disks: its own, or one that sees all of them.

    Raises:
        ApiError: `NO_HOSTS_AVAILABLE` when no host sees all disks.
    """
    database = pool.database
    resident: str = database.get("VM", vm, "resident_on")
    if resident != NULL_REF:
        return resident
    storages = {database.get("VDI", vdi, "SR") for vdi in list_disks(database, vm).values()}
    for host in sorted(database.refs("host"), key=lambda ref: ref != pool.coordinator.ref):
        is_live = database.get("host_metrics", database.get("host", host, "metrics"), "live")
        if is_live and all(sees(database, host, storage) for storage in storages):
            return host
    raise ApiError("NO_HOSTS_AVAILABLE")


async def make_disks(
    context: Context, vm: str, how: str, *, ignored: frozenset[str] = frozenset(), storage: str = NULL_REF
) -> dict[str, str]:
    """Makes a second disk of each disk of a guest, one after the other; those made are gone again after a failure.

    Args:
        context: Of the call.
        vm: The guest.
        how: snapshot, clone or copy.
        ignored: Disks to leave out.
        storage: Where copies go; the null reference for where the originals are.

    Returns:
        The new disks by the old ones.
    """
    database = context.pool.database
    made: dict[str, str] = {}
    with ExitStack() as undo:
        for vdi in list_disks(database, vm).values():
            if vdi in ignored:
                continue
            async with hold_disk_below(context, f"Async.VDI.{how}", vdi, how) as below:
                if how == "snapshot":
                    made[vdi] = await take_snapshot(below, vdi, {})
                elif how == "clone":
                    made[vdi] = await make_clone(below, vdi)
                else:
                    target = database.get("VDI", vdi, "SR") if storage == NULL_REF else storage
                    made[vdi] = await copy_disk(below, vdi, target)
            undo.callback(discard, context, made[vdi])
        undo.pop_all()
    return made


def copy_guest(pool: Pool, vm: str, name: str, **values: Value) -> str:
    """Makes a second record of a guest, without disks and interfaces; halted, with metrics of its own."""
    database = pool.database
    record = database.record("VM", vm)
    shared = {key: value for key, value in record.items() if key not in OWN}
    other_config = {key: value for key, value in record["other_config"].items() if key != "default_template"}
    metrics, guest_metrics = copy_metrics(database, vm)
    return database.create(
        "VM",
        **{
            **shared,
            "name_label": name,
            "other_config": other_config,
            "power_state": "Halted",
            "domid": -1,
            "metrics": metrics,
            "guest_metrics": guest_metrics,
            **values,
        },
    )


def copy_metrics(database: Database, vm: str) -> tuple[str, str]:
    """Makes copies of what was measured of a guest; null references where nothing was."""
    made = []
    for class_name, name in (("VM_metrics", "metrics"), ("VM_guest_metrics", "guest_metrics")):
        ref = database.get("VM", vm, name)
        if not database.has(class_name, ref):
            made.append(NULL_REF)
            continue
        values = {key: value for key, value in database.record(class_name, ref).items() if key != "uuid"}
        made.append(database.create(class_name, **values))
    return made[0], made[1]


def copy_devices(pool: Pool, source: str, target: str, disks: dict[str, str], *, keeps_addresses: bool) -> None:
    """Gives a second guest the disks, drives and interfaces of the first, unplugged.

    Args:
        pool: The pool of both.
        source: The guest with the devices.
        target: The guest that gets like ones.
        disks: The new disks by the old ones; a disk that is not in it is left out, media stay shared.
        keeps_addresses: Whether the interfaces have the same MAC addresses.
    """
    database = pool.database
    for vbd in database.get("VM", source, "VBDs"):
        record = database.record("VBD", vbd)
        if record["type"] != "CD" and record["VDI"] not in disks:
            continue
        vdi = disks.get(record["VDI"], record["VDI"])
        _copy_device(database, "VBD", record, VM=target, VDI=vdi)
    seed = database.get("VM", target, "other_config").get("mac_seed", database.get("VM", target, "uuid"))
    for vif in database.get("VM", source, "VIFs"):
        record = database.record("VIF", vif)
        mac = record["MAC"] if keeps_addresses else make_mac(seed, record["device"])
        _copy_device(database, "VIF", record, VM=target, MAC=mac, MAC_autogenerated=record["MAC_autogenerated"])


def _copy_device(database: Database, class_name: str, record: dict[str, Value], **values: Value) -> None:
    fresh = {"uuid", "allowed_operations", "current_operations", "currently_attached", "metrics", "runtime_properties"}
    shared = {key: value for key, value in record.items() if key in CLASSES[class_name].fields and key not in fresh}
    database.create(class_name, **{**shared, **values})


def delete_devices(database: Database, vm: str) -> None:
    """Removes the disks, drives and interfaces of a guest; the VDIs stay."""
    for class_name, listed in (("VBD", "VBDs"), ("VIF", "VIFs")):
        for ref in list(database.get("VM", vm, listed)):
            database.delete(class_name, ref)


def delete_guest(pool: Pool, vm: str) -> None:
    """Removes a guest's records: its children go to its parent, its snapshots and every VDI stay."""
    database = pool.database
    record = database.record("VM", vm)
    for child in list(record["children"]):
        database.set("VM", child, parent=record["parent"])
    delete_devices(database, vm)
    for class_name, name in (("VM_metrics", "metrics"), ("VM_guest_metrics", "guest_metrics")):
        if database.has(class_name, record[name]):
            database.delete(class_name, record[name])
    pool.remembered.pop(vm, None)
    database.delete("VM", vm)
