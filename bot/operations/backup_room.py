"""Room in the archive, kept for a guest from the last look before its lane begins until its export comes.

Meanwhile it is shut down or a snapshot of it taken, which may last, and no other backup may be promised the same room.
"""

from __future__ import annotations

from typing import Final

import structlog

from bot.domain.catalogue import newest_good
from bot.errors import StoreError
from bot.operations.archive_ports import Catalogue
from bot.operations.backup_steps import mark
from bot.operations.base import Ahead
from bot.operations.checks.backing import GROWN
from bot.operations.ports import Facts

log = structlog.get_logger()


async def likely(guest: str, catalogue: Catalogue) -> int:
    """Bytes that a backup of a guest (UUID) will take up, by the last one; 0 where there is none."""
    try:
        last = newest_good(await catalogue.backups(guest=guest))
    except StoreError as doubt:
        # Room is kept for it by how it goes, then.
        log.warning("no_earlier_backup_known", guest=guest, reason=str(doubt))
        return 0
    return int(last.size * GROWN) if last is not None else 0


async def _keep(guest: str, nonce: str, facts: Facts) -> None:
    facts.archives.expect(mark(nonce, guest), await likely(guest, facts.catalogue))


def _let_go(guest: str, nonce: str, facts: Facts) -> None:
    facts.archives.expect(mark(nonce, guest), 0)


ROOM: Final = Ahead(_keep, _let_go)
