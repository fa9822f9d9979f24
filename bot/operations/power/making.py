"""Plans and looks of power operations: one guest, one call, and its power state afterwards."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bot.domain.calls import Call
from bot.domain.guest_facts import PowerFacts, Whereabouts
from bot.domain.inventory import PowerState
from bot.domain.plan import Check, LockKey, Plan, Risk, Step, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import Phrase, many, say
from bot.domain.words import power_word, tools_word
from bot.operations.base import Look, Seen
from bot.operations.placement import placement
from bot.operations.risk import assess_power


class Way(msgspec.Struct, frozen=True):
    """One way to do it: the XAPI call, what it is called, and how dangerous it is by itself."""

    call: Call
    title: Phrase
    refusal: Phrase
    risk: Risk
    because: Phrase | None
    after: tuple[Phrase, ...]


def make(name: str, facts: PowerFacts, way: Way, checks: Sequence[Check], approval: ApprovalSettings) -> Plan:
    """The plan that follows from the facts; every check is judged, blocked or not. Never raises."""
    vm = facts.vm
    risk = assess_power(facts, way.risk, way.because, approval)
    held = [LockKey("VM", vm.uuid, vm.name)]
    if facts.host is not None:
        held.append(LockKey("host", facts.host.uuid, facts.host.name))
    return Plan(
        operation=name,
        pool=vm.pool,
        title=way.title,
        refusal=way.refusal,
        targets=(Target("VM", vm.uuid, vm.name),),
        placements=(msgspec.structs.replace(placement(vm), booted_at=vm.started_at),),
        checks=tuple(checks),
        risk=risk.risk,
        risk_reasons=risk.reasons,
        steps=(Step(way.call.method, way.title, way.call),),
        locks=tuple(held),
        after=way.after,
        names={facts.pool.uuid: facts.pool.name, vm.uuid: vm.name} | {one.uuid: one.name for one in facts.hosts},
        approvers=risk.approvers,
    )


def guest_of(plan: Plan) -> Target:
    """The guest the plan is about."""
    return plan.targets[0]


def evidence(now: Whereabouts) -> Phrase:
    """What a look has seen."""
    seen = [say(power_word(now.power_state))]
    if now.power_state is PowerState.RUNNING:
        seen.append(say(tools_word(now.tools)))
        if now.addresses:
            seen.append(say("address {address}", address=now.addresses[0]))
    return say("Looked at: {seen}", seen=many(seen))


def going_on(plan: Plan, step: Step, now: Whereabouts, headline: Phrase) -> Look | None:
    """The pool still names our operation on the guest; None when it does not."""
    operation = step.call.method.partition(".")[2]
    if operation not in now.operations:
        return None
    line = say("the pool still works on {vm}", vm=guest_of(plan).name)
    return Look(Seen.GOING_ON, headline, (evidence(now), line))
