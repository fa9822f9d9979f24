"""`/xen return <host>`: enables a host after its maintenance and brings its guests home."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Change, Command, Context, Topic, rest
from bot.domain.inventory import Host
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.operations import homecoming

# More jobs than any evacuation of one host needed, however often it was continued.
_JOBS = 50


class Arguments(msgspec.Struct, frozen=True):
    """Which host, and why."""

    host: Host
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The plan of bringing home what the last evacuation of the host moved away; nothing is changed yet."""
    host = arguments.host.uuid
    guests = homecoming.away(await context.journal.jobs(limit=_JOBS, target=host))
    return await homecoming.plan(host, guests, context.facts, context.approval)


COMMAND = Command(
    word="return",
    usage="return <host> [reason …]",
    help="Lets a host take guests again after its maintenance, and brings home those that its last evacuation by "
    "xenbot moved away. You see which do not come, and why.",
    example="return xenserver1",
    role=Role.OPERATOR,
    arguments=Arguments,
    does=Change(plan),
    topic=Topic.HOSTS,
)
