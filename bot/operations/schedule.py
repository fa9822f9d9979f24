"""Making a schedule: a standing plan, confirmed once, that backs guests up or checks pools by itself from then on.

Each run of backups plans anew, by the facts of that moment, and does no more than was approved here: running guests by
snapshot, nothing shut down. What would need an approval of its own is left out and told. A check only looks, so that
its maker's confirmation is enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from bot.domain import recurrence
from bot.domain.calls import Call, Marked, Options
from bot.domain.plan import Check, Plan, Risk, Step, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.recurrence import Recurrence
from bot.domain.schedule import Covered, Schedule
from bot.domain.texts import Code, Moment, Phrase, many, say
from bot.domain.words import counted
from bot.errors import TargetFailed
from bot.operations import backup
from bot.operations.backup_steps import Manner
from bot.operations.base import Homes, Look, Operation, Seen
from bot.operations.checks.grading import blocked, fine, warning
from bot.operations.ports import Facts
from bot.operations.work import Errand, Worker

NAME = SCHEDULE = "schedule"
_MARK = "schedule"
_NAMED = 12
_YEAR_S = 366 * 86_400.0


async def plan(covered: Covered, rule: str, zone: str, keep: str, facts: Facts, approval: ApprovalSettings) -> Plan:
    """The plan of a schedule, with what would stop its backups now. `rule`, `zone` and `keep` must be readable."""
    made = await _standing(covered, rule, zone, keep, facts)
    if made.blocked:
        return made  # what stops every backup is told once
    hindered = await _hindered(covered, keep, facts, approval)
    return msgspec.structs.replace(made, checks=(*made.checks, *hindered))


async def checking(covered: Covered, rule: str, zone: str, facts: Facts) -> Plan:
    """The plan of a schedule that checks pools. `rule` and `zone` must be readable."""
    return decide_check(covered, rule, zone, facts.schedules.now(), await facts.schedules.all())


async def _standing(covered: Covered, rule: str, zone: str, keep: str, facts: Facts) -> Plan:
    book = facts.schedules
    if covered.check:
        return await checking(covered, rule, zone, facts)
    guests = [vm.name for vm in book.covers(covered)]
    return decide(covered, rule, zone, keep, book.now(), guests, await _place(facts), await book.all())


async def _hindered(covered: Covered, keep: str, facts: Facts, approval: ApprovalSettings) -> list[Check]:
    """What would stop the backups if they ran now: told, not refused, since it may be otherwise when the time comes."""
    guests = facts.schedules.covers(covered)
    found = [one async for one in backup.hindrances(guests, Manner(rule=keep), facts, approval)]
    checks = [
        warning(f"now:{place}", whom, say("could not be backed up now: {why}", why=why), fix)
        for place, (whom, why, fix) in enumerate(found[:_NAMED])
    ]
    if len(found) > _NAMED:
        checks.append(warning("now:more", "More guests", say("{n} more reasons of that kind", n=len(found) - _NAMED)))
    if guests and not checks:
        checks.append(fine("now", "Backups", say("each guest could be backed up now")))
    return checks


def decide(
    covered: Covered,
    rule: str,
    zone: str,
    keep: str,
    now: float,
    guests: Sequence[str],
    place: str,
    others: Sequence[Schedule],
) -> Plan:
    """The plan that follows from the facts. Never raises.

    `guests` are the names of what it covers now; `place` says what is wrong with the archive, if anything.
    """
    read = recurrence.read(rule, zone)
    when = recurrence.words(read)
    title = say("Back up {what} {when}", what=covered.words, when=say(when))
    first = recurrence.next_after(read, now)
    shown = many([*guests[:_NAMED], *(["…"] if len(guests) > _NAMED else [])]) if guests else many(["nothing"])
    return Plan(
        operation=NAME,
        pool="",
        title=title,
        refusal=say("No schedule can be made for {what}", what=covered.words),
        targets=(Target("VM", covered.vm, covered.name) if covered.vm else Target("tag", covered.tag, covered.tag),),
        placements=(),
        checks=(_archive(place), _covers(covered, guests), _alone(covered, others), _clock(read, now)),
        risk=Risk.HIGH,
        risk_reasons=(say("from then on it runs by itself, under its own name"),),
        steps=(_step(covered, rule, zone, keep),),
        locks=(),
        after=(
            say("First run {first}, the next {second}", first=Moment(first), second=_second(read, first)),
            say("It covers now: {guests}", guests=shown),
            say("Running guests are backed up by snapshot; none is shut down for it"),
            say("Kept by the rule {rule}", rule=Code(keep)) if keep else say("Kept by the rule of the configuration"),
        ),
        names={covered.vm: covered.name} if covered.vm else {},
    )


def decide_check(covered: Covered, rule: str, zone: str, now: float, others: Sequence[Schedule]) -> Plan:
    """The plan of a schedule that checks pools. Never raises."""
    read = recurrence.read(rule, zone)
    pool = covered.name if covered.pool else say("every pool")
    first = recurrence.next_after(read, now)
    return Plan(
        operation=NAME,
        pool="",
        title=say("Check {pool} {when}", pool=pool, when=say(recurrence.words(read))),
        refusal=say("No schedule can be made for {what}", what=covered.words),
        targets=(Target("pool", covered.pool, covered.name if covered.pool else "every pool"),),
        placements=(),
        checks=(_alone(covered, others), _clock(read, now)),
        risk=Risk.LOW,
        risk_reasons=(),
        steps=(_step(covered, rule, zone, ""),),
        locks=(),
        after=(
            say("First run {first}, the next {second}", first=Moment(first), second=_second(read, first)),
            say("It tells in this channel what is new, worse or gone, and nothing while nothing changed"),
            say("It changes nothing at the pool"),
        ),
        names={covered.pool: covered.name} if covered.pool else {},
    )


def _step(covered: Covered, rule: str, zone: str, keep: str) -> Step:
    options = {
        "vm": covered.vm,
        "name": covered.name,
        "tag": covered.tag,
        "pool": covered.pool,
        "check": "yes" if covered.check else "",
        "rule": rule,
        "zone": zone,
        "keep": keep,
    }
    call = Call(SCHEDULE, (Options(options), Marked(_MARK)), own=True)
    return Step(SCHEDULE, say("Put the schedule in force"), call)


def _second(rule: Recurrence, first: float) -> Moment:
    return Moment(recurrence.next_after(rule, first))


async def _place(facts: Facts) -> str:
    try:
        await facts.archives.room()
    except TargetFailed as failed:
        return str(failed)
    return ""


def _archive(problem: str) -> Check:
    if problem:
        return blocked(
            "archive",
            "Archive",
            say("{why}", why=problem),
            say("See {section} of the configuration.", section=Code("[backups]")),
        )
    return fine("archive", "Archive", say("it can be written"))


def _covers(covered: Covered, guests: Sequence[str]) -> Check:
    if guests:
        return fine("guests", "Guests", counted(len(guests), "guest now", "guests now"))
    fact = say("no guest has the tag {tag} now", tag=covered.tag)
    return warning(
        "guests", "Guests", fact, say("Give it to the guests that are meant: each is backed up from the next run on.")
    )


def _alone(covered: Covered, others: Sequence[Schedule]) -> Check:
    same = [one for one in others if _about(one.covered) == _about(covered)]
    if not same:
        return fine("alone", "Other schedules", say("none for the same"))
    numbers = many([Code(str(one.number)) for one in same])
    fix = say("Remove what is not wanted: {command}.", command=Code(f"/xen schedule remove {same[0].number}"))
    return warning(
        "alone", "Other schedules", say("there is one for the same already: {numbers}", numbers=numbers), fix
    )


def _about(covered: Covered) -> tuple[str, ...]:
    return covered.vm, covered.tag, covered.pool, "check" if covered.check else ""


def _clock(rule: Recurrence, now: float) -> Check:
    """A time that summer time leaves out or repeats is said, not guarded against: each day has one run all the same."""
    at = recurrence.shifted(rule, now, now + _YEAR_S)
    if at is not None:
        local = datetime.fromtimestamp(at, ZoneInfo(rule.zone))
        fact = say("summer time leaves that time out once a year: then it runs at {then}", then=local.strftime("%H:%M"))
        return fine("clock", "Time", fact)
    return fine("clock", "Time", say("it is there on every day"))


def covered_by(step: Step) -> tuple[Covered, Mapping[str, str]]:
    """What a step's schedule covers, and its other words: rule, zone, keep."""
    options = step.call.options[0]
    # Plans of before there were checks know nothing of them.
    check = options.get("check", "") == "yes"
    return Covered(options["vm"], options["name"], options["tag"], options.get("pool", ""), check), options


