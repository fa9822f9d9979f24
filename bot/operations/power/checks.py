"""Whether a guest may be started, stopped or rebooted: each reason on its own, in the order a person would mend them.

Facts of XAPI behind it: a key in `blocked_operations` stops even root; a call on a busy guest is not refused but waits
in silence for up to two hours; an HVM guest without drivers and without a word that it can shut down cannot be asked
to; a clean shutdown that nobody inside obeys is given up after twenty minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

from bot.domain.guest_facts import PowerFacts
from bot.domain.inventory import Host, PowerState, Vm
from bot.domain.plan import Check, Plan
from bot.domain.texts import Code, Moment, Phrase, many, say
from bot.domain.words import power_word
from bot.operations import drivers
from bot.operations.checks.grading import already, blocked, fine, unknown, warning
from bot.operations.checks.guest import blocked_operations, foreign_work
from bot.operations.checks.target import supported
from bot.operations.checks.verdict import objection
from bot.operations.drivers import Drivers
from bot.operations.xapi_words import explain

_NOT_ASKABLE = {"VM_LACKS_FEATURE", "VM_LACKS_FEATURE_SHUTDOWN", "VM_MISSING_PV_DRIVERS", "VM_OLD_PV_DRIVERS"}
# What our own checks say of it already, better; and what a hard stop does not wait for.
_SAID = {"OPERATION_BLOCKED", "VM_BAD_POWER_STATE", "OTHER_OPERATION_IN_PROGRESS", *_NOT_ASKABLE}


def before_start(facts: PowerFacts, operation: str) -> list[Check]:
    """Checks of a start, a resume or an unpause (the XAPI operation)."""
    states = {PowerState.HALTED, PowerState.SUSPENDED, PowerState.PAUSED}
    checks = [
        supported(facts.pool, facts.hosts),
        _state(facts.vm, states, say("it can be started"), PowerState.RUNNING),
    ]
    checks += [foreign_work(facts), blocked_operations(facts.vm, operation)]
    if operation != "unpause":
        checks += [*_twin(facts), _somewhere(facts)]
    return [*checks, *objection(facts.valid.get(operation), _SAID)]


def before_stop(facts: PowerFacts, operation: str, *, hard: bool) -> list[Check]:
    """Checks of a shutdown or reboot, clean or hard (the XAPI operation)."""
    vm = facts.vm
    states = {PowerState.RUNNING}
    if hard:
        states |= {PowerState.PAUSED} if operation == "hard_reboot" else {PowerState.PAUSED, PowerState.SUSPENDED}
    checks = [supported(facts.pool, facts.hosts), _itself(facts), *_host_answers(facts)]
    asked = PowerState.HALTED if operation.endswith("shutdown") else None
    checks += [_state(vm, states, say("it can be stopped"), asked), blocked_operations(vm, operation)]
    own = [_overtaken(vm), _loss(vm)] if hard else [foreign_work(facts), _cooperation(facts, operation)]
    return [*checks, *own, *objection(facts.valid.get(operation), _SAID)]


def _itself(facts: PowerFacts) -> Check:
    key, title = "itself", "Not xenbot's own guest"
    if not facts.own:
        return fine(key, title, say("xenbot does not run inside {vm}", vm=facts.vm.name))
    return blocked(
        key,
        title,
        say(
            "xenbot itself runs inside {vm}: without it nobody would watch the jobs",
            vm=facts.vm.name,
        ),
        say("Use another tool for {vm}, after `/xen freeze` and when no job runs.", vm=facts.vm.name),
    )


def _host_answers(facts: PowerFacts) -> Iterator[Check]:
    """XAPI passes the call on to the guest's host, and may wait for a silent one for minutes; told only then."""
    host = facts.host
    if host is None or host.answers:
        return
    since = say(" since {at}", at=Moment(host.silent_since)) if host.silent_since is not None else say("")
    fact = say(
        "{host}, where {vm} runs, has been silent{since}: what is known of {vm} is old, and the call may hang",
        host=host.name,
        vm=facts.vm.name,
        since=since,
    )
    fix = say("Look at {host} first: power, network, toolstack.", host=host.name)
    yield warning("host-silent", "Its host is silent", fact, fix)


def _state(vm: Vm, states: set[PowerState], then: Phrase, asked: PowerState | None) -> Check:
    """`asked` is the state the work would bring about, None where it ends as it began."""
    key, title = "power", "Power state"
    now = say(power_word(vm.power_state))
    if vm.power_state in states:
        return fine(key, title, say("{vm} is {state}, so {then}", vm=vm.name, state=now, then=then))
    if vm.power_state is asked:
        return already(key, title, say("{vm} is {state} already", vm=vm.name, state=now))
    ways = {
        PowerState.HALTED: say("Start {vm} with {start}.", vm=vm.name, start=Code(f"/xen start {vm.uuid}")),
        PowerState.SUSPENDED: say("Resume {vm} first with {start}.", vm=vm.name, start=Code(f"/xen start {vm.uuid}")),
        PowerState.PAUSED: say("Unpause {vm} first with {start}.", vm=vm.name, start=Code(f"/xen start {vm.uuid}")),
    }
    fix = ways.get(vm.power_state, say("Look at {vm} with another tool.", vm=vm.name))
    return blocked(key, title, say("{vm} is {state}", vm=vm.name, state=now), fix)


