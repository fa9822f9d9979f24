"""A guest that leaves for another pool: copied there disk by disk, then its memory, then the records; gone here."""

from functools import partial
from typing import Final

from bot.lab.xapi.calls import Context
from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.rules.announcements import announce_guest, describe
from bot.lab.xapi.rules.disk_work import describe_copy, fill, take_snapshot
from bot.lab.xapi.rules.guest_copies import delete_guest, list_disks
from bot.lab.xapi.rules.guest_records import show
from bot.lab.xapi.rules.guest_state import attach_devices, halt, run_on
from bot.lab.xapi.rules.memory import rebalance
from bot.lab.xapi.rules.migration import stream_memory
from bot.lab.xapi.rules.reach import check_alive
from bot.lab.xapi.rules.receive import Destination
from bot.lab.xapi.rules.storage_chains import compute_content, drop_leaf
from bot.lab.xapi.rules.storage_moves import Moves, find_rate
from bot.lab.xapi.rules.storage_operations import hold_disk, is_written, refresh_disk
from bot.lab.xapi.rules.storage_space import add_disk, check_space, compute_initial, remove_disk
from bot.lab.xapi.schema.model import CLASSES, FieldType
from bot.lab.xapi.values import NULL_REF, Value, new_uuid

_DEVICE_LINKS: Final = frozenset({"VM", "VDI", "network", "metrics", "currently_attached"})
_MOMENT: Final = frozenset({"uuid", "allowed_operations", "current_operations"})


async def send_across(
    context: Context,
    there: Destination,
    vm: str,
    source: str,
    vdi_map: dict[str, str],
    vif_map: dict[str, str],
    options: dict[str, str],
) -> str:
    """Moves or copies a guest to another pool; returns it there. Its snapshots go with it.

    Raises:
        ApiError: What copying the disks raises, or `VM_BAD_POWER_STATE` when the guest went down meanwhile.
    """
    database, other = context.pool.database, there.pool.database
    check_alive(there.pool, there.host)
    state: str = database.get("VM", vm, "power_state")
    copies = options.get("copy") == "true"
    snapshots: list[str] = [] if copies else database.get("VM", vm, "snapshots")
    plan = _plan(database, there, [vm, *snapshots], vdi_map)
    disks = sum(compute_content(database, vdi) for vdi in plan)
    share = disks / max(1, disks + database.get("VM", vm, "memory_dynamic_min"))
    async with Moves(plan) as moves:
        await _carry(context, there, moves, source, share)
        if state == "Running":
            machines = context.pool.machines[source], there.pool.machines[there.host]
            await stream_memory(context, vm, *machines, begun=share)
            if (seen := database.get("VM", vm, "power_state")) != state:
                raise ApiError("VM_BAD_POWER_STATE", vm, state, seen)
        context.set_cancellable(cancellable=False)
        made = _import(context, there, vm, moves.made, vif_map, copies=copies)
        for snapshot in snapshots:
            other.set("VM", _import(context, there, snapshot, moves.made, vif_map, copies=False), snapshot_of=made)
        moves.undo.pop_all()
        _continue(there, made, state, moves.made.get(database.get("VM", vm, "suspend_VDI"), NULL_REF))
        hosts = f"{describe(context.pool, 'host', source)} to host {describe(there.pool, 'host', there.host)}"
        announce_guest(there.pool, "VM_MIGRATED", made, f"migrated from host {hosts}")
        if not copies:
            _leave(context, [vm, *snapshots], plan)
            rebalance(database, source)
    return made


def _plan(database: Database, there: Destination, guests: list[str], vdi_map: dict[str, str]) -> dict[str, str]:
    """Returns where each disk goes: as the map says, a snapshot's with its origin, memory where memory goes there."""
    settings = there.pool.database.record("pool", there.pool.ref)
    plan: dict[str, str] = {}
    for vm in guests:
        for vdi in list_disks(database, vm).values():
            origin: str = database.get("VDI", vdi, "snapshot_of")
            plan[vdi] = vdi_map.get(vdi) or plan.get(origin) or settings["default_SR"]
        image: str = database.get("VM", vm, "suspend_VDI")
        if database.has("VDI", image):
            plan[image] = settings["suspend_image_SR"]
    return plan


def _continue(there: Destination, vm: str, state: str, image: str) -> None:
    """Lets a guest be in the other pool what it was here."""
    if state in {"Running", "Suspended"}:
        attach_devices(there.pool, vm, attached=True)
    if state == "Running":
        run_on(there.pool, vm, there.host)
    elif state == "Suspended":
        there.pool.database.set("VM", vm, power_state="Suspended", suspend_VDI=image)
    show(there.pool, vm)


