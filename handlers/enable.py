"""`/xen enable <host>`: lets a disabled host take guests again."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Change, Command, Context, Topic, rest
from bot.domain.inventory import Host
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.operations import enable


class Arguments(msgspec.Struct, frozen=True):
    """Which host, and why."""

    host: Host
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The plan of enabling it; nothing is changed yet."""
    return await enable.plan(arguments.host.uuid, context.facts, context.approval)


COMMAND = Command(
    word="enable",
    usage="enable <host> [reason …]",
    help="Lets a host take guests again after its maintenance. Nothing is moved.",
    example="enable xenserver1",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Change(plan),
    topic=Topic.HOSTS,
)
