"""A job's way through its steps: which may begin now, what follows when one fails, and what is true in the end.

Nothing new begins once a step has ended otherwise than well, or somebody asked to stop, but for what takes back what
was begun; what is under way is watched to its end. After a crash the same way is gone on from what was stored: steps
that were begun are taken up first.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from functools import partial

import msgspec
import structlog

from bot.domain.audit import Tag
from bot.domain.plan import LockKey
from bot.domain.record import JobRecord, StepState
from bot.domain.texts import Phrase, Quote, say
from bot.errors import CannotTell, NotFound, StoreError, Unreachable, XapiFailure
from bot.jobs import judging, lanes, story
from bot.jobs.gate import Gate, Wait
from bot.jobs.judging import End, EndKind, Pace
from bot.jobs.own_work import OwnWork
from bot.jobs.silence import Silence
from bot.jobs.slots import HOST_LIMIT, Slots
from bot.jobs.steps import StepRunner
from bot.operations.base import Operation
from bot.operations.ports import Driver, Facts
from bot.operations.work import Worker
from bot.store import Note, Outgoing, Store

log = structlog.get_logger()


class Course(Silence):
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
        *,
        workers: Mapping[str, Worker],
        slots: Slots,
    ) -> None:
        self.number = number
        self.operation = operation
        self.store = store
        self.driver = driver
        self.facts = facts
        self.words = words
        self.pace = pace
        self.gate = gate
        self.workers = workers
        self.slots = slots
        self.just_judged = False
        self.cancel_asked = asyncio.Event()
        self._hints: dict[int, Phrase] = {}
        self._running: dict[asyncio.Task[End], int] = {}
        self._bad: list[End] = []
        self._last: End | None = None
        self._crowded: LockKey | None = None
        self._others: dict[str, int] = {}
        self._news = asyncio.Event()
        self._since = time.monotonic()

    async def run(self) -> tuple[JobRecord, End]:
        """Carries the job from wherever it stands to its end; gives it as last stored, and how it ended.

        The step that ended last is not stored yet: it belongs into the transaction that ends the job.
        """
        record = await self.store.job(self.number)
        self.gate.keep(record)
        try:
            while True:
                # Taken before any place is asked for, so that none given back meanwhile is slept through.
                freed = self.slots.bell
                self._hold(record)
                await self._look_around(record)
                for index in self._next(record, may_open=partial(self._may_open, record)):
                    self._begin(record, index)
                if self._running:
                    await self._one_ended(freed)
                elif self._next(record):
                    await self._a_place(record, freed)
                else:
                    return record, msgspec.structs.replace(await self._sum_up(record), last=self._last)
                record = await self.store.job(self.number)
        finally:
            self.slots.leave(self.number)
            self.gate.let_go(record)
            # Whoever stops us stops watching; what the pool does goes on.
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    def _next(self, record: JobRecord, *, may_open: Callable[[int], bool] = lambda _first: True) -> list[int]:
        """The steps that may begin, or be taken up, beside those that run."""
        if self._last is not None:
            return []
        running = set(self._running.values())
        stopping, crowded = self.cancel_asked.is_set(), partial(self._busy_site, record)
        return list(lanes.ready(record, running, stopping=stopping, may_open=may_open, crowded=crowded))

    # Room at hosts that other jobs work at

    async def _look_around(self, record: JobRecord) -> None:
        """Counts the other jobs at each host of a job that would do several things there at once.

        Such a job counts as one where others ask whether they may start, so that nobody waits for the whole of an
        evacuation. In return it makes room itself: what it begins beside its first step stays within the limit.
        """
        if record.plan.parallel > 1 and not any(step.lane for step in record.plan.steps):
            hosts = [key for key in record.plan.locks if key.kind == "host"]
            self._others = {key.uuid: len(await self.store.others_running(key, self.number)) for key in hosts}

    def _busy_site(self, record: JobRecord, index: int, beside: Collection[int]) -> bool:
        ours = Counter(site for one in beside for site in lanes.sites(record.plan, one))
        sites = lanes.sites(record.plan, index)
        return any(ours[site] and ours[site] + self._others.get(site, 0) >= HOST_LIMIT for site in sites)

    # Places that lanes of all jobs share

    def _hold(self, record: JobRecord) -> None:
        """Holds the places of the lanes that are under way, and gives back those of lanes that are over."""
        for lane, steps in lanes.of_each(record).items():
            if lanes.over(record, steps):
                self.slots.give_back((self.number, lane))
                self.gate.let_go(record, lane)
            elif any(step.state is not StepState.WAITING for step in steps):
                self.slots.take((self.number, lane), lanes.held(record, steps), anyway=True)

    def _may_open(self, record: JobRecord, first: int) -> bool:
        planned = record.plan.steps[first]
        crowded = self.slots.take((self.number, planned.lane), planned.holds)
        self._crowded = crowded or self._crowded
        return crowded is None

    async def _a_place(self, record: JobRecord, freed: asyncio.Event) -> None:
        """Waits for another job to give back a place."""
        if self._crowded is not None:
            self._hints[-1] = say("Waits for its turn: {name} is busy with others.", name=self._crowded.name)
            await self.store.annotate(record.number, {}, story=lambda now: (self._card(now),))
        waits = [asyncio.create_task(one.wait()) for one in (freed, self.cancel_asked)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            self._hints.pop(-1, None)

    def _begin(self, record: JobRecord, index: int) -> None:
        planned = record.plan.steps[index]
        if planned.lane and (planned.holds or planned.lets_go):
            # Taken without waiting: what the lane has stopped would be kept off for it.
            self.slots.pass_on((self.number, planned.lane), planned.holds)
        kind = OwnWork if planned.call.own else StepRunner
        runner = kind(self.store, self.driver, self.facts, self.operation, self.words, self.pace, self._judge, index)
        if isinstance(runner, OwnWork):
            runner.workers = self.workers
        runner.just_judged, self.just_judged = self.just_judged, False
        runner.hints, runner.news = self._hints, self._news
        if not planned.undoes:
            # What takes something back is not stopped: that is what whoever stops the job is promised.
            runner.cancel_asked = self.cancel_asked
        going = self._kept_together(runner, record) if planned.lane else runner.run(record)
        task = asyncio.create_task(going, name=f"job {self.number} step {index}")
        self._running[task] = index

    async def _kept_together(self, runner: StepRunner, record: JobRecord) -> End:
        """Runs a step of a lane; where a defect of ours ends it, what the lane has begun is taken back all the same."""
        try:
            return await self._heard_of(runner, record)
        except StoreError:
            raise
        except Exception:  # the edge of a lane: a guest that was stopped must be started whatever broke in between
            log.exception("step_broke", job=self.number, step=runner.index)
            return await runner.broken(self.number)

    async def _judge(self, _record: JobRecord, index: int) -> Wait | tuple[Phrase, ...]:
        now = await self.store.job(self.number)
        planned = now.plan.steps
        lane = planned[index].lane
        if lane:
            # A lane is agreed to as a whole, and judged by itself before its first step. To hold it up between two of
            # its steps would keep a guest stopped, or a snapshot growing.
            begun = {step.index for step in now.steps if planned[step.index].lane != lane}
            first = next(number for number, step in enumerate(planned) if step.lane == lane)
            if index != first:
                return await self._guarded(now, index)
            return await self.gate.judge(now, frozenset(begun))
        by_itself = self.operation.apart and not planned[index].alone
        begun = {step.index for step in now.steps if by_itself or step.state is not StepState.WAITING}
        return await self.gate.judge(now, frozenset(begun - {index}))

    async def _guarded(self, now: JobRecord, index: int) -> Wait | tuple[Phrase, ...]:
        """What speaks by now against one call of a lane that was agreed to."""
        if self.operation.guard is None:
            return ()
        try:
            problem = await self.operation.guard(now.filled, now.filled.steps[index], self.facts)
        except NotFound as gone:
            return (say("{what}", what=Quote(gone.message)),)
        except (Unreachable, CannotTell, XapiFailure) as silent:
            log.info("cannot_tell_yet", job=self.number, step=index, reason=str(silent))
            return Wait(say("It cannot be told whether this may be done now; it goes on when the pools answer."))
        return (problem,) if problem is not None else ()

    async def _one_ended(self, freed: asyncio.Event) -> None:
        """Waits for a step to end, for news of one, or for a place that a lane of this job may take beside them."""
        waits = [asyncio.create_task(one.wait()) for one in (freed, self._news)]
        try:
            await asyncio.wait({*self._running, *waits}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._news.clear()
            for one in waits:
                one.cancel()
        ended = [task for task in self._running if task.done()]
        if not ended:
            return
        ends = [task.result() for task in ended]
        for task in ended:
            self._hints.pop(self._running.pop(task), None)
        self._bad += [end for end in ends if end.kind is not EndKind.DONE]
        record = await self.store.job(self.number)
        now = {step.index: step for step in (*record.steps, *(end.step for end in ends if end.step is not None))}
        if not self._running and not self._next(msgspec.structs.replace(record, steps=tuple(now.values()))):
            self._last = ends.pop()
        for end in ends:
            if end.step is not None:
                note = Note(Tag.JOB_STEP, record.team, "xenbot", judging.noted(record, end), task=end.step.task)
                await self.store.save_step(end.step, note, story=partial(self._told_now, end))

    def _told_now(self, end: End, record: JobRecord) -> tuple[Outgoing, ...]:
        """The card with one step more that has ended; that something went wrong does not wait for the others."""
        card = self._card(record, urgent=end.kind is not EndKind.DONE)
        # An edited card notifies nobody.
        return (card, story.harm_reply(record, end.headline)) if end.harmed else (card,)

    def _card(self, record: JobRecord, *, urgent: bool = False) -> Outgoing:
        hint = next(iter(self._hints.values()), None)
        return Outgoing("card", story.card(record, self.operation, hint=hint, now=self.store.clock()), urgent=urgent)
