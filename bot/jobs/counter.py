"""The counter: commands as forms, and what each person sees when they come in."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping
from typing import Final

import msgspec

from bot import commands
from bot.commands import Change, Command, FieldKind, Form
from bot.domain.audit import Tag
from bot.domain.message import Choices, Mark, Message, Option, Select, Verdict
from bot.domain.plan import Plan
from bot.domain.policy import Person, Role
from bot.domain.texts import say
from bot.errors import NotAllowed, NotUnderstood, Refused
from bot.jobs import considering, home, story
from bot.jobs.desk import Desk, no_role
from bot.jobs.home import Jobs
from bot.jobs.in_words import in_words
from bot.jobs.ports import Review, Sender
from bot.operations import lookup
from bot.store import Note

# Far less than the pause between two rounds of Home, so that each round tells what is new.
_MOMENT_S: Final = 1.0
#: A person who types into a form that is not theirs is one entry in so many seconds, not one a key.
REFUSED_S: Final = 600.0
#: What somebody has looked over is confirmed by handing it in within so many seconds.
SEEN_S: Final = 900.0
_SEEN_LIMIT: Final = 200


class _Seen(msgspec.Struct, frozen=True):
    """A plan that a person looks over, made at that time (Unix seconds)."""

    person: str
    plan: Plan
    reason: str
    at: float


class Counter:
    """Implements `bot.jobs.ports.FormDesk`. `ops` is the channel where cards go that were asked for from Home."""

    def __init__(self, desk: Desk, ops: str) -> None:
        self.desk = desk
        self.ops = ops
        self._reading = asyncio.Lock()
        self._refused: dict[tuple[str, str, str], float] = {}
        self._read: tuple[float, Jobs] | None = None
        # Lost with a restart: then what is handed in waits on its card for a Confirm.
        self._seen: dict[str, _Seen] = {}

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
        """The form, for a person who may use the command. A refusal is audited as a typed command's would be.

        What is needed and leaves nothing to choose is chosen already.
        """
        command, _ = await in_words(self._admitted(sender, word), self.desk.directory)
        form = commands.form_of(command)
        kinds = {field.name: field.kind for field in form.fields}
        fields = []
        for field in form.fields:
            found = await self._found(kinds, field.name, "", {}) if field.required else ()
            fields.append(msgspec.structs.replace(field, only=found[0]) if len(found) == 1 else field)
        return msgspec.structs.replace(form, fields=tuple(fields))

    async def suggest(
        self, sender: Sender, word: str, name: str, typed: str, chosen: Mapping[str, str]
    ) -> tuple[Option, ...]:
        """From the live inventory and the catalogue; hosts and SRs are those the chosen guest could go to."""
        command, _ = await self._admitted(sender, word, key_by_key=True)
        kinds = {field.name: field.kind for field in commands.form_of(command).fields}
        return await self._found(kinds, name, typed, chosen)

    async def _found(
        self, fields: Mapping[str, FieldKind], name: str, typed: str, chosen: Mapping[str, str]
    ) -> tuple[Option, ...]:
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
        """For a change the plan, which only reads; everything else is carried out and answered, a mere look too."""
        command, person = await self._admitted(sender, word)
        match command.does:
            case Change(plan=plan, reads=reads):
                arguments = commands.resolve(command, values, self.desk.fleet)
                context = self.desk.context(person, self._channel(sender))
                made = await in_words(plan(arguments, context), self.desk.directory)
                needed = self.desk.approval.needed(made.risk, made.approvers)
                if made.blocked:
                    return Review(_without_controls(story.refused(made)))
                seen = _Seen(person.id, made, str(getattr(arguments, "reason", "")), self.desk.store.clock())
                if reads and not needed:
                    return Review(await self._confirmed(seen, command, values, person, sender))
                operation = self.desk.proposals.operations[made.operation]
                shown = await self.desk.proposals.foreseen(made)
                return Review(considering.looked_over(shown, operation, seen.reason, needed), self._keep(seen))
            case _:
                return Review(await self._carried_out(command, values, person, sender))

    async def ask(self, sender: Sender, word: str, values: Mapping[str, str], seen: str) -> Message:
        """Asks for the change; its card goes to the channel it was typed in, or to the ops channel from Home.

        It is confirmed as well, unless something has changed since its plan was `seen`, or that is too long ago.
        """
        command, person = await self._admitted(sender, word)
        kept = self._seen.pop(seen, None)
        if kept is None or kept.person != person.id or self.desk.store.clock() - kept.at > SEEN_S:
            return await self._carried_out(command, values, person, sender)
        return await self._confirmed(kept, command, values, person, sender)

    async def _confirmed(
        self, seen: _Seen, command: Command, values: Mapping[str, str], person: Person, sender: Sender
    ) -> Message:
        work = self.desk.confirm(seen.plan, person, self._channel(sender), seen.reason)
        answer = await in_words(work, self.desk.directory)
        if answer is None:
            return await self._carried_out(command, values, person, sender)
        return _without_controls(answer)

    async def _carried_out(
        self, command: Command, values: Mapping[str, str], person: Person, sender: Sender
    ) -> Message:
        work = self.desk.do(command, dict(values), person, self._channel(sender))
        answer = await in_words(work, self.desk.directory)
        return _without_controls(answer) if answer is not None else _still_open()

    def _keep(self, seen: _Seen) -> str:
        """The key under which a view gives back the plan it shows."""
        while len(self._seen) >= _SEEN_LIMIT:
            self._seen.pop(next(iter(self._seen)))
        key = secrets.token_urlsafe(18)
        self._seen[key] = seen
        return key

    async def home(self, team: str, user: str) -> Message:
        """What one person's Home shows now."""
        return await in_words(self._home(team, user), self.desk.directory)

    async def _home(self, team: str, user: str) -> Message:
        person = await self.desk.directory.person(team, user)
        if Role.VIEWER not in person.roles:
            raise no_role()
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


def _still_open() -> Message:
    line = say("Asked for. Read its card in the channel, where things may have changed, and confirm it there.")
    return Message(line, (Verdict(line, mark=Mark.ATTENTION),))


def _chosen(fields: Mapping[str, FieldKind], chosen: Mapping[str, str], kind: FieldKind) -> str:
    """The UUID that was chosen in the form's field of that kind; "" where none was yet."""
    return next((chosen[name] for name, other in fields.items() if other is kind and name in chosen), "")


def _without_controls(message: Message) -> Message:
    """A dialogue has its own buttons; those of a card would have nowhere to answer."""
    kept = tuple(part for part in message.parts if not isinstance(part, Choices | Select))
    if not kept:
        raise Refused("There is nothing to show here.", "Type the command in the channel.")
    return Message(message.summary, kept)
