"""What each button does, after the click was stored: compare with what the store holds, then claim atomically."""

from __future__ import annotations

import asyncio
import weakref

import msgspec
import structlog

from bot.domain.audit import Tag
from bot.domain.job import FINAL, JobEvent, JobState
from bot.domain.message import Facts as FactsPart
from bot.domain.message import Message, Verdict
from bot.domain.policy import ApprovalSettings, Person, Role
from bot.domain.record import JobRecord
from bot.domain.texts import Phrase, Who, many, plain, say
from bot.domain.words import state_word
from bot.errors import DirectorySilent, IllegalTransition, NotAllowed, Refused, UserError
from bot.jobs import story
from bot.jobs.engine import Engine
from bot.jobs.ports import Directory
from bot.jobs.proposals import Proposals
from bot.operations.ports import Facts
from bot.store import Note, Outgoing, Store
from bot.store.clicks import StoredClick

log = structlog.get_logger()


def brief(line: Phrase, *more: Phrase) -> Message:
    """A short private answer."""
    parts = (Verdict(line), FactsPart(more)) if more else (Verdict(line),)
    return Message(line, parts)


class Answered(NotAllowed):
    """A refusal whose sentence names people, so that it comes as a message."""

    def __init__(self, answer: Message) -> None:
        super().__init__(plain(answer.summary))
        self.answer = answer


