"""Calls that make, copy and delete guests as records."""

from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.announcements import announce_guest
from bot.lab.xapi.rules.guest_copies import copy_devices, copy_guest, delete_guest, find_host, make_disks
from bot.lab.xapi.rules.guest_operations import check_operation, operate, refresh_allowed
from bot.lab.xapi.rules.memory import compute_vm_overhead
from bot.lab.xapi.rules.reach import forward
from bot.lab.xapi.rules.storage_operations import refresh_devices, refresh_disk
from bot.lab.xapi.values import NULL_REF, Value, new_uuid

_RECORD_S: Final = 0.2


async def create(context: Context, values: dict[str, Value]) -> str:
    """Makes a halted guest without disks and interfaces."""
    database = context.pool.database
    limits = [values[f"memory_{name}"] for name in ("static_min", "dynamic_min", "dynamic_max", "static_max")]
    if limits != sorted(limits):
        raise ApiError("MEMORY_CONSTRAINT_VIOLATION_ORDER")
    if values["VCPUs_at_startup"] > values["VCPUs_max"] or values["VCPUs_max"] <= 0:
        raise ApiError("INVALID_VALUE", "VCPUs_max", str(values["VCPUs_max"]))
    if values["domain_type"] == "unspecified":
        values["domain_type"] = "hvm" if values["HVM_boot_policy"] else "pv"
    values["other_config"] = {"mac_seed": new_uuid()} | values["other_config"]
    values["metrics"] = database.create(
        "VM_metrics", VCPUs_number=values["VCPUs_max"], last_updated=context.pool.clock.now()
    )
    vm = database.create("VM", **{**values, "power_state": "Halted", "suspend_VDI": NULL_REF, "domid": -1})
    database.set("VM", vm, memory_overhead=compute_vm_overhead(database, vm))
    refresh_allowed(context.pool, vm)
    return vm


async def destroy(context: Context, vm: str) -> str:
    """Removes the records of a guest; its VDIs stay, a suspend image as well."""
    pool = context.pool
    async with operate(context, vm, "destroy"):
        record = pool.database.record("VM", vm)
        if record["is_default_template"] or record["other_config"].get("default_template") == "true":
            raise ApiError("VM_CANNOT_DELETE_DEFAULT_TEMPLATE", vm)
        await pool.clock.sleep(_RECORD_S)
        disks = [pool.database.get("VBD", vbd, "VDI") for vbd in record["VBDs"]]
        delete_guest(pool, vm)
        for vdi in disks:
            refresh_disk(pool, vdi)
    return ""


async def clone(context: Context, vm: str, name: str) -> str:
    """Makes a second guest whose disks share the data of the first."""
    async with operate(context, vm, "clone"):
        return await _make_second(context, vm, name, "clone", NULL_REF)


async def copy(context: Context, vm: str, name: str, storage: str) -> str:
    """Makes a second guest with full copies of the disks, in one repository or each where it is."""
    async with operate(context, vm, "copy"):
        if storage != NULL_REF:
            context.pool.database.record("SR", storage)
        return await _make_second(context, vm, name, "copy", storage)


async def _make_second(context: Context, vm: str, name: str, how: str, storage: str) -> str:
    pool = context.pool
    await forward(context, find_host(pool, vm))
    disks = await make_disks(context, vm, how, storage=storage)
    other_config = {**pool.database.get("VM", vm, "other_config"), "mac_seed": new_uuid()}
    other_config.pop("default_template", None)
    made = copy_guest(pool, vm, name, other_config=other_config, memory_target=0)
    copy_devices(pool, vm, made, disks, keeps_addresses=False)
    show(pool, made)
    announce_guest(pool, "VM_CLONED", vm, f"cloned to {name}")
    return made


def show(pool: Pool, vm: str) -> None:
    """Computes the allowed operations of a new guest and of its devices."""
    refresh_allowed(pool, vm)
    refresh_devices(pool, vm)


async def provision(context: Context, vm: str) -> str:
    """Makes a guest of a clone of a template; disks that the template describes are made by the caller."""
    async with operate(context, vm, "provision"):
        await context.pool.clock.sleep(_RECORD_S)
        _leave_template(context, vm)
    return ""


def _leave_template(context: Context, vm: str) -> None:
    database = context.pool.database
    database.set("VM", vm, is_a_template=False)
    metrics = database.get("VM", vm, "metrics")
    if database.has("VM_metrics", metrics):
        database.set("VM_metrics", metrics, install_time=context.pool.clock.now())


async def set_is_a_template(context: Context, vm: str, value: bool) -> str:  # noqa: FBT001  as on the wire
    """Makes a template of a halted guest, or a guest of a template; a snapshot stays a snapshot."""
    database = context.pool.database
    if value and not database.get("VM", vm, "is_a_template"):
        check_operation(context.pool, vm, "make_into_template")
        database.set("VM", vm, is_a_template=True)
    elif not value:
        _leave_template(context, vm)
    refresh_allowed(context.pool, vm)
    return ""


CALLS: Final[tuple[Call, ...]] = (
    declare("VM.create", create),
    declare("VM.destroy", destroy),
    declare("VM.clone", clone),
    declare("VM.copy", copy),
    declare("VM.provision", provision),
    declare("VM.set_is_a_template", set_is_a_template),
)
