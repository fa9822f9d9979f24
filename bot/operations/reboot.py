"""Rebooting a guest on its host, asked or forced: `/xen reboot <vm>` and `/xen reboot <vm> hard`."""

from __future__ import annotations

from bot.domain.inventory import PowerFacts, PowerState, Vm
from bot.domain.message import Button
from bot.domain.plan import Call, Plan, Ref, Risk, Step
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import Phrase, say
from bot.domain.words import power_word
from bot.operations.base import Homes, Look, Operation, Seen
from bot.operations.ports import Facts
from bot.operations.power import checks
from bot.operations.power.making import Way, evidence, going_on, guest_of, make

NAME = "reboot"
_CLEAN, _HARD = "clean_reboot", "hard_reboot"


async def plan(vm: Vm, facts: Facts, approval: ApprovalSettings, *, hard: bool) -> Plan:
    """The plan for rebooting `vm`. Raises what Facts.power raises."""
    return decide(await facts.power(vm.uuid, (_operation(hard=hard),)), approval, hard=hard)


def _operation(*, hard: bool) -> str:
    return _HARD if hard else _CLEAN


def decide(facts: PowerFacts, approval: ApprovalSettings, *, hard: bool) -> Plan:
    """The plan that follows from the facts. Never raises."""
    vm, operation = facts.vm, _operation(hard=hard)
    way = Way(
        call=Call(f"VM.{operation}", (Ref("VM", vm.uuid),)),
        title=say("Reset {vm}", vm=vm.name) if hard else say("Reboot {vm}", vm=vm.name),
        refusal=say("{vm} cannot be reset", vm=vm.name) if hard else say("{vm} cannot be rebooted", vm=vm.name),
        risk=Risk.HIGH if hard else Risk.MEDIUM,
        because=say("it is reset without asking it") if hard else say("whoever uses the guest loses it for a while"),
        after=(say("It starts again on the same host."),),
    )
    return make(NAME, facts, way, checks.before_stop(facts, operation, hard=hard), approval)


def is_hard(of: Plan) -> bool:
    """Whether a plan of this operation forces the guest."""
    return of.steps[0].kind == f"VM.{_HARD}"


async def _replan(earlier: Plan, facts: Facts, approval: ApprovalSettings, _homes: Homes) -> Plan:
    hard = is_hard(earlier)
    return decide(await facts.power(guest_of(earlier).uuid, (_operation(hard=hard),)), approval, hard=hard)


async def _look(of: Plan, step: Step, facts: Facts) -> Look:
    """Whether it has booted since it was planned: the pool keeps the time of the last boot."""
    vm = guest_of(of)
    now = await facts.whereabouts(of.pool, vm.uuid)
    busy = going_on(of, step, now, say("{vm} is rebooting", vm=vm.name))
    if busy is not None:
        return busy
    if now.power_state is not PowerState.RUNNING:
        state = say(power_word(now.power_state))
        return Look(Seen.HARMED, say("{vm} is {state}, it ran before", vm=vm.name, state=state), (evidence(now),))
    before = of.placements[0].booted_at
    if now.started_at is not None and now.started_at != before:
        return Look(Seen.DONE, say("{vm} has rebooted", vm=vm.name), (evidence(now),))
    return Look(Seen.NOT_DONE, say("{vm} runs and has not rebooted", vm=vm.name), (evidence(now),))


def _running(of: Plan) -> Phrase:
    name = guest_of(of).name
    return say("Resetting {vm}", vm=name) if is_hard(of) else say("Rebooting {vm}", vm=name)


def _instead(of: Plan) -> tuple[Button, ...]:
    """The hard way, as a request of its own with its own confirmation."""
    if is_hard(of) or not checks.hard_way_helps(of):
        return ()
    return (Button("Plan: reset it", "ask", f"reboot {guest_of(of).uuid} hard"),)


OPERATION = Operation(
    name=NAME,
    replan=_replan,
    look=_look,
    running=_running,
    instead=_instead,
    when_stopped=say("If the guest has not gone down yet, it runs on."),
)
