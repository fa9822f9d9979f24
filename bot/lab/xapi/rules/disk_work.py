"""Work on disks that takes its time: making, snapshots, clones, copies. For the calls on disks and those on guests."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

from bot.lab.xapi.calls import Context
from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import driver_failure
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules import nfs_mounts
from bot.lab.xapi.rules.progress import advance
from bot.lab.xapi.rules.reach import forward
from bot.lab.xapi.rules.storage_chains import branch, compute_content
from bot.lab.xapi.rules.storage_operations import find_worker, hold_storage, refresh_disk
from bot.lab.xapi.rules.storage_space import (
    EMPTY_DISK,
    add_disk,
    check_space,
    compute_initial,
    find_free,
    no_space,
    remove_disk,
    set_used,
)
from bot.lab.xapi.values import Value

COPY_BYTES_PER_S: Final = 100_000_000.0
LARGEST_DISK: Final = 2040 * 1024**3  # of the VHD format
QUICK_S: Final = 0.3
SNAPSHOT_S: Final = 1.0
_COPY_STEPS: Final = 20
KEPT: Final = ("name_label", "name_description", "type", "sharable", "read_only", "tags", "xenstore_data", "on_boot")


def describe_copy(database: Database, vdi: str) -> dict[str, Value]:
    """Returns the fields that a snapshot, a clone, a copy or a moved disk shares with its origin."""
    record = database.record("VDI", vdi)
    return {name: record[name] for name in KEPT} | {"other_config": {**record["other_config"]}}


async def work_on(context: Context, storage: str, *, writes: int = 0) -> None:
    """Forwards the work on a repository to the host that does it, and waits for a file server that does not answer.

    Args:
        context: Of the call.
        storage: The repository.
        writes: Code of the driver's failure where the file server takes no writes; 0 for what only reads.

    Raises:
        ApiError: `SR_HAS_NO_PBDS`, `HOST_OFFLINE`, `CANNOT_CONTACT_HOST`, or the driver's failure.
    """
    await forward(context, find_worker(context.pool, storage))
    await nfs_mounts.use(context, storage, writes=writes)


async def create_disk(context: Context, storage: str, *, virtual_size: int, **values: Value) -> str:
    """Makes an empty disk in a repository.

    Raises:
        ApiError: `SR_BACKEND_FAILURE_44` without space, `VDI_TOO_LARGE`, or the repository's refusal.
    """
    pool, database = context.pool, context.pool.database
    async with hold_storage(context, storage, "vdi_create"):
        await work_on(context, storage, writes=78)
        if virtual_size > LARGEST_DISK:
            raise driver_failure(79, "VDI Invalid size [opterr=VDI size too large]")
        used = compute_initial(database, storage, virtual_size)
        check_space(database, storage, used)
        await pool.clock.sleep(QUICK_S)
        check_space(database, storage, used)
        vdi = add_disk(database, storage, virtual_size=virtual_size, used=used, **values)
    refresh_disk(pool, vdi)
    return vdi


async def take_snapshot(context: Context, vdi: str, driver_params: dict[str, str]) -> str:
    """Makes the snapshot of a disk that the caller holds; fails as `branch` does."""
    pool, database = context.pool, context.pool.database
    await work_on(context, database.get("VDI", vdi, "SR"), writes=82)
    await pool.clock.sleep(SNAPSHOT_S)
    values = describe_copy(database, vdi)
    values["other_config"].pop("content_id", None)
    values["xenstore_data"] = values["xenstore_data"] | driver_params
    made = branch(
        pool,
        vdi,
        **values,
        is_a_snapshot=True,
        snapshot_time=pool.clock.now(),
        snapshot_of=vdi,
        cbt_enabled=database.get("VDI", vdi, "cbt_enabled"),
    )
    refresh_disk(pool, made)
    return made


async def make_clone(context: Context, vdi: str) -> str:
    """Makes the clone of a disk that the caller holds; fails as `branch` does."""
    pool = context.pool
    await work_on(context, pool.database.get("VDI", vdi, "SR"), writes=81)
    await pool.clock.sleep(SNAPSHOT_S)
    made = branch(pool, vdi, **describe_copy(pool.database, vdi))
    refresh_disk(pool, made)
    return made


async def copy_disk(context: Context, vdi: str, storage: str) -> str:
    """Copies a disk that the caller holds to a repository; what was made is gone again after a failure."""
    database = context.pool.database
    values = describe_copy(database, vdi)
    made = await create_disk(context, storage, virtual_size=database.get("VDI", vdi, "virtual_size"), **values)
    with ExitStack() as undo:
        undo.callback(discard, context, made)
        await work_on(context, database.get("VDI", vdi, "SR"))
        await fill(context, vdi, made, copy_rate)
        undo.pop_all()
    refresh_disk(context.pool, made)
    return made


def discard(context: Context, vdi: str) -> None:
    """Removes a disk that was made for nothing."""
    if context.pool.database.has("VDI", vdi):
        remove_disk(context.pool.database, vdi)


async def fill(
    context: Context,
    source: str,
    target: str,
    rate: Callable[[], float],
    *,
    scale: Callable[[float], float] = float,
    target_pool: Pool | None = None,
) -> None:
    """Carries the data of one disk to another, step by step; the target grows with it.

    Args:
        context: Of the call.
        source: The disk with the data.
        target: The disk that gets them.
        rate: Tells how many bytes a second can carry now.
        scale: Turns the share that is done into progress of the call's task.
        target_pool: The pool of the target when it is another one.

    Raises:
        ApiError: `SR_BACKEND_FAILURE_44` when the target's repository is full on the way, `VDI_IO_ERROR` when a file
            server takes no writes or has lost its directory.
    """
    pool, database = context.pool, context.pool.database
    other = target_pool or pool
    there = other.database
    total, size = compute_content(database, source), there.get("VDI", target, "virtual_size")
    origin, goal = database.get("VDI", source, "SR"), there.get("VDI", target, "SR")
    for step in range(1, _COPY_STEPS + 1):
        begun, end = scale((step - 1) / _COPY_STEPS), scale(step / _COPY_STEPS)
        slowness = max(
            await nfs_mounts.reach_data(pool, origin, writes=False),
            await nfs_mounts.reach_data(other, goal, writes=True),
        )
        await advance(context, begun, end, total / _COPY_STEPS / rate() * slowness)
        wanted = min(size, max(EMPTY_DISK, total * step // _COPY_STEPS))
        grown = wanted - there.get("VDI", target, "physical_utilisation")
        if grown > find_free(there, there.get("VDI", target, "SR")):
            raise no_space()
        if grown > 0:
            set_used(there, target, wanted)
        if step == _COPY_STEPS // 2:
            await pool.faults.strike(context.call, "during")
    pool.contents.share(database.get("VDI", source, "uuid"), there.get("VDI", target, "uuid"))


def copy_rate() -> float:
    """Returns the bytes that a copy inside a pool carries in a second."""
    return COPY_BYTES_PER_S
