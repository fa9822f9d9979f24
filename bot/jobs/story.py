"""What a job says of itself in each state: the card, and the lines below it in the thread. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from bot.domain.job import JobState
from bot.domain.message import (
    Button,
    Checks,
    Choices,
    Facts,
    Mark,
    Message,
    Option,
    Part,
    Select,
    Small,
    Verdict,
    Ways,
)
from bot.domain.plan import Plan, Risk
from bot.domain.record import JobRecord
from bot.domain.texts import Code, Moment, Phrase, Quote, Span, Who, many, plain, say
from bot.domain.words import counted
from bot.jobs import considering, deciding, standing
from bot.operations.base import Operation
from bot.store import Outgoing

MOVE_BACK_S = 15 * 60
# So much of the digest goes with a Confirm: nobody can make two plans of one job agree in it.
_SHOWN = 32
# With more guests than that their number is told, not their names.
_FEW = 3


def job_behind(value: str) -> str:
    """The opaque id of the job in the value of a control of its card."""
    return value.partition(":")[0]


def shown_by(value: str) -> str:
    """What else the value holds: the digest a Confirm was drawn for, the host a menu offers, or nothing."""
    return value.partition(":")[2]


def confirming(record: JobRecord) -> str:
    """The value of a Confirm: which job, and the plan it was drawn for."""
    return f"{record.target}:{record.digest[:_SHOWN]}"


def button(label: str, action: str, record: JobRecord, *, style: str = "", confirm: Phrase | None = None) -> Button:
    """A button of a job's card; its value is the job's opaque id, nothing else."""
    says = say("{label}: {title}, job {number}", label=label, title=record.plan.title, number=record.number)
    return Button(label, action, record.target, style=style, says=says, confirm=confirm)


def _inside(title: str) -> str:
    """A title in the middle of a sentence; abbreviations keep their capitals."""
    return title if title[:2].isupper() else title[:1].lower() + title[1:]


def refused(plan: Plan, operation: Operation | None = None) -> Message:
    """The answer to a request that cannot be done: every reason with its fix."""
    stops = plan.blocked
    idle = [check.fact for check in stops if check.idle]
    if idle:
        line = say("Nothing has to be done: {facts}", facts=many(idle))
        return Message(line, (Verdict(line),))
    reasons = many([_inside(check.title) for check in stops])
    headline = plan.refusal or say("Not possible: {title}", title=plan.title)
    summary = say("{headline}: {reasons}", headline=headline, reasons=reasons)
    one = say("1 of {all} checks stops it", all=len(plan.checks))
    count = one if len(stops) == 1 else say("{n} of {all} checks stop it", n=len(stops), all=len(plan.checks))
    return Message(
        summary,
        (
            Verdict(headline, (count,), Mark.REFUSED),
            Checks(plan.checks),
            *_instead(plan, operation),
            *standing.table(plan, operation),
        ),
    )


def _instead(plan: Plan, operation: Operation | None) -> tuple[Choices, ...]:
    buttons = operation.instead(plan) if operation is not None and operation.instead is not None else ()
    return (Choices(buttons),) if buttons else ()


def card(record: JobRecord, operation: Operation, *, hint: Phrase | None = None, now: float = 0.0) -> Message:
    """The card as it must look in the job's present state."""
    parts: list[Part] = []
    match record.state:
        case JobState.PROPOSED:
            headline, mark = record.plan.title, Mark.PLAIN
            parts += [*considering.considered(record), *standing.table(record.plan, operation)]
            ask = say("Start now: {title}?", title=record.plan.title)
            # A slip of the thumb costs nothing where a second person decides, and where no pool is touched.
            confirm = ask if record.approvers_needed == 0 and record.plan.locks else None
            go = button("Confirm", "confirm", record, style="primary", confirm=confirm)
            go = msgspec.structs.replace(go, target=confirming(record))
            parts.append(Choices((go, button("Withdraw", "withdraw", record))))
            if record.plan.others and operation.retarget is not None:
                options = tuple(
                    Option(one.name, f"{record.target}:{one.uuid}", plain(one.note)) for one in record.plan.others
                )
                parts.append(Select("Other host", "retarget", options))
        case JobState.AWAITING_APPROVAL:
            headline, mark = say("Approval needed: {title}", title=record.plan.title), Mark.WAITING
            parts += [*considering.considered(record), *standing.table(record.plan, operation)]
            parts.append(Facts((_needs(record),)))
            parts.append(Choices(_deciding(record)))
        case JobState.QUEUED:
            headline, mark = say("Queued: {title}", title=record.plan.title), Mark.WAITING
            waits = hint or say("It is checked once more and then starts.")
            until = say("If it has not started by {when}, it expires.", when=Moment(record.expires_at))
            parts.append(Facts((waits, *deciding.decisions(record), until)))
            parts.append(Choices((button("Cancel", "cancel", record),)))
        case JobState.RUNNING:
            headline, mark = operation.running(record.plan), Mark.WORKING
            parts += _under_way(record, operation, hint, now)
        case _:
            headline, mark = _ending(record)
            parts += _aftermath(record, operation)
    verdict = Verdict(headline, tuple(_beside(record)), mark)
    return Message(_summary(record, headline), (verdict, *parts))


