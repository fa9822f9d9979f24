"""`/xen eject <vm>`: takes the CD out of a guest's drive."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Change, Command, Context, Topic, rest
from bot.domain.inventory import Vm
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.operations import eject


class Arguments(msgspec.Struct, frozen=True):
    """Which guest, and why."""

    vm: Vm
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The plan of the ejection; nothing is changed yet."""
    return await eject.plan(arguments.vm, context.facts, context.approval)


COMMAND = Command(
    word="eject",
    usage="eject <vm> [reason …]",
    help="Takes the CD out of a guest's drive: one from a local library keeps the guest from being migrated.",
    example="eject centos54",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Change(plan),
    topic=Topic.GUESTS,
)
