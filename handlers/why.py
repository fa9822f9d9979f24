"""`/xen why <vm>`: where a guest could go, what stops it elsewhere, and what would open another host."""

from __future__ import annotations

import msgspec

from bot.commands import Command, Context, Query
from bot.domain.inventory import Vm
from bot.domain.message import Message
from bot.domain.policy import Role
from bot.operations import choosing, why


class Arguments(msgspec.Struct, frozen=True):
    """Which guest."""

    vm: Vm


async def answer(arguments: Arguments, context: Context) -> Message:
    """Every other host of the pool against every constraint, read at this moment."""
    vm = arguments.vm
    return why.explained(vm, await choosing.candidates(vm.uuid, context.facts, context.approval))


COMMAND = Command(
    word="why",
    usage="why <vm>",
    help="Shows for every host of the pool whether a guest can go there, what stops it, and what would open a host.",
    example="why web-local",
    role=Role.VIEWER,
    arguments=Arguments,
    does=Query(answer),
)