def mark_of(step: Step) -> str:
    """The mark of a step with everything filled in; "" for one without."""
    return next(iter(step.call.texts), "")


async def _replan(earlier: Plan, facts: Facts, _approval: ApprovalSettings, _homes: Homes) -> Plan:
    covered, words = covered_by(earlier.steps[0])
    # What stops a backup at this moment is no reason against the schedule, so it cannot make its plan stale either.
    return await _standing(covered, words["rule"], words["zone"], words["keep"], facts)


async def _renew(earlier: Plan, facts: Facts, approval: ApprovalSettings) -> Plan:
    covered, words = covered_by(earlier.steps[0])
    if covered.check:
        return await checking(covered, words["rule"], words["zone"], facts)
    return await plan(covered, words["rule"], words["zone"], words["keep"], facts, approval)


async def _look(_of: Plan, step: Step, facts: Facts) -> Look:
    found = await facts.schedules.marked(mark_of(step))
    if found is None:
        return Look(Seen.NOT_DONE, say("it is not in force"), ())
    headline = say("Schedule {n} is in force: {what}", n=Code(str(found.number)), what=_inside(found))
    lines = (
        say("Next run {when}", when=Moment(found.next_run)),
        say("{all} lists all.", all=Code("/xen schedule list")),
    )
    return Look(Seen.DONE, headline, lines)


def _inside(one: Schedule) -> Phrase:
    when = say(recurrence.words(one.rule))
    if one.covered.check:
        return say("{what} {when}", what=one.covered.words, when=when)
    return say("back up {what} {when}", what=one.covered.words, when=when)


class ScheduleWork:
    """The worker that puts an approved schedule in force."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def workers(self) -> dict[str, Worker]:
        """By the name that plans call it by."""
        return {SCHEDULE: Worker(self._begin, again=True, tasked=False)}

    async def _begin(self, errand: Errand) -> None:
        covered, words = covered_by(errand.step)
        mark = mark_of(errand.step)
        await self._facts.schedules.begin(mark, covered, words["rule"], words["zone"], words["keep"], errand.job)


OPERATION = Operation(
    NAME,
    _replan,
    _look,
    lambda of: say("{title}", title=of.title),
    when_stopped=Phrase("It is in force or it is not; its job says which."),
    settle_s=1.0,
    renew=_renew,
)
