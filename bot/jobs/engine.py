"""The engine: starts queued jobs when nothing speaks against it, runs them, and finds running ones again at start."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

import msgspec
import structlog

from bot.domain.audit import Tag
from bot.domain.job import JobEvent, JobState
from bot.domain.policy import ApprovalSettings
from bot.domain.record import JobRecord
from bot.domain.texts import Phrase, plain, say
from bot.errors import CannotTell, IllegalTransition, OutcomeUnknown, Refused, StoreError, Unreachable, XapiFailure
from bot.jobs import story
from bot.jobs.course import Course
from bot.jobs.deadlines import Deadlines
from bot.jobs.gate import Gate, Wait
from bot.jobs.judging import End, EndKind, Pace, noted
from bot.jobs.ports import Directory
from bot.jobs.slots import HOST_LIMIT, Slots
from bot.operations.base import Operations, unknown
from bot.operations.ports import Driver, Facts
from bot.operations.work import Worker
from bot.store import Note, Outgoing, Store

log = structlog.get_logger()

ENDINGS = {
    EndKind.DONE: (JobEvent.SUCCEED, Tag.JOB_SUCCEEDED),
    EndKind.FAILED: (JobEvent.FAIL, Tag.JOB_FAILED),
    EndKind.CANCELLED: (JobEvent.CANCEL, Tag.JOB_CANCELLED),
    EndKind.UNCLEAR: (JobEvent.LOSE, Tag.JOB_UNCLEAR),
    EndKind.PARTIAL: (JobEvent.END_PARTLY, Tag.JOB_PARTLY),
}
# Who holds the places at a host changes with each job that ends; every waiting card would be edited each time.
CROWD_NEWS_S = 30.0


class Engine:
    """Runs jobs, each in a task of its own; stopping it never stops what a pool is doing."""

    def __init__(
        self,
        store: Store,
        driver: Driver,
        facts: Facts,
        directory: Directory,
        operations: Operations,
        approval: ApprovalSettings,
        words: Callable[[tuple[str, ...]], Phrase],
        *,
        pace: Pace | None = None,
        workers: Mapping[str, Worker] | None = None,
        slots: Slots | None = None,
    ) -> None:
        self.store = store
        self.driver = driver
        self.facts = facts
        self.operations = operations
        self.deadlines = Deadlines(store, directory, operations, approval)
        self.gate = Gate(store, facts, directory, operations, approval)
        self.words = words
        self.pace = pace or Pace()
        self.workers = workers or {}
        self.slots = slots or Slots()
        self._kick = asyncio.Event()
        self._active: dict[int, asyncio.Task[None]] = {}
        self._courses: dict[int, Course] = {}
        self._hints: dict[int, tuple[Phrase, float]] = {}
        self._broken: set[int] = set()
        self._tidy_at = 0.0

    def kick(self) -> None:
        """Something was queued or asked for: look now."""
        self._kick.set()

    def take_up(self, number: int) -> None:
        """A job that needed a person runs again, also where a defect of ours had ended it."""
        self._broken.discard(number)
        self.kick()

    def ask_cancel(self, number: int) -> None:
        """A running job was asked to stop; the wish is stored already."""
        course = self._courses.get(number)
        if course is not None:
            course.cancel_asked.set()
        self.kick()

    async def run(self) -> None:
        """Runs until cancelled. Running jobs are taken up first: they may need us most."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    self._kick.clear()
                    try:
                        await self._round(group)
                    except StoreError as doubt:
                        log.error("store_failed", reason=str(doubt))  # noqa: TRY400  a sentence is enough
                    await self._wait()
        finally:
            self._active.clear()
            self._courses.clear()

    async def _round(self, group: asyncio.TaskGroup) -> None:
        for record in await self.store.in_state(JobState.RUNNING, JobState.QUEUED):
            if record.number not in self._active and record.number not in self._broken:
                task = group.create_task(self._guarded(record), name=f"job {record.number}")
                self._active[record.number] = task
        await self.deadlines.look()
        if time.monotonic() >= self._tidy_at:
            self._tidy_at = time.monotonic() + self.pace.tidy
            await self._tidy()
            await self.store.prune()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self.pace.retry):
                await self._kick.wait()
        except TimeoutError:
            pass

    async def _guarded(self, record: JobRecord) -> None:
        try:
            if record.operation not in self.operations:
                await self._give_up(record.number, unknown(record.operation))
            elif record.state is JobState.RUNNING:
                log.info("job_adopted", job=record.number)
                await self._work(record)
            else:
                await self._start(record)
        except (IllegalTransition, Refused) as lost:
            log.info("job_waits_or_moved", job=record.number, reason=str(lost))
        except StoreError as doubt:
            # Taken up again in the next round; adopting looks before it does anything.
            log.error("store_failed", job=record.number, reason=str(doubt))  # noqa: TRY400  a sentence is enough
        except Exception:  # the supervisor's edge: one job's defect must not stop the others, nor be retried blindly
            log.exception("job_runner_failed", job=record.number)
            self._broken.add(record.number)
            await self._give_up(record.number, say("xenbot met an error of its own; its log says which"))
        finally:
            self.gate.let_go(record)
            self._active.pop(record.number, None)
            self._courses.pop(record.number, None)

    async def _give_up(self, number: int, why: Phrase) -> None:
        """Nobody here can go on with this job: a running one needs a person, a queued one was not started."""
        record = await self.store.job(number)
        running = record.state is JobState.RUNNING
        event, tag = (JobEvent.LOSE, Tag.JOB_UNCLEAR) if running else (JobEvent.FAIL, Tag.JOB_FAILED)
        outcome = say("{why}: {title}", why=why, title=record.plan.title)
        changes = {"outcome": outcome, "finished_at": None if running else self.store.clock()}
        try:
            note = Note(tag, record.team, "xenbot")
            await self.store.move(number, event, note, self._ended, expect=record.state, changes=changes)
        except (IllegalTransition, Refused, StoreError) as late:
            log.info("could_not_give_up", job=number, reason=str(late))

    # Starting

    async def _start(self, record: JobRecord) -> None:
        now = {"finished_at": self.store.clock()}
        if record.cancel_by:
            note = Note(Tag.JOB_CANCELLED, record.team, record.cancel_by)
            await self.store.move(
                record.number, JobEvent.CANCEL, note, self._ended, expect=JobState.QUEUED, changes=now
            )
            return
        crowded = await self.gate.crowded(record)
        if crowded is not None:
            await self._say_hint(record, crowded.hint, news_s=CROWD_NEWS_S)
            return
        found = await self.gate.admit(record)
        if isinstance(found, Wait):
            await self._say_hint(record, found.hint)
            return
        if found:
            note = Note(Tag.JOB_STALE, record.team, "xenbot", {"changed": [plain(one) for one in found]})
            await self.store.move(
                record.number,
                JobEvent.GO_STALE,
                note,
                self._ended,
                expect=JobState.QUEUED,
                changes={"drifted": found, **now},
            )
            return
        self._hints.pop(record.number, None)
        if self.store.clock() >= record.expires_at:
            await self.deadlines.expire(record)
            return
        started = await self.store.move(
            record.number,
            JobEvent.START,
            Note(Tag.JOB_STARTED, record.team, "xenbot"),
            self._started,
            expect=JobState.QUEUED,
            changes={"started_at": self.store.clock()},
            limit=HOST_LIMIT,
        )
        await self._work(started, just_judged=True)

    async def _say_hint(self, record: JobRecord, hint: Phrase, *, news_s: float = 0.0) -> None:
        """Says what a job waits for; only that the same wait has other details by now is told so often at most."""
        said, at = self._hints.get(record.number, (None, 0.0))
        same_wait = said is not None and said.template == hint.template
        if said == hint or (same_wait and time.monotonic() - at < news_s):
            return
        self._hints[record.number] = (hint, time.monotonic())
        operation = self.operations[record.operation]
        # The card is made of the job as it is in the transaction: it may have moved on since it was read.
        await self.store.annotate(
            record.number,
            {},
            story=lambda now: (Outgoing("card", story.card(now, operation, hint=hint), urgent=False),),
        )

    # Running

    async def _work(self, record: JobRecord, *, just_judged: bool = False) -> None:
        operation = self.operations[record.operation]
        course = Course(
            record.number,
            operation,
            self.store,
            self.driver,
            self.facts,
            self.words,
            self.pace,
            self.gate,
            workers=self.workers,
            slots=self.slots,
        )
        course.just_judged = just_judged
        await self.deadlines.overtaken(record)
        self._courses[record.number] = course
        if (await self.store.job(record.number)).cancel_by:
            course.cancel_asked.set()
        if any(not step.call.own or self.workers[step.call.method].tasked for step in record.plan.steps):
            await self._pool_is_known(record.pool)
        await self._close(*await course.run())

    async def _pool_is_known(self, pool: str) -> None:
        # After a start the feed loads in its own time; the job waits with it and judges nothing meanwhile.
        while self.driver.known(pool) is None:
            self._kick.clear()
            await self._wait()

    async def _close(self, record: JobRecord, end: End) -> None:
        event, tag = ENDINGS[end.kind]
        task = end.step.task if end.step is not None else ""
        detail: dict[str, object] = {"outcome": plain(end.headline), "seen": [plain(one) for one in end.evidence]}
        if end.last is not None and len(record.steps) > 1:
            # This step is stored together with the job's end, and so is what it was.
            detail["last"] = noted(record, end.last)
        note = Note(tag, record.team, "xenbot", detail, task=task)
        ended = await self.store.move(
            record.number,
            event,
            note,
            self._ended,
            expect=JobState.RUNNING,
            changes={
                "outcome": end.headline,
                "evidence": end.evidence,
                "finished_at": None if end.kind is EndKind.UNCLEAR else self.store.clock(),
            },
            step=end.step,
        )
        log.info("job_ended", job=record.number, how=end.kind.value)
        if end.kind is EndKind.DONE:
            await self.deadlines.settled(ended)
        await self._tidy()

    async def _tidy(self) -> None:
        """Takes the tasks of jobs that are over away from the pools, in the end also those left by a crash."""
        for pool, step in await self.store.open_parents():
            if self.driver.known(pool) is None:
                continue
            try:
                left = await self.driver.labelled(pool, step.nonce) if step.nonce else ()
                for handle in dict.fromkeys((step.task, step.parent, *left)):
                    if handle:
                        await self.driver.close_task(pool, handle)
            except (Unreachable, CannotTell, XapiFailure, OutcomeUnknown) as reason:
                log.info("task_left_for_later", job=step.job, reason=str(reason))
            else:
                await self.store.save_step(msgspec.structs.replace(step, parent="", nonce=""))

    def _started(self, record: JobRecord) -> list[Outgoing]:
        operation = self.operations[record.operation]
        card = Outgoing("card", story.card(record, operation, now=self.store.clock()))
        # Of many jobs that start at once the results come first.
        return [card, story.reply(say("Started: {title}", title=record.plan.title), urgent=False)]

    def _ended(self, record: JobRecord) -> list[Outgoing]:
        operation = self.operations[record.operation]
        return [Outgoing("card", story.card(record, operation)), story.ending_reply(record)]
