"""Sending a step's call once: a parent task first, then the call below it, and a search for it where nobody knows.

Nothing here is sent a second time unless the pool has shown that the first never arrived.
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
from bot.operations.ports import TaskStatus
from bot.store import Note

log = structlog.get_logger()

_ALIVE = {TaskStatus.PENDING, TaskStatus.SUCCESS}
_UNSENT = say("The pool does not answer; nothing was sent yet.")
_SLOW = say("The pool takes its time to answer the call; should it not answer at all, the call is looked for.")


def before(record: JobRecord, step: Step) -> Phrase:
    """Says that a step was stopped before it began."""
    title = record.plan.title if len(record.plan.steps) == 1 else step.title
    return say("Cancelled before it began: {title}", title=title)


class Sending(Judging):
    """The first half of a step: from its plan to a task of the pool that is known."""

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
                    parent = await self.driver.open_task(
                        record.pool_of(self.index), label, f"asked by {record.requester}"
                    )
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
            for handle in await self.driver.labelled(record.pool_of(self.index), step.nonce) if step.nonce else ():
                if handle != step.parent:
                    await self.driver.close_task(record.pool_of(self.index), handle)
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
                task = await self.driver.begin(
                    record.pool_of(self.index), plan_step.call, parent=step.parent, job=str(record.number)
                )
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
                children = await self.driver.children(record.pool_of(self.index), step.parent)
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
