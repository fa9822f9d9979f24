"""Makes a bot mortal at each commit to its store: a folder to be named in PYTHONPATH, so that Python runs this first.

The bot is the shipped one; what is replaced is what its interpreter gives it for `sqlite3.connect`. A step is a
transaction that changed something, named by the tables it wrote and where the newest job and the last of its steps that
has begun stand after it. A file `die` beside the store orders the death: a line `before` or `after` and a line with the
step, or a pattern of it, at which the process ends itself with -9, having written the file `dying` first. While the
order is there, each step is written down in the file `steps` beside it.
"""

from __future__ import annotations

import os
import re
import signal
import sqlite3
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

_connect = sqlite3.connect
# A table with a random name names no step: once in each process sqlite-utils tries upserts on one.
_WRITES = re.compile(r'(?:INSERT(?: OR \w+)? INTO|UPDATE|DELETE FROM)\s+["\[]?(?!t[0-9a-f]{32}\b)(\w+)', re.IGNORECASE)
_STAND = (
    "SELECT j.state || ' ' || s.state || ' ' || s.attempts || iif(s.parent = '', '', ' parent')"
    " || iif(s.task = '', '', ' task') || ' #' || s.\"index\" FROM jobs j JOIN steps s ON s.job = j.number"
    " ORDER BY j.number DESC, s.state = 'WAITING', s.\"index\" DESC LIMIT 1"
)


class Mortal(sqlite3.Connection):
    """A connection that reads its orders at each commit."""

    folder = Path()
    written: frozenset[str] = frozenset()
    changes = 0

    def execute(self, sql: str, /, *parameters: Any) -> sqlite3.Cursor:
        if sql.startswith("BEGIN"):
            self.written, self.changes = frozenset(), self.total_changes
        if found := _WRITES.match(sql.lstrip()):
            self.written |= {found[1]}
        if sql != "COMMIT" or self.total_changes == self.changes:
            return super().execute(sql, *parameters)
        try:
            order = (self.folder / "die").read_text().splitlines()
        except FileNotFoundError:
            return super().execute(sql, *parameters)
        row = super().execute(_STAND).fetchone()
        step = f"{row[0] if row else ''}: {', '.join(sorted(self.written))}"
        with (self.folder / "steps").open("a") as steps:
            steps.write(f"{step}\n")
        if not any(fnmatchcase(step, one) for one in order[1:]):
            return super().execute(sql, *parameters)
        # Written before the transaction is, so that whoever sees it stored knows what comes next.
        (self.folder / "dying").touch()
        if order[0] == "after":
            super().execute(sql, *parameters)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("a bot outlived its death")


def connect(database: Any, *arguments: Any, **options: Any) -> sqlite3.Connection:
    if "isolation_level" not in options:  # a reader, or somebody else's file
        return _connect(database, *arguments, **options)
    made = _connect(database, *arguments, factory=Mortal, **options)
    made.folder = Path(database).parent
    return made


sqlite3.connect = connect  # type: ignore[assignment]  # the overloads of the real one differ in options nobody gives
