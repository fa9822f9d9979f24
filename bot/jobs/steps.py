"""Running one step of a job, so that it happens once and its end is looked at, whatever is lost on the way.

The order is: make a parent task at the pool and store it, write down that the call is about to be sent, send it, store
the task, wait, look. After a crash the same function goes on from what was stored.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

import msgspec
import structlog

from bot.domain.plan import Step
from bot.domain.record import JobRecord, StepRecord, StepState
from bot.domain.texts import Span, say
from bot.errors import CannotTell, OutcomeUnknown, Unreachable, XapiFailure
from bot.jobs.judging import End, EndKind
from bot.jobs.sending import Sending, before
from bot.jobs.undoing import Undoing
from bot.operations.base import Seen
from bot.operations.ports import TaskStatus, TaskView

log = structlog.get_logger()


_AWAY = say("The pool does not answer; the work there goes on without us.")


class StepRunner(Sending, Undoing):
    """Runs one step of one job."""

    async def run(self, record: JobRecord) -> End:
        """Carries the step from wherever it stands to its end, as often as the pool was too busy to begin with it."""
        plan_step = record.step(self.index)
        if plan_step is None:
            missing = say("Not begun, since what it needs is not there: {title}", title=self._planned(record).title)
            return self._finish(record.steps[self.index], End(EndKind.FAILED, missing))
        if plan_step.pool and not plan_step.undoes and record.steps[self.index].state is StepState.WAITING:
            await self._pool_is_known(record, plan_step.pool)
        end: StepRecord | End = record.steps[self.index]
        while isinstance(end, StepRecord):
            end = await self._once(record, end, plan_step)
        return end

    async def _pool_is_known(self, record: JobRecord, pool: str) -> None:
        """After a start the feed loads in its own time; a pool that is silent for longer makes the step fail."""
        for _ in range(self.pace.stubborn):
            if self.driver.known(pool) is not None or self.cancel_asked.is_set():
                return
            name = record.plan.names.get(pool, pool)
            await self._hint(record, say("{pool} has not answered yet since xenbot was started.", pool=name))
            await asyncio.sleep(self.pace.retry)

    def _planned(self, record: JobRecord) -> Step:
        return record.plan.steps[self.index]

    async def _once(self, record: JobRecord, step: StepRecord, plan_step: Step) -> StepRecord | End:
        """The end of the step, or the step as it was before it began."""
        self._highest = step.progress
        if step.state is StepState.WAITING:
            if self.cancel_asked.is_set():
                return self._finish(step, End(EndKind.CANCELLED, before(record, plan_step)))
            if plan_step.undoes:
                already = await self._undone(record, plan_step)
                if already is not None:
                    return self._finish(step, already)
            opened = await self._open(record, step, plan_step)
            if isinstance(opened, End):
                return opened
            step = opened
        if step.state is StepState.INTENT:
            sent = await self._send(record, step, plan_step)
            if isinstance(sent, End):
                return sent
            step = sent
        return await self._watch(record, step, plan_step)

    async def _watch(self, record: JobRecord, step: StepRecord, plan_step: Step) -> StepRecord | End:
        telling = asyncio.create_task(self._tell_to_stop(record, step), name=f"cancel of job {record.number}")
        try:
            return await self._followed(record, step, plan_step)
        finally:
            telling.cancel()
            await asyncio.wait([telling])
            if not telling.cancelled():
                telling.result()

    async def _followed(self, record: JobRecord, step: StepRecord, plan_step: Step) -> StepRecord | End:
        seen: TaskView | None = None
        self._look_at = 0.0
        while True:
            try:
                view = await self.driver.wait(
                    record.pool_of(self.index), step.task, seen=seen, at_most_s=self.pace.retry
                )
            except (Unreachable, CannotTell, XapiFailure):
                await self._hint(record, _AWAY)
                await asyncio.sleep(self.pace.retry)
                continue
            if view is None and plan_step.undoes and self._may_wait(plan_step):
                return await self._anew(step)
            if view is None:
                return await self._judge(record, step, plan_step, None)
            # What the card says of a pool that waits holds until the work begins.
            if view.progress or self.hints.get(self.index) == _AWAY:
                self._card_at = 0.0 if self.hints.pop(self.index, None) is not None else self._card_at
            seen = view
            if view.status.over:
                error = view.error if view.status is not TaskStatus.SUCCESS else ("",)
                if error[:1] and error[0] in self.operation.crowded and self._may_wait(plan_step):
                    return await self._later(record, step, error)
                if view.status is TaskStatus.CANCELLED:
                    error = ("TASK_CANCELLED", *view.error[1:])
                return await self._judge(record, step, plan_step, error)
            step = await self._advance(step, view.progress)
            await self._tell_of_waiting(record, step, plan_step)

    async def _tell_of_waiting(self, record: JobRecord, step: StepRecord, plan_step: Step) -> None:
        """Says so when XAPI has taken the call and does nothing: it waits for other work to end, for up to two hours.

        Such a call is a pending task and shows nowhere on the object it is about.
        """
        waited = self.store.clock() - (step.started_at or self.store.clock())
        if self._highest or waited < self.pace.waiting or time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + self.pace.waiting
        slow = self.operation.slow(record.plan, plan_step, waited) if self.operation.slow is not None else None
        if slow is not None:
            await self._hint(record, slow)
            return
        look = await self._seen(record, plan_step)
        if look is not None and look.seen is Seen.NOT_DONE:
            # What works without a mark on its object looks the same, so this is an inference, and said as one.
            line = "XAPI seems to wait for another operation to end, for {time} now; then it begins by itself."
            await self._hint(record, say(line, time=Span(waited)))

    async def _later(self, record: JobRecord, step: StepRecord, error: tuple[str, ...]) -> StepRecord:
        """The step as it was before it began, after a while.

        The pool has said that it did nothing. The next call gets a parent of its own, so that it cannot be taken for
        this one when its answer is lost.
        """
        for handle in (step.task, step.parent):
            try:
                await self.driver.close_task(record.pool_of(self.index), handle)
            except (Unreachable, CannotTell, XapiFailure, OutcomeUnknown) as reason:
                log.info("task_left_behind", job=record.number, step=step.index, reason=str(reason))
        waiting = await self._anew(step)
        wait = Span(self.pace.crowded)
        await self._hint(record, say("{why}. It is tried again every {wait}.", why=self.words(error), wait=wait))
        try:
            async with asyncio.timeout(self.pace.crowded):
                await self.cancel_asked.wait()
        except TimeoutError:
            pass
        return waiting

    async def _anew(self, step: StepRecord) -> StepRecord:
        """The step as it was before it began."""
        waiting = msgspec.structs.replace(step, state=StepState.WAITING, task="", parent="", progress=0.0, attempts=0)
        await self._save(waiting)
        return waiting

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

    async def _tell_to_stop(self, record: JobRecord, step: StepRecord) -> None:
        """Once somebody has asked for it, asks the pool to stop the task until it was heard; again is harmless."""
        await self.cancel_asked.wait()
        while True:
            with contextlib.suppress(Unreachable, CannotTell, XapiFailure, OutcomeUnknown):
                if await self.driver.cancel(record.pool_of(self.index), step.task):
                    return
            await asyncio.sleep(self.pace.retry)
