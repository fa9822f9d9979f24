"""Says the head of the audit chain outside the file once a day, so that rewriting the file contradicts a message."""

from __future__ import annotations

import structlog

from bot.domain.message import Facts, Message, Verdict
from bot.domain.texts import Code, say
from bot.jobs.rounds import rounds
from bot.store import Outgoing, Store

log = structlog.get_logger()

DAY_S = 86400.0
LOOK_S = 600.0


class Witness:
    """Tells the head to the log and to `channel`, a day after the store was made and every day from then on."""

    def __init__(self, store: Store, channel: str) -> None:
        self.store = store
        self.channel = channel

    async def run(self) -> None:
        """Runs until cancelled."""
        await rounds(self.look, LOOK_S)

    async def look(self) -> None:
        """Tells the head when a day is over; a broken chain is told each time it is looked at."""
        if not await self.store.day_is_over("audit_head_told", DAY_S):
            return
        entries, head, broken = await self.store.verify_audit()
        log.info("audit_head", entries=entries, head=head, broken=broken.seq if broken else None)
        if broken is None:
            line = say("The audit trail holds {n} entries; its head is {head}.", n=entries, head=Code(head))
        else:
            line = say(
                "The audit trail is broken at entry {seq}: {why}. {n} entries before it hold.",
                seq=broken.seq,
                why=broken.reason,
                n=entries,
            )
        why = say("Kept here so that nobody can rewrite it unseen. {check} compares.", check=Code("/xen audit verify"))
        await self.store.tell(Outgoing("post", Message(line, (Verdict(line), Facts((why,)))), channel=self.channel))
