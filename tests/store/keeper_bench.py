"""A keeper of backups with a real store, a real archive and a clock of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from backup_keeping import AT, GUEST, OTHER, keep

from bot.backups import Folder, Policy, Pruner, Shelf, Stored
from bot.domain.inventory import FeedState
from bot.domain.plain_text import text_of
from bot.domain.retention import read_rule
from bot.errors import NotFound
from bot.jobs.keeper import Keeper, Keeping
from bot.store import Store

DAY = 86_400.0


@dataclass
class Clock:
    now: float = AT

    def __call__(self) -> float:
        return self.now


@dataclass
class Guests:
    """The guests that live, in pools that are read or still being read."""

    living: set[str] = field(default_factory=lambda: {GUEST, OTHER})
    state: FeedState = FeedState.LIVE

    def pools(self) -> tuple[Any, ...]:
        return (SimpleNamespace(state=self.state),)

    def vm(self, text: str) -> object:
        if text not in self.living:
            raise NotFound("guest", text)
        return object()


class Bench:
    """A keeper with a real store and a real archive, and a clock of its own."""

    def __init__(self, folder: Path, store: Store, clock: Clock) -> None:
        self.store, self.clock, self.guests = store, clock, Guests()
        (folder / "archive").mkdir()
        self.target = Folder(folder / "archive")
        self.shelf = Shelf(self.target, clock)
        self.keeping = Keeping(30 * DAY, 0.01, 2 * DAY)

    async def round(self, after: float = 0.0) -> list[str]:
        """One round so many seconds later; returns what it tells, as text."""
        self.clock.now += after
        await self.keeper().round()
        told = []
        for parcel in await self.store.due(100):
            told.append(text_of(parcel.message))
            await self.store.delivered(parcel.id, "1.0")
        return told

    def keeper(self) -> Keeper:
        steward = Pruner(self.target, Policy(read_rule("last 1"), ZoneInfo("UTC"), 7), self.store.identity, self.clock)
        return Keeper(
            self.store,
            self.shelf,
            steward,
            self.guests,  # type: ignore[arg-type]  # as much of a fleet as is asked
            self.keeping,
            team="T1",
            channel="C9",
        )

    async def kept(self, guest: str = GUEST, **known: Any) -> Stored:
        stored = keep(self.target, guest, self.clock.now, finished=self.clock.now, **known)
        await self.store.keep_backup(stored.backup)
        return stored

    async def kept_hourly(self, count: int) -> list[Stored]:
        """So many backups of one guest, an hour between each two."""
        kept = [await self.kept()]
        for _ in range(count - 1):
            self.clock.now += 3600
            kept.append(await self.kept())
        return kept

    async def entries(self) -> list[tuple[str, str, str]]:
        return [(one.tag, one.target_uuid, one.actor) for one in reversed(await self.store.audit(limit=100))]
