"""The toolstacks of a pool: what a restart loses, who is the coordinator, what a member does without one."""

import random
from typing import Final

from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.machine import Machine, Toolstack
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.guest_operations import refresh_allowed
from bot.lab.xapi.rules.host_operations import refresh_allowed_host
from bot.lab.xapi.rules.storage_operations import refresh_disk, refresh_storage, refresh_vbd, refresh_vif
from bot.lab.xapi.values import NULL_REF

_DOWN_S: Final = 1.0
_BOOTING_S: Final = 1.0
# The classes whose objects show operations of tasks, and what computes the allowed ones again.
_HELD: Final = (
    ("VM", refresh_allowed),
    ("host", refresh_allowed_host),
    ("SR", refresh_storage),
    ("VDI", refresh_disk),
    ("VBD", refresh_vbd),
    ("VIF", refresh_vif),
)
_FUSE_S: Final = 0.5  # between the answer to a call that restarts a toolstack and the restart
_GIVEN_UP_S: Final = 10.0
_RETRY_S: Final = (60.0, 180.0)


def restart_toolstack(pool: Pool, machine: Machine) -> None:
    """Restarts a toolstack: its connections end, and what lives in its memory only is lost."""
    if pool.coordinator is machine:
        lose_memory(pool)
    else:
        lose_work_of(pool, machine)
    machine.door.cut_connections()
    if machine.is_alive:
        machine.toolstack = Toolstack.DOWN
        pool.tasks.spawn(boot_toolstack(pool, machine))


async def restart_soon(pool: Pool, machine: Machine) -> None:
    """Restarts a toolstack after the call that wanted it was answered."""
    await pool.clock.sleep(_FUSE_S)
    restart_toolstack(pool, machine)


async def boot_toolstack(pool: Pool, machine: Machine) -> None:
    """Takes the toolstack of a machine from refusing connections through "still booting" to serving."""
    machine.toolstack = Toolstack.DOWN
    pool.database.notify()
    await pool.clock.sleep(_DOWN_S)
    machine.toolstack = Toolstack.BOOTING
    pool.database.notify()
    await pool.clock.sleep(_BOOTING_S)
    machine.local_sessions.clear()
    machine.emergency = find_emergency(pool, machine)
    machine.toolstack = Toolstack.UP
    is_known = pool.database.has("host", machine.ref)
    if is_known and not machine.emergency:
        pool.database.set("host_metrics", pool.database.get("host", machine.ref, "metrics"), live=True)
    if machine.enables_itself and is_known and not machine.emergency and not find_bar(pool, machine):
        pool.database.set("host", machine.ref, enabled=True)
    refresh_allowed_host(pool, machine.ref)
    pool.database.notify()


def find_bar(pool: Pool, machine: Machine) -> str:
    """Returns why a disabled host cannot be enabled, as an error code; nothing when it can."""
    if machine.goes_down:
        return "HOST_DISABLED_UNTIL_REBOOT"
    if not pool.database.get("pool", pool.ref, "ha_enabled"):
        return ""
    # A guest that is restarted must find its disks on every enabled host.
    plugs = [pool.database.record("PBD", pbd) for pbd in pool.database.get("host", machine.ref, "PBDs")]
    missing = [
        plug for plug in plugs if not plug["currently_attached"] and pool.database.get("SR", plug["SR"], "shared")
    ]
    return "HOST_DISABLED_INDEFINITELY" if missing else ""


def lose_memory(pool: Pool) -> None:
    """Ends what lives in the coordinator's memory only: sessions, tasks, the marks of operations on objects."""
    pool.sessions.close_all()
    pool.tasks.lose_all()
    for class_name, refresh in _HELD:
        for ref, record in list(pool.database.items(class_name)):
            if record["current_operations"]:
                pool.database.set(class_name, ref, current_operations={})
                refresh(pool, ref)
    pool.released.fire()


