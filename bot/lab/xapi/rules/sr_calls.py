"""Calls on storage repositories: introducing, forgetting, destroying, scanning."""

from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules import nfs_driver
from bot.lab.xapi.rules.disk_work import KEPT, work_on
from bot.lab.xapi.rules.storage_chains import schedule_coalescing
from bot.lab.xapi.rules.storage_drivers import DRIVERS, check_kind
from bot.lab.xapi.rules.storage_figures import read_figures
from bot.lab.xapi.rules.storage_operations import (
    drop_reference,
    hold_storage,
    is_written,
    refresh_disk,
    refresh_storage,
)
from bot.lab.xapi.rules.storage_space import LIBRARIES, add_disk, is_library, remove_disk
from bot.lab.xapi.values import GIB, Value, stable_uuid

UNKNOWN_SIZE: Final = 1024 * GIB  # of a repository that nobody told the size of
_SCAN_S: Final = 1.0
# Drivers whose repositories are directories of files, and what a file tells of its disk.
_WITHOUT_NAMES: Final = frozenset({"nfs", "ext", "smb"})
_IN_A_FILE: Final = frozenset({"uuid", "used", "virtual_size", "sm_config", "managed", "read_only"})
_IMAGES: Final = ("debian-12.iso", "guest-tools.iso")  # what every library of images holds


async def introduce(
    context: Context,
    uuid: str,
    name_label: str,
    name_description: str,
    kind: str,
    content_type: str,
    shared: bool,  # noqa: FBT001
    sm_config: dict[str, str] | None = None,
) -> str:
    """Makes the record of a repository that exists; its PBDs are made by the caller."""
    pool, database = context.pool, context.pool.database
    kind = check_kind(kind)
    if any(record["uuid"] == uuid for _, record in database.items("SR")):
        raise ApiError("SR_UUID_EXISTS", uuid)
    storage = database.create(
        "SR",
        uuid=uuid,
        name_label=name_label,
        name_description=name_description,
        type=kind,
        content_type=content_type,
        shared=shared,
        physical_size=-1 if kind in {*LIBRARIES, "nfs"} else pool.outside.sizes.pop(uuid, UNKNOWN_SIZE),
        sm_config=sm_config or {},
    )
    refresh_storage(pool, storage)
    return storage


async def forget(context: Context, storage: str) -> str:
    """Removes the records of a repository; its data stay where they are."""
    pool, database = context.pool, context.pool.database
    async with hold_storage(context, storage, "forget"):
        record = database.record("SR", storage)
        pool.outside.sizes[record["uuid"]] = record["physical_size"]
        for vdi in list(record["VDIs"]):
            remember_disk(pool, vdi)
            remove_disk(database, vdi)
        _remove(pool, storage)
    return ""


def remember_disk(pool: Pool, vdi: str) -> None:
    """Keeps what is in the repository of a disk whose record goes."""
    record = pool.database.record("VDI", vdi)
    pool.outside.disks[record["uuid"]] = (pool.database.get("SR", record["SR"], "uuid"), describe_disk(record))


def describe_disk(record: dict[str, Value]) -> dict[str, Value]:
    """Returns what a repository knows of a disk."""
    kept = {name: record[name] for name in (*KEPT, "uuid", "virtual_size", "sm_config", "managed", "other_config")}
    return kept | {"used": record["physical_utilisation"]}


async def destroy(context: Context, storage: str) -> str:
    """Deletes an empty repository with its data."""
    pool, database = context.pool, context.pool.database
    async with hold_storage(context, storage, "destroy"):
        if database.get("SR", storage, "VDIs") and not is_library(database, storage):
            raise ApiError("SR_NOT_EMPTY")
        await _delete(context, storage)
        for vdi in list(database.get("SR", storage, "VDIs")):
            remove_disk(database, vdi)
        _remove(pool, storage)
    return ""


async def _delete(context: Context, storage: str) -> None:
    """Deletes what is left of a repository where it is; the driver is told where by a PBD."""
    pool, database = context.pool, context.pool.database
    if database.get("SR", storage, "type") == "nfs":
        pbds: list[str] = database.get("SR", storage, "PBDs")
        if not pbds:
            raise ApiError("SR_HAS_NO_PBDS", storage)
        here = next((one for one in pbds if database.get("PBD", one, "host") == pool.coordinator.ref), pbds[0])
        config = database.get("PBD", here, "device_config")
        await nfs_driver.remove(context, database.get("PBD", here, "host"), config, storage)
    await pool.clock.sleep(_SCAN_S)


