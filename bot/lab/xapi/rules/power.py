"""Starting, stopping, suspending and resuming guests."""

from contextlib import ExitStack
from typing import Final

from bot.lab.xapi.calls import Call, Context, Handler, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.boot_check import assert_can_boot
from bot.lab.xapi.rules.guest_operations import check_operation, operate
from bot.lab.xapi.rules.guest_state import attach_devices, boot_on, halt, run_on, sleep_guest, wake_guest
from bot.lab.xapi.rules.host_operations import occupy_host
from bot.lab.xapi.rules.memory import compute_free
from bot.lab.xapi.rules.reach import reach_host
from bot.lab.xapi.values import NULL_REF

_BOOT_S: Final = 6.0
_SHUTDOWN_S: Final = 5.0
_HARD_S: Final = 0.8
_SUSPEND_BYTES_PER_S: Final = 200_000_000
_AFTERMATH_S: Final = 0.06  # the power state shows this long before the operation is off the guest


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
    return sorted(possible, key=lambda host: compute_free(pool.database, host), reverse=True)


async def start(context: Context, vm: str, paused: bool, _force: bool) -> str:  # noqa: FBT001  as on the wire
    """Starts a guest wherever it fits; the error never says why it fits nowhere."""
    async with operate(context, vm, "start"):
        hosts = list_possible_hosts(context.pool, vm)
        if not hosts:
            raise ApiError("NO_HOSTS_AVAILABLE")
        await _boot(context, vm, hosts[0], paused=paused)
    _announce(context.pool, "VM_STARTED", vm, "started")
    return ""


async def start_on(context: Context, vm: str, host: str, paused: bool, _force: bool) -> str:  # noqa: FBT001  as on the wire
    """Starts a guest on a host; the error says why it cannot."""
    async with operate(context, vm, "start_on"):
        assert_can_boot(context.pool, vm, host)
        await _boot(context, vm, host, paused=paused)
    _announce(context.pool, "VM_STARTED", vm, "started")
    return ""


async def _boot(context: Context, vm: str, host: str, *, paused: bool) -> None:
    pool = context.pool
    with ExitStack() as reserved:
        reserved.enter_context(occupy_host(context, host, "vm_start"))
        reserved.callback(_unschedule, pool, vm)
        pool.database.set("VM", vm, scheduled_to_be_resident_on=host)
        reach_host(context, host)
        context.set_progress(0.33)
        attach_devices(pool, vm, attached=True)
        try:
            await _work(context, _BOOT_S)
            boot_on(pool, vm, host)
        finally:
            if pool.database.get("VM", vm, "power_state") == "Halted":
                attach_devices(pool, vm, attached=False)
        if paused:
            pool.database.set("VM", vm, power_state="Paused")


def _unschedule(pool: Pool, vm: str) -> None:
    pool.database.set("VM", vm, scheduled_to_be_resident_on=NULL_REF)


async def _work(context: Context, seconds: float) -> None:
    """Takes time on the guest's host; a fault can strike in the middle."""
    pool = context.pool
    await pool.gate.enter(0.0)
    await pool.clock.sleep(seconds / 2)
    await pool.faults.strike(context.call, "during")
    await pool.gate.enter(0.5)
    await pool.clock.sleep(seconds / 2)


async def clean_shutdown(context: Context, vm: str) -> str:
    """Asks the guest to shut down and waits for it."""
    context.set_cancellable(cancellable=True)
    async with operate(context, vm, "clean_shutdown"):
        reach_host(context, context.pool.database.get("VM", vm, "resident_on"))
        await _work(context, _SHUTDOWN_S)
        context.set_cancellable(cancellable=False)
        halt(context.pool, vm)
        await context.pool.clock.sleep(_AFTERMATH_S)
    _announce(context.pool, "VM_SHUTDOWN", vm, "shutdown")
    return ""


async def hard_shutdown(context: Context, vm: str) -> str:
    """Cuts the power; overtakes a clean shutdown or a migration."""
    async with operate(context, vm, "hard_shutdown"):
        host = context.pool.database.get("VM", vm, "resident_on")
        if host != NULL_REF:
            reach_host(context, host)
        await _work(context, _HARD_S)
        halt(context.pool, vm)
        await context.pool.clock.sleep(_AFTERMATH_S)
    _announce(context.pool, "VM_SHUTDOWN", vm, "shutdown forcibly")
    return ""


async def shutdown(context: Context, vm: str) -> str:
    """Shuts down cleanly where the guest can, else hard."""
    try:
        check_operation(context.pool, vm, "clean_shutdown")
    except ApiError as error:
        if error.code in {"VM_LACKS_FEATURE", "VM_BAD_POWER_STATE"}:
            return await hard_shutdown(context, vm)
        if error.code != "OTHER_OPERATION_IN_PROGRESS":
            raise
    return await clean_shutdown(context, vm)


