"""`/xen stop <vm> [hard]`: shuts a guest down by asking it, or cuts its power."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Change, Command, Context, Topic, flag, rest
from bot.domain.inventory import Vm
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.operations import stop


class Arguments(msgspec.Struct, frozen=True):
    """Which guest, whether it is forced, and why."""

    vm: Vm
    hard: Annotated[bool, flag("hard")] = False
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The plan of the shutdown; nothing is changed yet."""
    return await stop.plan(arguments.vm, context.facts, context.approval, hard=arguments.hard)


COMMAND = Command(
    word="stop",
    usage="stop <vm> [hard] [reason …]",
    help="Shuts a guest down by asking it. With “hard” its power is cut, which is risky and approved as such.",
    example="stop centos54 reason kernel update",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Change(plan),
    topic=Topic.GUESTS,
)
