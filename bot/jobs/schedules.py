"""Runs schedules: when the time has come, what a schedule covers is planned, and its jobs are asked for in its name.

A schedule that checks pools asks for nothing: it looks, and tells what changed.

A run and its jobs are stored together with the time of the next one, so that no death of the bot repeats or loses one.
Runs that fell into a time when the bot was down are made up for by one. Nothing begins while the run before goes on.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import structlog

from bot.domain import recurrence
from bot.domain.audit import Tag
from bot.domain.health import Checkup
from bot.domain.inventory import FeedState, Vm
from bot.domain.job import FINAL, JobEvent, JobState
from bot.domain.plan import LockKey, Plan
from bot.domain.policy import ApprovalSettings
from bot.domain.record import JobRecord, proposed
from bot.domain.schedule import Schedule, ScheduleState
from bot.domain.texts import Code, Phrase, Quote, Who, many, plain, say
from bot.domain.words import numbered, state_word
from bot.errors import (
    DirectorySilent,
    IllegalTransition,
    NotAllowed,
    Refused,
    StoreError,
    TargetFailed,
    UserError,
    XenError,
)
from bot.jobs import scheduled_checks, story
from bot.jobs.engine import Engine
from bot.jobs.ports import Directory
from bot.jobs.rounds import rounds
from bot.operations import backup
from bot.operations.backup_steps import Manner
from bot.operations.ports import Facts, Fleet
from bot.store import Note, Outgoing, Store

log = structlog.get_logger()

LOOK_S: Final = 5.0
#: For so long after its time, or after the bot's start where that is later, a run waits for pools not known yet.
PATIENCE_S: Final = 900.0
_NAMED: Final = 20


class Runner:
    """Looks again and again whether a schedule is due."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        fleet: Fleet,
        facts: Facts,
        directory: Directory,
        approval: ApprovalSettings,
        *,
        every_s: float = LOOK_S,
    ) -> None:
        self.store = store
        self.engine = engine
        self.fleet = fleet
        self.facts = facts
        self.directory = directory
        self.approval = approval
        self.every_s = every_s
        self._began = store.clock()

    async def run(self) -> None:
        """Runs until cancelled."""
        await rounds(self.look, self.every_s)

    async def look(self) -> None:
        """Begins every run that is due, and goes on with what a death of the bot left half asked for."""
        for one in await self.store.schedules():
            try:
                await self._look(one)
            except StoreError:
                raise
            except Exception:  # the edge: a schedule that breaks must end neither the others nor the bot and its jobs
                log.exception("schedule_broke", schedule=one.number)

    async def _look(self, one: Schedule) -> None:
        await self._ask_on(one)
        if one.state is ScheduleState.ACTIVE and one.next_run <= self.store.clock():
            await self._due(one)

    async def _due(self, one: Schedule) -> None:
        if one.covered.check:
            await self._check(one)
            return
        if await self.store.frozen() is not None:
            return  # when the freeze ends, all that it held up is made up for by one run
        now = self.store.clock()
        said = _missed(one, now)
        open_yet = [job for job in await self._before(one) if job.state not in FINAL]
        if open_yet:
            said += [_not_over(job) for job in open_yet]
            await self._begun(one, [], said)
            return
        if self._unknown() and self._patient(one, now):
            return
        said += await self._owner(one)
        jobs = await self._jobs(one, said)
        for record in await self._begun(one, jobs, said):
            await self._queue(one, record)

    async def _check(self, one: Schedule) -> None:
        """A run that looks and changes nothing, so that no freeze holds it up."""
        now, pools = self.store.clock(), self.fleet.pools()
        if scheduled_checks.unknown(pools, one.covered) and self._patient(one, now):
            return
        owner = await self._owner(one)
        before = await self.store.told_by(one.number)
        looked = await scheduled_checks.look(one, pools, self.facts, self.store, before)
        posts = [*scheduled_checks.about_owner(one, owner), *looked.story]
        await self._begun(one, [], [*_missed(one, now), *owner, *looked.said], checked=looked.checked, posts=posts)

    async def _begun(
        self,
        one: Schedule,
        jobs: Sequence[JobRecord],
        said: Sequence[Phrase],
        *,
        checked: Mapping[str, Checkup] = MappingProxyType({}),
        posts: Sequence[Outgoing] = (),
    ) -> Sequence[JobRecord]:
        following = recurrence.next_after(one.rule, self.store.clock())
        detail = {"schedule": one.number, "said": [plain(line) for line in said]}
        note = Note(Tag.SCHEDULE_RUN, one.team, one.actor, detail)
        stored = await self.store.begin_run(one, following, jobs, said, note, checked=checked, story=posts)
        log.info("schedule_run", schedule=one.number, jobs=len(stored or ()), said=len(said))
        return stored or ()

    async def _before(self, one: Schedule) -> list[JobRecord]:
        return [await self.store.job(number) for number in one.last_jobs]

    def _patient(self, one: Schedule, now: float) -> bool:
        # What was due while the bot was down is late already when it starts, before any pool can be known.
        return now - max(one.next_run, self._began) < PATIENCE_S

    def _unknown(self) -> list[str]:
        """The pools that are not known now, by name."""
        return [view.name for view in self.fleet.pools() if view.state is not FeedState.LIVE]

    async def _owner(self, one: Schedule) -> list[Phrase]:
        """Who asked for it has left: that stops no backup, but somebody has to take it over."""
        try:
            await self.directory.person(one.team, one.owner)
        except DirectorySilent:
            return []
        except NotAllowed as gone:
            return [
                say("{who}, who made it, can no longer be asked: {why}", who=Who(one.owner), why=Quote(gone.message))
            ]
        return []

    async def _jobs(self, one: Schedule, said: list[Phrase]) -> list[JobRecord]:
        """A job for each pool with everything that can be backed up there; what cannot is `said`."""
        guests = list(self.facts.schedules.covers(one.covered))
        if self._unknown():
            said.append(say("not known now, so left out: {pools}", pools=many(self._unknown())))
        elif not guests:
            said.append(say("there was nothing to back up: {what} is not there", what=one.covered.words))
        held = await self.store.held([LockKey("VM", vm.uuid, vm.name) for vm in guests])
        said += [
            say("{vm} was left out: job {n} works on it", vm=vm.name, n=Code(str(held[vm.uuid])))
            for vm in guests
            if vm.uuid in held
        ]
        by_pool: dict[str, list[Vm]] = {}
        for vm in guests:
            if vm.uuid not in held and await self._can(one, vm, said):
                by_pool.setdefault(vm.pool, []).append(vm)
        made = [await self._record(one, those, said) for those in by_pool.values()]
        return [record for record in made if record is not None]

    async def _can(self, one: Schedule, vm: Vm, said: list[Phrase]) -> bool:
        """Whether this guest can be backed up, by itself and without an approval of its own."""
        plan = await self._planned(one, [vm], said)
        if plan is None:
            return False
        if plan.blocked:
            why = many([check.fact for check in plan.blocked])
            said.append(say("{vm} was left out: {why}", vm=vm.name, why=why))
            return False
        if self.approval.needed(plan.risk, plan.approvers):
            reasons = many(plan.risk_reasons)
            said.append(say("{vm} was left out, it needs an approval of its own: {why}", vm=vm.name, why=reasons))
            return False
        return True

    async def _planned(self, one: Schedule, guests: Sequence[Vm], said: list[Phrase]) -> Plan | None:
        names = many([vm.name for vm in guests[:_NAMED]])
        try:
            return await backup.plan([vm.uuid for vm in guests], Manner(rule=one.keep), self.facts, self.approval)
        except UserError as refusal:
            said.append(say("{vms} could not be planned for: {why}", vms=names, why=Quote(refusal.message)))
        except (XenError, TargetFailed) as silent:
            said.append(say("{vms} could not be asked about: {why}", vms=names, why=Quote(str(silent))))
        return None

    async def _record(self, one: Schedule, guests: Sequence[Vm], said: list[Phrase]) -> JobRecord | None:
        plan = await self._planned(one, guests, said)
        if plan is None:
            return None
        if plan.blocked:
            why = many([check.fact for check in plan.blocked])
            said.append(say("{n} guests were left out: {why}", n=len(guests), why=why))
            return None
        now = self.store.clock()
        return proposed(
            plan,
            target=secrets.token_urlsafe(18),
            at=now,
            expires_at=now + self.approval.start_minutes * 60,
            team=one.team,
            requester=one.actor,
            reason=plain(say("schedule {n}: {when}", n=one.number, when=recurrence.words(one.rule))),
            channel=one.channel,
        )

    async def _ask_on(self, one: Schedule) -> None:
        """Jobs that were stored and not yet let go on when the bot died."""
        for record in await self._before(one):
            if record.state is JobState.PROPOSED:
                await self._queue(one, record)

    async def _queue(self, one: Schedule, record: JobRecord) -> None:
        """Lets a job run under the standing plan; where somebody else was faster, it ends, and the next run tries."""
        note = Note(Tag.JOB_CONFIRMED, one.team, one.actor, {"schedule": one.number, "approved_as": one.job})
        changes = {"expires_at": self.store.clock() + self.approval.start_minutes * 60}
        try:
            await self.store.move(
                record.number, JobEvent.QUEUE, note, self._card, expect=JobState.PROPOSED, changes=changes
            )
        except IllegalTransition:
            return  # withdrawn, or expired, meanwhile
        except Refused as busy:
            over: Mapping[str, object] = {
                "finished_at": self.store.clock(),
                "outcome": say("Not begun: {why}", why=Quote(busy.message)),
            }
            gone = Note(Tag.JOB_WITHDRAWN, one.team, one.actor, {"why": busy.message})
            await self.store.move(
                record.number, JobEvent.WITHDRAW, gone, self._card, expect=JobState.PROPOSED, changes=dict(over)
            )
            return
        self.engine.kick()

    def _card(self, record: JobRecord) -> list[Outgoing]:
        card = story.card(record, self.engine.operations[record.operation])
        return [Outgoing("card", card, urgent=False)]


def _missed(one: Schedule, now: float) -> list[Phrase]:
    due = recurrence.missed(one.rule, one.next_run - 1, now)
    if due is None or due.count < 2:
        return []
    missed = due.count - 1
    if missed == 1:
        return [say("A run was missed and is made up for by this one")]
    return [say("{n} runs were missed and are made up for by this one", n=missed)]


def _not_over(job: JobRecord) -> Phrase:
    state = say(state_word(job.state))
    return say("left out, since job {n} of the run before is not over: it is {state}", n=numbered(job), state=state)
