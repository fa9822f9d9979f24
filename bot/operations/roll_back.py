"""Rolling a move by backup back: `/xen roll-back <vm>`. The copy is switched off and removed, the source runs again.

The copy is removed only once the source runs. Where that does not start, it is held off again, and the copy is started.
Where the source runs by now and the copy is off, as after a removal that failed, only the rest is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import msgspec

from bot.domain.calls import Call, Flag, Marked, Ref
from bot.domain.guest_facts import PowerFacts
from bot.domain.inventory import PowerState
from bot.domain.plan import Check, LockKey, Plan, Risk, Step
from bot.domain.policy import ApprovalSettings
from bot.domain.record import JobRecord
from bot.domain.restores import Restored
from bot.domain.texts import Code, Moment, Phrase, Size, Span, many, say
from bot.domain.words import power_word
from bot.errors import NotFound
from bot.operations import restore_look
from bot.operations.backup_words import RESTART_S
from bot.operations.base import Homes, Look, Operation, Seen, entire
from bot.operations.checks.grading import blocked, fine, warning
from bot.operations.move_by_backup import NAME as MOVE
from bot.operations.move_by_backup import RETIRE, ROLL_BACK
from bot.operations.move_parted import until_certain
from bot.operations.moved import Moved, copy_now, standing, told_by
from bot.operations.ports import Facts
from bot.operations.power.checks import before_start, fitting
from bot.operations.restore_steps import BACK, MARK, REMOVE, START, aside, made_of, step_of

NAME = ROLL_BACK
STOP_COPY, START_COPY, STOP_SOURCE = "roll-back.stop-copy", "roll-back.start-copy", "roll-back.stop-source"
HOLD_SOURCE, HOLD_COPY, LET_COPY = "roll-back.hold-source", "roll-back.hold-copy", "roll-back.let-copy"
_OFF, _KEPT_OFF, _GIVEN, _RUNS = "copy off", "copy kept off", "given back", "source runs"


async def plan(move: Moved, facts: Facts) -> Plan:
    """The plan for rolling a move back. Raises NotFound where the source is gone, Unreachable, XapiFailure."""
    source, copy, power = await asyncio.gather(
        facts.restored(move.here, move.source.uuid),
        copy_now(move.there, move.copy, facts),
        facts.power(move.source.uuid, ("start",), placing=True),
    )
    return decide(move, source, copy, power)


def decide(move: Moved, source: Restored, copy: Restored | None, power: PowerFacts) -> Plan:
    """The plan that follows from the facts. Never raises."""
    vm = move.source.name
    # The copy is off by then, which is looked at.
    twins, asleep = (
        {uuid: twin for uuid, twin in alike.items() if uuid != move.copy} for alike in (power.twins, power.asleep)
    )
    power = msgspec.structs.replace(power, twins=twins, asleep=asleep)
    return Plan(
        operation=NAME,
        pool=move.here,
        title=say("Roll back the move of {vm} to {host}", vm=vm, host=move.host.name),
        refusal=say("The move of {vm} cannot be rolled back", vm=vm),
        targets=move.targets,
        placements=tuple(standing(one) for one in (source, copy) if one is not None),
        checks=tuple(_checks(move, source, copy, power)),
        risk=Risk.HIGH,
        risk_reasons=(say("what was written on the copy since the move is lost"),),
        steps=tuple(_steps(move, source, copy)),
        locks=(LockKey("VM", move.source.uuid, vm), LockKey("VM", move.copy, vm)),
        after=tuple(_after(move, source, copy, power)),
        names={**move.names, **{one.uuid: one.name for one in power.hosts}, move.source.uuid: vm, move.copy: vm},
        approvers=1,
    )


def _steps(move: Moved, source: Restored, copy: Restored | None) -> Iterator[Step]:
    lane, vm = source.uuid, move.source.name
    there, here, flags = Ref("VM", move.copy), Ref("VM", source.uuid), (Flag(False), Flag(False))
    given = say("Give {vm} back its name, and what would start it by itself", vm=vm)
    held = say("Keep {vm} off again", vm=vm)
    hold, give = aside(lane, here, (vm, source.name), held, given)
    if _rest(move, source, copy):
        if source.remembered or source.name != vm:
            yield msgspec.structs.replace(give, undoes="")
        yield _removal(move, lane)
        return
    running = copy is not None and copy.power_state is PowerState.RUNNING
    if running:
        off = say("Switch the copy off")
        yield Step(STOP_COPY, off, Call("VM.hard_shutdown", (there,)), lane=lane, makes=_OFF, pool=move.there)
    let_go: Step | None = None
    if copy is not None:
        # A copy whose removal fails must not come up beside the source with its host, nor one that somebody starts now.
        kept = say("Keep the copy off: nothing starts it by itself")
        free = say("Give the copy back what would start it by itself")
        keep, let_go = aside(lane, there, (copy.name, copy.name), kept, free, makes=_KEPT_OFF)
        yield msgspec.structs.replace(keep, kind=HOLD_COPY, pool=move.there)
        let_go = msgspec.structs.replace(let_go, kind=LET_COPY, pool=move.there)
    yield msgspec.structs.replace(give, undoes="", makes=_GIVEN)
    if move.ran:
        yield Step(
            START, say("Start {vm}", vm=vm), Call("VM.start", (here, *flags)), lane=lane, makes=_RUNS, certain=True
        )
        stop = Call("VM.hard_shutdown", (here,))
        yield Step(STOP_SOURCE, say("Stop {vm}", vm=vm), stop, lane=lane, undoes=_RUNS, unless_well=True)
    hold = msgspec.structs.replace(hold, kind=HOLD_SOURCE, makes="", undoes=_GIVEN)
    yield msgspec.structs.replace(hold, unless_well=True, only_without=_RUNS)
    if let_go is not None:
        yield msgspec.structs.replace(let_go, unless_well=True, only_without=_RUNS)
    if running:
        start = Call("VM.start", (there, *flags))
        again = Step(START_COPY, say("Start the copy again"), start, lane=lane, pool=move.there)
        yield msgspec.structs.replace(again, undoes=_OFF, unless_well=True, only_without=_RUNS)
    if copy is not None:
        yield _removal(move, lane)


def _rest(move: Moved, source: Restored, copy: Restored | None) -> bool:
    """Whether only the copy is left to be removed: the source runs as before, and the copy is off."""
    if copy is None or not move.ran:
        return False
    return source.power_state is PowerState.RUNNING and copy.power_state is PowerState.HALTED


def _removal(move: Moved, lane: str) -> Step:
    disks = tuple(Ref("VDI", disk) for disk in move.disks)
    # It refuses a copy that somebody has started meanwhile.
    call = Call(REMOVE, (Ref("VM", move.copy), Marked(MARK), Flag(False), *disks), own=True)
    return Step(REMOVE, say("Remove the copy, with the disks that the move made"), call, lane=lane, pool=move.there)


def _checks(move: Moved, source: Restored, copy: Restored | None, power: PowerFacts) -> Iterator[Check]:
    vm, host = move.source.name, move.host.name
    rest = _rest(move, source, copy)
    if move.stuck:
        fact = say("job {n}, which moved {vm}, needs a person and holds it", n=move.job, vm=vm)
        yield blocked(
            "stuck", "The move", fact, say("First an admin closes it: {c}.", c=Code(f"/xen resolve {move.job}"))
        )
    if rest:
        yield fine("power", "The source", say("{vm} of {pool} runs already", vm=vm, pool=power.pool.name))
    elif source.power_state is PowerState.RUNNING and copy is not None and copy.power_state is PowerState.RUNNING:
        fact = say("{vm} runs twice: in {pool}, and as a copy on {host}", vm=vm, pool=power.pool.name, host=host)
        stop = say(
            "Stop the one that shall not live: {source} or {copy}.",
            source=Code(f"/xen stop {source.uuid}"),
            copy=Code(f"/xen stop {copy.uuid}"),
        )
        yield blocked("power", "The source", fact, stop)
    elif move.ran:
        yield from before_start(power, "start")
    elif source.power_state is not PowerState.HALTED:
        state = say(power_word(source.power_state))
        fact = say("{vm} of {pool} is {state}", vm=vm, pool=power.pool.name, state=state)
        yield blocked("power", "The source", fact, say("Find out who started it: it runs already."))
    if copy is None:
        yield warning("copy", "The copy", say("the copy on {host} is gone already", host=host))
        return
    state = say(power_word(copy.power_state))
    goes = say("removed" if rest else "switched off and removed")
    fact = say("the copy on {host} is {state}; it is {what}", host=host, state=state, what=goes)
    if copy.power_state in {PowerState.RUNNING, PowerState.HALTED}:
        yield fine("copy", "The copy", fact)
    else:
        yield blocked("copy", "The copy", fact, say("Bring it to running, or shut it down, first."))
    added = sorted(set(copy.disks.values()) - set(move.disks))
    if added:
        what = many([say("disk {uuid}", uuid=Code(uuid)) for uuid in added])
        fact = say("{what} came to the copy since the move; it is not removed", what=what)
        yield warning("added", "Disks that came later", fact, say("Keep or delete it yourself afterwards."))


def _after(move: Moved, source: Restored, copy: Restored | None, power: PowerFacts) -> Iterator[Phrase]:
    vm, host = move.source.name, move.host.name
    since = say(" since {when}", when=Moment(move.at)) if move.at else say(" since the move")
    rest = _rest(move, source, copy)
    if copy is not None:
        size = Size(sum(copy.sizes.values()))
        goes_on = "{vm} runs already." if rest else "{vm} goes on from its last shutdown."
        yield say(
            "What was written on the copy{since} is lost with its disks ({size}): "
            + goes_on
            + " To keep it, back the copy up first: {backup}.",
            since=since,
            size=size,
            vm=vm,
            backup=Code(f"/xen backup {copy.uuid}"),
        )
    if rest:
        yield say("{vm} goes on running in its own pool; only the copy on {host} is removed.", vm=vm, host=host)
    elif move.ran:
        yield say(
            "The copy on {host} is switched off hard, {vm} is started in its own pool; only when it runs the copy is"
            " removed. They never run side by side.",
            host=host,
            vm=vm,
        )
        yield say("Outage: {vm} is off for about {time}, until the source has booted.", vm=vm, time=Span(RESTART_S))
        able = many([one.name for one in fitting(power)]) if fitting(power) else say("no host for now")
        was = say("; before the move it ran on {was}", was=move.was.name) if move.was is not None else say("")
        yield say("{vm} can run on {able}; XAPI chooses{was}.", vm=vm, able=able, was=was)
    back = {"auto_poweron": "automatic power-on", "ha": "its priority in high availability", "tags": "its tags"}
    given = [say(words) for key, words in back.items() if key in source.remembered]
    if given:
        yield say("{vm} gets back {what}.", vm=vm, what=many(given))


async def _replan(earlier: Plan, facts: Facts, _approval: ApprovalSettings, _homes: Homes) -> Plan:
    move = told_by(earlier, made_of(earlier, "VDI"))
    return await plan(msgspec.structs.replace(move, ran=_ran(earlier)), facts)


def _ran(of: Plan) -> bool:
    """Whether the guest ran before the move: then a roll back starts it, unless it runs already."""
    own = next(place for place in of.placements if place.vm == of.targets[0].uuid)
    return step_of(of, START) is not None or own.power_state == PowerState.RUNNING


async def _look(of: Plan, step: Step, facts: Facts) -> Look:
    if step.kind == REMOVE:
        return await restore_look.look(of, step, facts)
    if step.kind in {BACK, HOLD_SOURCE, HOLD_COPY, LET_COPY}:
        return await restore_look.set_aside(of, step, facts)
    uuid = step.call.uuids()[0]
    which = say("{vm}", vm=of.targets[0].name) if uuid == of.targets[0].uuid else say("the copy")
    runs = step.kind in {START, START_COPY}
    try:
        now = await facts.restored(of.pool, uuid)
    except NotFound:
        return Look(Seen.HARMED if runs else Seen.DONE, say("{which} is gone", which=which), ())
    line = say("{which} is {state}", which=which, state=say(power_word(now.power_state)))
    if {"start", "start_on", "hard_shutdown"} & set(now.operations):
        return Look(Seen.GOING_ON, line, ())
    wanted = PowerState.RUNNING if runs else PowerState.HALTED
    return Look(Seen.DONE if now.power_state is wanted else Seen.NOT_DONE, line, ())


async def _guard(of: Plan, step: Step, facts: Facts) -> Phrase | None:
    """Why the source may not be started any more: somebody has started its copy while the source's pool was silent."""
    if step.kind != START:
        return None
    copy = await copy_now(of.targets[3].uuid, of.targets[1].uuid, facts)
    if copy is None or copy.power_state is PowerState.HALTED:
        return None
    return say("the copy is {state} by now", state=say(power_word(copy.power_state)))


