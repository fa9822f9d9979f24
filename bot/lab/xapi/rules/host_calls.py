"""Calls on hosts."""

from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.rules.host_operations import refresh_allowed_host
from bot.lab.xapi.rules.memory import compute_free
from bot.lab.xapi.rules.reach import reach_host
from bot.lab.xapi.values import Date, now


async def compute_free_memory(context: Context, host: str) -> int:
    """Returns the bytes that XAPI counts as free; not `host_metrics.memory_free`."""
    return compute_free(context.pool.database, host)


async def get_servertime(context: Context, host: str) -> Date:
    """Returns the clock of a host."""
    reach_host(context, host)
    return now()


async def disable(context: Context, host: str, _auto_enable: bool = True) -> str:  # noqa: FBT001, FBT002  as on the wire
    """Lets no more guests start on a host or migrate to it; those that run there stay."""
    context.pool.database.set("host", host, enabled=False)
    refresh_allowed_host(context.pool, host)
    return ""


async def enable(context: Context, host: str) -> str:
    """Lets guests start on a host again."""
    reach_host(context, host)
    context.pool.database.set("host", host, enabled=True)
    refresh_allowed_host(context.pool, host)
    return ""


CALLS: Final[tuple[Call, ...]] = (
    declare("host.compute_free_memory", "ref host", compute_free_memory, is_long=True),
    declare("host.get_servertime", "ref host", get_servertime, is_long=True),
    declare("host.disable", "ref host, bool", disable, role="pool-operator", optional=1, is_long=True),
    declare("host.enable", "ref host", enable, role="pool-operator", is_long=True),
)
