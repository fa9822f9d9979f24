"""`/xen clean-up <job>`: removes the snapshot that a backup of ours left at its pool."""

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
    help="Removes the snapshot that a backup took and could not remove: by the UUIDs stored when it was taken, nothing "
    "else. `/xen pool-check` finds such.",
    example="clean-up 41",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Change(plan),
    topic=Topic.ARCHIVE,
)
