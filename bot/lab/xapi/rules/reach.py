"""Forwarding work to the host that does it."""

from bot.lab.xapi.calls import Context
from bot.lab.xapi.errors import ApiError


def reach_host(context: Context, host: str) -> None:
    """Forwards the work to a host, which from here on can end it by dying.

    Raises:
        ApiError: `HOST_OFFLINE` for a host known to be dead, `CANNOT_CONTACT_HOST` for one that does not answer.
    """
    database = context.pool.database
    if not database.get("host_metrics", database.get("host", host, "metrics"), "live"):
        raise ApiError("HOST_OFFLINE", host)
    if not context.pool.machines[host].is_alive:
        raise ApiError("CANNOT_CONTACT_HOST", host)
    if context.runner is not None:
        context.runner.machines.add(host)
