"""`/xen vms [pool|host]`: the guests and where they are, from memory."""

from __future__ import annotations

import msgspec

from bot.commands import Command, Context, Query
from bot.domain.inventory import Host, PoolView, PowerState, Vm
from bot.domain.message import Facts, Mark, Message, Table, Verdict
from bot.domain.policy import Role
from bot.domain.texts import Size, Value, say
from bot.domain.words import counted, power_word, tools_word
from bot.errors import Refused
from bot.operations import overview
from bot.operations.subjects import subject


class Arguments(msgspec.Struct, frozen=True):
    """A pool or a host, to see only its guests."""

    where: str = ""


async def answer(arguments: Arguments, context: Context) -> Message:
    """All guests by name, of everything or of one pool or host."""
    pools, host = context.fleet.pools(), ""
    if arguments.where:
        chosen = subject(context.fleet, arguments.where)
        if isinstance(chosen, Vm):
            raise Refused("That is a guest, not a pool or a host.", "`/xen status` shows one guest.")
        host = chosen.uuid if isinstance(chosen, Host) else ""
        pools = (chosen,) if isinstance(chosen, PoolView) else tuple(view for view in pools if _in(chosen, view))
    names = {one.uuid: one.name for view in pools for one in view.hosts}
    guests = [(view, vm) for view in pools for vm in view.vms if not host or vm.host == host]
    guests.sort(key=lambda pair: (pair[1].name.casefold(), pair[1].uuid))
    running = sum(vm.power_state is PowerState.RUNNING for _, vm in guests)
    headline = say("{guests}, {n} running", guests=counted(len(guests), "guest", "guests"), n=running)
    doubts = tuple(doubt for view in pools for doubt in overview.doubts(view))
    verdict = Verdict(headline, mark=Mark.ATTENTION if doubts else Mark.PLAIN)
    rows = tuple(_row(view, vm, names) for view, vm in guests)
    table = (Table(("Guest", "State", "Host", "Memory", "Tools", "Address", "Pool"), rows),) if rows else ()
    return Message(headline, (verdict, *((Facts(doubts),) if doubts else ()), *table))


def _in(host: Host, view: PoolView) -> bool:
    return view.pool is not None and view.pool.uuid == host.pool


def _row(view: PoolView, vm: Vm, names: dict[str, str]) -> tuple[Value, ...]:
    host = names.get(vm.host or "", "")
    tools = say(tools_word(vm.tools)) if vm.power_state is PowerState.RUNNING else ""
    address = vm.addresses[0] if vm.addresses else ""
    return vm.name, say(power_word(vm.power_state)), host, Size(vm.memory_dynamic_max), tools, address, view.name


COMMAND = Command(
    word="vms",
    usage="vms [pool|host]",
    help="Lists the guests: state, host, memory, tools, address.",
    example="vms experiment",
    role=Role.VIEWER,
    arguments=Arguments,
    does=Query(answer),
)
