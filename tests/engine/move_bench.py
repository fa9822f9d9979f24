"""A guest that is stopped in one pool and brought up as a copy in another: a lane that works in both."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
from engine_bench import QUICK, Bench, World

from bot.domain.calls import Call, Made, Marked, Ref, Text
from bot.domain.inventory import PowerState
from bot.domain.plan import Check, Grade, LockKey, Placement, Plan, Step, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.record import JobRecord, StepState
from bot.domain.texts import Phrase, say
from bot.errors import OutcomeUnknown, TargetFailed, Unreachable
from bot.operations.base import Look, Operation, Seen
from bot.operations.ports import TaskStatus, TaskView
from bot.operations.work import Errand, Reached, Worker

HERE, THERE = "p1", "p2"
OFF, ON = PowerState.HALTED, PowerState.RUNNING


class Moving(World):
    """Two pools: the guest in one, at most one copy of it in the other."""

    def __init__(self) -> None:
        super().__init__()
        self.source = ON
        self.held = False
        self.copy: PowerState | None = None
        self.both = False
        self.silence: set[str] = set()
        self.bad: dict[str, tuple[str, ...]] = {}
        self.begun: list[str] = []
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.shelf_open = asyncio.Event()
        self.full = False
        self.drafts: set[str] = set()
        self.shelf: set[str] = set()
        self.dying = False
        self.silent_once_imported = False
        self.urgent = True
        self.silent_in_the_end = False
        # Set while nobody who asks what is true without the other pool has to wait for the answer.
        self.parts = asyncio.Event()
        self.parts.set()
        # What clearing away writes down, once, when its pool falls silent.
        self.notes = ""

    def _ask(self, pool: str) -> None:
        if pool in self.silence:
            raise Unreachable(f"{pool} does not answer")

    def _look_for_twins(self) -> None:
        self.both = self.both or (self.source is ON and self.copy is ON)

    # Driver
    def silent_s(self, pool: str) -> float:
        return float("inf") if pool in self.silence else 0.0

    async def open_task(self, pool: str, label: str, description: str) -> str:
        self._ask(pool)
        handle = f"{pool}:parent{len(self.parents)}"
        self.parents[handle] = []
        self.labels[handle] = label
        self.tasks[handle] = TaskView(handle, TaskStatus.PENDING, 0.0, (), label, can_cancel=True)
        return handle

    async def task(self, pool: str, handle: str) -> TaskView | None:
        self._ask(pool)
        assert not handle or handle.startswith(pool)
        return self.tasks.get(handle)

    async def wait(self, pool: str, handle: str, *, seen: TaskView | None, at_most_s: float) -> TaskView | None:
        self._ask(pool)
        return await super().wait(pool, handle, seen=seen, at_most_s=at_most_s)

    async def children(self, pool: str, parent: str) -> tuple[TaskView, ...] | None:
        self._ask(pool)
        return await super().children(pool, parent)

    async def cancel(self, pool: str, handle: str) -> bool:
        self._ask(pool)
        return await super().cancel(pool, handle)

    async def begin(self, pool: str, call: Call, *, parent: str, job: str) -> str:
        self._ask(pool)
        subject = next(one.uuid for one in call.args if isinstance(one, Ref))
        self.executed += 1
        self.begun.append(f"{call.method} {subject}")
        handle = f"{pool}:task{self.executed}:{call.method}:{subject}"
        self.tasks[handle] = TaskView(handle, TaskStatus.PENDING, 0.0, (), call.method, can_cancel=True)
        self.parents[parent].append(handle)
        if self.lose == f"{call.method} {subject}":
            self.lose = ""
            self.silence.add(pool)
            self.finish(handle)
            raise OutcomeUnknown("connection reset", ended=False)
        return handle

    def finish(self, handle: str) -> None:
        if handle in self.parents:
            return
        _, _, method, subject = handle.split(":")
        error = self.bad.get(f"{method} {subject}", ())
        if not error:
            power = ON if method == "VM.start" else OFF
            if subject == "v1":
                self.source = power
            elif self.copy is not None:
                self.copy = power
            self._look_for_twins()
        status = TaskStatus.FAILURE if error else TaskStatus.SUCCESS
        self.tasks[handle] = msgspec.structs.replace(self.tasks[handle], status=status, error=error, progress=1.0)

    # Workers
    async def hold(self, errand: Errand) -> None:
        self._ask(errand.pool)
        assert self.source is OFF
        self.held = True

    async def let_go(self, errand: Errand) -> None:
        self._ask(errand.pool)
        self.held = False

    async def export(self, errand: Errand) -> None:
        assert errand.pool == HERE
        assert errand.task in self.tasks
        assert self.source is OFF
        assert self.held
        errand.tell(Reached(1, 2, say("exporting")))
        if not self.shelf_open.is_set():
            await self.go_on.wait()
        if self.full:
            raise TargetFailed("The folder of backups is full.", "Make room.")
        self.shelf.add(errand.nonce)

    async def bring(self, errand: Errand) -> None:
        assert errand.pool == THERE
        self.drafts.add(errand.nonce)
        try:
            errand.tell(Reached(1, 2, say("importing")))
            await self.go_on.wait()
            self._ask(THERE)
            self.copy = OFF
        finally:
            if not self.dying and self.copy is not None:
                self.drafts.discard(errand.nonce)

    async def clear(self, errand: Errand) -> None:
        if self.notes:
            noted, self.notes = self.notes, ""
            # First of all: whoever ends the silence once the note is read must find it begun.
            self.silence.add(errand.pool)
            await errand.note(noted)
        self._ask(errand.pool)
        self.drafts.discard(errand.nonce)

    async def nothing(self, errand: Errand) -> None:
        return

    async def remove(self, errand: Errand) -> None:
        self._ask(errand.pool)
        assert self.copy is not ON
        self.copy = None

    def workers(self) -> dict[str, Worker]:
        return {
            "hold": Worker(self.hold, self.nothing, again=True, tasked=False),
            "let-go": Worker(self.let_go, self.nothing, again=True, tasked=False),
            "export": Worker(self.export, self.nothing),
            "import": Worker(self.bring, self.clear),
            "remove": Worker(self.remove, self.nothing, again=True, tasked=False),
        }

    # The operation
    def plan(self) -> Plan:
        guest, copy = Ref("VM", "v1"), Made("VM", "copy")

        def step(kind: str, method: str, *args: Ref | Made | Marked, own: bool = False, **more: object) -> Step:
            return Step(kind, say("{kind}", kind=kind), Call(method, args, own=own), lane="v1", **more)  # type: ignore[arg-type]

        back = {"unless_well": True, "only_without": "runs"}
        soon = {**back, "early": self.urgent}
        return Plan(
            operation="move",
            pool=HERE,
            title=say("Move v1"),
            targets=(Target("VM", "v1", "v1"),),
            placements=(Placement("v1", "h1", ON.value, ()),),
            checks=(Check("room", Grade.OK, "Room", say("enough")),),
            risk=self.risk,
            risk_reasons=(),
            steps=(
                step("shutdown", "VM.clean_shutdown", guest, makes="halt"),
                step("hold", "hold", guest, own=True, makes="held"),
                step("export", "export", guest, Marked("x"), own=True),
                step("import", "import", Marked("x"), own=True, makes="copy", pool=THERE),
                step("start-copy", "VM.start", copy, makes="runs", certain=True, pool=THERE),
                step("stop-copy", "VM.hard_shutdown", copy, undoes="runs", unless_well=True, pool=THERE),
                step("let-go", "let-go", guest, own=True, undoes="held", **soon),
                step("start", "VM.start", guest, undoes="halt", **soon),
                step("remove", "remove", copy, own=True, undoes="copy", pool=THERE, **back),
            ),
            locks=(LockKey("VM", "v1", "v1"),),
            names={"v1": "v1"},
        )

    async def replan(self, plan: Plan, _facts: object, _approval: ApprovalSettings, homes: Mapping[str, str]) -> Plan:
        return plan

    async def look(self, plan: Plan, step: Step, _facts: object) -> Look:
        assert plan.pool == (step.pool or HERE)
        self._ask(plan.pool)
        made: dict[str, str] = {}
        match step.kind:
            case "shutdown":
                done = self.source is OFF
            case "start":
                done = self.source is ON
            case "hold" | "let-go":
                done = self.held is (step.kind == "hold")
            case "export":
                done = any(isinstance(one, Text) and one.value.split()[-1] in self.shelf for one in step.call.args)
            case "import":
                done = self.copy is not None
                made = {"copy": "c1"} if done else {}
                if done and self.silent_once_imported:
                    self.silence.add(THERE)
            case "start-copy":
                done = self.copy is ON
                if done and self.silent_in_the_end:
                    self.silence.add(THERE)
            case "stop-copy":
                done = self.copy is not ON
            case _:
                done = self.copy is None
        headline = say("{kind} looked at", kind=step.kind)
        return Look(Seen.DONE if done else Seen.NOT_DONE, headline, (), made=made)

    async def guard(self, _plan: Plan, step: Step, _facts: object) -> Phrase | None:
        self._ask(HERE)
        return say("v1 runs by now") if step.kind == "start-copy" and self.source is ON else None

    async def sum_up(self, plan: Plan, done: frozenset[int], _facts: object) -> Look:
        self._ask(THERE if self.silent_in_the_end else HERE)
        if self.copy is ON and self.source is OFF and self.held:
            return Look(Seen.DONE, say("v1 runs there"), ())
        if self.source is ON and not self.held:
            return Look(Seen.NOT_DONE, say("v1 was not moved and runs as before"), ())
        return Look(Seen.HARMED, say("v1 is down"), ())

    async def parted(self, job: JobRecord, _facts: object) -> Look:
        await self.parts.wait()
        self._ask(HERE)
        may_run = any(one.kind == "start-copy" and one.attempts for one in job.steps)
        may_run = may_run and not any(one.kind == "stop-copy" and one.state is StepState.DONE for one in job.steps)
        if self.source is ON:
            return Look(Seen.NOT_DONE, say("v1 runs as before"), (say("c1 may be left"),))
        return Look(Seen.HARMED if may_run else Seen.NOT_DONE, say("v1 is down"), ())


class MoveBench(Bench):
    """The bench with that operation and its workers."""

    async def open(self) -> None:
        await super().open()
        world = self.world
        assert isinstance(world, Moving)
        world.dying = False
        self.engine.operations["move"] = Operation(
            "move",
            world.replan,
            world.look,
            lambda plan: say("Moving"),
            settle_s=0.05,
            sum_up=world.sum_up,
            whole=True,
            guard=world.guard,
            parted=world.parted,
        )
        self.engine.workers = world.workers()
        self.engine.pace = msgspec.structs.replace(QUICK, crowded=0.01, stubborn=5, stopping=0.02)

    async def importing(self) -> int:
        """A move that stands in the middle of its import until `go_on` is set; gives the job's number."""
        world = self.world
        assert isinstance(world, Moving)
        world.go_on.clear()
        world.shelf_open.set()
        number = await self.started()

        async def imports() -> bool:
            return bool(world.drafts)

        await self.until(imports)
        return number

    async def crash(self) -> None:
        world = self.world
        assert isinstance(world, Moving)
        world.dying = True
        await super().crash()
