"""The port `Library`: what lies in the archive, read in a thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from bot.backups.checking import Look, check_all, check_sample
from bot.backups.target import Target
from bot.domain.catalogue import Archived, Backup, Proof
from bot.errors import TargetFailed

_TELL_EVERY_S: Final = 1.0


class Shelf:
    """Implements `bot.operations.archive_ports.Library`; without a target every answer is how to mend that."""

    def __init__(self, target: Target | None, clock: Callable[[], float] = time.time) -> None:
        self._place = target
        self._clock = clock

    async def listing(self) -> Sequence[Backup]:
        """See `Library.listing`."""
        return (await asyncio.to_thread(self._target().listing)).backups

    async def archived(self, backup: str) -> Archived:
        """See `Library.archived`."""
        stored = await asyncio.to_thread(self._target().find, backup)
        return Archived(stored.backup, stored.manifest.contents)

    async def path(self, backup: str) -> Path:
        """See `Library.path`."""
        return (await asyncio.to_thread(self._target().find, backup)).archive

    async def check(
        self, backup: str, how: Proof, share: float, who: str, progress: Callable[[int, int], None]
    ) -> Backup:
        """See `Library.check`."""
        target, loop = self._target(), asyncio.get_running_loop()
        stored = await asyncio.to_thread(target.find, backup)
        stop, pace = threading.Event(), _Pace()

        def reached(done: int, total: int) -> None:
            if stop.is_set():
                raise _Stopped
            if pace.due():
                loop.call_soon_threadsafe(progress, done, total)

        def read() -> Look:
            return check_all(stored, reached) if how is Proof.FULL else check_sample(stored, share, reached)

        reading = asyncio.create_task(asyncio.to_thread(read))
        try:
            look = await asyncio.shield(reading)
        except asyncio.CancelledError:
            stop.set()
            await asyncio.wait({reading})
            raise
        return await asyncio.to_thread(target.record, backup, look.verification(self._clock(), who))

    def _target(self) -> Target:
        if self._place is None:
            raise TargetFailed(
                "xenbot has no place for backups.",
                "Name one in its configuration: [backups] path = a folder, and restart it.",
            )
        return self._place


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
