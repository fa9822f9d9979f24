"""The calls of class event and message."""

from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.events import make_token, wait_for_events
from bot.lab.xapi.schema.model import CLASSES
from bot.lab.xapi.values import Date, Value


async def event_from(context: Context, classes: list[str], token: str, timeout_s: float) -> Value:
    """Waits for changes; the empty token asks for everything there is."""
    return await wait_for_events(context.pool, context.session.ref, classes, token, timeout_s)


async def inject(context: Context, class_name: str, ref: str) -> str:
    """Makes a null change of an object and returns the token before it could be told."""
    names = {name.lower(): name for name in CLASSES}
    if class_name.lower() not in names:
        raise ApiError("HANDLE_INVALID", class_name, ref)
    token = make_token(context.pool)
    context.pool.database.touch(names[class_name.lower()], ref)
    return token


async def get_current_id(context: Context) -> int:
    """Returns the generation of this moment."""
    return context.pool.database.generation


async def event_next(context: Context) -> Value:
    """Refuses: the lab keeps no old-style queues, so nobody is registered."""
    raise ApiError("SESSION_NOT_REGISTERED", context.session.ref)


async def message_get_since(context: Context, since: Date) -> Value:
    """Returns the messages after a date."""
    rows = context.pool.database.rows("message")
    return {row.ref: row for row in rows if row.fields["timestamp"] > since}


async def message_get(context: Context, cls: str, obj_uuid: str, since: Date) -> Value:
    """Returns the messages about an object after a date."""
    rows = context.pool.database.rows("message")
    return {
        row.ref: row
        for row in rows
        if (row.fields["cls"], row.fields["obj_uuid"]) == (cls, obj_uuid) and row.fields["timestamp"] > since
    }


async def message_destroy(context: Context, self: str) -> str:
    """Removes a message."""
    context.pool.database.delete("message", self)
    return ""


CALLS: Final[tuple[Call, ...]] = (
    declare("event.from", "set string, string, float", event_from),
    declare("event.inject", "string, string", inject),
    declare("event.get_current_id", "", get_current_id),
    declare("event.next", "", event_next),
    declare("message.get_since", "datetime", message_get_since),
    declare("message.get", "enum cls, string, datetime", message_get),
    declare("message.destroy", "ref message", message_destroy, role="pool-operator"),
)
