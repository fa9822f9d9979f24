"""What high availability does when a host has died: its guests are halted, some of them start elsewhere."""

from functools import partial
from typing import Final

from bot.lab.xapi.calls import Context
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.machine import Machine
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.announcements import describe
from bot.lab.xapi.rules.evacuation import list_guests
from bot.lab.xapi.rules.guest_operations import refresh_allowed
from bot.lab.xapi.rules.guest_state import halt
from bot.lab.xapi.rules.ha import refresh_plan
from bot.lab.xapi.rules.power import start
from bot.lab.xapi.sessions import Account, Session
from bot.lab.xapi.tasks import Runner
from bot.lab.xapi.values import NULL_REF

_PRIORITIES: Final = ("restart", "best-effort")  # the protected first; others stay down
_HOST_FAILED: Final = 3
_RESTART_FAILED: Final = 2
_ITSELF: Final = Session(NULL_REF, Account("", "", "pool-admin"), "", 0.0)


async def restart_guests(pool: Pool, machine: Machine) -> None:
    """Restarts the guests of a host that was found dead, by priority and order; tells of those that fit nowhere."""
    database = pool.database
    guests = list_guests(database, machine.ref)
    wanted = [vm for vm in guests if database.get("VM", vm, "ha_restart_priority") in _PRIORITIES]
    pool.announce(
        "HA_HOST_FAILED",
        cls="Host",
        ref=machine.ref,
        body=f"Server {describe(pool, 'host', machine.ref)} has failed",
        priority=_HOST_FAILED,
    )
    for vm in guests:
        halt(pool, vm)
        refresh_allowed(pool, vm)
    await pool.clock.sleep(pool.restarts_held_until - pool.clock.elapsed)
    for vm in sorted(wanted, key=lambda one: _rank(pool, one)):
        if database.has("VM", vm) and database.get("VM", vm, "power_state") == "Halted":
            await _restart(pool, vm)
    refresh_plan(pool)


def _rank(pool: Pool, vm: str) -> tuple[int, int]:
    record = pool.database.record("VM", vm)
    return _PRIORITIES.index(record["ha_restart_priority"]), record["order"]


async def _restart(pool: Pool, vm: str) -> None:
    context = Context(pool, pool.coordinator, _ITSELF, "VM.start")
    context.task = pool.tasks.create("VM.start", host=pool.coordinator.ref)
    context.runner = Runner(context.task, NULL_REF, "VM.start")
    try:
        await pool.tasks.start(context.runner, partial(start, context, vm, False, False))
    except ApiError as error:
        if pool.database.has("VM", vm) and pool.database.get("VM", vm, "ha_restart_priority") == "restart":
            body = f"VM {describe(pool, 'VM', vm)} could not be restarted: {error.code}"
            pool.announce("HA_PROTECTED_VM_RESTART_FAILED", cls="VM", ref=vm, body=body, priority=_RESTART_FAILED)
    finally:
        pool.tasks.remove(context.task)