async def _sum_up(of: Plan, _done: frozenset[int], facts: Facts) -> Look:
    vm, host = of.targets[0].name, of.targets[2].name
    source = await facts.restored(of.pool, of.targets[0].uuid)
    copy = await copy_now(of.targets[3].uuid, of.targets[1].uuid, facts)
    on = of.names.get(source.host, source.host)
    state = say(power_word(source.power_state))
    running = source.power_state is PowerState.RUNNING
    was = next((one for one in of.targets[4:] if one.uuid != source.host), None)
    other_host = say(" (before the move it ran on {was})", was=was.name) if was is not None else say("")
    again = say("runs again on {on}{other}", on=on, other=other_host)
    runs = again if running else say("is {state}", state=state)
    ran = _ran(of)
    settled = source.name == vm and not source.remembered
    if settled and running is ran and copy is None:
        gone = say("The copy on {host} is gone, with its disks", host=host)
        return Look(Seen.DONE, say("{vm} {runs}: the move is rolled back", vm=vm, runs=runs), (gone,))
    if copy is None:
        return Look(Seen.HARMED, say("{vm} {runs}, and its copy is gone", vm=vm, runs=runs), ())
    if running and copy.power_state is PowerState.RUNNING:
        words = "{vm} RUNS TWICE: on {here} and on {there}; stop one of them"
        there = of.names.get(copy.host, host)
        return Look(Seen.HARMED, say(words, vm=vm, here=on, there=there), ())
    other = say(power_word(copy.power_state))
    line = say("{vm} {runs}; its copy on {host} is {other}", vm=vm, runs=runs, host=host, other=other)
    as_before = source.power_state is PowerState.HALTED and (copy.power_state is PowerState.RUNNING) is ran
    if as_before:
        stays = "its copy runs on {host} as before" if ran else "its copy on {host} is off as before"
        line = say("The move of {vm} was not rolled back: " + stays, vm=vm, host=host)
    return Look(Seen.NOT_DONE if as_before else Seen.HARMED, line, ())


