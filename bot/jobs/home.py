"""Home: what waits for one person, what they have under way, the pools at a glance, what ended lately."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bot.commands import Change, Journal, Registry, form_of
from bot.domain.inventory import FeedState, PoolView
from bot.domain.job import FINAL, JobState
from bot.domain.message import Button, Choices, Facts, Mark, Message, Part, Small, Verdict
from bot.domain.policy import Person, Role
from bot.domain.record import JobRecord
from bot.domain.texts import Moment, Phrase, Size, Who, say
from bot.domain.words import counted, numbered, state_word
from bot.operations import overview
from bot.operations.ports import Fleet

_WAITING, _MINE, _ENDED, _POOLS = 8, 8, 5, 10
_KNOWN = 200


class Jobs(msgspec.Struct, frozen=True):
    """The jobs every Home is made of, newest first: the open ones, and those that ended last."""

    open: tuple[JobRecord, ...]
    ended: tuple[JobRecord, ...]


async def read(journal: Journal) -> Jobs:
    """What the store tells now."""
    still_open = await journal.jobs(open_only=True, limit=_KNOWN)
    ended = [record for record in await journal.jobs(limit=_KNOWN) if record.state in FINAL]
    return Jobs(tuple(still_open), tuple(ended[:_ENDED]))


def build(person: Person, jobs: Jobs, fleet: Fleet, registry: Registry) -> Message:
    """Home for this person, from memory."""
    waiting = [record for record in jobs.open if _waits_for(record, person)]
    mine = [record for record in jobs.open if record.requester == person.id and record not in waiting]
    views = fleet.pools()
    headline = _headline(len(waiting))
    parts: list[Part] = [Verdict(headline, mark=Mark.WAITING if waiting else Mark.PLAIN)]
    parts += _jobs([_waiting_line(record) for record in waiting], waiting, _WAITING)
    if mine:
        parts.append(Verdict(say("My jobs")))
        parts += _jobs([overview.job_line(record) for record in mine], mine, _MINE)
    parts.append(Verdict(say("Pools")))
    parts.append(Facts(_bounded([_pool_line(view) for view in views], _POOLS) or (say("No pool is configured"),)))
    if jobs.ended:
        parts.append(Verdict(say("Recent results")))
        parts.append(Facts(tuple(_ended_line(record) for record in jobs.ended)))
    looking = [Button("Status", "ask", "status"), Button("Guests", "ask", "vms"), Button("Jobs", "ask", "jobs")]
    parts.append(Choices((*_forms(person, registry), *looking)))
    return Message(headline, tuple(parts))


def stamped(home: Message, now: float) -> Message:
    """Home with the time at which it was true."""
    line = Small(say("Updated {when}. It follows for half an hour after you open it.", when=Moment(now)))
    return Message(home.summary, (*home.parts, line))


def _headline(waiting: int) -> Phrase:
    if not waiting:
        return say("Nothing waits for you")
    return say("{n} for you", n=counted(waiting, "job waits", "jobs wait"))


def _waits_for(record: JobRecord, person: Person) -> bool:
    match record.state:
        case JobState.PROPOSED:
            return record.requester == person.id
        case JobState.AWAITING_APPROVAL:
            approver = Role.APPROVER in person.roles and person.id not in record.approved_by
            return approver and record.requester != person.id
        case JobState.NEEDS_ATTENTION:
            return Role.ADMIN in person.roles or record.requester == person.id
        case _:
            return False


def _waiting_line(record: JobRecord) -> Phrase:
    line = say(
        "Job {n}, {state}: {title}, asked by {who}",
        n=numbered(record),
        state=say(state_word(record.state)),
        title=record.plan.title,
        who=Who(record.requester),
    )
    if record.state is JobState.NEEDS_ATTENTION:
        return line
    return say("{line}, until {when}", line=line, when=Moment(record.expires_at))


def _jobs(lines: Sequence[Phrase], records: Sequence[JobRecord], most: int) -> list[Part]:
    if not lines:
        return []
    buttons = [Button(f"Job {record.number}", "ask", f"job {record.number}") for record in records[:most]]
    return [Facts(_bounded(lines, most)), Choices(tuple(buttons))]


def _bounded(lines: Sequence[Phrase], most: int) -> tuple[Phrase, ...]:
    if len(lines) <= most:
        return tuple(lines)
    return (*lines[:most], say("and {n} more", n=len(lines) - most))


def _pool_line(view: PoolView) -> Phrase:
    if view.state is not FeedState.LIVE:
        return next(iter(overview.doubts(view)), say("{pool} is not known", pool=view.name))
    silent = sum(not host.answers for host in view.hosts)
    trouble = say(", {n} silent", n=silent) if silent else say("")
    return say(
        "{pool}: {hosts}{trouble}, {guests}, {free} free",
        pool=view.name,
        hosts=counted(len(view.hosts), "host", "hosts"),
        trouble=trouble,
        guests=counted(sum(host.guests for host in view.hosts), "guest", "guests"),
        free=Size(sum(host.memory_free for host in view.hosts if host.silent_since is None)),
    )


def _ended_line(record: JobRecord) -> Phrase:
    ended = Moment(record.finished_at or record.updated_at)
    state = say(state_word(record.state))
    return say(
        "Job {n}, {state}: {title}, {when}", n=numbered(record), state=state, title=record.plan.title, when=ended
    )


def _forms(person: Person, registry: Registry) -> list[Button]:
    """One button for each command that changes something and that this person may give."""
    return [
        Button(f"{command.called} …", "form", command.word)
        for command in registry.commands
        if isinstance(command.does, Change) and command.role in person.roles and form_of(command).fields
    ]
