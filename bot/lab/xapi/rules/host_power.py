"""Machines without power or network: what ends with them, when XAPI notices, how they come back."""

from typing import Final

from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.machine import Machine
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.guest_operations import refresh_allowed
from bot.lab.xapi.rules.guest_state import halt
from bot.lab.xapi.rules.ha_restart import restart_guests
from bot.lab.xapi.rules.host_operations import refresh_allowed_host
from bot.lab.xapi.rules.mounting import mount_again
from bot.lab.xapi.rules.toolstack import boot_toolstack, find_source, lose_memory

ASSUMED_DEAD_S: Final = 600.0  # a silent member is called live for ten minutes
HEARTBEAT_S: Final = 30.0
_GIVEN_UP_S: Final = 60.0


async def cut_power(pool: Pool, machine: Machine) -> None:
    """Ends a machine, with the work that it did; its guests are gone, which XAPI learns later."""
    _note_silence(pool, machine)
    machine.is_alive, machine.is_cut = False, False
    end_work_of(pool, machine)
    if pool.coordinator is machine:
        lose_memory(pool)
    pool.database.notify()
    await machine.door.close()
    pool.tasks.spawn(notice_silence(pool, machine))


async def give_power(pool: Pool, machine: Machine) -> None:
    """Brings a machine back: guests that ran there when its power was cut are halted.

    Raises:
        OSError: Another program has taken its ports meanwhile.
    """
    await machine.door.open()
    machine.is_alive, machine.goes_down = True, False
    database = pool.database
    if database.has("host", machine.ref):
        for vm in list(database.get("host", machine.ref, "resident_VMs")):
            if not database.get("VM", vm, "is_control_domain"):
                halt(pool, vm)
                refresh_allowed(pool, vm)
        set_live(pool, machine, live=True)
    database.notify()
    pool.tasks.spawn(boot_toolstack(pool, machine))
    if database.has("host", machine.ref):
        pool.tasks.spawn(mount_again(pool, machine))


async def cut_network(pool: Pool, machine: Machine) -> None:
    """Cuts a machine off: it runs on with its guests, nothing reaches it, and nobody is told."""
    _note_silence(pool, machine)
    machine.is_cut = True
    await machine.door.fall_silent()
    pool.database.notify()
    pool.tasks.spawn(_lose_contact(pool, machine))
    pool.tasks.spawn(notice_silence(pool, machine))


async def restore_network(pool: Pool, machine: Machine) -> None:
    """Connects a machine again; what it was asked meanwhile is answered now.

    Raises:
        OSError: Another program has taken its ports meanwhile.
    """
    machine.is_cut = False
    await machine.door.be_heard()
    pool.database.notify()
    pool.tasks.spawn(_beat(pool, machine))


async def _lose_contact(pool: Pool, machine: Machine) -> None:
    await pool.clock.sleep(_GIVEN_UP_S)
    if machine.is_cut:
        end_work_of(pool, machine)


async def _beat(pool: Pool, machine: Machine) -> None:
    await pool.clock.sleep(HEARTBEAT_S)
    if machine.is_reachable and pool.database.has("host", machine.ref):
        set_live(pool, machine, live=True)


def _note_silence(pool: Pool, machine: Machine) -> None:
    if machine.is_reachable:
        machine.silent_since = pool.clock.elapsed


async def notice_silence(pool: Pool, machine: Machine) -> None:
    """Lets the coordinator call a machine dead after ten minutes of silence; it never says so of itself.

    With high availability it is the time of `ha_configuration`, and guests of a dead machine are restarted.
    """
    database, since = pool.database, machine.silent_since
    settings = database.record("pool", pool.ref)
    has_ha: bool = settings["ha_enabled"]
    await pool.clock.sleep(float(settings["ha_configuration"]["timeout"]) if has_ha else ASSUMED_DEAD_S)
    # What was heard of meanwhile, and is silent again, has its time anew.
    is_silent = not machine.is_reachable and machine.silent_since == since and pool.coordinator is not machine
    if is_silent and database.has("host", machine.ref):
        is_news = database.get("host_metrics", database.get("host", machine.ref, "metrics"), "live")
        set_live(pool, machine, live=False)
        if has_ha and is_news and not machine.is_alive:
            await restart_guests(pool, machine)


def set_live(pool: Pool, machine: Machine, *, live: bool) -> None:
    """Writes what the coordinator thinks of a machine."""
    metrics = pool.database.get("host", machine.ref, "metrics")
    pool.database.set("host_metrics", metrics, live=live)
    refresh_allowed_host(pool, machine.ref)


def end_work_of(pool: Pool, machine: Machine) -> None:
    """Ends the work that a machine did or was the target of."""
    for runner in pool.tasks.list_runners():
        if machine.ref in runner.machines:
            runner.interrupt(
                ApiError("INTERNAL_ERROR", "xenopsd internal error: End_of_file")
                if machine.ref != find_source(pool, runner.task)
                else ApiError("CANNOT_CONTACT_HOST", machine.ref)
            )
