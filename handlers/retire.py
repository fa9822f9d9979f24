"""`/xen retire <vm>`: renames the source of a move by backup and keeps it, off."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Change, Command, Context, Topic, rest
from bot.domain.inventory import Vm
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.domain.record import MOST_OF_A_GUEST
from bot.errors import Ambiguous
from bot.operations import retire
from bot.operations.moved import move_of, one_moved


class Arguments(msgspec.Struct, frozen=True):
    """Which guest, the source or the copy, and why."""

    vm: Vm
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The plan; nothing is changed yet."""
    jobs = await context.journal.jobs(limit=MOST_OF_A_GUEST, target=arguments.vm.uuid)
    move = move_of(arguments.vm.uuid, arguments.vm.name, jobs)
    return await retire.plan(move, context.now, context.facts)


async def one_meant(several: Ambiguous, context: Context) -> str:
    """Of guests of one name the one that was moved."""
    return await one_moved([one.uuid for one in several.candidates], context.journal)


COMMAND = Command(
    word="retire",
    usage="retire <vm> [reason …]",
    help="Retires the source of a move by backup once its copy has proved itself: it is renamed and kept, off, with "
    "all its disks; the copy gets its automatic power-on. Nothing is deleted.",
    example="retire centos54",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Change(plan),
    topic=Topic.GUESTS,
    chooses=one_meant,
)
