"""`/xen jobs`: the newest jobs, those that wait for someone first."""

from __future__ import annotations

import msgspec

from bot.commands import Command, Context, Query, Topic
from bot.domain.job import FINAL, JobState
from bot.domain.message import Facts, Mark, Message, Small, Table, Verdict
from bot.domain.policy import Role
from bot.domain.record import JobRecord
from bot.domain.texts import Code, Moment, Phrase, Value, Who, say
from bot.domain.words import counted, numbered, state_word

_WAITING = {JobState.PROPOSED, JobState.AWAITING_APPROVAL, JobState.NEEDS_ATTENTION}
_SHOWN = 20
# More than can be open at once by any likelihood; they are counted even where they are not shown.
_OPEN = 1000


class Arguments(msgspec.Struct, frozen=True):
    """Nothing to say."""


async def answer(_arguments: Arguments, context: Context) -> Message:
    """Open jobs, however old, then the newest of all."""
    unfinished = await context.journal.jobs(limit=_OPEN, open_only=True)
    newest = await context.journal.jobs(limit=_SHOWN)
    known = {record.number: record for record in (*unfinished, *newest)}
    shown = sorted(known.values(), key=lambda record: (record.state in FINAL, -record.number))[:_SHOWN]
    if not shown:
        headline = say("No job yet")
        return Message(headline, (Verdict(headline),))
    waiting = sum(record.state in _WAITING for record in unfinished)
    headline = _headline(waiting)
    table = Table(("Job", "State", "What", "Asked by", "When"), tuple(_row(record) for record in shown))
    mark = Mark.WAITING if waiting else Mark.PLAIN
    freeze = await context.journal.frozen()
    frozen = () if freeze is None else (Facts((_frozen(freeze.by, freeze.at),)),)
    more = Small(say("{command} shows one in full.", command=Code("/xen job <number>")))
    return Message(headline, (Verdict(headline, mark=mark), *frozen, table, more))


def _headline(waiting: int) -> Phrase:
    if not waiting:
        return say("Jobs: nothing waits for anyone")
    return say("Jobs: {n} for someone", n=counted(waiting, "waits", "wait"))


def _frozen(by: str, at: float) -> Phrase:
    return say("Frozen by {who} since {at}: nothing new starts.", who=Who(by), at=Moment(at))


def _row(record: JobRecord) -> tuple[Value, ...]:
    state = say(state_word(record.state))
    return numbered(record), state, record.plan.title, Who(record.requester), Moment(record.created_at)


COMMAND = Command(
    word="jobs",
    usage="jobs",
    help="Lists the open jobs, then the newest ones.",
    example="jobs",
    role=Role.VIEWER,
    arguments=Arguments,
    does=Query(answer),
    topic=Topic.LOOK,
)
