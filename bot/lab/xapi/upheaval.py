"""Changes that no call makes: a hand at another console, and what XAPI removes by itself."""

from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.guest_operations import refresh_allowed
from bot.lab.xapi.rules.guest_state import attach_devices, boot_on, halt, run_on
from bot.lab.xapi.rules.ha import refresh_plan
from bot.lab.xapi.rules.host_operations import refresh_allowed_host
from bot.lab.xapi.schema.model import CLASSES, FieldType
from bot.lab.xapi.schema.reading import read_value
from bot.lab.xapi.strangers import break_work
from bot.lab.xapi.values import NULL_REF, Value


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
    """Removes old tasks and idle sessions every 30 simulated seconds, and looks at the failover plan again."""
    while True:
        await pool.clock.sleep(30.0)
        pool.tasks.collect()
        refresh_plan(pool)
        pool.sessions.expire_idle(pool.tasks.list_busy_sessions())
