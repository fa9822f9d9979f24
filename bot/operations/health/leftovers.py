"""What jobs of ours left at a pool: found by its look, known as ours by what was stored when it was made."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from bot.domain.health import HealthFacts
from bot.domain.job import FINAL, JobState
from bot.domain.message import Button
from bot.domain.record import JobRecord
from bot.domain.texts import say
from bot.domain.words import numbered
from bot.operations.backup_steps import SNAPSHOT_NAME
from bot.operations.health.row import Item, Row, on_button, row


class Jobs(Protocol):
    """The journal, as far as it is asked here."""

    async def makers(self, objects: Collection[str]) -> dict[str, JobRecord]:
        """The newest job that made each of these objects (UUIDs), where one did."""
        ...


async def look(facts: HealthFacts, journal: Jobs) -> Row:
    """The row of snapshots that backups of ours took and did not remove. Raises StoreError."""
    items = []
    named = [each for each in facts.snapshots if each.name.startswith(SNAPSHOT_NAME)]
    makers = await journal.makers([one.uuid for one in named]) if named else {}
    for one in named:
        of, job = one.guest or "a guest that is gone", makers.get(one.uuid)
        if job is None:
            # Its name alone may be inherited, or another bot's: nobody here may remove it.
            strange = say("a snapshot of {vm} is named like ours, and no job here made it", vm=of)
            items.append(Item(f"leftover:{one.uuid}", strange))
            continue
        if job.state in FINAL:
            says = say("job {n} left its snapshot of {vm}", n=numbered(job), vm=of)
            plan = say("Plan: remove what job {n} left", n=numbered(job))
            button = Button(f"Remove snapshot of {on_button(of)}", "ask", f"clean-up {job.number}", says=plan)
            items.append(Item(f"leftover:{one.uuid}", says, button=button if one.guest else None))
        elif job.state is JobState.NEEDS_ATTENTION:
            says = say("job {n} left its snapshot of {vm} and needs a person", n=numbered(job), vm=of)
            items.append(Item(f"leftover:{one.uuid}", says))
    fix = say("Remove it once nobody needs it: each slows its guest's disks and fills the storage.")
    return row("leftovers", "Left by xenbot", items, say("nothing"), fix)
