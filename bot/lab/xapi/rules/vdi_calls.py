"""Calls on disks: making, deleting, snapshots, clones, copies, sizes, and what is known of them."""

from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.errors import ApiError, driver_failure
from bot.lab.xapi.rules import nfs_mounts
from bot.lab.xapi.rules.disk_work import (
    LARGEST_DISK,
    QUICK_S,
    copy_disk,
    copy_rate,
    create_disk,
    fill,
    make_clone,
    take_snapshot,
    work_on,
)
from bot.lab.xapi.rules.sr_calls import remember_disk
from bot.lab.xapi.rules.storage_chains import drop_leaf, list_children
from bot.lab.xapi.rules.storage_operations import hold_disk, hold_storage, is_written, refresh_disk
from bot.lab.xapi.rules.storage_space import add_disk, check_space, compute_initial, is_library, remove_disk, set_size
from bot.lab.xapi.values import EPOCH, NULL_REF, Date, Value, new_uuid


async def create(context: Context, fields: dict[str, Value]) -> str:
    """Makes an empty disk; it takes all of its size on LVM and next to nothing elsewhere."""
    return await create_disk(context, fields.pop("SR"), **fields)


async def destroy(context: Context, vdi: str) -> str:
    """Deletes a disk. Its snapshots stay; shared data below is freed later, by the coalescing of the repository."""
    async with hold_disk(context, vdi, "destroy"):
        await work_on(context, context.pool.database.get("VDI", vdi, "SR"), writes=80)
        if list_children(context.pool.database, vdi):
            raise driver_failure(80, "Failed to mark VDI hidden [opterr=it has children]")
        await context.pool.clock.sleep(QUICK_S)
        drop_leaf(context.pool, vdi)
    return ""


async def snapshot(context: Context, vdi: str, driver_params: dict[str, str] | None = None) -> str:
    """Keeps the state of a disk as a new read-only one in the same repository."""
    async with hold_disk(context, vdi, "snapshot"):
        return await take_snapshot(context, vdi, driver_params or {})


async def clone(context: Context, vdi: str, driver_params: dict[str, str] | None = None) -> str:
    """Makes a disk that begins with the data of another one and shares it."""
    del driver_params
    async with hold_disk(context, vdi, "clone"):
        return await make_clone(context, vdi)


async def copy(context: Context, vdi: str, storage: str, base_vdi: str = NULL_REF, into_vdi: str = NULL_REF) -> str:
    """Copies the data of a disk to a new one in a repository, or into one that exists; takes its time."""
    del base_vdi
    database = context.pool.database
    if into_vdi != NULL_REF:
        target = database.record("VDI", into_vdi)
        if target["read_only"]:
            raise ApiError("VDI_READONLY", into_vdi)
        if target["virtual_size"] < database.get("VDI", vdi, "virtual_size"):
            raise ApiError("VDI_TOO_SMALL", into_vdi, str(database.get("VDI", vdi, "virtual_size")))
        async with hold_disk(context, vdi, "copy"):
            await work_on(context, database.get("VDI", vdi, "SR"))
            await fill(context, vdi, into_vdi, copy_rate)
        return into_vdi
    if storage == NULL_REF:
        raise ApiError("HANDLE_INVALID", "SR", storage)
    async with hold_disk(context, vdi, "copy"):
        return await copy_disk(context, vdi, storage)


async def resize(context: Context, vdi: str, size: int) -> str:
    """Makes a disk larger, never smaller."""
    pool, database = context.pool, context.pool.database
    async with hold_disk(context, vdi, "resize"):
        old = database.get("VDI", vdi, "virtual_size")
        if size < old or size > LARGEST_DISK:
            detail = "shrinking not allowed" if size < old else "VDI size too large"
            raise driver_failure(79, f"VDI Invalid size [opterr={detail}]")
        storage = database.get("VDI", vdi, "SR")
        await nfs_mounts.use(context, storage, writes=110)
        check_space(
            database, storage, compute_initial(database, storage, size) - compute_initial(database, storage, old)
        )
        await pool.clock.sleep(QUICK_S)
        set_size(database, vdi, size)
    return ""


