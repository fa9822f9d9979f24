"""What is measured of guests, hosts and repositories: simulated hosts measure nothing, so every name is unknown."""

from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.rules.guest_operations import check_operation
from bot.lab.xapi.rules.reach import forward
from bot.lab.xapi.values import Value

_UNKNOWN: Final = "Not_found"


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
    return []


async def find_of_host(context: Context, host: str, _name: str) -> Value:
    """Refuses a name that nothing is measured under."""
    await forward(context, host)
    raise ApiError("INTERNAL_ERROR", _UNKNOWN)


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
