"""`/xen schedule list`: what runs by itself, when next, and how the last run went."""

from __future__ import annotations

import msgspec

from bot.commands import Command, Context, Query, Topic
from bot.domain import recurrence
from bot.domain.message import Button, Choices, Facts, Mark, Message, Part, Small, Table, Verdict
from bot.domain.policy import Role
from bot.domain.record import JobRecord
from bot.domain.schedule import Schedule, ScheduleState
from bot.domain.texts import Code, Moment, Phrase, Value, many, say
from bot.domain.words import counted, numbered, state_word
from bot.operations import schedule

_LOOKED_AT = 10
# More jobs than can be open at once by any likelihood.
_OPEN = 1000


class Arguments(msgspec.Struct, frozen=True):
    """Nothing to say."""


async def answer(_arguments: Arguments, context: Context) -> Message:
    """All schedules that were not removed, what the last run of each left out, and those that are asked for."""
    known = await context.schedules.all()
    begun = {one.job for one in known}
    unfinished = await context.journal.jobs(limit=_OPEN, open_only=True)
    asked = tuple(_asked(job) for job in unfinished if job.operation == schedule.NAME and job.number not in begun)
    if not known:
        headline = say("No schedule is in force")
        how = say("{command} makes one.", command=Code("/xen schedule backup tag:nightly daily 02:00"))
        mark = Mark.WAITING if asked else Mark.PLAIN
        return Message(headline, (Verdict(headline, mark=mark), Facts(asked[:_LOOKED_AT] or (how,))))
    paused = sum(one.state is ScheduleState.PAUSED for one in known)
    headline = counted(len(known), "schedule", "schedules")
    beside = (say("{n} paused", n=paused),) if paused else ()
    rows = tuple([await _row(one, context) for one in known])
    parts: list[Part] = [Verdict(headline, beside, Mark.WAITING if paused else Mark.PLAIN)]
    if asked:
        parts.append(Facts(asked[:_LOOKED_AT]))
    said = [_left_out(one, line) for one in known for line in one.last_said]
    if said:
        parts.append(Facts(tuple(said[:_LOOKED_AT])))
    parts.append(Table(("Schedule", "What", "When", "Next run", "Last run", "Jobs", "Keep"), rows))
    parts.append(Choices((Button("Backups", "ask", "backups"),)))
    ways = [Code(f"/xen schedule {word} {known[0].number}") for word in ("pause", "resume", "remove")]
    parts.append(Small(say("An admin writes {ways}.", ways=many(ways))))
    return Message(headline, tuple(parts))


async def _row(one: Schedule, context: Context) -> tuple[Value, ...]:
    following: Value = Moment(one.next_run) if one.state is ScheduleState.ACTIVE else say(one.state.value)
    last: Value = Moment(one.last_run) if one.last_run is not None else say("never")
    jobs = many([numbered(await context.journal.job(number)) for number in one.last_jobs])
    number, when = Code(str(one.number)), say(recurrence.words(one.rule))
    return number, one.covered.words, when, following, last, jobs, Code(one.keep) if one.keep else ""


def _asked(job: JobRecord) -> Phrase:
    state = say(state_word(job.state))
    return say("Not in force yet: {what}: job {n} is {state}", what=job.plan.title, n=numbered(job), state=state)


def _left_out(one: Schedule, line: Phrase) -> Phrase:
    return say("Schedule {n}, last run: {line}", n=Code(str(one.number)), line=line)


COMMAND = Command(
    word="schedule list",
    usage="schedule list",
    help="Lists what runs by itself: what it covers, when it runs next, how its last run went.",
    example="schedule list",
    role=Role.VIEWER,
    arguments=Arguments,
    does=Query(answer),
    topic=Topic.SCHEDULES,
)
