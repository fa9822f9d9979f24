"""`/xen reboot <vm> [hard]`: reboots a guest by asking it, or resets it."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Change, Command, Context, Topic, flag, rest
from bot.domain.inventory import Vm
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.operations import reboot


class Arguments(msgspec.Struct, frozen=True):
    """Which guest, whether it is forced, and why."""

    vm: Vm
    hard: Annotated[bool, flag("hard")] = False
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The plan of the reboot; nothing is changed yet."""
    return await reboot.plan(arguments.vm, context.facts, context.approval, hard=arguments.hard)


COMMAND = Command(
    word="reboot",
    usage="reboot <vm> [hard] [reason …]",
    help="Reboots a guest by asking it. With “hard” it is reset, which is risky and approved as such.",
    example="reboot centos54 reason kernel update",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Change(plan),
    topic=Topic.GUESTS,
)
