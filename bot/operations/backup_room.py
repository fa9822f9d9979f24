"""Room in the archive, kept for the guests of a job from the moment it starts until the export of each comes.

Meanwhile lanes wait for their turn, guests are shut down and snapshots taken, which may last, and no other backup may
be promised the same room. How much it is the plan says: by the last backup, of a first one by what its disks take up.
"""

from __future__ import annotations

from typing import Final

from bot.domain.record import JobRecord, StepState
from bot.operations.backup_steps import mark
from bot.operations.base import Ahead
from bot.operations.ports import Facts

_AHEAD: Final = {StepState.WAITING, StepState.INTENT, StepState.SENT}


def _keep(job: JobRecord, facts: Facts) -> None:
    for step in job.steps:
        planned = job.plan.steps[step.index]
        if planned.room and step.state in _AHEAD:
            facts.archives.expect(planned.lane, mark(job.nonce, planned.lane), planned.room)


def _let_go(job: JobRecord, guest: str, facts: Facts) -> None:
    facts.archives.expect(guest, mark(job.nonce, guest), 0)


ROOM: Final = Ahead(lambda facts: facts.archives.promises, _keep, _let_go)
