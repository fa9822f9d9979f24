"""`VM.snapshot` and `VM.checkpoint`: disk by disk, then the record; a checkpoint sends the guest to sleep meanwhile."""

from contextlib import ExitStack
from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.announcements import announce_guest
from bot.lab.xapi.rules.disk_work import discard, take_snapshot
from bot.lab.xapi.rules.guest_copies import copy_devices, copy_guest, delete_guest, find_host, make_disks
from bot.lab.xapi.rules.guest_operations import operate, refresh_allowed
from bot.lab.xapi.rules.guest_records import show
from bot.lab.xapi.rules.guest_state import run_on
from bot.lab.xapi.rules.query import print_value
from bot.lab.xapi.rules.reach import forward
from bot.lab.xapi.rules.storage_operations import hold_disk_below, refresh_devices
from bot.lab.xapi.rules.suspend_image import drop_image, lose_image, make_image
from bot.lab.xapi.values import NULL_REF

_BYTES_PER_S: Final = 200_000_000
_RESUME_S: Final = 1.0


async def snapshot(context: Context, vm: str, name: str, ignored: list[str] | None = None) -> str:
    """Keeps a guest as it is; in every power state, and while it runs."""
    context.pool.database.record("VM", vm)
    context.set_cancellable(cancellable=True)
    async with operate(context, vm, "snapshot"):
        await forward(context, find_host(context.pool, vm))
        disks = await make_disks(context, vm, "snapshot", ignored=frozenset(ignored or ()))
        context.set_cancellable(cancellable=False)
        made = _record(context, vm, name, disks)
    show(context.pool, made)
    announce_guest(context.pool, "VM_SNAPSHOTTED", vm, f"snapshotted, snapshot name: {name}")
    return made


def _record(context: Context, vm: str, name: str, disks: dict[str, str], **values: str) -> str:
    """Makes the snapshot's record: a template, halted, its parent the guest's parent so far."""
    pool, database = context.pool, context.pool.database
    record = database.record("VM", vm)
    remembered = {**record}
    made = copy_guest(
        pool,
        vm,
        name,
        is_a_template=True,
        is_a_snapshot=True,
        snapshot_of=vm,
        snapshot_time=pool.clock.now(),
        snapshot_info={
            "disk-snapshot-type": "crash_consistent",
            "power-state-at-snapshot": values.pop("state", record["power_state"]),
        },
        snapshot_metadata=print_value({key: record[key] for key in reversed(record)}),
        parent=record["parent"],
        **values,
    )
    pool.remembered[made] = remembered
    database.set("VM", vm, parent=made)
    copy_devices(pool, vm, made, disks, keeps_addresses=True)
    return made


async def checkpoint(context: Context, vm: str, name: str) -> str:
    """Keeps a guest with its memory: it sleeps for as long as that takes, on its host.

    Progress stands at 1.0 from the snapshot of the disks on, long before the end.
    """
    pool, database = context.pool, context.pool.database
    database.record("VM", vm)
    context.set_cancellable(cancellable=True)
    async with operate(context, vm, "checkpoint"):
        state: str = database.get("VM", vm, "power_state")
        await forward(context, find_host(pool, vm))
        if state == "Suspended":
            made = await _keep(context, vm, name, state)
        else:
            made = await _keep_awake(context, vm, name, state)
    show(pool, made)
    announce_guest(pool, "VM_CHECKPOINTED", vm, f"checkpointed, snapshot name: {name}")
    return made


async def _keep_awake(context: Context, vm: str, name: str, state: str) -> str:
    pool, database = context.pool, context.pool.database
    image = await make_image(context, vm)
    try:
        context.set_cancellable(cancellable=False)
        await pool.gate.enter(0.0)
        await pool.clock.sleep(database.get("VM", vm, "memory_target") / _BYTES_PER_S)
        await pool.faults.strike(context.call, "during")
        _assert_state(pool, vm, state)
        database.set("VM", vm, power_state="Suspended", last_booted_record="('struct')")
        refresh_allowed(pool, vm)
        refresh_devices(pool, vm)
        made = await _keep(context, vm, name, state)
        await pool.gate.enter(0.5)
        await pool.clock.sleep(_RESUME_S + database.get("VM", vm, "memory_target") / _BYTES_PER_S)
    except BaseException:
        _wake(pool, vm, state)
        lose_image(pool, image)
        raise
    _wake(pool, vm, state)
    database.set("VM", vm, suspend_VDI=NULL_REF)
    await drop_image(context, image)
    return made


def _assert_state(pool: Pool, vm: str, state: str) -> None:
    seen = pool.database.get("VM", vm, "power_state")
    if seen != state:  # a hard shutdown waits for nobody
        raise ApiError("VM_BAD_POWER_STATE", vm, state, seen)


def _wake(pool: Pool, vm: str, state: str) -> None:
    """Lets a guest go on where it slept, in a new domain; one that was shut down meanwhile stays down."""
    database = pool.database
    if database.has("VM", vm) and database.get("VM", vm, "power_state") == "Suspended":
        run_on(pool, vm, database.get("VM", vm, "resident_on"))
        if state == "Paused":
            database.set("VM", vm, power_state="Paused")
        refresh_allowed(pool, vm)
        refresh_devices(pool, vm)


async def _keep(context: Context, vm: str, name: str, state: str) -> str:
    """Makes the record of a checkpoint with its disks, then the copy of the memory."""
    pool, database = context.pool, context.pool.database
    disks = await make_disks(context, vm, "snapshot")
    with ExitStack() as undo:
        for made in disks.values():
            undo.callback(discard, context, made)
        context.set_progress(1.0)
        image: str = database.get("VM", vm, "suspend_VDI")
        snapshot_ref = _record(context, vm, name, disks, power_state="Suspended", state=state)
        database.set("VM", snapshot_ref, current_operations={context.task: "checkpoint"})
        undo.callback(_forget_snapshot, pool, vm, snapshot_ref)
        async with hold_disk_below(context, "Async.VDI.snapshot", image, "snapshot") as below:
            kept = await take_snapshot(below, image, {})
            await pool.clock.sleep(database.get("VM", vm, "memory_target") / _BYTES_PER_S)
        database.set("VM", snapshot_ref, suspend_VDI=kept, current_operations={})
        undo.pop_all()
    refresh_allowed(pool, snapshot_ref)
    return snapshot_ref


def _forget_snapshot(pool: Pool, vm: str, made: str) -> None:
    if pool.database.has("VM", made):
        parent = pool.database.get("VM", made, "parent")
        delete_guest(pool, made)
        pool.database.set("VM", vm, parent=parent)


CALLS: Final[tuple[Call, ...]] = (
    declare("VM.snapshot", snapshot),
    declare("VM.checkpoint", checkpoint),
)
