"""Cards of a move by backup and of what may follow, in files to be reviewed. Delete a file and run twice to redo it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import backup_world as backups
import msgspec
import pytest
from migration_facts import GIB
from move_world import planned, read, retiring, rolling, there
from test_after_a_move import failed_move
from test_golden_cards import GOLDEN, job
from test_golden_cards import read as shown

from bot.domain.job import JobState
from bot.domain.message import Message
from bot.domain.plan import Plan
from bot.domain.record import StepRecord, StepState
from bot.domain.texts import Phrase, Size, say
from bot.jobs import story
from bot.operations import move_by_backup, retire, roll_back


def ended(plan: Plan, state: JobState, outcome: str, *evidence: str) -> Message:
    return story.card(
        job(
            plan,
            state,
            started_at=10_000.0,
            finished_at=10_320.0,
            outcome=say(outcome),
            evidence=tuple(say(line) for line in evidence),
            steps=tuple(StepRecord(120, at, step.kind, StepState.DONE) for at, step in enumerate(plan.steps)),
        ),
        operations[plan.operation],
    )


def under_way(plan: Plan, at: int, said: Phrase, progress: float = 0.0) -> tuple[StepRecord, ...]:
    """The steps of which that one is under way."""
    states = ["DONE"] * at + ["SENT"] + ["WAITING"] * len(plan.steps)
    return tuple(
        StepRecord(
            120,
            index,
            step.kind,
            StepState(states[index]),
            said=said if index == at else None,
            progress=progress if index == at else 0.0,
        )
        for index, step in enumerate(plan.steps)
    )


operations = {one.name: one for one in (move_by_backup.OPERATION, retire.OPERATION, roll_back.OPERATION)}
CARDS: dict[str, Callable[[], Message]] = {
    "move-by-backup-proposed": lambda: story.card(
        job(planned(), JobState.PROPOSED, approvers_needed=1), move_by_backup.OPERATION
    ),
    "move-by-backup-running": lambda: story.card(
        job(
            planned(),
            JobState.RUNNING,
            started_at=10_000.0,
            steps=under_way(
                planned(),
                4,
                say("{phase}: {done} of {all}", phase=say("compared"), done=Size(3 * GIB), all=Size(8 * GIB)),
                3 / 8,
            ),
        ),
        move_by_backup.OPERATION,
        now=10_120.0,
    ),
    "roll-back-succeeded": lambda: ended(
        rolling(),
        JobState.SUCCEEDED,
        "centos54 runs again on xenserver1: the move is rolled back",
        "The copy on xenserver2 is gone, with its disks",
    ),
    "move-by-backup-refused": lambda: story.refused(
        planned(read(backups.vm(pci=True)), there(xapi={"h-2": (23, 1)}, networks=(), needed=99 * GIB)),
        move_by_backup.OPERATION,
    ),
    "move-by-backup-succeeded": lambda: ended(
        planned(),
        JobState.SUCCEEDED,
        "centos54 now runs on xenserver2, as a copy",
        "Compared: read back from the copy, 1 disk with 4,000 blocks hold what backup 20261126-010203-abcd1234 holds",
        "centos54 runs there, and its tools answer",
        "centos54 of experiment is kept as it was, off: retire it, or roll back",
    ),
    "move-by-backup-failed": lambda: ended(
        planned(),
        JobState.FAILED,
        "centos54 was not moved, and runs on xenserver1",
        "Disk 0, read back from the copy, does not hold what the backup holds.",
        "centos54 is running",
        "what was imported of centos54 is removed, with its disks",
    ),
    "move-by-backup-left": lambda: story.card(
        msgspec.structs.replace(
            failed_move(JobState.FAILED, StepState.FAILED),
            started_at=9_000.0,
            finished_at=9_320.0,
            outcome=say("centos54 was not moved, and not all is as before"),
            evidence=(say("The copy centos54 is left on xenserver2"),),
        ),
        move_by_backup.OPERATION,
    ),
    "move-by-backup-silent": lambda: ended(
        planned(),
        JobState.NEEDS_ATTENTION,
        "centos54 was not moved, and runs on xenserver1",
        "The copy 9f2c7d1e-0a5b-4f6a-8f52-6d1f0c3b7a19 may be left in xenserver2",
        "xenserver2 has answered nothing for 15 min; not known: Remove what was imported of centos54",
    ),
    "retire-proposed": lambda: story.card(job(retiring(), JobState.PROPOSED, approvers_needed=1), retire.OPERATION),
    "roll-back-proposed": lambda: story.card(
        job(rolling(), JobState.PROPOSED, approvers_needed=1), roll_back.OPERATION
    ),
}


@pytest.mark.parametrize("name", sorted(CARDS))
def test_the_card_reads_as_reviewed(name: str) -> None:
    path: Path = GOLDEN / f"{name}.txt"
    text = shown(CARDS[name]())
    if not path.exists():
        path.write_text(text)
        pytest.fail(f"{path.name} was written; review it and run again")
    assert text == path.read_text()


def test_a_move_that_only_waits_says_no_time_that_is_left() -> None:
    waiting = under_way(planned(), len(planned().steps) - 1, say("it runs; waiting for its tools"))
    moving = job(planned(), JobState.RUNNING, started_at=10_000.0, steps=waiting)
    text = shown(story.card(moving, move_by_backup.OPERATION, now=10_120.0))
    assert "% · 2 min" in text
    assert "it runs; waiting for its tools" in text
    assert " left" not in text
