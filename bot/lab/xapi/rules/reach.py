"""Forwarding work to the host that does it."""

from typing import Final

from bot.lab.xapi.calls import Context
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool

# How long Linux sends handshakes to a host that does not answer before it gives up.
_HANDSHAKES_S: Final = 127.0


def check_alive(pool: Pool, host: str) -> None:
    """Refuses to work with a host that does not answer.

    Raises:
        ApiError: `HOST_OFFLINE` for a host known to be dead, `CANNOT_CONTACT_HOST` for one that does not answer.
    """
    if not pool.database.get("host_metrics", pool.database.get("host", host, "metrics"), "live"):
        raise ApiError("HOST_OFFLINE", host)
    machine = pool.machines.get(host)
    if machine is None or not machine.is_reachable:
        raise ApiError("CANNOT_CONTACT_HOST", host)


async def forward(context: Context, host: str) -> None:
    """Forwards the work to a host, which from here on can end it by dying; fails as `check_alive` does.

    There is silence before: a host that was cut off refuses nothing, it only hangs. One that joined only half-way has
    no address, and what is forwarded to it hangs for good.
    """
    pool = context.pool
    machine = pool.machines.get(host)
    is_half_joined = pool.database.get("host", host, "address") == ""
    while is_half_joined and pool.database.has("host", host):
        await pool.database.changed.wait()
    is_live = pool.database.get("host_metrics", pool.database.get("host", host, "metrics"), "live")
    if machine is not None and machine.is_cut and is_live:
        await pool.clock.sleep(_HANDSHAKES_S)
    check_alive(pool, host)
    if context.runner is not None:
        context.runner.machines.add(host)
