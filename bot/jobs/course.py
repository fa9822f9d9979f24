"""A job's way through its steps: which may begin now, what follows when one fails, and what is true in the end.

Nothing new begins once a step has ended otherwise than well, or somebody asked to stop; what is under way is watched to
its end. After a crash the same way is gone on from what was stored: steps that were begun are taken up first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import msgspec

from bot.domain.record import JobRecord, StepRecord, StepState
from bot.domain.texts import Phrase, Quote, say
from bot.errors import CannotTell, NotFound, Unreachable, XapiFailure
from bot.jobs import story
from bot.jobs.gate import Gate, Wait
from bot.jobs.judging import End, EndKind, Pace
from bot.jobs.steps import StepRunner
from bot.operations.base import Look, Operation, Seen
from bot.operations.ports import Driver, Facts
from bot.store import Outgoing, Store

_BEGUN = {StepState.INTENT, StepState.SENT}
_BAD = {StepState.FAILED, StepState.CANCELLED, StepState.UNCLEAR}


class Course:
    """The way of one job. `cancel_asked` reaches all its steps."""

    def __init__(
        self,
        number: int,
        operation: Operation,
        store: Store,
        driver: Driver,
        facts: Facts,
        words: Callable[[tuple[str, ...]], Phrase],
        pace: Pace,
        gate: Gate,
    ) -> None:
        self.number = number
        self.operation = operation
        self.store = store
        self.driver = driver
        self.facts = facts
        self.words = words
        self.pace = pace
        self.gate = gate
        self.just_judged = False
        self.cancel_asked = asyncio.Event()
        self._hints: dict[int, Phrase] = {}
        self._running: dict[asyncio.Task[End], int] = {}
        self._bad: list[End] = []
        self._last: End | None = None

    async def run(self) -> tuple[JobRecord, End]:
        """Carries the job from wherever it stands to its end; gives it as last stored, and how it ended.

        The step that ended last is not stored yet: it belongs into the transaction that ends the job.
        """
        try:
            record = await self.store.job(self.number)
            while True:
                for index in list(self._next(record)):
                    self._begin(record, index)
                if not self._running:
                    return record, await self._sum_up(record)
                await self._one_ended()
                record = await self.store.job(self.number)
        finally:
            # Whoever stops us stops watching; what the pool does goes on.
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    def _next(self, record: JobRecord) -> Iterator[int]:
        """The steps that may begin, or be taken up, beside those that run."""
        held = set(self._running.values()) | ({self._last.step.index} if self._last and self._last.step else set())
        steps = [step for step in record.steps if step.index not in held]
        adopted = [step.index for step in steps if step.state in _BEGUN]
        yield from adopted
        taken = len(self._running) + len(adopted)
        if self._last is not None or self._bad or any(step.state in _BAD for step in record.steps):
            return
        # Somebody wants it stopped: one step more says so, unless those under way will.
        room = max(1, record.plan.parallel) if not self.cancel_asked.is_set() else 1
        for step in steps:
            if step.state is not StepState.WAITING:
                continue
            ahead = [one for one in record.steps if one.index < step.index and one.state is not StepState.DONE]
            alone = record.plan.steps[step.index].alone
            if taken >= room or (ahead and (alone or any(record.plan.steps[one.index].alone for one in ahead))):
                return
            taken += 1
            yield step.index

    def _begin(self, record: JobRecord, index: int) -> None:
        runner = StepRunner(
            self.store, self.driver, self.facts, self.operation, self.words, self.pace, self._judge, index
        )
        runner.just_judged, self.just_judged = self.just_judged, False
        runner.cancel_asked, runner.hints = self.cancel_asked, self._hints
        task = asyncio.create_task(runner.run(record), name=f"job {self.number} step {index}")
        self._running[task] = index

    async def _judge(self, _record: JobRecord, index: int) -> Wait | tuple[Phrase, ...]:
        now = await self.store.job(self.number)
        by_itself = self.operation.apart and not now.plan.steps[index].alone
        begun = {step.index for step in now.steps if by_itself or step.state is not StepState.WAITING}
        return await self.gate.judge(now, frozenset(begun - {index}))

    async def _one_ended(self) -> None:
        ended, _ = await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        ends = [task.result() for task in ended]
        for task in ended:
            self._hints.pop(self._running.pop(task), None)
        self._bad += [end for end in ends if end.kind is not EndKind.DONE]
        record = await self.store.job(self.number)
        finished = {end.step.index for end in ends if end.step is not None}
        waits = any(step.state is StepState.WAITING and step.index not in finished for step in record.steps)
        stopped = bool(self._bad) or any(step.state in _BAD for step in record.steps)
        if not self._running and (stopped or not waits):
            self._last = ends.pop()
        for end in ends:
            if end.step is not None:
                await self.store.save_step(end.step, story=partial(self._told_now, end))

    def _told_now(self, end: End, record: JobRecord) -> tuple[Outgoing, ...]:
        """The card with one step more that has ended; that something went wrong does not wait for the others."""
        hint = next(iter(self._hints.values()), None)
        message = story.card(record, self.operation, hint=hint, now=self.store.clock())
        card = Outgoing("card", message, urgent=end.kind is not EndKind.DONE)
        # An edited card notifies nobody.
        return (card, story.harm_reply(record, end.headline)) if end.harmed else (card,)

    # The end

    async def _sum_up(self, record: JobRecord) -> End:
        last = self._last.step if self._last is not None else None
        steps = [last if last is not None and one.index == last.index else one for one in record.steps]
        done = msgspec.structs.replace(record, steps=tuple(steps)).done
        if len(done) == len(steps):
            return await self._complete(record, done)
        bad = list(self._told(steps))
        unclear = [end for end in bad if end.kind is EndKind.UNCLEAR]
        first = (unclear or bad)[0]
        others = tuple(line for end in bad if end is not first for line in (end.headline, *end.evidence))
        if not done:
            return msgspec.structs.replace(first, evidence=(*first.evidence, *others), step=last)
        look = await self._looked(record, done, tries=self.pace.sends)
        reasons = tuple(line for end in bad for line in (end.headline, *end.evidence))
        if unclear:
            evidence = (*first.evidence, look.headline, *look.evidence, *others)
            return msgspec.structs.replace(first, evidence=evidence, step=last)
        harm = next((end for end in bad if end.harmed), None)
        headline = say("{harm}; {what}", harm=harm.headline, what=look.headline) if harm else look.headline
        return End(EndKind.PARTIAL, headline, (*look.evidence, *reasons), last)

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
                sentence = say("{what}", what=Quote(" ".join(step.error)))
                yield known.get(step.index) or End(kinds[step.state], sentence)

    async def _complete(self, record: JobRecord, done: frozenset[int]) -> End:
        last = self._last
        if self.operation.sum_up is None and last is not None:
            headline = last.headline if len(done) == 1 else say("Done: {title}", title=record.plan.title)
            return msgspec.structs.replace(last, headline=headline)
        look = await self._looked(record, done)
        kind = EndKind.DONE if look.seen is Seen.DONE else EndKind.PARTIAL
        return End(kind, look.headline, look.evidence, last.step if last is not None else None)

    async def _looked(self, record: JobRecord, done: frozenset[int], *, tries: int = 0) -> Look:
        """What is true now; with `tries` the mere count of steps will do where the pool does not answer."""
        count = say("{n} of {all} steps done", n=len(done), all=len(record.steps))
        complete = len(done) == len(record.steps)
        if self.operation.sum_up is None:
            headline = say("{count}: {title}", count=count, title=record.plan.title)
            return Look(Seen.DONE if complete else Seen.NOT_DONE, headline, ())
        silent, since = 0, time.monotonic()
        while True:
            try:
                look = await self.operation.sum_up(record.plan, done, self.facts)
            except NotFound as gone:
                return Look(Seen.HARMED, say("{what}", what=Quote(gone.message)), (count,))
            except (Unreachable, CannotTell, XapiFailure):
                silent, since = silent + 1, since + self.pace.retry
                if silent == tries:
                    return Look(Seen.NOT_DONE, say("{count}; the pool does not answer", count=count), ())
            else:
                settled = time.monotonic() - since >= self.operation.settle_s
                if look.seen is Seen.DONE or not complete or (settled and look.seen is not Seen.GOING_ON):
                    return look
            await asyncio.sleep(self.pace.retry)
