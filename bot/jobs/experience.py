"""What earlier jobs of a kind say of how long the next one takes. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

import msgspec

from bot.domain.plan import Plan
from bot.domain.record import JobRecord
from bot.domain.texts import Phrase, Span, say, span

#: So many are looked through for those of a like size, and so many of these are counted on: the newest.
LOOKED_THROUGH = 20
_COUNTED = 3
# Of another size than that a job says little: what each takes before and after the data is the same whatever its size.
_ALIKE = 2.0


def corrected(plan: Plan, earlier: Iterable[JobRecord]) -> Plan:
    """The plan with its guess by size corrected by what `earlier` jobs of its kind took, newest first.

    Without any of a like size it stays as it is: by size alone.
    """
    guess = plan.estimate_s
    if not guess:
        return plan
    alike = [one for one in map(_took, earlier) if one is not None and 1 / _ALIKE <= one[1] / guess <= _ALIKE]
    counted = alike[:_COUNTED]
    if not counted:
        return plan
    likely = guess * statistics.median(took / size for took, size in counted)
    pace = _told([took for took, _ in counted])
    return msgspec.structs.replace(plan, estimate_s=likely, by_size_s=guess, pace=pace)


def _took(job: JobRecord) -> tuple[float, float] | None:
    """How long it took, and what its size alone had said, in seconds."""
    size = job.plan.by_size_s or job.plan.estimate_s
    if job.started_at is None or job.finished_at is None or not size:
        return None
    # Clocks are set: a job that ended before it began tells nothing.
    return (job.finished_at - job.started_at, size) if job.finished_at > job.started_at else None


def _told(times: list[float]) -> Phrase:
    least, most = Span(min(times)), Span(max(times))
    if len(times) == 1:
        return say("the last one of this size took {time}", time=most)
    if span(least.s) == span(most.s):
        return say("the last {n} of this size took {time} each", n=len(times), time=most)
    return say("the last {n} of this size took {least} to {most}", n=len(times), least=least, most=most)
