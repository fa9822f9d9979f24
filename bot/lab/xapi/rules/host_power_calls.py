"""Shutting down, rebooting and waking hosts; restarting their toolstacks; forgetting hosts that are gone."""

from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.machine import Machine
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.evacuation import list_guests
from bot.lab.xapi.rules.forgetting import forget_host
from bot.lab.xapi.rules.guest_operations import refresh_allowed
from bot.lab.xapi.rules.guest_state import halt
from bot.lab.xapi.rules.host_operations import hold_host, wait_for_host
from bot.lab.xapi.rules.host_power import cut_power, give_power, set_live
from bot.lab.xapi.rules.reach import forward
from bot.lab.xapi.rules.toolstack import restart_soon

_DOWN_S: Final = 20.0
_BOOT_S: Final = 150.0


async def shutdown(context: Context, host: str) -> str:
    """Turns a disabled host off; guests that still run there die with it, and no call waits for them."""
    await _go_down(context, host, "shutdown")
    return ""


async def reboot(context: Context, host: str) -> str:
    """Turns a disabled host off and on again."""
    await _go_down(context, host, "reboot")
    return ""


async def _go_down(context: Context, host: str, operation: str) -> None:
    pool = context.pool
    if pool.database.get("host", host, "enabled"):
        raise ApiError("HOST_NOT_DISABLED")
    await forward(context, host)
    await wait_for_host(context, host, operation)
    # The mark outlives the task: until the host is down, later calls on it wait.
    hold_host(context, host, operation)
    pool.machines[host].goes_down = True
    pool.tasks.spawn(_leave(pool, pool.machines[host], context.task, returns=operation == "reboot"))


async def _leave(pool: Pool, machine: Machine, task: str, *, returns: bool) -> None:
    await pool.clock.sleep(_DOWN_S)
    is_member = pool.coordinator is not machine
    await cut_power(pool, machine)
    if is_member:
        set_live(pool, machine, live=False)  # a host that goes down in order says so
    running = pool.database.get("host", machine.ref, "current_operations")
    rest = {other: operation for other, operation in running.items() if other != task}
    pool.database.set("host", machine.ref, current_operations=rest)
    pool.released.fire()
    if returns:
        await pool.clock.sleep(_BOOT_S)
        if not machine.is_alive:
            await give_power(pool, machine)


async def power_on(context: Context, host: str) -> str:
    """Wakes a host that is down, by the way its `power_on_mode` names."""
    pool, machine = context.pool, context.pool.machines.get(host)
    record = pool.database.record("host", host)
    if pool.database.get("host_metrics", record["metrics"], "live"):
        raise ApiError("HOST_IS_LIVE", host)
    if not record["power_on_mode"]:
        raise ApiError("HOST_POWER_ON_MODE_DISABLED")
    await pool.clock.sleep(_BOOT_S)
    if machine is not None and not machine.is_alive:
        await give_power(pool, machine)
    return ""


async def restart_agent(context: Context, host: str) -> str:
    """Restarts the toolstack of a host just after the answer."""
    await forward(context, host)
    context.pool.tasks.spawn(restart_soon(context.pool, context.pool.machines[host]))
    return ""


async def shutdown_agent(context: Context) -> str:
    """Stops the toolstack that was asked; its watchdog starts it again."""
    context.pool.tasks.spawn(restart_soon(context.pool, context.machine))
    return ""


async def declare_dead(context: Context, host: str) -> str:
    """Takes an administrator's word that a host is dead: its guests are found halted."""
    pool, database = context.pool, context.pool.database
    database.record("host", host)
    machine = pool.machines.get(host)
    if machine is not None and machine.is_reachable:
        raise ApiError("HOST_IS_LIVE", host)
    if machine is not None:
        set_live(pool, machine, live=False)
    for vm in list_guests(database, host):
        halt(pool, vm)
        refresh_allowed(pool, vm)
    return ""


async def destroy(context: Context, host: str) -> str:
    """Forgets a host that is gone, with its local storage and interfaces; also one that joined only half-way."""
    pool, database = context.pool, context.pool.database
    record = database.record("host", host)
    machine = pool.machines.get(host)
    is_answering = machine is not None and machine.is_reachable
    if is_answering and database.get("host_metrics", record["metrics"], "live"):
        raise ApiError("HOST_IS_LIVE", host)
    if pool.coordinator is machine:
        raise ApiError("HOST_CANNOT_DESTROY_SELF", host)
    if list_guests(database, host):
        raise ApiError("HOST_HAS_RESIDENT_VMS", host)
    forget_host(database, host)
    return ""


CALLS: Final[tuple[Call, ...]] = (
    declare("host.shutdown", shutdown),
    declare("host.reboot", reboot),
    declare("host.power_on", power_on),
    declare("host.restart_agent", restart_agent),
    declare("host.shutdown_agent", shutdown_agent),
    declare("host.declare_dead", declare_dead),
    declare("host.destroy", destroy),
)
