"""`/xen start <vm>`: starts a guest wherever it fits, resumes a suspended one."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Change, Command, Context, Topic, rest
from bot.domain.inventory import Vm
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.operations import start


class Arguments(msgspec.Struct, frozen=True):
    """Which guest and why."""

    vm: Vm
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The plan of the start; nothing is changed yet."""
    return await start.plan(arguments.vm, context.facts, context.approval)


COMMAND = Command(
    word="start",
    usage="start <vm> [reason …]",
    help="Starts a halted guest where it fits, resumes a suspended one. You see every check before you confirm.",
    example="start centos54",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Change(plan),
    topic=Topic.GUESTS,
)