def _twin(facts: PowerFacts) -> Iterator[Check]:
    """Whether a copy of the guest runs somewhere, as after a move by backup: they would disturb each other."""
    for uuid, (name, pool) in facts.twins.items():
        fact = say("{twin} (pool {pool}) runs with all MAC addresses of {vm}", twin=name, pool=pool, vm=facts.vm.name)
        fix = say(
            "Stop that guest first. After a move by backup: {back}.", back=Code(f"/xen roll-back {facts.vm.uuid}")
        )
        yield blocked(f"twin:{uuid}", "Its copy runs", fact, fix)
    for uuid, (name, pool) in facts.asleep.items():
        fact = say(
            "{pool} does not answer: {twin} there, with all MAC addresses of {vm}, was off when it last did, and may"
            " run by now",
            pool=pool,
            twin=name,
            vm=facts.vm.name,
        )
        fix = say("See with other means that it is off, or wait until {pool} answers.", pool=pool)
        yield warning(f"twin-asleep:{uuid}", "Its copy", fact, fix)
    if facts.unseen:
        pools = many(list(facts.unseen))
        fact = say(
            "not read since xenbot was started: {pools}; a copy of {vm} may run there", pools=pools, vm=facts.vm.name
        )
        fix = say(
            "If {vm} was moved by backup, wait until every pool answers: {c}.", vm=facts.vm.name, c=Code("/xen status")
        )
        yield warning("twin-unseen", "Its copy", fact, fix)


def _somewhere(facts: PowerFacts) -> Check:
    """XAPI's own start says only that no host is available; asked host by host it says why."""
    vm, key, title = facts.vm, "host", "Host that fits"
    able = fitting(facts)
    if able:
        return fine(key, title, say("{vm} can run on {hosts}", vm=vm.name, hosts=many([host.name for host in able])))
    if not facts.verdicts:
        return unknown(key, title, say("XAPI could not be asked where {vm} can run", vm=vm.name))
    reasons = [say("{host}: {why}", host=host.name, why=_why(facts, host)) for host in facts.hosts]
    # A reason may hold a comma itself.
    listed = reduce(lambda so_far, reason: say("{so_far}; {reason}", so_far=so_far, reason=reason), reasons)
    return blocked(
        key,
        title,
        say("no host can take {vm}. {reasons}", vm=vm.name, reasons=listed),
        say("Mend what one of them lacks: move a guest away, enable a host, connect its storage or network."),
    )


def fitting(facts: PowerFacts) -> list[Host]:
    """The hosts that answer and that XAPI would let the guest run on."""
    answering = [host for host in facts.hosts if host.silent_since is None and host.uuid in facts.verdicts]
    return [host for host in answering if not facts.verdicts[host.uuid].code]


def _why(facts: PowerFacts, host: Host) -> Phrase:
    verdict = facts.verdicts.get(host.uuid)
    if verdict is not None and verdict.code:
        return explain(verdict.code, verdict.params)
    if host.silent_since is not None:
        return say("it does not answer our probe")
    return say("XAPI could not be asked")


def _cooperation(facts: PowerFacts, operation: str) -> Check:
    vm, key, title = facts.vm, "cooperation", "The guest's help"
    verdict = facts.valid.get(operation)
    if verdict is not None and verdict.code in _NOT_ASKABLE:
        return blocked(
            key,
            title,
            say("{vm} cannot be asked: it has no PV drivers and does not say that it can do this itself", vm=vm.name),
            say("Shut it down from inside, install the guest tools, or do it the hard way."),
        )
    state = drivers.drivers(vm, facts.read_at)
    if state in {Drivers.NONE, Drivers.NO_AGENT, Drivers.SETTLING}:
        return warning(
            key,
            title,
            say("nobody inside {vm} answers now; it may not obey, and XAPI gives up after 20 min", vm=vm.name),
            say("Cancel it when nothing happens; the guest then runs on."),
        )
    return fine(key, title, say("the tools in {vm} answer, so it can be asked", vm=vm.name))


def _overtaken(vm: Vm) -> Check:
    key, title = "busy", "Other work on the guest"
    if not vm.operations:
        return fine(key, title, say("nothing else is going on at {vm}", vm=vm.name))
    going_on = many([Code(operation) for operation in sorted(vm.operations)])
    return warning(key, title, say("{vm} is busy ({work}); the hard way may break that off", vm=vm.name, work=going_on))


def _loss(vm: Vm) -> Check:
    key, title = "loss", "What is lost"
    if vm.power_state is PowerState.SUSPENDED:
        return warning(key, title, say("the saved memory of {vm} is thrown away", vm=vm.name))
    return warning(key, title, say("like pulling the plug: what {vm} has not written to its disks is lost", vm=vm.name))


def hard_way_helps(plan: Plan) -> bool:
    """Whether nothing but the guest's own refusal stands in the way of a clean stop, if anything does."""
    return {check.key for check in plan.blocked} <= {"cooperation"}
