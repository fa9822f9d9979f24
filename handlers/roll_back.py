"""`/xen roll-back <vm>`: undoes a move by backup: the copy goes, the source runs again."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Change, Command, Context, Topic, rest
from bot.domain.inventory import Vm
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.domain.record import MOST_OF_A_GUEST
from bot.errors import Ambiguous
from bot.operations import roll_back
from bot.operations.moved import move_of, one_moved


class Arguments(msgspec.Struct, frozen=True):
    """Which guest, the source or the copy, and why."""

    vm: Vm
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The plan; nothing is changed yet."""
    jobs = await context.journal.jobs(limit=MOST_OF_A_GUEST, target=arguments.vm.uuid)
    move = move_of(arguments.vm.uuid, arguments.vm.name, jobs, failed=True)
    return await roll_back.plan(move, context.facts)


async def one_meant(several: Ambiguous, context: Context) -> str:
    """Of guests of one name the one that was moved."""
    return await one_moved([one.uuid for one in several.candidates], context.journal, failed=True)


COMMAND = Command(
    word="roll-back",
    usage="roll-back <vm> [reason …]",
    help="Undoes a move by backup, also when its source was retired already: the copy is switched off, the source is "
    "started as it was when it was shut down, and only then the copy is removed. What was written on the copy is lost.",
    example="roll-back centos54",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Change(plan),
    topic=Topic.GUESTS,
    chooses=one_meant,
)
