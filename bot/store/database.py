"""One thread owns the write connection; callers hand it functions and get their result back.

Every write runs inside `BEGIN IMMEDIATE`, so that a reader-turned-writer can never meet "database is locked", and is
shielded from cancellation: a task that dies while its last write is under way still leaves the write whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TypeVar

import sqlite_utils

from bot.errors import StoreError
from bot.store.migrations import MIGRATIONS, missing_guards

T = TypeVar("T")


def connect(path: Path, *, read_only: bool = False) -> sqlite_utils.Database:
    """A connection with the settings the bot relies on. Raises StoreError where the file cannot be opened."""
    try:
        with contextlib.ExitStack() as undo:
            if read_only:
                connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
                undo.callback(connection.close)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
                undo.callback(connection.close)
                # The first to read the file: one that is no database opens, and is refused here.
                connection.execute("PRAGMA journal_mode=WAL")
                # FULL: a decision that was acked must survive the power going off the next moment.
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA busy_timeout=5000")
            connection.row_factory = sqlite3.Row
            undo.pop_all()
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"The store {path.name} cannot be opened: {error}.") from error
    return sqlite_utils.Database(connection)


def _claim(path: Path) -> IO[str]:
    """Holds the store for this process: a second bot on it would adopt, and could send, the same jobs.

    The kernel gives the lock back however the process ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as undo:
        claim = undo.enter_context(path.with_name(f"{path.name}.lock").open("w"))
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(f"Another xenbot works with the store {path.name}; stop it first.") from error
        undo.pop_all()
    return claim


class Database:
    """The write connection and its thread, and a second one for long reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="store-read")
        self._db: sqlite_utils.Database | None = None
        self._read_db: sqlite_utils.Database | None = None
        self._claim: IO[str] | None = None

    async def open(self) -> None:
        """Opens the file, brings the schema up to date, and checks that the guards of the audit are there.

        Raises StoreError when the file is damaged, its guards are gone, or another bot works with it.
        """
        await asyncio.get_running_loop().run_in_executor(self._writer, self._open)

    def _open(self) -> None:
        with contextlib.ExitStack() as undo:
            claim = undo.enter_context(_claim(self.path))
            db = self._checked()
            undo.callback(db.close)
            self._read_db = connect(self.path, read_only=True)
            self._claim, self._db = claim, db
            undo.pop_all()

    def _checked(self) -> sqlite_utils.Database:
        db = connect(self.path)
        try:
            MIGRATIONS.apply(db)
            missing = missing_guards(db)
            verdict = db.execute("PRAGMA quick_check").fetchone()[0]
        except sqlite3.Error as error:
            db.close()
            raise StoreError(f"The store {self.path.name} cannot be used: {error}.") from error
        if missing or verdict != "ok":
            db.close()
            raise StoreError(
                f"The store {self.path.name} is not as it should be: {', '.join(missing) or verdict}."
                " See the runbook, “The store is damaged”."
            )
        return db

    async def write(self, work: Callable[[sqlite_utils.Database], T]) -> T:
        """The result of `work`, run in one transaction; nothing of it stays when it raises.

        When the caller is cancelled the write goes on to its end before the cancellation is felt.
        """
        future = asyncio.get_running_loop().run_in_executor(self._writer, self._in_transaction, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            raise

    def _in_transaction(self, work: Callable[[sqlite_utils.Database], T]) -> T:
        if self._db is None:
            raise StoreError("The store is closed.")
        connection = self._db.conn
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(self._db)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.IntegrityError:
            raise  # a broken rule is a defect of ours, not of the file
        except sqlite3.Error as error:
            raise StoreError(f"The store cannot be written: {error}.") from error
        return result

    async def read(self, work: Callable[[sqlite_utils.Database], T]) -> T:
        """The result of `work` on a read-only connection, away from the writes."""
        return await asyncio.get_running_loop().run_in_executor(self._reader, self._reading, work)

    def _reading(self, work: Callable[[sqlite_utils.Database], T]) -> T:
        if self._read_db is None:
            raise StoreError("The store is closed.")
        try:
            return work(self._read_db)
        except sqlite3.Error as error:
            raise StoreError(f"The store cannot be read: {error}.") from error

    async def close(self) -> None:
        """Ends both threads and closes the file; a second call does nothing."""
        await asyncio.get_running_loop().run_in_executor(None, self._close)

    def _close(self) -> None:
        self._writer.shutdown(wait=True)
        self._reader.shutdown(wait=True)
        for db in (self._db, self._read_db):
            if db is not None:
                db.close()
        self._db = self._read_db = None
        if self._claim is not None:
            self._claim.close()
            self._claim = None
