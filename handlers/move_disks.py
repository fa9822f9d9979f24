"""`/xen move-disks <vm> [disk <n>] to <sr>`: moves the disks of a running guest to another SR."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Change, Command, Context, Topic, after, rest
from bot.domain.inventory import Sr, Vm
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.operations import move_disks


class Arguments(msgspec.Struct, frozen=True):
    """Which guest, where to, which disks (by their places in the guest; all when left out), and why."""

    vm: Vm
    sr: Annotated[Sr, after("to")]
    disk: Annotated[str, after("disk")] = ""
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The plan of the move; nothing is changed yet."""
    devices = frozenset(arguments.disk.replace(",", " ").split())
    return await move_disks.plan(arguments.vm.uuid, arguments.sr.uuid, context.facts, context.approval, devices)


COMMAND = Command(
    word="move-disks",
    usage="move-disks <vm> [disk <n>] to <sr> [reason …]",
    help="Moves the disks of a running guest to another storage repository, one after the other; all of them if you "
    "name none. The guest keeps running.",
    example="move-disks web-local to nfs-vhd",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Change(plan),
    topic=Topic.GUESTS,
)
