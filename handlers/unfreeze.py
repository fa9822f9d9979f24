"""`/xen unfreeze`: lets jobs start again."""

from __future__ import annotations

import msgspec

from bot.commands import Command, Context, Control
from bot.domain.message import Message
from bot.domain.policy import Role


class Arguments(msgspec.Struct, frozen=True):
    """Nothing to say."""


async def act(_arguments: Arguments, context: Context) -> Message:
    """Unfreezes."""
    return await context.control.unfreeze(context.person)


COMMAND = Command(
    word="unfreeze",
    usage="unfreeze",
    help="Ends the freeze: jobs start again.",
    example="unfreeze",
    role=Role.ADMIN,
    arguments=Arguments,
    does=Control(act),
)
