"""The engine: starts queued jobs when nothing speaks against it, runs them, and finds running ones again at start."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog

from bot.domain.audit import Tag
from bot.domain.job import JobEvent, JobState
from bot.domain.plan import Grade, Plan, drift
from bot.domain.policy import ApprovalSettings, Role
from bot.domain.record import JobRecord, StepState
from bot.domain.texts import Phrase, Quote, plain, say
from bot.errors import (
    CannotTell,
    IllegalTransition,
    NotAllowed,
    NotFound,
    Refused,
    StoreError,
    Unreachable,
    XapiFailure,
)
from bot.jobs import story
from bot.jobs.ports import Directory
from bot.jobs.steps import End, EndKind, Pace, StepRunner
from bot.operations.base import Operation
from bot.operations.ports import Driver, Facts
from bot.store import Note, Outgoing, Store

log = structlog.get_logger()

ENDINGS = {
    EndKind.DONE: (JobEvent.SUCCEED, Tag.JOB_SUCCEEDED),
    EndKind.FAILED: (JobEvent.FAIL, Tag.JOB_FAILED),
    EndKind.CANCELLED: (JobEvent.CANCEL, Tag.JOB_CANCELLED),
    EndKind.UNCLEAR: (JobEvent.LOSE, Tag.JOB_UNCLEAR),
}
HOST_LIMIT = 3


class Engine:
    """Runs jobs, each in a task of its own; stopping it never stops what a pool is doing."""

    def __init__(
        self,
        store: Store,
        driver: Driver,
        facts: Facts,
        directory: Directory,
        operations: Mapping[str, Operation],
        approval: ApprovalSettings,
        words: Callable[[tuple[str, ...]], Phrase],
        *,
        pace: Pace | None = None,
    ) -> None:
        self.store = store
        self.driver = driver
        self.facts = facts
        self.directory = directory
        self.operations = operations
        self.approval = approval
        self.words = words
        self.pace = pace or Pace()
        self._kick = asyncio.Event()
        self._active: dict[int, asyncio.Task[None]] = {}
        self._runners: dict[int, StepRunner] = {}
        self._hints: dict[int, Phrase] = {}
        self._broken: set[int] = set()

    def kick(self) -> None:
        """Something was queued or asked for: look now."""
        self._kick.set()

    def ask_cancel(self, number: int) -> None:
        """A running job was asked to stop; the wish is stored already."""
        runner = self._runners.get(number)
        if runner is not None:
            runner.cancel_asked.set()
        self.kick()

    async def run(self) -> None:
        """Runs until cancelled. Running jobs are taken up first: they may need us most."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    self._kick.clear()
                    for record in await self.store.in_state(JobState.RUNNING, JobState.QUEUED):
                        if record.number not in self._active and record.number not in self._broken:
                            task = group.create_task(self._guarded(record), name=f"job {record.number}")
                            self._active[record.number] = task
                    await self._expire()
                    await self._wait()
        finally:
            self._active.clear()
            self._runners.clear()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self.pace.retry):
                await self._kick.wait()
        except TimeoutError:
            pass

    async def _guarded(self, record: JobRecord) -> None:
        try:
            if record.state is JobState.RUNNING:
                log.info("job_adopted", job=record.number)
                await self._work(record)
            else:
                await self._start(record)
        except (IllegalTransition, Refused) as lost:
            log.info("job_moved_by_someone_else", job=record.number, reason=str(lost))
        except (
            Exception
        ):  # the supervisor's edge: a defect met by one job must not stop the others, nor be retried blindly
            log.exception("job_runner_failed", job=record.number)
            self._broken.add(record.number)
        finally:
            self._active.pop(record.number, None)
            self._runners.pop(record.number, None)

    async def _expire(self) -> None:
        for record in await self.store.in_state(JobState.PROPOSED, JobState.AWAITING_APPROVAL):
            if self.store.clock() >= record.expires_at:
                await self.expire(record)

    async def expire(self, record: JobRecord) -> None:
        """The time for a decision is over; that is not a denial."""
        note = Note(Tag.JOB_EXPIRED, record.team, "xenbot")
        try:
            await self.store.move(record.number, JobEvent.EXPIRE, note, self._ended, expect=record.state)
        except (IllegalTransition, Refused):
            log.info("expired_too_late", job=record.number)

    # Starting

    async def _start(self, record: JobRecord) -> None:
        if record.cancel_by:
            note = Note(Tag.JOB_CANCELLED, record.team, record.cancel_by)
            await self.store.move(record.number, JobEvent.CANCEL, note, self._ended, expect=JobState.QUEUED)
            return
        hint = await self._held_back(record)
        if hint is not None:
            await self._say_hint(record, hint)
            return
        now = await self._plan_again(record)
        if now is None:
            return
        problems = now if isinstance(now, tuple) else drift(record.plan, record.ceiling, now)
        problems += await self._people_problems(record)
        if problems:
            note = Note(Tag.JOB_STALE, record.team, "xenbot", {"changed": [plain(one) for one in problems]})
            await self.store.move(
                record.number,
                JobEvent.GO_STALE,
                note,
                self._ended,
                expect=JobState.QUEUED,
                changes={"drifted": problems, "finished_at": self.store.clock()},
            )
            return
        if await self._held_back(record) is not None:
            return
        note = Note(Tag.JOB_STARTED, record.team, "xenbot")
        started = await self.store.move(
            record.number,
            JobEvent.START,
            note,
            self._started,
            expect=JobState.QUEUED,
            changes={"started_at": self.store.clock()},
        )
        await self._work(started)

    async def _held_back(self, record: JobRecord) -> Phrase | None:
        try:
            freeze = await self.store.frozen()
        except StoreError:
            return say("The store is in doubt; nothing starts.")
        if freeze is not None:
            return say(
                "Frozen: {reason}. It starts when the freeze ends.", reason=Quote(freeze.reason or "no reason given")
            )
        for key in record.plan.locks:
            others = [] if key.exclusive else await self.store.others_running(key, record.number)
            if len(others) >= HOST_LIMIT:
                jobs = ", ".join(str(number) for number in others)
                return say("{name} is busy with jobs {jobs}; it starts when one ends.", name=key.name, jobs=jobs)
        return None

    async def _plan_again(self, record: JobRecord) -> Plan | tuple[Phrase, ...] | None:
        try:
            plan = await self.operations[record.operation].replan(record.plan, self.facts, self.approval)
        except NotFound as gone:
            return (say("{what}", what=Quote(gone.message)),)
        except (Unreachable, CannotTell, XapiFailure) as silent:
            log.info("cannot_plan_yet", job=record.number, reason=str(silent))
            await self._say_hint(record, say("The pool does not answer; it starts when it can be checked again."))
            return None
        newly_unclear = [one for one in plan.unclear if record.ceiling.grades.get(one.key) is not Grade.UNKNOWN]
        if newly_unclear and not plan.blocked:
            await self._say_hint(record, say("Waiting: {fact}", fact=newly_unclear[0].fact))
            return None
        return plan

    async def _people_problems(self, record: JobRecord) -> tuple[Phrase, ...]:
        problems: list[Phrase] = []
        wanted = [(record.requester, Role.OPERATOR), *((who, Role.APPROVER) for who in record.approved_by)]
        for user, role in wanted:
            try:
                person = await self.directory.person(record.team, user)
            except NotAllowed as refusal:
                problems.append(say("{why}", why=Quote(refusal.message)))
                continue
            if role not in person.roles:
                problems.append(say("{who} no longer has the {role} role", who=user, role=role.value))
        return tuple(problems)

    async def _say_hint(self, record: JobRecord, hint: Phrase) -> None:
        operation = self.operations[record.operation]
        message = story.card(record, operation, hint=hint)
        if self._hints.get(record.number) != hint:
            self._hints[record.number] = hint
            await self.store.annotate(record.number, {}, story=lambda _: (Outgoing("card", message, urgent=False),))

    # Running

    async def _work(self, record: JobRecord) -> None:
        operation = self.operations[record.operation]
        runner = StepRunner(self.store, self.driver, self.facts, operation, self.words, self.pace)
        self._runners[record.number] = runner
        latest = await self.store.job(record.number)
        if latest.cancel_by:
            runner.cancel_asked.set()
        await self._pool_is_known(record.pool)
        end: End | None = None
        for index, step in enumerate(latest.steps):
            if step.state is StepState.DONE:
                continue
            end = await runner.run(latest, index)
            if end.kind is not EndKind.DONE:
                break
            latest = await self.store.job(record.number)
        await self._close(latest, end or End(EndKind.DONE, say("Done: {title}", title=record.plan.title)))

    async def _pool_is_known(self, pool: str) -> None:
        # After a start the feed loads in its own time; the job waits with it and judges nothing meanwhile.
        while self.driver.known(pool) is None:
            self._kick.clear()
            await self._wait()

    async def _close(self, record: JobRecord, end: End) -> None:
        event, tag = ENDINGS[end.kind]
        note = Note(tag, record.team, "xenbot", {"outcome": plain(end.headline)}, task=self._task(record))
        await self.store.move(
            record.number,
            event,
            note,
            self._ended,
            expect=JobState.RUNNING,
            changes={"outcome": end.headline, "evidence": end.evidence, "finished_at": self.store.clock()},
        )
        log.info("job_ended", job=record.number, how=end.kind.value)
        for step in (await self.store.job(record.number)).steps:
            for handle in (step.task, step.parent):
                if handle and end.kind is not EndKind.UNCLEAR:
                    await self._tidy(record.pool, handle)

    async def _tidy(self, pool: str, handle: str) -> None:
        try:
            await self.driver.close_task(pool, handle)
        except (Unreachable, CannotTell, XapiFailure) as reason:
            log.info("task_left_behind", pool=pool, reason=str(reason))

    @staticmethod
    def _task(record: JobRecord) -> str:
        return next((step.task for step in reversed(record.steps) if step.task), "")

    def _started(self, record: JobRecord) -> list[Outgoing]:
        operation = self.operations[record.operation]
        card = Outgoing("card", story.card(record, operation, now=self.store.clock()))
        return [card, story.reply(say("Started: {title}", title=record.plan.title))]

    def _ended(self, record: JobRecord) -> list[Outgoing]:
        operation = self.operations[record.operation]
        return [Outgoing("card", story.card(record, operation)), story.ending_reply(record)]
