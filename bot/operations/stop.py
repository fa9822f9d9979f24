"""Shutting a guest down, asked or forced: `/xen stop <vm>` and `/xen stop <vm> hard`."""

from __future__ import annotations

from bot.domain.guest_facts import PowerFacts
from bot.domain.inventory import PowerState
from bot.domain.plan import Plan, Step
from bot.domain.texts import Phrase, say
from bot.domain.words import power_word
from bot.operations.base import Look, Seen
from bot.operations.ports import Facts
from bot.operations.power.making import evidence, going_on, guest_of
from bot.operations.power.two_ways import Manner, TwoWays


def _after(facts: PowerFacts) -> Phrase:
    """Whether anything starts it again by itself.

    High availability does not: a shutdown through XAPI notes at the guest that it need not always run any more.
    """
    if facts.auto_start:
        return say("Afterwards it is off; XAPI starts it again whenever the pool comes up (auto_poweron).")
    if facts.pool.ha_enabled and facts.vm.ha_protected:
        return say("Afterwards it is off; high availability leaves it off, since it was shut down on purpose.")
    return say("Afterwards it is off, and nothing in its pool starts it again by itself.")


_STOP = TwoWays(
    name="stop",
    asked=Manner(
        operation="clean_shutdown",
        title="Shut down {vm}",
        running="Shutting down {vm}",
        refusal="{vm} cannot be shut down",
        because="whoever uses the guest loses it",
    ),
    forced=Manner(
        operation="hard_shutdown",
        title="Cut the power of {vm}",
        running="Cutting the power of {vm}",
        refusal="{vm} cannot be stopped",
        because="its power is cut without asking it",
    ),
    after=_after,
    offer="Plan: cut its power",
)
plan = _STOP.plan
decide = _STOP.decide


async def _look(of: Plan, step: Step, facts: Facts) -> Look:
    """Whether it is off. While a shutdown is under way XAPI shows the guest as running and names the operation."""
    vm = guest_of(of)
    now = await facts.whereabouts(of.pool, vm.uuid)
    busy = going_on(of, step, now, say("{vm} is shutting down", vm=vm.name))
    if busy is not None:
        return busy
    if now.power_state is PowerState.HALTED:
        return Look(Seen.DONE, say("{vm} is off", vm=vm.name), (evidence(now),))
    state = say(power_word(now.power_state))
    return Look(Seen.NOT_DONE, say("{vm} is still {state}", vm=vm.name, state=state), (evidence(now),))


OPERATION = _STOP.of(_look)
