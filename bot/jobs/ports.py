"""What jobs need from the outside besides the pools: people, and a bell for whoever delivers messages."""

from __future__ import annotations

from typing import Protocol

import msgspec

from bot.domain.message import Message
from bot.domain.policy import Person, Role


class Directory(Protocol):
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


class Click(msgspec.Struct, frozen=True):
    """A button pressed, as it came: nothing in it is believed but who pressed what where.

    `action` is the button's action ("confirm", "approve", ...), `target` its opaque value. `message_ts` is the message
    that held it; `response_url` allows a private answer for half an hour.
    """

    action: str
    target: str
    team: str
    user: str
    channel: str
    message_ts: str
    response_url: str
    at: float


class Words(msgspec.Struct, frozen=True):
    """A slash command as typed: who, where, and the text after `/xen`."""

    team: str
    user: str
    channel: str
    text: str
    response_url: str
    at: float


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
