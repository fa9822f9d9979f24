"""Closing a job that needs a person: the pool is looked at first, and what is left to be taken back is taken back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

from bot.domain.audit import Tag
from bot.domain.job import JobEvent, JobState
from bot.domain.message import Message
from bot.domain.policy import Person, Role
from bot.domain.record import JobRecord, StepRecord, StepState
from bot.domain.texts import Code, Phrase, Quote, Who, many, plain, say
from bot.domain.words import state_word
from bot.errors import CannotTell, NotFound, Refused, Unreachable
from bot.jobs import story, undoing
from bot.jobs.claims import brief, needs
from bot.jobs.engine import Engine
from bot.operations.base import Look, Seen
from bot.operations.ports import Facts
from bot.store import Note, Outgoing, Store


class Resolving:
    """The part of the control of jobs that closes those nobody could judge."""

    def __init__(self, store: Store, engine: Engine, facts: Facts) -> None:
        self.store = store
        self.engine = engine
        self.facts = facts

    async def resolve(self, number: int, person: Person, verdict: str) -> Message:
        """Looks at the pool, and closes a job that needs a person when what is seen agrees."""
        record = await self.store.job(number)
        needs(person, Role.ADMIN, "resolve a job")
        if record.state is not JobState.NEEDS_ATTENTION:
            raise Refused(
                f"Job {number} needs nobody: it is {state_word(record.state)}.",
                f"`/xen job {number}` shows it; `/xen jobs` lists what waits for someone first.",
            )
        open_steps = [one for one in record.steps if one.state is not StepState.DONE] or [record.steps[-1]]
        # The ones nobody could judge come first; the rest of a job of several steps was never begun, or ended clearly.
        step = next((one for one in open_steps if one.state is StepState.UNCLEAR), open_steps[0])
        try:
            look = await self._look(record, step.index)
        except (Unreachable, CannotTell):
            if record.pool_of(step.index) == record.pool:
                raise
            return await self._apart(record, person, verdict, record.pool_of(step.index))
        stood = [one.stood for one in record.steps if one.stood is not None]
        if stood:
            return await self._go_on(record, person, look, stood)
        if look.seen is Seen.GOING_ON:
            return brief(say("It is still going on: {what}", what=look.headline), *look.evidence)
        seen_done = look.seen is Seen.DONE
        if verdict and seen_done != (verdict == "done"):
            raise Refused(
                f"The pool shows otherwise: {plain(look.headline)}.", f"Look once more with `/xen resolve {number}`."
            )
        if not verdict and not seen_done:
            close = Code(f"/xen resolve {number} not-done")
            return brief(look.headline, *look.evidence, say("If that is right, close it with {close}.", close=close))
        closed = msgspec.structs.replace(step, state=StepState.DONE if seen_done else StepState.FAILED)
        if look.made and undoing.waits_for(record, step.index):
            # Nothing goes on from it any more, but what it made is known now and can be taken back.
            closed = msgspec.structs.replace(step, state=StepState.FAILED, made=look.made)
        others = [one for one in open_steps if one.index != step.index]
        return await self._judged(record, person, look, closed, others)

    async def _go_on(self, record: JobRecord, person: Person, look: Look, steps: Sequence[StepRecord]) -> Message:
        """Goes on with a job that was given up since a pool was silent, and that answers again."""
        note = Note(Tag.JOB_RESOLVED, person.team, person.id, {"seen": plain(look.headline)})
        line = say("The pool answers again: the job goes on from where it stood.")
        told = partial(self._goes_on, line)
        await self.store.move(record.number, JobEvent.TAKE_BACK, note, told, expect=record.state, others=steps)
        self.engine.take_up(record.number)
        return brief(line, look.headline, *look.evidence)

    async def _judged(
        self, record: JobRecord, person: Person, look: Look, closed: StepRecord, others: Sequence[StepRecord]
    ) -> Message:
        """What follows once a step is known to have ended as in `closed`; the `others` are not known to be done."""
        number, seen_done = record.number, look.seen is Seen.DONE
        note = Note(Tag.JOB_RESOLVED, person.team, person.id, {"seen": plain(look.headline)})
        if any(one.state is StepState.UNCLEAR for one in others):
            await self.store.save_step(closed, note)
            return brief(look.headline, *look.evidence, say("Another step is unclear too: look again."))
        if undoing.left(record, closed):
            told = partial(self._goes_on, say("Resolved by a person: what it made is taken back now."))
            await self.store.move(number, JobEvent.TAKE_BACK, note, told, expect=record.state, step=closed)
            self.engine.take_up(number)
            return brief(say("{what}. What job {n} made is taken back now.", what=look.headline, n=number))
        event = JobEvent.FAIL
        whole = self.engine.operations[record.operation].whole
        if seen_done or (record.done and not whole):
            event = JobEvent.END_PARTLY if others or not seen_done else JobEvent.SUCCEED
        changes = {"outcome": look.headline, "evidence": look.evidence, "finished_at": self.store.clock()}
        await self.store.move(number, event, note, self._ended, expect=record.state, changes=changes, step=closed)
        return brief(say("Job {n} is closed: {what}", n=number, what=look.headline))

    async def _apart(self, record: JobRecord, person: Person, verdict: str, pool: str) -> Message:
        """The answer while the other pool of a job is silent: what is true without it, and in the end closed without.

        It is closed only where nothing of the job can do harm there any more.
        """
        operation, name = self.engine.operations[record.operation], record.plan.names.get(pool, pool)
        silent = say("{pool} does not answer, so that nobody can look there.", pool=name)
        if operation.parted is None or verdict == "done":
            raise Refused(plain(silent), "Look again once it answers.")
        known = await operation.parted(record, self.facts)
        harmless = known.seen is Seen.NOT_DONE
        if verdict and not harmless:
            raise Refused(f"{plain(known.headline)}.", plain(many(known.evidence)))
        if not verdict:
            close = Code(f"/xen resolve {record.number} not-done")
            lost = say("If it is lost for good, {close} closes the job without it.", close=close)
            later = say("Once it answers, look again: the job goes on from where it stood.")
            return brief(known.headline, silent, *known.evidence, later, *((lost,) if harmless else ()))
        unclear = [one for one in record.steps if one.state is StepState.UNCLEAR]
        failed = [msgspec.structs.replace(one, state=StepState.FAILED, error=_said(one)) for one in unclear]
        line = say("{who} closed it while {pool} did not answer: nobody looked there.", who=Who(person.id), pool=name)
        note = Note(Tag.JOB_RESOLVED, person.team, person.id, {"seen": plain(known.headline), "silent": name})
        now = {"outcome": known.headline, "evidence": (line, *known.evidence), "finished_at": self.store.clock()}
        # All of it or nothing: another admin may have let the job go on meanwhile.
        await self.store.move(
            record.number, JobEvent.FAIL, note, self._ended, expect=record.state, changes=now, others=failed
        )
        return brief(say("Job {n} is closed: {what}", n=record.number, what=known.headline), line, *known.evidence)

    async def _look(self, record: JobRecord, index: int) -> Look:
        operation = self.engine.operations[record.operation]
        try:
            step = record.filled.steps[index]
            return await operation.look(record.filled.seen_from(step), step, self.facts)
        except NotFound as gone:
            return Look(Seen.HARMED, say("{what}", what=Quote(gone.message)), ())

    def _goes_on(self, line: Phrase, record: JobRecord) -> list[Outgoing]:
        operation = self.engine.operations[record.operation]
        return [Outgoing("card", story.card(record, operation, now=self.store.clock())), story.reply(line)]

    def _ended(self, record: JobRecord) -> list[Outgoing]:
        operation = self.engine.operations[record.operation]
        return [Outgoing("card", story.card(record, operation)), story.ending_reply(record)]


def _said(step: StepRecord) -> tuple[str, ...]:
    return (plain(step.said),) if step.said is not None else step.error
