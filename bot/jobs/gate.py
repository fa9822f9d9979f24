"""The last look before a call is sent: freeze, people, and the plan made again."""

from __future__ import annotations

import msgspec
import structlog

from bot.domain.plan import Grade, Plan, drift
from bot.domain.policy import ApprovalSettings, Role
from bot.domain.record import JobRecord
from bot.domain.schedule import ScheduleState, standing_of
from bot.domain.texts import Code, Phrase, Quote, Who, many, say
from bot.domain.words import numbered
from bot.errors import (
    CannotTell,
    DirectorySilent,
    NotAllowed,
    NotFound,
    StoreError,
    TargetFailed,
    Unreachable,
    XapiFailure,
)
from bot.jobs.ports import Directory
from bot.jobs.slots import HOST_LIMIT
from bot.operations.base import Operations
from bot.operations.ports import Facts
from bot.store import Store

log = structlog.get_logger()


class Wait(msgspec.Struct, frozen=True):
    """Nothing speaks against the job, but it cannot go on yet; `hint` says why."""

    hint: Phrase


class Gate:
    """Says whether a job may run now: a tuple of problems (empty for yes), or Wait."""

    def __init__(
        self,
        store: Store,
        facts: Facts,
        directory: Directory,
        operations: Operations,
        approval: ApprovalSettings,
    ) -> None:
        self.store = store
        self.facts = facts
        self.directory = directory
        self.operations = operations
        self.approval = approval

    async def frozen(self) -> Wait | None:
        """A freeze, or a store in doubt, which counts as one."""
        try:
            freeze = await self.store.frozen()
        except StoreError:
            return Wait(say("The store is in doubt; nothing starts."))
        if freeze is None:
            return None
        reason = Quote(freeze.reason or "no reason given")
        return Wait(say("Frozen: {reason}. It starts when the freeze ends.", reason=reason))

    async def crowded(self, record: JobRecord) -> Wait | None:
        """Which host or SR has no place for one job more now, and who has the places."""
        for key in record.plan.locks:
            others = [] if key.exclusive else await self.store.others_running(key, record.number)
            if len(others) >= HOST_LIMIT:
                held = many([numbered(await self.store.job(number)) for number in others])
                line = "Waits for a place at {name}: at most {limit} jobs work there at once, now {jobs}"
                return Wait(say(line + ". It starts by itself.", name=key.name, limit=HOST_LIMIT, jobs=held))
        return None

    async def admit(self, record: JobRecord) -> Wait | tuple[Phrase, ...]:
        """Judges a job that is about to start and, where nothing speaks against it, keeps what it will need.

        What was there when it was looked at may be promised to another job by the end of the look: then it is judged
        again, so that no two are promised the same.
        """
        ahead = self.operations[record.operation].ahead
        if ahead is None:
            return await self.judge(record)
        while True:
            before = ahead.count(self.facts)
            found = await self.judge(record)
            if found != ():
                return found
            if ahead.count(self.facts) == before:
                self.keep(record)
                return found

    def keep(self, record: JobRecord) -> None:
        """Keeps what a job needs ahead of its time."""
        ahead = self.operations[record.operation].ahead
        if ahead is not None:
            ahead.keep(record, self.facts)

    def let_go(self, record: JobRecord, *lanes: str) -> None:
        """Gives up what is kept for these lanes of a job, for all of it where none is named."""
        ahead = self.operations[record.operation].ahead
        if ahead is not None:
            for lane in lanes or dict.fromkeys(step.lane for step in record.plan.steps):
                ahead.let_go(record, lane, self.facts)

    async def judge(self, record: JobRecord, begun: frozenset[int] = frozenset()) -> Wait | tuple[Phrase, ...]:
        """Plans again from direct reads, and looks everyone up again who asked for it or approved it.

        Of a job whose steps `begun` are done or under way only the rest is judged, under what was agreed to for all.
        """
        frozen = await self.frozen()
        if frozen is not None:
            return frozen
        try:
            operation = self.operations[record.operation]
            rest = operation.rest(record.plan, begun)
            homes = {**await self.store.homes(record), **_moved(record.plan, rest)}
            now = await operation.replan(rest, self.facts, self.approval, homes)
            people = await self._people(record)
        except NotFound as gone:
            return (say("{what}", what=Quote(gone.message)),)
        except DirectorySilent:
            return Wait(say("Slack cannot be asked who may do this; it starts when it can."))
        except TargetFailed as lost:
            log.info("cannot_plan_yet", job=record.number, reason=str(lost))
            return Wait(say("{why} It starts when the backups can be read.", why=Quote(lost.message)))
        except (Unreachable, CannotTell, XapiFailure) as silent:
            log.info("cannot_plan_yet", job=record.number, reason=str(silent))
            return Wait(say("The pool does not answer; it starts when it can be checked again."))
        unclear = [one for one in now.unclear if record.ceiling.grades.get(one.key) is not Grade.UNKNOWN]
        if unclear and not now.blocked:
            return Wait(say("Waiting: {fact}", fact=unclear[0].fact))
        problems = drift(rest, record.ceiling, now) + people
        approvals = set(record.approved_by) - {record.requester}
        # Policy may have become stricter since: the number that counts is today's.
        needed = max(record.approvers_needed, self.approval.needed(now.risk, now.approvers))
        if len(approvals) < needed and not record.glass_broken_by:
            problems += (say("it needs more approvals now than it has"),)
        # Pool and Slack took their time to answer, and a freeze holds at once.
        frozen = await self.frozen()
        return problems if frozen is None else frozen

    async def _people(self, record: JobRecord) -> tuple[Phrase, ...]:
        number = standing_of(record.requester)
        if number is not None:
            return await self._standing(number)
        problems: list[Phrase] = []
        wanted = [(record.requester, Role.OPERATOR), *((who, Role.APPROVER) for who in record.approved_by)]
        if record.glass_broken_by:
            wanted.append((record.glass_broken_by, Role.BREAK_GLASS))
        for user, role in wanted:
            try:
                person = await self.directory.person(record.team, user)
            except DirectorySilent:
                raise
            except NotAllowed as refusal:
                problems.append(say("{who}: {why}", who=Who(user), why=Quote(refusal.message)))
                continue
            if role not in person.roles:
                problems.append(say("{who} no longer has the {role} role", who=Who(user), role=role.value))
        return tuple(problems)

    async def _standing(self, number: int) -> tuple[Phrase, ...]:
        """A schedule runs under its own name: it must be in force still; who once asked for it may have left."""
        now = await self.store.schedule(number)
        if now.state is ScheduleState.ACTIVE:
            return ()
        return (say("schedule {n} is {state} now", n=Code(str(number)), state=say(now.state.value)),)


def _moved(whole: Plan, rest: Plan) -> dict[str, str]:
    """Where the guests were that the job itself has moved, or moves now: its own work raises no risk either."""
    left = {place.vm for place in rest.placements}
    return {place.vm: place.host for place in whole.placements if place.vm not in left and place.host is not None}
