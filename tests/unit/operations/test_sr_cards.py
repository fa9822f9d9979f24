"""Cards of storage as people read them, in files that can be reviewed. Delete a file and run twice to write it anew."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from migration_facts import NFS, POOL, host
from reviewed import reviewed
from storing_facts import FIRST, FOUND, LISTED, NOT_GRANTED, THIRD, decided, facts, found, well
from test_backup_cards import steps
from test_golden_cards import GOLDEN, job
from test_golden_cards import read as shown

from bot.domain.job import JobState
from bot.domain.message import Message
from bot.domain.plan import Plan
from bot.domain.policy import ApprovalSettings
from bot.domain.storing import Probed, SrFacts, Tried, Wrong
from bot.domain.texts import plain, say
from bot.jobs import story
from bot.operations import sr_add, sr_check
from bot.operations.base import Operation
from bot.operations.trying import in_words

NAMES = {"h-1": "xenserver1", "h-3": "xenserver3"}
GOOD = Tried("h-1", wrote_s=0.1, read_s=0.05, snapshot=True)
ALSO = Tried("h-3", wrote_s=0.2, read_s=0.08, snapshot=True)
BAD = Tried("h-3", code=Wrong.MOVED)


def card(plan: Plan, state: JobState, operation: Operation = sr_add.OPERATION, **changes: object) -> Message:
    return story.card(job(plan, state, **changes), operation, now=10_070.0)


def storage(**changes: object) -> SrFacts:
    known = {
        "pool": POOL,
        "sr": NFS,
        "content": "user",
        "hosts": (FIRST, THIRD),
        "away": (),
        "listed": frozenset({"h-1", "h-3"}),
        "features": frozenset({"VDI_CREATE", "VDI_SNAPSHOT"}),
        "busy": (),
    }
    return SrFacts(**{**known, **changes})  # type: ignore[arg-type]


NEW = decided(facts(), default=True)
AGAIN = decided(found(), existing=FOUND)
TRIAL = sr_check.decide(storage(), ApprovalSettings())
WELL, WRONG = tuple(in_words((), (GOOD, ALSO), NAMES, "nfs-vms")), tuple(in_words((BAD,), (GOOD,), NAMES, "nfs-vhd"))
CARDS: dict[str, Callable[[], Message]] = {
    "sr-add-refused": lambda: story.refused(
        decided(facts(*(Probed(one, **NOT_GRANTED) for one in (FIRST, THIRD)))), sr_add.OPERATION
    ),
    "sr-add-refused-one-host": lambda: story.refused(
        decided(facts(well()[0], Probed(THIRD, **NOT_GRANTED))), sr_add.OPERATION
    ),
    "sr-add-refused-exports": lambda: story.refused(
        decided(facts(*(Probed(one, **NOT_GRANTED, exports=LISTED[:1]) for one in (FIRST, THIRD)))), sr_add.OPERATION
    ),
    "sr-add-refused-hangs": lambda: story.refused(
        decided(facts(*(Probed(one, waited_s=20.0) for one in (FIRST, THIRD)))), sr_add.OPERATION
    ),
    "sr-add-found": lambda: story.refused(decided(found()), sr_add.OPERATION),
    "sr-add-proposed": lambda: card(NEW, JobState.PROPOSED),
    "sr-add-again-approval": lambda: card(AGAIN, JobState.AWAITING_APPROVAL, approvers_needed=2),
    "sr-add-running": lambda: card(
        NEW,
        JobState.RUNNING,
        steps=steps(NEW, "DONE", "DONE", "SENT", s2=say("trying hosts")),
        started_at=10_030.0,
    ),
    "sr-add-succeeded": lambda: card(
        NEW,
        JobState.SUCCEEDED,
        steps=steps(NEW, "DONE", "DONE", "DONE", "DONE", "DONE", "WAITING", "DONE"),
        started_at=10_030.0,
        finished_at=10_047.0,
        outcome=say("{name} is attached to 2 hosts of experiment", name="nfs-vms"),
        evidence=(*WELL, say("It takes new disks, suspended guests of experiment")),
    ),
    "sr-check-proposed": lambda: card(TRIAL, JobState.PROPOSED, sr_check.OPERATION),
    "sr-check-failed": lambda: card(
        TRIAL,
        JobState.FAILED,
        sr_check.OPERATION,
        steps=steps(TRIAL, "FAILED", "DONE"),
        started_at=10_030.0,
        finished_at=10_034.0,
        outcome=say("nfs-vhd does not work on {hosts}, on the other host it does", hosts="xenserver3"),
        evidence=WRONG,
    ),
    "sr-check-refused": lambda: story.refused(
        sr_check.decide(storage(hosts=(), away=(host(3, silent_since=9_000.0),)), ApprovalSettings()),
        sr_check.OPERATION,
    ),
}


@pytest.mark.parametrize("name", CARDS)
def test_a_card_of_storage_reads_as_reviewed(name: str) -> None:
    path, text = GOLDEN / f"{name}.txt", shown(CARDS[name]())
    assert text == reviewed(path, text)


def test_sixty_four_hosts_that_did_alike_are_one_line() -> None:
    names = {f"h-{n}": f"xenserver{n}" for n in range(64)}
    lines = [plain(one) for one in in_words((), [Tried(one, 0.1, 0.1, snapshot=True) for one in names], names, "nfs")]
    assert len(lines) == 1
    assert lines[0].startswith("64 hosts: 8 MiB written, read back and the same, snapshot made")


def test_hosts_that_a_line_has_no_room_for_are_counted() -> None:
    plan = sr_check.decide(storage(away=tuple(host(number) for number in range(4, 12))), ApprovalSettings())
    (away,) = (check for check in plan.checks if check.key == "away")
    assert plain(away.fact).endswith("xenserver8, xenserver9 and 2 more")


def test_a_host_through_which_storage_is_slow_is_named() -> None:
    # A second or two is what the host itself needs to attach the disk.
    assert len(tuple(in_words((), (GOOD, Tried("h-3", 2.0, 2.0)), NAMES, "nfs-vhd"))) == 1
    lines = [plain(one) for one in in_words((), (GOOD, Tried("h-3", 8.0, 0.1)), NAMES, "nfs-vhd")]
    assert lines[1].startswith("Slow through xenserver3: ")
    assert "snapshot" not in lines[0], "not every host made one"


@pytest.mark.parametrize(
    ("tried", "words"),
    [
        (Tried("h-3", code=Wrong.MOVED), "it sends the disk on to another host, so it does not see nfs-vhd"),
        (Tried("h-3", code=Wrong.DIFFERS), "what was read is not what was written"),
        (Tried("h-3", code=Wrong.SILENT, params=("90",)), "no answer for 90 s"),
        (Tried("h-3", code=Wrong.UNREACHED, params=("192.0.2.3 refused",)), "192.0.2.3 refused"),
        (Tried("h-3", code="SR_BACKEND_FAILURE_47", params=("", "gone", "")), "its mount or volume group is gone"),
        (Tried("h-3", code="VDI_IO_ERROR", params=("Device I/O errors",)), "VDI_IO_ERROR (Device I/O errors)"),
    ],
)
def test_what_was_wrong_on_a_host_is_a_sentence(tried: Tried, words: str) -> None:
    (line,) = in_words((tried,), (), NAMES, "nfs-vhd")
    assert plain(line).startswith("xenserver3: ")
    assert words in plain(line)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"content": "iso"}, "a library of images"),
        ({"features": frozenset({"VDI_ATTACH"})}, "no disk can be made"),
        ({"listed": frozenset()}, "no host that has nfs-vhd answers and is listed"),
    ],
)
def test_storage_that_cannot_be_tried_is_refused(changes: dict[str, object], words: str) -> None:
    plan = sr_check.decide(storage(**changes), ApprovalSettings())
    assert any(words in plain(check.fact) for check in plan.blocked)
