"""The image of a sleeping guest's memory: where it goes, how large it is, how it comes and goes."""

from bot.lab.xapi.calls import Context
from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.disk_work import QUICK_S
from bot.lab.xapi.rules.nfs_mounts import stand_by
from bot.lab.xapi.rules.storage_operations import hold_disk_below, hold_storage, refresh_disk
from bot.lab.xapi.rules.storage_space import add_disk, check_space, find_free, remove_disk
from bot.lab.xapi.rules.turns import subtask
from bot.lab.xapi.values import MIB, NULL_REF
from bot.lab.xapi.world import STORED_MIB


def find_suspend_storage(pool: Pool, vm: str) -> str:
    """Returns the repository for a guest's memory: its own choice, the pool's, then the host's.

    Raises:
        ApiError: `VM_NO_SUSPEND_SR`.
    """
    database = pool.database
    host: str = database.get("VM", vm, "resident_on")
    candidates = [
        database.get("VM", vm, "suspend_SR"),
        database.get("pool", pool.ref, "suspend_image_SR"),
        database.get("host", host, "suspend_image_sr") if database.has("host", host) else NULL_REF,
    ]
    for storage in candidates:
        if database.has("SR", storage):
            found: str = storage
            return found
    raise ApiError("VM_NO_SUSPEND_SR", vm)


def compute_image_size(database: Database, vm: str) -> int:
    """Returns the bytes that an image may need: the memory, a fifth more and something for the devices."""
    record = database.record("VM", vm)
    size: int = record["memory_static_max"] * 6 // 5 // MIB * MIB + 128 * MIB
    return size


async def make_image(context: Context, vm: str) -> str:
    """Makes the disk for a guest's memory, under a task of its own, and names it in the guest.

    Raises:
        ApiError: `VM_NO_SUSPEND_SR`, `SR_SUSPEND_SPACE_INSUFFICIENT` when it does not fit, or `SR_BACKEND_FAILURE_44`
            when it has ceased to.
    """
    pool, database = context.pool, context.pool.database
    storage = find_suspend_storage(pool, vm)
    async with subtask(context, "VDI.create") as below, hold_storage(below, storage, "vdi_create"):
        size = compute_image_size(database, vm)
        if size > find_free(database, storage):
            raise ApiError("SR_SUSPEND_SPACE_INSUFFICIENT", storage)
        await stand_by(pool, storage)
        await pool.clock.sleep(QUICK_S)
        check_space(database, storage, size)  # what was free may be taken by now: the driver says so in its own words
        image = add_disk(
            database,
            storage,
            virtual_size=size,
            used=size,
            name_label="Suspend image",
            name_description="Suspend image",
            type="suspend",
        )
        database.set("VM", vm, suspend_VDI=image)
    pool.contents.plant(database.get("VDI", image, "uuid"), size, STORED_MIB)
    refresh_disk(pool, image)
    return image


async def drop_image(context: Context, image: str) -> None:
    """Deletes the disk of a guest that has woken, under a task of its own."""
    database = context.pool.database
    if not database.has("VDI", image):
        return
    async with hold_disk_below(context, "VDI.destroy", image, "destroy"):
        await stand_by(context.pool, database.get("VDI", image, "SR"))
        await context.pool.clock.sleep(QUICK_S)
        lose_image(context.pool, image)


def lose_image(pool: Pool, image: str) -> None:
    """Removes a suspend image at once, and its name from every guest that has it."""
    database = pool.database
    if not database.has("VDI", image):
        return
    for vm, record in database.items("VM"):
        if record["suspend_VDI"] == image:
            database.set("VM", vm, suspend_VDI=NULL_REF)
    remove_disk(database, image)
