"""The counter: commands as forms, and what each person sees when they come in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Final

from bot import commands
from bot.commands import Change, Command, FieldKind, Form
from bot.domain.audit import Tag
from bot.domain.message import Checks as ChecksPart
from bot.domain.message import Choices, Facts, Mark, Message, Option, Select, Verdict
from bot.domain.plan import Plan
from bot.domain.policy import Person, Role
from bot.domain.texts import many, say
from bot.errors import NotAllowed, NotUnderstood, Refused
from bot.jobs import home, story
from bot.jobs.desk import NO_ROLE, Desk
from bot.jobs.home import Jobs
from bot.jobs.in_words import in_words
from bot.jobs.ports import Review, Sender
from bot.operations import lookup
from bot.store import Note

# Far less than the pause between two rounds of Home, so that each round tells what is new.
_MOMENT_S: Final = 1.0
#: A person who types into a form that is not theirs is one entry in so many seconds, not one a key.
REFUSED_S: Final = 600.0


class Counter:
    """Implements `bot.jobs.ports.FormDesk`. `ops` is the channel where cards go that were asked for from Home."""

    def __init__(self, desk: Desk, ops: str) -> None:
        self.desk = desk
        self.ops = ops
        self._reading = asyncio.Lock()
        self._refused: dict[tuple[str, str, str], float] = {}
        self._read: tuple[float, Jobs] | None = None

    def asked(self, text: str) -> str:
        """The command word, where it was typed without the words it needs; else ""."""
        word, tail = self.desk.registry.read(text)
        try:
            command = self.desk.registry.find(word)
        except NotUnderstood:
            return ""
        return word if commands.needs_form(command, tail) else ""

    def title(self, word: str) -> str:
        """The title of a dialogue about that command; of one about something else, the word itself."""
        return self.desk.registry.called(word)

    async def form(self, sender: Sender, word: str) -> Form:
        """The form, for a person who may use the command. A refusal is audited as a typed command's would be."""
        command, _ = await self._admitted(sender, word)
        return commands.form_of(command)

    async def suggest(
        self, sender: Sender, word: str, name: str, typed: str, chosen: Mapping[str, str]
    ) -> tuple[Option, ...]:
        """From the live inventory and the catalogue; hosts and SRs are those the chosen guest could go to."""
        command, _ = await self._admitted(sender, word, key_by_key=True)
        fields = {field.name: field.kind for field in commands.form_of(command).fields}
        match fields.get(name):
            case FieldKind.GUEST:
                return lookup.guests(self.desk.fleet, typed)
            case FieldKind.HOST:
                return lookup.hosts(self.desk.fleet, typed, _chosen(fields, chosen, FieldKind.GUEST))
            case FieldKind.STORAGE:
                guest = _chosen(fields, chosen, FieldKind.GUEST)
                # A guest that goes to a host takes its disks to what that host sees, not to what its own does.
                seen_by = _chosen(fields, chosen, FieldKind.HOST) if FieldKind.HOST in fields.values() else None
                return lookup.srs(self.desk.fleet, typed, guest, seen_by)
            case FieldKind.POOL:
                return lookup.pools(self.desk.fleet, typed)
            case FieldKind.BACKUP:
                return lookup.backups(await self.desk.store.backups(), typed, self.desk.store.clock())
            case FieldKind.NETWORK:
                hosts = [one for one, other in fields.items() if other is FieldKind.HOST]
                return lookup.networks(
                    self.desk.fleet, typed, next((chosen[one] for one in hosts if one in chosen), "")
                )
            case _:
                return ()

    def mistakes(self, word: str, values: Mapping[str, str]) -> dict[str, str]:
        """What is wrong with the values, by field."""
        return commands.mistakes(self.desk.registry.find(word), values, self.desk.fleet)

    async def review(self, sender: Sender, word: str, values: Mapping[str, str]) -> Review:
        """For a change the plan, which only reads; everything else is carried out and answered."""
        command, person = await self._admitted(sender, word)
        match command.does:
            case Change(plan=plan):
                arguments = commands.resolve(command, values, self.desk.fleet)
                context = self.desk.context(person, self._channel(sender))
                return self._looked_over(await in_words(plan(arguments, context)))
            case _:
                answer = await in_words(self.desk.do(command, dict(values), person, self._channel(sender)))
                return Review(_without_controls(answer or _done()), may_ask=False)

    async def ask(self, sender: Sender, word: str, values: Mapping[str, str]) -> Message:
        """Asks for the change; its card goes to the channel it was typed in, or to the ops channel from Home."""
        command, person = await self._admitted(sender, word)
        answer = await in_words(self.desk.do(command, dict(values), person, self._channel(sender)))
        return _without_controls(answer) if answer is not None else _done()

    async def home(self, team: str, user: str) -> Message:
        """What one person's Home shows now."""
        return await in_words(self._home(team, user))

    async def _home(self, team: str, user: str) -> Message:
        person = await self.desk.directory.person(team, user)
        if Role.VIEWER not in person.roles:
            raise NotAllowed(*NO_ROLE)
        return home.build(person, await self._jobs(), self.desk.fleet, self.desk.registry)

    async def _jobs(self) -> Jobs:
        """Read once for all Homes that are made in the same moment: reading some hundred jobs takes a while."""
        async with self._reading:
            at = time.monotonic()
            if self._read is None or at - self._read[0] > _MOMENT_S:
                self._read = at, await home.read(self.desk.store)
            return self._read[1]

    def _channel(self, sender: Sender) -> str:
        return sender.channel or self.ops

    async def _admitted(self, sender: Sender, word: str, *, key_by_key: bool = False) -> tuple[Command, Person]:
        """The command and who asks. A refusal is audited; one that is met with `key_by_key` only once in a while."""
        command = self.desk.registry.find(word)
        try:
            person = await self.desk.directory.person(sender.team, sender.user)
            self.desk.may(command, person, self._channel(sender))
        except NotAllowed as refusal:
            if not key_by_key or self._first_of_late(sender, word):
                detail = {"text": word, "why": refusal.message}
                await self.desk.store.note(Note(Tag.COMMAND_REFUSED, sender.team, sender.user, detail))
            raise
        return command, person

    def _first_of_late(self, sender: Sender, word: str) -> bool:
        """Whether this person was refused this form for the first time since a while."""
        now, who = self.desk.store.clock(), (sender.team, sender.user, word)
        for one in [one for one, at in self._refused.items() if now - at > REFUSED_S]:
            del self._refused[one]
        if who in self._refused:
            return False
        self._refused[who] = now
        return True

    def _looked_over(self, plan: Plan) -> Review:
        if plan.blocked:
            return Review(_without_controls(story.refused(plan)), may_ask=False)
        lines = [say("Why it is risky: {reasons}", reasons=many(plan.risk_reasons))] if plan.risk_reasons else []
        lines += plan.after
        verdict = Verdict(plan.title, (say("{risk} risk", risk=plan.risk.value),))
        facts = (Facts(tuple(lines)),) if lines else ()
        return Review(Message(plan.title, (verdict, *facts, ChecksPart(plan.checks))), may_ask=True)


def _done() -> Message:
    line = say("Asked for. Its card is in the channel and waits for your Confirm.")
    return Message(line, (Verdict(line, mark=Mark.DONE),))


def _chosen(fields: Mapping[str, FieldKind], chosen: Mapping[str, str], kind: FieldKind) -> str:
    """The UUID that was chosen in the form's field of that kind; "" where none was yet."""
    return next((chosen[name] for name, other in fields.items() if other is kind and name in chosen), "")


def _without_controls(message: Message) -> Message:
    """A dialogue has its own buttons; those of a card would have nowhere to answer."""
    kept = tuple(part for part in message.parts if not isinstance(part, Choices | Select))
    if not kept:
        raise Refused("There is nothing to show here.", "Type the command in the channel.")
    return Message(message.summary, kept)
