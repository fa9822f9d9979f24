"""What a plan says to whoever decides about it: on its card, and in the dialogue where it was asked for. Pure."""

from __future__ import annotations

from bot.domain.job import JobState
from bot.domain.message import Checks, Facts, Message, Part, Small, Verdict
from bot.domain.plan import Plan
from bot.domain.record import JobRecord
from bot.domain.texts import Many, Moment, Phrase, Quote, Span, pieces, say
from bot.jobs import standing
from bot.operations.base import Operation


def looked_over(plan: Plan, operation: Operation, reason: str, needed: int) -> Message:
    """A plan as a dialogue shows it before it is asked for: all that its card would say."""
    verdict = Verdict(plan.title, (say("{risk} risk", risk=plan.risk.value),))
    shown = _considerations(plan, reason, needed)
    return Message(plan.title, (verdict, *shown, *standing.table(plan, operation)))


def considered(record: JobRecord) -> list[Part]:
    """What the card of a job says of its plan before it is decided."""
    needed = record.approvers_needed if record.state is JobState.PROPOSED else 0
    # With another host chosen it was planned, and checked, once more.
    checked = max([record.created_at, *(one.at for one in record.decisions if one.verdict == "retarget")])
    small = Small(say("Checked {when}; checked again before it starts.", when=Moment(checked)))
    return [*_considerations(record.plan, record.reason, needed), small]


def _considerations(plan: Plan, reason: str, needed: int) -> list[Part]:
    """What speaks for and against a plan; `needed` is how many must approve it once it is confirmed."""
    lines: list[Phrase] = [say("{why}.", why=plan.chosen)] if plan.chosen is not None else []
    if plan.risk_reasons:
        lines.append(say("Why it is risky: {reasons}", reasons=Many(plan.risk_reasons)))
    if reason:
        lines.append(say("Reason given: “{reason}”", reason=Quote(reason)))
    lines += plan.after
    if plan.estimate_s and not _tells(lines, Span(plan.estimate_s)):
        lines.append(standing.estimate(plan))
    parts: list[Part] = [Facts(tuple(lines))] if lines else []
    parts.append(Checks(plan.checks))
    if needed:
        line = say("After you confirm it, {n} with the approver role must approve.", n=people(needed))
        parts.append(Facts((line,)))
    return parts


def _tells(lines: list[Phrase], time: Span) -> bool:
    """Whether a length of time is told already, as that of an outage which lasts as long as the job."""
    return any(isinstance(piece, tuple) and piece[0] == time for line in lines for piece in pieces(line))


def people(count: int) -> Phrase:
    """A number of people, in words."""
    return say("one person") if count == 1 else say("{n} people", n=count)
