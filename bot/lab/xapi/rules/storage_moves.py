"""Disks that move to another repository while their guest runs: `VDI.pool_migrate`, and half of `VM.migrate_send`.

A moved disk is a new object with a new UUID. The data are read from a snapshot at the source and mirrored until the
end; only then the guest is switched to the new disk and the old one goes. Nothing of it stays after a failure but
what the source's repository has to coalesce.
"""

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Self

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import ApiError, driver_failure
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.disk_work import COPY_BYTES_PER_S, create_disk, describe_copy, fill, take_snapshot
from bot.lab.xapi.rules.guest_copies import find_host
from bot.lab.xapi.rules.guest_operations import operate
from bot.lab.xapi.rules.licence import assert_licensed
from bot.lab.xapi.rules.reach import forward
from bot.lab.xapi.rules.storage_chains import compute_content, drop_leaf
from bot.lab.xapi.rules.storage_operations import hold_disk, hold_storage, is_written, refresh_disk, sees
from bot.lab.xapi.rules.storage_space import is_library
from bot.lab.xapi.rules.turns import subtask
from bot.lab.xapi.values import NULL_REF

MOVES_PER_HOST: Final = 3
_IMMOVABLE: Final = frozenset({"cbt_metadata", "ha_statefile", "redo_log", "metadata", "rrd", "pvs_cache"})


@dataclass
class Moves:
    """Disks on their way.

    Attributes:
        plan: The target repository of each disk.
        made: The new disks by the old ones.
        held: Lets go of the disks, at the end whatever it is.
        undo: Removes what was made, unless `finish` was reached.
    """

    plan: dict[str, str]
    made: dict[str, str] = field(default_factory=dict)
    held: AsyncExitStack = field(default_factory=AsyncExitStack)
    undo: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.undo.aclose()
        await self.held.aclose()


@contextmanager
def take_slot(pool: Pool, host: str) -> Iterator[None]:
    """Counts a storage migration on its host.

    Raises:
        ApiError: `TOO_MANY_STORAGE_MIGRATES` for the fourth at a time.
    """
    if pool.storage_moves[host] >= MOVES_PER_HOST:
        raise ApiError("TOO_MANY_STORAGE_MIGRATES", str(MOVES_PER_HOST))
    pool.storage_moves[host] += 1
    try:
        yield
    finally:
        pool.storage_moves[host] -= 1


def check_support(database: Database, vdi: str, storage: str) -> None:
    """Refuses repositories that cannot take part in a storage migration.

    Raises:
        ApiError: `SR_DOES_NOT_SUPPORT_MIGRATION [sr, features]`.
    """
    for one, missing in ((database.get("VDI", vdi, "SR"), "VDI_SNAPSHOT;VDI_MIRROR"), (storage, "VDI_MIRROR")):
        if is_library(database, one):
            raise ApiError("SR_DOES_NOT_SUPPORT_MIGRATION", one, missing)


def check_disk_movable(database: Database, vdi: str) -> None:
    """Refuses disks that cannot be mirrored.

    Raises:
        ApiError: `VDI_CBT_ENABLED`, `VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION` or `VDI_INCOMPATIBLE_TYPE`.
    """
    record = database.record("VDI", vdi)
    if record["cbt_enabled"]:
        raise ApiError("VDI_CBT_ENABLED", vdi)
    if record["on_boot"] == "reset":
        raise ApiError("VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION", vdi)
    if record["type"] in _IMMOVABLE:
        raise ApiError("VDI_INCOMPATIBLE_TYPE", vdi, record["type"])


def add_snapshots(database: Database, plan: dict[str, str]) -> None:
    """Adds the snapshots of the disks that move: they follow their origin."""
    for vdi, storage in list(plan.items()):
        snapshots = sorted(database.get("VDI", vdi, "snapshots"), key=lambda ref: _age(database, ref))
        for snapshot in snapshots:
            plan.setdefault(snapshot, storage)


def _age(database: Database, vdi: str) -> str:
    when: str = database.get("VDI", vdi, "snapshot_time")
    return when


