"""One pool, wired: sessions for calls, the model and the feed that fills it, the probe, and reading things directly."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final, TypeVar

from bot.domain.inventory import FeedState, Pool, PoolView
from bot.errors import XapiFailure
from bot.xen.classes import convert
from bot.xen.faults import NULL_REF, IfThere
from bot.xen.feed import Feed
from bot.xen.model import Model
from bot.xen.probe import Probe
from bot.xen.records import Record
from bot.xen.session import Sessions
from bot.xen.settings import PoolSettings
from bot.xen.tables import Tables
from bot.xen.tls import warn_if_open

_R = TypeVar("_R", bound=Record)
_BRIEF_S: Final = 2.0
#: Where several hosts died a moment ago, questions to the others must not wait behind them.
_BRIEF_THREADS: Final = 8


class LivePool:
    """Everything there is of one pool. `clock` gives Unix seconds."""

    def __init__(self, settings: PoolSettings, password: str, clock: Callable[[], float], probe_every_s: float) -> None:
        self.settings = settings
        self.name = settings.name
        self.model = Model(settings.name)
        self.sessions = Sessions(settings, password, self.name_of)
        # Questions that the coordinator hands on to each host: one that has died holds them, and its threads with them.
        self.brief = Sessions(settings, password, self.name_of, patience_s=_BRIEF_S, threads=_BRIEF_THREADS)
        self.feed = Feed(settings.name, self.sessions, self.model, clock)
        self.probe = Probe(settings, self.model, clock, probe_every_s)
        self._running: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return f"LivePool({self.name!r})"

    @property
    def pool(self) -> Pool | None:
        """The pool object, once the feed has loaded it."""
        return self.model.inventory.pool

    def view(self) -> PoolView:
        """The pool as it is known now."""
        inventory = self.model.inventory
        return PoolView(
            name=self.name,
            state=self.feed.state if inventory.pool is not None else FeedState.LOADING,
            age_s=self.feed.age_s,
            reason=self.feed.reason,
            pool=inventory.pool,
            hosts=inventory.hosts,
            vms=inventory.vms,
            srs=inventory.srs,
            alerts=inventory.alerts,
            members=self.probe.members,
            networks=inventory.networks,
        )

    def name_of(self, ref: str) -> str | None:
        """The display name of a reference, if the feed knows it."""
        return self.model.tables.name(ref)

    def adopt(self, entry: LivePool) -> None:
        """Lets the hosts of another entry of the configuration, now members of this pool, be asked for it as well."""
        self.sessions.adopt(entry.settings)
        self.brief.adopt(entry.settings)

    def release(self) -> None:
        """Lets no adopted host be asked for this pool any more."""
        self.sessions.release(self.settings)
        self.brief.release(self.settings)

    async def start(self) -> None:
        """Starts following and probing."""
        warn_if_open(self.settings)
        self._running = [
            asyncio.create_task(self.feed.run(), name=f"feed-{self.name}"),
            asyncio.create_task(self.probe.run(), name=f"probe-{self.name}"),
        ]

    async def stop(self) -> None:
        """Stops all of it and closes the sessions."""
        for task in self._running:
            task.cancel()
        for task in self._running:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await asyncio.gather(self.sessions.close(), self.brief.close())

    async def resolve(self, kind: str, uuid: str) -> str:
        """The reference of an object; the pool is asked where the feed does not know it. Raises XapiFailure."""
        known = self.model.tables.ref(kind, uuid)
        return known or str(await self.sessions.read(f"{kind}.get_by_uuid", uuid))

    async def uuid_of(self, kind: str, ref: str) -> str:
        """The UUID behind a reference, as the pool itself says now; "" for none, and for one of something that is gone.

        Raises Unreachable, XapiFailure.
        """
        if ref == NULL_REF:
            return ""
        with IfThere():
            return str(await self.sessions.read(f"{kind}.get_uuid", ref))
        return ""

    async def keep(self, kind: str, ref: str, key: str, value: str) -> None:
        """Writes a key of an object's `other_config`, in place of what it held. Raises Unreachable, XapiFailure."""
        await self.sessions.read(f"{kind}.remove_from_other_config", ref, key)
        try:
            await self.sessions.read(f"{kind}.add_to_other_config", ref, key, value)
        except XapiFailure as refusal:
            # As a real server does: no key is added twice, not even by a call that comes again as its answer was lost.
            if refusal.code != "MAP_DUPLICATE_KEY":
                raise


class Reader:
    """Reads records one by one, directly, into tables of its own."""

    def __init__(self, pool: LivePool) -> None:
        self.tables = Tables()
        self._sessions = pool.sessions

    async def one(self, kind: type[_R], ref: str) -> _R | None:
        """The record; None when it is gone or the reference is null. Raises Unreachable, XapiFailure."""
        if not ref.startswith("OpaqueRef:") or ref == NULL_REF:
            return None
        with IfThere():
            record: _R = convert(kind, await self._sessions.read(f"{kind.cls}.get_record", ref))
            self.tables.put(ref, record)
            return record
        return None

    async def some(self, kind: type[_R], refs: set[str]) -> list[_R]:
        """The records of these references that are there."""
        records = await asyncio.gather(*(self.one(kind, ref) for ref in sorted(refs)))
        return [record for record in records if record is not None]

    async def all(self, kind: type[_R]) -> dict[str, _R]:
        """All records of a class that has few. Raises Unreachable, XapiFailure."""
        wire = await self._sessions.read(f"{kind.cls}.get_all_records")
        for ref, record in wire.items():
            self.tables.put(ref, convert(kind, record))
        return self.tables.of(kind)
