"""`/xen tools [pool|host] [all]`: how guests are virtualised, and which of them would gain most by better drivers."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Command, Context, Query, Topic, after, flag
from bot.domain.inventory import Host, Vm
from bot.domain.message import Button, Choices, Facts, Mark, Message, Part, Small, Table, Verdict
from bot.domain.policy import Role
from bot.domain.texts import Value, say
from bot.errors import Refused
from bot.operations import drivers, guests, overview, tools_report
from bot.operations.drivers import Drivers
from bot.operations.guests import Wanted
from bot.operations.subjects import subject
from bot.operations.tools_report import Gain, Judged

PAGE = 25
#: So many fit a phone.
_FIRST = 8


class Arguments(msgspec.Struct, frozen=True):
    """A pool or a host, everything when left out; whether guests in order are listed as well."""

    where: str = ""
    everything: Annotated[bool, flag("all")] = False
    page: Annotated[int, after("page")] = 1


async def answer(arguments: Arguments, context: Context) -> Message:
    """The guests that would gain, most first; with `all` every guest, page by page."""
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
    found = guests.matching(views, wanted, context.now)
    judged = tools_report.judged(found, context.now)
    # What a host is asked about is what runs there; that others could not run it is a matter of the pool.
    advice = [] if wanted.host else tools_report.incapable(views, found)
    advice += tools_report.ending(found)
    doubts = [doubt for view in views for doubt in overview.doubts(view)]
    lacking = any(one.state in {Drivers.NONE, Drivers.NO_AGENT} for one in judged)
    headline = say("Guest tools: {counts}", counts=guests.counts(one.state for one in judged))
    parts: list[Part] = [Verdict(headline, mark=Mark.ATTENTION if doubts or lacking else Mark.PLAIN)]
    first = drivers.remedy(judged[0].found.vm, context.now) if judged else None
    advice += [say("First: {what}", what=first)] if first is not None else []
    if doubts or advice:
        parts.append(Facts((*doubts, *advice)))
    if arguments.everything or arguments.page > 1:
        return Message(headline, (*parts, *_pages(judged, again, arguments.page)))
    gaining = [one for one in judged if one.gain < Gain.NONE]
    if gaining:
        parts.append(_table(gaining[:_FIRST]))
    if any(one.gain is Gain.SETTLING for one in gaining):
        parts.append(Small(say("“just booted”: tools report within a minute or so of a boot; nothing is wrong yet.")))
    if judged:
        shows = say("Show every guest with its mode and drivers")
        parts.append(Choices((Button("Show all", "ask", f"{again} all", says=shows),)))
    return Message(headline, tuple(parts))


def _pages(judged: list[Judged], again: str, wanted: int) -> list[Part]:
    pages = max(1, -(-len(judged) // PAGE))
    page = min(max(1, wanted), pages)
    parts: list[Part] = [_table(judged[(page - 1) * PAGE : page * PAGE])] if judged else []
    if page < pages:
        parts.append(Choices((Button("Next", "ask", f"{again} all page {page + 1}"),)))
    return parts


def _table(judged: list[Judged]) -> Table:
    return Table(("Guest", "Drivers", "Disk and network", "Mode", "Host"), tuple(_row(one) for one in judged))


def _row(one: Judged) -> tuple[Value, ...]:
    return one.found.vm.name, one.words, one.means, drivers.mode(one.found.vm), one.found.place


COMMAND = Command(
    word="tools",
    usage="tools [pool|host] [all] [page <number>]",
    help="Tells how guests are virtualised, which lack drivers or an agent, and what that costs them: those first that "
    "would gain most. `all` lists every guest.",
    example="tools experiment",
    role=Role.VIEWER,
    arguments=Arguments,
    does=Query(answer),
    topic=Topic.LOOK,
)