async def carry(
    context: Context, moves: Moves, *, source_host: str, target_host: str, scale: Callable[[float], float] = float
) -> None:
    """Copies the disks of a plan, one after the other; all stay mirrored until `finish`.

    Args:
        context: Of the call.
        moves: What moves where.
        source_host: The host that reads; its bandwidth is shared by all its storage migrations.
        target_host: The host that writes, which must see the target repositories.
        scale: Turns the share of all bytes that are done into progress of the call's task.
    """
    pool, database = context.pool, context.pool.database
    sizes = {vdi: compute_content(database, vdi) for vdi in moves.plan}
    total, done = max(1, sum(sizes.values())), 0

    for vdi, storage in moves.plan.items():
        if not sees(database, target_host, storage):
            raise ApiError("SR_NOT_ATTACHED", storage)
        source = vdi
        await moves.held.enter_async_context(hold_disk(context, vdi, "mirror"))
        if is_written(database, vdi):
            source = await _freeze(context, moves, vdi)
        values = describe_copy(database, vdi)
        for name in ("is_a_snapshot", "snapshot_time"):
            values[name] = database.get("VDI", vdi, name)
        origin = database.get("VDI", vdi, "snapshot_of")
        values["snapshot_of"] = moves.made.get(origin, origin)
        size = database.get("VDI", vdi, "virtual_size")
        async with subtask(context, "VDI.create") as below:
            made = await create_disk(below, storage, virtual_size=size, **values)
        moves.made[vdi] = made
        moves.undo.callback(_discard, pool, made)
        begun = done

        def place(share: float, begun: int = begun, vdi: str = vdi) -> float:
            return scale((begun + share * sizes[vdi]) / total)

        await fill(
            context, source, made, partial(find_rate, pool, source_host, (database, target_host, storage)), scale=place
        )
        done += sizes[vdi]


def find_rate(pool: Pool, source_host: str, target: tuple[Database, str, str]) -> float:
    """Returns the bytes that a storage migration carries in a second now: all of a host share its bandwidth.

    Args:
        pool: The pool of the host that reads.
        source_host: The host that reads.
        target: The records of the host that writes, this host, and the repository there.

    Raises:
        ApiError: `SR_BACKEND_FAILURE_47` when the target repository is not plugged any more.
    """
    if not sees(*target):
        raise driver_failure(47, "The SR is not available")
    return COPY_BYTES_PER_S / max(1, pool.storage_moves[source_host])


async def _freeze(context: Context, moves: Moves, vdi: str) -> str:
    """Takes the snapshot that is copied while the guest goes on writing; it goes at the end."""
    storage: str = context.pool.database.get("VDI", vdi, "SR")
    async with subtask(context, "VDI.snapshot") as below, hold_storage(below, storage, "vdi_snapshot"):
        frozen = await take_snapshot(below, vdi, {})
    context.pool.database.set("VDI", frozen, name_label="", snapshot_of=NULL_REF)
    moves.held.callback(_discard, context.pool, frozen)
    return frozen


def _discard(pool: Pool, vdi: str) -> None:
    if pool.database.has("VDI", vdi):
        drop_leaf(pool, vdi)


def finish(pool: Pool, moves: Moves) -> None:
    """Switches everything to the new disks and deletes the old ones."""
    database = pool.database
    moves.undo.pop_all()
    for old, made in moves.made.items():
        for vbd in list(database.get("VDI", old, "VBDs")):
            database.set("VBD", vbd, VDI=made)
        for snapshot in list(database.get("VDI", old, "snapshots")):
            if snapshot not in moves.made:
                database.set("VDI", snapshot, snapshot_of=made)
        for vm, record in database.items("VM"):
            if record["suspend_VDI"] == old:
                database.set("VM", vm, suspend_VDI=made)
        drop_leaf(pool, old)
        refresh_disk(pool, made)


async def pool_migrate(context: Context, vdi: str, storage: str, options: dict[str, str]) -> str:
    """Moves one disk of a guest to another repository of the pool; returns the new disk."""
    pool, database = context.pool, context.pool.database
    record = database.record("VDI", vdi)
    database.record("SR", storage)
    if not record["VBDs"]:
        raise ApiError("VDI_NEEDS_VM_FOR_MIGRATE", vdi)
    used = [vbd for vbd in record["VBDs"] if database.get("VBD", vbd, "currently_attached")] or record["VBDs"]
    vm: str = database.get("VBD", used[0], "VM")
    context.set_cancellable(cancellable=True)
    async with operate(context, vm, "migrate_send", force=options.get("force") == "true"):
        assert_licensed(pool, "Storage_motion")
        check_support(database, vdi, storage)
        check_disk_movable(database, vdi)
        host = find_host(pool, vm)
        await forward(context, host)
        plan = {vdi: storage}
        add_snapshots(database, plan)
        with take_slot(pool, host):
            async with Moves(plan) as moves:
                await carry(context, moves, source_host=host, target_host=host)
                context.set_cancellable(cancellable=False)
                finish(pool, moves)
                made = moves.made[vdi]
    return made


CALLS: Final[tuple[Call, ...]] = (declare("VDI.pool_migrate", pool_migrate),)
