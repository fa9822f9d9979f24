"""`/xen cancel <job>`: asks a job to stop."""

from __future__ import annotations

import msgspec

from bot.commands import Command, Context, Control
from bot.domain.message import Message
from bot.domain.policy import Role


class Arguments(msgspec.Struct, frozen=True):
    """Which job."""

    job: int


async def act(arguments: Arguments, context: Context) -> Message:
    """Cancels, or withdraws what had not been decided."""
    return await context.control.cancel(arguments.job, context.person)


COMMAND = Command(
    word="cancel",
    usage="cancel <job>",
    help="Asks a queued or running job to stop, or withdraws one that waits for a decision.",
    example="cancel 119",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Control(act),
)
