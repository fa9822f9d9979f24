"""How a step ended: what the pool shows is looked at until it is clear, and only that is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import StrEnum

import msgspec

from bot.domain.plan import Step
from bot.domain.record import JobRecord, StepRecord, StepState
from bot.domain.texts import Moment, Phrase, Quote, Span, plain, say
from bot.errors import CannotTell, NotFound, Unreachable, XapiFailure
from bot.jobs import story
from bot.jobs.gate import Wait
from bot.operations.base import Look, Operation, Seen
from bot.operations.ports import Driver, Facts
from bot.store import Outgoing, Store


class Pace(msgspec.Struct, frozen=True):
    """How patient the engine is, in seconds."""

    retry: float = 1.0
    card: float = 2.0
    quiet: float = 2.0
    early_failure: float = 3.0
    vanished: float = 60.0
    sends: int = 3
    tidy: float = 60.0
    crowded: float = 10.0
    waiting: float = 20.0
    stubborn: int = 30
    stopping: float = 10.0
    silent: float = 900.0


class EndKind(StrEnum):
    """How a step ended, or a whole job; only a job of several steps ends partly."""

    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNCLEAR = "unclear"
    PARTIAL = "partial"


class End(msgspec.Struct, frozen=True):
    """How it ended, in words, what was seen, and the step as it is stored together with the job's new state.

    `harmed` tells that the guest was found to be worse off than before; `made` is what the step has made. Of a whole
    job, `last` is how the step ended that ended last.
    """

    kind: EndKind
    headline: Phrase
    evidence: tuple[Phrase, ...] = ()
    step: StepRecord | None = None
    harmed: bool = False
    made: dict[str, str] = {}
    last: End | None = None


def noted(record: JobRecord, end: End) -> dict[str, object]:
    """What the audit keeps of a step that has ended: which it was, how it ended, and what was seen then."""
    seen = [plain(one) for one in end.evidence]
    step = plain(record.plan.steps[end.step.index].title) if end.step is not None else ""
    return {"step": step, "outcome": plain(end.headline), "seen": seen}


class Judging:
    """One step of one job: what is known of it, how its card says so, and how its end is judged."""

    def __init__(
        self,
        store: Store,
        driver: Driver,
        facts: Facts,
        operation: Operation,
        words: Callable[[tuple[str, ...]], Phrase],
        pace: Pace,
        judge: Callable[[JobRecord, int], Awaitable[Wait | tuple[Phrase, ...]]],
        index: int,
    ) -> None:
        self.store = store
        self.driver = driver
        self.facts = facts
        self.operation = operation
        self.words = words
        self.pace = pace
        self.judge = judge
        self.index = index
        self.just_judged = False
        self.cancel_asked = asyncio.Event()
        # Shared by all steps of a job that are under way: the card has one place for what keeps it waiting.
        self.hints: dict[int, Phrase] = {}
        # Rung where other steps of the job may begin before this one is over.
        self.news = asyncio.Event()
        self._card_at = 0.0
        self._highest = 0.0
        self._ended = False
        self._look_at = 0.0
        self._waits = 0

    async def _judge(self, record: JobRecord, step: StepRecord, plan_step: Step, error: tuple[str, ...] | None) -> End:
        """Looks at the object until the truth is clear. `error` is None when the task is gone, ("",) on success."""
        patience = self._patience(error)
        started, until = time.monotonic(), self.store.clock() + patience
        while True:
            look = await self._seen(record, plan_step)
            waited = time.monotonic() - started
            if look is None:
                # Time in which nobody answered is no time spent looking.
                started, until = started + self.pace.retry, until + self.pace.retry
                await self._hint(record, say("The pool does not answer; looking again."))
            elif look.seen is Seen.DONE:
                return self._finish(step, self._arrived(look, step, plan_step, error))
            elif look.seen is not Seen.GOING_ON and (waited >= patience or look.made):
                # What shows what it has made changes no more by being looked at again.
                return self._finish(step, self._with_foreseen(record, self._verdict(look, error), error))
            elif look.seen is Seen.GOING_ON:
                started, until = time.monotonic(), self.store.clock() + patience
            if look is not None and patience > self.pace.early_failure and (error != ("",) or waited >= self.pace.card):
                await self._hint(record, self._settling(look, error, until))
            await asyncio.sleep(self.pace.retry / 2)

    def _settling(self, look: Look, error: tuple[str, ...] | None, until: float) -> Phrase:
        """What is known while it may still change: a failed migration may yet show its guest at the target."""
        if error is None:
            why = say("the pool has lost its task")
        elif error == ("",):
            why = say("the pool calls it done")
        else:
            why = say("the pool reports a failure: {why}", why=self.words(error))
        if look.seen is Seen.GOING_ON:
            return say("{look}; {why}, and still works on it.", look=look.headline, why=why)
        line = "{look}; {why}. Looked at again until {when}, since this may still change."
        return say(line, look=look.headline, why=why, when=Moment(until))

    def _patience(self, error: tuple[str, ...] | None) -> float:
        """How long a look may still change, in seconds."""
        if error is None:
            return self.pace.vanished
        began = self._highest > 0 and error[0] != "TASK_CANCELLED"
        return self.operation.settle_s if error == ("",) or began else self.pace.early_failure

    def _arrived(self, look: Look, step: StepRecord, plan_step: Step, error: tuple[str, ...] | None) -> End:
        why = self._why(error)
        if why and not step.task and not look.made and not plan_step.undoes:
            # The pool refused the call, so somebody else brought it about.
            return End(EndKind.FAILED, say("Not by this job: {look}", look=look.headline), (*look.evidence, *why))
        return End(EndKind.DONE, look.headline, (*look.evidence, *why), made=look.made)

    def _verdict(self, look: Look, error: tuple[str, ...] | None) -> End:
        if look.seen is Seen.HARMED:
            # What was made although it went wrong can only be taken back when it is known.
            evidence = (*look.evidence, *self._why(error))
            return End(EndKind.FAILED, look.headline, evidence, harmed=True, made=look.made)
        if error is None or error == ("",):
            return End(EndKind.UNCLEAR, say("We lost sight of it: {look}", look=look.headline), look.evidence)
        if error[0] == "TASK_CANCELLED":
            return End(EndKind.CANCELLED, say("Cancelled: {look}", look=look.headline), look.evidence)
        why = self.words(error)
        return End(EndKind.FAILED, say("Failed: {why}; {look}", why=why, look=look.headline), look.evidence)

    def _with_foreseen(self, record: JobRecord, end: End, error: tuple[str, ...] | None) -> End:
        """A failure with whether a check before it looks for its cause, so that a gap in the checks shows."""
        foreseen = self.operation.foreseen
        if end.kind is not EndKind.FAILED or foreseen is None or not error or not error[0]:
            return end
        return msgspec.structs.replace(end, evidence=(*end.evidence, foreseen(record.plan, error[0])))

    def _why(self, error: tuple[str, ...] | None) -> tuple[Phrase, ...]:
        return (self.words(error),) if error and error != ("",) else ()

    async def broken(self, job: int) -> End:
        """The end of a step that a defect of ours has broken off, from wherever it stands: nobody knows what it did."""
        step = (await self.store.job(job)).steps[self.index]
        return self._finish(step, End(EndKind.UNCLEAR, say("xenbot met an error of its own; its log says which")))

    async def unheard(self, job: int, pool: str) -> End:
        """The end of a step whose pool has been silent for too long, from wherever it stands."""
        record = await self.store.job(job)
        title, time_ = record.plan.steps[self.index].title, Span(self.pace.silent)
        line = say("{pool} has answered nothing for {time}; not known: {title}", pool=pool, time=time_, title=title)
        step = record.steps[self.index]
        end = self._finish(step, End(EndKind.UNCLEAR, line))
        # As after a crash it is gone on from there, once somebody has seen that the pool answers.
        kept = msgspec.structs.replace(end.step or step, error=step.given_up())
        return msgspec.structs.replace(end, step=kept)

    def _finish(self, step: StepRecord, end: End) -> End:
        state = {
            EndKind.DONE: StepState.DONE,
            EndKind.FAILED: StepState.FAILED,
            EndKind.CANCELLED: StepState.CANCELLED,
            EndKind.UNCLEAR: StepState.UNCLEAR,
        }[end.kind]
        said = (plain(end.headline),) if end.kind is not EndKind.DONE else ()
        ended = msgspec.structs.replace(
            step,
            state=state,
            finished_at=self.store.clock(),
            progress=self._highest,
            error=said,
            said=end.headline,
            made=end.made,
        )
        return msgspec.structs.replace(end, step=ended)

    async def _save(self, step: StepRecord) -> None:
        await self.store.save_step(step, story=self._card)

    def _card(self, record: JobRecord) -> tuple[Outgoing, ...]:
        hint = next(iter(self.hints.values()), None)
        message = story.card(record, self.operation, hint=hint, now=self.store.clock())
        return (Outgoing("card", message, urgent=False),)

    async def _hint(self, record: JobRecord, hint: Phrase) -> None:
        if self.hints.get(self.index) != hint:
            self.hints[self.index] = hint
            await self.store.annotate(record.number, {}, story=self._card)

    @asynccontextmanager
    async def _told_if_slow(self, record: JobRecord, hint: Phrase) -> AsyncIterator[None]:
        """Says `hint` when the block takes longer than a card may go without news."""

        async def tell() -> None:
            await asyncio.sleep(self.pace.card)
            await self._hint(record, hint)

        telling = asyncio.create_task(tell())
        try:
            yield
        finally:
            telling.cancel()
            # What the store could not take is met again by whatever is stored next.
            await asyncio.gather(telling, return_exceptions=True)

    async def _seen(self, record: JobRecord, plan_step: Step) -> Look | None:
        """What the pool shows, None when it does not answer."""
        try:
            return await self.operation.look(record.filled.seen_from(plan_step), plan_step, self.facts)
        except (Unreachable, CannotTell, XapiFailure):
            return None
        except NotFound as gone:
            return Look(Seen.HARMED, say("{what}", what=Quote(gone.message)), ())