def _under_way(record: JobRecord, operation: Operation, hint: Phrase | None, now: float) -> Iterator[Part]:
    yield from standing.how_far(record, now)
    if record.approved_by:
        yield Facts(tuple(deciding.decisions(record)))
    if record.cancel_by:
        yield Facts((say("{who} asked to stop it.", who=Who(record.cancel_by)),))
    if hint is not None:
        yield Facts((hint,))
    if not record.cancel_by and not operation.unstoppable:
        stop = say("Stop it: {title}? {then}", title=record.plan.title, then=operation.when_stopped)
        cancel = button("Cancel", "cancel", record, style="danger", confirm=stop)
        # "Cancel" as an answer could mean the question as well as the job.
        yield Choices((msgspec.structs.replace(cancel, yes="Stop the job", no="Let it run"),))


def _deciding(record: JobRecord) -> tuple[Button, ...]:
    title = record.plan.title
    approve = button("Approve", "approve", record, style="primary", confirm=say("Approve: {title}?", title=title))
    kept = [approve, button("Deny", "deny", record, style="danger"), button("Withdraw", "withdraw", record)]
    if record.glass:
        warning = say(
            "Run it without approval: {title}? Everyone who could have approved it is told at once, and it is audited.",
            title=title,
        )
        # Without a reason the button asks for one first, in a dialogue that holds the same warning.
        given = button("Break glass", "break_glass", record, style="danger", confirm=warning)
        kept.append(given if record.reason.strip() else button("Break glass", "why_glass", record, style="danger"))
    return tuple(kept)


def _summary(record: JobRecord, headline: Phrase) -> Phrase:
    return say("{headline} · job {number}", headline=headline, number=record.number)


def _beside(record: JobRecord) -> list[Phrase]:
    found = [say("job {number}", number=record.number), say("asked by {who}", who=Who(record.requester))]
    if record.plan.risk is not Risk.LOW:
        found.append(say("{risk} risk", risk=record.plan.risk.value))
    if record.glass_broken_by:
        found.append(say("NOT APPROVED, glass broken by {who}", who=Who(record.glass_broken_by)))
    if record.finished_at and record.started_at:
        found.append(say("{time}", time=Span(record.finished_at - record.started_at)))
    return found


def _needs(record: JobRecord) -> Phrase:
    missing = record.approvers_needed - len(record.approved_by)
    return say(
        "Needs {n} with the approver role other than {who} · until {when}",
        n=considering.people(missing),
        who=Who(record.requester),
        when=Moment(record.expires_at),
    )


def _ending(record: JobRecord) -> tuple[Phrase, Mark]:
    title = record.plan.title
    outcome = record.outcome
    match record.state:
        case JobState.SUCCEEDED:
            return outcome or say("Done: {title}", title=title), Mark.DONE
        case JobState.PARTIAL:
            return outcome or say("Partly done: {title}", title=title), Mark.ATTENTION
        case JobState.FAILED:
            return outcome or say("Failed: {title}", title=title), Mark.REFUSED
        case JobState.CANCELLED:
            return outcome or say("Cancelled: {title}", title=title), Mark.REFUSED
        case JobState.WITHDRAWN:
            return say("Withdrawn: {title}", title=title), Mark.PLAIN
        case JobState.DENIED:
            return say("Denied: {title}", title=title), Mark.REFUSED
        case JobState.EXPIRED:
            return outcome or say("Expired without a decision: {title}", title=title), Mark.PLAIN
        case JobState.STALE:
            return say("Not started, things have changed: {title}", title=title), Mark.REFUSED
        case _:
            return outcome or say("This job needs a person: {title}", title=title), Mark.ATTENTION


