"""Which steps of a job may begin. Pure.

In a plan without lanes nothing begins any more once one step has ended otherwise than well. In a plan with lanes each
lane is a way of its own: what it has begun it takes back at its end, whatever happened between.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from bot.domain.plan import LockKey, Plan
from bot.domain.record import BAD, BEGUN, JobRecord, StepRecord, StepState


def _anyone(_index: int) -> bool:
    return True


def _nowhere(_index: int, _beside: Collection[int]) -> bool:
    return False


def ready(
    record: JobRecord,
    running: Collection[int],
    *,
    stopping: bool,
    may_open: Callable[[int], bool] = _anyone,
    crowded: Callable[[int, Collection[int]], bool] = _nowhere,
) -> Iterator[int]:
    """The steps that may begin, or be taken up after a crash, beside those that run (all by index).

    `stopping` tells that somebody wants the job stopped: then one step more says so, unless those under way will.
    `may_open` is asked for the first step of a lane that has not begun; `crowded` in a plan without lanes whether a
    step finds enough to do where it would work, given those of this job that are under way.
    """
    steps = [step for step in record.steps if step.index not in running]
    adopted = [step.index for step in steps if step.state in BEGUN]
    yield from adopted
    begun = frozenset({*running, *adopted})
    if any(step.lane for step in record.plan.steps):
        yield from _of_lanes(record, begun, may_open, stopping=stopping)
    elif not any(step.state in BAD for step in steps):
        yield from _of_all(record, begun, crowded, stopping=stopping)


def _of_all(
    record: JobRecord, begun: Collection[int], crowded: Callable[[int, Collection[int]], bool], *, stopping: bool
) -> Iterator[int]:
    room = max(1, record.plan.parallel) if not stopping else 1
    beside = set(begun)
    for step in record.steps:
        if step.state is not StepState.WAITING or step.index in begun:
            continue
        ahead = [one for one in record.steps if one.index < step.index and one.state is not StepState.DONE]
        alone = record.plan.steps[step.index].alone
        if len(beside) >= room or (ahead and (alone or any(record.plan.steps[one.index].alone for one in ahead))):
            return
        # One of a job is always let begin, so that it gets on however much others do.
        if beside and crowded(step.index, beside):
            return
        beside.add(step.index)
        yield step.index


def sites(plan: Plan, index: int) -> frozenset[str]:
    """The hosts (UUIDs) that a step burdens: those it names, and those its guests ran on when planned."""
    homes = {place.vm: place.host for place in plan.placements if place.host is not None}
    call = plan.steps[index].call
    return frozenset({*call.uuids("host"), *(homes[vm] for vm in call.uuids("VM") if vm in homes)})


def _of_lanes(
    record: JobRecord, begun: Collection[int], may_open: Callable[[int], bool], *, stopping: bool
) -> Iterator[int]:
    ways = of_each(record)
    untouched = [lane for lane, steps in ways.items() if not any(_touched(step, begun) for step in steps)]
    taken = 0
    for lane, steps in ways.items():
        if lane in untouched:
            continue
        onward = _early(record, steps, begun) if any(step.index in begun for step in steps) else _onward(record, steps)
        taken += onward is not None or any(step.index in begun for step in steps)
        if onward is not None:
            yield onward
    room = max(1, record.plan.parallel)
    if stopping:
        # Lanes that never began need not say so, where another step has.
        room = 0 if any(step.state in BAD for step in record.steps) else 1
    for lane in untouched:
        first = ways[lane][0].index
        if taken < room and (stopping or may_open(first)):
            taken += 1
            yield first


def of_each(record: JobRecord) -> dict[str, list[StepRecord]]:
    """The steps of each lane, in order."""
    ways: dict[str, list[StepRecord]] = {}
    for step in record.steps:
        ways.setdefault(record.plan.steps[step.index].lane, []).append(step)
    return ways


def held(record: JobRecord, lane: list[StepRecord]) -> tuple[LockKey, ...]:
    """The places of a lane that is under way: those of the latest of its begun steps that holds any or lets go."""
    begun = (record.plan.steps[step.index] for step in reversed(lane) if step.state is not StepState.WAITING)
    return next((one.holds for one in begun if one.holds or one.lets_go), ())


def over(record: JobRecord, lane: list[StepRecord]) -> bool:
    """Whether nothing of the lane is under way or left to be done."""
    begun = any(step.state in BEGUN for step in lane)
    return not begun and any(_touched(step, ()) for step in lane) and _onward(record, lane) is None


def _touched(step: StepRecord, begun: Collection[int]) -> bool:
    return step.state is not StepState.WAITING or step.index in begun


def _onward(record: JobRecord, lane: list[StepRecord]) -> int | None:
    """The next step of a lane in which none runs: on its way, or back; None when it is over."""
    well = True
    for step in lane:
        planned = record.plan.steps[step.index]
        if step.state is not StepState.WAITING:
            well = well and step.state is StepState.DONE
        elif planned.undoes:
            if not (planned.unless_well and well) and _to_undo(record, lane, step.index):
                return step.index
        elif well:
            return step.index
    return None


def _early(record: JobRecord, lane: list[StepRecord], begun: Collection[int]) -> int | None:
    """What may be taken back beside a step that has failed and is being cleared away."""
    if any(step.index in begun and not (step.state in BEGUN and step.error) for step in lane):
        return None
    for step in lane:
        planned = record.plan.steps[step.index]
        if step.state is StepState.WAITING and planned.early and _to_undo(record, lane, step.index):
            return step.index
    return None


def _to_undo(record: JobRecord, lane: list[StepRecord], index: int) -> bool:
    """Whether there is anything to take back: it was begun, and what it made is known."""
    planned = record.plan.steps[index]
    if planned.only_without and not _without(record, lane, planned.only_without):
        return False
    return _came_about(record, lane, planned.undoes) and record.step(index) is not None


def _came_about(record: JobRecord, lane: list[StepRecord], made: str) -> bool:
    """Whether what goes by that name may be there. Where nothing was ever sent for it, it is not."""
    makers = [step for step in lane if record.plan.steps[step.index].makes == made]
    return any(step.state in BEGUN or step.state is StepState.DONE or step.attempts for step in makers)


def _without(record: JobRecord, lane: list[StepRecord], made: str) -> bool:
    takers = [step for step in lane if record.plan.steps[step.index].undoes == made]
    return not _came_about(record, lane, made) or any(step.state is StepState.DONE for step in takers)


def complete(record: JobRecord) -> bool:
    """Whether all that was wanted is done."""
    return not undone(record)


def undone(record: JobRecord) -> list[StepRecord]:
    """The steps that are wanted and not done; what is only for a lane that went wrong, and did not begin, is not."""
    return [
        step
        for step in record.steps
        if step.state is not StepState.DONE
        and not (record.plan.steps[step.index].unless_well and step.state is StepState.WAITING)
    ]


def kept(record: JobRecord) -> frozenset[int]:
    """The steps that are done and were not taken back."""
    planned = record.plan.steps
    undone = {(planned[index].lane, planned[index].undoes) for index in record.done if planned[index].undoes}
    return frozenset(
        index
        for index in record.done
        if not planned[index].undoes and (planned[index].lane, planned[index].makes) not in undone
    )
