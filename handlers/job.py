"""`/xen job <job>`: one job in full: what, who, decisions, steps, outcome."""

from __future__ import annotations

import msgspec

from bot.commands import Command, Context, Query, Topic
from bot.domain.job import JobState
from bot.domain.message import Checks, Facts, Mark, Message, Part, Verdict
from bot.domain.policy import Role
from bot.domain.record import JobRecord, StepState
from bot.domain.texts import Code, Moment, Phrase, Quote, Span, Who, many, say
from bot.domain.words import at_card, numbered, state_word, step_word

_DECIDED = {
    "confirm": "confirmed",
    "retarget": "given another host",
    "approve": "approved",
    "break_glass": "started without approval (break glass)",
    "deny": "denied",
    "withdraw": "withdrawn",
    "cancel": "asked to stop",
    "look_again": "looked at again",
    "ask_again": "asked for again",
    "move_back": "asked to be moved back",
}
_MARKS = {
    JobState.SUCCEEDED: Mark.DONE,
    JobState.RUNNING: Mark.WORKING,
    JobState.PROPOSED: Mark.WAITING,
    JobState.AWAITING_APPROVAL: Mark.WAITING,
    JobState.QUEUED: Mark.WAITING,
    JobState.FAILED: Mark.REFUSED,
    JobState.DENIED: Mark.REFUSED,
    JobState.PARTIAL: Mark.ATTENTION,
    JobState.NEEDS_ATTENTION: Mark.ATTENTION,
}


class Arguments(msgspec.Struct, frozen=True):
    """Which job."""

    job: int


async def answer(arguments: Arguments, context: Context) -> Message:
    """The job as the store has it."""
    record = await context.journal.job(arguments.job)
    state = say(state_word(record.state))
    headline = say("Job {n}, {state}: {title}", n=numbered(record), state=state, title=record.plan.title)
    beside = (say("{risk} risk", risk=record.plan.risk.value),)
    parts: list[Part] = [
        Verdict(headline, beside, _MARKS.get(record.state, Mark.PLAIN)),
        Facts((*_story(record), *at_card(record))),
    ]
    parts.append(Checks(record.plan.checks))
    return Message(headline, tuple(parts))


def _story(record: JobRecord) -> list[Phrase]:
    lines = [say("Asked by {who}, {at}", who=Who(record.requester), at=Moment(record.created_at))]
    if record.reason:
        lines.append(say("Reason given: “{reason}”", reason=Quote(record.reason)))
    if record.plan.risk_reasons:
        lines.append(say("Why it is risky: {reasons}", reasons=many(record.plan.risk_reasons)))
    for one in record.decisions:
        did = say(_DECIDED.get(one.verdict, "decided"))
        line = say("Decided: {did} by {who}, {at}", did=did, who=Who(one.person), at=Moment(one.at))
        lines.append(say("{line}: “{reason}”", line=line, reason=Quote(one.reason)) if one.reason else line)
    if record.state is JobState.AWAITING_APPROVAL:
        missing = record.approvers_needed - len(record.approved_by)
        lines.append(say("Needs {n} more with the approver role, until {at}", n=missing, at=Moment(record.expires_at)))
    lines += [_step(record, index) for index in range(len(record.steps))]
    if record.cancel_by:
        did_so = "Withdrawn by {who}" if record.state is JobState.WITHDRAWN else "{who} asked to stop it"
        lines.append(say(did_so, who=Who(record.cancel_by)))
    lines += [say("Moved since: {what}", what=what) for what in record.drifted]
    if record.outcome is not None:
        lines.append(say("Outcome: {outcome}", outcome=record.outcome))
    lines += record.evidence
    if record.state is JobState.NEEDS_ATTENTION:
        ask = Code(f"/xen resolve {record.number}")
        lines.append(say("Nothing is repeated by itself. An admin closes it with {ask}.", ask=ask))
    if record.started_at is not None and record.finished_at is not None:
        lines.append(say("Took {time}", time=Span(record.finished_at - record.started_at)))
    if record.successor is not None:
        lines.append(say("Asked again as job {n}", n=Code(str(record.successor))))
    return lines


def _step(record: JobRecord, index: int) -> Phrase:
    step = record.steps[index]
    planned = record.plan.steps[step.index].title if step.index < len(record.plan.steps) else say("a step")
    line = say("Step {n}: {title}, {state}", n=step.index + 1, title=planned, state=say(step_word(step.state)))
    if step.state is StepState.SENT:
        line = say("{line}, {percent} %", line=line, percent=int(step.progress * 100))
    if step.stood is not None:
        line = say("{line} ({said})", line=line, said=step.said or "")
    elif step.error:
        line = say("{line} ({code})", line=line, code=Code(" ".join(step.error)))
    return line


COMMAND = Command(
    word="job",
    usage="job <job>",
    help="Shows one job in full: who asked, who decided, each step, the outcome.",
    example="job 119",
    role=Role.VIEWER,
    arguments=Arguments,
    does=Query(answer),
    topic=Topic.LOOK,
)
