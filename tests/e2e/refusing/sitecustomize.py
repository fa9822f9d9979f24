"""Makes the disk of a bot's backups refuse: a folder to be named in PYTHONPATH, so that Python runs this first.

The bot is the shipped one; what is replaced is what its interpreter gives it for the calls that change a file system.
`REFUSING` names a folder for orders. A change below `BACKUPS_OF_BOT` is named by its call, by what it is done to (ids,
UUIDs and random parts of names are left out). A file in the folder `refuse`, called by the UUID of a guest, holds an
errno's name, the name of a change and a number: of the changes of that name to what is of that guest, the one of that
number from now on fails; with the number 0 every change of any name does. In place of an errno `HOLD` has the change
wait for as long as the order is there; meanwhile a file of the guest is in the folder `held`. Every change is written
down in a file of the guest in the folder `changes`. What is of no guest counts as of `place`.

A commit of the bot's store that writes its catalogue of backups is the change `commit backups` of `store`.
"""

from __future__ import annotations

import errno
import io
import os
import re
import sqlite3
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ID: Final = re.compile(r"\d{8}-\d{6}-[0-9a-f]+")
_RANDOM: Final = re.compile(r"(?<=\.)[0-9a-f]{8}$")


class Door:
    """What is asked before each change."""

    def __init__(self, orders: Path, place: str) -> None:
        self.orders = orders
        self.place = place
        self.seen: Counter[tuple[str, int, str]] = Counter()
        self.guard = threading.Lock()

    def ask(self, call: str, path: str) -> None:
        """Raises the OSError that was ordered for it."""
        if path != self.place and not path.startswith(f"{self.place}/"):
            return
        within = path[len(self.place) + 1 :]
        guest = next(iter(_UUID.findall(within)), "place")
        what = _RANDOM.sub("*", _ID.sub("ID", _UUID.sub("GUEST", within)))
        name = self.ordered(guest, f"{call} {what or '.'}")
        if name == "HOLD":
            self.hold(guest)
        elif name:
            number = int(getattr(errno, name))
            raise OSError(number, os.strerror(number), path)

    def hold(self, guest: str) -> None:
        """Returns when the order is gone."""
        (self.orders / "held" / guest).touch()
        while (self.orders / "refuse" / guest).exists():
            time.sleep(0.02)
        (self.orders / "held" / guest).unlink()

    def ordered(self, guest: str, change: str) -> str:
        """What was ordered for this change; "" for nothing."""
        with self.guard:
            with (self.orders / "changes" / guest).open("a") as changes:
                changes.write(f"{change}\n")
            order = self.orders / "refuse" / guest
            try:
                name, wanted, number = order.read_text().splitlines()
                since = order.stat().st_mtime_ns
            except FileNotFoundError:
                return ""
            # An order counts from when it was given.
            self.seen[guest, since, change] += 1
            hit = number == "0" or (change, str(self.seen[guest, since, change])) == (wanted, number)
            return name if hit else ""


class Raw(io.FileIO):
    """A file that is opened by its descriptor and asks before each write."""

    door: Door

    def write(self, data: Any, /) -> int | None:
        self.door.ask("write", _path(self.fileno()))
        return super().write(data)


def _path(name: Any, folder: int | None = None) -> str:
    """The path of a descriptor, or of a name in the folder of one."""
    if isinstance(name, int):
        return str(Path(f"/proc/self/fd/{name}").readlink())
    return str(Path(_path(folder) if folder is not None else Path.cwd(), name))


def _first(name: str, door: Door, folder: str) -> None:
    """Has `os.<name>`, whose first argument says what it is done to, ask before."""
    real = getattr(os, name)

    def asking(what: Any, *arguments: Any, **named: Any) -> Any:
        if name != "open" or arguments[0] & os.O_CREAT:
            door.ask(name, _path(what, named.get(folder)))
        return real(what, *arguments, **named)

    setattr(os, name, asking)


def _refusing(door: Door) -> None:
    for name in ("pwrite", "ftruncate", "fsync", "fdatasync", "open", "mkdir", "unlink", "rmdir"):
        _first(name, door, "dir_fd")
    for name in ("rename", "replace"):
        _first(name, door, "src_dir_fd")
    Raw.door = door
    fdopen: Callable[..., Any] = os.fdopen

    def asking(descriptor: int, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        if mode == "wb":
            return io.BufferedWriter(Raw(descriptor, mode))
        return fdopen(descriptor, mode, *arguments, **named)

    os.fdopen = asking
    connect: Callable[..., Any] = sqlite3.connect

    class Refusing(sqlite3.Connection):
        """A store that may have no room for the catalogue."""

        writes = False

        def execute(self, sql: str, /, *parameters: Any) -> sqlite3.Cursor:
            if sql.startswith("BEGIN"):
                self.writes = False
            self.writes = self.writes or bool(
                re.match(r"(INSERT|UPDATE|DELETE)\b.*\bbackups\b", sql.lstrip(), re.DOTALL)
            )
            if sql == "COMMIT" and self.writes and door.ordered("store", "commit backups"):
                super().execute("ROLLBACK")
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, *parameters)

    def connecting(database: Any, *arguments: Any, **options: Any) -> sqlite3.Connection:
        if "isolation_level" not in options:  # a reader
            return connect(database, *arguments, **options)
        return connect(database, *arguments, factory=Refusing, **options)

    sqlite3.connect = connecting


if "run" in sys.orig_argv and "REFUSING" in os.environ:
    _refusing(Door(Path(os.environ["REFUSING"]), os.environ["BACKUPS_OF_BOT"]))
