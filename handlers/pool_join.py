"""`/xen pool-join <host> to <pool>`: lets a host that is a pool of its own join another pool."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Change, Command, Context, Topic, after, rest
from bot.domain.inventory import Host, PoolView
from bot.domain.plan import Plan
from bot.domain.policy import Role
from bot.operations import pool_join, subjects
from bot.operations.joining import newcomer

_NO_EJECT = "`/xen pool-eject` is out of scope: XAPI wipes a host that leaves its pool, its own disks with it."
_INSTEAD = (
    "Back up what its own storage holds, empty it with `/xen evacuate <host>`, and see with `/xen pool-check <pool>` "
    "that the others can do without it. Then, at the pool's console: `xe pool-eject host-uuid=…`."
)


class Arguments(msgspec.Struct, frozen=True):
    """Which host, which pool, and why."""

    host: Host
    pool: Annotated[PoolView, after("to")]
    reason: Annotated[str, rest("reason")] = ""


async def plan(arguments: Arguments, context: Context) -> Plan:
    """The plan of the join; nothing is changed yet."""
    pool = subjects.read(arguments.pool)
    return await pool_join.plan(arguments.host.uuid, pool.uuid, context.facts, context.approval)


COMMAND = Command(
    word="pool-join",
    usage="pool-join <host> to <pool> [reason …]",
    help="Lets a host join a pool; there is no pool-eject, since it wipes the host. Somebody else approves it.",
    example="pool-join xenserver4 to experiment",
    role=Role.ADMIN,
    arguments=Arguments,
    does=Change(plan),
    topic=Topic.HOSTS,
    absent=newcomer.lacking,
    undone={"pool-eject": (_NO_EJECT, _INSTEAD)},
    title="Join a pool",
)
