"""The port `Archives`: what jobs may do to the place where backups are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from bot.domain.backup_facts import Room
from bot.domain.catalogue import Backup
from bot.errors import TargetFailed
from bot.operations.archive_ports import Arrival


class NoArchive:
    """Where no place is configured: every question is answered by how to mend that."""

    async def receive(self, _guest: str, _mark: str) -> Arrival:
        """See `Archives.receive`."""
        _nowhere()

    async def made(self, _guest: str, _mark: str) -> Backup | None:
        """See `Archives.made`."""
        _nowhere()

    async def sweep(self, _guest: str, _mark: str) -> None:
        """See `Archives.sweep`."""
        _nowhere()

    async def room(self) -> Room:
        """See `Archives.room`."""
        _nowhere()

    async def shares_server(self, _config: Mapping[str, str]) -> bool:
        """See `Archives.shares_server`."""
        _nowhere()


def _nowhere() -> NoReturn:
    raise TargetFailed(
        "xenbot has no place for backups.", "Name one in its configuration: [backups] path = a folder, and restart it."
    )
