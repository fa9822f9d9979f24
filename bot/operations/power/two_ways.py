"""Shutting a guest down and rebooting it are alike: it is asked, or, as a request of its own, it is forced."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from bot.domain.calls import Call, Ref
from bot.domain.guest_facts import PowerFacts
from bot.domain.inventory import Vm
from bot.domain.message import Button
from bot.domain.plan import Plan, Risk, Step
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import Phrase, say
from bot.operations.base import Homes, Look, Operation
from bot.operations.ports import Facts
from bot.operations.power import checks
from bot.operations.power.making import Way, guest_of, make


class Manner(msgspec.Struct, frozen=True):
    """One of the two ways: XAPI's operation, and how it is told; every text may name the guest as `{vm}`."""

    operation: str
    title: str
    running: str
    refusal: str
    because: str


class TwoWays(msgspec.Struct, frozen=True):
    """A power operation named `name`; `after` tells what is true then, `offer` is the button for the hard way."""

    name: str
    asked: Manner
    forced: Manner
    after: Callable[[PowerFacts], Phrase]
    offer: str

    async def plan(self, vm: Vm, facts: Facts, approval: ApprovalSettings, *, hard: bool) -> Plan:
        """The plan for `vm`. Raises what Facts.power raises."""
        return await self._planned(vm.uuid, facts, approval, hard=hard)

    def decide(self, facts: PowerFacts, approval: ApprovalSettings, *, hard: bool) -> Plan:
        """The plan that follows from the facts. Never raises."""
        vm, manner = facts.vm, self._manner(hard=hard)
        way = Way(
            call=Call(f"VM.{manner.operation}", (Ref("VM", vm.uuid),)),
            title=say(manner.title, vm=vm.name),
            refusal=say(manner.refusal, vm=vm.name),
            risk=Risk.HIGH if hard else Risk.MEDIUM,
            because=say(manner.because),
            after=(self.after(facts),),
        )
        return make(self.name, facts, way, checks.before_stop(facts, manner.operation, hard=hard), approval)

    def of(self, look: Callable[[Plan, Step, Facts], Awaitable[Look]]) -> Operation:
        """The operation, whose steps `look` looks after."""
        return Operation(
            name=self.name,
            replan=self._replan,
            look=look,
            running=self._running,
            instead=self._instead,
            when_stopped=say("If the guest has not gone down yet, it runs on."),
        )

    def _manner(self, *, hard: bool) -> Manner:
        return self.forced if hard else self.asked

    def _is_hard(self, of: Plan) -> bool:
        return of.steps[0].kind == f"VM.{self.forced.operation}"

    async def _planned(self, vm: str, facts: Facts, approval: ApprovalSettings, *, hard: bool) -> Plan:
        return self.decide(await facts.power(vm, (self._manner(hard=hard).operation,)), approval, hard=hard)

    async def _replan(self, earlier: Plan, facts: Facts, approval: ApprovalSettings, _homes: Homes) -> Plan:
        return await self._planned(guest_of(earlier).uuid, facts, approval, hard=self._is_hard(earlier))

    def _running(self, of: Plan) -> Phrase:
        return say(self._manner(hard=self._is_hard(of)).running, vm=guest_of(of).name)

    def _instead(self, of: Plan) -> tuple[Button, ...]:
        """The hard way, as a request of its own with its own confirmation."""
        if self._is_hard(of) or not checks.hard_way_helps(of):
            return ()
        return (Button(self.offer, "ask", f"{self.name} {guest_of(of).uuid} hard"),)
