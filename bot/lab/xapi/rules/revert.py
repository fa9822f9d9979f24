"""`VM.revert`: a guest becomes what it was at a snapshot; its disks, drives and interfaces are new objects then."""

from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.announcements import announce_guest
from bot.lab.xapi.rules.disk_work import QUICK_S, make_clone
from bot.lab.xapi.rules.guest_copies import OWN, copy_devices, copy_metrics, find_host, list_disks, make_disks
from bot.lab.xapi.rules.guest_operations import check_operation, operate, refresh_allowed
from bot.lab.xapi.rules.guest_records import show
from bot.lab.xapi.rules.guest_state import halt
from bot.lab.xapi.rules.reach import forward
from bot.lab.xapi.rules.storage_chains import drop_leaf
from bot.lab.xapi.rules.storage_operations import hold_disk_below
from bot.lab.xapi.values import NULL_REF, Value

# What the way back leaves as it is now.
_STAYS: Final = OWN | {"is_a_template", "affinity"}


async def revert(context: Context, snapshot: str) -> str:
    """Takes a guest back to a snapshot: shut down hard, its disks deleted, then made anew from the snapshot's.

    It is halted afterwards, or suspended where the snapshot holds its memory.
    """
    pool, database = context.pool, context.pool.database
    record = database.record("VM", snapshot)
    vm: str = record["snapshot_of"]
    check_operation(pool, snapshot, "revert")
    if not database.has("VM", vm):
        raise ApiError("VM_REVERT_FAILED", snapshot, vm)
    async with operate(context, snapshot, "revert"), operate(context, vm, "reverting"):
        await forward(context, find_host(pool, snapshot))
        context.set_cancellable(cancellable=False)
        context.set_progress(0.1)
        if database.get("VM", vm, "power_state") != "Halted":
            halt(pool, vm)
            refresh_allowed(pool, vm)
        await _replace_disks(context, vm, snapshot)
        database.set("VM", vm, **_remember(pool, snapshot), parent=snapshot)
        _replace_metrics(pool, vm, snapshot)
        image: str = record["suspend_VDI"]
        if record["power_state"] == "Suspended" and database.has("VDI", image):
            async with hold_disk_below(context, "Async.VDI.clone", image, "clone") as below:
                own = await make_clone(below, image)
            database.set("VM", vm, suspend_VDI=own, power_state="Suspended")
            for vbd in database.get("VM", vm, "VBDs"):
                database.set("VBD", vbd, currently_attached=True)
    show(pool, vm)
    tail = f"reverted to snapshot: {record['name_label']} (uuid {record['uuid']})"
    announce_guest(pool, "VM_SNAPSHOT_REVERTED", vm, tail)
    return ""


async def _replace_disks(context: Context, vm: str, snapshot: str) -> None:
    pool, database = context.pool, context.pool.database
    kept_by_others = {
        vdi for other in database.refs("VM") if other != vm for vdi in list_disks(database, other).values()
    }
    doomed = [vdi for vdi in list_disks(database, vm).values() if vdi not in kept_by_others]
    for vbd in list(database.get("VM", vm, "VBDs")):
        database.delete("VBD", vbd)
    origins = {}
    for vdi in list_disks(database, snapshot).values():
        origins[vdi] = database.get("VDI", vdi, "snapshot_of")
    for vdi in doomed:
        async with hold_disk_below(context, "VDI.destroy", vdi, "destroy"):
            await pool.clock.sleep(QUICK_S)
            await pool.gate.enter(0.1)
            drop_leaf(pool, vdi)
    context.set_progress(0.0)
    disks = await make_disks(context, snapshot, "clone")
    for vif in list(database.get("VM", vm, "VIFs")):
        database.delete("VIF", vif)
    copy_devices(pool, snapshot, vm, disks, keeps_addresses=True)
    # The snapshots of a disk that is gone are from now on those of its successor.
    successors = {origins[vdi]: made for vdi, made in disks.items() if origins[vdi] != NULL_REF}
    for vdi, record in database.items("VDI"):
        if record["snapshot_of"] in successors:
            database.set("VDI", vdi, snapshot_of=successors[record["snapshot_of"]])


def _remember(pool: Pool, snapshot: str) -> dict[str, Value]:
    known = pool.remembered.get(snapshot) or pool.database.record("VM", snapshot)
    return {key: value for key, value in known.items() if key not in _STAYS}


def _replace_metrics(pool: Pool, vm: str, snapshot: str) -> None:
    database = pool.database
    for class_name, name in (("VM_metrics", "metrics"), ("VM_guest_metrics", "guest_metrics")):
        if database.has(class_name, database.get("VM", vm, name)):
            database.delete(class_name, database.get("VM", vm, name))
    metrics, guest_metrics = copy_metrics(database, snapshot)
    database.set("VM", vm, metrics=metrics, guest_metrics=guest_metrics)


CALLS: Final[tuple[Call, ...]] = (declare("VM.revert", revert),)
