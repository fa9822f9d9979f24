"""The second door's side of the desk: what is typed on the bot's own machine, for when Slack is down.

Whoever may open the door has the store in hand anyway, so they look and control as an admin would, under a name of
their own in the audit. They confirm and approve nothing: that needs people whom Slack knows.
"""

from __future__ import annotations

from bot import commands
from bot.commands import Change
from bot.domain.audit import Tag
from bot.domain.message import Message, Verdict
from bot.domain.policy import Person, Role, held
from bot.domain.texts import say
from bot.errors import NotAllowed
from bot.jobs.desk import Desk
from bot.jobs.in_words import in_words
from bot.store import Note


class Console:
    """Commands from the bot's machine. `team` is the workspace whose name their audit entries carry."""

    def __init__(self, desk: Desk, team: str) -> None:
        self._desk = desk
        self._team = team

    async def run(self, text: str, who: str) -> Message:
        """Carries out a command that looks or controls, typed by the machine's user `who`. Raises UserError."""
        person = Person(self._team, f"console:{who}", name=who, roles=held(frozenset({Role.ADMIN})))
        word, tail = self._desk.registry.read(text)
        command = self._desk.registry.find(word or "help")
        if isinstance(command.does, Change):
            why = f"`{command.word}` is asked for in Slack: it is confirmed and approved there."
            await self._desk.store.note(Note(Tag.COMMAND_REFUSED, person.team, person.id, {"text": word, "why": why}))
            raise NotAllowed(why)
        answer = await in_words(self._desk.do(command, commands.split(command, tail), person, ""))
        if answer is not None:
            return answer
        line = say("Done.")
        return Message(line, (Verdict(line),))
