"""From a plan to a job that waits for its requester: refused with every reason, or stored with its card."""

from __future__ import annotations

import asyncio
import secrets

from bot.domain.audit import Tag
from bot.domain.job import JobState
from bot.domain.message import Button, Choices, Facts, Message, Verdict
from bot.domain.plan import Plan, digest
from bot.domain.policy import ApprovalSettings, Person, Role
from bot.domain.record import JobRecord, proposed
from bot.domain.texts import plain, say
from bot.domain.words import at_card, state_word
from bot.errors import Refused
from bot.jobs import experience, story
from bot.jobs.ports import Directory
from bot.operations.base import Operations
from bot.store import Note, Outgoing, Store


class Proposals:
    """Takes plans in."""

    def __init__(self, store: Store, directory: Directory, operations: Operations, approval: ApprovalSettings) -> None:
        self.store = store
        self.directory = directory
        self.operations = operations
        self.approval = approval
        self._one_at_a_time = asyncio.Lock()

    async def eligible(self, requester: str) -> list[str]:
        """Who may approve a job of this requester."""
        return sorted(await self.directory.holders(Role.APPROVER) - {requester})

    async def propose(
        self,
        plan: Plan,
        person: Person,
        channel: str,
        reason: str,
        *,
        after: int | None = None,
        click: int | None = None,
    ) -> tuple[Message | None, JobRecord | None]:
        """A private answer, or the new job whose card is on its way; `after` is the job it repeats, by `click`.

        Raises Refused where nobody could approve it, or other jobs hold a pool that it needs for itself.
        """
        refusal = await self._refused(plan, person)
        if refusal is not None:
            return refusal, None
        needed, glass = await self._asked_for(plan, person)
        plan = await self.foreseen(plan)
        now = self.store.clock()
        record = proposed(
            plan,
            target=secrets.token_urlsafe(18),
            at=now,
            expires_at=now + self.approval.expiry_minutes * 60,
            team=person.team,
            requester=person.id,
            reason=reason,
            channel=channel,
            approvers_needed=needed,
            glass=glass,
        )
        note = Note(Tag.JOB_PROPOSED, person.team, person.id, {"title": plain(plan.title), "risk": plan.risk.value})
        async with self._one_at_a_time:
            # The same may have been asked for twice at once: the first of both is in the store by now.
            twin = await self._asked_already(plan)
            if twin is not None:
                return twin, None
            stored = await self.store.create(record, note, self._card, after=after, click=click)
        return None, stored

    async def foreseen(self, plan: Plan) -> Plan:
        """The plan with the time it takes foreseen as well as earlier jobs of its kind in that pool allow."""
        operation = self.operations.get(plan.operation)
        if operation is None or not operation.learns:
            return plan
        earlier = await self.store.well(plan.operation, plan.pool, limit=experience.LOOKED_THROUGH)
        return experience.corrected(plan, earlier)

    async def replace(self, record: JobRecord, plan: Plan, person: Person, click: int) -> Message | None:
        """Puts another plan in place of one that nobody has confirmed yet; a private answer where it cannot be.

        Raises Refused where nobody could approve it, or when the job has been confirmed meanwhile.
        """
        refusal = await self._refused(plan, person, besides=record.number)
        if refusal is not None:
            await self.store.refuse_click(click, record.number)
            # The menu goes back to what the card really says.
            await self.store.annotate(record.number, {}, story=self._card)
            return refusal
        needed, glass = await self._asked_for(plan, person)
        plan = await self.foreseen(plan)
        changes = {
            "plan": plan,
            "approvers_needed": needed,
            "glass": int(glass),
            "expires_at": self.store.clock() + self.approval.expiry_minutes * 60,
        }
        detail = {"before": plain(record.plan.title), "now": plain(plan.title), "risk": plan.risk.value}
        note = Note(Tag.JOB_RETARGETED, person.team, person.id, detail)
        expect = JobState.PROPOSED
        await self.store.annotate(record.number, changes, note, self._card, click=click, expect=expect)
        return None

    def _card(self, job: JobRecord) -> list[Outgoing]:
        return [Outgoing("card", story.card(job, self.operations[job.operation]))]

    async def _refused(self, plan: Plan, person: Person, *, besides: int = 0) -> Message | None:
        """Why the plan is not taken: it is blocked, or an open job (`besides` one) asks for it already."""
        target = (plan.targets[0].uuid, plan.targets[0].name)
        if plan.blocked:
            detail = {"title": plain(plan.title), "stopped_by": [check.key for check in plan.blocked]}
            await self.store.note(Note(Tag.JOB_REFUSED, person.team, person.id, detail), target)
            return story.refused(plan, self.operations.get(plan.operation))
        if any(key.kind == "pool" for key in plan.locks):
            # Nothing that goes on there ends by itself in a moment, and most of it would be broken off.
            await self.store.held_up(plan)
        return await self._asked_already(plan, besides=besides)

    async def _asked_already(self, plan: Plan, *, besides: int = 0) -> Message | None:
        promise = digest(plan)
        for other in await self.store.jobs(open_only=True, target=plan.targets[0].uuid):
            if other.digest == promise and other.number != besides:
                line = say(
                    "Job {n} asks for that already; it is {state}.", n=other.number, state=state_word(other.state)
                )
                look = Choices((Button(f"Job {other.number}", "ask", f"job {other.number}"),))
                return Message(line, (Verdict(line), Facts(at_card(other)), look))
        return None

    async def _asked_for(self, plan: Plan, person: Person) -> tuple[int, bool]:
        """How many must approve it, and whether glass may be broken instead. Raises Refused where neither can be."""
        needed = self.approval.needed(plan.risk, plan.approvers)
        # The reason that it needs may come with the request, or is asked for when somebody presses it.
        glass = needed > 0 and bool(self.approval.break_glass)
        if needed and not (glass and Role.BREAK_GLASS in person.roles):
            await self._can_be_approved(plan, person, needed)
        return needed, glass

    async def _can_be_approved(self, plan: Plan, person: Person, needed: int) -> None:
        """Raises Refused, naming the missing role, where too few people could approve it."""
        others = len(await self.eligible(person.id))
        if others >= needed:
            return
        there = "nobody else has it" if others == 0 else f"only {others} other{'s have' if others > 1 else ' has'} it"
        raise Refused(
            f"This is a {plan.risk.value}-risk job: {needed} {'person' if needed == 1 else 'people'} with the approver"
            f" role must approve it besides you, and {there}.",
            "Ask an admin of xenbot to name approvers.",
            ask=Role.ADMIN,
        )
