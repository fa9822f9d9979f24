"""Starting and stopping guests."""

from contextlib import ExitStack
from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.announcements import announce_guest, name_host
from bot.lab.xapi.rules.boot_check import assert_can_boot
from bot.lab.xapi.rules.guest_copies import list_disks
from bot.lab.xapi.rules.guest_operations import check_operation, operate
from bot.lab.xapi.rules.guest_state import (
    attach_devices,
    attaching,
    boot_on,
    forget_agent,
    halt,
    list_refused,
    reset_state,
)
from bot.lab.xapi.rules.host_operations import occupy_host
from bot.lab.xapi.rules.memory import compute_free
from bot.lab.xapi.rules.nfs_mounts import stand_by
from bot.lab.xapi.rules.reach import forward
from bot.lab.xapi.rules.tempers import wait_for_guest
from bot.lab.xapi.values import NULL_REF

_BOOT_S: Final = 6.0
_SHUTDOWN_S: Final = 5.0
_HARD_S: Final = 0.8
_AFTERMATH_S: Final = 0.06  # the power state shows this long before the operation is off the guest
_FALLS_BACK: Final = frozenset({"VM_LACKS_FEATURE", "VM_FAILED_SHUTDOWN_ACKNOWLEDGMENT", "VM_SHUTDOWN_TIMEOUT"})


def list_possible_hosts(pool: Pool, vm: str) -> list[str]:
    """Returns the hosts that pass the boot check without CPUs, the one with most free memory first."""
    scheduled: str = pool.database.get("VM", vm, "scheduled_to_be_resident_on")
    if scheduled != NULL_REF:
        return [scheduled]
    possible = []
    for host in pool.database.refs("host"):
        try:
            assert_can_boot(pool, vm, host, with_cpu=False)
        except ApiError:
            continue
        possible.append(host)
    affinity: str = pool.database.get("VM", vm, "affinity")
    return sorted(possible, key=lambda host: (host == affinity, compute_free(pool.database, host)), reverse=True)


async def start(context: Context, vm: str, paused: bool, _force: bool) -> str:  # noqa: FBT001  as on the wire
    """Starts a guest wherever it fits; the error never says why it fits nowhere."""
    context.set_cancellable(cancellable=True)
    async with operate(context, vm, "start"):
        hosts = list_possible_hosts(context.pool, vm)
        if not hosts:
            raise ApiError("NO_HOSTS_AVAILABLE")
        await _boot(context, vm, hosts[0], paused=paused)
    announce_guest(context.pool, "VM_STARTED", vm, f"started {name_host(context.pool, hosts[0])}")
    return ""


async def start_on(context: Context, vm: str, host: str, paused: bool, _force: bool) -> str:  # noqa: FBT001  as on the wire
    """Starts a guest on a host; the error says why it cannot."""
    context.set_cancellable(cancellable=True)
    async with operate(context, vm, "start_on"):
        assert_can_boot(context.pool, vm, host)
        await _boot(context, vm, host, paused=paused)
    announce_guest(context.pool, "VM_STARTED", vm, f"started {name_host(context.pool, host)}")
    return ""


async def _boot(context: Context, vm: str, host: str, *, paused: bool) -> None:
    """Starts a guest: its devices are attached and its agent forgotten before it has a domain."""
    pool = context.pool
    with ExitStack() as reserved:
        reserved.enter_context(occupy_host(context, host, "vm_start"))
        reserved.callback(unschedule, pool, vm)
        pool.database.set("VM", vm, scheduled_to_be_resident_on=host)
        await forward(context, host)
        for vdi in list_disks(pool.database, vm).values():
            await stand_by(pool, pool.database.get("VDI", vdi, "SR"))
        if refused := list_refused(pool.database, vm):
            raise ApiError("VDI_NOT_AVAILABLE", pool.database.get("VBD", refused[0], "VDI"))
        context.set_progress(1 / 3)
        forget_agent(pool, vm)
        with attaching(pool, vm, context.task):
            attach_devices(pool, vm, attached=True)
            try:
                await work(context, _BOOT_S)
                context.set_progress(0.5)
                boot_on(pool, vm, host)
            finally:
                if pool.database.get("VM", vm, "power_state") == "Halted":
                    attach_devices(pool, vm, attached=False)
        if paused:
            pool.database.set("VM", vm, power_state="Paused")


