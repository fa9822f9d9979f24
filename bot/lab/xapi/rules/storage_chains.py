"""Snapshots and clones inside a repository: leaves on hidden base copies, and the slow coalescing afterwards.

A snapshot leaves the data in a new hidden disk (`managed` false); the disk itself and its snapshot become leaves on
it, named by `vhd-parent` in their `sm_config`. When a leaf is gone, the repository's own garbage collection merges
what has one child only: later, slowly, and with some free space needed for it.
"""

from collections.abc import Iterator
from typing import Final

from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import ApiError, driver_failure
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.nfs_mounts import find_export, stand_by
from bot.lab.xapi.rules.storage_space import (
    EMPTY_DISK,
    add_disk,
    check_space,
    compute_initial,
    find_free,
    remove_disk,
    set_used,
    write_data,
)
from bot.lab.xapi.values import Value

LONGEST_CHAIN: Final = 30
COALESCE_DELAY_S: Final = 60.0
COALESCE_BYTES_PER_S: Final = 50_000_000
_PARENT: Final = "vhd-parent"
_WRITTEN_MEANWHILE: Final = 24 * 1024**2  # what a running guest has written to the new leaf a moment later


def list_chain(database: Database, vdi: str) -> list[str]:
    """Returns a disk and the hidden disks below it, the deepest last."""
    chain, current = [vdi], vdi
    while (parent := find_parent(database, current)) is not None:
        chain.append(parent)
        current = parent
    return chain


def find_parent(database: Database, vdi: str) -> str | None:
    """Returns the hidden disk right below a disk."""
    record = database.record("VDI", vdi)
    uuid = record["sm_config"].get(_PARENT)
    if uuid is None:
        return None
    try:
        return database.find_by_uuid("VDI", uuid)
    except ApiError:  # a forgotten disk: its file is there, its record is not
        return None


def list_children(database: Database, vdi: str) -> list[str]:
    """Returns the disks right above a hidden disk."""
    record = database.record("VDI", vdi)
    return [
        other
        for other in database.get("SR", record["SR"], "VDIs")
        if database.get("VDI", other, "sm_config").get(_PARENT) == record["uuid"]
    ]


def compute_content(database: Database, vdi: str) -> int:
    """Returns how many bytes of data a disk shows: what a full copy has to carry."""
    total = sum(database.get("VDI", one, "physical_utilisation") for one in list_chain(database, vdi))
    content: int = min(database.get("VDI", vdi, "virtual_size"), total)
    return content


def branch(pool: Pool, vdi: str, **values: Value) -> str:
    """Makes a snapshot or a clone of a disk in its own repository; returns it.

    Args:
        pool: The pool of the disk.
        vdi: The disk.
        values: Fields of the new disk.

    Raises:
        ApiError: `SR_BACKEND_FAILURE_44` without space, `SR_BACKEND_FAILURE_109` for a chain of more than 30.
    """
    database = pool.database
    record = database.record("VDI", vdi)
    storage, size, used = record["SR"], record["virtual_size"], record["physical_utilisation"]
    sm_config: dict[str, str] = record["sm_config"]
    below = sm_config.get(_PARENT)
    new = min(size, EMPTY_DISK) if values.get("is_a_snapshot") else compute_initial(database, storage, size)
    if below is None or used > EMPTY_DISK:
        if len(list_chain(database, vdi)) >= LONGEST_CHAIN:
            raise driver_failure(109, "The snapshot chain is too long")
        leaf = compute_initial(database, storage, size)
        check_space(database, storage, leaf + new)
        base = add_disk(
            database,
            storage,
            virtual_size=size,
            used=used,
            name_label="base copy",
            managed=False,
            read_only=True,
            sm_config={"vdi_type": "vhd"} | ({_PARENT: below} if below else {}),
        )
        below = database.get("VDI", base, "uuid")
        database.set("VDI", vdi, sm_config={**sm_config, _PARENT: below})
        set_used(database, vdi, leaf)
    else:  # a disk without data of its own needs no base copy
        check_space(database, storage, new)
    made = add_disk(
        database,
        storage,
        virtual_size=size,
        used=new,
        sm_config={"vdi_type": "vhd", _PARENT: below},
        **values,
    )
    pool.contents.share(record["uuid"], database.get("VDI", made, "uuid"))
    if any(database.get("VBD", vbd, "currently_attached") for vbd in record["VBDs"]):
        write_data(database, vdi, _WRITTEN_MEANWHILE)
    return made


