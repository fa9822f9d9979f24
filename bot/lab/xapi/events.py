"""`event.from`: what changed in a pool since a token, long-polled."""

import asyncio
from typing import Final

from bot.lab.xapi.database import Row
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.schema.model import CLASSES
from bot.lab.xapi.values import SmallInt, Value

_BATCHING_S: Final = 0.05
_ROWS_AT_ONCE: Final = 500
# Sessions are records too, but make no events.
_WATCHED: Final = {name.lower(): name for name in CLASSES if name != "session"}


class Subscription:
    """Which objects a caller wants to hear of.

    Args:
        classes: Class names in any letter case, `class/OpaqueRef:…` for single objects, or `*`.

    Raises:
        ApiError: `EVENT_SUBSCRIPTION_PARSE_FAILURE` for anything else.
    """

    def __init__(self, classes: list[str]) -> None:
        self._whole: set[str] = set()
        self._single: dict[str, set[str]] = {}
        for text in classes:
            name, slash, ref = text.partition("/")
            if text == "*":
                self._whole.update(_WATCHED.values())
            elif text == "" or (slash and not ref):
                raise ApiError("EVENT_SUBSCRIPTION_PARSE_FAILURE", text)
            elif name.lower() not in _WATCHED:
                continue  # a real server has more classes than the lab: they have no objects here
            elif slash:
                self._single.setdefault(_WATCHED[name.lower()], set()).add(ref)
            else:
                self._whole.add(_WATCHED[name.lower()])

    @property
    def classes(self) -> list[str]:
        """Returns the classes that may have matching objects, in the order of the data model."""
        return [name for name in CLASSES if name in self._whole or name in self._single]

    def matches(self, class_name: str, ref: str) -> bool:
        """Tells whether an object is wanted."""
        return class_name in self._whole or ref in self._single.get(class_name, ())


def parse_token(token: str) -> tuple[int, int]:
    """Returns database and message generation of a token; both are -1 for the empty one.

    Raises:
        ApiError: `EVENT_FROM_TOKEN_PARSE_FAILURE`.
    """
    if token == "":
        return -1, -1
    first, comma, second = token.partition(",")
    if not comma or not first.isdecimal() or not second.isdecimal():
        raise ApiError("EVENT_FROM_TOKEN_PARSE_FAILURE", token)
    return int(first), int(second)


def make_token(pool: Pool) -> str:
    """Returns the token of this moment."""
    return f"{pool.database.generation:020d},{pool.database.message_generation:020d}"


async def wait_for_events(
    pool: Pool, session: str, classes: list[str], token: str, timeout_s: float
) -> dict[str, Value]:
    """Returns events, counts of live objects and the next token, at once or when something matching changes.

    Raises:
        ApiError: The session ended meanwhile, classes or token cannot be read, or events are lost.
    """
    wanted = Subscription(classes)
    since = parse_token(token)
    deadline = asyncio.get_running_loop().time() + max(0.0, timeout_s)
    if token:
        await asyncio.sleep(min(_BATCHING_S, max(0.0, timeout_s)))
    while True:
        if not pool.sessions.is_open(session):
            raise ApiError("SESSION_INVALID", session)
        # What changes while events are described is told again after this token.
        next_token, counts = make_token(pool), count_objects(pool)
        events = await collect_events(pool, wanted, since)
        left = deadline - asyncio.get_running_loop().time()
        if events or left <= 0:
            return {"events": events, "valid_ref_counts": counts, "token": next_token}
        if make_token(pool) == next_token:
            await pool.database.changed.wait(timeout_s=left)


def count_objects(pool: Pool) -> dict[str, SmallInt]:
    """Returns how many live objects each class has."""
    return {name.lower(): SmallInt(pool.database.count(name)) for name in CLASSES}


async def collect_events(pool: Pool, wanted: Subscription, since: tuple[int, int]) -> list[dict[str, Value]]:
    """Returns one event per changed object: messages first, then additions, modifications, deletions.

    Which objects is decided at once; they are described in slices, so that other connections are served meanwhile.

    Raises:
        ApiError: `EVENTS_LOST` when the token is older than what is remembered of deletions.
    """
    generation, message_generation = since
    if 0 <= generation < pool.database.forgotten:
        raise ApiError("EVENTS_LOST")
    deletions: list[dict[str, Value]] = [
        {
            "id": "0" if gone.class_name == "message" else str(gone.deleted),
            "timestamp": "0.0",
            "class": gone.class_name.lower(),
            "operation": "del",
            "ref": gone.ref,
        }
        for gone in (pool.database.deleted_since(generation) if generation >= 0 else [])
        if gone.created <= generation and wanted.matches(gone.class_name, gone.ref)
    ]
    changed = [
        (class_name, row)
        for class_name in wanted.classes
        for row in pool.database.rows_since(class_name, message_generation if class_name == "message" else generation)
        if wanted.matches(class_name, row.ref)
    ]
    messages, additions, modifications = [], [], []
    for number, (class_name, row) in enumerate(changed, start=1):
        if not pool.database.has(class_name, row.ref):
            continue  # gone meanwhile: the next batch has a deletion of what was never told
        if class_name == "message":
            messages.append(_describe(class_name, "add", row, "0"))
        elif row.created > generation:
            additions.append(_describe(class_name, "add", row, str(row.modified)))
        else:
            modifications.append(_describe(class_name, "mod", row, str(row.modified)))
        if number % _ROWS_AT_ONCE == 0:
            await asyncio.sleep(0)
    return [*messages, *additions, *modifications, *deletions]


def _describe(class_name: str, operation: str, row: Row, number: str) -> dict[str, Value]:
    return {
        "id": number,
        "timestamp": "0.0",
        "class": class_name.lower(),
        "operation": operation,
        "ref": row.ref,
        "snapshot": row,
    }
