"""Schedules in words: what is read, what is refused with the way to write it, and how they are listed."""

from __future__ import annotations

import msgspec
import pytest
from ports import Room, phrases
from small_fleet import NOW, VMS, record

from bot.domain.job import JobState
from bot.domain.message import Message
from bot.domain.plan import Grade, Plan, Risk, ceiling, drift
from bot.domain.policy import ApprovalSettings, Person, Role, held
from bot.domain.recurrence import read
from bot.domain.schedule import Covered, Schedule, ScheduleState
from bot.domain.texts import Link, Phrase, plain, say
from bot.errors import Ambiguous, NotFound, NotUnderstood, Refused
from bot.operations import schedule
from bot.operations.base import NOBODY


class NoRoom:
    """Facts with an archive that can be written, and the schedules of a room."""

    def __init__(self, room: Room) -> None:
        self.schedules = room.schedules
        self.archives = self

    async def room(self, _besides: object = ()) -> None:
        return None

    async def backup(self, vm: str) -> None:
        raise Refused("110 GiB are needed, 50 GiB are free.", "Make room there.")


def room() -> Room:
    made = Room()
    made.person = Person("T1", "U3", "eve", held(frozenset({Role.ADMIN})))
    return made


def kept(number: int, **changes: object) -> Schedule:
    rule = read("daily 02:00", "Europe/Berlin")
    covered = Covered(vm="vm-1", name="centos54")
    one = Schedule(number, f"m{number}", covered, rule, "7d", "U1", "T1", "C1", number, NOW - 99, NOW + 3600)
    return msgspec.structs.replace(one, **changes)


@pytest.mark.parametrize(
    ("words", "covered", "rule", "zone"),
    [
        ("schedule backup centos54 daily 02:00", Covered(vm="vm-1", name="centos54"), "daily 02:00", "Europe/Berlin"),
        (
            "schedule backup “way to go” weekly sunday 3:15",
            Covered(vm="vm-8", name="way to go"),
            "weekly sunday 3:15",
            "Europe/Berlin",
        ),
        (
            "schedule backup tag:nightly monthly last 02:00 zone UTC",
            Covered(tag="nightly"),
            "monthly last 02:00",
            "UTC",
        ),
        ("schedule backup ｔａｇ：夜 daily ０２：００ keep 7d/4w", Covered(tag="夜"), "daily 02:00", "Europe/Berlin"),
    ],
)
async def test_schedules_are_read_as_they_are_written(
    words: str, covered: Covered, rule: str, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = room()
    asked: list[tuple[object, ...]] = []

    async def plan(*of: object) -> object:
        asked.append(of[:3])
        return None

    monkeypatch.setattr(schedule, "plan", plan)
    await here.type(words)
    assert asked == [(covered, rule, zone)]


@pytest.mark.parametrize(
    ("words", "covered"),
    [
        ("schedule pool-check experiment daily 08:00", Covered(pool="p-1", name="experiment", check=True)),
        ("schedule pool-check daily ０８：００", Covered(check=True)),
    ],
)
async def test_checks_that_recur_are_read_as_they_are_written_and_their_makers_word_is_enough(
    words: str, covered: Covered
) -> None:
    here = room()
    plan = await here.type(words)
    assert isinstance(plan, Plan)
    read_back, options = schedule.covered_by(plan.steps[0])
    assert (read_back, options["rule"], options["zone"]) == (covered, "daily 08:00", "Europe/Berlin")
    assert (plan.risk, plan.blocked) == (Risk.LOW, ())
    again = await schedule.OPERATION.replan(plan, NoRoom(here), ApprovalSettings(), NOBODY)  # type: ignore[arg-type]  # enough of them
    assert drift(plan, ceiling(plan), again) == ()


@pytest.mark.parametrize("words", ["schedule pool-check experiment", "schedule pool-check daily 08:00 zone Atlantis"])
async def test_a_check_without_a_time_or_with_a_strange_clock_is_told_with_an_example(words: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        await room().type(words)
    assert "/xen schedule pool-check experiment daily 08:00" in refused.value.fix


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("schedule backup centos54", "one of daily, weekly and monthly"),
        ("schedule backup centos54 daily 02:00 weekly sunday 02:00", "one of daily, weekly and monthly"),
        ("schedule backup centos54 daily noon", "a time of day is missing"),
        ("schedule backup centos54 daily 02:00 keep long", "keep"),
        ("schedule backup centos54 daily 02:00 zone Atlantis", "no time zone"),
        ("schedule backup tag: daily 02:00", "the tag is missing"),
        ("schedule often", "one word too many"),
    ],
)
async def test_what_is_no_schedule_is_told_with_an_example(words: str, why: str) -> None:
    with pytest.raises(NotUnderstood, match=why) as refused:
        await room().type(words)
    assert "schedule backup" in refused.value.fix