def lose_work_of(pool: Pool, machine: Machine) -> None:
    """Ends what a member's toolstack did: its tasks vanish; what the domain managers do goes on unseen."""
    for runner in pool.tasks.list_runners():
        if runner.machines != {machine.ref} and find_source(pool, runner.task) != machine.ref:
            continue
        if not runner.detached:
            runner.interrupt(ApiError("INTERNAL_ERROR", "the toolstack restarts"))
        pool.tasks.remove(runner.task)
        for class_name, refresh in _HELD:
            for ref, record in list(pool.database.items(class_name)):
                if runner.task in record["current_operations"]:
                    rest = {task: one for task, one in record["current_operations"].items() if task != runner.task}
                    pool.database.set(class_name, ref, current_operations=rest)
                    refresh(pool, ref)
    pool.released.fire()


def find_source(pool: Pool, task: str) -> str:
    """Returns the host of the guest that a task works on, or the null reference."""
    for _, record in pool.database.items("VM"):
        if task in record["current_operations"]:
            source: str = record["resident_on"]
            return source
    return NULL_REF


def take_over(pool: Pool, machine: Machine, *, told: list[Machine]) -> None:
    """Gives the coordinator's role to a machine.

    Args:
        pool: Its pool.
        machine: The new coordinator.
        told: The other machines that learn of it; the rest look for the old one until somebody tells them.
    """
    old = pool.coordinator
    lose_memory(pool)
    pool.database.set("pool", pool.ref, master=machine.ref)
    machine.coordinator = ""
    for other in told:
        other.coordinator = machine.address if other is not machine else ""
    for one in {id(one): one for one in (machine, *told)}.values():
        restart_toolstack(pool, one)
    if old not in told and old is not machine:
        # The lab has one set of records: a former coordinator that was told nothing cannot serve a second one.
        old.emergency = ("HOST_STILL_BOOTING",)


def find_emergency(pool: Pool, machine: Machine) -> tuple[str, ...]:
    """Returns why a machine cannot work, as it answers to every call; nothing when it can."""
    if not pool.database.has("host", machine.ref):
        return ("HOST_UNKNOWN_TO_MASTER", machine.ref)
    if machine.coordinator == machine.address:
        return ("HOST_ITS_OWN_SLAVE",)
    if machine.coordinator and not _has_management(pool, machine):
        return ("HOST_HAS_NO_MANAGEMENT_IP",)
    if not machine.coordinator:
        return () if pool.coordinator is machine else ("HOST_STILL_BOOTING",)
    return () if finds_coordinator(pool, machine) else ("HOST_STILL_BOOTING",)


def _has_management(pool: Pool, machine: Machine) -> bool:
    pifs = [pool.database.record("PIF", pif) for pif in pool.database.get("host", machine.ref, "PIFs")]
    return any(pif["management"] and pif["IP"] for pif in pifs)


def finds_coordinator(pool: Pool, machine: Machine) -> bool:
    """Tells whether the coordinator that a member was told of is the one, and reachable from there."""
    coordinator = pool.coordinator
    is_told = machine.coordinator == coordinator.address
    return is_told and not machine.is_cut and coordinator.is_reachable


async def keep_looking_for_coordinator(pool: Pool, machine: Machine) -> None:
    """Lets a member that cannot reach its coordinator restart until it can, every one to three minutes.

    Ends when the host leaves the pool.
    """
    dice = random.Random(machine.name)  # noqa: S311  unevenness, no secret
    while pool.machines.get(machine.ref) is machine:
        await pool.clock.sleep(dice.uniform(*_RETRY_S))
        if (
            pool.machines.get(machine.ref) is not machine
            or not machine.is_alive
            or machine.toolstack is not Toolstack.UP
        ):
            continue
        reason = find_emergency(pool, machine)
        if reason and not machine.emergency:
            await pool.clock.sleep(_GIVEN_UP_S)
            reason = find_emergency(pool, machine)
        if machine.is_alive and (reason or machine.emergency):
            machine.door.cut_connections()
            await boot_toolstack(pool, machine)
