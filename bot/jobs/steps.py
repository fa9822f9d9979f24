"""Running one step of a job, so that it happens once and its end is looked at, whatever is lost on the way.

The order is: make a parent task at the pool and store it, write down that the call is about to be sent, send it, store
the task, wait, look. After a crash the same function goes on from what was stored.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum

import msgspec
import structlog

from bot.domain.audit import Tag
from bot.domain.plan import Step
from bot.domain.record import JobRecord, StepRecord, StepState
from bot.domain.texts import Phrase, Quote, many, say
from bot.errors import CannotTell, NotFound, OutcomeUnknown, Unreachable, XapiFailure
from bot.jobs import story
from bot.jobs.gate import Wait
from bot.operations.base import Look, Operation, Seen
from bot.operations.ports import Driver, Facts, TaskStatus, TaskView
from bot.store import Note, Outgoing, Store

log = structlog.get_logger()


class Pace(msgspec.Struct, frozen=True):
    """How patient the engine is, in seconds."""

    retry: float = 1.0
    card: float = 2.0
    quiet: float = 2.0
    early_failure: float = 3.0
    vanished: float = 60.0
    sends: int = 3
    tidy: float = 60.0


class EndKind(StrEnum):
    """How a step ended."""

    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNCLEAR = "unclear"


class End(msgspec.Struct, frozen=True):
    """How a step ended, in words, what was seen, and the step as it is stored together with the job's new state."""

    kind: EndKind
    headline: Phrase
    evidence: tuple[Phrase, ...] = ()
    step: StepRecord | None = None


_ALIVE = {TaskStatus.PENDING, TaskStatus.SUCCESS}


def _before(record: JobRecord) -> Phrase:
    return say("Cancelled before it began: {title}", title=record.plan.title)


