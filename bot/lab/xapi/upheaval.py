"""Events that no call makes: power cuts, new coordinators, restarted toolstacks, a hand at another console."""

import asyncio
from typing import Final

from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.machine import Machine, Toolstack
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.guest_operations import refresh_allowed
from bot.lab.xapi.rules.guest_state import attach_devices, boot_on, halt, run_on
from bot.lab.xapi.rules.host_operations import refresh_allowed_host
from bot.lab.xapi.schema.model import CLASSES, FieldType
from bot.lab.xapi.schema.reading import read_value
from bot.lab.xapi.strangers import break_work
from bot.lab.xapi.values import NULL_REF, Value

ASSUMED_DEAD_S: Final = 600.0  # a silent member is called live for ten minutes
_DOWN_S: Final = 1.0
_BOOTING_S: Final = 1.0


def lose_memory(pool: Pool) -> None:
    """Ends what lives in the coordinator's memory only: sessions, tasks, the marks of operations on objects."""
    pool.sessions.close_all()
    pool.tasks.lose_all()
    for class_name in ("VM", "host"):
        for ref in pool.database.refs(class_name):
            pool.database.set(class_name, ref, current_operations={})
    for ref in pool.database.refs("VM"):
        refresh_allowed(pool, ref)
    for ref in pool.database.refs("host"):
        refresh_allowed_host(pool, ref)
    pool.released.fire()


async def boot_toolstack(pool: Pool, machine: Machine) -> None:
    """Takes the toolstack of a machine from refusing connections through "still booting" to serving."""
    machine.toolstack = Toolstack.DOWN
    pool.database.notify()
    await pool.clock.sleep(_DOWN_S)
    machine.toolstack = Toolstack.BOOTING
    pool.database.notify()
    await pool.clock.sleep(_BOOTING_S)
    machine.toolstack = Toolstack.UP
    if machine.enables_itself:
        pool.database.set("host", machine.ref, enabled=True)
    refresh_allowed_host(pool, machine.ref)
    pool.database.notify()


def move_coordinator(pool: Pool, machine: Machine) -> None:
    """Gives the role to a machine; the caller restarts both toolstacks."""
    pool.database.set("pool", pool.ref, master=machine.ref)
    lose_memory(pool)


def cut_power(pool: Pool, machine: Machine) -> None:
    """Ends a machine, with the work that it did; its guests are gone, which XAPI learns later."""
    machine.is_alive = False
    for runner in pool.tasks.list_runners():
        if machine.ref in runner.machines:
            runner.interrupt(
                ApiError("INTERNAL_ERROR", "xenopsd internal error: End_of_file")
                if machine.ref != _find_source(pool, runner.task)
                else ApiError("CANNOT_CONTACT_HOST", machine.ref)
            )
    if pool.coordinator is machine:
        lose_memory(pool)
    pool.database.notify()


def _find_source(pool: Pool, task: str) -> str:
    for _, record in pool.database.items("VM"):
        if task in record["current_operations"]:
            source: str = record["resident_on"]
            return source
    return NULL_REF


async def notice_death(pool: Pool, machine: Machine) -> None:
    """Lets the coordinator call a machine dead after ten minutes of silence; it never says so of itself."""
    await pool.clock.sleep(ASSUMED_DEAD_S)
    if not machine.is_alive and pool.coordinator is not machine:
        metrics = pool.database.get("host", machine.ref, "metrics")
        pool.database.set("host_metrics", metrics, live=False)
        refresh_allowed_host(pool, machine.ref)


def give_power(pool: Pool, machine: Machine) -> None:
    """Brings a machine back: guests that ran there when its power was cut are halted."""
    machine.is_alive = True
    database = pool.database
    for vm in list(database.get("host", machine.ref, "resident_VMs")):
        if not database.get("VM", vm, "is_control_domain"):
            halt(pool, vm)
            refresh_allowed(pool, vm)
    database.set("host_metrics", database.get("host", machine.ref, "metrics"), live=True)
    refresh_allowed_host(pool, machine.ref)
    database.notify()


def set_field(pool: Pool, class_name: str, ref: str, name: str, value: Value) -> None:
    """Changes a field as somebody outside would.

    Raises:
        ValueError: There is no such field, or the value is not of its type.
    """
    field = CLASSES[class_name].fields.get(name)
    if field is None:
        raise ValueError(f"{class_name} has no field {name!r}.")
    try:
        typed = read_value(field.type, _resolve(pool, field.type, value))
    except ApiError as error:
        raise ValueError(f"{class_name}.{name} cannot be {value!r}: {error.description}.") from error
    if (class_name, name) == ("VM", "power_state"):
        _set_power_state(pool, ref, typed)
    elif (class_name, name) == ("VM", "resident_on") and typed != NULL_REF:
        run_on(pool, ref, typed)
    else:
        pool.database.set(class_name, ref, **{name: typed})
    for vm in pool.database.refs("VM") if class_name in {"VM", "VM_guest_metrics"} else []:
        refresh_allowed(pool, vm)
    if class_name == "host":
        refresh_allowed_host(pool, ref)


def _resolve(pool: Pool, kind: FieldType, value: Value) -> Value:
    """Returns the reference where a UUID was given."""
    if kind.kind == "ref" and isinstance(value, str) and ":" not in value:
        return pool.database.find_by_uuid(kind.name, value)
    return value


def _set_power_state(pool: Pool, vm: str, power_state: str) -> None:
    record = pool.database.record("VM", vm)
    is_up = record["resident_on"] != NULL_REF
    if power_state == "Halted":
        break_work(pool, vm)
        halt(pool, vm)
    elif power_state == "Paused" and is_up:
        pool.database.set("VM", vm, power_state="Paused")
    elif power_state == "Running":
        attach_devices(pool, vm, attached=True)
        if is_up:
            run_on(pool, vm, record["resident_on"])
        else:
            boot_on(pool, vm, pool.coordinator.ref)
    else:
        raise ValueError(f"A guest that is {record['power_state']} cannot become {power_state} this way.")


async def keep_collecting(pool: Pool) -> None:
    """Removes old tasks and idle sessions every 30 simulated seconds."""
    while True:
        await pool.clock.sleep(30.0)
        pool.tasks.collect()
        pool.sessions.expire_idle({runner.session for runner in pool.tasks.list_runners()})
        await asyncio.sleep(0)
