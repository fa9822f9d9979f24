"""`VM.migrate_send` and `VM.assert_can_migrate`: a guest moves with its disks, in its pool or to another one."""

from contextlib import ExitStack
from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.guest_copies import find_host
from bot.lab.xapi.rules.guest_operations import operate
from bot.lab.xapi.rules.host_operations import occupy_host
from bot.lab.xapi.rules.migrate_across import send_across
from bot.lab.xapi.rules.migrate_checks import assert_can_migrate, list_moving
from bot.lab.xapi.rules.migration import announce_move, arrive, stream_memory, unschedule
from bot.lab.xapi.rules.reach import forward
from bot.lab.xapi.rules.storage_chains import compute_content
from bot.lab.xapi.rules.storage_moves import Moves, add_snapshots, carry, finish, take_slot
from bot.lab.xapi.rules.storage_operations import sees
from bot.lab.xapi.rules.suspend_image import find_suspend_storage


async def assert_can_be_sent(
    context: Context,
    vm: str,
    dest: dict[str, str],
    live: bool,  # noqa: FBT001
    vdi_map: dict[str, str],
    vif_map: dict[str, str],
    options: dict[str, str],
    vgpu_map: dict[str, str] | None = None,
) -> str:
    """Raises the first reason why a guest cannot be sent."""
    del live, vgpu_map
    context.pool.database.record("VM", vm)
    assert_can_migrate(context.pool, vm, dest, vdi_map, vif_map, options)
    return ""


async def migrate_send(
    context: Context,
    vm: str,
    dest: dict[str, str],
    live: bool,  # noqa: FBT001
    vdi_map: dict[str, str],
    vif_map: dict[str, str],
    options: dict[str, str],
    vgpu_map: dict[str, str] | None = None,
    vdi_format_map: dict[str, str] | None = None,
) -> str:
    """Sends a guest: its disks one after the other, then its memory.

    Returns:
        The guest at the destination: the same reference inside a pool.
    """
    del live, vgpu_map, vdi_format_map
    pool, database = context.pool, context.pool.database
    database.record("VM", vm)
    context.set_cancellable(cancellable=True)
    async with operate(context, vm, "migrate_send", force=options.get("force") == "true"):
        there = assert_can_migrate(pool, vm, dest, vdi_map, vif_map, options, holds=True)
        source = find_host(pool, vm)
        await forward(context, source)
        with take_slot(pool, source):
            if not there.is_here:
                return await send_across(context, there, vm, source, vdi_map, vif_map, options)
            await _send_inside(context, vm, source, there.host, list_moving(database, vm, vdi_map))
    announce_move(context, vm, source, there.host)
    return vm


async def _send_inside(context: Context, vm: str, source: str, host: str, plan: dict[str, str]) -> None:
    pool, database = context.pool, context.pool.database
    await forward(context, host)
    add_snapshots(database, plan)
    _add_suspend_image(pool, vm, host, plan)
    with ExitStack() as reserved:
        if database.get("VM", vm, "power_state") == "Running":
            reserved.enter_context(occupy_host(context, host, "vm_migrate"))
            reserved.callback(unschedule, pool, vm, source, host)
            database.set("VM", vm, scheduled_to_be_resident_on=host)
        disks = sum(compute_content(database, vdi) for vdi in plan)
        share = disks / max(1, disks + database.get("VM", vm, "memory_dynamic_min"))
        async with Moves(plan) as moves:
            await carry(
                context,
                moves,
                source_host=source,
                target_host=host,
                scale=lambda done: done * share,
            )
            # It may have been shut down meanwhile, which a migration with storage does not forbid.
            if database.get("VM", vm, "power_state") == "Running":
                await stream_memory(
                    context, vm, pool.machines[source], pool.machines[host], begun=share if plan else 0.0
                )
                await arrive(context, vm, source, host)
            context.set_cancellable(cancellable=False)
            finish(pool, moves)


def _add_suspend_image(pool: Pool, vm: str, host: str, plan: dict[str, str]) -> None:
    image: str = pool.database.get("VM", vm, "suspend_VDI")
    if not pool.database.has("VDI", image) or sees(pool.database, host, pool.database.get("VDI", image, "SR")):
        return
    storage = find_suspend_storage(pool, vm)
    if not sees(pool.database, host, storage):
        raise ApiError("SUSPEND_IMAGE_NOT_ACCESSIBLE", image)
    plan[image] = storage


CALLS: Final[tuple[Call, ...]] = (
    declare("VM.assert_can_migrate", assert_can_be_sent),
    declare("VM.migrate_send", migrate_send),
)
