"""Which operation may begin on a disk, a repository or a device; who holds it; what `allowed_operations` shows."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from bot.lab.xapi.calls import Context
from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.storage_space import is_library
from bot.lab.xapi.rules.turns import check_free, leave, mark, subtask, wait_for_turn
from bot.lab.xapi.values import NULL_REF, Value

_DISK_OPERATIONS: Final = ("copy", "clone", "forget", "update", "resize", "snapshot", "destroy")
_WHILE_ATTACHED: Final = frozenset({"clone", "snapshot", "mirror", "enable_cbt", "disable_cbt"})
_TOGETHER: Final = frozenset({"clone", "copy"})
_PLUGGED_ONLY: Final = (
    "update",
    "vdi_resize",
    "vdi_clone",
    "scan",
    "vdi_snapshot",
    "vdi_create",
    "vdi_destroy",
    "vdi_introduce",
)
_NEVER_IN_A_LIBRARY: Final = frozenset(
    {
        "vdi_resize",
        "vdi_clone",
        "vdi_snapshot",
        "vdi_create",
        "vdi_destroy",
        "copy",
        "clone",
        "resize",
        "snapshot",
        "destroy",
    }
)
# The operation that a repository shows while one of its disks has one.
_ON_STORAGE: Final[Mapping[str, str]] = {
    "snapshot": "vdi_snapshot",
    "clone": "vdi_clone",
    "destroy": "vdi_destroy",
    "resize": "vdi_resize",
}


def check_storage(pool: Pool, storage: str, operation: str) -> None:
    """Raises the first reason why an operation cannot begin on a repository now.

    Raises:
        ApiError: With `OTHER_OPERATION_IN_PROGRESS` the caller may wait for its turn; all others are final.
    """
    database = pool.database
    record = database.record("SR", storage)
    check_free(record["current_operations"], "SR", storage, lambda _other: False)
    if operation in _NEVER_IN_A_LIBRARY and is_library(database, storage):
        raise ApiError("SR_OPERATION_NOT_SUPPORTED", storage)
    is_plugged = any(database.get("PBD", pbd, "currently_attached") for pbd in record["PBDs"])
    if operation in _PLUGGED_ONLY and not is_plugged:
        raise ApiError("SR_HAS_NO_PBDS", storage)
    if operation in {"destroy", "forget"}:
        if is_plugged:
            raise ApiError("SR_HAS_PBD", storage)
        if operation == "destroy" and "indestructible" in record["other_config"]:
            raise ApiError("SR_INDESTRUCTIBLE", storage)


def check_disk(pool: Pool, vdi: str, operation: str) -> None:
    """Raises the first reason why an operation cannot begin on a disk now; fails as `check_storage` does."""
    database = pool.database
    record = database.record("VDI", vdi)
    check_free(
        record["current_operations"],
        "VDI",
        vdi,
        lambda other: {operation, other} <= _TOGETHER or (other == "mirror" and operation == "snapshot"),
    )
    storage = record["SR"]
    if all(not database.get("PBD", pbd, "currently_attached") for pbd in database.get("SR", storage, "PBDs")):
        raise ApiError("SR_HAS_NO_PBDS", storage)
    if operation in _NEVER_IN_A_LIBRARY and operation != "copy" and is_library(database, storage):
        raise ApiError("SR_OPERATION_NOT_SUPPORTED", storage)
    if operation not in _WHILE_ATTACHED and (is_written(database, vdi) or pool.streamed[vdi] > 0):
        raise ApiError("VDI_IN_USE", vdi, operation)
    if not record["managed"]:
        raise ApiError("VDI_NOT_MANAGED", vdi)
    if operation == "snapshot" and record["sharable"]:
        raise ApiError("VDI_IS_SHARABLE", vdi)


def is_written(database: Database, vdi: str) -> bool:
    """Tells whether a disk is plugged into something that runs; a sleeping guest counts as well."""
    return any(database.get("VBD", vbd, "currently_attached") for vbd in database.get("VDI", vdi, "VBDs"))


@asynccontextmanager
async def hold_storage(context: Context, storage: str, operation: str) -> AsyncIterator[None]:
    """Holds a repository for an operation; waits in silence for its turn; fails as `check_storage` does."""
    pool = context.pool
    await wait_for_turn(context, lambda: check_storage(pool, storage, operation))
    mark(pool, "SR", storage, context.task, operation)
    refresh_storage(pool, storage)
    try:
        yield
    finally:
        leave(pool, "SR", storage, context.task)
        refresh_storage(pool, storage)


@asynccontextmanager
async def hold_disk(context: Context, vdi: str, operation: str) -> AsyncIterator[None]:
    """Holds a disk, and its repository where a real server does, for an operation; fails as `check_disk` does."""
    pool = context.pool
    storage: str = pool.database.get("VDI", vdi, "SR")
    on_storage = _ON_STORAGE.get(operation)

    def check() -> None:
        check_disk(pool, vdi, operation)
        if on_storage is not None:
            check_storage(pool, storage, on_storage)

    await wait_for_turn(context, check)
    mark(pool, "VDI", vdi, context.task, operation)
    if on_storage is not None:
        mark(pool, "SR", storage, context.task, on_storage)
        refresh_storage(pool, storage)
    refresh_disk(pool, vdi)
    try:
        yield
    finally:
        if on_storage is not None:
            leave(pool, "SR", storage, context.task)
            refresh_storage(pool, storage)
        leave(pool, "VDI", vdi, context.task)
        refresh_disk(pool, vdi)


@asynccontextmanager
async def hold_disk_below(context: Context, label: str, vdi: str, operation: str) -> AsyncIterator[Context]:
    """Holds a disk under a task of its own below the call's, as XAPI does for each disk of a guest."""
    async with subtask(context, label) as below, hold_disk(below, vdi, operation):
        yield below


