"""`/xen mute <alert> [on <object>] [for <time>]`: tells nothing of a kind of alert for a while."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Command, Context, Control, after
from bot.domain.message import Message
from bot.domain.policy import Role
from bot.domain.when import length
from bot.errors import NotUnderstood
from bot.operations import muting

_LONGEST_S = 92 * 86_400.0


class Arguments(msgspec.Struct, frozen=True):
    """Which kind of alert, by its code; about which object, all without; and for how long."""

    kind: str
    about: Annotated[str, after("on")] = ""
    time: Annotated[str, after("for")] = "1d"


async def act(arguments: Arguments, context: Context) -> Message:
    """Mutes it."""
    kind, seconds = _kind(arguments.kind), _seconds(arguments.time)
    return await context.control.mute(context.person, kind, muting.about(context.fleet, arguments.about), seconds)


def _kind(text: str) -> str:
    """A code as XAPI writes it."""
    code = text.strip().upper()
    if not muting.is_kind(code):
        raise NotUnderstood(f"“{text}” is no kind of alert.", "Write the code that it shows, such as VM_CRASHED.")
    return code


def _seconds(text: str) -> float:
    seconds = length(text)
    if seconds is None or not 0 < seconds <= _LONGEST_S:
        raise NotUnderstood(f"“{text}” is no time to mute for.", "Write 30m, 4h, 2d or 1w; at most three months.")
    return seconds


COMMAND = Command(
    word="mute",
    usage="mute <alert> [on <object>] [for <time>]",
    help="Tells nothing of a kind of alert for a while, a day unless said otherwise. Status goes on showing it.",
    example="mute MULTIPATH_PERIODIC_ALERT for 4h",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Control(act),
)