class Decisions:
    """Confirm, approve, deny, withdraw, ask again, move back."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        directory: Directory,
        proposals: Proposals,
        facts: Facts,
        approval: ApprovalSettings,
    ) -> None:
        self.store = store
        self.engine = engine
        self.directory = directory
        self.proposals = proposals
        self.facts = facts
        self.approval = approval
        # One decision at a time and job: where two approvals are needed, two people in one instant must not both be the
        # first. A lock lives as long as somebody waits for it.
        self._turns: weakref.WeakValueDictionary[int, asyncio.Lock] = weakref.WeakValueDictionary()

    async def decide(self, click: StoredClick, number: int) -> Message | None:
        """Carries out a stored click on job `number`. Raises UserError with the reason when it counts for nothing."""
        try:
            person = await self.directory.person(click.team, click.person)
            async with self._turns.setdefault(number, asyncio.Lock()):
                if (await self.store.click(click.id)).verdict != "noted":
                    return None
                record = await self.store.job(number)
                self._is_this_card(click, record)
                return await self._act(click, person, record)
        except DirectorySilent:
            raise  # not an answer about this person: the click stays, and is judged when Slack can be asked
        except (UserError, IllegalTransition) as refusal:
            await self._refuse(click, number, refusal)
            if isinstance(refusal, IllegalTransition):
                now = await self.store.job(number)
                raise self._already(now) from refusal
            raise

    def _is_this_card(self, click: StoredClick, record: JobRecord) -> None:
        other_message = record.card_ts not in {"", click.message_ts}
        if click.channel != record.channel or other_message:
            raise Refused(f"This is not the card of job {record.number}.", f"Use `/xen job {record.number}`.")

    async def _act(self, click: StoredClick, person: Person, record: JobRecord) -> Message | None:
        match click.action:
            case "confirm":
                await self._confirm(click, person, record)
            case "approve":
                await self._approve(click, person, record)
            case "deny":
                self._needs(person, Role.APPROVER, "deny a job")
                await self._move(click, person, record, JobEvent.DENY, Tag.JOB_DENIED, {JobState.AWAITING_APPROVAL})
            case "withdraw":
                if person.id != record.requester and Role.ADMIN not in person.roles:
                    raise NotAllowed(
                        f"Only the person who asked for job {record.number}, or an admin, may withdraw it."
                    )
                allowed = {JobState.PROPOSED, JobState.AWAITING_APPROVAL}
                await self._move(click, person, record, JobEvent.WITHDRAW, Tag.JOB_WITHDRAWN, allowed)
            case "ask_again" | "move_back":
                return await self._once_more(click, person, record)
            case _:
                raise Refused("This button is of an older version of xenbot.", f"Use `/xen job {record.number}`.")
        return None

    async def _confirm(self, click: StoredClick, person: Person, record: JobRecord) -> None:
        if person.id != record.requester:
            raise NotAllowed(
                f"Only the person who asked for job {record.number} may confirm it.",
                "Ask for it yourself with the same command.",
            )
        self._needs(person, Role.OPERATOR, "confirm a job")
        await self._still_open(record, {JobState.PROPOSED})
        freeze = await self.store.frozen()
        if freeze is not None:
            raise Refused("Everything that changes a pool is frozen.", "An admin ends it with `/xen unfreeze`.")
        if record.approvers_needed == 0:
            await self._move(click, person, record, JobEvent.QUEUE, Tag.JOB_CONFIRMED, {JobState.PROPOSED})
            self.engine.kick()
            return
        approvers = await self.proposals.eligible(record.requester)
        await self._move(
            click,
            person,
            record,
            JobEvent.ASK_APPROVAL,
            Tag.JOB_CONFIRMED,
            {JobState.PROPOSED},
            changes={"expires_at": self.store.clock() + self.approval.expiry_minutes * 60},
            reply=say("Approval needed from one of {who}.", who=many([Who(one) for one in approvers])),
        )

    async def _approve(self, click: StoredClick, person: Person, record: JobRecord) -> None:
        if person.id == record.requester:
            others = many([Who(one) for one in await self.proposals.eligible(record.requester)])
            raise Answered(brief(say("You asked for this job, so someone else has to approve it: {who}.", who=others)))
        self._needs(person, Role.APPROVER, "approve a job")
        await self._still_open(record, {JobState.AWAITING_APPROVAL})
        if person.id in record.approved_by:
            raise Refused(f"You have approved job {record.number} already.")
        if len(record.approved_by) + 1 < record.approvers_needed:
            await self._count(click, person, record)
            return
        await self._move(click, person, record, JobEvent.QUEUE, Tag.JOB_APPROVED, {JobState.AWAITING_APPROVAL})
        self.engine.kick()

    async def _count(self, click: StoredClick, person: Person, record: JobRecord) -> None:
        await self.store.annotate(
            record.number, {}, Note(Tag.JOB_APPROVED, person.team, person.id), story=self._card, click=click.id
        )

    async def _once_more(self, click: StoredClick, person: Person, record: JobRecord) -> Message | None:
        self._needs(person, Role.OPERATOR, "ask for a job")
        if record.state not in FINAL:
            raise Refused(f"Job {record.number} is not over yet.")
        if record.successor is not None:
            raise Refused(f"Job {record.number} was asked again as job {record.successor}.")
        operation = self.engine.operations[record.operation]
        if click.action == "ask_again":
            plan = await operation.replan(record.plan, self.facts, self.approval)
        else:
            late = self.store.clock() - (record.finished_at or 0) > story.MOVE_BACK_S
            if operation.reverse is None or late:
                raise Refused("It is too late for Move back.", "Ask for the move with `/xen migrate`.")
            plan = await operation.reverse(record.plan, self.facts, self.approval)
        answer, new = await self.proposals.propose(
            plan, person, record.channel, record.reason, after=record.number, click=click.id
        )
        if new is None:
            await self.store.refuse_click(click.id, record.number)
        else:
            await self.store.annotate(record.number, {}, story=self._card)
        return answer

    async def _move(
        self,
        click: StoredClick,
        person: Person,
        record: JobRecord,
        event: JobEvent,
        tag: Tag,
        allowed: set[JobState],
        *,
        changes: dict[str, object] | None = None,
        reply: Phrase | None = None,
    ) -> None:
        await self._still_open(record, allowed)
        line = reply

        def told(moved: JobRecord) -> list[Outgoing]:
            replies = [story.reply(one) for one in story.decisions(moved)[-1:]]
            if line is not None:
                replies.append(story.reply(line))
            return [*self._card(moved), *replies]

        final = {JobEvent.DENY, JobEvent.WITHDRAW}
        ended = {"finished_at": self.store.clock()} if event in final else {}
        await self.store.move(
            record.number,
            event,
            Note(tag, person.team, person.id),
            told,
            expect=record.state,
            changes={**(changes or {}), **ended},
            click=click.id,
        )

    async def _still_open(self, record: JobRecord, allowed: set[JobState]) -> None:
        if record.state not in allowed:
            raise self._already(record)
        if self.store.clock() >= record.expires_at:
            await self.engine.expire(record)
            raise Refused(f"Job {record.number} has expired; nobody denied it.", "Press Ask again on its card.")

    @staticmethod
    def _already(record: JobRecord) -> Answered:
        state = state_word(record.state)
        said = story.decisions(record)
        if not said:
            return Answered(
                brief(say("Nothing was changed: job {n} is {state} already.", n=record.number, state=state))
            )
        line = say(
            "Nothing was changed: job {n} is {state} already. {last}.", n=record.number, state=state, last=said[-1]
        )
        return Answered(brief(line))

    @staticmethod
    def _needs(person: Person, role: Role, what: str) -> None:
        if role not in person.roles:
            have = ", ".join(sorted(one.value for one in person.roles)) or "no role"
            raise NotAllowed(f"To {what} you need the {role.value} role (you have {have}).", "Ask an admin of xenbot.")

    def _card(self, record: JobRecord) -> list[Outgoing]:
        return [Outgoing("card", story.card(record, self.engine.operations[record.operation]))]

    async def _refuse(self, click: StoredClick, number: int, refusal: Exception) -> None:
        record = await self.store.job(number)
        await self.store.refuse_click(click.id, number)
        detail = {"action": click.action, "job": number, "why": str(refusal)}
        target = (record.plan.targets[0].uuid, record.plan.targets[0].name)
        await self.store.note(Note(Tag.CLICK_REFUSED, click.team, click.person, msgspec.to_builtins(detail)), target)
        log.info("click_refused", job=number, action=click.action, why=str(refusal))
