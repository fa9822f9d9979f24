"""The port `Archives`: what jobs do to the place where backups are kept. Whatever waits for a disk does so in a thread.

A backup's id ends in the mark of the job that makes it, so that after a crash it is known whether that one was made.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Final, ParamSpec, TypeVar

from bot.backups.asking import Asking
from bot.backups.intake import Intake, Received
from bot.backups.manifest import Manifest, make_id
from bot.backups.target import Draft, Listing, Target, Verified
from bot.domain.backup import Contents
from bot.domain.backup_facts import Label, Room
from bot.domain.catalogue import Backup
from bot.errors import TargetFailed
from bot.operations.stream_ports import Sink

_THREADS: Final = 8

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Archive(Asking):
    """Implements `bot.operations.archive_ports.Archives`.

    Args:
        target: The place; without one every question is answered by how to mend that.
        reserve: Bytes that must stay free there.
        clock: Unix seconds.
        identity: Tells who this bot is (see `custody`).
    """

    def __init__(
        self,
        target: Target | None,
        *,
        reserve: int = 0,
        clock: Callable[[], float] = time.time,
        identity: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        super().__init__(target, ThreadPoolExecutor(_THREADS, thread_name_prefix="archive"))
        self._reserve = reserve
        self._identity = identity
        self._coming: set[Incoming] = set()
        self._expected: dict[str, tuple[str, int]] = {}
        self._promises = 0
        self._clock = clock

    async def receive(self, guest: str, mark: str, likely: int) -> Incoming:
        """See `Archives.receive`."""
        at = self._clock()
        target = self._target()
        begun = asyncio.wrap_future(self._threads.submit(target.begin, make_id(at, mark), guest))
        try:
            draft = await asyncio.shield(begun)
        except asyncio.CancelledError:
            # The thread makes the draft all the same, and nobody else knows of it.
            await asyncio.wait({begun})
            if begun.exception() is None:
                await self.to_its_end(target.discard, begun.result().id)
            raise
        coming = Incoming(self, target, draft, at, likely)
        self._coming.add(coming)
        self.expect(guest, mark, 0)
        return coming

    def expect(self, guest: str, mark: str, likely: int) -> None:
        """See `Archives.expect`."""
        if likely <= 0:
            self._expected.pop(mark, None)
        elif self._expected.get(mark) != (guest, likely):
            self._expected[mark] = (guest, likely)
            self._promises += 1

    @property
    def promises(self) -> int:
        """See `Archives.promises`."""
        return self._promises

    def arrived(self, coming: Incoming) -> None:
        """It is over, and room is kept for it no longer."""
        self._coming.discard(coming)

    async def made(self, guest: str, mark: str) -> Backup | None:
        """See `Archives.made`."""
        listing = await self._asked(self._target().listing, guest)
        found = next((one for one in listing.backups if one.id.endswith(f"-{mark}")), None)
        if found is None:
            _refuse_dark(listing, guest, mark)
        return found

    async def sweep(self, guest: str, mark: str) -> None:
        """See `Archives.sweep`."""
        target = self._target()
        listing = await self._asked(target.listing, guest)
        found = [one.id for one in listing.unfinished if one.guest == guest and one.id.endswith(f"-{mark}")]
        for draft in found:
            await self._asked(target.discard, draft)
        if not found:
            _refuse_dark(listing, guest, mark)

    async def room(self, besides: Collection[str] = ()) -> Room:
        """See `Archives.room`."""
        space = await self._asked(self._target().space)
        expected = sum(likely for guest, likely in self._expected.values() if guest not in besides)
        promised = sum(one.outstanding for one in self._coming) + expected
        return Room(max(0, space.free - self._reserve - promised), space.total, promised)

    async def shares_server(self, config: Mapping[str, str]) -> bool:
        """See `Archives.shares_server`."""
        return await self._asked(self._target().shares_server, config)

    async def to_its_end(self, work: Callable[_P, _T], *args: _P.args, **named: _P.kwargs) -> _T:
        """Does it in a thread, and waits for it even when cancelled: what it does is done or not when this returns."""
        doing = asyncio.wrap_future(self._threads.submit(work, *args, **named))
        try:
            return await asyncio.shield(doing)
        except asyncio.CancelledError:
            await asyncio.wait({doing})
            raise

    async def identity(self) -> str:
        """Who this bot is; "" where nobody says."""
        return await self._identity() if self._identity is not None else ""

    def now(self) -> float:
        """Unix seconds."""
        return self._clock()


def _refuse_dark(listing: Listing, guest: str, mark: str) -> None:
    """Raises TargetFailed where what bears the mark may be there all the same, in what could not be read."""
    if listing.blind or guest in listing.unread or any(one.endswith(f"-{mark}") for one in listing.unread):
        raise TargetFailed("The backups of this guest cannot all be read now.", "Look at the disk and its server.")


class Incoming:
    """Implements `bot.operations.archive_ports.Arrival`."""

    def __init__(self, archive: Archive, target: Target, draft: Draft, at: float, likely: int) -> None:
        self._archive = archive
        self._likely = likely
        self._target = target
        self._draft = draft
        self._at = at
        self._checker = draft.checker()
        self._intake: Intake[Verified] = Intake(draft.archive, self._checker)
        self._received: Received[Verified] | None = None
        self._committed = False

    @property
    def sink(self) -> Sink:
        """See `Arrival.sink`."""
        return self._intake

    @property
    def covered(self) -> int:
        """See `Arrival.covered`."""
        return self._checker.covered

    @property
    def expected(self) -> int:
        """See `Arrival.expected`."""
        return self._checker.expected

    @property
    def outstanding(self) -> int:
        """Bytes that will likely still be written: by what was said ahead of time, beyond that by how it has gone."""
        written = self._intake.written
        likely = self._likely
        if written >= likely and self._checker.covered:
            likely = written * self._checker.expected // self._checker.covered
        return max(0, likely - written)

    async def whole(self) -> Contents:
        """See `Arrival.whole`."""
        self._received = await self._intake.close()
        return self._received.contents.contents

    async def commit(self, label: Label) -> Backup:
        """See `Arrival.commit`."""
        received = self._received
        if received is None:
            raise ValueError("only what is whole can be committed")
        manifest = Manifest(
            id=self._draft.id,
            guest=label.guest,
            name=label.name,
            pool=label.pool,
            pool_name=label.pool_name,
            at=self._at,
            finished=self._archive.now(),
            size=received.size,
            sha256=received.sha256,
            proof_sha256=received.contents.proof_sha256,
            contents=received.contents.contents,
            how=label.how,
            job=label.job,
            task=label.task,
            who=label.who,
            reason=label.reason,
            keep=label.keep,
            kept_until=None if label.kept_s is None else self._at + label.kept_s,
            bot=version("xenbot"),
            store=await self._archive.identity(),
        )
        stored = await self._archive.to_its_end(self._target.commit, self._draft, manifest)
        self._committed = True
        self._archive.arrived(self)
        return stored.backup

    async def discard(self) -> None:
        """See `Arrival.discard`."""
        self._archive.arrived(self)
        await self._intake.discard()
        if not self._committed:
            # After a commit that was cancelled there is no draft of that id any more, and this does nothing.
            await self._archive.to_its_end(self._target.discard, self._draft.id)
