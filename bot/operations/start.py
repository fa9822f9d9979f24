"""Starting a guest wherever it fits: `/xen start <vm>`. A suspended guest is resumed, a paused one goes on."""

from __future__ import annotations

from bot.domain.calls import Call, Flag, Ref
from bot.domain.guest_facts import PowerFacts
from bot.domain.inventory import PowerState, Vm
from bot.domain.plan import Plan, Risk, Step
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import Phrase, many, say
from bot.domain.words import power_word
from bot.operations.base import Homes, Look, Operation, Seen
from bot.operations.ports import Facts
from bot.operations.power import checks
from bot.operations.power.making import Way, evidence, going_on, guest_of, make
from bot.operations.risk_reasons import beside

NAME = "start"
_OPERATIONS = {PowerState.SUSPENDED: "resume", PowerState.PAUSED: "unpause"}


async def plan(vm: Vm, facts: Facts, approval: ApprovalSettings) -> Plan:
    """The plan for starting `vm`. Raises what Facts.power raises."""
    return decide(await facts.power(vm.uuid, ("start", "resume", "unpause"), placing=True), approval)


def decide(facts: PowerFacts, approval: ApprovalSettings) -> Plan:
    """The plan that follows from the facts. Never raises."""
    vm = facts.vm
    operation = _OPERATIONS.get(vm.power_state, "start")
    # "Paused at the start" and "forced" are both no: forcing would only skip the check of memory.
    args = (Ref("VM", vm.uuid),) if operation == "unpause" else (Ref("VM", vm.uuid), Flag(False), Flag(False))
    titles = {
        "start": say("Start {vm}", vm=vm.name),
        "resume": say("Resume {vm}", vm=vm.name),
        "unpause": say("Unpause {vm}", vm=vm.name),
    }
    way = Way(
        call=Call(f"VM.{operation}", args),
        title=titles[operation],
        refusal=say("{vm} cannot be started", vm=vm.name),
        risk=Risk.HIGH if facts.origins else Risk.LOW,
        because=beside(facts.origins) if facts.origins else None,
        after=_after(facts, operation),
    )
    return make(NAME, facts, way, checks.before_start(facts, operation), approval)


def _after(facts: PowerFacts, operation: str) -> tuple[Phrase, ...]:
    if operation == "unpause":
        return (say("It goes on where it is."),)
    able = checks.fitting(facts)
    if not able:
        return ()
    return (say("It can run on {hosts}; XAPI chooses.", hosts=many([host.name for host in able])),)


async def _replan(earlier: Plan, facts: Facts, approval: ApprovalSettings, _homes: Homes) -> Plan:
    found = await facts.power(guest_of(earlier).uuid, ("start", "resume", "unpause"), placing=True)
    return decide(found, approval)


async def _look(of: Plan, step: Step, facts: Facts) -> Look:
    """Whether it runs. XAPI shows a guest as running while its start may still fail, and names its start until then."""
    vm = guest_of(of)
    now = await facts.whereabouts(of.pool, vm.uuid)
    busy = going_on(of, step, now, say("{vm} is starting", vm=vm.name))
    if busy is not None:
        return busy
    seen = (evidence(now),)
    if now.power_state is PowerState.RUNNING and now.host is not None:
        where = of.names.get(now.host, now.host)
        return Look(Seen.DONE, say("{vm} runs on {host}", vm=vm.name, host=where), seen)
    state = say(power_word(now.power_state))
    if of.placements[0].power_state == PowerState.SUSPENDED and now.power_state is PowerState.HALTED:
        return Look(Seen.HARMED, say("{vm} is {state}; it was suspended before", vm=vm.name, state=state), seen)
    return Look(Seen.NOT_DONE, say("{vm} is {state}", vm=vm.name, state=state), seen)


def _running(of: Plan) -> Phrase:
    return say("Starting {vm}", vm=guest_of(of).name)


OPERATION = Operation(
    name=NAME,
    replan=_replan,
    look=_look,
    running=_running,
    when_stopped=say("If the guest has not begun to boot, it stays off."),
)