def _remove(pool: Pool, storage: str) -> None:
    database = pool.database
    for pbd in list(database.get("SR", storage, "PBDs")):
        database.delete("PBD", pbd)
    for vm, record in database.items("VM"):
        if record["suspend_SR"] == storage:
            database.set("VM", vm, suspend_SR="OpaqueRef:NULL")
    drop_reference(database, storage)
    database.delete("SR", storage)


async def scan(context: Context, storage: str) -> str:
    """Looks at what is in a repository, and lets its garbage collection start."""
    pool = context.pool
    async with hold_storage(context, storage, "scan"):
        await work_on(context, storage)
        await pool.clock.sleep(_SCAN_S)
        found = find_disks(pool, storage)
        read_figures(pool, storage, anew=found)
    schedule_coalescing(pool, storage)
    return ""


def _keep_file(fields: dict[str, Value]) -> dict[str, Value]:
    """Returns what a file tells of its disk: neither its name nor what was written into the record."""
    return {name: value for name, value in fields.items() if name in _IN_A_FILE}


def _list_files(pool: Pool, own: str, known: set[str]) -> list[dict[str, Value]]:
    """Returns what is in a repository and has no record here: disks without any, and those that another pool has."""
    found = []
    for uuid, (where, fields) in list(pool.outside.disks.items()):
        if where == own:
            del pool.outside.disks[uuid]
            if uuid not in known:
                found.append(fields)
    for other in pool.peers:
        if other is not pool:
            for _, record in other.database.items("VDI"):
                if other.database.get("SR", record["SR"], "uuid") == own and record["uuid"] not in known:
                    found.append(describe_disk(record))
    return found


def find_disks(pool: Pool, storage: str) -> bool:
    """Makes records for what is in a repository and has none; what another pool has deleted there loses its record.

    Returns:
        Whether there was anything that had none.
    """
    database = pool.database
    own: str = database.get("SR", storage, "uuid")
    is_of_files = database.get("SR", storage, "type") in _WITHOUT_NAMES
    for vdi in list(database.get("SR", storage, "VDIs")):
        if database.get("VDI", vdi, "uuid") in pool.outside.deleted and not is_written(database, vdi):
            remove_disk(database, vdi)
    known = {database.get("VDI", vdi, "uuid") for vdi in database.get("SR", storage, "VDIs")}
    found = _list_files(pool, own, known)
    for fields in found:
        kept = _keep_file(fields) if is_of_files else {**fields}
        used, size = kept.pop("used"), kept.pop("virtual_size")
        refresh_disk(pool, add_disk(database, storage, virtual_size=size, used=used, **kept))
    if database.get("SR", storage, "type") == "iso" and not database.get("SR", storage, "VDIs"):
        for name in _IMAGES:
            vdi = add_disk(
                database,
                storage,
                uuid=stable_uuid("ISO", own, name),
                virtual_size=GIB // 2,
                used=GIB // 2,
                name_label=name,
                location=name,
                read_only=True,
                is_tools_iso=name == "guest-tools.iso",
            )
            refresh_disk(pool, vdi)
    return bool(found)


async def update(context: Context, storage: str) -> str:
    """Reads the figures of a repository again."""
    async with hold_storage(context, storage, "update"):
        await work_on(context, storage)
        await context.pool.clock.sleep(_SCAN_S / 2)
        read_figures(context.pool, storage)
    return ""


async def set_shared(context: Context, storage: str, value: bool) -> str:  # noqa: FBT001  as on the wire
    """Says whether several hosts may use a repository; not with several PBDs."""
    pbds: list[str] = context.pool.database.get("SR", storage, "PBDs")
    if not value and len(pbds) > 1:
        raise ApiError("SR_HAS_MULTIPLE_PBDS", *pbds)
    context.pool.database.set("SR", storage, shared=value)
    return ""


async def set_physical_size(context: Context, storage: str, value: int) -> str:
    """Writes the size of a repository into its record, which nobody but an old driver needs."""
    context.pool.database.set("SR", storage, physical_size=value)
    return ""


async def get_supported_types(context: Context) -> list[str]:
    """Returns the drivers that this server has."""
    del context
    return list(DRIVERS)


CALLS: Final[tuple[Call, ...]] = (
    declare("SR.introduce", introduce),
    declare("SR.forget", forget),
    declare("SR.destroy", destroy),
    declare("SR.scan", scan),
    declare("SR.update", update),
    declare("SR.set_shared", set_shared),
    declare("SR.set_physical_size", set_physical_size),
    declare("SR.get_supported_types", get_supported_types),
)
