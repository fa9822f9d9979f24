"""How a job ended: what its steps came to, and what is true of the pool then, looked at."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from bot.domain.record import JobRecord, StepRecord, StepState
from bot.domain.texts import Phrase, Quote, once, say
from bot.errors import CannotTell, NotFound, Unreachable, XapiFailure
from bot.jobs import lanes
from bot.jobs.judging import End, EndKind, Pace
from bot.operations.base import Look, Operation, Seen
from bot.operations.ports import Facts


class Summing:
    """The end of a job, from the ends of its steps: `_bad` are those that were not good, `_last` the one told last."""

    operation: Operation
    facts: Facts
    pace: Pace
    _bad: list[End]
    _last: End | None

    async def _sum_up(self, record: JobRecord) -> End:
        last = self._last.step if self._last is not None else None
        steps = [last if last is not None and one.index == last.index else one for one in record.steps]
        record = msgspec.structs.replace(record, steps=tuple(steps))
        if lanes.complete(record):
            return await self._complete(record)
        kept = lanes.kept(record)
        bad = list(self._told(steps))
        unclear = [end for end in bad if end.kind is EndKind.UNCLEAR]
        first = (unclear or bad)[0]
        others = tuple(line for end in bad if end is not first for line in (end.headline, *end.evidence))
        if self.operation.whole:
            silent = any(one.stood is not None for one in steps)
            return await self._as_before(record, first, others, silent=silent)
        if not kept:
            said = (*first.evidence, *others, *_taken_back(record))
            return msgspec.structs.replace(
                first, headline=_of_several(first, bad, record), evidence=once(said), step=last
            )
        look = await self._looked(record, kept, tries=self.pace.sends)
        reasons = tuple(line for end in bad for line in (end.headline, *end.evidence))
        if unclear:
            evidence = (*first.evidence, look.headline, *look.evidence, *others)
            return msgspec.structs.replace(first, evidence=evidence, step=last)
        harm = next((end for end in bad if end.harmed), None)
        headline = say("{harm}; {what}", harm=harm.headline, what=look.headline) if harm else look.headline
        return End(EndKind.PARTIAL, headline, (*look.evidence, *reasons), last)

    async def _apart(self, record: JobRecord) -> Look | None:
        raise NotImplementedError

    async def _as_before(self, record: JobRecord, first: End, others: tuple[Phrase, ...], *, silent: bool) -> End:
        """The end of work that counts only as a whole: how things stand comes first, then why it was not done.

        With `silent` one of its pools is, so that only the others tell.
        """
        known = await self._apart(record) if silent else None
        look = known or await self._looked(record, lanes.kept(record), tries=self.pace.sends)
        kind = first.kind
        if kind is EndKind.UNCLEAR and look.seen is Seen.NOT_DONE and not silent:
            # That the outcome of a step was never known does not matter once what it was for is seen to be taken back.
            kind = EndKind.FAILED
        if kind is EndKind.CANCELLED and look.seen is not Seen.NOT_DONE:
            # Whoever stopped it was promised that all would be as before.
            kind = EndKind.FAILED
        reasons = (first.headline, *first.evidence, *others)
        said = (*look.evidence, *reasons) if silent else (*reasons, *look.evidence)
        return msgspec.structs.replace(
            first,
            kind=kind,
            headline=look.headline,
            evidence=once((*said, *_taken_back(record))),
            step=self._last.step if self._last is not None else None,
        )

    def _told(self, steps: Iterable[StepRecord]) -> Iterator[End]:
        """The ends that were not good; of those from before a crash only the sentence is known."""
        known = {end.step.index: end for end in self._bad if end.step is not None}
        kinds = {
            StepState.FAILED: EndKind.FAILED,
            StepState.CANCELLED: EndKind.CANCELLED,
            StepState.UNCLEAR: EndKind.UNCLEAR,
        }
        for step in steps:
            if step.state in kinds:
                sentence = step.said or say("{what}", what=Quote(" ".join(step.error)))
                yield known.get(step.index) or End(kinds[step.state], sentence)

    async def _complete(self, record: JobRecord) -> End:
        last, done = self._last, record.done
        if self.operation.sum_up is None and last is not None:
            headline = last.headline if len(done) == 1 else say("Done: {title}", title=record.plan.title)
            return msgspec.structs.replace(last, headline=headline)
        look = await self._looked(record, done)
        kind = EndKind.DONE if look.seen is Seen.DONE else EndKind.PARTIAL
        told = [one.said for one in record.steps if one.said is not None and one.kind in self.operation.tells]
        return End(kind, look.headline, (*told, *look.evidence), last.step if last is not None else None)

    async def _looked(self, record: JobRecord, done: frozenset[int], *, tries: int = 0) -> Look:
        """What is true now; with `tries` the mere count of steps will do where the pool does not answer."""
        count = say("{n} of {all} steps done", n=len(done), all=len(record.steps))
        complete = lanes.complete(record)
        if self.operation.sum_up is None:
            headline = say("{count}: {title}", count=count, title=record.plan.title)
            return Look(Seen.DONE if complete else Seen.NOT_DONE, headline, ())
        silent, began = 0, time.monotonic()
        since = began
        while True:
            try:
                look = await self.operation.sum_up(record.filled, done, self.facts)
            except NotFound as gone:
                return Look(Seen.HARMED, say("{what}", what=Quote(gone.message)), (count,))
            except (Unreachable, CannotTell, XapiFailure):
                silent, since = silent + 1, since + self.pace.retry
                parted = len(record.plan.pools) > 1 and time.monotonic() - began >= self.pace.silent
                if silent == tries or parted:
                    # Nobody knows, then; in the end that is told, and not waited for.
                    return Look(Seen.GOING_ON, say("{count}; the pool does not answer", count=count), ())
            else:
                settled = time.monotonic() - since >= self.operation.settle_s
                if look.seen is Seen.DONE or not complete or (settled and look.seen is not Seen.GOING_ON):
                    return look
            await asyncio.sleep(self.pace.retry)


def _taken_back(record: JobRecord) -> Iterator[Phrase]:
    """What the steps say that took something back."""
    for step in record.steps:
        if record.plan.steps[step.index].undoes and step.state is StepState.DONE and step.said is not None:
            yield step.said


def _of_several(first: End, bad: Sequence[End], record: JobRecord) -> Phrase:
    """The headline where of several lanes none went well: the first by itself would pass for the only one."""
    plan = record.plan.steps
    failed = {plan[end.step.index].lane for end in bad if end.kind is EndKind.FAILED and end.step is not None}
    if first.kind is not EndKind.FAILED or first.harmed or len(failed) < 2:
        return first.headline
    count = len(lanes.of_each(record))
    return say("{n} of {all} went wrong. The first: {headline}", n=len(failed), all=count, headline=first.headline)