def drop_leaf(pool: Pool, vdi: str) -> None:
    """Deletes a disk; what lies below it alone is merged or freed later."""
    storage: str = pool.database.get("VDI", vdi, "SR")
    has_parent = find_parent(pool.database, vdi) is not None
    pool.contents.drop(pool.database.get("VDI", vdi, "uuid"))
    if find_export(pool, storage) is not None:
        pool.outside.deleted.add(pool.database.get("VDI", vdi, "uuid"))
    remove_disk(pool.database, vdi)
    if has_parent:
        schedule_coalescing(pool, storage)


def schedule_coalescing(pool: Pool, storage: str) -> None:
    """Starts the garbage collection of a repository, once."""
    if storage not in pool.coalescing:
        pool.coalescing.add(storage)
        pool.tasks.spawn(_coalesce(pool, storage))


async def _coalesce(pool: Pool, storage: str) -> None:
    try:
        await pool.clock.sleep(COALESCE_DELAY_S)
        while (node := next(_find_needless(pool.database, storage), None)) is not None:
            await stand_by(pool, storage)
            await pool.gate.enter(0.0)
            if not await _merge(pool, storage, node):
                return
    finally:
        pool.coalescing.discard(storage)


def _find_needless(database: Database, storage: str) -> Iterator[str]:
    if not database.has("SR", storage):
        return
    uuids: dict[str, int] = {}
    for vdi in database.get("SR", storage, "VDIs"):
        below = database.get("VDI", vdi, "sm_config").get(_PARENT)
        if below:
            uuids[below] = uuids.get(below, 0) + 1
    for vdi in database.get("SR", storage, "VDIs"):
        record = database.record("VDI", vdi)
        if not record["managed"] and uuids.get(record["uuid"], 0) <= 1:
            yield vdi


async def _merge(pool: Pool, storage: str, node: str) -> bool:
    """Merges a hidden disk with its only child, or frees one without; returns False without space to work."""
    database = pool.database
    children = list_children(database, node)
    if not children:
        await pool.clock.sleep(1.0)
        if database.has("VDI", node) and not list_children(database, node):
            remove_disk(database, node)
        return True
    child = children[0]
    moved = min(database.get("VDI", one, "physical_utilisation") for one in (node, child))
    if moved > find_free(database, storage):
        uuid = database.get("SR", storage, "uuid")
        body = f"SR {uuid} has insufficient space to coalesce"
        pool.announce("SM_GC_NO_SPACE", cls="SR", ref=storage, body=body, priority=3)
        return False
    await pool.clock.sleep(moved / COALESCE_BYTES_PER_S)
    # Somebody may have made a snapshot or deleted the disk meanwhile: then the next look decides anew.
    if database.has("VDI", node) and list_children(database, node) == [child]:
        _join(database, node, child)
    return True


def _join(database: Database, node: str, child: str) -> None:
    below = database.record("VDI", node)
    above = database.record("VDI", child)
    sizes = (below["physical_utilisation"], above["physical_utilisation"])
    # What the child has overwritten is in both: half of the smaller one is taken for it.
    used = min(above["virtual_size"], max(sizes) + min(sizes) // 2)
    sm_config = {key: value for key, value in above["sm_config"].items() if key != _PARENT}
    if _PARENT in below["sm_config"]:
        sm_config[_PARENT] = below["sm_config"][_PARENT]
    remove_disk(database, node)
    database.set("VDI", child, sm_config=sm_config)
    set_used(database, child, used)
