"""The steps of a move by backup, one lane over two pools, and the looks at each of them.

The guest runs in one of the pools or, for a while, in none; never in both. Whatever goes wrong before the end, it is
started again first thing, unless its copy may run: then the copy is stopped first, however long its pool is silent.
"""

from __future__ import annotations

import msgspec

from bot.domain.backup_facts import BackupFacts
from bot.domain.calls import Call, Flag, Made, Ref
from bot.domain.inventory import PowerState
from bot.domain.job import JobState
from bot.domain.plan import Plan, Step
from bot.domain.record import JobRecord, StepState
from bot.domain.restores import Readiness, RestoreFacts
from bot.domain.texts import Code, Phrase, Size, many, say
from bot.domain.words import counted, power_word
from bot.errors import NotFound
from bot.operations import backup_steps, restore_look
from bot.operations.backup_steps import Manner
from bot.operations.base import Look, Seen
from bot.operations.checks.backing import How, disks_of
from bot.operations.ports import Facts
from bot.operations.restore_steps import (
    GUEST,
    IMPORT,
    IMPORT_ONCE,
    REMOVE,
    Bringing,
    arrival,
    aside,
    made_of,
    removal,
    step_of,
)

#: The workers, and the steps of the copy that would otherwise be taken for those of the guest.
COMPARE, WATCH = "move.compare", "move.watch"
START_COPY, STOP_COPY = "move.start-copy", "move.stop-copy"
HELD, RUNS = "held", "copy runs"


def steps(
    read: BackupFacts, into: RestoreFacts, ready: Readiness, sr: str, room: int, *, tools: bool
) -> tuple[Step, ...]:
    """All of it. `into` is where the copy goes, about `room` bytes come into the archive.

    `tools` tells that its tools must answer in the end.
    """
    vm, lane, there = read.vm, read.vm.uuid, into.pool.uuid
    running = vm.power_state is PowerState.RUNNING
    how = How.IN_PLACE if running else How.HALTED
    hold, let_go = aside(
        lane,
        Ref("VM", lane),
        (vm.name, vm.name),
        say("Keep {vm} off: nothing starts it by itself", vm=vm.name),
        say("Give {vm} back what would start it by itself", vm=vm.name),
        makes=HELD,
    )
    export = backup_steps.exporting(read, how, Manner(), Ref("VM", lane), room)
    bringing = Bringing(
        lane=lane,
        backup=Made("backup", f"backup {lane}"),
        archive=Made("archive", f"archive {lane}"),
        told=say("the backup"),
        sizes={disk.userdevice: str(disk.size) for disk in disks_of(read)},
        weight=export.weight,
        worker=IMPORT_ONCE if running else IMPORT,
    )
    bring, prepare = arrival(bringing, sr, ready)
    # From here on the source has nothing to send: the next guest of its host may come.
    bring = msgspec.structs.replace(bring, holds=(backup_steps.ARCHIVE,))
    # The copy is read by then: the pools and the archive have nothing more to send or to take.
    ready_title = say("Make the copy ready: name, networks, addresses")
    prepare = msgspec.structs.replace(prepare, title=ready_title, lets_go=True)
    remove = removal(bringing, ready, started=False)
    copy = Made("VM", GUEST)
    compare = Step(
        COMPARE,
        say("Read the copy back and compare each disk with the backup"),
        Call(COMPARE, (copy, bringing.backup), own=True),
        weight=export.weight,
        lane=lane,
        holds=backup_steps.exporters(into.pool, into.host),
    )
    flags = (Flag(False), Flag(False))
    on = Call("VM.start_on", (copy, Ref("host", ready.host), *flags))
    start_copy = Step(START_COPY, say("Start the copy"), on, lane=lane, makes=RUNS, certain=True)
    watch_title = say("Wait for the tools of the copy" if tools else "Watch the copy for a while")
    watch = Step(WATCH, watch_title, Call(WATCH, (copy, Flag(tools)), own=True), lane=lane)
    stop = Call("VM.hard_shutdown", (copy,))
    stop_copy = Step(STOP_COPY, say("Stop the copy"), stop, lane=lane, undoes=RUNS, unless_well=True)
    found = [hold, export, *_there(there, bring, compare, prepare)]
    # What takes back sends nothing either, however long the other pool is silent then.
    back = [msgspec.structs.replace(_last(let_go, early=True), lets_go=True)]
    if running:
        found = [backup_steps.shutting_down(vm), *found, *_there(there, start_copy, watch, stop_copy)]
        back.append(_last(backup_steps.starting_again(vm), early=True))
    back += _there(there, _last(remove))
    found[0] = msgspec.structs.replace(found[0], holds=backup_steps.places(read))
    return (*found, *back)


def _there(pool: str, *those: Step) -> list[Step]:
    return [msgspec.structs.replace(step, pool=pool) for step in those]


def _last(step: Step, *, early: bool = False) -> Step:
    """A step of the way back, which is gone only where no copy may run."""
    return msgspec.structs.replace(step, unless_well=True, only_without=RUNS, early=early)


# The plan of a job, read again


def tools_wanted(of: Plan) -> bool:
    """Whether the tools of the copy must answer in the end."""
    watch = step_of(of, WATCH)
    return watch is not None and any(watch.call.flags)


