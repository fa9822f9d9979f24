"""Running a step that is work of the bot itself: the same order, the same writing down, the same look at its end.

Work dies with the bot. So where a step is found begun at the start, its task at the pool is stopped first, then what is
there is looked at: finished work is taken up, unfinished work is cleared away and begun again, or ended with the truth.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial

import msgspec
import structlog

from bot.domain.audit import Tag
from bot.domain.plan import Step
from bot.domain.record import JobRecord, StepRecord, StepState
from bot.domain.texts import Phrase, Quote, say
from bot.errors import (
    CannotTell,
    OutcomeUnknown,
    Unreachable,
    XapiFailure,
    XenbotError,
)
from bot.jobs.judging import End, EndKind
from bot.jobs.pulse import Pulse
from bot.jobs.sending import before
from bot.jobs.steps import StepRunner
from bot.jobs.work_ends import OWN, details, error_of, is_unknown, sentence
from bot.operations.base import Look, Seen
from bot.operations.work import Errand, Run, Worker
from bot.store import Note

log = structlog.get_logger()

_BROKEN_OFF = "xenbot was restarted in the middle of it."


class OwnWork(StepRunner):
    """Runs one step of one job that a worker of the bot does."""

    workers: Mapping[str, Worker] = {}
    _noted = ""

    async def _once(self, record: JobRecord, step: StepRecord, plan_step: Step) -> StepRecord | End:
        worker = self.workers[plan_step.call.method]
        self._highest = 0.0
        if step.state is not StepState.WAITING:
            return await self._found(record, step, plan_step, worker)
        if self.cancel_asked.is_set():
            return self._finish(step, End(EndKind.CANCELLED, before(record, plan_step)))
        opened: StepRecord | End
        if worker.tasked:
            opened = await self._open(record, step, plan_step)
        else:
            opened = msgspec.structs.replace(step, state=StepState.INTENT, started_at=self.store.clock())
            await self._save(opened)
        if isinstance(opened, End):
            return opened
        stop = await self._still_right(record, plan_step, opened.attempts)
        if stop is not None:
            return self._finish(opened, stop)
        begun = await self._sent(msgspec.structs.replace(opened, attempts=opened.attempts + 1), opened.parent)
        return await self._done(record, begun, plan_step, worker, worker.run)

    async def _done(self, record: JobRecord, step: StepRecord, plan_step: Step, worker: Worker, run: Run) -> End:
        """Has the worker do it, or follow what it has begun, and looks at what came of it."""
        pulse = Pulse()
        errand = self._errand(record, step, plan_step, pulse)
        going = self._insisted(record, errand, run) if plan_step.undoes and worker.again else run(errand)
        work = asyncio.create_task(going, name=f"work of job {record.number} step {self.index}")
        asked = asyncio.create_task(self.cancel_asked.wait())
        told = False
        try:
            while not work.done():
                waited_for = {work} if told or worker.lasting else {work, asked}
                await asyncio.wait(waited_for, timeout=self.pace.retry, return_when=asyncio.FIRST_COMPLETED)
                if asked.done() and not told and not worker.lasting:
                    told = work.cancel()
                step = await self._reached(step, pulse)
        finally:
            # Whoever stops us stops the work with us: it lives nowhere else.
            asked.cancel()
            work.cancel()
            await asyncio.wait({work, asked})
        error = error_of(work)
        left: tuple[Phrase, ...] = ()
        if worker.lasting and is_unknown(work):
            return await self._judge(record, step, plan_step, None)
        if error != ("",):
            # With the path of a file, which a card of many guests would be full of.
            why = "" if work.cancelled() else str(work.exception())
            log.info("own_work_ended", job=record.number, step=self.index, error=error, why=why)
            step = await self._given_up(record, step, error)
            if not pulse.spared:
                await self._stop_task(record, step)
            # What came through at the pool although the work was broken off goes too.
            # Of the step as it stands by now: what is written down meanwhile must not make it one that may end well.
            errand = msgspec.structs.replace(errand, noted=self._noted, note=partial(self._note, step))
            left = await self._cleared(errand, worker)
        end = await self._judge(record, step, plan_step, error)
        return msgspec.structs.replace(end, evidence=(*end.evidence, *left))

    async def _given_up(self, record: JobRecord, step: StepRecord, error: tuple[str, ...]) -> StepRecord:
        """The step as one that cannot end well any more, where others have to know.

        Something urgent does not wait until it is cleared away, nor does anybody for long where its pool is silent.
        """
        own = record.plan.steps[self.index]
        urgent = any(planned.early and planned.lane == own.lane for planned in record.plan.steps)
        if not urgent and record.pool_of(self.index) == record.pool:
            return step
        failing = msgspec.structs.replace(step, error=error)
        await self._save(failing)
        self.news.set()
        return failing

    def _errand(self, record: JobRecord, step: StepRecord, plan_step: Step, pulse: Pulse) -> Errand:
        return Errand(
            job=record.number,
            nonce=record.nonce,
            pool=record.pool_of(self.index),
            step=plan_step,
            task=step.parent,
            names=record.plan.names,
            who=record.requester,
            reason=record.reason,
            tell=pulse.tell,
            spare=pulse.spare,
            noted=step.noted,
            note=partial(self._note, step),
        )

    async def _note(self, step: StepRecord, text: str) -> None:
        self._noted = text
        await self._save(step)

    async def _save(self, step: StepRecord) -> None:
        await super()._save(msgspec.structs.replace(step, noted=self._noted or step.noted))

    async def _reached(self, step: StepRecord, pulse: Pulse) -> StepRecord:
        line = pulse.line
        if line is None or line == step.said or time.monotonic() - self._card_at < self.pace.card:
            return step
        moved = msgspec.structs.replace(step, said=line)
        return await self._advance(moved, pulse.fraction)

    # After a crash

    async def _found(self, record: JobRecord, step: StepRecord, plan_step: Step, worker: Worker) -> StepRecord | End:
        if worker.lasting and step.state is StepState.INTENT:
            # It is written down as sent before anything is begun, so nothing is.
            await self._forget(record, step)
            return await self._anew(step)
        if worker.follow is not None:
            return await self._done(record, step, plan_step, worker, worker.follow)
        if worker.lasting:
            return await self._judge(record, step, plan_step, None)
        if not worker.again and not step.error and not await self._is_done(record, plan_step):
            asked = ("TASK_CANCELLED",) if self.cancel_asked.is_set() else (OWN, _BROKEN_OFF)
            step = await self._given_up(record, step, asked)
        await self._stop_task(record, step)
        if step.error:
            left = await self._cleared(self._errand(record, step, plan_step, Pulse()), worker)
            end = await self._judge(record, step, plan_step, step.error)
            return msgspec.structs.replace(end, evidence=(*end.evidence, *left))
        look = await self._looked_at(record, plan_step)
        if look.seen is Seen.DONE:
            await self.store.save_step(step, Note(Tag.JOB_ADOPTED, record.team, "xenbot", task=step.task))
            return self._finish(step, self._arrived(look, step, plan_step, ("",)))
        left = await self._cleared(self._errand(record, step, plan_step, Pulse()), worker)
        if self.cancel_asked.is_set() and not plan_step.undoes:
            return self._finish(step, End(EndKind.CANCELLED, say("Cancelled: {look}", look=look.headline), left))
        if not (worker.again and step.attempts < self.pace.sends) or left:
            why = say("xenbot was restarted in the middle of it; {look}", look=look.headline)
            return self._finish(step, End(EndKind.FAILED, why, (*look.evidence, *left)))
        await self._hint(record, say("xenbot was restarted in the middle of it; it begins again."))
        # The task of the earlier try has ended at the pool, and is taken away here, since the step forgets it.
        await self._forget(record, step)
        waiting = msgspec.structs.replace(
            step, state=StepState.WAITING, task="", parent="", progress=0.0, said=None, noted=""
        )
        await self._save(waiting)
        return waiting

    async def _is_done(self, record: JobRecord, plan_step: Step) -> bool:
        """Whether a pool that answers within half a minute shows it as done."""
        for _ in range(self.pace.stubborn):
            look = await self._glimpsed(record, plan_step)
            if look is not None:
                return look.seen is Seen.DONE
        return False

    async def _cleared(self, errand: Errand, worker: Worker) -> tuple[Phrase, ...]:
        """Takes away what the work has left; what could not be taken away, in sentences."""
        silent = 0
        while True:
            try:
                await worker.clear(errand)
            except (Unreachable, CannotTell) as reason:
                silent += 1
                if silent < self.pace.stubborn:
                    await asyncio.sleep(self.pace.retry)
                    continue
                return (say("Not cleared away: {why}", why=Quote(sentence(reason))),)
            except XenbotError as problem:
                log.warning("own_work_not_cleared", job=errand.job, step=self.index, why=sentence(problem))
                return (say("Not cleared away: {why}", why=Quote(sentence(problem))),)
            return ()

    async def _looked_at(self, record: JobRecord, plan_step: Step) -> Look:
        while (look := await self._glimpsed(record, plan_step)) is None:
            pass
        return look

    async def _glimpsed(self, record: JobRecord, plan_step: Step) -> Look | None:
        """What the pool shows; None, after a pause, where it does not answer."""
        look = await self._seen(record, plan_step)
        if look is None:
            await self._hint(record, say("The pool does not answer; looking again."))
            await asyncio.sleep(self.pace.retry)
        return look

    async def _stop_task(self, record: JobRecord, step: StepRecord) -> None:
        """Has the pool end what it still does for work that is gone; a task that it never took up is left pending.

        It is looked at all the time, so that nothing waits longer than it must, but asked to stop ever more seldom: a
        task that nobody took up does not end however often it is asked.
        """
        until: float | None = None
        asks_at, gap = 0.0, self.pace.retry
        while step.parent:
            pause = self.pace.retry / 4
            try:
                view = await self.driver.task(record.pool_of(self.index), step.parent)
                if view is None or view.status.over:
                    return
                if time.monotonic() >= asks_at:
                    await self.driver.cancel(record.pool_of(self.index), step.parent)
                    asks_at, gap = time.monotonic() + gap, gap * 2
            except (Unreachable, CannotTell, XapiFailure, OutcomeUnknown) as reason:
                log.info("task_not_stopped_yet", job=record.number, step=step.index, reason=str(reason))
                await self._hint(record, say("The pool does not answer; what it still does is stopped when it does."))
                until, pause = None, self.pace.retry
            else:
                until = until or time.monotonic() + self.pace.stopping
                if time.monotonic() >= until:
                    return
            await asyncio.sleep(pause)

    async def _forget(self, record: JobRecord, step: StepRecord) -> None:
        try:
            if step.parent:
                await self.driver.close_task(record.pool_of(self.index), step.parent)
        except (Unreachable, CannotTell, XapiFailure, OutcomeUnknown) as reason:
            log.info("task_left_behind", job=record.number, step=step.index, reason=str(reason))

    # How it ended

    def _finish(self, step: StepRecord, end: End) -> End:
        # What was written down outlives the work: what it left may have to be found by that.
        return super()._finish(msgspec.structs.replace(step, noted=self._noted or step.noted), end)

    def _patience(self, error: tuple[str, ...] | None) -> float:
        if error is None:
            return super()._patience(error)
        # What the work left is there when it ends; only what was done well may need a moment to show.
        return self.operation.settle_s if error == ("",) else 0.0

    def _arrived(self, look: Look, step: StepRecord, plan_step: Step, error: tuple[str, ...] | None) -> End:
        if step.error:
            # What was urgent may have begun, so that nothing can go on from here.
            return msgspec.structs.replace(self._verdict(look, step.error), made=look.made)
        return super()._arrived(look, step, plan_step, error)

    def _verdict(self, look: Look, error: tuple[str, ...] | None) -> End:
        if error and error[0] == OWN and look.seen is not Seen.HARMED:
            # What it means for the guest comes first: a telephone shows no more of a card that it announces.
            what = Quote(error[1])
            headline = say("Failed: {look}. {why}", look=look.headline, why=what)
            return End(EndKind.FAILED, headline, (*look.evidence, *details(error)))
        return super()._verdict(look, error)

    def _why(self, error: tuple[str, ...] | None) -> tuple[Phrase, ...]:
        if error and error[0] == OWN:
            return (say("{why}", why=Quote(error[1])), *details(error))
        return super()._why(error)
