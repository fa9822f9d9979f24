"""What crossed the wire between the hosts and their clients: the last calls with parameters and outcome.

For the page and for tests that fail. Sessions and passwords are masked, large values are cut short.
"""

import itertools
import re
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from bot.lab.xapi.database import Row
from bot.lab.xapi.values import Value

_KEPT: Final = 1000
# Changes are few and small, and whoever counts them must not lose one behind a thousand looks.
_CHANGES_KEPT: Final = 10_000
_CHANGES_SHOWN: Final = 50
_MOST_PARTS: Final = 60
_LONGEST_TEXT: Final = 400
# Parameters that no log may show, by their place after the session.
_SECRETS: Final[Mapping[str, tuple[int, ...]]] = {
    "session.login_with_password": (1,),
    "session.slave_local_login_with_password": (1,),
    "session.change_password": (1, 2),
    "pool.join": (3,),
    "pool.join_force": (3,),
    "pool.initialize_wlb": (3, 5),
    "pool.configure_repository_proxy": (4,),
}
_SECRET_KEY: Final = re.compile("password|secret|session_id", re.IGNORECASE)
# The receiving side of a migration names its session in addresses too.
_SECRET_PART: Final = re.compile(r"(?<=session_id=)[^&\s]+")


@dataclass(frozen=True)
class Heard:
    """A call as a host heard it; `at` in Unix seconds, `user` empty where the session is not known."""

    host: str
    user: str
    method: str
    params: list[Value]
    at: float


class Journal:
    """A bounded list of calls and struck faults, oldest first, numbered from 1.

    The calls that may have changed something are kept once more by themselves, with numbers of their own, and longer.
    """

    def __init__(self) -> None:
        self._changes: deque[dict[str, Any]] = deque(maxlen=_CHANGES_KEPT)
        self._change_numbers = itertools.count(1)
        self._entries: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self._numbers = itertools.count(1)

    def record_call(self, heard: Heard, outcome: str, answer: Value, *, is_change: bool) -> None:
        """Adds a call that has ended: `outcome` is `done`, `unanswered` or an error code."""
        summary = {"method": heard.method, "host": heard.host, "user": heard.user, "outcome": outcome}
        if is_change:
            ended = datetime.now(UTC).isoformat(timespec="milliseconds")
            self._changes.append({"n": next(self._change_numbers), **summary, "when": ended})
        self._add(
            "call",
            heard.at,
            **summary,
            changes=is_change,
            took_ms=round((time.time() - heard.at) * 1000, 1),
            params=show_params(heard.method, heard.params),
            answer=_show_answer(heard.method, answer),
        )

    def record_strike(self, method: str, fault: dict[str, Value]) -> None:
        """Adds a fault that struck a call."""
        self._add("fault", time.time(), method=method, fault=fault)

    def _add(self, kind: str, at: float, **detail: object) -> None:
        self._entries.append({"n": next(self._numbers), "at": at, "kind": kind, **detail})

    def entries(self, since: int = 0) -> list[dict[str, Any]]:
        """Returns the entries numbered above `since`, oldest first."""
        return [entry for entry in self._entries if entry["n"] > since]

    def changes(self, since: int = 0) -> list[dict[str, Any]]:
        """Returns the changing calls numbered above `since`, oldest first: all of them if the first is `since + 1`."""
        return [change for change in self._changes if change["n"] > since]

    def last_changes(self) -> list[dict[str, Any]]:
        """Returns the few changing calls that ended last, oldest first."""
        return list(itertools.islice(reversed(self._changes), _CHANGES_SHOWN))[::-1]


def show_params(method: str, params: Sequence[Value]) -> list[Value]:
    """Returns the parameters fit to be shown: no session, no password, nothing long."""
    name = method.removeprefix("Async.")
    secrets = _SECRETS.get(name, ())
    is_login = name.startswith("session.") and "login" in name
    return [
        "…" if place in secrets or (place == 0 and not is_login) else shorten(value)
        for place, value in enumerate(params)
    ]


def _show_answer(method: str, value: Value) -> Value:
    """Returns an answer fit to be shown; a login's is a session."""
    return "…" if method.startswith("session.") and "login" in method else shorten(value)


def shorten(value: Value) -> Value:
    """Returns a copy of a value with only its first parts, which costs the same for an inventory as for a name."""
    return _cut(value, [_MOST_PARTS])


def _cut(value: Value, left: list[int]) -> Value:
    left[0] -= 1
    if isinstance(value, Row):
        return _cut(value.fields, left)
    if isinstance(value, str):
        value = _SECRET_PART.sub("…", value)
        return value if len(value) <= _LONGEST_TEXT else f"{value[:_LONGEST_TEXT]}…"
    if isinstance(value, dict):
        shown: dict[str, Value] = {}
        for key, item in value.items():
            if left[0] <= 0:
                shown["…"] = f"{len(value) - len(shown)} more"
                break
            shown[key] = "…" if _SECRET_KEY.search(key) else _cut(item, left)
        return shown
    if isinstance(value, list):
        items: list[Value] = []
        for item in value:
            if left[0] <= 0:
                items.append(f"… {len(value) - len(items)} more")
                break
            items.append(_cut(item, left))
        return items
    return value
