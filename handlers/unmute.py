"""`/xen unmute <alert> [on <object>]`: tells of a kind of alert again."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Command, Context, Control, after
from bot.domain.message import Message
from bot.domain.policy import Role
from bot.operations import muting


class Arguments(msgspec.Struct, frozen=True):
    """Which kind of alert, by its code, and about which object it was muted, all without."""

    kind: str
    about: Annotated[str, after("on")] = ""


async def act(arguments: Arguments, context: Context) -> Message:
    """Ends the silence."""
    about = muting.about(context.fleet, arguments.about)
    return await context.control.mute(context.person, arguments.kind.strip().upper(), about, 0.0)


COMMAND = Command(
    word="unmute",
    usage="unmute <alert> [on <object>]",
    help="Tells of a kind of alert again.",
    example="unmute MULTIPATH_PERIODIC_ALERT",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Control(act),
)
