"""`/xen tools [pool|host]`: which guests lack drivers or an agent, worst first."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Command, Context, Query, after
from bot.domain.inventory import Host, Vm
from bot.domain.message import Button, Choices, Facts, Mark, Message, Part, Small, Table, Verdict
from bot.domain.policy import Role
from bot.domain.texts import Value, say
from bot.errors import Refused
from bot.operations import drivers, guests, overview
from bot.operations.drivers import Drivers
from bot.operations.guests import Found, Wanted
from bot.operations.subjects import subject

PAGE = 25


class Arguments(msgspec.Struct, frozen=True):
    """A pool or a host; everything when left out."""

    where: str = ""
    page: Annotated[int, after("page")] = 1


async def answer(arguments: Arguments, context: Context) -> Message:
    """Running guests by the state of their tools, those in order counted."""
    views = context.fleet.pools()
    wanted, again = Wanted(), "tools"
    if arguments.where:
        chosen = subject(context.fleet, arguments.where)
        if isinstance(chosen, Vm):
            raise Refused("That is a guest, not a pool or a host.", "`/xen status` shows one guest.")
        if isinstance(chosen, Host):
            wanted = Wanted(host=chosen.uuid)
        else:
            wanted = Wanted(pool=chosen.pool.uuid if chosen.pool is not None else chosen.name)
        again = f"tools {wanted.host or wanted.pool}"
    judged = guests.worst_first(guests.matching(views, wanted, context.now), context.now)
    odd = [pair for pair in judged if pair[1] is not Drivers.PRESENT]
    pages = max(1, -(-len(odd) // PAGE))
    page = min(max(1, arguments.page), pages)
    doubts = tuple(doubt for view in views for doubt in overview.doubts(view))
    lacking = any(state in {Drivers.NONE, Drivers.NO_AGENT} for _, state in odd)
    headline = say("Guest tools: {counts}", counts=guests.counts(judged))
    parts: list[Part] = [Verdict(headline, mark=Mark.ATTENTION if doubts or lacking else Mark.PLAIN)]
    if doubts:
        parts.append(Facts(doubts))
    if odd:
        rows = tuple(_row(*pair) for pair in odd[(page - 1) * PAGE : page * PAGE])
        parts.append(Table(("Guest", "Tools", "Mode", "Host", "Pool"), rows))
        parts.append(Small(say("“just booted”: tools report within a minute or so of a boot; nothing is wrong yet.")))
    if page < pages:
        parts.append(Choices((Button("Next", "ask", f"{again} page {page + 1}"),)))
    return Message(headline, tuple(parts))


def _row(one: Found, state: Drivers) -> tuple[Value, ...]:
    words: Value = drivers.short(state)
    if state is Drivers.NONE and one.vm.hvm and not one.vm.can_suspend:
        words = say("no PV drivers: disk and network are emulated")
    return one.vm.name, words, drivers.mode(one.vm), one.place, one.pool


COMMAND = Command(
    word="tools",
    usage="tools [pool|host] [page <number>]",
    help="Lists the running guests whose tools are missing or do not answer, worst first.",
    example="tools experiment",
    role=Role.VIEWER,
    arguments=Arguments,
    does=Query(answer),
)
