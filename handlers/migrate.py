"""`/xen migrate <vm> [to <host>] [sr <sr>]`: moves a guest inside its pool, with its disks where an SR is named."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Change, Command, Context, Topic, after, rest
from bot.domain.inventory import Host, Sr, Vm
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.domain.texts import clean
from bot.errors import Refused
from bot.operations import choosing, migrate, migrate_storage


class Arguments(msgspec.Struct, frozen=True):
    """Which guest, where to (the best host when left out), with which disks to which SR, and why."""

    vm: Vm
    host: Annotated[Host | None, after("to")] = None
    sr: Annotated[Sr | None, after("sr")] = None
    disk: Annotated[str, after("disk")] = ""
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The plan of the move; nothing is changed yet."""
    vm, host = arguments.vm, arguments.host
    if arguments.sr is not None:
        return await _with_storage(arguments, arguments.sr, context)
    if arguments.disk:
        raise Refused("Disks move along only to an SR that is named.", "Add `sr <sr>`.")
    if host is None:
        return await choosing.plan(vm, context.facts, context.approval)
    return await migrate.plan(vm.uuid, host.uuid, context.facts, context.approval)


async def _with_storage(arguments: Arguments, sr: Sr, context: Context) -> Plan:
    """With disks: those named, all where none is. An SR that one host alone sees names the host too."""
    host = arguments.host.uuid if arguments.host is not None else next(iter(sr.hosts), "")
    if not host or (arguments.host is None and len(sr.hosts) > 1):
        raise Refused(f"{clean(sr.name)} does not say which host is meant.", "Add `to <host>`.")
    goals = dict.fromkeys(arguments.disk.replace(",", " ").split() or [""], sr.uuid)
    return await migrate_storage.plan(arguments.vm.uuid, host, goals, context.facts, context.approval)


COMMAND = Command(
    word="migrate",
    usage="migrate <vm> [to <host>] [sr <sr> [disk <n>]] [reason …]",
    help="Moves a running guest to another host of its pool, the best one if you name none. It keeps running. "
    "With an SR its disks move along to it, all of them if you name none; of a halted guest they move alone. "
    "You see every check before you confirm.",
    example="migrate centos54 to xenserver3 reason kernel update on xenserver1",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Change(plan),
    topic=Topic.GUESTS,
)