async def clean_reboot(context: Context, vm: str) -> str:
    """Asks the guest to reboot; it stays on its host."""
    context.set_cancellable(cancellable=True)
    async with operate(context, vm, "clean_reboot"):
        await _reboot(context, vm, _SHUTDOWN_S + _BOOT_S)
    _announce(context.pool, "VM_REBOOTED", vm, "rebooted")
    return ""


async def hard_reboot(context: Context, vm: str) -> str:
    """Cuts the power and starts again on the same host."""
    async with operate(context, vm, "hard_reboot"):
        await _reboot(context, vm, _HARD_S + _BOOT_S)
    _announce(context.pool, "VM_REBOOTED", vm, "rebooted forcibly")
    return ""


async def _reboot(context: Context, vm: str, seconds: float) -> None:
    host: str = context.pool.database.get("VM", vm, "resident_on")
    reach_host(context, host)
    await _work(context, seconds)
    context.set_cancellable(cancellable=False)
    boot_on(context.pool, vm, host)


async def suspend(context: Context, vm: str) -> str:
    """Writes the memory of a guest to its suspend storage and stops it there."""
    pool, database = context.pool, context.pool.database
    async with operate(context, vm, "suspend"):
        reach_host(context, database.get("VM", vm, "resident_on"))
        own: str = database.get("VM", vm, "suspend_SR")
        storage: str = own if own != NULL_REF else database.get("pool", pool.ref, "suspend_image_SR")
        if not database.has("SR", storage):
            raise ApiError("VM_NO_SUSPEND_SR", vm)
        await _work(context, 1 + database.get("VM", vm, "memory_target") / _SUSPEND_BYTES_PER_S)
        sleep_guest(pool, vm, storage)
    _announce(pool, "VM_SUSPENDED", vm, "suspended")
    return ""


async def resume(context: Context, vm: str, _paused: bool, force: bool) -> str:  # noqa: FBT001  as on the wire
    """Wakes a suspended guest wherever it fits."""
    async with operate(context, vm, "resume"):
        possible = list_possible_hosts(context.pool, vm)
        if not possible:
            raise ApiError("NO_HOSTS_AVAILABLE")
        await _wake(context, vm, possible[0], force=force)
    return ""


async def resume_on(context: Context, vm: str, host: str, _paused: bool, force: bool) -> str:  # noqa: FBT001  as on the wire
    """Wakes a suspended guest on a host."""
    async with operate(context, vm, "resume_on"):
        await _wake(context, vm, host, force=force)
    return ""


async def _wake(context: Context, vm: str, host: str, *, force: bool) -> None:
    pool = context.pool
    assert_can_boot(pool, vm, host, with_cpu=not force)
    with ExitStack() as reserved:
        reserved.enter_context(occupy_host(context, host, "vm_resume"))
        reserved.callback(_unschedule, pool, vm)
        pool.database.set("VM", vm, scheduled_to_be_resident_on=host)
        reach_host(context, host)
        await _work(context, 1 + pool.database.get("VM", vm, "memory_static_max") / _SUSPEND_BYTES_PER_S)
        wake_guest(pool, vm, host)
    _announce(pool, "VM_RESUMED", vm, "resumed")


async def pause(context: Context, vm: str) -> str:
    """Stops the CPUs of a guest."""
    async with operate(context, vm, "pause"):
        context.pool.database.set("VM", vm, power_state="Paused")
    return ""


async def unpause(context: Context, vm: str) -> str:
    """Lets the CPUs of a guest go on."""
    async with operate(context, vm, "unpause"):
        run_on(context.pool, vm, context.pool.database.get("VM", vm, "resident_on"))
    return ""


def _announce(pool: Pool, name: str, vm: str, what: str) -> None:
    record = pool.database.record("VM", vm)
    pool.announce(name, cls="VM", ref=vm, body=f"VM '{record['name_label']}' {what}")


def _declare(name: str, params: str, handler: Handler, role: str = "vm-operator") -> Call:
    return declare(f"VM.{name}", f"ref VM{params}", handler, role=role, is_long=True)


CALLS: Final[tuple[Call, ...]] = (
    _declare("start", ", bool, bool", start),
    _declare("start_on", ", ref host, bool, bool", start_on, "vm-power-admin"),
    _declare("clean_shutdown", "", clean_shutdown),
    _declare("hard_shutdown", "", hard_shutdown),
    _declare("shutdown", "", shutdown),
    _declare("clean_reboot", "", clean_reboot),
    _declare("hard_reboot", "", hard_reboot),
    _declare("suspend", "", suspend),
    _declare("resume", ", bool, bool", resume),
    _declare("resume_on", ", ref host, bool, bool", resume_on, "vm-power-admin"),
    _declare("pause", "", pause),
    _declare("unpause", "", unpause),
)
