"""`/xen schedule resume <schedule>`: lets a schedule run again."""

from __future__ import annotations

import msgspec

from bot.commands import Command, Context, Control, Topic
from bot.domain.message import Message, Verdict
from bot.domain.policy import Role
from bot.domain.texts import Code, Moment, say


class Arguments(msgspec.Struct, frozen=True):
    """Which schedule, by its number."""

    schedule: int


async def act(arguments: Arguments, context: Context) -> Message:
    """Does it, at once and audited."""
    one = await context.schedules.resume(arguments.schedule, context.person)
    line = say(
        "Schedule {n} runs again: {what}. Next run {how}.",
        n=Code(str(one.number)),
        what=one.covered.words,
        how=Moment(one.next_run),
    )
    return Message(line, (Verdict(line),))


COMMAND = Command(
    word="schedule resume",
    usage="schedule resume <schedule>",
    help="Lets a schedule run again, from its next time on.",
    example="schedule resume 3",
    role=Role.ADMIN,
    arguments=Arguments,
    does=Control(act),
    topic=Topic.SCHEDULES,
)
