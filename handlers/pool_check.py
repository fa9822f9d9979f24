"""`/xen pool-check [pool] [all]`: what is wrong with a pool, the worst first, and what to do."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Command, Context, Query, Topic, after, flag
from bot.domain.inventory import Host, PoolView
from bot.domain.message import Message
from bot.domain.policy import Role
from bot.errors import NotUnderstood, Refused
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
    checked: list[tuple[PoolView, tuple[Row, ...] | None]] = []
    for view in views:
        if view.pool is None:
            if len(views) == 1:
                raise Refused(f"Pool {view.name} has not answered yet.", "`/xen status` says what is known of it.")
            checked.append((view, None))
            continue
        facts = await context.facts.health(view.pool.uuid)
        found = report.rows(facts, await leftovers.look(facts, context.journal))
        if len(views) == 1:
            then = await context.journal.checkup(view.pool.uuid, context.now - _DAY_S)
            changes = news.since(found, then, context.now)
            shown = news.marked(found, then, context.now)
            return report.message(facts, shown, whole=arguments.everything, news=changes)
        checked.append((view, found))
    return report.several(checked)


async def _join(arguments: Arguments, context: Context) -> Message:
    """Every rule of a join at once, before anyone tries."""
    host, target = arguments.joining, arguments.target
    if host is None or target is None or arguments.pool is not None:
        raise NotUnderstood(
            "A join needs a host and a pool.", "Example: `/xen pool-check join xenserver4 to experiment`"
        )
    if target.pool is None:
        raise Refused(f"Pool {target.name} has not answered yet.", "`/xen status` says what is known of it.")
    facts = await context.facts.joining(host.uuid, target.pool.uuid)
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
