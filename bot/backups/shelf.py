"""The port `Library`: what lies in the archive, read in threads of its own.

A file server that is gone keeps a thread for as long as it is gone. Those that the event loop has for everybody, such
as for the addresses of hosts, are few, and without them the bot is deaf.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec

from bot.backups.asking import Asking
from bot.backups.checking import Look, check_all, check_sample
from bot.backups.comparing import Comparing, wanted
from bot.backups.intake_examined import LINGER_S
from bot.backups.target import Target
from bot.domain.catalogue import Archived, Backup, Proof, Shown, looked_at
from bot.errors import TargetFailed

_TELL_EVERY_S: Final = 1.0
#: All of a proof is read for a comparison: a second or two for each TiB of disks, more on a busy machine.
_PROOF_S: Final = 300.0
_ASKING: Final = 8
#: Looks at archives take long also when all is well, and are not to keep what is asked waiting.
_READING: Final = 8
#: A list that somebody has given up waiting for keeps its thread; more of them would take those that restores need.
_GLANCES: Final = 2


class Shelf(Asking):
    """Implements `bot.operations.archive_ports.Library`; without a target every answer is how to mend that."""

    def __init__(self, target: Target | None, clock: Callable[[], float] = time.time) -> None:
        super().__init__(target, ThreadPoolExecutor(_ASKING, thread_name_prefix="shelf"))
        self._clock = clock
        # Two who read one archive at a time only take the disk from each other.
        self._turns: dict[str, asyncio.Lock] = {}
        self._waiting: Counter[str] = Counter()
        self._reading = ThreadPoolExecutor(_READING, thread_name_prefix="shelf-reading")
        self._glances = threading.BoundedSemaphore(_GLANCES)

    async def listing(self) -> Shown:
        """See `Library.listing`."""
        return (await asyncio.wrap_future(self._threads.submit(self._target().listing))).shown(self._clock())

    async def glance(self) -> Shown:
        """See `Library.glance`."""
        target = self._target()
        if not self._glances.acquire(blocking=False):
            raise TargetFailed("The archive is being listed for others already.", "Ask again in a minute.")
        listing = self._threads.submit(target.listing)
        # At the end of the thread: whoever asked may be gone long before.
        listing.add_done_callback(lambda _: self._glances.release())
        return (await asyncio.wrap_future(listing)).shown(self._clock())

    async def archived(self, backup: str) -> Archived:
        """See `Library.archived`."""
        stored = await self._asked(self._target().find, backup)
        return Archived(stored.backup, stored.manifest.contents)

    async def path(self, backup: str) -> Path:
        """See `Library.path`."""
        return (await self._asked(self._target().find, backup)).archive

    async def compare(self, backup: str) -> Comparing:
        """See `Library.compare`."""
        stored = await self._asked(self._target().find, backup)
        return Comparing(stored, await self._within(_PROOF_S, self._reading.submit(wanted, stored)))

    def looking_at(self) -> frozenset[str]:
        """See `Library.looking_at`."""
        return frozenset(self._turns)

    async def check(
        self, backup: str, how: Proof, share: float, who: str, progress: Callable[[int, int], None]
    ) -> Backup:
        """See `Library.check`."""
        turn = self._turns.setdefault(backup, asyncio.Lock())
        self._waiting[backup] += 1
        try:
            async with turn:
                return await self._looked(backup, how, share, who, progress)
        finally:
            self._waiting[backup] -= 1
            if not self._waiting[backup]:
                del self._turns[backup], self._waiting[backup]

    async def _looked(
        self, backup: str, how: Proof, share: float, who: str, progress: Callable[[int, int], None]
    ) -> Backup:
        target, loop = self._target(), asyncio.get_running_loop()
        stored = await self._asked(target.find, backup)
        stop, pace = threading.Event(), _Pace()

        def reached(done: int, total: int) -> None:
            if stop.is_set():
                raise _Stopped
            if pace.due():
                loop.call_soon_threadsafe(progress, done, total)

        def read() -> Look:
            return check_all(stored, reached) if how is Proof.FULL else check_sample(stored, share, reached)

        reading = asyncio.wrap_future(self._reading.submit(read))
        try:
            look = await asyncio.shield(reading)
        except asyncio.CancelledError:
            stop.set()
            reading.add_done_callback(lambda done: done.cancelled() or done.exception())
            # Only a read from a dead disk takes longer, and nothing ends that.
            await asyncio.wait({reading}, timeout=LINGER_S)
            raise
        found = look.verification(self._clock(), who)
        try:
            # What is written may take its time: given up early, it would be there and said not to be.
            return await asyncio.wrap_future(self._threads.submit(target.record, backup, found))
        except TargetFailed as failed:
            # What was found counts all the same, above all damage; the catalogue can still tell of it.
            note = f"{found.note} It could not be kept beside the archive: {failed}".strip()
            return looked_at(stored.backup, msgspec.structs.replace(found, note=note))


class _Stopped(Exception):
    """Nobody wants to know any more."""


class _Pace:
    """Says yes about once a second, in one thread."""

    def __init__(self) -> None:
        self._at = 0.0

    def due(self) -> bool:
        now = time.monotonic()
        if now - self._at < _TELL_EVERY_S:
            return False
        self._at = now
        return True
