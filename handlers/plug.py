"""`/xen plug <sr> on <host>`: attaches a storage to a host again."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Change, Command, Context, Topic, after, rest
from bot.domain.inventory import Host, Sr
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.operations import plug


class Arguments(msgspec.Struct, frozen=True):
    """Which storage, on which host, and why."""

    sr: Sr
    host: Annotated[Host, after("on")]
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The plan of attaching it; nothing is changed yet."""
    return await plug.plan(arguments.sr.uuid, arguments.host.uuid, context.facts, context.approval)


COMMAND = Command(
    word="plug",
    usage="plug <sr> on <host> [reason …]",
    help="Attaches a storage to a host again, as after a failure of its server or network.",
    example="plug nfs-vhd on xenserver3",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Change(plan),
    topic=Topic.STORAGE,
)
