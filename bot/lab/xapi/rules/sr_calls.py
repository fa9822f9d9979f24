"""Calls on storage repositories: making, introducing, forgetting, scanning."""

from collections.abc import Mapping
from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.errors import ApiError, driver_failure
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.disk_work import KEPT
from bot.lab.xapi.rules.reach import forward
from bot.lab.xapi.rules.storage_chains import schedule_coalescing
from bot.lab.xapi.rules.storage_operations import (
    drop_reference,
    find_worker,
    hold_storage,
    refresh_disk,
    refresh_storage,
)
from bot.lab.xapi.rules.storage_space import add_disk, is_library, remove_disk
from bot.lab.xapi.values import stable_uuid

GIB: Final = 1024**3
_SCAN_S: Final = 1.0
_MAKE_S: Final = 3.0
_UNKNOWN_SIZE: Final = 1024 * GIB
# What a driver must be told, and its error when it is not.
DRIVERS: Final[Mapping[str, tuple[tuple[str, int], ...]]] = {
    "nfs": (("server", 102), ("serverpath", 101)),
    "ext": (("device", 90),),
    "lvm": (("device", 90),),
    "lvmoiscsi": (("target", 95), ("targetIQN", 96), ("SCSIid", 107)),
    "lvmohba": (("SCSIid", 107),),
    "iso": (("location", 94),),
    "smb": (("server", 102),),
    "udev": (("location", 94),),
}
_IMAGES: Final = ("debian-12.iso", "guest-tools.iso")  # what every library of images holds


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
    """Makes a repository and plugs it into a host, or into all when it is shared."""
    pool, database = context.pool, context.pool.database
    check_driver(kind, device_config)
    await pool.clock.sleep(_MAKE_S)
    await pool.faults.strike(context.call, "during")
    storage = database.create(
        "SR",
        name_label=name_label,
        name_description=name_description,
        type=kind,
        content_type=content_type,
        shared=shared,
        physical_size=-1 if kind in {"iso", "udev"} else physical_size or _UNKNOWN_SIZE,
        sm_config=sm_config or {},
    )
    for one in database.refs("host") if shared else [host]:
        database.create("PBD", host=one, SR=storage, device_config=device_config, currently_attached=True)
    _find_disks(pool, storage)
    refresh_storage(pool, storage)
    return storage


def check_driver(kind: str, device_config: dict[str, str]) -> None:
    """Refuses what a driver cannot work with.

    Raises:
        ApiError: `SR_UNKNOWN_DRIVER`, or the failure of the driver.
    """
    if kind not in DRIVERS:
        raise ApiError("SR_UNKNOWN_DRIVER", kind)
    for key, code in DRIVERS[kind]:
        if not device_config.get(key):
            text = f"The request is missing the {key} parameter"
            raise driver_failure(code, text)


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
    if kind not in DRIVERS:
        raise ApiError("SR_UNKNOWN_DRIVER", kind)
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
        physical_size=-1 if kind in {"iso", "udev"} else pool.forgotten_sizes.pop(uuid, _UNKNOWN_SIZE),
        sm_config=sm_config or {},
    )
    refresh_storage(pool, storage)
    return storage


async def forget(context: Context, storage: str) -> str:
    """Removes the records of a repository; its data stay where they are."""
    pool, database = context.pool, context.pool.database
    async with hold_storage(context, storage, "forget"):
        record = database.record("SR", storage)
        pool.forgotten_sizes[record["uuid"]] = record["physical_size"]
        for vdi in list(record["VDIs"]):
            remember_disk(pool, vdi)
            remove_disk(database, vdi)
        _remove(pool, storage)
    return ""


def remember_disk(pool: Pool, vdi: str) -> None:
    """Keeps what is in the repository of a disk whose record goes."""
    record = pool.database.record("VDI", vdi)
    kept = {name: record[name] for name in (*KEPT, "uuid", "virtual_size", "sm_config", "managed", "other_config")}
    kept["used"] = record["physical_utilisation"]
    pool.forgotten[record["uuid"]] = (pool.database.get("SR", record["SR"], "uuid"), kept)


async def destroy(context: Context, storage: str) -> str:
    """Deletes an empty repository with its data."""
    pool, database = context.pool, context.pool.database
    async with hold_storage(context, storage, "destroy"):
        if database.get("SR", storage, "VDIs") and not is_library(database, storage):
            raise ApiError("SR_NOT_EMPTY")
        await pool.clock.sleep(_SCAN_S)
        for vdi in list(database.get("SR", storage, "VDIs")):
            remove_disk(database, vdi)
        _remove(pool, storage)
    return ""


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
        await forward(context, find_worker(pool, storage))
        await pool.clock.sleep(_SCAN_S)
        _find_disks(pool, storage)
    schedule_coalescing(pool, storage)
    return ""


def _find_disks(pool: Pool, storage: str) -> None:
    database = pool.database
    own: str = database.get("SR", storage, "uuid")
    for uuid, (where, fields) in list(pool.forgotten.items()):
        if where == own:
            del pool.forgotten[uuid]
            kept = {**fields}
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


async def update(context: Context, storage: str) -> str:
    """Reads the figures of a repository again."""
    async with hold_storage(context, storage, "update"):
        await forward(context, find_worker(context.pool, storage))
        await context.pool.clock.sleep(_SCAN_S / 2)
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
    declare("SR.create", create),
    declare("SR.introduce", introduce),
    declare("SR.forget", forget),
    declare("SR.destroy", destroy),
    declare("SR.scan", scan),
    declare("SR.update", update),
    declare("SR.set_shared", set_shared),
    declare("SR.set_physical_size", set_physical_size),
    declare("SR.get_supported_types", get_supported_types),
)