def _aftermath(record: JobRecord, operation: Operation) -> list[Part]:
    parts: list[Part] = []
    lines = [*deciding.decisions(record), *record.evidence, *standing.not_done(record)]
    if record.state is JobState.WITHDRAWN and record.cancel_by:
        lines.append(say("Withdrawn by {who}", who=Who(record.cancel_by)))
    if record.reason and record.state is not JobState.WITHDRAWN:
        lines.append(say("Reason given: “{reason}”", reason=Quote(record.reason)))
    if record.successor is not None:
        lines.append(say("Asked again as job {number}.", number=record.successor))
    if lines:
        parts.append(Facts(tuple(lines)))
    if record.drifted:
        parts.append(Ways(record.drifted))
    if record.state is JobState.NEEDS_ATTENTION:
        ask = Code(f"/xen resolve {record.number}")
        closes = say("Nothing is repeated by itself. An admin closes it with {ask}.", ask=ask)
        parts.append(Facts((closes, *_held(record))))
    buttons = _next(record, operation)
    if buttons:
        parts.append(Choices(buttons))
    if _way_back(record, operation):
        until = Moment((record.finished_at or record.updated_at) + MOVE_BACK_S)
        parts.append(Small(say("Move back is offered until {when}.", when=until)))
    return parts


def _held(record: JobRecord) -> Iterator[Phrase]:
    """Which guests no other job works on until a person has closed this one."""
    guests = list(dict.fromkeys(key.name for key in record.plan.locks if key.kind == "VM"))
    if guests:
        what = many(guests) if len(guests) <= _FEW else counted(len(guests), "guest", "guests")
        yield say("Until then no other job works on {what}.", what=what)


def _next(record: JobRecord, operation: Operation) -> tuple[Button, ...]:
    """What can be pressed once the job is over, or needs a person."""
    settled = record.back_closed and operation.reverse is None
    if settled and record.state in {JobState.SUCCEEDED, JobState.PARTIAL}:
        return ()  # A later job has settled what may follow.
    buttons: list[Button] = []
    amiss = {JobState.FAILED, JobState.CANCELLED, JobState.PARTIAL}
    if not settled and operation.mends is not None and record.state in amiss:
        buttons += operation.mends(record)
    # What is to be taken away is nothing to go on with.
    onward = operation.onward if record.state is JobState.PARTIAL and not buttons else None
    again = {JobState.STALE, JobState.EXPIRED, JobState.FAILED, JobState.PARTIAL}
    if onward is not None:
        buttons += onward(record.filled)
    elif record.successor is None and record.state in again:
        buttons.append(button("Ask again", "ask_again", record))
    if _way_back(record, operation):
        buttons.append(button("Move back", "move_back", record))
    if record.state is JobState.SUCCEEDED and operation.then is not None:
        buttons += operation.then(record.filled)
    if record.state is JobState.NEEDS_ATTENTION:
        buttons.append(button("Look again", "look_again", record))
    if record.state is JobState.FAILED and operation.instead is not None:
        buttons += operation.instead(record.filled)
    return tuple(buttons)


def _way_back(record: JobRecord, operation: Operation) -> bool:
    open_yet = record.state is JobState.SUCCEEDED and record.successor is None and not record.back_closed
    return open_yet and operation.reverse is not None


def reply(line: Phrase, *more: Phrase, urgent: bool = True) -> Outgoing:
    """A line in the job's thread."""
    return Outgoing("reply", Message(line, (Facts((line, *more)),)), urgent=urgent)


def ending_reply(record: JobRecord) -> Outgoing:
    """The last word in the thread; it mentions the requester, since an edited card notifies nobody."""
    headline, _mark = _ending(record)
    line = say("{who} {headline}", who=Who(record.requester), headline=headline)
    return reply(line, *record.evidence, *record.drifted)


def harm_reply(record: JobRecord, headline: Phrase) -> Outgoing:
    """Tells the requester that a guest is worse off than before, while other steps of the job are under way."""
    return reply(say("{who} {headline}", who=Who(record.requester), headline=headline))


def plain_title(record: JobRecord) -> str:
    """The title without markup, for logs and task names."""
    return plain(record.plan.title)
