"""`/xen sr-check <sr>`: tries a storage on every host that has it."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Change, Command, Context, Topic, rest
from bot.domain.inventory import Sr
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.operations import sr_check


class Arguments(msgspec.Struct, frozen=True):
    """Which storage, and why."""

    sr: Sr
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The plan of the trial; nothing is changed yet."""
    return await sr_check.plan(arguments.sr.uuid, context.facts, context.approval)


COMMAND = Command(
    word="sr-check",
    usage="sr-check <sr> [reason …]",
    help="Tries a storage on every host that has it: writes a small disk through that very host, reads it back and "
    "compares, makes a snapshot, and removes both again.",
    example="sr-check nfs-vhd",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Change(plan),
    topic=Topic.STORAGE,
    title="Check storage",
)
