"""`/xen schedule pause <schedule>`: lets a schedule rest."""

from __future__ import annotations

import msgspec

from bot.commands import Command, Context, Control, Topic
from bot.domain.message import Message, Verdict
from bot.domain.policy import Role
from bot.domain.texts import Code, say


class Arguments(msgspec.Struct, frozen=True):
    """Which schedule, by its number."""

    schedule: int


async def act(arguments: Arguments, context: Context) -> Message:
    """Does it, at once and audited."""
    one = await context.schedules.pause(arguments.schedule, context.person)
    line = say(
        "Schedule {n} rests: {what}. {how} lets it run again.",
        n=Code(str(one.number)),
        what=one.covered.words,
        how=Code(f"/xen schedule resume {arguments.schedule}"),
    )
    return Message(line, (Verdict(line),))


COMMAND = Command(
    word="schedule pause",
    usage="schedule pause <schedule>",
    help="Lets a schedule run no more until it is resumed. A run under way goes on.",
    example="schedule pause 3",
    role=Role.ADMIN,
    arguments=Arguments,
    does=Control(act),
    topic=Topic.SCHEDULES,
)
