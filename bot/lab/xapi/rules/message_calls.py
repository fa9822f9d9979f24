"""The calls of class message: alerts are made, found by date or object, and removed."""

from collections.abc import Callable
from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.database import Row
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.messages import add_message
from bot.lab.xapi.values import Date, Value

# Messages spell some classes their own way.
_CLASSES: Final = {"Host": "host", "Pool": "pool"}


async def create(context: Context, name: str, priority: int, cls: str, obj_uuid: str, body: str) -> str:
    """Makes a message about an object.

    Raises:
        ApiError: `UUID_INVALID [cls, uuid]` when there is no such object.
    """
    database = context.pool.database
    try:
        database.find_by_uuid(_CLASSES.get(cls, cls), obj_uuid)
    except ApiError:
        raise ApiError("UUID_INVALID", cls, obj_uuid) from None
    return add_message(
        database, name=name, priority=priority, cls=cls, obj_uuid=obj_uuid, body=body, at=context.pool.clock.now()
    )


async def get_since(context: Context, since: Date) -> Value:
    """Returns the messages after a date."""
    return _select(context, lambda row: row.fields["timestamp"] > since)


async def get(context: Context, cls: str, obj_uuid: str, since: Date) -> Value:
    """Returns the messages about an object after a date."""
    wanted = (cls, obj_uuid)
    return _select(
        context,
        lambda row: (row.fields["cls"], row.fields["obj_uuid"]) == wanted and row.fields["timestamp"] > since,
    )


def _select(context: Context, wanted: Callable[[Row], bool]) -> dict[str, Value]:
    return {row.ref: row for row in context.pool.database.rows("message") if wanted(row)}


async def destroy(context: Context, self: str) -> str:
    """Removes a message."""
    context.pool.database.delete("message", self)
    return ""


async def destroy_many(context: Context, messages: list[str]) -> str:
    """Removes messages; none when one of them is not there."""
    for ref in messages:
        context.pool.database.row("message", ref)
    for ref in dict.fromkeys(messages):
        context.pool.database.delete("message", ref)
    return ""


CALLS: Final[tuple[Call, ...]] = (
    declare("message.create", create),
    declare("message.get_since", get_since),
    declare("message.get", get),
    declare("message.destroy", destroy),
    declare("message.destroy_many", destroy_many),
)
