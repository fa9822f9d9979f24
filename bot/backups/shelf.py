"""The port `Library`: what lies in the archive, read in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from bot.backups.target import Target
from bot.domain.catalogue import Archived, Backup
from bot.errors import TargetFailed


class Shelf:
    """Implements `bot.operations.archive_ports.Library`; without a target every answer is how to mend that."""

    def __init__(self, target: Target | None) -> None:
        self._place = target

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

    def _target(self) -> Target:
        if self._place is None:
            raise TargetFailed(
                "xenbot has no place for backups.",
                "Name one in its configuration: [backups] path = a folder, and restart it.",
            )
        return self._place