async def forget(context: Context, vdi: str) -> str:
    """Removes the record of a disk; its data stay and the next scan finds them again."""
    database = context.pool.database
    async with hold_disk(context, vdi, "forget"):
        remember_disk(context.pool, vdi)
        remove_disk(database, vdi)
    return ""


async def introduce(  # noqa: PLR0917  as on the wire
    context: Context,
    uuid: str,
    name_label: str,
    name_description: str,
    storage: str,
    kind: str,
    sharable: bool,  # noqa: FBT001
    read_only: bool,  # noqa: FBT001
    other_config: dict[str, str],
    location: str,
    xenstore_data: dict[str, str] | None = None,
    sm_config: dict[str, str] | None = None,
    managed: bool = True,  # noqa: FBT001, FBT002
    virtual_size: int = 0,
    physical_utilisation: int = 0,
    metadata_of_pool: str = NULL_REF,
    is_a_snapshot: bool = False,  # noqa: FBT001, FBT002
    snapshot_time: Date = EPOCH,
    snapshot_of: str = NULL_REF,
) -> str:
    """Makes the record of a disk whose data are in the repository already."""
    pool, database = context.pool, context.pool.database
    async with hold_storage(context, storage, "vdi_introduce"):
        found = pool.outside.disks.get(uuid)
        if found is None or found[0] != database.get("SR", storage, "uuid"):
            raise driver_failure(46, f"The VDI is not available [opterr={location or uuid}]")
        kept = {**pool.outside.disks.pop(uuid)[1]}
        used, size = kept.pop("used"), kept.pop("virtual_size")
        kept |= {
            "name_label": name_label,
            "name_description": name_description,
            "type": kind or kept["type"],
            "sharable": sharable,
            "read_only": read_only,
            "other_config": other_config,
            "xenstore_data": xenstore_data or {},
            "sm_config": sm_config or kept["sm_config"],
            "managed": managed,
            "metadata_of_pool": metadata_of_pool,
            "is_a_snapshot": is_a_snapshot,
            "snapshot_time": snapshot_time,
            "snapshot_of": snapshot_of,
        }
        vdi = add_disk(database, storage, virtual_size=virtual_size or size, used=physical_utilisation or used, **kept)
    refresh_disk(pool, vdi)
    return vdi


async def update(context: Context, vdi: str) -> str:
    """Asks the repository for the figures of a disk again."""
    async with hold_disk(context, vdi, "update"):
        await context.pool.clock.sleep(QUICK_S)
    return ""


async def set_on_boot(context: Context, vdi: str, mode: str) -> str:
    """Says whether a disk keeps what is written to it (`persist`) or begins anew at each start (`reset`)."""
    database = context.pool.database
    if is_written(database, vdi):
        raise ApiError("VDI_IN_USE", vdi, "set_on_boot")
    if is_library(database, database.get("VDI", vdi, "SR")):
        raise ApiError("SR_OPERATION_NOT_SUPPORTED", database.get("VDI", vdi, "SR"))
    database.set(
        "VDI", vdi, on_boot=mode, other_config=database.get("VDI", vdi, "other_config") | {"content_id": new_uuid()}
    )
    return ""


CALLS: Final[tuple[Call, ...]] = (
    declare("VDI.create", create),
    declare("VDI.destroy", destroy),
    declare("VDI.snapshot", snapshot),
    declare("VDI.clone", clone),
    declare("VDI.copy", copy),
    declare("VDI.resize", resize),
    declare("VDI.forget", forget),
    declare("VDI.introduce", introduce),
    declare("VDI.update", update),
    declare("VDI.set_on_boot", set_on_boot),
)
