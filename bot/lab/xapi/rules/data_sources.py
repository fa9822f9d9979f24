"""What is measured of guests, hosts and repositories: of a host the load of its control domain, and nothing else."""

from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.guest_operations import check_operation
from bot.lab.xapi.rules.reach import forward
from bot.lab.xapi.values import Value

_UNKNOWN: Final = "Not_found"
_LOAD: Final = "loadavg"
_HIGHEST: Final = 1e9


async def list_of_guest(context: Context, vm: str) -> Value:
    """Returns what is measured of a guest."""
    context.pool.database.row("VM", vm)
    return []


async def find_of_guest(context: Context, vm: str, _name: str) -> Value:
    """Refuses a name that nothing is measured under.

    Raises:
        ApiError: `VM_BAD_POWER_STATE` for a guest that is down, else `INTERNAL_ERROR`.
    """
    check_operation(context.pool, vm, "data_source_op")
    raise ApiError("INTERNAL_ERROR", _UNKNOWN)


async def forget_of_guest(context: Context, vm: str, _name: str) -> str:
    """Deletes what was measured under a name."""
    check_operation(context.pool, vm, "data_source_op")
    return ""


async def list_of_host(context: Context, host: str) -> Value:
    """Returns what is measured of a host."""
    await forward(context, host)
    measured = {
        "name_label": _LOAD,
        "name_description": "Domain0 loadavg",
        "enabled": True,
        "standard": True,
        "units": "(fraction)",
        "min": 0.0,
        "max": _HIGHEST,  # infinity on a real server, which JSON cannot say
        "value": _compute_load(context.pool, host),
    }
    return [measured]


async def find_of_host(context: Context, host: str, name: str) -> Value:
    """Returns the value that is measured under a name; refuses a name that nothing is measured under."""
    await forward(context, host)
    if name == _LOAD:
        return _compute_load(context.pool, host)
    raise ApiError("INTERNAL_ERROR", _UNKNOWN)


def _compute_load(pool: Pool, host: str) -> float:
    """Returns the load of a control domain: a little for each guest, much for each stream that it sends or gets."""
    machine = pool.machines.get(host)
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