async def _parted(job: JobRecord, facts: Facts) -> Look:
    """Where the source is while the pool of the copy is silent. It is started only once the copy was seen to be off."""
    of = job.filled
    vm, host, there = of.targets[0].name, of.targets[2].name, of.targets[3].name
    source = await facts.restored(of.pool, of.targets[0].uuid)
    left = say(
        "Nobody knows whether the copy on {host} is gone: roll back once more when {there} answers",
        host=host,
        there=there,
    )
    if source.power_state is PowerState.RUNNING:
        on = of.names.get(source.host, source.host)
        return Look(Seen.NOT_DONE, say("{vm} runs again on {on}", vm=vm, on=on), (left,))
    if not _ran(of):
        return Look(Seen.NOT_DONE, say("{vm} is off, as before the move", vm=vm), (left,))
    state = say(power_word(source.power_state))
    down = say("GUEST IS DOWN: {vm} is {state}, and its copy on {host} may run", vm=vm, state=state, host=host)
    return Look(Seen.HARMED, down, (until_certain(vm, there),))


def _running(of: Plan) -> Phrase:
    return say("Rolling back the move of {vm}", vm=of.targets[0].name)


OPERATION = Operation(
    name=NAME,
    replan=_replan,
    look=_look,
    running=_running,
    when_stopped=say("Where the source does not run yet, the copy is started again."),
    settle_s=20.0,
    advanced=entire,
    sum_up=_sum_up,
    whole=True,
    guard=_guard,
    parted=_parted,
    settles=frozenset({MOVE, RETIRE}),
)
