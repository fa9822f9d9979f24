"""`/xen pool-check [pool] [all]`: what is wrong with a pool, the worst first, and what to do."""

from __future__ import annotations

import asyncio

import msgspec

from bot.commands import Annotated, Command, Context, Query, Topic, after, flag
from bot.domain.health import HealthFacts
from bot.domain.inventory import Host, Pool, PoolView
from bot.domain.message import Message
from bot.domain.policy import Role
from bot.errors import NotUnderstood
from bot.operations import subjects
from bot.operations.health import leftovers, news, report
from bot.operations.health.row import Row
from bot.operations.joining import newcomer
from bot.operations.joining import report as joining

_DAY_S = 86_400.0


class Arguments(msgspec.Struct, frozen=True):
    """Which pool, all of them without, and whether what is fine is shown as well; or which host is to join which."""

    pool: PoolView | None = None
    joining: Annotated[Host | None, after("join")] = None
    target: Annotated[PoolView | None, after("to")] = None
    everything: Annotated[bool, flag("all")] = False


async def answer(arguments: Arguments, context: Context) -> Message:
    """Every row of the check, of this moment; without a pool a line for each."""
    if arguments.joining is not None or arguments.target is not None:
        return await _join(arguments, context)
    views = context.fleet.pools() if arguments.pool is None else (arguments.pool,)
    if len(views) != 1:
        # Each asks its own hosts, and a host that hangs is waited for: no pool waits for those of another.
        return report.several(await asyncio.gather(*(_glance(view, context) for view in views)))
    pool = subjects.read(views[0])
    facts, found = await _check(pool, context)
    then = await context.journal.checkup(pool.uuid, context.now - _DAY_S)
    shown, changes = news.since(found, then, context.now)
    return report.message(facts, shown, whole=arguments.everything, news=changes)


async def _check(pool: Pool, context: Context) -> tuple[HealthFacts, tuple[Row, ...]]:
    facts = await context.facts.health(pool.uuid)
    return facts, report.rows(facts, await leftovers.look(facts, context.journal))


async def _glance(view: PoolView, context: Context) -> tuple[PoolView, tuple[Row, ...] | None]:
    return view, (await _check(view.pool, context))[1] if view.pool is not None else None


async def _join(arguments: Arguments, context: Context) -> Message:
    """Every rule of a join at once, before anyone tries."""
    host, target = arguments.joining, arguments.target
    if host is None or target is None or arguments.pool is not None:
        raise NotUnderstood(
            "A join needs a host and a pool.", "Example: `/xen pool-check join xenserver4 to experiment`"
        )
    facts = await context.facts.joining(host.uuid, subjects.read(target).uuid)
    return joining.message(facts, whole=arguments.everything)


COMMAND = Command(
    word="pool-check",
    usage="pool-check [pool] [all] | join <host> to <pool>",
    help="Checks a pool: hosts, clocks, storage, networks, memory to spare. The worst first, each with its fix.",
    example="pool-check experiment",
    role=Role.VIEWER,
    arguments=Arguments,
    does=Query(answer),
    topic=Topic.LOOK,
    absent=newcomer.lacking,
    title="Check a pool",
)
