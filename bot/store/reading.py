"""Reading a store without the bot: for the command line and for anyone's scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from bot.domain.audit import Entry, Wanted
from bot.domain.record import JobRecord
from bot.errors import StoreError
from bot.store import audit, rows
from bot.store.database import connect
from bot.store.ledger import IDENTITY


class StoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[store]`: the SQLite file."""

    path: str


class Reader:
    """A read-only view of a store, safe beside a running bot. Raises StoreError when there is no store at `path`."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise StoreError(f"There is no store at {path}.")
        self._db = connect(path, read_only=True)

    def jobs(self, limit: int = 20) -> list[JobRecord]:
        """Newest first."""
        return rows.jobs(self._db, limit=limit)

    def audit(self, limit: int = 20, job: int | None = None) -> list[Entry]:
        """Newest first."""
        return audit.newest(self._db, limit=limit, wanted=Wanted(job=job))

    def entries(self) -> Iterator[Entry]:
        """Every audit entry, oldest first."""
        return audit.oldest_first(self._db)

    def identity(self) -> str:
        """What tells this store from others; "" where no bot has asked for it yet."""
        row = self._db.execute("SELECT value FROM settings WHERE key = ?", [IDENTITY]).fetchone()
        return str(row["value"]) if row is not None else ""

    def close(self) -> None:
        """Closes the file."""
        self._db.close()
