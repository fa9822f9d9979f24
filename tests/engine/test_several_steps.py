"""A job of several steps: each step happens once, in its order, and what is told in the end is what is true."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

import msgspec
import pytest
from engine_bench import ADMIN, OPERATOR, Bench, World

from bot.domain.job import JobState
from bot.domain.plan import Call, Check, Grade, LockKey, Placement, Plan, Ref, Step, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.record import JobRecord, StepState
from bot.domain.texts import plain, say
from bot.errors import OutcomeUnknown
from bot.operations.base import Look, Operation, Seen
from bot.operations.ports import TaskStatus, TaskView
from bot.store import Store

GUESTS = ("v1", "v2", "v3", "v4")


class Fold(World):
    """A host to be closed, and guests on it that are to go to another one."""

    def __init__(self) -> None:
        super().__init__()
        self.closed_host = False
        self.where = dict.fromkeys(GUESTS, "h1")
        self.moving: set[str] = set()
        self.halted: set[str] = set()
        self.bad: dict[str, tuple[str, ...]] = {}
        self.begun: list[str] = []
        self.most = 0
        self.parallel = 2
        self.worse: frozenset[str] = frozenset()

    # Driver
    async def begin(self, pool: str, call: Call, *, parent: str, job: str) -> str:
        self.executed += 1
        subject = next(one.uuid for one in call.args if isinstance(one, Ref))
        self.begun.append(subject)
        handle = f"task{self.executed}:{subject}"
        self.tasks[handle] = TaskView(handle, TaskStatus.PENDING, 0.0, (), call.method, can_cancel=True)
        self.parents[parent].append(handle)
        self.moving.add(subject)
        self.most = max(self.most, len(self.moving))
        if self.lose == subject:
            self.lose = ""
            raise OutcomeUnknown("connection reset", ended=True)
        return handle

    def finish(self, handle: str) -> None:
        subject = handle.partition(":")[2]
        self.moving.discard(subject)
        error = self.bad.get(subject, ())
        if not error and subject == "h1":
            self.closed_host = True
        elif not error:
            self.where[subject] = "h2"
        status = TaskStatus.FAILURE if error else TaskStatus.SUCCESS
        self.tasks[handle] = msgspec.structs.replace(self.tasks[handle], status=status, error=error, progress=1.0)

    async def cancel(self, pool: str, handle: str) -> bool:
        self.moving.discard(handle.partition(":")[2])
        self.tasks[handle] = msgspec.structs.replace(self.tasks[handle], status=TaskStatus.CANCELLED)
        return True

    # The operation
    def plan(self) -> Plan:
        def step(kind: str, subject: str, *, alone: bool) -> Step:
            return Step(kind, say("{what} {it}", what=kind, it=subject), Call(kind, (Ref("x", subject),)), alone=alone)

        return Plan(
            operation="move",
            pool="p1",
            title=say("Evacuate {host}", host="host1"),
            targets=(Target("host", "h1", "host1"),),
            placements=tuple(Placement(one, self.where[one], "Running", ()) for one in GUESTS),
            checks=tuple(
                Check(f"guest:{one}", Grade.BLOCKED if one in self.worse else Grade.OK, one, say("fits"))
                for one in GUESTS
            ),
            risk=self.risk,
            risk_reasons=(),
            steps=(step("close", "h1", alone=True), *(step("move", one, alone=False) for one in GUESTS)),
            locks=tuple(LockKey("VM", one, one) for one in GUESTS),
            names={one: one for one in GUESTS},
            parallel=self.parallel,
        )

    def advanced(self, plan: Plan, begun: frozenset[int]) -> Plan:
        left = tuple(step for index, step in enumerate(plan.steps) if index not in begun)
        guests = {one.uuid for step in left for one in step.call.args if isinstance(one, Ref)}
        kept = tuple(place for place in plan.placements if place.vm in guests)
        return msgspec.structs.replace(plan, steps=left, placements=kept)

    async def replan(self, plan: Plan, _facts: object, _approval: ApprovalSettings, homes: Mapping[str, str]) -> Plan:
        self.homes = dict(homes)
        fresh, left = self.plan(), {place.vm for place in plan.placements}
        return msgspec.structs.replace(
            fresh,
            steps=plan.steps,
            placements=tuple(place for place in fresh.placements if place.vm in left),
            checks=tuple(check for check in fresh.checks if check.key.partition(":")[2] in left),
        )

    async def look(self, _plan: Plan, step: Step, _facts: object) -> Look:
        subject = next(one.uuid for one in step.call.args if isinstance(one, Ref))
        if subject in self.halted:
            return Look(Seen.HARMED, say("{vm} is halted", vm=subject), ())
        if subject in self.moving:
            return Look(Seen.GOING_ON, say("{vm} is moving", vm=subject), ())
        done = self.closed_host if subject == "h1" else self.where[subject] == "h2"
        return Look(Seen.DONE if done else Seen.NOT_DONE, say("{vm} looked at", vm=subject), ())

    async def sum_up(self, _plan: Plan, done: frozenset[int], _facts: object) -> Look:
        left = [vm for vm, host in self.where.items() if host == "h1"]
        if not left:
            return Look(Seen.DONE, say("host1 is disabled and empty"), ())
        return Look(Seen.NOT_DONE, say("host1 is DISABLED, {n} of 4 moved", n=len(done) - 1), ())


class FoldBench(Bench):
    """The bench with the operation of several steps."""

    async def open(self) -> None:
        await super().open()
        world = self.world
        assert isinstance(world, Fold)
        self.engine.operations["move"] = Operation(  # type: ignore[index]
            "move",
            world.replan,
            world.look,
            lambda plan: say("Evacuating"),
            settle_s=0.05,
            advanced=world.advanced,
            sum_up=world.sum_up,
        )


@pytest.fixture
def world() -> Fold:
    return Fold()


@pytest.fixture
async def fold(tmp_path, world: Fold):  # noqa: ANN001, ANN201  pytest's own types
    bench = FoldBench(tmp_path / "store.sqlite", world)
    await bench.open()
    yield bench
    await bench.crash()


async def started(fold: FoldBench) -> int:
    number = await fold.propose()
    await fold.press(number, "confirm")
    return number


async def under_way(fold: FoldBench, *guests: str) -> None:
    """Until these steps are sent, and stored as such."""

    async def sent() -> bool:
        record = (await fold.store.jobs())[0]
        tasks = {step.task.partition(":")[2] for step in record.steps if step.state is StepState.SENT}
        return tasks == set(guests)

    await fold.until(sent)


def states(record: JobRecord) -> list[str]:
    return [step.state.value for step in record.steps]


async def test_all_steps_run_and_the_whole_is_looked_at(fold: FoldBench, world: Fold) -> None:
    record = await fold.ended(await started(fold), "SUCCEEDED", "PARTIAL", "FAILED")
    assert record.state is JobState.SUCCEEDED
    assert plain(record.outcome) == "host1 is disabled and empty"
    assert world.begun[0] == "h1"
    assert sorted(world.begun[1:]) == list(GUESTS)
    assert (await fold.store.verify_audit())[2] is None


async def test_each_step_is_on_the_trail_as_it_ends_and_the_last_one_with_the_jobs_end(
    fold: FoldBench, world: Fold
) -> None:
    await fold.ended(await started(fold), "SUCCEEDED")
    trail = list(reversed(await fold.store.audit(limit=50)))
    told = [json.loads(one.detail) for one in trail if one.tag == "job:step"]
    end = json.loads(next(one.detail for one in trail if one.tag == "job:succeed"))
    steps = [one["step"] for one in (*told, end["last"])]
    assert steps[0] == "close h1"
    assert sorted(steps[1:]) == [f"move {guest}" for guest in GUESTS]
    assert {one["outcome"] for one in told} <= {"h1 looked at", *(f"{guest} looked at" for guest in GUESTS)}


async def test_the_step_that_stands_alone_ends_before_others_begin_and_no_more_run_than_the_plan_says(
    fold: FoldBench, world: Fold
) -> None:
    world.released.clear()
    number = await started(fold)
    await under_way(fold, "h1")
    assert world.begun == ["h1"]
    world.released.set()
    await fold.ended(number, "SUCCEEDED")
    assert world.most == 2


async def test_what_the_job_itself_moved_is_no_drift_and_raises_no_risk(fold: FoldBench, world: Fold) -> None:
    world.parallel = 1
    await fold.ended(await started(fold), "SUCCEEDED")
    assert world.homes == {"v1": "h1", "v2": "h1", "v3": "h1"}


async def test_a_step_that_fails_ends_the_job_partly_and_says_what_is_true(fold: FoldBench, world: Fold) -> None:
    world.parallel, world.bad["v2"] = 1, ("HOST_NOT_ENOUGH_FREE_MEMORY", "4", "2")
    record = await fold.ended(await started(fold), "PARTIAL", "FAILED")
    assert record.state is JobState.PARTIAL
    assert plain(record.outcome) == "host1 is DISABLED, 1 of 4 moved"
    assert "memory" in " ".join(plain(line) for line in record.evidence)
    assert world.begun == ["h1", "v1", "v2"]
    assert states(record) == ["DONE", "DONE", "FAILED", "WAITING", "WAITING"]
    card = [parcel for parcel in await fold.store.due() if parcel.kind == "card"][-1]
    told = str(card.message)
    assert "Not done" in told
    assert "Ask again" in told
    # Everybody's guests are free again.
    await fold.propose()


async def test_what_is_under_way_beside_a_failure_is_watched_to_its_end(fold: FoldBench, world: Fold) -> None:
    world.released.clear()
    number = await started(fold)
    await under_way(fold, "h1")
    world.finish("task1:h1")
    await under_way(fold, "v1", "v2")
    world.bad["v1"] = ("INTERNAL_ERROR", "boom")
    world.finish(next(handle for handle in world.tasks if handle.endswith(":v1")))

    async def failed() -> bool:
        return (await fold.store.job(number)).steps[1].state is StepState.FAILED

    await fold.until(failed)
    await fold.crash()
    await fold.open()
    await under_way(fold, "v2")
    world.released.set()
    record = await fold.ended(number, "PARTIAL")
    assert states(record) == ["DONE", "FAILED", "DONE", "WAITING", "WAITING"]
    # The sentence of the failure outlives the crash.
    assert "boom" in " ".join(plain(line) for line in record.evidence)


async def test_a_first_step_that_fails_has_changed_nothing(fold: FoldBench, world: Fold) -> None:
    world.bad["h1"] = ("HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN",)
    record = await fold.ended(await started(fold), "PARTIAL", "FAILED")
    assert record.state is JobState.FAILED
    assert world.begun == ["h1"]


async def test_a_guest_found_halted_is_the_headline(fold: FoldBench, world: Fold) -> None:
    world.parallel, world.bad["v1"] = 1, ("VM_SUSPEND_TIMEOUT", "v1", "60")
    world.halted.add("v1")
    record = await fold.ended(await started(fold), "PARTIAL")
    assert plain(record.outcome).startswith("v1 is halted; host1 is DISABLED")


async def test_a_rest_that_has_drifted_is_not_gone_on_with(fold: FoldBench, world: Fold) -> None:
    world.parallel = 1
    world.released.clear()
    number = await started(fold)
    await under_way(fold, "h1")
    world.where["v3"] = "h9"
    world.released.set()
    record = await fold.ended(number, "PARTIAL", "SUCCEEDED")
    assert record.state is JobState.PARTIAL
    assert "v3 was on h1, now it is on h9" in " ".join(plain(line) for line in record.evidence)
    assert world.begun == ["h1"]


async def test_the_ceiling_stays_for_the_rest(fold: FoldBench, world: Fold) -> None:
    world.parallel = 1
    world.released.clear()
    number = await started(fold)
    await under_way(fold, "h1")
    world.worse = frozenset({"v4"})
    world.released.set()
    record = await fold.ended(number, "PARTIAL", "SUCCEEDED")
    assert record.state is JobState.PARTIAL
    assert world.begun == ["h1"]


async def test_cancel_reaches_every_step_under_way(fold: FoldBench, world: Fold) -> None:
    world.released.clear()
    number = await started(fold)
    await under_way(fold, "h1")
    world.finish("task1:h1")
    await under_way(fold, "v1", "v2")
    await fold.control.cancel(number, await world.person("T", OPERATOR))
    record = await fold.ended(number, "PARTIAL", "CANCELLED")
    assert record.state is JobState.PARTIAL
    assert states(record) == ["DONE", "CANCELLED", "CANCELLED", "WAITING", "WAITING"]
    assert {world.where[one] for one in GUESTS} == {"h1"}


async def test_a_lost_answer_beside_others_leads_to_exactly_one_execution(fold: FoldBench, world: Fold) -> None:
    world.lose = "v2"
    await fold.ended(await started(fold), "SUCCEEDED")
    assert sorted(world.begun) == ["h1", *GUESTS]


async def test_a_kill_at_every_stored_step_repeats_nothing_and_loses_nothing(fold: FoldBench, world: Fold) -> None:
    """Finds the points itself: the store is stopped at its n-th write of a step, for every n there is."""
    point, reached = 0, True
    while reached:
        point += 1
        world.__init__()  # type: ignore[misc]
        reached = await _killed_at(fold, world, point)
    # Five steps with four writes each: opened, about to be sent, sent, ended; the last end is written with the job's.
    assert point >= 5 * 4


async def _killed_at(fold: FoldBench, world: Fold, point: int) -> bool:
    """Whether the job lived long enough to be killed right after its write number `point`."""
    real, writes, stopped = Store.save_step, 0, asyncio.Event()

    async def counted(store: Store, *args: object, **named: object) -> JobRecord:
        nonlocal writes
        record = await real(store, *args, **named)
        if record.state is JobState.RUNNING:
            writes += 1
            if writes == point:
                stopped.set()
            if writes >= point:
                await asyncio.Event().wait()
        return record

    fold.store.save_step = counted.__get__(fold.store)  # type: ignore[method-assign]
    number = await started(fold)
    over = asyncio.create_task(fold.ended(number, "SUCCEEDED"))
    halt = asyncio.create_task(stopped.wait())
    await asyncio.wait({over, halt}, return_when=asyncio.FIRST_COMPLETED)
    reached = halt.done()
    for task in (over, halt):
        task.cancel()
    await asyncio.wait({over, halt})
    await fold.crash()
    await fold.open()
    record = await fold.ended(number, "SUCCEEDED", "PARTIAL", "FAILED", "NEEDS_ATTENTION")
    assert len(world.begun) == len(set(world.begun)), point
    if record.state is JobState.NEEDS_ATTENTION:
        # Killed between writing that a call is about to be sent and sending it: nobody can know, so a person looks.
        unclear = [step.index for step in record.steps if step.state is StepState.UNCLEAR]
        assert unclear
        assert not {("h1", *GUESTS)[index] for index in unclear}.intersection(world.begun), (point, states(record))
        for _ in unclear:
            await fold.control.resolve(number, await world.person("T", ADMIN), "not-done")
        assert (await fold.store.job(number)).state is (JobState.PARTIAL if world.begun else JobState.FAILED)
    else:
        assert record.state is JobState.SUCCEEDED, (point, plain(record.outcome), states(record))
        assert sorted(world.begun) == ["h1", *GUESTS], point
    return reached


async def test_progress_on_the_card_counts_steps_and_never_falls(fold: FoldBench, world: Fold) -> None:
    seen: list[float] = []
    real = fold.store.save_step

    async def noted(*args: object, **named: object) -> JobRecord:
        record = await real(*args, **named)  # type: ignore[arg-type]
        parts = {type(part).__name__: part for parcel in await fold.store.due() for part in parcel.message.parts}
        if "Progress" in parts:
            seen.append(parts["Progress"].fraction)  # type: ignore[union-attr]
        return record

    fold.store.save_step = noted  # type: ignore[method-assign]
    await fold.ended(await started(fold), "SUCCEEDED")
    assert seen == sorted(seen)
    assert seen[-1] > 0.5


async def test_an_unclear_step_is_closed_by_looking_and_the_rest_stays_undone(fold: FoldBench, world: Fold) -> None:
    world.parallel = 1
    world.released.clear()
    number = await started(fold)
    await under_way(fold, "h1")
    world.finish("task1:h1")
    await under_way(fold, "v1")
    world.moving.clear()
    world.tasks.clear()
    record = await fold.ended(number, "NEEDS_ATTENTION")
    assert states(record)[:3] == ["DONE", "UNCLEAR", "WAITING"]
    world.where["v1"] = "h2"
    await fold.control.resolve(number, await world.person("T", ADMIN), "")
    record = await fold.store.job(number)
    assert record.state is JobState.PARTIAL
    assert states(record)[:3] == ["DONE", "DONE", "WAITING"]


async def test_ask_again_asks_for_the_rest_only(fold: FoldBench, world: Fold) -> None:
    world.parallel, world.bad["v2"] = 1, ("INTERNAL_ERROR", "boom")
    number = await started(fold)
    await fold.ended(number, "PARTIAL")
    await fold.press(number, "ask_again")
    again = (await fold.store.jobs())[0]
    assert again.number != number
    assert [plain(step.title) for step in again.plan.steps] == ["move v2", "move v3", "move v4"]
