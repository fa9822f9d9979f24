"""What every decision of a person needs: the job is claimed in the state expected of it, or a sentence says why not."""

from __future__ import annotations

import asyncio
import weakref

from bot.domain.audit import Tag
from bot.domain.job import JobEvent, JobState
from bot.domain.message import Facts as FactsPart
from bot.domain.message import Message, Verdict
from bot.domain.policy import ApprovalSettings, Person, Role
from bot.domain.record import Freeze, JobRecord
from bot.domain.texts import Code, Moment, Phrase, Quote, Who, plain, say
from bot.domain.words import state_word
from bot.errors import NotAllowed, Refused
from bot.jobs import deciding, story
from bot.jobs.engine import Engine
from bot.jobs.ports import Directory
from bot.jobs.proposals import Proposals
from bot.operations.ports import Facts
from bot.store import Note, Outgoing, Store
from bot.store.clicks import StoredClick


def brief(line: Phrase, *more: Phrase) -> Message:
    """A short private answer."""
    parts = (Verdict(line), FactsPart(more)) if more else (Verdict(line),)
    return Message(line, parts)


def frozen(freeze: Freeze) -> Message:
    """The answer to whoever wants something started while a freeze holds."""
    why = say(": {reason}", reason=Quote(freeze.reason)) if freeze.reason else say("")
    line = say("Everything that changes a pool is frozen{why}", why=why)
    by = say("Frozen by {who}, {when}.", who=Who(freeze.by), when=Moment(freeze.at))
    return brief(line, by, say("An admin ends it with {unfreeze}.", unfreeze=Code("/xen unfreeze")))


def needs(person: Person, role: Role, what: str) -> None:
    """Raises NotAllowed, naming the missing role, for a person who lacks it."""
    if role not in person.roles:
        raise lacking(role, f"To {what} you need the {role.value} role (you have {had(person)}).")


def had(person: Person) -> str:
    """The roles of a person, in words."""
    return ", ".join(sorted(one.value for one in person.roles)) or "no role"


def lacking(role: Role, sentence: str) -> NotAllowed:
    """The refusal of what needs a role: whoever has it can help, be it by doing it."""
    return NotAllowed(sentence, "Ask somebody who has it.", ask=role)


class Answered(NotAllowed):
    """A refusal whose sentence names people, so that it comes as a message."""

    def __init__(self, answer: Message) -> None:
        super().__init__(plain(answer.summary))
        self.answer = answer


class Claims:
    """Moves jobs for people, one decision at a time."""

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

    async def _queue(
        self,
        click: StoredClick,
        person: Person,
        record: JobRecord,
        tag: Tag,
        expect: JobState,
        *,
        detail: dict[str, object] | None = None,
        alarm: tuple[Message, list[Outgoing]] | None = None,
    ) -> None:
        """The job may start, within its time."""
        until = self.store.clock() + self.approval.start_minutes * 60
        await self._move(
            click,
            person,
            record,
            JobEvent.QUEUE,
            tag,
            {expect},
            changes={"expires_at": until},
            detail=detail,
            alarm=alarm,
        )
        self.engine.kick()

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
        detail: dict[str, object] | None = None,
        alarm: tuple[Message, list[Outgoing]] | None = None,
    ) -> None:
        await self._still_open(record, allowed)
        line = reply

        def told(moved: JobRecord) -> list[Outgoing]:
            replies = [story.reply(one) for one in deciding.decisions(moved)[-1:]]
            if line is not None:
                replies.append(story.reply(line))
            if alarm is not None:
                replies += [Outgoing("post", alarm[0], channel=moved.channel), *alarm[1]]
            return [*self._card(moved), *replies]

        final = {JobEvent.DENY, JobEvent.WITHDRAW}
        ended = {"finished_at": self.store.clock()} if event in final else {}
        await self.store.move(
            record.number,
            event,
            Note(tag, person.team, person.id, detail or {}),
            told,
            expect=record.state,
            changes={**(changes or {}), **ended},
            click=click.id,
        )

    async def _still_open(self, record: JobRecord, allowed: set[JobState]) -> None:
        if record.state not in allowed:
            raise self._already(record)
        if self.store.clock() >= record.expires_at:
            await self.engine.deadlines.expire(record)
            raise Refused(f"Job {record.number} has expired; nobody denied it.", "Press Ask again on its card.")

    @staticmethod
    def _already(record: JobRecord) -> Answered:
        state = state_word(record.state)
        said = deciding.decisions(record)
        if not said:
            return Answered(
                brief(say("Nothing was changed: job {n} is {state} already.", n=record.number, state=state))
            )
        line = say(
            "Nothing was changed: job {n} is {state} already. {last}.", n=record.number, state=state, last=said[-1]
        )
        return Answered(brief(line))

    def _card(self, record: JobRecord) -> list[Outgoing]:
        return [Outgoing("card", story.card(record, self.engine.operations[record.operation]))]
