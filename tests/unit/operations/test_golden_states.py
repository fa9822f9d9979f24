"""A card on file for every state of a job and for every operation, so that each can be read before it is met."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import migration_facts as world
import msgspec
import pytest
from migration_facts import decided, facts, host
from restore_world import NOW, archived
from restore_world import facts as storage_facts
from reviewed import reviewed
from test_golden_cards import GOLDEN, card, job, read, tight
from test_power_plans import facts as power_facts
from test_power_plans import halted

from bot.domain.catalogue import Proof
from bot.domain.health import PlugFacts
from bot.domain.inventory import PowerState
from bot.domain.job import JobState
from bot.domain.message import Message
from bot.domain.plan import Plan
from bot.domain.policy import ApprovalSettings
from bot.domain.record import Decision, StepRecord, StepState
from bot.domain.texts import Phrase, Span, say
from bot.jobs import experience, story
from bot.operations import plug, reboot, rehearse, restore, start, stop, verify
from bot.operations.base import Operation
from bot.operations.checks.meeting import Wish
from bot.operations.discover import operations

SETTINGS = ApprovalSettings()
CONFIRMED = (Decision("operator", "confirm", 10_010.0),)
WAITS = say(
    "XAPI seems to wait for another operation to end, for {time} now; then it begins by itself.", time=Span(240.0)
)
#: Operations whose cards are filed under another word.
FILED_AS = {"pool-join": "join"}


def _moving(hint: Phrase | None = None, *, progress: float = 0.62, **changes: Any) -> Message:
    """A migration that is so far, 25 s after it began."""
    step = StepRecord(120, 0, "pool_migrate", StepState.SENT, progress=progress)
    record = job(decided(facts()), JobState.RUNNING, steps=(step,), started_at=10_030.0, **changes)
    return story.card(record, operations()["migrate"], hint=hint, now=10_055.0)


def _over(state: JobState, outcome: str, *evidence: str, **changes: Any) -> Message:
    """A migration that ended so, 41 s after it began."""
    said = {"outcome": Phrase(outcome) if outcome else None, "evidence": tuple(map(Phrase, evidence))}
    times = {"started_at": 10_030.0, "finished_at": 10_071.0}
    return card(decided(facts()), state, decisions=CONFIRMED, **said, **times, **changes)


def _known_pace() -> Message:
    plan = decided(facts())
    took = [
        job(plan, JobState.SUCCEEDED, started_at=1_000.0, finished_at=1_000.0 + each) for each in (31.0, 44.0, 40.0)
    ]
    return card(experience.corrected(plan, took), JobState.PROPOSED)


def _proposed(plan: Plan, operation: Operation) -> Message:
    needed = SETTINGS.needed(plan.risk, plan.approvers)
    return story.card(job(plan, JobState.PROPOSED, approvers_needed=needed), operation)


def _unplugged() -> Plan:
    sr = msgspec.structs.replace(world.NFS, hosts=frozenset({"h-1"}))
    return plug.decide(PlugFacts(world.POOL, sr, host(3), "pbd-3", attached=False, busy=(), read_at=NOW), SETTINGS)


def _restore(**wish: Any) -> Plan:
    return restore.decide(archived(), storage_facts(), Wish("web", **wish), SETTINGS)


def _rehearsal() -> Plan:
    wish = Wish("web (rehearsal)", start=True, rehearsal=True)
    return rehearse.decide(archived(), storage_facts(), wish, SETTINGS)


CARDS: dict[str, Callable[[], Message]] = {
    "migrate-proposed-known-pace": _known_pace,
    "migrate-running": _moving,
    "migrate-running-waits": lambda: _moving(WAITS, progress=0.0),
    "migrate-running-cancelled": lambda: _moving(cancel_by="operator"),
    "migrate-failed": lambda: _over(
        JobState.FAILED,
        "Failed: the migration broke off: connection reset",
        "centos54 still runs on xenserver1",
        "No check before a move looks for this.",
    ),
    "migrate-guest-is-down": lambda: _over(
        JobState.FAILED, "GUEST IS DOWN: centos54 is halted, it ran before", "Looked at: halted"
    ),
    "migrate-cancelled": lambda: _over(JobState.CANCELLED, "Cancelled: centos54 still runs on xenserver1"),
    "migrate-needs-attention": lambda: _over(
        JobState.NEEDS_ATTENTION,
        "The bot lost sight of: Migrate centos54",
        "Looked at: running, tools answering",
    ),
    "migrate-withdrawn": lambda: card(tight(), JobState.WITHDRAWN, cancel_by="operator"),
    "start-proposed": lambda: _proposed(start.decide(halted(), SETTINGS), start.OPERATION),
    "resume-proposed": lambda: _proposed(
        start.decide(power_facts(power_state=PowerState.SUSPENDED), SETTINGS), start.OPERATION
    ),
    "stop-proposed": lambda: _proposed(stop.decide(power_facts(), SETTINGS, hard=False), stop.OPERATION),
    "stop-proposed-hard": lambda: _proposed(stop.decide(power_facts(), SETTINGS, hard=True), stop.OPERATION),
    "reboot-proposed": lambda: _proposed(reboot.decide(power_facts(), SETTINGS, hard=False), reboot.OPERATION),
    "plug-proposed": lambda: _proposed(_unplugged(), plug.OPERATION),
    "verify-proposed": lambda: _proposed(verify.decide([archived().backup], Proof.FULL, NOW), verify.OPERATION),
    "restore-proposed": lambda: _proposed(_restore(), restore.OPERATION),
    "restore-proposed-start": lambda: _proposed(_restore(start=True), restore.OPERATION),
    "rehearse-proposed": lambda: _proposed(_rehearsal(), rehearse.OPERATION),
}


@pytest.mark.parametrize("name", list(CARDS))
def test_card_reads_as_reviewed(name: str) -> None:
    path, now = GOLDEN / f"{name}.txt", read(CARDS[name]())
    assert now == reviewed(path, now)


def test_every_operation_has_a_card_on_file() -> None:
    filed = [path.stem for path in GOLDEN.glob("*.txt")]
    words = {name: FILED_AS.get(name, name) for name in operations()}
    assert [
        name for name, word in words.items() if f"{word}-proposed" not in {one[: len(word) + 9] for one in filed}
    ] == []


def test_every_file_of_a_card_belongs_to_a_test() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in GOLDEN.parents[1].joinpath("unit").rglob("*.py"))
    assert [path.stem for path in GOLDEN.glob("*.txt") if f'"{path.stem}"' not in tests] == []
