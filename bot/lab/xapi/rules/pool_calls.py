"""Calls on the pool object."""

from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.values import Value


async def get_license_state(context: Context, self: str) -> Value:
    """Returns the edition of the pool and until when it lasts."""
    context.pool.database.record("pool", self)
    host = context.pool.coordinator.ref
    record = context.pool.database.record("host", host)
    return {"edition": record["edition"], "expiry": record["license_params"].get("expiry", "never")}


CALLS: Final[tuple[Call, ...]] = (declare("pool.get_license_state", get_license_state),)
