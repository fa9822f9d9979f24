"""The check of a pool as people read it: a verdict, what is not fine, and the first thing to do."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.health import HealthFacts
from bot.domain.inventory import PoolView
from bot.domain.message import Button, Checks, Choices, Facts, Mark, Message, Part, Small, Table, Verdict
from bot.domain.plan import WEIGHT, Grade
from bot.domain.texts import Phrase, Span, Value, many, say
from bot.domain.words import counted
from bot.operations.health import guests, hosts, network, storage
from bot.operations.health.row import Row
from bot.operations.health.untold import checks

_BUTTONS = 4
_STALE_S = 10.0
_SHOWN = 8


def rows(facts: HealthFacts, *more: Row) -> tuple[Row, ...]:
    """Every row of the check, and `more`, the worst first, otherwise in the order in which they are read."""
    found = [*hosts.rows(facts), *storage.rows(facts), *network.rows(facts), *guests.rows(facts), *more]
    return tuple(sorted(found, key=lambda row: -WEIGHT[row.grade]))


def verdict(found: Sequence[Row]) -> Phrase:
    """How many things need a person, how many to watch, how many are fine: "2 things need you, 3 to watch, 21 fine"."""
    needs = sum(row.grade is Grade.BLOCKED for row in found)
    watch = sum(row.grade is Grade.WARNING for row in found)
    unclear = sum(row.grade is Grade.UNKNOWN for row in found)
    parts: list[Value] = []
    if needs:
        parts.append(say("{n} you", n=counted(needs, "thing needs", "things need")))
    if watch:
        parts.append(say("{n} to watch", n=watch))
    if unclear:
        parts.append(say("{n} could not be told", n=unclear))
    parts.append(
        say("{n} fine", n=len(found) - needs - watch - unclear) if parts else say("all {n} fine", n=len(found))
    )
    return say("{all}", all=many(parts))


def mark(found: Sequence[Row]) -> Mark:
    """The mark of the worst."""
    worst = max((row.grade for row in found), key=WEIGHT.__getitem__, default=Grade.OK)
    return {Grade.BLOCKED: Mark.REFUSED, Grade.OK: Mark.DONE}.get(worst, Mark.ATTENTION)


def several(checked: Sequence[tuple[PoolView, tuple[Row, ...] | None]]) -> Message:
    """One line for each pool, the worst first, with a button to open it; None for one that has not answered."""
    lines, buttons, counts = [], [], {Grade.BLOCKED: 0, Grade.UNKNOWN: 0}
    ordered = sorted(checked, key=lambda one: -_weight(one[1]))
    for view, found in ordered:
        if found is None:
            lines.append(say("? {pool}: has not answered yet", pool=view.name))
            counts[Grade.UNKNOWN] += 1
            continue
        counts[Grade.BLOCKED] += any(row.grade is Grade.BLOCKED for row in found)
        worst = next((row for row in found if row.grade is not Grade.OK), None)
        line = say("{pool}: {verdict}", pool=view.name, verdict=verdict(found))
        lines.append(line if worst is None else say("{line}. {worst} first", line=line, worst=worst.title))
        if worst is not None:
            buttons.append(
                Button(f"Check {view.name}", "ask", f"pool-check {view.pool.uuid if view.pool else view.name}")
            )
    needing = counts[Grade.BLOCKED]
    verb = say("needs you") if needing == 1 else say("need you")
    headline = say("{n} of {pools} {verb}", n=needing, pools=counted(len(checked), "pool", "pools"), verb=verb)
    if not needing:
        headline = say("no pool of {n} needs you", n=len(checked))
    sign = Mark.REFUSED if needing else Mark.ATTENTION if buttons or counts[Grade.UNKNOWN] else Mark.DONE
    parts: list[Part] = [Verdict(headline, (), sign), Facts(tuple(lines))]
    if buttons:
        parts.append(Choices(tuple(buttons[:_BUTTONS])))
    return Message(headline, tuple(parts))


def _weight(found: Sequence[Row] | None) -> int:
    return WEIGHT[Grade.UNKNOWN] if found is None else max(WEIGHT[row.grade] for row in found)


def message(facts: HealthFacts, found: Sequence[Row], *, whole: bool, news: Sequence[Phrase] = ()) -> Message:
    """The answer; `whole` shows the rows that are fine as well, `news` what is new and gone."""
    headline = say("{pool}: {verdict}", pool=facts.pool.name, verdict=verdict(found))
    amiss = [row for row in found if row.grade is not Grade.OK]
    parts: list[Part] = [Verdict(headline, (), mark(found))]
    if facts.age_s > _STALE_S:
        parts.append(Facts((say("The pool last answered {age} ago: this is how it was then.", age=Span(facts.age_s)),)))
    if news:
        parts.append(Facts(tuple(news)))
    # One screen of a telephone: whoever has mended the worst asks again, or for all.
    shown = amiss if whole or len(amiss) <= _SHOWN + 1 else amiss[:_SHOWN]
    if shown:
        parts.append(Checks(checks(shown)))
    if len(amiss) > len(shown):
        parts.append(Small(say("Also not fine: {rows}", rows=many([row.title for row in amiss[len(shown) :]]))))
    parts += buttons(facts, amiss, whole=whole)
    if whole:
        well = tuple((row.title, row.check().fact) for row in found if row.grade is Grade.OK)
        parts.append(Table(("Fine", "As it is"), well))
    elif not amiss:
        parts.append(Small(say("{names}", names=many([row.title for row in found]))))
    return Message(headline, tuple(parts))


def buttons(facts: HealthFacts, amiss: Sequence[Row], *, whole: bool) -> list[Part]:
    """What would mend the rows that are not fine, as far as buttons can, and the way to the whole check."""
    mending = [item.button for row in amiss for item in row.items if item.button is not None][:_BUTTONS]
    if not whole:
        shows = say("Show all of the check")
        mending.append(Button("Show all", "ask", f"pool-check {facts.pool.uuid} all", says=shows))
    return [Choices(tuple(mending))] if mending else []
