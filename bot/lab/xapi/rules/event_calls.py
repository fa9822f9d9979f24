"""The calls of class event: `from` with tokens, and the queues of older clients behind `register` and `next`."""

from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.events import Subscription, collect_events, make_token, parse_token, wait_for_events
from bot.lab.xapi.schema.model import CLASSES
from bot.lab.xapi.values import Value
from bot.lab.xapi.wire.jsonrpc import encode_row

_QUEUE_BYTES: Final = 10 * 1024 * 1024
_EVENT_BYTES: Final = 200  # beside the record


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


async def register(context: Context, classes: list[str]) -> str:
    """Begins to queue what changes in these classes, beside those registered before."""
    Subscription(classes)
    session = context.session
    if session.registered is None:
        session.told = make_token(context.pool)
    session.registered = {*(session.registered or ()), *(name.lower() for name in classes)}
    return ""


async def unregister(context: Context, classes: list[str]) -> str:
    """Stops queueing for these classes."""
    Subscription(classes)
    session = context.session
    session.registered = (session.registered or set()) - {name.lower() for name in classes} or None
    return ""


async def event_next(context: Context) -> Value:
    """Waits, for ever if need be, for what changed since the last time.

    Raises:
        ApiError: `SESSION_NOT_REGISTERED`; `EVENTS_LOST` when more changed than a queue of 10 MB holds;
            `SESSION_INVALID` when the session ends meanwhile.
    """
    pool, session = context.pool, context.session
    while True:
        if not pool.sessions.is_open(session.ref):
            raise ApiError("SESSION_INVALID", session.ref)
        if session.registered is None:
            raise ApiError("SESSION_NOT_REGISTERED", session.ref)
        since, session.told = session.told, make_token(pool)
        events = await collect_events(pool, Subscription(sorted(session.registered)), parse_token(since))
        if sum(_measure(event) for event in events) > _QUEUE_BYTES:
            raise ApiError("EVENTS_LOST")
        if events:
            return events
        if make_token(pool) == session.told:
            await pool.database.changed.wait()


def _measure(event: dict[str, Value]) -> int:
    return _EVENT_BYTES + (len(encode_row(event["snapshot"])) if "snapshot" in event else 0)


CALLS: Final[tuple[Call, ...]] = (
    declare("event.from", event_from),
    declare("event.inject", inject),
    declare("event.get_current_id", get_current_id),
    declare("event.register", register),
    declare("event.unregister", unregister),
    declare("event.next", event_next),
)
