"""`/xen schedule pool-check [pool] daily 08:00`: checks that recur and tell what changed."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Change, Command, Context, Topic, after, rest
from bot.domain.inventory import PoolView
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.domain.schedule import Covered
from bot.errors import NotUnderstood
from bot.operations import schedule, subjects
from bot.operations.schedule_words import rule_of


class Arguments(msgspec.Struct, frozen=True):
    """Which pool, every one without; when, by which clock, and why."""

    pool: PoolView | None = None
    daily: Annotated[str, after("daily")] = ""
    weekly: Annotated[str, after("weekly")] = ""
    monthly: Annotated[str, after("monthly")] = ""
    zone: Annotated[str, after("zone")] = ""
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The standing plan; nothing is in force yet. Raises NotUnderstood, Refused."""
    zone = arguments.zone or context.schedules.zone
    try:
        rule = rule_of(arguments.daily, arguments.weekly, arguments.monthly, zone)
    except ValueError as error:
        raise NotUnderstood(
            f"`/xen {COMMAND.word}`: {error}.", f"Write `/xen {COMMAND.usage}`, for example `/xen {COMMAND.example}`."
        ) from error
    covered = Covered(check=True)
    if arguments.pool is not None:
        covered = Covered(pool=subjects.read(arguments.pool).uuid, name=arguments.pool.name, check=True)
    return await schedule.checking(covered, rule, zone, context.facts)


COMMAND = Command(
    word="schedule pool-check",
    usage="schedule pool-check [pool] daily <time>|weekly <day> <time>|monthly <day> <time> [zone <zone>] [reason …]",
    help="Checks a pool, or every pool, again and again, and tells in this channel what is new, worse or gone since "
    "it looked last. It is silent while nothing changed, and says so when it could not look.",
    example="schedule pool-check experiment daily 08:00",
    role=Role.ADMIN,
    arguments=Arguments,
    does=Change(plan),
    topic=Topic.SCHEDULES,
    title="Schedule pool checks",
)
