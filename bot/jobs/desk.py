"""The desk: words and clicks come in, are checked against people and places, and go to whoever handles them."""

from __future__ import annotations

from collections.abc import Sequence

from bot import commands
from bot.commands import Change, Command, Context, Control, Query, Registry
from bot.domain.audit import Tag
from bot.domain.message import Message
from bot.domain.plan import Plan, ceiling, drift
from bot.domain.policy import ApprovalSettings, Person, Role
from bot.domain.record import Freeze
from bot.errors import (
    Ambiguous,
    NotAllowed,
    NotFound,
    NotUnderstood,
    Refused,
    StoreError,
    Unnamed,
    UserError,
)
from bot.jobs.acquaintances import Acquaintances
from bot.jobs.asks import Asks
from bot.jobs.claims import frozen, had, lacking
from bot.jobs.control import Control as JobControl
from bot.jobs.decisions import Decisions
from bot.jobs.in_words import in_words
from bot.jobs.ports import Directory, Words
from bot.jobs.proposals import Proposals
from bot.jobs.questions import Questions, slot_of
from bot.jobs.settling import Settling
from bot.metrics import Metrics, Outcome
from bot.operations.base import NOBODY
from bot.operations.ports import Facts, Fleet
from bot.store import Note, Store


def no_role() -> NotAllowed:
    """The refusal to somebody without any role."""
    return NotAllowed("You have no role here.", "Ask an admin of xenbot.", ask=Role.ADMIN)


class Desk(Settling):
    """Implements `bot.jobs.ports.Desk`."""

    def __init__(
        self,
        store: Store,
        fleet: Fleet,
        facts: Facts,
        directory: Directory,
        registry: Registry,
        proposals: Proposals,
        decisions: Decisions,
        control: JobControl,
        approval: ApprovalSettings,
        *,
        metrics: Metrics,
        channels: Sequence[str],
    ) -> None:
        self.store = store
        self.fleet = fleet
        self.facts = facts
        self.directory = directory
        self.people = Acquaintances(store, directory)
        self.registry = registry
        self.proposals = proposals
        self.decisions = decisions
        self.control = control
        self.approval = approval
        self.metrics = metrics
        self.channels = frozenset(channels)
        self.questions = Questions(store)
        self.asks = Asks(store)

    async def run(self, words: Words) -> Message | None:
        """Carries out a command. Raises UserError with a sentence for the person; a refusal to a person is audited."""
        word = self.registry.read(words.text)[0] or "help"
        outcome = Outcome.FAILED
        try:
            answer = await in_words(self._run(words), self.directory)
            outcome = Outcome.ANSWERED
        except NotUnderstood:
            outcome = Outcome.MISUNDERSTOOD
            raise
        except UserError:
            outcome = Outcome.REFUSED
            raise
        finally:
            # Never what was typed: a metric's labels must stay few.
            self.metrics.count_command(word if word in self.registry.words else "unknown", outcome)
        return answer

    async def _run(self, words: Words) -> Message | None:
        try:
            person = await self.directory.person(words.team, words.user)
            word, tail = self.registry.read(words.text)
            command = self.registry.find(word or "help")
            if tail.strip().casefold() == "help":
                command, tail = self.registry.find("help"), word
            self.may(command, person, words.channel, spoken=words.spoken)
        except NotAllowed as refusal:
            detail = {"text": words.text[:200], "why": refusal.message}
            await self.store.note(Note(Tag.COMMAND_REFUSED, words.team, words.user, detail))
            raise
        written = commands.split(command, tail)
        return await self.do(command, written, person, words.channel)

    def may(self, command: Command, person: Person, channel: str, *, spoken: bool = False) -> None:
        """Raises NotAllowed, with a sentence, for a person without the role, the wrong place, and the wrong way."""
        if command.role not in person.roles:
            if Role.VIEWER in person.roles:
                # An operator who asks for an admin's command may change much else.
                start = "" if Role.OPERATOR in person.roles else "You may look, but not change: "
                sentence = f"`/xen {command.word}` needs the {command.role.value} role (you have {had(person)})."
                raise lacking(command.role, start + sentence)
            raise no_role()
        looking = isinstance(command.does, Query)
        if spoken and not looking:
            raise NotAllowed(
                f"In a message I only answer questions, and `{command.word}` acts.",
                f"Type it as a command in the channel: `/xen {command.usage}`",
            )
        # Without a channel it comes from the person's own Home.
        if channel in self.channels or (looking and (not channel or channel.startswith("D"))):
            return
        where = "in the channels xenbot was set up for" + (", or in a direct message to it" if looking else "")
        which = "Ask an admin of xenbot which channels these are."
        raise NotAllowed(f"`/xen {command.word}` works {where}.", which, ask=Role.ADMIN)

    def context(self, person: Person, channel: str) -> Context:
        """What a handler gets."""
        return Context(
            person=person,
            channel=channel,
            now=self.store.clock(),
            fleet=self.fleet,
            facts=self.facts,
            journal=self.store,
            control=self.control,
            approval=self.approval,
            registry=self.registry,
            people=self.people,
            schedules=self.facts.schedules,
        )

    async def do(self, command: Command, written: dict[str, str], person: Person, channel: str) -> Message | None:
        """Carries out a command whose words were read; the answer, or None where a card is on its way.

        Raises UserError, and what pools raise: see `in_words`.
        """
        try:
            answer = await self._done(command, written, person, channel)
            return None if answer is None else await self.asks.bounded(answer, person.id)
        except Ambiguous as several:
            chosen = await command.chooses(several, self.context(person, channel)) if command.chooses else ""
            if chosen:
                return await self.do(command, {**written, slot_of(written, several.name): chosen}, person, channel)
            return await self.questions.which(command, written, person, several)
        except Unnamed as left:
            return await self.questions.unnamed(command, written, person, left)
        except NotFound as none:
            lacking = command.absent(none, self.fleet) if command.absent is not None else ()
            return await self.questions.nearest(command, written, person, none, lacking)

    async def _done(self, command: Command, written: dict[str, str], person: Person, channel: str) -> Message | None:
        arguments = commands.resolve(command, written, self.fleet)
        context = self.context(person, channel)
        match command.does:
            case Query(answer=answer):
                return await answer(arguments, context)
            case Control(act=act):
                return await act(arguments, context)
            case Change(plan=plan):
                held = await self._frozen()
                if held is not None:
                    return frozen(held)
                reason = str(getattr(arguments, "reason", ""))
                refusal, _record = await self.proposals.propose(await plan(arguments, context), person, channel, reason)
                return refusal

    async def confirm(self, seen: Plan, person: Person, channel: str, reason: str) -> Message | None:
        """Asks for what a person has looked over, and confirms it; what is to be told.

        None where things have changed since, so that it is to be asked for anew. Raises as `do`.
        """
        held = await self._frozen()
        if held is not None:
            return frozen(held)
        operation = self.proposals.operations[seen.operation]
        now = await operation.replan(seen, self.facts, self.approval, NOBODY)
        if drift(seen, ceiling(seen), now):
            return None
        refusal, record = await self.proposals.propose(now, person, channel, reason)
        return refusal if record is None else await self.decisions.confirm_seen(record, person)

    async def _frozen(self) -> Freeze | None:
        try:
            return await self.store.frozen()
        except StoreError as doubt:
            raise Refused(
                "The store is in doubt, so nothing that changes a pool is taken.", "See the runbook."
            ) from doubt
