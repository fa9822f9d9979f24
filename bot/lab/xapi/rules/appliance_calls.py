"""Calls on groups of guests: appliances, that start and stop together, and schedules, that take snapshots."""

from collections.abc import Awaitable, Callable
from typing import Final

from bot.lab.xapi.calls import Call, Context, Handler, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.rules.power import clean_shutdown, hard_shutdown, shutdown, start
from bot.lab.xapi.rules.snapshots import checkpoint, snapshot

_UP: Final = frozenset({"Running", "Paused"})
_STAMP: Final = slice(0, 15)  # a date without its zone, as names of snapshots have it


def _list_guests(context: Context, appliance: str) -> list[str]:
    """Returns the guests in the order in which they start."""
    database = context.pool.database
    guests: list[str] = database.get("VM_appliance", appliance, "VMs")
    return sorted(guests, key=lambda vm: database.get("VM", vm, "order"))


async def _do_with_each(context: Context, guests: list[str], work: Callable[[str], Awaitable[str]], what: str) -> None:
    """Does something with each guest, also when it fails with another; says at the end that it did."""
    failed = False
    for vm in guests:
        try:
            await work(vm)
        except ApiError:
            failed = True
    if failed:
        raise ApiError("OPERATION_PARTIALLY_FAILED", what)
    context.set_progress(1.0)


async def start_appliance(context: Context, self: str, paused: bool) -> str:  # noqa: FBT001  as on the wire
    """Starts those guests of a group that are halted."""
    database = context.pool.database
    guests = [vm for vm in _list_guests(context, self) if database.get("VM", vm, "power_state") == "Halted"]
    await _do_with_each(context, guests, lambda vm: start(context, vm, paused, False), "VM_appliance.start")
    return ""


def _stop(work: Callable[[Context, str], Awaitable[str]], name: str) -> Handler:
    async def stop(context: Context, self: str) -> str:
        database = context.pool.database
        guests = [vm for vm in _list_guests(context, self) if database.get("VM", vm, "power_state") in _UP]
        await _do_with_each(context, list(reversed(guests)), lambda vm: work(context, vm), f"VM_appliance.{name}")
        return ""

    return stop


async def snapshot_now(context: Context, self: str) -> str:
    """Takes a snapshot of every guest of a schedule; returns the time they are named for."""
    database = context.pool.database
    record = database.record("VMSS", self)
    stamp = context.pool.clock.now()[_STAMP]
    keep = checkpoint if record["type"] == "checkpoint" else snapshot
    for vm in record["VMs"]:
        made = await keep(context, vm, f"{record['name_label']}-{stamp}")
        database.set("VM", made, is_vmss_snapshot=True)
    database.set("VMSS", self, last_run_time=context.pool.clock.now())
    return stamp


CALLS: Final[tuple[Call, ...]] = (
    declare("VM_appliance.start", start_appliance),
    declare("VM_appliance.clean_shutdown", _stop(clean_shutdown, "clean_shutdown")),
    declare("VM_appliance.hard_shutdown", _stop(hard_shutdown, "hard_shutdown")),
    declare("VM_appliance.shutdown", _stop(shutdown, "shutdown")),
    declare("VMSS.snapshot_now", snapshot_now),
)
