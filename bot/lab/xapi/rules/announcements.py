"""Messages (alerts) of a guest's normal life, with the texts of a real server."""

from typing import Final

from bot.lab.xapi.pool import Pool

_MAJOR: Final = frozenset({"VM_CRASHED"})


def describe(pool: Pool, class_name: str, ref: str) -> str:
    """Returns name and UUID of an object as messages name it."""
    record = pool.database.record(class_name, ref)
    return f"'{record['name_label']}' (uuid: {record['uuid']})"


def announce_guest(pool: Pool, name: str, vm: str, what: str) -> None:
    """Makes a message about a guest; information, but a crash is a major matter.

    Args:
        pool: The pool of the guest.
        name: The message's name, for example `VM_STARTED`.
        vm: The guest.
        what: The end of the sentence that begins with the guest.
    """
    priority = 2 if name in _MAJOR else 5
    pool.announce(name, cls="VM", ref=vm, body=f"VM {describe(pool, 'VM', vm)} {what}", priority=priority)


def name_host(pool: Pool, host: str) -> str:
    """Returns how the messages of starts and resumptions name a host."""
    record = pool.database.record("host", host)
    return f"on host: {record['name_label']} (uuid: {record['uuid']})"