async def _carry(context: Context, there: Destination, moves: Moves, source: str, share: float) -> None:
    pool, database, other = context.pool, context.pool.database, there.pool.database
    sizes = {vdi: compute_content(database, vdi) for vdi in moves.plan}
    total, done = max(1, sum(sizes.values())), 0
    for vdi, storage in moves.plan.items():
        await moves.held.enter_async_context(hold_disk(context, vdi, "mirror"))
        origin = vdi
        if is_written(database, vdi):
            origin = await take_snapshot(context, vdi, {})
            database.set("VDI", origin, snapshot_of=NULL_REF)
            moves.held.callback(drop_leaf, pool, origin)
        record = database.record("VDI", vdi)
        size = record["virtual_size"]
        used = compute_initial(other, storage, size)
        check_space(other, storage, used)
        values = describe_copy(database, vdi)
        values["is_a_snapshot"], values["snapshot_time"] = record["is_a_snapshot"], record["snapshot_time"]
        values["snapshot_of"] = moves.made.get(record["snapshot_of"], NULL_REF)
        made = add_disk(other, storage, virtual_size=size, used=used, **values)
        moves.made[vdi] = made
        moves.undo.callback(_discard, other, made)
        begun = done

        def place(part: float, begun: int = begun, vdi: str = vdi) -> float:
            return share * (begun + part * sizes[vdi]) / total

        rate = partial(find_rate, pool, source, (other, there.host, storage))
        await fill(context, origin, made, rate, scale=place, target_pool=there.pool)
        refresh_disk(there.pool, made)
        done += sizes[vdi]


def _discard(database: Database, vdi: str) -> None:
    if database.has("VDI", vdi):
        remove_disk(database, vdi)


def _import(
    context: Context, there: Destination, vm: str, disks: dict[str, str], vif_map: dict[str, str], *, copies: bool
) -> str:
    """Makes the records of a guest in the other pool; media are ejected, as they are not there."""
    database, other = context.pool.database, there.pool.database
    record = database.record("VM", vm)
    values = {name: value for name, value in record.items() if not _is_local("VM", name)}
    values |= {"domid": -1, "power_state": "Halted"}
    values["uuid"] = new_uuid() if copies else record["uuid"]
    if record["is_a_snapshot"]:
        image = disks.get(record["suspend_VDI"], record["suspend_VDI"])
        values |= {"power_state": record["power_state"], "suspend_VDI": image}
    if copies:
        values["other_config"] = {**record["other_config"], "mac_seed": new_uuid()}
    for class_name, name in (("VM_metrics", "metrics"), ("VM_guest_metrics", "guest_metrics")):
        if database.has(class_name, record[name]):
            measured = {key: value for key, value in database.record(class_name, record[name]).items() if key != "uuid"}
            values[name] = other.create(class_name, **measured)
    made = other.create("VM", **values)
    for vbd in record["VBDs"]:
        device = database.record("VBD", vbd)
        vdi = disks.get(device["VDI"], NULL_REF)
        _import_device(other, "VBD", device, VM=made, VDI=vdi, empty=vdi == NULL_REF)
    for vif in record["VIFs"]:
        interface = database.record("VIF", vif)
        network = vif_map.get(vif) or _infer_network(database, vif_map, interface)
        _import_device(other, "VIF", interface, VM=made, network=network)
    show(there.pool, made)
    return made


def _infer_network(database: Database, vif_map: dict[str, str], interface: dict[str, Value]) -> str:
    """Returns the network of the mapped interface with the same address: that is how snapshots find theirs."""
    for vif, network in vif_map.items():
        if database.get("VIF", vif, "MAC") == interface["MAC"]:
            return network
    return next(iter(vif_map.values()), NULL_REF)


def _import_device(other: Database, class_name: str, record: dict[str, Value], **values: Value) -> None:
    shared = {
        name: value
        for name, value in record.items()
        if name not in _DEVICE_LINKS and name not in _MOMENT and not _is_local(class_name, name)
    }
    other.create(class_name, **{**shared, **values})


def _is_local(class_name: str, name: str) -> bool:
    """Tells whether a field names objects of its own pool, or describes the moment."""
    return name in _MOMENT or _names_object(CLASSES[class_name].fields[name].type)


def _names_object(kind: FieldType) -> bool:
    return kind.kind == "ref" or any(_names_object(part) for part in kind.of)


def _leave(context: Context, guests: list[str], disks: dict[str, str]) -> None:
    """Removes what has moved: the records of the guest and its snapshots, and their disks."""
    pool, database = context.pool, context.pool.database
    for vm in guests:
        if database.get("VM", vm, "resident_on") != NULL_REF:
            halt(pool, vm)
        delete_guest(pool, vm)
    for vdi in disks:
        if database.has("VDI", vdi):
            drop_leaf(pool, vdi)
