"""What labs have to say where a test has failed: on a machine of others its report is all there is to go by."""

from __future__ import annotations

import json
import sqlite3
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

_LINES = 60
_MESSAGES = 12
_LONGEST = 700
_ANSWER_WITHIN_S = 10.0
_JOBS = "SELECT number, operation, state, cancel_by, outcome FROM jobs ORDER BY number DESC LIMIT 5"
_STEPS = """SELECT job, "index", kind, state, attempts, parent <> '', task <> '', progress, error FROM steps
    ORDER BY job DESC, "index" LIMIT 40"""


class LastWords:
    """The labs that run, and what those said that ended with a test that failed."""

    def __init__(self) -> None:
        self._running: list[Callable[[], str]] = []
        self._said: list[str] = []

    @contextmanager
    def kept(self, account: Callable[[], str]) -> Iterator[None]:
        """The account of a lab is heard when the block ends badly, or before that when it is asked for."""
        self._running.append(account)
        try:
            yield
        except BaseException:
            if account in self._running:
                self._said.append(account())
            raise
        finally:
            if account in self._running:
                self._running.remove(account)

    def hear(self) -> list[str]:
        """All accounts that were not heard yet."""
        said, self._said = self._said, []
        return said + [account() for account in self._running]

    def forget(self) -> None:
        """What was said until now is of tests that are over: one that ran out of time ends its labs later."""
        self._said.clear()


LAST_WORDS = LastWords()


def account(info: dict[str, Any], not_taken: Sequence[str], text_of: Callable[[Any], str]) -> str:
    """What a lab with a bot shows now, with the ends of both logs; nothing of it may fail."""
    store = Path(info["store"])
    parts = {
        "what was not taken by the bot": lambda: list(not_taken),
        "jobs": lambda: _rows(store, _JOBS),
        "steps": lambda: _rows(store, _STEPS),
        "the last messages that anybody sees": lambda: _messages(info, text_of),
        "tasks and faults of the datacentre": lambda: _datacentre(info),
        "the end of the lab's log": lambda: _end(store.with_name("lab.log")),
        "the end of the bot's log": lambda: _end(store.with_name("bot.log")),
    }
    lines = []
    for title, read in parts.items():
        try:
            found = read()
        except (OSError, ValueError, KeyError, sqlite3.Error) as problem:
            found = [f"not to be had: {problem!r}"]
        lines += [f"== {title} ({len(found)})", *(one[:_LONGEST] for one in found)]
    return "\n".join(lines)


def _rows(store: Path, query: str) -> list[str]:
    with closing(sqlite3.connect(f"{store.as_uri()}?mode=ro", uri=True)) as db:
        return [str(row) for row in db.execute(query)]


def _messages(info: dict[str, Any], text_of: Callable[[Any], str]) -> list[str]:
    seen: dict[tuple[str, str], str] = {}
    for who, person in info["people"].items():
        headers = {"Authorization": f"Bearer {person['token']}", "Content-Type": "application/json"}
        told = _asked(urllib.request.Request(f"{info['slack_api']}lab.screen", b"{}", headers))  # noqa: S310  our own lab
        for one in told.get("messages", ()):
            seen.setdefault((one["ts"], one["channel"]), f"{one['ts']} {who}: {text_of(one)}")
    return [seen[key] for key in sorted(seen)][-_MESSAGES:]


def _datacentre(info: dict[str, Any]) -> list[str]:
    state = _asked(urllib.request.Request(f"{info['page']}lab/state"))  # noqa: S310  our own lab
    tasks = [f"{one['name']}: {one['status']}" for one in state["tasks"]]
    return [*tasks[-20:], *map(str, state["faults"]), f"clock {state['clock']}", f"bot {state['bot']}"]


def _asked(request: urllib.request.Request) -> dict[str, Any]:
    with urllib.request.urlopen(request, timeout=_ANSWER_WITHIN_S) as answer:  # noqa: S310  our own lab
        told: dict[str, Any] = json.load(answer)
    return told


def _end(log: Path) -> list[str]:
    return log.read_text(errors="replace").splitlines()[-_LINES:]