def refresh_storage(pool: Pool, storage: str) -> None:
    """Computes `allowed_operations` of a repository again."""
    if not pool.database.has("SR", storage):
        return
    allowed = []
    if not pool.database.get("SR", storage, "current_operations"):
        allowed = ["unplug", "plug", "pbd_create", "pbd_destroy"]
        for operation in (*_PLUGGED_ONLY, "destroy", "forget"):
            try:
                check_storage(pool, storage, operation)
            except ApiError:
                continue
            allowed.append(operation)
    pool.database.set("SR", storage, allowed_operations=allowed)


def refresh_disk(pool: Pool, vdi: str) -> None:
    """Computes `allowed_operations` of a disk again."""
    if not pool.database.has("VDI", vdi):
        return
    allowed = []
    for operation in _DISK_OPERATIONS:
        try:
            check_disk(pool, vdi, operation)
        except ApiError:
            continue
        allowed.append(operation)
    pool.database.set("VDI", vdi, allowed_operations=allowed)


def refresh_devices(pool: Pool, vm: str) -> None:
    """Computes `allowed_operations` of the disks, drives and interfaces of a guest again."""
    record = pool.database.record("VM", vm)
    for vbd in record["VBDs"]:
        refresh_vbd(pool, vbd)
        refresh_disk(pool, pool.database.get("VBD", vbd, "VDI"))
    for vif in record["VIFs"]:
        refresh_vif(pool, vif)


def refresh_vbd(pool: Pool, vbd: str) -> None:
    """Computes `allowed_operations` of a disk or drive of a guest again."""
    device = pool.database.record("VBD", vbd)
    guest = pool.database.record("VM", device["VM"])
    pool.database.set("VBD", vbd, allowed_operations=_list_for_vbd(guest, device))


def refresh_vif(pool: Pool, vif: str) -> None:
    """Computes `allowed_operations` of an interface of a guest again."""
    interface = pool.database.record("VIF", vif)
    guest = pool.database.record("VM", interface["VM"])
    pool.database.set("VIF", vif, allowed_operations=_list_for_vif(guest, interface))


def _list_for_vbd(guest: dict[str, Value], device: dict[str, Value]) -> list[str]:
    if device["current_operations"]:
        return []
    allowed = ["attach"]
    if guest["power_state"] != "Running" or guest["is_control_domain"]:
        return allowed
    allowed += ["pause", "unpause"]
    if device["type"] == "CD":
        allowed.append("insert" if device["empty"] else "eject")
    elif device["currently_attached"]:
        allowed += ["unplug", "unplug_force"] if device["unpluggable"] else []
    else:
        allowed.append("plug")
    return allowed


def _list_for_vif(guest: dict[str, Value], interface: dict[str, Value]) -> list[str]:
    if interface["current_operations"]:
        return []
    if guest["power_state"] != "Running":
        return ["attach"]
    return ["attach", "unplug" if interface["currently_attached"] else "plug"]


def find_worker(pool: Pool, storage: str) -> str:
    """Returns the host that does the work on a repository: of a shared one the coordinator, which must be plugged.

    Raises:
        ApiError: `SR_HAS_NO_PBDS` when it is plugged nowhere, or a shared one not into the coordinator.
    """
    database = pool.database
    hosts: list[str] = [
        database.get("PBD", pbd, "host")
        for pbd in database.get("SR", storage, "PBDs")
        if database.get("PBD", pbd, "currently_attached") and database.has("host", database.get("PBD", pbd, "host"))
    ]
    if pool.coordinator.ref in hosts:
        return pool.coordinator.ref
    alive = [host for host in hosts if pool.machines[host].is_alive]
    if not hosts or database.get("SR", storage, "shared"):
        raise ApiError("SR_HAS_NO_PBDS", storage)
    return (alive or hosts)[0]


def sees(database: Database, host: str, storage: str) -> bool:
    """Tells whether a repository is plugged into a host."""
    return any(
        database.get("PBD", pbd, "SR") == storage and database.get("PBD", pbd, "currently_attached")
        for pbd in database.get("host", host, "PBDs")
    )


def drop_reference(database: Database, storage: str) -> None:
    """Takes a repository that is gone out of the fields that name it."""
    for ref, record in database.items("pool"):
        for name in ("default_SR", "suspend_image_SR", "crash_dump_SR"):
            if record[name] == storage:
                database.set("pool", ref, **{name: NULL_REF})
