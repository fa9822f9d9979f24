"""Cards of backups as people read them, in files that can be reviewed. Delete a file and run twice to write it anew."""

from __future__ import annotations

from collections.abc import Callable

import backup_world as backups
import pytest
from backup_world import decided, earlier, place, read
from migration_facts import GIB, guest
from reviewed import reviewed
from test_golden_cards import GOLDEN, job
from test_golden_cards import read as shown

from bot.domain.job import JobState
from bot.domain.message import Message
from bot.domain.plan import Plan
from bot.domain.record import StepRecord, StepState
from bot.domain.texts import Code, Phrase, Size, Span, say
from bot.jobs import story
from bot.operations.backup import OPERATION
from bot.operations.checks.backing import How


def steps(plan: Plan, *states: str, **said: Phrase) -> tuple[StepRecord, ...]:
    """The steps that far; what one says is given by the lane and its place in the plan, as in `vm1_0`."""
    every, told = [*states, *["WAITING"] * len(plan.steps)], [said.get(f"s{index}") for index in range(len(plan.steps))]
    return tuple(
        # Three of eight GiB.
        StepRecord(120, at, step.kind, StepState(every[at]), said=told[at], progress=0.375 * (told[at] is FAR))
        for at, step in enumerate(plan.steps)
    )


def card(plan: Plan, state: JobState, **changes: object) -> Message:
    return story.card(job(plan, state, **changes), OPERATION, now=10_070.0)


WARM = decided(read(), there=place(300 * GIB, *(earlier(day, 2 * GIB, took=80) for day in range(1, 9))))
COLD = decided(read(), how=How.COLD)
BLOCKED = decided(read(*backups.OBSTACLES), there=place(GIB))
BOTH = decided(read(), read(of=backups.SECOND))
MANY = decided(*(read(of=guest(f"ci{number}", uuid=f"vm-{number}")) for number in range(12)))
ENDED, BROKEN = (*("DONE",) * 4, "WAITING"), ("DONE", "FAILED", "DONE", "DONE", "WAITING")
FAR = say(
    "{phase}: {done} of {all}, {rate}/s, about {left} left",
    phase=say("verified"),
    done=Size(3 * GIB),
    all=Size(8 * GIB),
    rate=Size(150 << 20),
    left=Span(35),
)
CARDS: dict[str, Callable[[], Message]] = {
    "backup-proposed": lambda: card(WARM, JobState.PROPOSED),
    "backup-proposed-cold": lambda: card(COLD, JobState.PROPOSED),
    "backup-proposed-several": lambda: card(BOTH, JobState.PROPOSED),
    "backup-blocked": lambda: story.refused(BLOCKED, OPERATION),
    "backup-running": lambda: card(
        BOTH,
        JobState.RUNNING,
        steps=steps(BOTH, "DONE", "SENT", "WAITING", "WAITING", "WAITING", s1=FAR),
        started_at=10_030.0,
    ),
    "backup-running-many": lambda: card(
        MANY,
        JobState.RUNNING,
        steps=steps(
            MANY, *ENDED * 3, *BROKEN, "DONE", "SENT", s16=say("Failed: {why}", why="the quota is used up."), s21=FAR
        ),
        started_at=10_030.0,
    ),
    "backup-cleaning-up": lambda: card(
        WARM,
        JobState.RUNNING,
        steps=steps(WARM, "DONE", "FAILED", "SENT", s1=say("Failed: {why}", why="no space is left there.")),
        started_at=10_030.0,
    ),
    "backup-succeeded": lambda: card(
        WARM,
        JobState.SUCCEEDED,
        steps=steps(WARM, "DONE", "DONE", "DONE", "DONE"),
        started_at=10_030.0,
        finished_at=10_044.0,
        outcome=say("Backed up {vm}", vm="centos54"),
        evidence=(
            say("backup {id} · {size} · every block verified", id="20261126-030412-9f2c", size=Size(2 * GIB)),
            say("running, by snapshot; snapshot removed · SHA-256 {hash}", hash=Code("9f2c9f2c9f2c9f2c")),
        ),
    ),
}


@pytest.mark.parametrize("name", list(CARDS))
def test_card_reads_as_reviewed(name: str) -> None:
    path, now = GOLDEN / f"{name}.txt", shown(CARDS[name]())
    assert now == reviewed(path, now)
