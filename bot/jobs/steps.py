"""Running one step of a job, so that it happens once and its end is looked at, whatever is lost on the way.

The order is: make a parent task at the pool and store it, write down that the call is about to be sent, send it, store
the task, wait, look. After a crash the same function goes on from what was stored.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time

import msgspec
import structlog

from bot.domain.audit import Tag
from bot.domain.plan import Step
from bot.domain.record import JobRecord, StepRecord, StepState
from bot.domain.texts import Moment, Phrase, Span, many, say
from bot.errors import CannotTell, OutcomeUnknown, Unreachable, XapiFailure
from bot.jobs import story
from bot.jobs.gate import Wait
from bot.jobs.judging import End, EndKind, Judging
from bot.operations.base import Seen
from bot.operations.ports import TaskStatus, TaskView
from bot.store import Note

log = structlog.get_logger()


_ALIVE = {TaskStatus.PENDING, TaskStatus.SUCCESS}
_UNSENT = say("The pool does not answer; nothing was sent yet.")
_AWAY = say("The pool does not answer; the work there goes on without us.")
_SLOW = say("The pool takes its time to answer the call; should it not answer at all, the call is looked for.")


def before(record: JobRecord, step: Step) -> Phrase:
    """Says that a step was stopped before it began."""
    title = record.plan.title if len(record.plan.steps) == 1 else step.title
    return say("Cancelled before it began: {title}", title=title)


class StepRunner(Judging):
    """Runs one step of one job."""

    async def run(self, record: JobRecord) -> End:
        """Carries the step from wherever it stands to its end, as often as the pool was too busy to begin with it."""
        plan_step = record.step(self.index)
        if plan_step is None:
            missing = say("Not begun, since what it needs is not there: {title}", title=self._planned(record).title)
            return self._finish(record.steps[self.index], End(EndKind.FAILED, missing))
        end: StepRecord | End = record.steps[self.index]
        while isinstance(end, StepRecord):
            end = await self._once(record, end, plan_step)
        return end

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

    async def _undone(self, record: JobRecord, plan_step: Step) -> End | None:
        """The end of a step that takes something back, where there is nothing to take back any more."""
        while True:
            look = await self._seen(record, plan_step)
            if look is not None:
                return End(EndKind.DONE, look.headline, look.evidence) if look.seen is Seen.DONE else None
            await self._hint(record, say("The pool does not answer; what is to be cleaned up waits for it."))
            await asyncio.sleep(self.pace.retry)

    async def _open(self, record: JobRecord, step: StepRecord, plan_step: Step) -> StepRecord | End:
        # Stored before the label exists at the pool: what is left there without being known here is found by it.
        doubtful = bool(step.nonce)
        if not doubtful:
            step = msgspec.structs.replace(step, nonce=secrets.token_hex(8))
            await self.store.save_step(step)
        label = f"xenbot job {record.number}: {story.plain_title(record)} · {step.nonce}"
        # What has to be taken back waits for as long as the pool is silent.
        for attempt in itertools.count() if plan_step.undoes else range(self.pace.sends):
            try:
                async with self._told_if_slow(record, _SLOW):
                    parent = await self.driver.open_task(record.pool, label, f"asked by {record.requester}")
            except XapiFailure as failure:
                words = self.words((failure.code, *failure.params))
                return self._finish(step, End(EndKind.FAILED, say("Not started: {words}", words=words)))
            except (Unreachable, CannotTell, OutcomeUnknown) as lost:
                # A parent task that was made though its answer was lost is an empty label: it changes nothing. But
                # time has passed since the last look, in which a freeze or anything else may have come.
                self.just_judged = False
                doubtful = doubtful or isinstance(lost, OutcomeUnknown)
                await self._hint(record, _UNSENT)
                await asyncio.sleep(self.pace.retry * min(attempt + 1, 10))
                continue
            nonce = step.nonce if doubtful else ""
            opened = msgspec.structs.replace(
                step, state=StepState.INTENT, parent=parent, started_at=self.store.clock(), nonce=nonce
            )
            await self._save(opened)
            await self._remove_others(record, opened)
            return opened
        silent = say("Not started: the pool does not answer. Nothing was changed.")
        return self._finish(step, End(EndKind.FAILED, silent))

    async def _remove_others(self, record: JobRecord, step: StepRecord) -> None:
        """Removes parents that earlier tries may have made: no call was ever sent under them."""
        try:
            for handle in await self.driver.labelled(record.pool, step.nonce) if step.nonce else ():
                if handle != step.parent:
                    await self.driver.close_task(record.pool, handle)
        except (Unreachable, CannotTell, XapiFailure, OutcomeUnknown) as reason:
            # The nonce stays with the step, so it is tried again when the job is over.
            log.info("task_left_for_later", job=record.number, step=step.index, reason=str(reason))

    async def _send(self, record: JobRecord, step: StepRecord, plan_step: Step) -> StepRecord | End:
        # After a crash nobody knows how the connection ended, so a call that was tried is never sent again.
        # Only what takes something back may: what is gone cannot be destroyed again, nor what runs be started.
        self._ended, refused = bool(plan_step.undoes), 0
        while True:
            if step.attempts:
                found = await self._find(record, step, ended=self._ended)
                if found is not None:
                    return found if isinstance(found, StepRecord) else await self._judge(record, step, plan_step, None)
            stop = await self._still_right(record, plan_step, max(step.attempts, refused))
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
            async with self._told_if_slow(record, _SLOW):
                task = await self.driver.begin(record.pool, plan_step.call, parent=step.parent, job=str(record.number))
        except XapiFailure as failure:
            return await self._judge(record, step, plan_step, (failure.code, *failure.params))
        except (Unreachable, CannotTell):
            # Certainly not sent, and written down as such: after a crash it may be tried as if it never had been.
            unsent = msgspec.structs.replace(step, attempts=step.attempts - 1)
            await self._save(unsent)
            await self._hint(record, _UNSENT)
            await asyncio.sleep(self.pace.retry)
            return unsent
        except OutcomeUnknown as lost:
            log.warning("answer_lost", job=record.number, step=step.index, reason=str(lost))
            self._ended = lost.ended or bool(plan_step.undoes)
            return step
        return await self._sent(step, task)

    async def _sent(self, step: StepRecord, task: str) -> StepRecord:
        sent = msgspec.structs.replace(step, state=StepState.SENT, task=task)
        self.hints.pop(self.index, None)
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
        looking = self._looking_for(record, quiet)
        await self._hint(record, looking)
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
                first_empty, looking = time.monotonic(), self._looking_for(record, quiet)
            elif time.monotonic() - first_empty >= quiet:
                return None if ended else False
            await self._hint(record, looking)
            await asyncio.sleep(self.pace.retry / 4)

    def _looking_for(self, record: JobRecord, quiet: float) -> Phrase:
        return say(
            "Nobody knows yet whether the pool got the call “{step}”. Its task is looked for until {when}, for {time}"
            " at most; meanwhile nothing is sent again.",
            step=record.plan.steps[self.index].title,
            when=Moment(self.store.clock() + quiet),
            time=Span(quiet),
        )

    async def _watch(self, record: JobRecord, step: StepRecord, plan_step: Step) -> StepRecord | End:
        seen: TaskView | None = None
        told_pool = False
        self._look_at = 0.0
        while True:
            if self.cancel_asked.is_set() and not told_pool:
                told_pool = await self._told(record, step)
            try:
                view = await self.driver.wait(record.pool, step.task, seen=seen, at_most_s=self.pace.retry)
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
            if view.status in {TaskStatus.SUCCESS, TaskStatus.FAILURE, TaskStatus.CANCELLED}:
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
        look = await self._seen(record, plan_step)
        if look is not None and look.seen is Seen.NOT_DONE:
            line = "XAPI has been waiting for another operation to end for {time}; it begins then by itself."
            await self._hint(record, say(line, time=Span(waited)))

    def _may_wait(self, plan_step: Step) -> bool:
        # Nobody can stop what takes something back, so it ends by itself, and what is left is named.
        self._waits += 1
        return not plan_step.undoes or self._waits <= self.pace.stubborn

    async def _later(self, record: JobRecord, step: StepRecord, error: tuple[str, ...]) -> StepRecord:
        """The step as it was before it began, after a while.

        The pool has said that it did nothing. The next call gets a parent of its own, so that it cannot be taken for
        this one when its answer is lost.
        """
        for handle in (step.task, step.parent):
            try:
                await self.driver.close_task(record.pool, handle)
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

    async def _still_right(self, record: JobRecord, plan_step: Step, tries: int) -> End | None:
        """Whether the call may still be sent, after a crash or a long silence; None when nothing speaks against it."""
        if tries >= self.pace.sends:
            return End(EndKind.FAILED, say("Failed: the pool did not take the call, {n} times.", n=tries))
        if plan_step.undoes or (self.just_judged and not self.cancel_asked.is_set()):
            self.just_judged = False
            return None
        while not self.cancel_asked.is_set():
            found = await self.judge(record, self.index)
            if not isinstance(found, Wait):
                why = say("Not started, things have changed: {why}", why=many(found))
                return End(EndKind.FAILED, why) if found else None
            await self._hint(record, found.hint)
            await asyncio.sleep(self.pace.retry)
        return End(EndKind.CANCELLED, before(record, plan_step))

    async def _told(self, record: JobRecord, step: StepRecord) -> bool:
        """Whether the pool heard that the task should stop; asking again is harmless."""
        try:
            return await self.driver.cancel(record.pool, step.task)
        except (Unreachable, CannotTell, XapiFailure, OutcomeUnknown):
            return False
