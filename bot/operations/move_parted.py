"""What is true of a move by backup while the pool of the copy is silent: where the guest is, and whether both may run.

The copy was certainly never started where its start was never sent, or once it was seen to be off again. Until then
nothing of ours starts the guest beside it, and the job is not closed, unless somebody else has started the guest.
"""

from __future__ import annotations

from collections.abc import Iterator

from bot.domain.inventory import PowerState
from bot.domain.record import JobRecord, StepState
from bot.domain.texts import Code, Phrase, say
from bot.domain.words import power_word
from bot.operations.base import Look, Seen
from bot.operations.move_by_backup_steps import START_COPY, STOP_COPY, copy_of, pool_there, runs_after
from bot.operations.ports import Facts
from bot.operations.restore_steps import IMPORT, REMOVE, mark_of, step_of

_BEGUN = {StepState.INTENT, StepState.SENT, StepState.DONE}


async def parted(job: JobRecord, facts: Facts) -> Look:
    """Where the guest is, by its own pool. Raises NotFound, Unreachable, XapiFailure as a look at that one does."""
    of, vm = job.filled, job.plan.targets[0].name
    here, there = await facts.restored(of.pool, of.targets[0].uuid), of.names.get(pool_there(of), "")
    state = say(power_word(here.power_state))
    left = tuple(_left(job, there))
    if here.power_state is PowerState.RUNNING:
        on = of.names.get(here.host, here.host)
        if not copy_may_run(job):
            return Look(Seen.NOT_DONE, say("{vm} was not moved, and runs on {host}", vm=vm, host=on), left)
        both = "{vm} runs on {host}, started by somebody else, and its copy may run in {there}"
        return Look(Seen.NOT_DONE, say(both, vm=vm, host=on, there=there), left)
    if copy_may_run(job):
        down = say("GUEST IS DOWN: {vm} is {state}, and its copy may run in {there}", vm=vm, state=state, there=there)
        return Look(Seen.HARMED, down, (until_certain(vm, there), *left))
    if not runs_after(of):
        return Look(Seen.NOT_DONE, say("{vm} was not moved, and is off as before", vm=vm), left)
    return Look(Seen.NOT_DONE, say("GUEST IS DOWN: {vm} was not moved, and is {state}", vm=vm, state=state), left)


def until_certain(vm: str, there: str) -> Phrase:
    """What somebody can do about a guest that is off since its copy may run in a silent pool."""
    return say(
        "Nothing starts {vm} before it is certain that its copy does not run. Look at the hosts of {there}; if they are"
        " lost for good, and off, start {vm} with another tool.",
        vm=vm,
        there=there,
    )


def copy_may_run(job: JobRecord) -> bool:
    """Whether the copy may have been started and was not seen to be off since."""
    started = any(one.kind == START_COPY and (one.state in _BEGUN or one.attempts) for one in job.steps)
    stopped = any(one.kind == STOP_COPY and one.state is StepState.DONE for one in job.steps)
    return started and not stopped


def _left(job: JobRecord, there: str) -> Iterator[Phrase]:
    """What may be found in the silent pool: by its UUID where that is known, else by the name that only we give."""
    of = job.filled
    begun = {one.kind for one in job.steps if one.state is not StepState.WAITING}
    removed = any(one.kind == REMOVE and one.state is StepState.DONE for one in job.steps)
    bring, copy = step_of(of, IMPORT), copy_of(of)
    if IMPORT not in begun or removed or bring is None:
        return
    if copy:
        yield say("The copy {uuid} may be left in {there}", uuid=Code(copy), there=there)
    else:
        name = Code(mark_of(bring))
        yield say("A guest called {name}, or disks that it was to get, may be left in {there}", name=name, there=there)
