"""`/xen schedule remove <schedule>`: ends a schedule."""

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
    one = await context.schedules.remove(arguments.schedule, context.person)
    gone = say("Schedule {n} is removed: {what}.", n=Code(str(one.number)), what=one.covered.words)
    kept = say("Its backups stay; {how} lists them.", how=Code("/xen backups"))
    line = gone if one.covered.check else say("{gone} {kept}", gone=gone, kept=kept)
    return Message(line, (Verdict(line),))


COMMAND = Command(
    word="schedule remove",
    usage="schedule remove <schedule>",
    help="Ends a schedule for good. What it has backed up stays, under the rules it was made with.",
    example="schedule remove 3",
    role=Role.ADMIN,
    arguments=Arguments,
    does=Control(act),
    topic=Topic.SCHEDULES,
)
