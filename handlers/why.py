"""`/xen why <vm>`: where a guest could go, what stops it elsewhere, and what would open another host."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Command, Context, Query, Topic, flag
from bot.domain.inventory import Vm
from bot.domain.message import Message
from bot.domain.policy import Role
from bot.operations import choosing, why


class Arguments(msgspec.Struct, frozen=True):
    """Which guest, and whether every constraint is shown."""

    vm: Vm
    grid: Annotated[bool, flag("grid")] = False


async def answer(arguments: Arguments, context: Context) -> Message:
    """Every other host of the pool against every constraint, read at this moment."""
    vm = arguments.vm
    found = await choosing.candidates(vm.uuid, context.facts, context.approval)
    return why.explained(vm, found, grid=arguments.grid)


COMMAND = Command(
    word="why",
    usage="why <vm> [grid]",
    help="Shows for every host of the pool whether a guest can go there, what is first in its way, and what would open "
    "a host; with `grid` every constraint of each.",
    example="why web-local",
    role=Role.VIEWER,
    arguments=Arguments,
    does=Query(answer),
    topic=Topic.LOOK,
)
