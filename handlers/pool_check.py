"""`/xen pool-check [pool] [all]`: what is wrong with a pool, the worst first, and what to do."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Command, Context, Query, flag
from bot.domain.inventory import PoolView
from bot.domain.message import Message
from bot.domain.policy import Role
from bot.errors import Refused
from bot.operations.health import report
from bot.operations.health.row import Row

_DAY_S = 86_400.0


class Arguments(msgspec.Struct, frozen=True):
    """Which pool, all of them without, and whether what is fine is shown as well."""

    pool: PoolView | None = None
    everything: Annotated[bool, flag("all")] = False


async def answer(arguments: Arguments, context: Context) -> Message:
    """Every row of the check, of this moment; without a pool a line for each."""
    views = context.fleet.pools() if arguments.pool is None else (arguments.pool,)
    checked: list[tuple[PoolView, tuple[Row, ...] | None]] = []
    for view in views:
        if view.pool is None:
            if len(views) == 1:
                raise Refused(f"Pool {view.name} has not answered yet.", "`/xen status` says what is known of it.")
            checked.append((view, None))
            continue
        facts = await context.facts.health(view.pool.uuid)
        found = report.rows(facts)
        if len(views) == 1:
            then = await context.journal.checkup(view.pool.uuid, context.now - _DAY_S)
            news = report.since(found, then, context.now)
            return report.message(facts, found, whole=arguments.everything, news=news)
        checked.append((view, found))
    return report.several(checked)


COMMAND = Command(
    word="pool-check",
    usage="pool-check [pool] [all]",
    help="Checks a pool: hosts, clocks, storage, networks, memory to spare. The worst first, each with its fix.",
    example="pool-check experiment",
    role=Role.VIEWER,
    arguments=Arguments,
    does=Query(answer),
)
