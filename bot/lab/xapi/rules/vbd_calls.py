"""Calls on the disks and drives of guests: making, plugging, inserting media."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.rules.nfs_mounts import stand_by
from bot.lab.xapi.rules.reach import forward
from bot.lab.xapi.rules.storage_operations import is_written, refresh_devices, refresh_disk, sees
from bot.lab.xapi.rules.storage_space import is_library
from bot.lab.xapi.rules.turns import check_free, leave, mark, wait_for_turn
from bot.lab.xapi.values import NULL_REF, Value

_DEVICES: Final = 16
_PLUG_S: Final = 0.5


def list_free_positions(database: Database, vm: str) -> list[str]:
    """Returns the positions where a guest has no disk or drive."""
    taken = {database.get("VBD", vbd, "userdevice") for vbd in database.get("VM", vm, "VBDs")}
    return [str(number) for number in range(_DEVICES) if str(number) not in taken]


def name_device(position: str) -> str:
    """Returns what a Linux guest calls the device at a position."""
    return f"xvd{chr(ord('a') + int(position))}"


async def create(context: Context, values: dict[str, Value]) -> str:
    """Gives a guest a disk or drive; it is plugged at the next start, or by `VBD.plug`."""
    pool, database = context.pool, context.pool.database
    free = list_free_positions(database, values["VM"])
    position = values["userdevice"]
    if position == "autodetect":
        values["userdevice"] = position = free[0] if free else ""
    if not position.isdecimal() or int(position) >= _DEVICES:
        raise ApiError("INVALID_DEVICE", position)
    if position not in free:
        raise ApiError("DEVICE_ALREADY_EXISTS", position)
    if values["type"] == "CD" and values["mode"] != "RO":
        raise ApiError("VBD_CDS_MUST_BE_READONLY")
    if values["empty"]:
        values["VDI"] = NULL_REF
        if values["type"] != "CD":
            raise ApiError("VBD_NOT_REMOVABLE_MEDIA", NULL_REF)
    else:
        disk = database.record("VDI", values["VDI"])
        if values["type"] == "CD" and not is_library(database, disk["SR"]):
            raise ApiError("VDI_IS_NOT_ISO", values["VDI"], database.get("SR", disk["SR"], "content_type"))
        if values["mode"] == "RW" and disk["read_only"]:
            raise ApiError("VDI_READONLY", values["VDI"])
    vbd = database.create("VBD", **{**values, "currently_attached": False})
    refresh_devices(pool, values["VM"])
    return vbd


async def destroy(context: Context, vbd: str) -> str:
    """Takes a disk or drive from a guest; the VDI stays."""
    database = context.pool.database
    record = database.record("VBD", vbd)
    if record["currently_attached"]:
        raise ApiError("OPERATION_NOT_ALLOWED", f"VBD '{record['uuid']}' still attached to '{_name(database, record)}'")
    vdi = record["VDI"]
    database.delete("VBD", vbd)
    refresh_disk(context.pool, vdi)
    return ""


def _name(database: Database, record: dict[str, Value]) -> str:
    uuid: str = database.get("VM", record["VM"], "uuid")
    return uuid


@asynccontextmanager
async def _hold(context: Context, vbd: str, operation: str) -> AsyncIterator[dict[str, Value]]:
    """Holds a device of a running guest for an operation."""
    pool, database = context.pool, context.pool.database
    vm: str = database.get("VBD", vbd, "VM")

    def check() -> None:
        check_free(database.get("VBD", vbd, "current_operations"), "VBD", vbd, lambda _other: False)

    await wait_for_turn(context, check)
    state = database.get("VM", vm, "power_state")
    if state != "Running" and operation in {"plug", "unplug", "unplug_force"}:
        raise ApiError("VM_BAD_POWER_STATE", vm, "running", state.lower())
    mark(pool, "VBD", vbd, context.task, operation)
    refresh_devices(pool, vm)
    try:
        if state == "Running":
            await forward(context, database.get("VM", vm, "resident_on"))
        yield database.record("VBD", vbd)
    finally:
        leave(pool, "VBD", vbd, context.task)
        if database.has("VM", vm):
            refresh_devices(pool, vm)


async def plug(context: Context, vbd: str) -> str:
    """Attaches a disk to a running guest."""
    pool, database = context.pool, context.pool.database
    async with _hold(context, vbd, "plug") as record:
        if record["currently_attached"]:
            raise ApiError("DEVICE_ALREADY_ATTACHED", vbd)
        vm = record["VM"]
        _check_drivers(database, vm)
        if record["empty"]:
            raise ApiError("VBD_IS_EMPTY", vbd)
        storage = database.get("VDI", record["VDI"], "SR")
        if not sees(database, database.get("VM", vm, "resident_on"), storage):
            raise ApiError("SR_NOT_ATTACHED", storage)
        _check_unused(database, record)
        await stand_by(pool, storage)
        await pool.clock.sleep(_PLUG_S)
        await pool.faults.strike(context.call, "during")
        _check_unused(database, record)
        database.set("VBD", vbd, currently_attached=True, device=name_device(record["userdevice"]))
    return ""


def _check_unused(database: Database, record: dict[str, Value]) -> None:
    disk = database.record("VDI", record["VDI"])
    if is_written(database, record["VDI"]) and not disk["sharable"] and record["mode"] == "RW":
        raise ApiError("VDI_IN_USE", record["VDI"], "attach")


def _check_drivers(database: Database, vm: str) -> None:
    record = database.record("VM", vm)
    metrics = record["guest_metrics"]
    is_able = database.has("VM_guest_metrics", metrics) and (
        database.get("VM_guest_metrics", metrics, "PV_drivers_detected")
    )
    if record["domain_type"] == "hvm" and not is_able:
        raise ApiError("VM_MISSING_PV_DRIVERS", vm)


async def unplug(context: Context, vbd: str) -> str:
    """Detaches a disk from a running guest, which must agree."""
    pool, database = context.pool, context.pool.database
    async with _hold(context, vbd, "unplug") as record:
        if not record["currently_attached"]:
            raise ApiError("DEVICE_ALREADY_DETACHED", vbd)
        if not record["unpluggable"]:
            raise ApiError("VBD_NOT_UNPLUGGABLE", vbd)
        _check_drivers(database, record["VM"])
        await pool.clock.sleep(_PLUG_S)
        await pool.faults.strike(context.call, "during")
        database.set("VBD", vbd, currently_attached=False, device="")
    return ""


async def unplug_force(context: Context, vbd: str) -> str:
    """Detaches a disk whether the guest agrees or not."""
    pool, database = context.pool, context.pool.database
    async with _hold(context, vbd, "unplug_force"):
        await pool.clock.sleep(_PLUG_S)
        database.set("VBD", vbd, currently_attached=False, device="")
    return ""


async def insert(context: Context, vbd: str, vdi: str) -> str:
    """Puts a medium into an empty drive."""
    database = context.pool.database
    async with _hold(context, vbd, "insert") as record:
        if record["type"] != "CD":
            raise ApiError("VBD_NOT_REMOVABLE_MEDIA", vbd)
        if not record["empty"]:
            raise ApiError("VBD_NOT_EMPTY", vbd)
        storage = database.get("VDI", vdi, "SR")
        if not is_library(database, storage):
            raise ApiError("VDI_IS_NOT_ISO", vdi, database.get("SR", storage, "content_type"))
        host = database.get("VM", record["VM"], "resident_on")
        if host != NULL_REF and not sees(database, host, storage):
            raise ApiError("SR_NOT_ATTACHED", storage)
        await context.pool.clock.sleep(_PLUG_S)
        database.set("VBD", vbd, VDI=vdi, empty=False)
    return ""


async def eject(context: Context, vbd: str) -> str:
    """Takes the medium out of a drive."""
    database = context.pool.database
    async with _hold(context, vbd, "eject") as record:
        if record["type"] != "CD":
            raise ApiError("VBD_NOT_REMOVABLE_MEDIA", vbd)
        if record["empty"]:
            raise ApiError("VBD_IS_EMPTY", vbd)
        vdi = record["VDI"]
        await context.pool.clock.sleep(_PLUG_S)
        database.set("VBD", vbd, VDI=NULL_REF, empty=True)
    refresh_disk(context.pool, vdi)
    return ""


async def assert_attachable(context: Context, vbd: str) -> str:
    """Raises the reason why a disk could not be attached now."""
    database = context.pool.database
    record = database.record("VBD", vbd)
    if record["currently_attached"]:
        raise ApiError("DEVICE_ALREADY_ATTACHED", vbd)
    if record["VDI"] != NULL_REF and record["mode"] == "RW" and is_written(database, record["VDI"]):
        raise ApiError("VDI_IN_USE", record["VDI"], "attach")
    return ""


async def set_mode(context: Context, vbd: str, mode: str) -> str:
    """Changes whether a guest may write to a disk, for the next time it is attached."""
    record = context.pool.database.record("VBD", vbd)
    if record["type"] == "CD" and mode != "RO":
        raise ApiError("VBD_CDS_MUST_BE_READONLY")
    context.pool.database.set("VBD", vbd, mode=mode)
    return ""


async def get_allowed_devices(context: Context, vm: str) -> list[str]:
    """Returns the positions where `VBD.create` can put a disk."""
    return list_free_positions(context.pool.database, vm)


CALLS: Final[tuple[Call, ...]] = (
    declare("VBD.create", create),
    declare("VBD.destroy", destroy),
    declare("VBD.plug", plug),
    declare("VBD.unplug", unplug),
    declare("VBD.unplug_force", unplug_force),
    declare("VBD.insert", insert),
    declare("VBD.eject", eject),
    declare("VBD.assert_attachable", assert_attachable),
    declare("VBD.set_mode", set_mode),
    declare("VM.get_allowed_VBD_devices", get_allowed_devices),
)
