"""What is measured of guests, hosts and repositories: load and free memory of control domains, and nothing else."""

from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.guest_operations import check_operation
from bot.lab.xapi.rules.reach import forward
from bot.lab.xapi.values import Value

_UNKNOWN: Final = "Not_found"
_LOAD: Final = "loadavg"
_FREE: Final = "memory_internal_free"
_HIGHEST: Final = 1e9  # infinity on a real server, which JSON cannot say
_KIB: Final = 1024


async def list_of_guest(context: Context, vm: str) -> Value:
    """Returns what is measured of a guest: of a control domain what memory it has left."""
    record = context.pool.database.record("VM", vm)
    if not record["is_control_domain"]:
        return []
    await forward(context, record["resident_on"])
    return [_measured(_FREE, "Dom0 current free memory", "KiB", _compute_free(context.pool, record))]


async def find_of_guest(context: Context, vm: str, name: str) -> Value:
    """Returns the value that is measured under a name; refuses a name that nothing is measured under.

    Raises:
        ApiError: `VM_BAD_POWER_STATE` for a guest that is down, else `INTERNAL_ERROR`.
    """
    check_operation(context.pool, vm, "data_source_op")
    record = context.pool.database.record("VM", vm)
    await forward(context, record["resident_on"])
    if record["is_control_domain"] and name == _FREE:
        return _compute_free(context.pool, record)
    raise ApiError("INTERNAL_ERROR", _UNKNOWN)


def _compute_free(pool: Pool, control_domain: dict[str, Value]) -> float:
    """Returns the memory that a control domain has left, in KiB."""
    machine = pool.machines.get(control_domain["resident_on"])
    if machine is not None and machine.control_free is not None:
        return machine.control_free / _KIB
    return float(int(control_domain["memory_dynamic_max"]) * 0.4 // _KIB)


async def forget_of_guest(context: Context, vm: str, _name: str) -> str:
    """Deletes what was measured under a name."""
    check_operation(context.pool, vm, "data_source_op")
    return ""


async def list_of_host(context: Context, host: str) -> Value:
    """Returns what is measured of a host."""
    await forward(context, host)
    return [_measured(_LOAD, "Domain0 loadavg", "(fraction)", _compute_load(context.pool, host))]


def _measured(name: str, description: str, units: str, value: float) -> dict[str, Value]:
    return {
        "name_label": name,
        "name_description": description,
        "enabled": True,
        "standard": True,
        "units": units,
        "min": 0.0,
        "max": _HIGHEST,
        "value": value,
    }


async def find_of_host(context: Context, host: str, name: str) -> Value:
    """Returns the value that is measured under a name; refuses a name that nothing is measured under."""
    await forward(context, host)
    if name == _LOAD:
        return _compute_load(context.pool, host)
    raise ApiError("INTERNAL_ERROR", _UNKNOWN)


def _compute_load(pool: Pool, host: str) -> float:
    """Returns the load of a control domain: a little for each guest, much for each stream that it sends or gets."""
    machine = pool.machines.get(host)
    if machine is not None and machine.control_load is not None:
        return machine.control_load
    guests = len(pool.database.get("host", host, "resident_VMs"))
    return round(0.1 + 0.05 * guests + (1.5 * machine.streams if machine is not None else 0.0), 2)


async def forget_of_host(context: Context, host: str, _name: str) -> str:
    """Deletes what was measured under a name."""
    await forward(context, host)
    return ""


async def list_of_storage(context: Context, storage: str) -> Value:
    """Returns what is measured of a repository."""
    context.pool.database.row("SR", storage)
    return []


async def find_of_storage(context: Context, storage: str, _name: str) -> Value:
    """Refuses a name that nothing is measured under."""
    context.pool.database.row("SR", storage)
    raise ApiError("INTERNAL_ERROR", _UNKNOWN)


async def forget_of_storage(context: Context, storage: str, _name: str) -> str:
    """Deletes what was measured under a name."""
    context.pool.database.row("SR", storage)
    return ""


CALLS: Final[tuple[Call, ...]] = (
    declare("VM.get_data_sources", list_of_guest),
    declare("VM.query_data_source", find_of_guest),
    declare("VM.record_data_source", find_of_guest),
    declare("VM.forget_data_source_archives", forget_of_guest),
    declare("host.get_data_sources", list_of_host),
    declare("host.query_data_source", find_of_host),
    declare("host.record_data_source", find_of_host),
    declare("host.forget_data_source_archives", forget_of_host),
    declare("SR.get_data_sources", list_of_storage),
    declare("SR.query_data_source", find_of_storage),
    declare("SR.record_data_source", find_of_storage),
    declare("SR.forget_data_source_archives", forget_of_storage),
)
