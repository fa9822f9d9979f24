"""Messages (alerts): the coordinator keeps the last ten thousand."""

from typing import Final

from bot.lab.xapi.database import Database
from bot.lab.xapi.values import Date

MESSAGES_KEPT: Final = 10_000


def add_message(database: Database, *, name: str, priority: int, cls: str, obj_uuid: str, body: str, at: Date) -> str:
    """Makes a message about an object and returns its reference; the oldest go when there are too many.

    Args:
        database: Where the messages live.
        name: Its code, for example `VM_MIGRATED`.
        priority: 1 is critical, 5 information.
        cls: The kind of object as messages spell it, for example `Host`.
        obj_uuid: The object.
        body: Text, or a small document.
        at: When.
    """
    ref = database.create("message", name=name, priority=priority, cls=cls, obj_uuid=obj_uuid, timestamp=at, body=body)
    if (surplus := database.count("message") - MESSAGES_KEPT) > 0:
        for row in database.rows("message")[:surplus]:
            database.delete("message", row.ref)
    return ref
