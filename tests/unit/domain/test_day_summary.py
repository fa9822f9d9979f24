"""The card of a day: what is wrong first and why, one line when all is well, nothing when nothing ran."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

sys.path.append(str(Path(__file__).parents[1] / "handlers"))

from small_fleet import NOW, VMS, record

from bot.domain.job import JobState
from bot.domain.message import Facts, Message
from bot.domain.plan import Target
from bot.domain.record import JobRecord
from bot.domain.recurrence import read
from bot.domain.schedule import Covered, Schedule, standing_of
from bot.domain.texts import plain, say
from bot.jobs.day_summary import build

DAY = 86_400.0
SINCE = NOW - DAY


def schedule(number: int, **changes: object) -> Schedule:
    made = Schedule(
        number=number,
        mark=f"m{number}",
        covered=Covered(tag="nightly"),
        rule=read("daily 02:00", "UTC"),
        keep="",
        owner="U1",
        team="T1",
        channel="C1",
        job=1,
        created_at=NOW - 30 * DAY,
        next_run=NOW + 60,
    )
    return msgspec.structs.replace(made, **changes)


def job(number: int, state: JobState, **changes: object) -> JobRecord:
    made = record(number, state, requester="schedule:1", **changes)
    targets = (Target("VM", "vm-1", "centos54"), Target("VM", "vm-4", "winxp"))
    return msgspec.structs.replace(made, plan=msgspec.structs.replace(made.plan, targets=targets))


def lines(message: Message | None) -> list[str]:
    assert message is not None
    return [plain(line) for part in message.parts if isinstance(part, Facts) for line in part.lines]


def test_when_all_is_well_it_is_one_line_and_when_nothing_ran_none() -> None:
    message = build([schedule(1)], {1: [job(7, JobState.SUCCEEDED)]}, [], SINCE, NOW)
    assert message is not None
    assert plain(message.summary).startswith("Backups: all 2 since")
    assert lines(message) == []
    assert build([schedule(1)], {1: []}, [], SINCE, NOW) is None
    assert build([], {}, [], SINCE, NOW) is None


def test_what_failed_is_told_first_with_its_reason() -> None:
    failed = job(8, JobState.PARTIAL, outcome=say("1 of 2 guests is backed up"), evidence=(say("block 7 is damaged"),))
    resting = schedule(2, last_run=NOW - 60, last_said=(say("web9 was left out: it is off"),))
    late = schedule(3, next_run=NOW - 2 * 3600)
    done = job(7, JobState.SUCCEEDED)
    message = build([schedule(1), resting, late], {1: [done, failed]}, [VMS[0]], SINCE, NOW)
    assert message is not None
    assert plain(message.summary) == "Backups: 5 things need you"
    told = lines(message)
    assert told[:3] == [
        "centos54 is to be backed up and has no backup at all",
        "Schedule 1, job 8: 1 of 2 guests is backed up",
        "Job 8: block 7 is damaged",
    ]
    assert told[3] == "Schedule 2: web9 was left out: it is off"
    assert told[4].startswith("Schedule 3 should have run")


def test_a_job_under_way_and_an_older_word_are_no_news() -> None:
    old = schedule(2, last_run=SINCE - 60, last_said=(say("long told"),))
    assert build([old], {2: [job(9, JobState.RUNNING)]}, [], SINCE, NOW) is None


def test_only_the_name_of_a_schedule_is_taken_for_one() -> None:
    assert standing_of("schedule:12") == 12
    assert [standing_of(one) for one in ("U12", "schedule:", "schedule:x", "schedule:１", "console:root")] == [None] * 5