def pool_there(of: Plan) -> str:
    """The pool (UUID) in which the copy is made."""
    return next(step.pool for step in of.steps if step.kind == COMPARE)


def runs_after(of: Plan) -> bool:
    """Whether the guest ran when planned, so that its copy is started."""
    return any(step.kind == START_COPY for step in of.steps)


def copy_of(of: Plan) -> str:
    """The copy (UUID), "" while none was made."""
    return next(iter(made_of(of)), "")


def copy_left(by: JobRecord) -> str:
    """The copy (UUID) that a move which went wrong may have left, "" where none was made or it was removed."""
    if by.state not in {JobState.FAILED, JobState.CANCELLED, JobState.NEEDS_ATTENTION}:
        return ""
    removed = any(step.kind == REMOVE and step.state is StepState.DONE for step in by.steps)
    return "" if removed else copy_of(by.filled)


# Looks


async def look(of: Plan, step: Step, facts: Facts) -> Look:
    """Whether what a step is for is so, in the pool in which it is carried out."""
    own = {COMPARE: _compared, START_COPY: _copy_runs, STOP_COPY: _copy_off, WATCH: _watched}
    if step.kind in own:
        return await own[step.kind](of, step, facts)
    if step.kind in {backup_steps.SHUTDOWN, backup_steps.START, backup_steps.EXPORT, backup_steps.EXPORT_IN_PLACE}:
        return await backup_steps.look(of, step, facts)
    return await restore_look.look(of, step, facts)


async def guard(of: Plan, step: Step, facts: Facts) -> Phrase | None:
    """Why the copy may not be started any more: somebody has started the guest while its other pool was silent."""
    if step.kind != START_COPY:
        return None
    now = await facts.restored(of.pool, of.targets[0].uuid)
    if now.power_state is PowerState.HALTED:
        return None
    return say("{vm} itself is {state} by now", vm=of.targets[0].name, state=say(power_word(now.power_state)))


async def _compared(of: Plan, step: Step, facts: Facts) -> Look:
    """The worker leaves a note on the copy, which stays a template until it is ready: nobody writes to its disks."""
    now = await facts.restored(of.pool, step.call.uuids("VM")[0])
    backup = step.call.uuids("backup")[0]
    noted, _, blocks = now.compared.partition(" ")
    if noted != backup:
        return Look(Seen.NOT_DONE, say("the copy was not compared with the backup"), ())
    disks = counted(len(now.disks), "disk", "disks")
    line = say(
        "Compared: read back from the copy, {disks} with {n} blocks hold what backup {backup} holds",
        disks=disks,
        n=f"{int(blocks):,}",
        backup=Code(backup),
    )
    larger = [
        say("disk {device} is {more} larger there, all zeros", device=place, more=Size(now.sizes[place] - size))
        for place, size in _sizes(of).items()
        if now.sizes.get(place, 0) > size
    ]
    told = say("{line}; {larger}", line=line, larger=many(larger)) if larger else line
    return Look(Seen.DONE, told, ())


def _sizes(of: Plan) -> dict[str, int]:
    """Bytes of each disk of the guest when planned, by its place."""
    bring = step_of(of, IMPORT)
    wanted = bring.call.options if bring is not None else ()
    return {place: int(size) for values in wanted for place, size in values.items()}


async def _copy_runs(of: Plan, step: Step, facts: Facts) -> Look:
    now = await facts.restored(of.pool, step.call.uuids("VM")[0])
    line = say("the copy of {vm} is {state}", vm=of.targets[0].name, state=say(power_word(now.power_state)))
    if now.power_state is PowerState.RUNNING and now.host:
        # XAPI shows a guest as running while its start may still fail, and names its start until then.
        return Look(Seen.GOING_ON if now.operations else Seen.DONE, line, ())
    return Look(Seen.GOING_ON if set(now.operations) & {"start", "start_on"} else Seen.NOT_DONE, line, ())


async def _copy_off(of: Plan, step: Step, facts: Facts) -> Look:
    try:
        now = await facts.restored(of.pool, step.call.uuids("VM")[0])
    except NotFound:
        return Look(Seen.DONE, say("the copy of {vm} is gone", vm=of.targets[0].name), ())
    line = say("the copy of {vm} is {state}", vm=of.targets[0].name, state=say(power_word(now.power_state)))
    if now.power_state is PowerState.HALTED:
        return Look(Seen.GOING_ON if set(now.operations) & {"start", "start_on"} else Seen.DONE, line, ())
    return Look(Seen.NOT_DONE, line, ())


async def _watched(of: Plan, step: Step, facts: Facts) -> Look:
    wants_tools = any(step.call.flags)
    now = await facts.restored(of.pool, step.call.uuids("VM")[0])
    name = of.targets[0].name
    if now.power_state is not PowerState.RUNNING:
        state = say(power_word(now.power_state))
        return Look(Seen.HARMED, say("the copy of {vm} does not run any more: it is {state}", vm=name, state=state), ())
    if now.tools:
        return Look(Seen.DONE, say("{vm} runs there, and its tools answer", vm=name), ())
    if wants_tools:
        return Look(Seen.NOT_DONE, say("the copy of {vm} runs, but its tools do not answer", vm=name), ())
    return Look(Seen.DONE, say("{vm} runs there; it has no tools that could answer", vm=name), ())
