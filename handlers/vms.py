"""`/xen vms [pool|host] …`: the guests and where they are, from memory, a page at a time."""

from __future__ import annotations

import msgspec

from bot.commands import Annotated, Command, Context, Query, Topic, after
from bot.domain.inventory import Host, PoolView, PowerState, Vm
from bot.domain.message import Button, Choices, Facts, Mark, Message, Part, Table, Verdict
from bot.domain.policy import Role
from bot.domain.texts import Phrase, Size, Value, say
from bot.domain.words import counted, power_word
from bot.errors import NotFound, NotUnderstood, Refused
from bot.operations import drivers, guests, overview
from bot.operations.guests import Found, Wanted
from bot.operations.lookalike import folded
from bot.operations.subjects import subject

PAGE = 25


class Arguments(msgspec.Struct, frozen=True):
    """A pool or a host, and what the guests must be."""

    where: str = ""
    state: Annotated[str, after("state")] = ""
    tag: Annotated[str, after("tag")] = ""
    text: Annotated[str, after("like")] = ""
    without: Annotated[str, after("without")] = ""
    page: Annotated[int, after("page")] = 1


async def answer(arguments: Arguments, context: Context) -> Message:
    """The guests that fit, by name, one page of them."""
    views = context.fleet.pools()
    arguments = _meant(arguments, context)
    wanted = _wanted(arguments, context)
    found = guests.matching(views, wanted, context.now)
    pages = max(1, -(-len(found) // PAGE))
    page = min(max(1, arguments.page), pages)
    shown = found[(page - 1) * PAGE : page * PAGE]
    headline = _headline(found, page, pages)
    silent = next(
        (host for view in views for host in view.hosts if host.uuid == wanted.host and host.silent_since), None
    )
    if silent is not None:
        headline = say("{host} is silent, so this is not confirmed: {guests}", host=silent.name, guests=headline)
    doubts = tuple(doubt for view in views for doubt in overview.doubts(view))
    parts: list[Part] = [Verdict(headline, mark=Mark.ATTENTION if doubts or silent is not None else Mark.PLAIN)]
    if doubts:
        parts.append(Facts(doubts))
    if arguments.page > pages:
        last = say("There is no page {page}: this is the last one.", page=arguments.page)
        parts.append(Facts((last,)))
    if shown:
        rows = tuple(_row(one, context.now) for one in shown)
        parts.append(Table(("Guest", "State", "Host", "Memory", "Tools", "Address", "Pool"), rows))
    if pages > 1:
        parts.append(Choices(_turns(_words(wanted, arguments), page, pages)))
    return Message(headline, tuple(parts))


def _meant(arguments: Arguments, context: Context) -> Arguments:
    """The arguments with a state in its place: "vms stopped" says what it means, unless something has that name."""
    if not arguments.where or arguments.state or folded(arguments.where) not in guests.STATES:
        return arguments
    try:
        subject(context.fleet, arguments.where)
    except NotFound:
        return msgspec.structs.replace(arguments, where="", state=arguments.where)
    return arguments


def _wanted(arguments: Arguments, context: Context) -> Wanted:
    pool = host = ""
    if arguments.where:
        chosen = subject(context.fleet, arguments.where)
        if isinstance(chosen, Vm):
            raise Refused("That is a guest, not a pool or a host.", "`/xen status` shows one guest.")
        if isinstance(chosen, Host):
            host = chosen.uuid
        elif isinstance(chosen, PoolView):
            # A pool that was never loaded has no guests to show; its name is kept, so that none of another is.
            pool = chosen.pool.uuid if chosen.pool is not None else chosen.name
    state = guests.STATES.get(folded(arguments.state)) if arguments.state else None
    if arguments.state and state is None:
        raise _unknown("state", arguments.state, "running, halted, suspended or paused")
    if arguments.without and folded(arguments.without) != "tools":
        raise _unknown("without", arguments.without, "tools")
    return Wanted(pool, host, state, arguments.tag, arguments.text, bool(arguments.without))


def _unknown(word: str, typed: str, known: str) -> NotUnderstood:
    return NotUnderstood(f"`/xen vms {word} …` takes {known}, not “{typed}”.", f"Write `/xen {COMMAND.usage}`.")


def _headline(found: list[Found], page: int, pages: int) -> Phrase:
    running = sum(one.vm.power_state is PowerState.RUNNING for one in found)
    headline = say("{guests}, {n} running", guests=counted(len(found), "guest", "guests"), n=running)
    if pages == 1:
        return headline
    return say("{headline}: page {page} of {pages}", headline=headline, page=page, pages=pages)


def _words(wanted: Wanted, arguments: Arguments) -> str:
    """The command again, for another page; objects by UUID, so that it asks for the same ones."""
    words = ["vms", wanted.host or wanted.pool]
    for word, text in (("state", arguments.state), ("tag", arguments.tag), ("like", arguments.text)):
        words += [word, text if '"' in text else f'"{text}"'] if text else []
    words += ["without", "tools"] if wanted.without_tools else []
    return " ".join(filter(None, words))


def _turns(words: str, page: int, pages: int) -> tuple[Button, ...]:
    turns = []
    if page > 1:
        turns.append(Button("Previous", "ask", f"{words} page {page - 1}"))
    if page < pages:
        turns.append(Button("Next", "ask", f"{words} page {page + 1}"))
    return tuple(turns)


def _row(one: Found, now: float) -> tuple[Value, ...]:
    vm = one.vm
    tools = drivers.short(drivers.drivers(vm, now))
    address = vm.addresses[0] if vm.addresses else ""
    return vm.name, say(power_word(vm.power_state)), one.place, Size(vm.memory_dynamic_max), tools, address, one.pool


COMMAND = Command(
    word="vms",
    usage="vms [pool|host] [state <state>] [tag <tag>] [like <text>] [without tools] [page <number>]",
    help="Lists the guests: state, host, memory, tools, address.",
    example="vms experiment state running without tools",
    role=Role.VIEWER,
    arguments=Arguments,
    does=Query(answer),
    topic=Topic.LOOK,
    title="Guests",
)