class StepRunner:
    """Runs one step of one job."""

    def __init__(
        self,
        store: Store,
        driver: Driver,
        facts: Facts,
        operation: Operation,
        words: Callable[[tuple[str, ...]], Phrase],
        pace: Pace,
        judge: Callable[[JobRecord], Awaitable[Wait | tuple[Phrase, ...]]],
    ) -> None:
        self.store = store
        self.driver = driver
        self.facts = facts
        self.operation = operation
        self.words = words
        self.pace = pace
        self.judge = judge
        self.just_judged = False
        self.cancel_asked = asyncio.Event()
        self.hint: Phrase | None = None
        self._card_at = 0.0
        self._highest = 0.0
        self._ended = False

    async def run(self, record: JobRecord, index: int) -> End:
        """Carries the step from wherever it stands to its end."""
        step, plan_step = record.steps[index], record.plan.steps[index]
        self._highest = step.progress
        if step.state is StepState.WAITING:
            if self.cancel_asked.is_set():
                return self._finish(step, End(EndKind.CANCELLED, _before(record)))
            opened = await self._open(record, step)
            if isinstance(opened, End):
                return opened
            step = opened
        if step.state is StepState.INTENT:
            sent = await self._send(record, step, plan_step)
            if isinstance(sent, End):
                return sent
            step = sent
        return await self._watch(record, step, plan_step)

    async def _open(self, record: JobRecord, step: StepRecord) -> StepRecord | End:
        label = f"xenbot job {record.number}: {story.plain_title(record)}"
        for attempt in range(self.pace.sends):
            try:
                parent = await self.driver.open_task(record.pool, label, f"asked by {record.requester}")
            except XapiFailure as failure:
                words = self.words((failure.code, *failure.params))
                return self._finish(step, End(EndKind.FAILED, say("Not started: {words}", words=words)))
            except (Unreachable, CannotTell, OutcomeUnknown):
                # A parent task that was made though its answer was lost is an empty label: it changes nothing.
                await asyncio.sleep(self.pace.retry * (attempt + 1))
                continue
            opened = msgspec.structs.replace(
                step, state=StepState.INTENT, parent=parent, started_at=self.store.clock(), attempts=0
            )
            await self._save(opened)
            return opened
        silent = say("Not started: the pool does not answer. Nothing was changed.")
        return self._finish(step, End(EndKind.FAILED, silent))

    async def _send(self, record: JobRecord, step: StepRecord, plan_step: Step) -> StepRecord | End:
        # After a crash nobody knows how the connection ended, so a call that was tried is never sent again.
        self._ended, refused = False, 0
        while True:
            if step.attempts:
                found = await self._find(record, step, ended=self._ended)
                if found is not None:
                    return found if isinstance(found, StepRecord) else await self._judge(record, step, plan_step, None)
            stop = await self._still_right(record, max(step.attempts, refused))
            if stop is not None:
                return self._finish(step, stop)
            step = msgspec.structs.replace(step, attempts=step.attempts + 1)
            await self._save(step)
            sent = await self._begin(record, step, plan_step)
            if isinstance(sent, End) or sent.state is StepState.SENT:
                return sent
            refused += sent.attempts < step.attempts
            step = sent

    async def _begin(self, record: JobRecord, step: StepRecord, plan_step: Step) -> StepRecord | End:
        """Sends the call: the step with its task, its end, or the step as it was where no task is known."""
        try:
            task = await self.driver.begin(record.pool, plan_step.call, parent=step.parent, job=str(record.number))
        except XapiFailure as failure:
            return await self._judge(record, step, plan_step, (failure.code, *failure.params))
        except (Unreachable, CannotTell):
            # Certainly not sent, and written down as such: after a crash it may be tried as if it never had been.
            unsent = msgspec.structs.replace(step, attempts=step.attempts - 1)
            await self._save(unsent)
            await self._hint(record, say("The pool does not answer; nothing was sent yet."))
            await asyncio.sleep(self.pace.retry)
            return unsent
        except OutcomeUnknown as lost:
            log.warning("answer_lost", job=record.number, step=step.index, reason=str(lost))
            await self._hint(record, say("The answer was lost. Looking at the pool before anything else is done."))
            self._ended = lost.ended
            return step
        return await self._sent(step, task)

    async def _sent(self, step: StepRecord, task: str) -> StepRecord:
        sent = msgspec.structs.replace(step, state=StepState.SENT, task=task)
        self.hint = None
        await self._save(sent)
        return sent

    async def _find(self, record: JobRecord, step: StepRecord, *, ended: bool) -> StepRecord | bool | None:
        """Our call at the pool: the step with its task; None when it certainly never arrived; False when unknown.

        The pool makes the child task before it does anything, and the child names our parent. So while the parent is
        there, a child still missing a quiet moment after the server `ended` the connection proves that nothing arrived.
        After a time-out it proves nothing: the server may hold the request and carry it out later.
        """
        quiet = self.pace.quiet if ended else self.pace.vanished
        first_empty: float | None = None
        while True:
            try:
                children = await self.driver.children(record.pool, step.parent)
            except (Unreachable, CannotTell, XapiFailure):
                await self._hint(record, say("The pool does not answer. Nothing is repeated until it does."))
                await asyncio.sleep(self.pace.retry)
                continue
            if children is None:
                return False
            if children:
                # Should there ever be two, the one that did or does something is the one to watch.
                child = next((one for one in children if one.status in _ALIVE), children[0])
                await self.store.save_step(step, Note(Tag.JOB_ADOPTED, record.team, "xenbot", task=child.handle))
                return await self._sent(step, child.handle)
            if first_empty is None:
                first_empty = time.monotonic()
            elif time.monotonic() - first_empty >= quiet:
                return None if ended else False
            await asyncio.sleep(self.pace.retry / 4)

    async def _watch(self, record: JobRecord, step: StepRecord, plan_step: Step) -> End:
        seen: TaskView | None = None
        told_pool = False
        while True:
            if self.cancel_asked.is_set() and not told_pool:
                told_pool = await self._told(record, step)
            try:
                view = await self.driver.wait(record.pool, step.task, seen=seen, at_most_s=self.pace.retry)
            except (Unreachable, CannotTell, XapiFailure):
                await self._hint(record, say("The pool does not answer; the work there goes on without us."))
                await asyncio.sleep(self.pace.retry)
                continue
            if view is None:
                return await self._judge(record, step, plan_step, None)
            if self.hint is not None:
                self.hint = None
                self._card_at = 0.0
            seen = view
            if view.status in {TaskStatus.SUCCESS, TaskStatus.FAILURE, TaskStatus.CANCELLED}:
                error = view.error if view.status is not TaskStatus.SUCCESS else ("",)
                if view.status is TaskStatus.CANCELLED:
                    error = ("TASK_CANCELLED", *view.error[1:])
                return await self._judge(record, step, plan_step, error)
            step = await self._advance(step, view.progress)

    async def _advance(self, step: StepRecord, progress: float) -> StepRecord:
        # XAPI's progress falls back when the domain manager starts its second list of steps; the card must not.
        self._highest = max(self._highest, min(progress, 0.99))
        now = time.monotonic()
        if now - self._card_at < self.pace.card:
            return step
        self._card_at = now
        moved = msgspec.structs.replace(step, progress=self._highest)
        await self._save(moved)
        return moved

    async def _judge(self, record: JobRecord, step: StepRecord, plan_step: Step, error: tuple[str, ...] | None) -> End:
        """Looks at the object until the truth is clear. `error` is None when the task is gone, ("",) on success."""
        patience = self.pace.vanished
        if error == ("",):
            patience = self.operation.settle_s
        elif error is not None:
            began = self._highest > 0 and error[0] != "TASK_CANCELLED"
            patience = self.operation.settle_s if began else self.pace.early_failure
        started = time.monotonic()
        while True:
            look = await self._seen(record, plan_step)
            waited = time.monotonic() - started
            if look is None:
                started += self.pace.retry  # time in which nobody answered is no time spent looking
                await self._hint(record, say("The pool does not answer; looking again."))
            elif look.seen is Seen.DONE:
                return self._finish(step, self._arrived(look, step, error))
            elif look.seen is not Seen.GOING_ON and waited >= patience:
                return self._finish(step, self._verdict(look, error))
            elif look.seen is Seen.GOING_ON:
                started = time.monotonic()
            await asyncio.sleep(self.pace.retry / 2)

    def _arrived(self, look: Look, step: StepRecord, error: tuple[str, ...] | None) -> End:
        why = self._why(error)
        if why and not step.task:
            # The pool refused the call, so somebody else brought it about.
            return End(EndKind.FAILED, say("Not by this job: {look}", look=look.headline), (*look.evidence, *why))
        return End(EndKind.DONE, look.headline, (*look.evidence, *why))

    def _verdict(self, look: Look, error: tuple[str, ...] | None) -> End:
        if look.seen is Seen.HARMED:
            return End(EndKind.FAILED, look.headline, (*look.evidence, *self._why(error)))
        if error is None or error == ("",):
            return End(EndKind.UNCLEAR, say("We lost sight of it: {look}", look=look.headline), look.evidence)
        if error[0] == "TASK_CANCELLED":
            return End(EndKind.CANCELLED, say("Cancelled: {look}", look=look.headline), look.evidence)
        why = self.words(error)
        return End(EndKind.FAILED, say("Failed: {why}; {look}", why=why, look=look.headline), look.evidence)

    def _why(self, error: tuple[str, ...] | None) -> tuple[Phrase, ...]:
        return (self.words(error),) if error and error != ("",) else ()

    async def _still_right(self, record: JobRecord, tries: int) -> End | None:
        """Whether the call may still be sent, after a crash or a long silence; None when nothing speaks against it."""
        if tries >= self.pace.sends:
            return End(EndKind.FAILED, say("Failed: the pool did not take the call, {n} times.", n=tries))
        if self.just_judged and not self.cancel_asked.is_set():
            self.just_judged = False
            return None
        while not self.cancel_asked.is_set():
            found = await self.judge(record)
            if not isinstance(found, Wait):
                why = say("Not started, things have changed: {why}", why=many(found))
                return End(EndKind.FAILED, why) if found else None
            await self._hint(record, found.hint)
            await asyncio.sleep(self.pace.retry)
        return End(EndKind.CANCELLED, _before(record))

    def _finish(self, step: StepRecord, end: End) -> End:
        state = {
            EndKind.DONE: StepState.DONE,
            EndKind.FAILED: StepState.FAILED,
            EndKind.CANCELLED: StepState.CANCELLED,
            EndKind.UNCLEAR: StepState.UNCLEAR,
        }[end.kind]
        ended = msgspec.structs.replace(step, state=state, finished_at=self.store.clock(), progress=self._highest)
        return msgspec.structs.replace(end, step=ended)

    async def _save(self, step: StepRecord) -> None:
        await self.store.save_step(step, story=self._card)

    def _card(self, record: JobRecord) -> tuple[Outgoing, ...]:
        message = story.card(record, self.operation, hint=self.hint, now=self.store.clock())
        return (Outgoing("card", message, urgent=False),)

    async def _hint(self, record: JobRecord, hint: Phrase) -> None:
        if self.hint != hint:
            self.hint = hint
            await self.store.annotate(record.number, {}, story=self._card)

    async def _seen(self, record: JobRecord, plan_step: Step) -> Look | None:
        """What the pool shows, None when it does not answer."""
        try:
            return await self.operation.look(record.plan, plan_step, self.facts)
        except (Unreachable, CannotTell, XapiFailure):
            return None
        except NotFound as gone:
            return Look(Seen.HARMED, say("{what}", what=Quote(gone.message)), ())

    async def _told(self, record: JobRecord, step: StepRecord) -> bool:
        """Whether the pool heard that the task should stop; asking again is harmless."""
        try:
            return await self.driver.cancel(record.pool, step.task)
        except (Unreachable, CannotTell, XapiFailure, OutcomeUnknown):
            return False
