"""What jobs need from the outside besides the pools: people, and a bell for whoever delivers messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from bot.commands import Form
from bot.domain.message import Message, Option
from bot.domain.policy import Person, Role


class Names(Protocol):
    """What people call themselves: changeable and not unique, so nothing may rest on it."""

    async def names(self, user: str) -> tuple[str, ...]:
        """The names of somebody by id, deactivated people included; empty where nobody tells. Never raises."""
        ...


class Directory(Names, Protocol):
    """People and their roles, from the place where people really are. Fails closed."""

    async def person(self, team: str, user: str) -> Person:
        """The person with the roles held now (looked up at most 60 s ago).

        Raises NotAllowed, with a sentence, for a guest, a bot, someone of another team, someone deactivated or unknown,
        and when the directory cannot be reached.
        """
        ...

    async def holders(self, role: Role) -> frozenset[str]:
        """User ids of everyone who holds a role now. Raises NotAllowed when that cannot be found out."""
        ...

    async def some(self, role: Role, most: int) -> tuple[tuple[str, ...], int]:
        """User ids of at most `most` who hold a role now, and how many others were given it, counted unseen.

        For naming people, never for deciding. Raises NotAllowed when that cannot be found out.
        """
        ...


class Click(msgspec.Struct, frozen=True):
    """A button pressed, as it came: nothing in it is believed but who pressed what where.

    `action` is the button's action ("confirm", "approve", ...), `target` its opaque value. `message_ts` is the message
    that held it; `response_url` allows a private answer for half an hour; `reason` is what was typed with it.
    """

    action: str
    target: str
    team: str
    user: str
    channel: str
    message_ts: str
    response_url: str
    at: float
    reason: str = ""


class Words(msgspec.Struct, frozen=True):
    """A command as typed: who, where, and the text after `/xen`.

    `spoken` for one that came as a message to the bot, in which only looking is taken.
    """

    team: str
    user: str
    channel: str
    text: str
    response_url: str
    at: float
    spoken: bool = False


class Desk(Protocol):
    """Where words and clicks are handed in; the answer, if any, is for that person alone."""

    async def run(self, words: Words) -> Message | None:
        """Carries out a command. Raises UserError with a sentence for the person."""
        ...

    async def note_click(self, click: Click) -> int:
        """Stores a click in one insert, committed when this returns; gives its id."""
        ...

    async def settle(self, click_id: int) -> Message | None:
        """Compares and claims a stored click. Harmless to call twice. Raises UserError."""
        ...


class Sender(msgspec.Struct, frozen=True):
    """Who fills in a form, and in which channel the command was typed ("" from Home)."""

    team: str
    user: str
    channel: str


class Review(msgspec.Struct, frozen=True):
    """What came of a filled-in form: a plan that may now be confirmed, or a final answer.

    `seen` is the key by which whoever confirms it says what was looked over, "" for a final answer.
    """

    message: Message
    seen: str = ""


class Asking(msgspec.Struct, frozen=True):
    """A question for a reason: what it is about, the label of the answer, whether it may be left out.

    `key` is the opaque id under which the answer belongs; `submit` and `close` are the labels of the two buttons.
    """

    title: str
    line: Message
    label: str
    required: bool
    key: str
    submit: str
    close: str


class ReasonDesk(Protocol):
    """Where people say why they decided so."""

    async def after(self, sender: Sender, click_id: int) -> Asking | None:
        """The question to somebody whose stored click has just counted; None where there is nothing to ask."""
        ...

    async def explain(self, sender: Sender, key: str, reason: str) -> Message:
        """Keeps why a decision was made, with the decision. Raises UserError."""
        ...

    async def glass(self, sender: Sender, target: str) -> Asking:
        """The question to somebody who wants to run a job without approval. Raises UserError."""
        ...


class FormDesk(Protocol):
    """Commands as forms: asked for, filled in with suggestions, looked over, handed in."""

    def asked(self, text: str) -> str:
        """The command word, where it was typed without the words it needs; else ""."""
        ...

    def title(self, word: str) -> str:
        """The title of a dialogue about that command; of one about something else, the word itself."""
        ...

    async def form(self, sender: Sender, word: str) -> Form:
        """The form. Raises UserError with a sentence for a person who may not use the command."""
        ...

    async def suggest(
        self, sender: Sender, word: str, name: str, typed: str, chosen: Mapping[str, str]
    ) -> tuple[Option, ...]:
        """What may be chosen for a field, given what was typed and chosen already. Raises UserError."""
        ...

    def mistakes(self, word: str, values: Mapping[str, str]) -> dict[str, str]:
        """What is wrong with the values, by field; from memory, at once."""
        ...

    async def review(self, sender: Sender, word: str, values: Mapping[str, str]) -> Review:
        """The plan that would come of it, or the answer. Raises UserError."""
        ...

    async def ask(self, sender: Sender, word: str, values: Mapping[str, str], seen: str) -> Message:
        """Asks for the change, and confirms it where it is still what was `seen`; says what comes now.

        Raises UserError.
        """
        ...

    async def home(self, team: str, user: str) -> Message:
        """What one person's Home shows now. Raises UserError."""
        ...
