"""What plans of many steps look like, how far a job is, and what one that ended partly has left undone. Pure."""

from __future__ import annotations

import operator
from collections.abc import Iterator

from bot.domain.job import JobState
from bot.domain.message import Facts, Part, Progress, Table
from bot.domain.plan import Plan
from bot.domain.record import BAD, BEGUN, JobRecord, StepState
from bot.domain.texts import Phrase, Quote, Span, many, say, span
from bot.domain.words import step_word
from bot.jobs import lanes
from bot.operations.base import Operation

# With more lanes than that a card shows those under way and those that went wrong, and counts the others.
_LANES = 10


def progress(record: JobRecord, now: float) -> Progress:
    """The steps by their weights, each as far as it is; seconds so far, and those left where there is a guess."""
    steps, weights = record.steps, [step.weight for step in record.plan.steps]
    reached = (1.0 if step.state is StepState.DONE else step.progress for step in steps)
    fraction = sum(map(operator.mul, reached, weights)) / (sum(weights) or 1.0)
    elapsed = max(0.0, (now or record.updated_at) - (record.started_at or now))
    return Progress(min(fraction, 0.99), elapsed, _left(record, fraction, elapsed))


def _left(record: JobRecord, fraction: float, elapsed: float) -> float | None:
    """Seconds that are left; None where nobody knows, or where the one line below says it by the rate of the moment."""
    ways = lanes.of_each(record)
    if len(ways) == 1 and any(step.said and "left" in step.said.values for step in record.steps):
        return None
    begun = [step for step in record.steps if step.state in BEGUN]
    if begun and fraction > 0.05 and all(step.said is not None and not step.progress for step in begun):
        # All that is under way waits for something, and the time so far tells nothing of that.
        return None
    if fraction > 0.05:
        return elapsed * (1 - fraction) / fraction
    plan = record.plan
    if plan.estimate_s is None or (plan.estimate_least_s or plan.estimate_s) < plan.estimate_s:
        return None
    return plan.estimate_s - elapsed if plan.estimate_s > elapsed else None


def estimate(plan: Plan) -> Phrase:
    """How long it takes, or between which bounds; after what earlier ones took, where that is known."""
    most, least = plan.estimate_s or 0.0, plan.estimate_least_s
    if plan.pace is not None:
        return say("About {time}: {pace}.", time=Span(most), pace=plan.pace)
    if least is None or span(least) == span(most):
        return say("About {time}.", time=Span(most))
    return say("Likely {least} to {most}.", least=Span(least), most=Span(most))


def how_far(record: JobRecord, now: float) -> Iterator[Part]:
    """How far a running job is, and what goes on; no bar where nothing can be measured, since an empty one lies."""
    said = record.steps[0].said if len(record.steps) == 1 else None
    if said is None or record.steps[0].progress:
        yield progress(record, now)
    if len(record.steps) > 1:
        yield Facts(tuple(steps(record)))
    elif said is not None:
        yield Facts((said,))


def steps(record: JobRecord) -> Iterator[Phrase]:
    """How many steps are done, and what is under way; of a plan with lanes a line for each."""
    if any(step.lane for step in record.plan.steps):
        yield from _of_lanes(record)
        return
    states = [step.state for step in record.steps]
    yield say("{n} of {all} steps done", n=states.count(StepState.DONE), all=len(states))
    going = [one.title for one, state in zip(record.plan.steps, states, strict=True) if state in BEGUN]
    if going:
        yield say("Under way: {steps}", steps=many(going))
    ended = [step for step in record.steps if step.state in BAD]
    for step in ended:
        yield say("{step}: {end}", step=record.plan.steps[step.index].title, end=Quote(" ".join(step.error)))
    if ended:
        yield say("Nothing more begins; what is under way is watched to its end.")


def _of_lanes(record: JobRecord) -> Iterator[Phrase]:
    ways = lanes.of_each(record)
    shown = ways
    if len(ways) > _LANES:
        over = {lane for lane, steps in ways.items() if lanes.over(record, steps)}
        begun = [lane for lane, steps in ways.items() if any(step.state is not StepState.WAITING for step in steps)]
        bad = [lane for lane in over if any(step.state in BAD for step in ways[lane])]
        telling = [lane for lane in ways if lane in begun and (lane not in over or lane in bad)]
        shown = {lane: ways[lane] for lane in telling[:_LANES]}
        waiting = len(ways) - len(begun)
        words = "{done} of {all} done, {wait} wait, {bad} went wrong"
        yield say(words, done=len(over) - len(bad), all=len(ways), wait=waiting, bad=len(bad))
    for lane, steps in shown.items():
        name = record.plan.names.get(lane, lane)
        touched = [step for step in steps if step.state is not StepState.WAITING]
        if not touched:
            yield say("{name}: waits", name=name)
            continue
        # The headline names the only one.
        whose = say("{name}: ", name=name) if len(ways) > 1 else say("")
        # What went wrong stays on the card while it is cleaned up behind it.
        newest = next((step for step in touched if step.state in BAD), touched[-1])
        doing = record.plan.steps[touched[-1].index].title
        if newest.said is None:
            yield say("{whose}{doing}", whose=whose, doing=doing)
        elif newest.state in BAD and touched[-1].state in BEGUN:
            yield say("{whose}{said} · {doing}", whose=whose, said=newest.said, doing=doing)
        else:
            yield say("{whose}{said}", whose=whose, said=newest.said)


def not_done(record: JobRecord) -> tuple[Phrase, ...]:
    """The steps of a job that ended partly, or needs a person, which are not known to be done."""
    left = [
        say("{title} ({state})", title=record.plan.steps[step.index].title, state=say(step_word(step.state)))
        for step in lanes.undone(record)
    ]
    several = record.state in {JobState.PARTIAL, JobState.NEEDS_ATTENTION} and len(record.steps) > 1
    return (say("Not done: {steps}", steps=many(left)),) if several and left else ()


def table(plan: Plan, operation: Operation | None) -> tuple[Table, ...]:
    """The table that goes with such a plan, if it has one."""
    found = operation.table(plan) if operation is not None and operation.table is not None else None
    return (found,) if found is not None else ()
