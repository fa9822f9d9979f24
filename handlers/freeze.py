"""`/xen freeze [reason …]`: stops every changing job from starting, for everyone."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Command, Context, Control, rest
from bot.domain.message import Message
from bot.domain.policy import Role


class Arguments(msgspec.Struct, frozen=True):
    """Why, for those who will ask; the word "reason" may be left out, since who freezes is in a hurry."""

    words: str = ""
    reason: Annotated[str, rest("reason")] = ""


async def act(arguments: Arguments, context: Context) -> Message:
    """Freezes."""
    return await context.control.freeze(context.person, f"{arguments.words} {arguments.reason}".strip())


COMMAND = Command(
    word="freeze",
    usage="freeze [reason …]",
    help="Stops every changing job from starting, for everyone. Looking, cancel and deny still work.",
    example="freeze reason storage maintenance until 18:00",
    role=Role.ADMIN,
    arguments=Arguments,
    does=Control(act),
)
