"""Where a guest could go: a plan for every other host of its pool, and which of them is the best, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from bot.domain.guest_facts import MigrationFacts
from bot.domain.inventory import Vm
from bot.domain.plan import RISK_ORDER, Choice, Grade, Plan
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import Phrase, Size, clean, say
from bot.domain.words import counted
from bot.errors import Refused
from bot.operations import migrate
from bot.operations.base import NOBODY
from bot.operations.ports import Facts
from bot.operations.survival import layout


class Candidate(msgspec.Struct, frozen=True):
    """One host: what was read of the move there, and the plan that follows."""

    facts: MigrationFacts
    plan: Plan

    @property
    def left(self) -> int:
        """Bytes the host could still give after the move; negative where the guest does not fit."""
        return self.facts.target.memory_free - self.facts.vm.memory_needed


async def plan(vm: Vm, facts: Facts, approval: ApprovalSettings) -> Plan:
    """The plan for moving `vm` to the best other host. Raises Refused where its pool has none, or as `candidates`."""
    found = await candidates(vm.uuid, facts, approval)
    if not found:
        raise Refused(f"{clean(vm.name)} can go nowhere: its pool has no other host.")
    chosen = proposed(found)
    # What is to be confirmed rests on a reading of that host itself, not on what the feed had of it.
    read = await facts.migration(vm.uuid, found[0].facts.target.uuid)
    exact = migrate.decide(read, approval)
    kept = {"chosen": chosen.chosen, "others": chosen.others}
    if exact.blocked:
        kept = {"refusal": chosen.refusal if chosen.blocked else exact.refusal, "others": chosen.others}
    return msgspec.structs.replace(exact, **kept)


async def candidates(vm: str, facts: Facts, approval: ApprovalSettings) -> tuple[Candidate, ...]:
    """Every other host of the guest's pool, the best first. Raises what Facts.placements raises."""
    found: list[Candidate] = []
    before = None
    for read in await facts.placements(vm):
        before = before or layout(read, NOBODY)
        found.append(Candidate(read, migrate.decide(read, approval, before=before)))
        # A large pool takes a while to judge, and others wait for their answers meanwhile.
        await asyncio.sleep(0)
    return tuple(sorted(found, key=_rank))


def _rank(one: Candidate) -> tuple[int, int, int, int, float, str]:
    """Open before blocked, then few obstacles, low risk, few doubts; among equals the roomiest by share, then name."""
    grades = [check.grade for check in one.plan.checks]
    doubts = 2 * grades.count(Grade.UNKNOWN) + grades.count(Grade.WARNING)
    share = one.left / max(1, one.facts.target.memory_total)
    blocked = len(one.plan.blocked)
    return int(blocked > 0), blocked, RISK_ORDER[one.plan.risk], doubts, -share, one.facts.target.name


def proposed(found: Sequence[Candidate]) -> Plan:
    """The plan for the best host, with its reason and the others to choose from; `found` is not empty.

    Where no host is possible it is the blocked plan of the one that comes closest, and says so.
    """
    best = found[0]
    plan, target, vm = best.plan, best.facts.target, best.facts.vm
    others = tuple(_choice(one) for one in found[1:])
    if plan.blocked:
        refusal = say(
            "{vm} can go to no other host of {pool} now; {host} comes closest",
            vm=vm.name,
            pool=best.facts.pool.name,
            host=target.name,
        )
        return msgspec.structs.replace(plan, refusal=refusal, others=others)
    return msgspec.structs.replace(plan, chosen=_reason(found), others=others)


def _reason(found: Sequence[Candidate]) -> Phrase:
    best = found[0]
    able = [one for one in found if not one.plan.blocked]
    if len(able) == 1:
        return say("{host} is the only other host that can take {vm} now", **_ends(best))
    same = [one for one in able if one.plan.risk is best.plan.risk]
    why = say("it keeps the most memory free") if len(same) == len(able) else say("the move there is of the least risk")
    return say(
        "{host} was chosen out of {hosts} that can take {vm}: {why}",
        hosts=counted(len(able), "host", "hosts"),
        why=why,
        **_ends(best),
    )


def _ends(one: Candidate) -> dict[str, str]:
    return {"host": one.facts.target.name, "vm": one.facts.vm.name}


def _choice(one: Candidate) -> Choice:
    host = one.facts.target
    if one.plan.blocked:
        obstacles = counted(len(one.plan.blocked), "obstacle", "obstacles")
        return Choice(host.uuid, host.name, say("not now: {obstacles}", obstacles=obstacles))
    note = say("{risk} risk, {left} left", risk=one.plan.risk.value, left=Size(max(0, one.left)))
    return Choice(host.uuid, host.name, note)
