"""What a check could not look at: told as such, never as well, and never with what mends something else."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.health import HealthFacts, HostState
from bot.domain.plan import Check, Grade
from bot.domain.texts import Phrase, many, say
from bot.domain.words import first
from bot.operations.health.row import Item, Row

_NAMED = 3


def untold(facts: HealthFacts, subject: str, what: Phrase, hosts: Sequence[HostState]) -> list[Item]:
    """What could not be looked at, in one line: nobody takes it for green."""
    if not hosts:
        return []
    names = [one.host.name for one in hosts]
    says = say("{hosts} did not tell {what}", hosts=first(names, _NAMED), what=what)
    if len(hosts) == len(facts.hosts) > 1:
        says = say("no host told {what}", what=what)
    away = not any(one.host.answers for one in hosts)
    return [Item(f"{subject}:unknown", says, Grade.UNKNOWN, silent=tuple(names) if away else ())]


def checks(found: Sequence[Row]) -> tuple[Check, ...]:
    """The rows as checks; those that nothing but a silent host kept from being judged are one, in place of the first.

    That the host is silent has a row of its own, with what to do.
    """
    unjudged = [row for row in found if _silenced(row)]
    told = []
    for row in found:
        if not _silenced(row):
            told.append(row.check())
        elif row is unjudged[0]:
            names = sorted({name for one in unjudged for item in one.items for name in item.silent})
            verb = say("is silent") if len(names) == 1 else say("are silent")
            what = many([one.title for one in unjudged])
            fact = say("{rows}, since {hosts} {verb}", rows=what, hosts=first(names, _NAMED), verb=verb)
            told.append(Check("unjudged", Grade.UNKNOWN, "Not judged", fact))
    return tuple(told)


def _silenced(row: Row) -> bool:
    return bool(row.items) and all(item.silent for item in row.items)
