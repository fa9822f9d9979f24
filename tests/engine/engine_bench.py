"""A small pool behind our own ports: it keeps what a real one would, and loses what a test tells it to lose."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec
from job_records import clicked

from bot.domain.calls import Call, Options, Ref
from bot.domain.guest_facts import Whereabouts
from bot.domain.inventory import Pool, PowerState, Tools
from bot.domain.plan import Check, Grade, LockKey, Placement, Plan, Risk, Step, Target
from bot.domain.policy import ApprovalSettings, Person, Role, held
from bot.domain.record import JobRecord
from bot.domain.texts import Phrase, say
from bot.errors import NotAllowed, OutcomeUnknown, Unreachable
from bot.jobs.control import Control
from bot.jobs.decisions import Decisions
from bot.jobs.engine import Engine
from bot.jobs.judging import Pace
from bot.jobs.proposals import Proposals
from bot.operations.base import Look, Operation, Operations, Seen
from bot.operations.ports import TaskStatus, TaskView
from bot.operations.xapi_words import explain
from bot.store import Store

OPERATOR, APPROVER, SECOND, ADMIN, GLASS = "UOP", "UAP", "UA2", "UAD", "UBG"
QUICK = Pace(retry=0.01, card=0.0, quiet=0.03, early_failure=0.02, vanished=0.05)


def _words(error: tuple[str, ...]) -> Phrase:
    return explain(error[0], error[1:])


class World:
    """One guest, two hosts, and a coordinator that can be told to misbehave."""

    def __init__(self) -> None:
        self.at = "h1"
        self.power = PowerState.RUNNING
        self.operations: tuple[str, ...] = ()
        self.tasks: dict[str, TaskView] = {}
        self.parents: dict[str, list[str]] = {}
        self.labels: dict[str, str] = {}
        self.executed = 0
        self.lose = ""
        self.duration = 0
        self.fails: tuple[str, ...] = ()
        self.silent = False
        self.closed: list[str] = []
        self.released = asyncio.Event()
        self.released.set()
        self.risk = Risk.LOW
        self.homes: dict[str, str] = {}
        self.grade = Grade.OK
        self.schedules: object = None
        self.roles = {
            OPERATOR: frozenset({Role.OPERATOR}),
            APPROVER: frozenset({Role.APPROVER, Role.OPERATOR}),
            SECOND: frozenset({Role.APPROVER}),
            ADMIN: frozenset({Role.ADMIN}),
            GLASS: frozenset({Role.OPERATOR, Role.BREAK_GLASS}),
        }

    # Directory
    async def person(self, team: str, user: str) -> Person:
        if user not in self.roles:
            raise NotAllowed("Nobody knows this person.")
        return Person(team, user, roles=held(self.roles[user]))

    async def holders(self, role: Role) -> frozenset[str]:
        return frozenset(user for user, roles in self.roles.items() if role in held(roles))

    async def some(self, role: Role, most: int) -> tuple[tuple[str, ...], int]:
        found = sorted(await self.holders(role))
        return tuple(found[:most]), len(found[most:])

    # Facts
    async def whereabouts(self, pool: str, vm: str) -> Whereabouts:
        if self.silent:
            raise Unreachable("nobody answers")
        return Whereabouts(self.power, self.at, None, self.operations, Tools.PRESENT, ())

    async def migration(self, vm: str, host: str) -> object:
        raise NotImplementedError

    # Driver
    def known(self, pool: str) -> Pool:
        return Pool(pool, "experiment", "experiment", "h1", ha_enabled=False, upgrading=False, default_sr=None)

    def silent_s(self, pool: str) -> float:
        return 0.0

    async def open_task(self, pool: str, label: str, description: str) -> str:
        handle = f"parent{len(self.parents)}"
        self.parents[handle] = []
        self.labels[handle] = label
        if self.lose == "label":
            self.lose = ""
            raise OutcomeUnknown("connection reset", ended=True)
        return handle

    async def labelled(self, pool: str, nonce: str) -> tuple[str, ...]:
        return tuple(handle for handle, label in self.labels.items() if label.endswith(nonce))

    async def begin(self, pool: str, call: Call, *, parent: str, job: str) -> str:
        if self.lose == "before":
            self.lose = ""
            raise OutcomeUnknown("connection reset", ended=True)
        self.executed += 1
        handle = f"task{self.executed}"
        self.tasks[handle] = TaskView(handle, TaskStatus.PENDING, 0.0, (), call.method, can_cancel=True)
        if parent in self.parents:
            self.parents[parent].append(handle)
        self.operations = ("pool_migrate",)
        if self.lose == "after":
            self.lose = ""
            raise OutcomeUnknown("connection reset", ended=True)
        return handle

    def finish(self, handle: str) -> None:
        if self.fails:
            status, error = TaskStatus.FAILURE, self.fails
        else:
            status, error, self.at = TaskStatus.SUCCESS, (), "h2"
        self.operations = ()
        self.tasks[handle] = msgspec.structs.replace(self.tasks[handle], status=status, error=error, progress=1.0)

    async def task(self, pool: str, handle: str) -> TaskView | None:
        if self.silent:
            raise Unreachable("nobody answers")
        return self.tasks.get(handle)

    async def children(self, pool: str, parent: str) -> tuple[TaskView, ...] | None:
        if parent not in self.parents:
            return None
        return tuple(self.tasks[one] for one in self.parents[parent] if one in self.tasks)

    async def wait(self, pool: str, handle: str, *, seen: TaskView | None, at_most_s: float) -> TaskView | None:
        view = await self.task(pool, handle)
        if view is not None and view.status is TaskStatus.PENDING and self.released.is_set():
            self.finish(handle)
        await asyncio.sleep(0)
        return await self.task(pool, handle)

    async def cancel(self, pool: str, handle: str) -> bool:
        self.tasks[handle] = msgspec.structs.replace(self.tasks[handle], status=TaskStatus.CANCELLED)
        self.operations = ()
        return True

    async def close_task(self, pool: str, handle: str) -> None:
        self.closed.append(handle)
        self.labels.pop(handle, None)

    # The operation
    def plan(self) -> Plan:
        return Plan(
            operation="move",
            pool="p1",
            title=say("Migrate {vm}: {a} → {b}", vm="centos54", a="host1", b="host2"),
            targets=(Target("VM", "v1", "centos54"),),
            placements=(Placement("v1", self.at, self.power.value, (("0", "sr1"),)),),
            checks=(Check("memory", self.grade, "Memory", say("enough")),),
            risk=self.risk,
            risk_reasons=(),
            steps=(
                Step(
                    "move",
                    say("migrate"),
                    Call("VM.pool_migrate", (Ref("VM", "v1"), Ref("host", "h2"), Options({"live": "true"}))),
                ),
            ),
            locks=(LockKey("VM", "v1", "centos54"), LockKey("host", "h2", "host2")),
            names={"v1": "centos54", "h1": "host1", "h2": "host2"},
        )

    async def replan(self, _plan: Plan, _facts: object, _approval: ApprovalSettings, homes: Mapping[str, str]) -> Plan:
        if self.silent:
            raise Unreachable("nobody answers")
        self.homes = dict(homes)
        return self.plan()

    async def look(self, _plan: Plan, _step: Step, facts: World) -> Look:
        where = await facts.whereabouts("p1", "v1")
        if where.power_state is not PowerState.RUNNING:
            return Look(Seen.HARMED, say("centos54 is halted"), ())
        if where.operations:
            return Look(Seen.GOING_ON, say("centos54 is moving"), ())
        if where.host == "h2":
            return Look(Seen.DONE, say("centos54 now runs on host2"), (say("looked at: running"),))
        return Look(Seen.NOT_DONE, say("centos54 still runs on host1"), ())


class Bench:
    """The real store and engine around the small pool."""

    def __init__(self, path: Path, world: World) -> None:
        self.world = world
        self.path = path
        self.now = 1_000_000.0
        self.approval = ApprovalSettings(break_glass=(GLASS,))

    async def open(self) -> None:
        world = self.world
        self.store = Store(self.path, lambda: self.now)
        await self.store.open()
        operation = Operation("move", world.replan, world.look, lambda plan: say("Migrating"), settle_s=0.05)
        operations = Operations({"move": operation})
        self.engine = Engine(self.store, world, world, world, operations, self.approval, _words, pace=QUICK)
        look, turn = self.engine.deadlines.look, asyncio.Lock()

        async def alone() -> None:
            """As the engine does it: never twice at once, though a test looks as well."""
            async with turn:
                await look()

        self.engine.deadlines.look = alone  # type: ignore[method-assign]
        self.proposals = Proposals(self.store, world, operations, self.approval)
        self.decisions = Decisions(self.store, self.engine, world, self.proposals, world, self.approval)
        self.control = Control(self.store, self.engine, world, "C1")
        self._running = asyncio.create_task(self.engine.run())

    async def crash(self) -> None:
        """Ends everything at once, as kill -9 does: nothing is tidied, only the file remains."""
        self._running.cancel()
        await asyncio.wait([self._running])
        await self.store.close()

    async def propose(self, who: str = OPERATOR, *, reason: str = "", plan: Plan | None = None) -> int:
        person = await self.world.person("T", who)
        answer, record = await self.proposals.propose(plan or self.world.plan(), person, "C1", reason)
        assert answer is None
        assert record is not None
        return record.number

    async def started(self) -> int:
        """Proposes what the world plans and confirms it."""
        number = await self.propose()
        await self.press(number, "confirm")
        return number

    async def press(self, number: int, action: str, who: str = OPERATOR, *, reason: str = "") -> object:
        record = await self.store.job(number)
        return await self.decisions.decide(await clicked(self.store, record.target, action, who, reason), number)

    async def until(self, true: Callable[[], Awaitable[bool]]) -> None:
        """Waits until something holds, looking again whenever the store has news."""
        async with asyncio.timeout(60):
            while not await true():
                await self.store.wait(0.02)

    async def executed(self) -> None:
        async def called() -> bool:
            return self.world.executed > 0

        await self.until(called)

    async def ended(self, number: int, *states: str) -> JobRecord:
        async def there() -> bool:
            return (await self.store.job(number)).state.value in states

        await self.until(there)
        return await self.store.job(number)
