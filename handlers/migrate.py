"""`/xen migrate <vm> [to <host>]`: moves a running guest inside its pool."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Change, Command, Context, after, rest
from bot.domain.inventory import Host, Vm
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.operations import choosing, migrate


class Arguments(msgspec.Struct, frozen=True):
    """Which guest, where to (the best host when left out), and why."""

    vm: Vm
    host: Annotated[Host | None, after("to")] = None
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The plan of the move; nothing is changed yet."""
    vm, host = arguments.vm, arguments.host
    if host is None:
        return await choosing.plan(vm, context.facts, context.approval)
    return await migrate.plan(vm.uuid, host.uuid, context.facts, context.approval)


COMMAND = Command(
    word="migrate",
    usage="migrate <vm> [to <host>] [reason …]",
    help="Moves a running guest to another host of its pool, the best one if you name none. It keeps running. "
    "You see every check before you confirm.",
    example="migrate centos54 to xenserver3 reason kernel update on xenserver1",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Change(plan),
)
