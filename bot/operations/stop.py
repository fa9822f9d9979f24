"""Shutting a guest down, asked or forced: `/xen stop <vm>` and `/xen stop <vm> hard`."""

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

NAME = "stop"
_CLEAN, _HARD = "clean_shutdown", "hard_shutdown"


async def plan(vm: Vm, facts: Facts, approval: ApprovalSettings, *, hard: bool) -> Plan:
    """The plan for shutting `vm` down. Raises what Facts.power raises."""
    return decide(await facts.power(vm.uuid, (_operation(hard=hard),)), approval, hard=hard)


def _operation(*, hard: bool) -> str:
    return _HARD if hard else _CLEAN


def decide(facts: PowerFacts, approval: ApprovalSettings, *, hard: bool) -> Plan:
    """The plan that follows from the facts. Never raises."""
    vm, operation = facts.vm, _operation(hard=hard)
    off = say("Afterwards it is off, and nothing starts it again by itself.")
    way = Way(
        call=Call(f"VM.{operation}", (Ref("VM", vm.uuid),)),
        title=say("Cut the power of {vm}", vm=vm.name) if hard else say("Shut down {vm}", vm=vm.name),
        refusal=say("{vm} cannot be stopped", vm=vm.name) if hard else say("{vm} cannot be shut down", vm=vm.name),
        risk=Risk.HIGH if hard else Risk.MEDIUM,
        because=say("its power is cut without asking it") if hard else say("whoever uses the guest loses it"),
        after=(off,),
    )
    return make(NAME, facts, way, checks.before_stop(facts, operation, hard=hard), approval)


def is_hard(of: Plan) -> bool:
    """Whether a plan of this operation forces the guest."""
    return of.steps[0].kind == f"VM.{_HARD}"


async def _replan(earlier: Plan, facts: Facts, approval: ApprovalSettings, _homes: Homes) -> Plan:
    hard = is_hard(earlier)
    return decide(await facts.power(guest_of(earlier).uuid, (_operation(hard=hard),)), approval, hard=hard)


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


def _running(of: Plan) -> Phrase:
    name = guest_of(of).name
    return say("Cutting the power of {vm}", vm=name) if is_hard(of) else say("Shutting down {vm}", vm=name)


def _instead(of: Plan) -> tuple[Button, ...]:
    """The hard way, as a request of its own with its own confirmation."""
    if is_hard(of) or not checks.hard_way_helps(of):
        return ()
    return (Button("Plan: cut its power", "ask", f"stop {guest_of(of).uuid} hard"),)


OPERATION = Operation(
    name=NAME,
    replan=_replan,
    look=_look,
    running=_running,
    instead=_instead,
    when_stopped=say("If the guest has not gone down yet, it runs on."),
)
