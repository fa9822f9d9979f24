"""What is special about a step that takes something back: nobody stops it, and it looks before it does anything."""

from __future__ import annotations

import asyncio
import time

import msgspec

from bot.domain.plan import Step
from bot.domain.record import JobRecord, StepRecord, StepState
from bot.domain.texts import say
from bot.errors import CannotTell, Unreachable
from bot.jobs import lanes
from bot.jobs.judging import End, EndKind, Judging
from bot.operations.base import Seen
from bot.operations.work import Errand, Run


class Undoing(Judging):
    """Whether there is anything left to take back, and how long that is tried."""

    async def _undone(self, record: JobRecord, plan_step: Step) -> End | None:
        """The end of a step that takes something back, where there is nothing to take back any more.

        What was to be taken back may come about late where its call did not go well: a guest that was asked to shut
        down may still do so when the pool has given up waiting for it. So that is watched for a while.
        """
        doubt, well_since = _in_doubt(record, plan_step), time.monotonic()
        while True:
            look = await self._seen(record, plan_step)
            if look is None:
                well_since = time.monotonic()
                await self._hint(record, say("The pool does not answer; what is to be cleaned up waits for it."))
            elif look.seen is Seen.GOING_ON:
                well_since = time.monotonic()
            elif look.seen is not Seen.DONE:
                return None
            elif not doubt or time.monotonic() - well_since >= self.pace.vanished:
                return End(EndKind.DONE, look.headline, look.evidence)
            else:
                await self._hint(
                    record, say("{look}; it is watched for a minute, since it may change.", look=look.headline)
                )
            await asyncio.sleep(self.pace.retry)

    async def _insisted(self, record: JobRecord, errand: Errand, run: Run) -> None:
        """Does work that takes something back, and begins it again for as long as the pool is silent.

        Where something urgent still waits behind it, the first silence ends it: the rest of the lane sees to that.
        """
        waiting = (record.plan.steps[one.index] for one in record.steps if one.state is StepState.WAITING)
        urgent = any(one.early and one.lane == errand.step.lane for one in waiting)
        while True:
            try:
                return await run(errand)
            except (Unreachable, CannotTell):
                if urgent:
                    raise
            await self._hint(record, say("The pool does not answer; what is to be cleaned up waits for it."))
            await asyncio.sleep(self.pace.retry)

    def _may_wait(self, plan_step: Step) -> bool:
        # Nobody can stop what takes something back, so it ends by itself, and what is left is named.
        self._waits += 1
        return not plan_step.undoes or self._waits <= self.pace.stubborn


def waits_for(record: JobRecord, index: int) -> bool:
    """Whether a later step would take back what this one makes, and has not begun since nobody knew what that is."""
    planned = record.plan.steps[index]
    return bool(planned.makes) and any(
        one.state is StepState.WAITING
        and one.index > index
        and (record.plan.steps[one.index].lane, record.plan.steps[one.index].undoes) == (planned.lane, planned.makes)
        for one in record.steps
    )


def left(record: JobRecord, closed: StepRecord) -> bool:
    """Whether anything can be taken back once a step is closed so."""
    steps = tuple(closed if one.index == closed.index else one for one in record.steps)
    ready = lanes.ready(msgspec.structs.replace(record, steps=steps), (), stopping=True)
    return any(record.plan.steps[index].undoes for index in ready)


def _in_doubt(record: JobRecord, plan_step: Step) -> bool:
    """Whether it is not known for certain that what a step takes back was brought about."""
    makers = [step for step in record.steps if record.plan.steps[step.index].makes == plan_step.undoes]
    own = [step for step in makers if record.plan.steps[step.index].lane == plan_step.lane]
    failed = [step for step in own if step.state is StepState.FAILED and record.plan.steps[step.index].certain]
    return any(step.state is not StepState.DONE and step not in failed for step in own)