def unschedule(pool: Pool, vm: str) -> None:
    """Takes the host off a guest that was on its way there."""
    pool.database.set("VM", vm, scheduled_to_be_resident_on=NULL_REF)


async def work(context: Context, seconds: float) -> None:
    """Takes time on the guest's host; a fault can strike in the middle."""
    pool = context.pool
    await pool.gate.enter(0.0)
    await pool.clock.sleep(seconds / 2)
    await pool.faults.strike(context.call, "during")
    await pool.gate.enter(0.5)
    await pool.clock.sleep(seconds / 2)


async def clean_shutdown(context: Context, vm: str) -> str:
    """Asks the guest to shut down and waits for it, up to 20 minutes."""
    context.set_cancellable(cancellable=True)
    async with operate(context, vm, "clean_shutdown"):
        await forward(context, context.pool.database.get("VM", vm, "resident_on"))
        await wait_for_guest(context, vm, "SHUTDOWN")
        await work(context, _SHUTDOWN_S)
        context.set_cancellable(cancellable=False)
        halt(context.pool, vm)
        await context.pool.clock.sleep(_AFTERMATH_S)
    announce_guest(context.pool, "VM_SHUTDOWN", vm, "shutdown")
    return ""


async def hard_shutdown(context: Context, vm: str) -> str:
    """Cuts the power; overtakes a clean shutdown or a migration; deletes the image of a sleeping guest."""
    async with operate(context, vm, "hard_shutdown"):
        host = context.pool.database.get("VM", vm, "resident_on")
        if host != NULL_REF:
            await forward(context, host)
        await work(context, _HARD_S)
        halt(context.pool, vm)
        await context.pool.clock.sleep(_AFTERMATH_S)
    announce_guest(context.pool, "VM_SHUTDOWN", vm, "shutdown forcibly")
    return ""


async def shutdown(context: Context, vm: str) -> str:
    """Shuts down cleanly, and hard where the guest cannot or does not."""
    if context.pool.database.get("VM", vm, "power_state") in {"Paused", "Suspended"}:
        return await hard_shutdown(context, vm)
    try:
        return await clean_shutdown(context, vm)
    except ApiError as error:
        if error.code not in _FALLS_BACK:
            raise
    return await hard_shutdown(context, vm)


async def clean_reboot(context: Context, vm: str) -> str:
    """Asks the guest to reboot; it stays on its host."""
    context.set_cancellable(cancellable=True)
    async with operate(context, vm, "clean_reboot"):
        await wait_for_guest(context, vm, "SHUTDOWN")
        await _reboot(context, vm, _SHUTDOWN_S + _BOOT_S)
    announce_guest(context.pool, "VM_REBOOTED", vm, "rebooted")
    return ""


async def hard_reboot(context: Context, vm: str) -> str:
    """Cuts the power and starts again on the same host."""
    async with operate(context, vm, "hard_reboot"):
        await _reboot(context, vm, _HARD_S + _BOOT_S)
    announce_guest(context.pool, "VM_REBOOTED", vm, "rebooted forcibly")
    return ""


async def _reboot(context: Context, vm: str, seconds: float) -> None:
    host: str = context.pool.database.get("VM", vm, "resident_on")
    await forward(context, host)
    await work(context, seconds)
    context.set_cancellable(cancellable=False)
    boot_on(context.pool, vm, host)


async def power_state_reset(context: Context, vm: str) -> str:
    """Calls a guest halted whatever is true: for guests of a host that died. Its disks may still be written to."""
    check_operation(context.pool, vm, "power_state_reset")
    async with operate(context, vm, "power_state_reset"):
        reset_state(context.pool, vm)
    return ""


CALLS: Final[tuple[Call, ...]] = (
    declare("VM.start", start),
    declare("VM.start_on", start_on),
    declare("VM.clean_shutdown", clean_shutdown),
    declare("VM.hard_shutdown", hard_shutdown),
    declare("VM.shutdown", shutdown),
    declare("VM.clean_reboot", clean_reboot),
    declare("VM.hard_reboot", hard_reboot),
    declare("VM.power_state_reset", power_state_reset),
)
