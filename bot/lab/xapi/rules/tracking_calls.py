"""Changed block tracking: what a backup asks of disks and their snapshots, and where it could read them.

Simulated guests write nothing, so that no block ever changes.
"""

import base64
from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.rules.storage_operations import find_worker, hold_disk, sees
from bot.lab.xapi.values import Value

_TRACKED: Final = frozenset({"user", "system"})
_BLOCK: Final = 64 * 1024  # one bit each
_NBD_PORT: Final = 10809
_PURPOSES: Final = frozenset({"nbd", "insecure_nbd"})


async def enable_cbt(context: Context, self: str) -> str:
    """Notes from now on which blocks of a disk change."""
    await _switch(context, self, on=True)
    return ""


async def disable_cbt(context: Context, self: str) -> str:
    """Notes no longer which blocks of a disk change."""
    await _switch(context, self, on=False)
    return ""


async def _switch(context: Context, vdi: str, *, on: bool) -> None:
    database = context.pool.database
    record = database.record("VDI", vdi)
    if record["is_a_snapshot"]:
        raise ApiError("OPERATION_NOT_ALLOWED", f"VDI is a snapshot: {record['uuid']}")
    if record["type"] not in _TRACKED:
        raise ApiError("VDI_INCOMPATIBLE_TYPE", vdi, record["type"])
    async with hold_disk(context, vdi, "enable_cbt" if on else "disable_cbt"):
        find_worker(context.pool, record["SR"])
        database.set("VDI", vdi, cbt_enabled=on)


async def data_destroy(context: Context, self: str) -> str:
    """Deletes what a snapshot holds and keeps what is known of its changes."""
    database = context.pool.database
    record = database.record("VDI", self)
    if not record["is_a_snapshot"]:
        raise ApiError("OPERATION_NOT_ALLOWED", f"VDI is not a snapshot: {record['uuid']}")
    if not record["cbt_enabled"]:
        raise ApiError("VDI_NO_CBT_METADATA", self)
    if any(database.get("VBD", vbd, "currently_attached") for vbd in record["VBDs"]):
        raise ApiError("VDI_IN_USE", self, "data_destroy")
    async with hold_disk(context, self, "data_destroy"):
        for vbd in list(record["VBDs"]):
            database.delete("VBD", vbd)
        database.set("VDI", self, type="cbt_metadata")
    return ""


async def list_changed_blocks(context: Context, begun: str, ended: str) -> str:
    """Returns, as bits in base64, which blocks changed between two states of a disk."""
    database = context.pool.database
    for vdi in (begun, ended):
        if not database.get("VDI", vdi, "cbt_enabled"):
            raise ApiError("VDI_NO_CBT_METADATA", vdi)
    size = database.get("VDI", ended, "virtual_size")
    if database.get("VDI", begun, "virtual_size") > size:
        raise ApiError("VDI_TOO_SMALL", ended, str(database.get("VDI", begun, "virtual_size")))
    blocks = -(-size // _BLOCK)
    return base64.b64encode(bytes(-(-blocks // 8))).decode()


async def get_nbd_info(context: Context, self: str) -> Value:
    """Returns where a disk could be read over networks that are meant for it."""
    database = context.pool.database
    record = database.record("VDI", self)
    if record["type"] == "cbt_metadata":
        raise ApiError("VDI_INCOMPATIBLE_TYPE", self, "cbt_metadata")
    found = []
    for network in database.refs("network"):
        if not _PURPOSES & set(database.get("network", network, "purpose")):
            continue
        for pif in database.get("network", network, "PIFs"):
            interface = database.record("PIF", pif)
            machine = context.pool.machines[interface["host"]]
            if interface["IP"] and sees(database, interface["host"], record["SR"]):
                found.append(
                    {
                        "exportname": f"/{record['uuid']}?session_id={context.session.ref}",
                        "address": interface["IP"],
                        "port": _NBD_PORT,
                        "cert": machine.certificate,
                        "subject": machine.name,
                    }
                )
    return found


async def get_server_certificate(context: Context, host: str) -> str:
    """Returns the certificate that a host shows, as PEM."""
    context.pool.database.row("host", host)
    return context.pool.machines[host].certificate


CALLS: Final[tuple[Call, ...]] = (
    declare("VDI.enable_cbt", enable_cbt),
    declare("VDI.disable_cbt", disable_cbt),
    declare("VDI.data_destroy", data_destroy),
    declare("VDI.list_changed_blocks", list_changed_blocks),
    declare("VDI.get_nbd_info", get_nbd_info),
    declare("host.get_server_certificate", get_server_certificate),
)
