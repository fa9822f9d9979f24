"""`/xen move-by-backup <vm> to <host>`: moves a guest where no migration leads, by a backup and a restore of it."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Change, Command, Context, NetworkWords, Topic, after, rest
from bot.domain.inventory import Host, Sr, Vm
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.operations import move_by_backup
from bot.operations.restore_place import storage_for


class Arguments(msgspec.Struct, frozen=True):
    """Which guest, where to, on which storage and networks there, and why."""

    vm: Vm
    host: Annotated[Host, after("to")]
    sr: Annotated[Sr | None, after("sr")] = None
    network: Annotated[NetworkWords, after("network")] = NetworkWords("")
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The plan of the move; nothing is changed yet."""
    sr = arguments.sr.uuid if arguments.sr is not None else storage_for(arguments.host, context.fleet)
    return await move_by_backup.plan(
        arguments.vm, arguments.host, sr, arguments.network, context.facts, context.approval
    )


COMMAND = Command(
    word="move-by-backup",
    usage="move-by-backup <vm> to <host> [sr <sr>] [network <old>=<new>] [reason …]",
    help="Moves a guest where it cannot be migrated to: another pool, another CPU, another version. It is shut down, "
    "backed up, restored there under its name and MAC addresses, compared disk by disk, and started there. The source "
    "stays, off, until you retire it or roll back. Without an SR the pool's default one that the host sees takes the "
    "disks, else the roomiest.",
    example="move-by-backup centos54 to xenserver2",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Change(plan),
    topic=Topic.GUESTS,
)
