"""Calls that look for storage repositories on a device or make them there."""

import asyncio
from dataclasses import replace
from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.errors import ApiError, driver_failure
from bot.lab.xapi.rules import nfs_driver
from bot.lab.xapi.rules.pbd_calls import attach
from bot.lab.xapi.rules.reach import forward
from bot.lab.xapi.rules.sr_calls import UNKNOWN_SIZE, find_disks
from bot.lab.xapi.rules.storage_drivers import check_configuration, check_kind
from bot.lab.xapi.rules.storage_operations import refresh_storage
from bot.lab.xapi.rules.storage_space import LIBRARIES
from bot.lab.xapi.rules.turns import subtask
from bot.lab.xapi.values import Value

_MAKE_S: Final = 3.0


async def create(  # noqa: PLR0917  as on the wire
    context: Context,
    host: str,
    device_config: dict[str, str],
    physical_size: int,
    name_label: str,
    name_description: str,
    kind: str,
    content_type: str,
    shared: bool,  # noqa: FBT001
    sm_config: dict[str, str] | None = None,
) -> str:
    """Makes a repository from a host and plugs it into that host, or into all when it is shared.

    The records come first, since drivers read them, and go again when the driver fails. A host that cannot be plugged
    is no failure: its PBD stays unplugged.

    Raises:
        ApiError: `SR_UNKNOWN_DRIVER`, the failure of the driver, `HOST_OFFLINE` / `CANNOT_CONTACT_HOST`.
    """
    pool, database = context.pool, context.pool.database
    kind = check_kind(kind)
    if database.has("host", host):
        await forward(context, host)
    storage = database.create(
        "SR",
        name_label=name_label,
        name_description=name_description,
        type=kind,
        content_type=content_type,
        shared=shared,
        physical_size=-1,
        sm_config=sm_config or {},
    )
    hosts = sorted(database.refs("host"), key=lambda one: one != pool.coordinator.ref) if shared else [host]
    pbds = [database.create("PBD", host=one, SR=storage, device_config=device_config) for one in hosts]
    refresh_storage(pool, storage)
    try:
        await _make(context, host, device_config, storage)
    except BaseException:
        for pbd in pbds:
            database.delete("PBD", pbd)
        database.delete("SR", storage)
        raise
    if kind not in {*LIBRARIES, "nfs"}:
        database.set("SR", storage, physical_size=physical_size or UNKNOWN_SIZE)
    await asyncio.gather(*(_plug(context, pbd) for pbd in pbds))
    find_disks(pool, storage)
    refresh_storage(pool, storage)
    return storage


async def _make(context: Context, host: str, device_config: dict[str, str], storage: str) -> None:
    pool, kind = context.pool, context.pool.database.get("SR", storage, "type")
    if kind == "nfs":
        await nfs_driver.make(context, host, device_config, storage)
    else:
        check_configuration(kind, device_config)
    if kind == "iso":
        await nfs_driver.mount_library(context, host, device_config)
    await pool.clock.sleep(_MAKE_S)
    await pool.faults.strike(context.call, "during")


async def _plug(context: Context, pbd: str) -> None:
    """Plugs a new PBD in a task of its own; what fails stays unplugged, and nobody is told."""
    if not context.pool.database.has("host", context.pool.database.get("PBD", pbd, "host")):
        context.pool.database.set("PBD", pbd, currently_attached=True)
        return
    async with subtask(context, "Async.PBD.plug") as below:
        try:
            await attach(replace(below, call="PBD.plug", runner=None), pbd)
        except ApiError:
            return


async def probe(
    context: Context, host: str, device_config: dict[str, str], kind: str, sm_config: dict[str, str] | None = None
) -> str:
    """Looks from a host at what repositories a device has; the answer is XML.

    Raises:
        ApiError: `SR_UNKNOWN_DRIVER`, or the failure of the driver, whose third parameter tells what to choose from.
    """
    del sm_config
    await forward(context, host)
    kind = check_kind(kind)
    await context.pool.faults.strike(context.call, "during")
    if kind == "nfs":
        return await nfs_driver.probe(context, host, device_config)
    if kind in LIBRARIES:
        raise driver_failure(38, "The requested method is not supported/implemented")
    check_configuration(kind, device_config)
    return '<?xml version="1.0" ?>\n<SRlist/>\n'


async def probe_ext(
    context: Context, host: str, device_config: dict[str, str], kind: str, sm_config: dict[str, str] | None = None
) -> list[Value]:
    """Refuses: no driver of the lab's servers tells what it finds in records."""
    await probe(context, host, device_config, kind, sm_config)
    raise ApiError("SR_OPERATION_NOT_SUPPORTED", "OpaqueRef:NULL")


CALLS: Final[tuple[Call, ...]] = (
    declare("SR.create", create),
    declare("SR.probe", probe),
    declare("SR.probe_ext", probe_ext),
)
