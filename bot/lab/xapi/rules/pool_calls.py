"""Calls on the pool object that need its hosts."""

from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.rules.guest_operations import is_upgrading
from bot.lab.xapi.rules.reach import forward
from bot.lab.xapi.values import Value


async def get_license_state(context: Context, self: str) -> Value:
    """Returns the edition of the pool and until when it lasts."""
    context.pool.database.record("pool", self)
    host = context.pool.coordinator.ref
    record = context.pool.database.record("host", host)
    return {"edition": record["edition"], "expiry": record["license_params"].get("expiry", "never")}


async def sync_database(context: Context) -> str:
    """Writes the records of the pool to all members; the lab has them in one place."""
    for host in context.pool.database.refs("host"):
        await forward(context, host)
    return ""


async def rotate_secret(context: Context) -> str:
    """Changes the secret that the hosts know each other by; every member must be there.

    Raises:
        ApiError: `HA_IS_ENABLED`, `NOT_SUPPORTED_DURING_UPGRADE`, `HOST_OFFLINE` / `CANNOT_CONTACT_HOST`.
    """
    pool = context.pool
    if pool.database.get("pool", pool.ref, "ha_enabled"):
        raise ApiError("HA_IS_ENABLED")
    if is_upgrading(pool):
        raise ApiError("NOT_SUPPORTED_DURING_UPGRADE")
    return await sync_database(context)


CALLS: Final[tuple[Call, ...]] = (
    declare("pool.get_license_state", get_license_state),
    declare("pool.sync_database", sync_database),
    declare("pool.rotate_secret", rotate_secret),
)
