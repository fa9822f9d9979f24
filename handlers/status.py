"""`/xen status [pool|host|vm]`: the state of everything or of one thing, from memory, at once."""

from __future__ import annotations

import msgspec

from bot.commands import Command, Context, Query, Topic
from bot.domain.inventory import Host, PoolView
from bot.domain.message import Message
from bot.domain.policy import Role
from bot.operations import overview, overview_object
from bot.operations.subjects import subject

# More open jobs than a screen can show; those that need a person must not fall behind the newest.
_JOBS = 200


class Arguments(msgspec.Struct, frozen=True):
    """A pool, a host or a guest; all pools when left out."""

    what: str = ""


async def answer(arguments: Arguments, context: Context) -> Message:
    """What is so now, and how old that knowledge is."""
    fleet, journal, now = context.fleet, context.journal, context.now
    if not arguments.what:
        jobs = await journal.jobs(open_only=True, limit=_JOBS)
        return overview.pools(fleet.pools(), jobs, await journal.frozen(), context.person, now)
    found = subject(fleet, arguments.what)
    if isinstance(found, PoolView):
        uuid = found.pool.uuid if found.pool is not None else ""
        jobs = [record for record in await journal.jobs(open_only=True, limit=_JOBS) if record.pool == uuid]
        return overview.pools([found], jobs, await journal.frozen(), context.person, now)
    view = next(one for one in fleet.pools() if one.pool is not None and one.pool.uuid == found.pool)
    if isinstance(found, Host):
        touching = [
            record for record in await journal.jobs(open_only=True, limit=_JOBS) if found.uuid in record.plan.names
        ]
        load = await context.facts.control_load(found.uuid) if found.answers else None
        return overview_object.host(found, view, touching, now, load)
    return overview_object.guest(found, view, await journal.jobs(limit=1, target=found.uuid), now)


COMMAND = Command(
    word="status",
    usage="status [pool|host|vm]",
    help="Shows the state of the pools, of one host or of one guest, and how old the facts are.",
    example="status experiment",
    role=Role.VIEWER,
    arguments=Arguments,
    does=Query(answer),
    topic=Topic.LOOK,
)
