"""Why a guest can go here and not there: hosts by constraints, and the single change that would open another host."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.inventory import Vm
from bot.domain.message import Button, Checks, Choices, Facts, Mark, Message, Part, Table, Verdict, Ways
from bot.domain.plan import SIGNS, WEIGHT, Check, Grade, Plan
from bot.domain.texts import Phrase, Size, Value, many, say
from bot.domain.words import counted
from bot.operations.base import buttons_of
from bot.operations.choosing import Candidate

# Column titles and the checks behind them; what is not here is a property of the guest, whatever the host.
_COLUMNS = (
    ("Version", ("supported", "version", "hardware")),
    ("Storage", ("storage", "iso")),
    ("CPU", ("cpu-vendor", "cpu-features", "hvm", "pcpus")),
    ("Memory", ("memory",)),
    ("Networks", ("network",)),
    ("Host", ("enabled", "live", "target-busy", "ha")),
    ("XAPI", ("xapi",)),
)
_OF_HOSTS = frozenset(key for _, keys in _COLUMNS for key in keys)


def explained(vm: Vm, found: Sequence[Candidate], *, grid: bool = False) -> Message:
    """The answer for a guest and every other host of its pool, the best first.

    A host is a line that fits a phone, with what is first in its way; with `grid` it is told constraint by constraint.
    """
    if not found:
        headline = say("{vm} can go nowhere: its pool has no other host", vm=vm.name)
        return Message(headline, (Verdict(headline, mark=Mark.REFUSED),))
    read = found[0].facts
    able = [one for one in found if not one.plan.blocked]
    headline = say(
        "{vm} can go to {n} of {hosts}", vm=vm.name, n=len(able), hosts=counted(len(found), "other host", "other hosts")
    )
    place = [say("runs on {host}", host=read.source.name)] if read.source is not None else []
    parts: list[Part] = [Verdict(headline, tuple(place), Mark.DONE if able else Mark.REFUSED)]
    own = [check for check in found[0].plan.checks if not _of_host(check) and check.grade is not Grade.OK]
    if own:
        parts += [Facts((say("Whatever the host:"),)), Checks(tuple(own))]
    parts += _openings(found)
    buttons = [Button("Plan: migrate", "ask", f"migrate {vm.uuid}", says=say("Plan its move"))] if able else []
    # Where nothing is open, what would open the best host is a press away, as on the card of a refused move.
    opening = next((one.plan for one in found if not able and len(one.plan.blocked) == 1 and one.plan.ways), None)
    if opening is not None:
        buttons += buttons_of(opening)
    if not grid:
        says = say("Every host against every constraint")
        buttons.append(Button("All constraints", "ask", f"why {vm.uuid} grid", says=says))
    parts += [Choices(tuple(buttons))] if buttons else []
    parts.append(_grid(found) if grid else _list(found))
    return Message(headline, tuple(parts))


def _of_host(check: Check) -> bool:
    return _stem(check) in _OF_HOSTS


def _stem(check: Check) -> str:
    return check.key.partition(":")[0]


def _list(found: Sequence[Candidate]) -> Table:
    rows = ((one.facts.target.name, _verdict(one.plan), _first(one)) for one in found)
    return Table(("Host", "Verdict", "First in its way"), tuple(rows))


def _first(one: Candidate) -> Phrase:
    stops = sorted(one.plan.blocked, key=lambda check: not _of_host(check))
    if not stops:
        return say("– ({left} left)", left=Size(max(0, one.left)))
    more = say(", and {n} more", n=len(stops) - 1) if len(stops) > 1 else say("")
    return say("{first}{more}", first=_short(stops[0]), more=more)


def _grid(found: Sequence[Candidate]) -> Table:
    titles = ("Host", "Verdict", *(title for title, _ in _COLUMNS))
    return Table(titles, tuple(_row(one) for one in found))


def _row(one: Candidate) -> tuple[Value, ...]:
    cells = [_cell(title, one, keys) for title, keys in _COLUMNS]
    return one.facts.target.name, _verdict(one.plan), *cells


def _verdict(plan: Plan) -> Phrase:
    if not plan.blocked:
        return say("can go, {risk} risk", risk=plan.risk.value)
    return say("no: {n}", n=counted(len(plan.blocked), "obstacle", "obstacles"))


def _cell(title: str, one: Candidate, keys: tuple[str, ...]) -> Phrase:
    checks = [check for check in one.plan.checks if _stem(check) in keys]
    if not checks:
        # Where XAPI names what a check of ours has found, it has no line of its own.
        refused = title == "XAPI" and one.facts.xapi is not None and one.facts.xapi.code
        return say("✗ says the same" if refused else "–")
    worst = max((check.grade for check in checks), key=WEIGHT.__getitem__)
    if worst is Grade.OK:
        return say("✓ {left} left", left=Size(max(0, one.left))) if title == "Memory" else say("✓")
    names = many(list(dict.fromkeys(_short(check) for check in checks if check.grade is worst)))
    return say(SIGNS[worst] + " {names}", names=names)


def _short(check: Check) -> str:
    return check.title if check.title[1:2].isupper() else check.title[:1].lower() + check.title[1:]


def _openings(found: Sequence[Candidate]) -> list[Part]:
    """What single change would open which hosts, the one that opens most first."""
    opened: dict[str, tuple[Check, list[str]]] = {}
    for one in found:
        if len(one.plan.blocked) == 1 and not one.plan.blocked[0].hopeless:
            (check,) = one.plan.blocked
            key = f"{check.key} {one.facts.target.uuid}" if _of_host(check) else check.key
            opened.setdefault(key, (check, []))[1].append(one.facts.target.name)
    shut = [one for one in found if one.plan.blocked]
    if not opened:
        if not shut:
            return []
        closest, stops = shut[0].facts.target.name, shut[0].plan.blocked
        if len(stops) == 1:
            line = "No single change opens another host now. {host} comes closest. {fix}"
            return [Facts((say(line, host=closest, fix=stops[0].fix or stops[0].fact),))]
        obstacles = counted(len(stops), "obstacle", "obstacles")
        return [
            Facts((say("No single change opens a host; {host} comes closest, with {n}.", host=closest, n=obstacles),))
        ]
    ways = sorted(opened.values(), key=lambda way: -len(way[1]))
    title = say("A single change would open:") if len(ways) > 1 else say("The single change that opens another host:")
    lines = [
        say("{hosts}: {fix}", hosts=many(sorted(hosts)), fix=check.fix if check.fix is not None else check.fact)
        for check, hosts in ways
    ]
    return [Facts((title,)), Ways(tuple(lines))]
