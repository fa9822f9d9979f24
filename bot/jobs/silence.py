"""Where a job works in two pools and one of them falls silent: what is told meanwhile, and when a person is asked.

A job waits for a silent pool as long as nobody wants it to end. But what a lane takes back there may have to wait for
good, and would hold all that time a guest that runs again in the other pool. So it is waited for only for a while; then
the job needs a person, who lets it go on once the pool answers, or closes it without.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import structlog

from bot.domain.record import JobRecord
from bot.domain.texts import Moment, Phrase, Span, say
from bot.errors import CannotTell, NotFound, StoreError, Unreachable, XapiFailure
from bot.jobs.judging import End
from bot.jobs.steps import StepRunner
from bot.jobs.summing import Summing
from bot.operations.base import Look
from bot.operations.ports import Driver
from bot.store import Outgoing, Store

log = structlog.get_logger()

# The place among a job's hints that comes before what its steps say.
_FIRST = -2


class Silence(Summing):
    """The part of a job's course that watches the pools beside that of its plan."""

    number: int
    store: Store
    driver: Driver
    cancel_asked: asyncio.Event
    _hints: dict[int, Phrase]
    _since: float

    def _card(self, record: JobRecord, *, urgent: bool = False) -> Outgoing:
        raise NotImplementedError

    async def _heard_of(self, runner: StepRunner, record: JobRecord) -> End:
        """Runs a step to its end, or until its pool has been silent for so long that a person must look."""
        planned = record.plan.steps[runner.index]
        if planned.pool in {"", record.plan.pool}:
            return await runner.run(record)
        ended = await _first_of(runner.run(record), self._silence(record, runner.index))
        if ended is not None:
            return ended
        log.warning("pool_silent_for_too_long", job=self.number, step=runner.index, pool=planned.pool)
        return await runner.unheard(self.number, record.plan.names.get(planned.pool, planned.pool))

    async def _silence(self, record: JobRecord, index: int) -> None:
        """Ends when the pool of a step has been silent for too long, where what was begun is taken back by now."""
        pool, told = record.pool_of(index), 0.0
        try:
            while True:
                await asyncio.sleep(self.pace.retry)
                # Nothing is known of a silence before the start of the bot.
                silent = min(self.driver.silent_s(pool), time.monotonic() - self._since)
                if silent < self.pace.vanished:
                    self._hints.pop(_FIRST, None)
                    told = 0.0
                    continue
                try:
                    back = await self._on_its_way_back(index)
                    if back and silent >= self.pace.silent:
                        return
                    if not told or silent - told >= self.pace.vanished:
                        told = silent
                        await self._tell_of_silence(record, index, silent, back=back)
                except StoreError as doubt:
                    log.warning("silence_not_told", job=self.number, reason=str(doubt))
        finally:
            self._hints.pop(_FIRST, None)

    async def _on_its_way_back(self, index: int) -> bool:
        """Whether the step takes something back, or cannot end well any more, or nobody wants it to."""
        now = await self.store.job(self.number)
        return bool(now.plan.steps[index].undoes or now.steps[index].error or self.cancel_asked.is_set())

    async def _tell_of_silence(self, record: JobRecord, index: int, silent: float, *, back: bool) -> None:
        pool = record.pool_of(index)
        name, time_ = record.plan.names.get(pool, pool), Span(silent)
        known = await self._apart(await self.store.job(self.number))
        what = say("; {what}", what=known.headline) if known is not None else say("")
        line = say("{pool} has answered nothing for {time}{what}.", pool=name, time=time_, what=what)
        held = record.plan.targets[0].name
        until = Moment(self.store.clock() + max(0.0, self.pace.silent - silent))
        then = "It goes on when {pool} answers and holds {vm}; once it is cancelled, a person is asked by {when}."
        if back:
            then = "What is left there is cleaned up when {pool} answers; {vm} is held for that until {when}, then a"
            then += " person is asked."
        told = say("{line} {then}", line=line, then=say(then, pool=name, vm=held, when=until))
        others = {key: hint for key, hint in self._hints.items() if key != _FIRST}
        self._hints.clear()
        self._hints.update({_FIRST: told, **others})
        await self.store.annotate(record.number, {}, story=lambda now: (self._card(now),))

    async def _apart(self, record: JobRecord) -> Look | None:
        """What is true by the pools that answer; None where that is not known."""
        if self.operation.parted is None:
            return None
        try:
            return await self.operation.parted(record, self.facts)
        except (Unreachable, CannotTell, XapiFailure, NotFound) as reason:
            log.info("cannot_tell_yet", job=self.number, reason=str(reason))
            return None


async def _first_of(work: Coroutine[Any, Any, End], silence: Coroutine[Any, Any, None]) -> End | None:
    """How the work ends; None where the silence is over first, with the work broken off as by a crash."""
    both = working, watching = asyncio.create_task(work), asyncio.create_task(silence)
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in both:
            one.cancel()
        await asyncio.wait(both)
    if working.cancelled():
        # A defect of the watching is one of the step as well.
        watching.result()
        return None
    return working.result()
