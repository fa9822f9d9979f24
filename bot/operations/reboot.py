"""Rebooting a guest on its host, asked or forced: `/xen reboot <vm>` and `/xen reboot <vm> hard`."""

from __future__ import annotations

from bot.domain.inventory import PowerState
from bot.domain.plan import Plan, Step
from bot.domain.texts import say
from bot.domain.words import power_word
from bot.operations.base import Look, Seen
from bot.operations.ports import Facts
from bot.operations.power.making import evidence, going_on, guest_of
from bot.operations.power.two_ways import Manner, TwoWays

_REBOOT = TwoWays(
    name="reboot",
    asked=Manner(
        operation="clean_reboot",
        title="Reboot {vm}",
        running="Rebooting {vm}",
        refusal="{vm} cannot be rebooted",
        because="whoever uses the guest loses it for a while",
    ),
    forced=Manner(
        operation="hard_reboot",
        title="Reset {vm}",
        running="Resetting {vm}",
        refusal="{vm} cannot be reset",
        because="it is reset without asking it",
    ),
    after=lambda _facts: say("It starts again on the same host."),
    offer="Plan: reset it",
)
plan = _REBOOT.plan
decide = _REBOOT.decide


async def _look(of: Plan, step: Step, facts: Facts) -> Look:
    """Whether it has booted since it was planned: the pool keeps the time of the last boot."""
    vm, before = guest_of(of), of.placements[0]
    now = await facts.whereabouts(of.pool, vm.uuid)
    busy = going_on(of, step, now, say("{vm} is rebooting", vm=vm.name))
    if busy is not None:
        return busy
    if now.power_state is not PowerState.RUNNING:
        state, seen = say(power_word(now.power_state)), (evidence(now),)
        if now.power_state.value == before.power_state:
            # A paused guest can be reset too.
            return Look(Seen.NOT_DONE, say("{vm} is still {state}", vm=vm.name, state=state), seen)
        was = say(power_word(PowerState(before.power_state)))
        return Look(Seen.HARMED, say("{vm} is {state}, it was {was} before", vm=vm.name, state=state, was=was), seen)
    if now.started_at is not None and now.started_at != before.booted_at:
        return Look(Seen.DONE, say("{vm} has rebooted", vm=vm.name), (evidence(now),))
    return Look(Seen.NOT_DONE, say("{vm} runs and has not rebooted", vm=vm.name), (evidence(now),))


OPERATION = _REBOOT.of(_look)
