"""A host that is closed and emptied: a step that stands alone, then steps beside one another."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from engine_bench import Bench, World

from bot.domain.calls import Call, Ref
from bot.domain.plan import Check, Grade, LockKey, Placement, Plan, Step, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.record import StepState
from bot.domain.texts import say
from bot.errors import OutcomeUnknown
from bot.operations.base import Look, Operation, Seen
from bot.operations.ports import TaskStatus, TaskView

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
        self.engine.operations["move"] = Operation(
            "move",
            world.replan,
            world.look,
            lambda plan: say("Evacuating"),
            settle_s=0.05,
            advanced=world.advanced,
            sum_up=world.sum_up,
        )

    async def under_way(self, *guests: str) -> None:
        """Until these steps are sent, and stored as such."""

        async def sent() -> bool:
            record = (await self.store.jobs())[0]
            tasks = {step.task.partition(":")[2] for step in record.steps if step.state is StepState.SENT}
            return tasks == set(guests)

        await self.until(sent)
