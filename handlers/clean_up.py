"""`/xen clean-up <job>`: removes what a job of ours made at a pool and could not take back."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Change, Command, Context, Topic, rest
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.operations import clean_up


class Arguments(msgspec.Struct, frozen=True):
    """Which job's, by its number, and why."""

    job: int
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The plan of the removal; nothing is changed yet. Raises NotFound, Refused."""
    job = await context.journal.job(arguments.job)
    return await clean_up.plan(job, context.facts, context.approval)


COMMAND = Command(
    word="clean-up",
    usage="clean-up <job> [reason …]",
    help="Removes what a job made and could not take back: the snapshot of a backup, the guest of a restore or a "
    "rehearsal, the disks that a storage was tried with, storage that was not finished. Only by the UUIDs that were "
    "stored when they were made, and never what somebody has taken into use since. `/xen pool-check` finds such.",
    example="clean-up 41",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Change(plan),
    topic=Topic.ARCHIVE,
)
