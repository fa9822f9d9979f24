"""Whether a host can join a pool, as people read it."""

from __future__ import annotations

from bot.domain.joining import JoinFacts
from bot.domain.message import Button, Checks, Choices, Facts, Mark, Message, Part, Table, Verdict
from bot.domain.plan import SIGNS, Grade
from bot.domain.texts import many, plain, say
from bot.domain.words import counted
from bot.operations.joining.rules import told


def message(facts: JoinFacts, *, whole: bool) -> Message:
    """The answer to a check before a join; `whole` shows the rules that are kept as well."""
    host, pool = facts.joining.coordinator.name, facts.pool.pool.name
    if facts.is_member:
        already = say("{host} is a member of {pool} already", host=host, pool=pool)
        return Message(already, (Verdict(already, (say("nothing has to be done"),), Mark.DONE),))
    judged = told(facts)
    broken = [one for one in judged if one.grade is Grade.BLOCKED]
    amiss = [one for one in judged if one.grade is not Grade.OK]
    final = [one.title for one in broken if one.final]
    if final:
        headline = say("{host} can never join {pool} as it is: {rules}", host=host, pool=pool, rules=many(final))
    elif broken:
        obstacles = counted(len(broken), "obstacle", "obstacles")
        headline = say("{host} cannot join {pool}: {n}", host=host, pool=pool, n=obstacles)
    elif doubts := [one.title for one in amiss if one.open]:
        headline = say("{host} can join {pool} unless XAPI refuses: {rules}", host=host, pool=pool, rules=many(doubts))
    else:
        headline = say("{host} can join {pool}", host=host, pool=pool)
    kept = say("{n} of {all} rules kept", n=len(judged) - len(amiss), all=len(judged))
    parts: list[Part] = [Verdict(headline, (kept,), Mark.REFUSED if broken else Mark.ATTENTION if amiss else Mark.DONE)]
    if amiss:
        parts.append(Checks(tuple(one.check(facts) for one in amiss)))
    elif not whole:
        parts.append(Facts((say("Nothing was tried. XAPI looks once more when it joins."),)))
    parts.append(Choices(tuple(_buttons(facts, joins=not broken, whole=whole))))
    if whole:
        rows = tuple((f"{SIGNS[one.grade]} {one.title}", one.mine, one.theirs) for one in judged)
        parts.append(Table(("Rule", plain(host), plain(pool)), rows))
    return Message(headline, tuple(parts))


def _buttons(facts: JoinFacts, *, joins: bool, whole: bool) -> list[Button]:
    host, pool = facts.joining.coordinator, facts.pool.pool
    found = []
    if joins:
        plan = say("Plan: {host} joins {pool}", host=host.name, pool=pool.name)
        found.append(Button("Plan: join", "ask", f"pool-join {host.uuid} to {pool.uuid}", says=plan))
    if not whole:
        shows = say("Show every rule")
        found.append(Button("Show all", "ask", f"pool-check join {host.uuid} to {pool.uuid} all", says=shows))
    return found
