"""`/xen evacuate <host>`: disables a host and moves its guests to the others."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Change, Command, Context, Topic, flag, rest
from bot.domain.inventory import Host
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.operations import evacuate


class Arguments(msgspec.Struct, frozen=True):
    """Which host, whether those that cannot go may stay, and why."""

    host: Host
    movable: Annotated[bool, flag("movable")] = False
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The plan of all moves; nothing is changed yet."""
    return await evacuate.plan(arguments.host.uuid, context.facts, context.approval, movable=arguments.movable)


COMMAND = Command(
    word="evacuate",
    usage="evacuate <host> [movable] [reason …]",
    help="Disables a host and moves its guests to the others, a few at once, to have it empty for maintenance. "
    "You see where each guest would go, and which cannot; with `movable` those stay and the others go.",
    example="evacuate xenserver1 reason new memory",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Change(plan),
    topic=Topic.HOSTS,
)
