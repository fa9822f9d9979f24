"""Guests that sleep, wake, pause and go on."""

from contextlib import ExitStack
from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.announcements import announce_guest, name_host
from bot.lab.xapi.rules.boot_check import assert_can_boot
from bot.lab.xapi.rules.guest_operations import operate, refresh_allowed
from bot.lab.xapi.rules.guest_state import attaching, run_on, sleep_guest
from bot.lab.xapi.rules.host_operations import occupy_host
from bot.lab.xapi.rules.power import list_possible_hosts, unschedule
from bot.lab.xapi.rules.reach import forward
from bot.lab.xapi.rules.storage_operations import refresh_devices
from bot.lab.xapi.rules.suspend_image import drop_image, lose_image, make_image
from bot.lab.xapi.rules.tempers import wait_for_guest
from bot.lab.xapi.values import NULL_REF

BYTES_PER_S: Final = 200_000_000
_STEPS: Final = 11
_SAVED_SHARE: Final = 11 / 17  # writing the memory; what follows is the clean-up of the domain
_QUICK_S: Final = 0.2
_PREPARING_S: Final = 0.06  # the operation shows this long before the host does


async def suspend(context: Context, vm: str) -> str:
    """Writes the memory of a guest to its suspend storage and stops it there; cancelled until the writing begins."""
    pool, database = context.pool, context.pool.database
    context.set_cancellable(cancellable=True)
    async with operate(context, vm, "suspend"):
        await forward(context, database.get("VM", vm, "resident_on"))
        image = await make_image(context, vm)
        try:
            await wait_for_guest(context, vm, "SUSPEND")
            context.set_cancellable(cancellable=False)
            await _save(context, database.get("VM", vm, "memory_target"))
            if (state := database.get("VM", vm, "power_state")) != "Running":
                raise ApiError("VM_BAD_POWER_STATE", vm, "Running", state)
            sleep_guest(pool, vm)
        finally:
            if database.get("VM", vm, "power_state") != "Suspended":
                lose_image(pool, image)
        context.set_progress(12 / 17)
        await pool.clock.sleep(_QUICK_S)
    announce_guest(pool, "VM_SUSPENDED", vm, "suspended")
    return ""


async def _save(context: Context, memory: int) -> None:
    pool = context.pool
    for step in range(1, _STEPS + 1):
        await pool.gate.enter((step - 1) / _STEPS * _SAVED_SHARE)
        await pool.clock.sleep(memory / BYTES_PER_S / _STEPS)
        context.set_progress(step / _STEPS * _SAVED_SHARE)
        if step == _STEPS // 2:
            await pool.faults.strike(context.call, "during")


async def resume(context: Context, vm: str, paused: bool, force: bool) -> str:  # noqa: FBT001  as on the wire
    """Wakes a suspended guest wherever it fits."""
    context.set_cancellable(cancellable=True)
    async with operate(context, vm, "resume"):
        possible = list_possible_hosts(context.pool, vm)
        if not possible:
            raise ApiError("NO_HOSTS_AVAILABLE")
        await _wake(context, vm, possible[0], paused=paused, force=force)
    announce_guest(context.pool, "VM_RESUMED", vm, f"resumed {name_host(context.pool, possible[0])}")
    return ""


async def resume_on(context: Context, vm: str, host: str, paused: bool, force: bool) -> str:  # noqa: FBT001  as on the wire
    """Wakes a suspended guest on a host."""
    context.set_cancellable(cancellable=True)
    async with operate(context, vm, "resume_on"):
        await _wake(context, vm, host, paused=paused, force=force)
    announce_guest(context.pool, "VM_RESUMED", vm, f"resumed {name_host(context.pool, host)}")
    return ""


async def _wake(context: Context, vm: str, host: str, *, paused: bool, force: bool) -> None:
    pool, database = context.pool, context.pool.database
    await pool.clock.sleep(_PREPARING_S)
    assert_can_boot(pool, vm, host, with_cpu=not force)
    image: str = database.get("VM", vm, "suspend_VDI")
    if not database.has("VDI", image):
        raise ApiError("VM_HAS_NO_SUSPEND_VDI", vm)
    with ExitStack() as reserved:
        reserved.enter_context(occupy_host(context, host, "vm_resume"))
        reserved.callback(unschedule, pool, vm)
        database.set("VM", vm, scheduled_to_be_resident_on=host)
        await forward(context, host)
        with attaching(pool, vm, context.task):
            context.set_cancellable(cancellable=False)
            context.set_progress(13 / 18)
            await pool.gate.enter(0.0)
            await pool.clock.sleep(_QUICK_S + database.get("VM", vm, "memory_dynamic_min") / BYTES_PER_S)
            await pool.faults.strike(context.call, "during")
            if (state := database.get("VM", vm, "power_state")) != "Suspended":
                raise ApiError("VM_BAD_POWER_STATE", vm, "Suspended", state)
            context.set_progress(15 / 18)
            run_on(pool, vm, host)
        _touch_agent(pool, vm)
        refresh_allowed(pool, vm)
        database.set("VM", vm, suspend_VDI=NULL_REF)
        await drop_image(context, image)
        if paused:
            database.set("VM", vm, power_state="Paused")
    refresh_devices(pool, vm)


def _touch_agent(pool: Pool, vm: str) -> None:
    reported: str = pool.database.get("VM", vm, "guest_metrics")
    if pool.database.has("VM_guest_metrics", reported):
        pool.database.set("VM_guest_metrics", reported, last_updated=pool.clock.now())


async def pause(context: Context, vm: str) -> str:
    """Stops the CPUs of a guest."""
    async with operate(context, vm, "pause"):
        await forward(context, context.pool.database.get("VM", vm, "resident_on"))
        context.pool.database.set("VM", vm, power_state="Paused")
        refresh_devices(context.pool, vm)
    announce_guest(context.pool, "VM_PAUSED", vm, "paused")
    return ""


async def unpause(context: Context, vm: str) -> str:
    """Lets the CPUs of a guest go on, in the domain it has."""
    async with operate(context, vm, "unpause"):
        await forward(context, context.pool.database.get("VM", vm, "resident_on"))
        context.pool.database.set("VM", vm, power_state="Running")
        refresh_devices(context.pool, vm)
    announce_guest(context.pool, "VM_UNPAUSED", vm, "unpaused")
    return ""


CALLS: Final[tuple[Call, ...]] = (
    declare("VM.suspend", suspend),
    declare("VM.resume", resume),
    declare("VM.resume_on", resume_on),
    declare("VM.pause", pause),
    declare("VM.unpause", unpause),
)
