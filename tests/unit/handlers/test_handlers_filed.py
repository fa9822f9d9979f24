"""What people read when they ask, in files that can be reviewed. Delete a file and run twice to write it anew."""

from __future__ import annotations

import msgspec
import pytest
from ports import Room
from small_fleet import NOW, backup
from test_handlers_audit import ENTRY
from test_handlers_backups import HURT
from test_handlers_home import busy, reads_as_reviewed

from bot.domain.catalogue import BackupState
from bot.domain.message import Message
from bot.domain.plain_text import text_of
from bot.domain.record import Decision

#: The file of each answer, and what was typed.
ASKED = {
    "answer-vms": "vms",
    "answer-vms-none": "vms state paused",
    "answer-jobs": "jobs",
    "answer-job": "job 3",
    "answer-job-needs-a-person": "job 5",
    "answer-audit": "audit",
    "answer-audit-verify": "audit verify",
    "answer-backups": "backups",
    "answer-backups-of-a-guest": "backups centos54",
    "answer-whoami": "whoami",
    "answer-help-migrate": "help migrate",
}


def room() -> Room:
    """A busy hour: jobs in every state, two backups of which one is damaged, and a trail of two entries."""
    where = busy()
    where.journal.records = [
        msgspec.structs.replace(one, decisions=(Decision("U1", "confirm", NOW - 30),)) if one.number == 3 else one
        for one in where.journal.records
    ]
    where.journal.entries = [ENTRY, msgspec.structs.replace(ENTRY, seq=2, actor="", tag="job:start")]
    where.journal.verdict = (2, "ab" * 32, None)
    where.journal.catalogue = [backup(2), backup(1, verified=HURT, state=BackupState.DAMAGED)]
    return where


@pytest.mark.parametrize("name", list(ASKED))
async def test_the_answer_reads_as_filed(name: str) -> None:
    answer = await room().type(ASKED[name])
    assert isinstance(answer, Message)
    assert reads_as_reviewed(name, text_of(answer))
