"""`/xen migrate <vm> to <host>`: moves a running guest inside its pool."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Change, Command, Context, after, rest
from bot.domain.inventory import Host, Vm
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.operations import migrate


class Arguments(msgspec.Struct, frozen=True):
    """Which guest, where to, and why."""

    vm: Vm
    host: Annotated[Host, after("to")]
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The plan of the move; nothing is changed yet."""
    return await migrate.plan(arguments.vm, arguments.host, context.facts, context.approval)


COMMAND = Command(
    word="migrate",
    usage="migrate <vm> to <host> [reason …]",
    help="Moves a running guest to another host of its pool. It keeps running. You see every check before you confirm.",
    example="migrate centos54 to xenserver3 reason kernel update on xenserver1",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Change(plan),
)