async def test_a_guest_that_is_not_there_or_not_clear_is_asked_about() -> None:
    with pytest.raises(NotFound, match="gone"):
        await room().type("schedule backup gone daily 02:00")
    with pytest.raises(Ambiguous) as several:
        await room().type("schedule backup twin daily 02:00")
    # By this name the choice finds its way back into the command.
    assert several.value.name == "twin"


async def test_a_plan_says_what_it_covers_when_it_runs_and_that_it_needs_an_approval() -> None:
    here = room()
    here.schedules.known = [kept(4)]
    here.schedules.now = lambda: 1_795_000_000.0  # type: ignore[method-assign]  # a year with summer time
    covered = Covered(vm="vm-1", name="centos54")
    facts = NoRoom(here)
    plan = await schedule.plan(covered, "daily 02:30", "Europe/Berlin", "7d", facts, ApprovalSettings())  # type: ignore[arg-type]  # enough of them
    assert plan.blocked == ()
    assert plan.risk.value == "high"
    checks = {check.key: check for check in plan.checks}
    assert "there is one for the same already" in checks["alone"].fact.template
    assert "summer time leaves that time out" in checks["clock"].fact.template
    await schedule.plan(Covered(tag="none"), "daily 02:30", "UTC", "", facts, ApprovalSettings())  # type: ignore[arg-type]  # as above


async def test_a_plan_warns_of_what_would_stop_its_backups_now_and_is_not_stale_because_of_it() -> None:
    covered, facts = Covered(vm="vm-1", name="centos54"), NoRoom(room())
    plan = await schedule.plan(covered, "daily 02:30", "UTC", "", facts, ApprovalSettings())  # type: ignore[arg-type]  # enough of them
    assert plan.blocked == ()
    [told] = [check for check in plan.checks if check.grade is Grade.WARNING]
    assert told.title == "centos54"
    assert plain(told.fact) == "could not be backed up now: 110 GiB are needed, 50 GiB are free."
    assert told.fix is not None
    assert plain(told.fix) == "Make room there."
    now = await schedule.OPERATION.replan(plan, facts, ApprovalSettings(), NOBODY)  # type: ignore[arg-type]  # as above
    assert drift(plan, ceiling(plan), now) == ()
    assert schedule.OPERATION.renew is not None
    again = await schedule.OPERATION.renew(plan, facts, ApprovalSettings())  # type: ignore[arg-type]  # as above
    assert told in again.checks


async def test_the_list_tells_when_each_runs_next_and_what_the_last_run_left_out() -> None:
    here = room()
    assert "No schedule is in force" in await here.read("schedule list")
    here.schedules.known = [
        kept(1, last_run=NOW - 60, last_said=(say("{vm} was left out", vm=VMS[3].name),)),
        kept(2, covered=Covered(tag="nightly"), state=ScheduleState.PAUSED),
        kept(3, covered=Covered(pool="p-1", name="experiment", check=True), keep=""),
    ]
    text = await here.read("schedule list")
    assert "3 schedules" in text
    assert "the check of experiment" in text
    assert "1 paused" in text
    assert "Schedule 1, last run: winxp was left out" in text
    assert "every guest with the tag nightly" in text
    assert "Schedule 2 rests" in await here.read("schedule pause 2")
    assert "runs again" in await here.read("schedule resume 1")
    assert "Its backups stay" in await here.read("schedule remove 1")
    assert "backups" not in await here.read("schedule remove 3")


async def test_the_list_names_a_schedule_that_waits_for_approval_and_leads_to_its_card() -> None:
    here = room()
    facts = NoRoom(here)
    asked = await schedule.plan(Covered(tag="nightly"), "daily 02:30", "UTC", "", facts, ApprovalSettings())  # type: ignore[arg-type]  # enough of them
    card = "https://slack.example/card"
    waits = record(7, JobState.AWAITING_APPROVAL, operation="schedule", plan=asked, card_link=card)
    here.journal.records = [waits, record(8, JobState.AWAITING_APPROVAL)]
    line = (
        "Not in force yet: Back up every guest with the tag nightly daily at 02:30 (UTC): job 7 is waiting for approval"
    )
    text = await here.read("schedule list")
    assert "No schedule is in force" in text
    assert line in text
    assert "job 8" not in text
    answer = await here.type("schedule list")
    assert isinstance(answer, Message)
    assert Link("7", card) in [
        value for part in phrases(answer) if isinstance(part, Phrase) for value in part.values.values()
    ]
    here.schedules.known = [kept(1, job=3)]
    assert line in await here.read("schedule list")
    here.schedules.known = [kept(1, job=7)]
    assert "Not in force yet" not in await here.read("schedule list"), "in force, while its job is still looking at it"
