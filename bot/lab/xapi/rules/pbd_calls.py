"""Calls on PBDs: what plugs a storage repository into a host."""

from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules import nfs_driver
from bot.lab.xapi.rules.nfs_mounts import stand_by
from bot.lab.xapi.rules.reach import check_alive, forward
from bot.lab.xapi.rules.storage_figures import read_figures
from bot.lab.xapi.rules.storage_operations import hold_storage, refresh_disk, refresh_storage
from bot.lab.xapi.values import Value

_PLUG_S: Final = 1.5


async def create(context: Context, values: dict[str, Value]) -> str:
    """Makes an unplugged PBD."""
    database = context.pool.database
    database.record("SR", values["SR"])
    for pbd in database.get("SR", values["SR"], "PBDs"):
        if database.get("PBD", pbd, "host") == values["host"]:
            raise ApiError("PBD_EXISTS", values["SR"], values["host"], pbd)
    pbd = database.create("PBD", **values)
    refresh_storage(context.pool, values["SR"])
    return pbd


async def destroy(context: Context, pbd: str) -> str:
    """Removes an unplugged PBD."""
    database = context.pool.database
    record = database.record("PBD", pbd)
    if record["currently_attached"]:
        raise ApiError("OPERATION_NOT_ALLOWED", "PBD is currently attached")
    storage = record["SR"]
    database.delete("PBD", pbd)
    refresh_storage(context.pool, storage)
    return ""


async def plug(context: Context, pbd: str) -> str:
    """Attaches a repository to a host; one that is attached already is no error."""
    pool, database = context.pool, context.pool.database
    record = database.record("PBD", pbd)
    if record["currently_attached"]:
        return ""
    storage, host = record["SR"], record["host"]
    database.record("host", host)
    async with hold_storage(context, storage, "plug"):
        if not database.get("SR", storage, "shared"):
            for other in database.get("SR", storage, "PBDs"):
                if other != pbd and database.get("PBD", other, "currently_attached"):
                    raise ApiError("SR_NOT_SHARABLE", storage, host)
        await attach(context, pbd)
    _refresh(pool, storage)
    return ""


async def attach(context: Context, pbd: str) -> None:
    """Attaches a repository to the host of a PBD, whatever holds it.

    Raises:
        ApiError: The failure of the driver, `HOST_OFFLINE` / `CANNOT_CONTACT_HOST`.
    """
    pool, database = context.pool, context.pool.database
    record = database.record("PBD", pbd)
    storage, host = record["SR"], record["host"]
    await forward(context, host)
    await nfs_driver.attach_any(context, host, record["device_config"], storage)
    await pool.clock.sleep(_PLUG_S)
    await pool.faults.strike(context.call, "during")
    check_alive(pool, host)
    database.set("PBD", pbd, currently_attached=True)
    if database.get("SR", storage, "physical_size") <= 0:
        read_figures(pool, storage)


async def unplug(context: Context, pbd: str) -> str:
    """Detaches a repository from a host; refused while a guest there uses a disk in it."""
    pool, database = context.pool, context.pool.database
    record = database.record("PBD", pbd)
    storage, host = record["SR"], record["host"]
    if not record["currently_attached"]:
        return ""
    if (used := find_used_disk(database, storage, host)) is not None:
        raise ApiError("VDI_IN_USE", used)
    async with hold_storage(context, storage, "unplug"):
        await forward(context, host)
        await stand_by(pool, storage)
        await pool.clock.sleep(_PLUG_S)
        await pool.faults.strike(context.call, "during")
        if (used := find_used_disk(database, storage, host)) is not None:
            raise ApiError("VDI_IN_USE", used)
        database.set("PBD", pbd, currently_attached=False)
    _refresh(pool, storage)
    return ""


def find_used_disk(database: Database, storage: str, host: str) -> str | None:
    """Returns a disk of a repository that a guest uses on a host or is about to use there."""
    for vdi in database.get("SR", storage, "VDIs"):
        for vbd in database.get("VDI", vdi, "VBDs"):
            device = database.record("VBD", vbd)
            guest = database.record("VM", device["VM"])
            is_here = host in {guest["resident_on"], guest["scheduled_to_be_resident_on"]}
            if device["currently_attached"] and is_here:
                found: str = vdi
                return found
    return None


async def set_device_config(context: Context, pbd: str, value: dict[str, str]) -> str:
    """Refuses, as a real server does to everybody but itself."""
    del value
    context.pool.database.record("PBD", pbd)
    raise ApiError("PERMISSION_DENIED", "")


def _refresh(pool: Pool, storage: str) -> None:
    refresh_storage(pool, storage)
    for vdi in pool.database.get("SR", storage, "VDIs"):
        refresh_disk(pool, vdi)


CALLS: Final[tuple[Call, ...]] = (
    declare("PBD.create", create),
    declare("PBD.destroy", destroy),
    declare("PBD.plug", plug),
    declare("PBD.unplug", unplug),
    declare("PBD.set_device_config", set_device_config),
)
