"""Guests that are stopped, snapshotted, started again and copied by a worker of the bot: a lane of steps for each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
from engine_bench import QUICK, Bench, World

from bot.domain.calls import Call, Made, Marked, Ref, Text
from bot.domain.inventory import PowerState
from bot.domain.plan import Check, Grade, LockKey, Placement, Plan, Step, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.record import JobRecord
from bot.domain.texts import plain, say
from bot.errors import OutcomeUnknown, TargetFailed, Unreachable
from bot.jobs.slots import Slots
from bot.operations.base import Ahead, Look, Operation, Seen
from bot.operations.ports import TaskStatus, TaskView
from bot.operations.work import Errand, Reached, Worker

GUESTS = ("v1", "v2", "v3")
HOST = LockKey("host", "h1", "host1")
SHELF = LockKey("archive", "shelf", "the shelf")


class Copies(World):
    """A pool with guests, their snapshots by name, and a shelf of copies, half of them or whole."""

    def __init__(self) -> None:
        super().__init__()
        self.guests = GUESTS[:1]
        self.power_of = dict.fromkeys(GUESTS, PowerState.RUNNING)
        self.snapshots: dict[str, str] = {}
        self.foreign = {"xenbot backup of v1 by hand": "snap-foreign"}
        self.drafts: set[str] = set()
        self.shelf: set[str] = set()
        self.bad: dict[str, tuple[str, ...]] = {}
        self.vanish = ""
        self.silent_for = ""
        self.own_removal = False
        self.dark = 0
        self.notes = False
        self.noted: list[str] = []
        self.begun: list[str] = []
        self.runs: list[str] = []
        self.most = 0
        self.copying = 0
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.full = ""
        self.dying = False
        self.parallel = 2
        self.cold = True
        self.again = True
        self.lasting = False
        self.defect = ""
        self.unknown = False
        self.vanished = QUICK.vanished
        self.stopping = 0.02
        self.deaf = False
        self.asked_to_stop: list[str] = []
        self.drift = False
        self.moves_on = False
        self.lets_go = False
        self.room: list[str] = []
        self.kept = 0
        self.capacity = 100
        self.judged_with: list[list[str]] = []
        self.look_on = asyncio.Event()
        self.look_on.set()

    def clean(self) -> None:
        """Nothing of ours is left, and nothing of others is gone."""
        assert self.snapshots == {}
        assert self.drafts == set()
        assert set(self.power_of.values()) == {PowerState.RUNNING}
        assert self.foreign == {"xenbot backup of v1 by hand": "snap-foreign"}

    # Driver
    async def open_task(self, pool: str, label: str, description: str) -> str:
        if self.silent:
            raise Unreachable("nobody answers")
        handle = await super().open_task(pool, label, description)
        self.tasks[handle] = TaskView(handle, TaskStatus.PENDING, 0.0, (), label, can_cancel=True)
        return handle

    async def begin(self, pool: str, call: Call, *, parent: str, job: str) -> str:
        subject = next(one.uuid for one in call.args if isinstance(one, Ref))
        name = next((one.value for one in call.args if isinstance(one, Text)), "")
        self.executed += 1
        self.begun.append(f"{call.method} {subject}")
        handle = f"task{self.executed}:{call.method}:{subject}:{name}"
        self.tasks[handle] = TaskView(handle, TaskStatus.PENDING, 0.0, (), call.method, can_cancel=True)
        self.parents[parent].append(handle)
        if self.lose == call.method:
            self.lose = ""
            raise OutcomeUnknown("connection reset", ended=False)
        return handle

    async def cancel(self, pool: str, handle: str) -> bool:
        self.asked_to_stop.append(handle)
        return True if self.deaf else await super().cancel(pool, handle)

    def finish(self, handle: str) -> None:
        if handle in self.parents:
            return
        _, method, subject, name = handle.split(":")
        error = self.bad.get(method, ())
        if not error:
            match method:
                case "VM.clean_shutdown":
                    self.power_of[subject] = PowerState.HALTED
                case "VM.start":
                    self.power_of[subject] = PowerState.RUNNING
                case "VM.snapshot":
                    self.snapshots[name] = f"snap-{subject}-{len(self.begun)}"
                case "VM.destroy":
                    self.snapshots = {key: uuid for key, uuid in self.snapshots.items() if uuid != subject}
        status = TaskStatus.FAILURE if error else TaskStatus.SUCCESS
        self.tasks[handle] = msgspec.structs.replace(self.tasks[handle], status=status, error=error, progress=1.0)
        if method == self.vanish:
            self.vanish = ""
            self.tasks.pop(handle)

    # The worker
    async def run(self, errand: Errand) -> None:
        guest = next(one.value for one in errand.step.call.args if isinstance(one, Text) and one.value in GUESTS)
        snapshot = next(one.uuid for one in errand.step.call.args if isinstance(one, Ref))
        assert snapshot in self.snapshots.values()
        assert errand.task in self.tasks
        self.runs.append(guest)
        assert f"{guest} {errand.nonce}" not in self.drafts
        self.drafts.add(f"{guest} {errand.nonce}")
        self.copying += 1
        self.most = max(self.most, self.copying)
        try:
            if self.notes:
                await errand.note(f"{guest} was there before")
            errand.tell(Reached(512, 1024, say("copying")))
            await self.go_on.wait()
            if self.unknown:
                raise OutcomeUnknown("the call was sent, then nothing came")
            if guest == self.full:
                raise TargetFailed("The folder of backups is full.", "Make room.")
            self.shelf.add(f"{guest} {errand.nonce}")
        finally:
            self.copying -= 1
            if not self.dying:
                self.drafts.discard(f"{guest} {errand.nonce}")

    async def remove(self, errand: Errand) -> None:
        if self.dark:
            self.dark -= 1
            raise Unreachable("nobody answers")
        gone = next(one.uuid for one in errand.step.call.args if isinstance(one, Ref))
        self.snapshots = {name: uuid for name, uuid in self.snapshots.items() if uuid != gone}

    async def nothing(self, errand: Errand) -> None:
        """Begun again, it goes on with what is there."""

    async def clear(self, errand: Errand) -> None:
        self.noted.append(errand.noted)
        guest = next(one.value for one in errand.step.call.args if isinstance(one, Text) and one.value in GUESTS)
        self.drafts.discard(f"{guest} {errand.nonce}")

    # The operation
    def plan(self) -> Plan:
        return Plan(
            operation="copy",
            pool="p1",
            title=say("Copy {n} guests", n=len(self.guests)),
            targets=tuple(Target("VM", one, one) for one in self.guests),
            placements=tuple(
                Placement(one, "h9" if self.drift else "h1", self.power_of[one].value, ()) for one in self.guests
            ),
            checks=(Check("room", Grade.OK, "Room", say("enough")),),
            risk=self.risk,
            risk_reasons=(),
            steps=tuple(step for one in self.guests for step in self.lane(one)),
            locks=tuple(LockKey("VM", one, one) for one in self.guests),
            names={one: one for one in self.guests},
            parallel=self.parallel,
        )

    def lane(self, vm: str) -> tuple[Step, ...]:
        snapshot = Made("VM", f"snapshot {vm}")

        def step(method: str, *args: Ref | Made | Marked | Text, own: bool = False, **more: object) -> Step:
            call = Call(method, args, own=own)
            return Step(method, say("{what} {it}", what=method, it=vm), call, lane=vm, **more)  # type: ignore[arg-type]

        cold = (step("VM.clean_shutdown", Ref("VM", vm), makes="halt", holds=(HOST,)),) if self.cold else ()
        warm = (step("VM.start", Ref("VM", vm), undoes="halt"),) if self.cold else ()
        return (
            *cold,
            step("VM.snapshot", Ref("VM", vm), Marked(f"copy of {vm}"), makes="snapshot", holds=(HOST,)),
            *warm,
            step(
                "copy",
                snapshot,
                Text(vm),
                Marked(vm),
                own=True,
                holds=(SHELF,) if self.moves_on else (),
                lets_go=self.lets_go,
            ),
            step("VM.destroy", snapshot, own=self.own_removal, undoes="snapshot"),
        )

    # What is kept for a job
    def keep(self, job: JobRecord, _facts: object) -> None:
        for step in job.steps:
            mine = f"{job.plan.steps[step.index].lane} {job.nonce}"
            if step.kind == "copy" and step.finished_at is None and mine not in self.room:
                self.room.append(mine)
                self.kept += 1

    def let_go(self, job: JobRecord, lane: str, _facts: object) -> None:
        self.room = [one for one in self.room if one != f"{lane} {job.nonce}"]

    async def replan(self, plan: Plan, _facts: object, _approval: ApprovalSettings, homes: Mapping[str, str]) -> Plan:
        left = {place.vm for place in plan.placements}
        others = [one.split()[0] for one in self.room if one.split()[0] not in left]
        self.judged_with.append(others)
        short = len(left) + len(others) > self.capacity
        await self.look_on.wait()
        if short:
            full = Check("room", Grade.BLOCKED, "Room", say("{n} are in the way", n=len(others)), say("Wait."))
            plan = msgspec.structs.replace(plan, checks=(full,))
        places = tuple(place for place in self.plan().placements if place.vm in left)
        return msgspec.structs.replace(plan, placements=places)

    def advanced(self, plan: Plan, begun: frozenset[int]) -> Plan:
        left = tuple(step for index, step in enumerate(plan.steps) if index not in begun)
        guests = {step.lane for step in left}
        kept = tuple(place for place in plan.placements if place.vm in guests)
        return msgspec.structs.replace(plan, steps=left, placements=kept)

    async def look(self, _plan: Plan, step: Step, _facts: object) -> Look:
        if self.silent:
            raise Unreachable("nobody answers")
        if step.kind == self.defect:
            raise LookupError("a defect of ours")
        refs = [one.uuid for one in step.call.args if isinstance(one, Ref)]
        names = [one.value for one in step.call.args if isinstance(one, Text)]
        made: dict[str, str] = {}
        match step.kind:
            case "VM.clean_shutdown":
                done = self.power_of[refs[0]] is PowerState.HALTED
            case "VM.start":
                done = self.power_of[refs[0]] is PowerState.RUNNING
            case "VM.snapshot":
                uuid = self.snapshots.get(names[0]) if step.kind != self.silent_for else None
                made = {f"snapshot {refs[0]}": uuid} if uuid else {}
                done = bool(uuid)
            case "copy":
                done = names[-1] in self.shelf
            case _:
                done = refs[0] not in self.snapshots.values()
        headline = say("{kind} of {it} looked at", kind=step.kind, it=step.lane)
        return Look(Seen.DONE if done else Seen.NOT_DONE, headline, (), made=made)

    async def sum_up(self, plan: Plan, done: frozenset[int], _facts: object) -> Look:
        copied = sum(1 for index in done if plan.steps[index].kind == "copy")
        headline = say("{n} of {all} copied", n=copied, all=len(self.guests))
        return Look(Seen.DONE if copied == len(self.guests) else Seen.NOT_DONE, headline, ())


class CopyBench(Bench):
    """The bench with that operation and its worker."""

    limits: Mapping[str, int] = {}

    async def open(self) -> None:
        await super().open()
        world = self.world
        assert isinstance(world, Copies)
        world.dying = False
        self.engine.operations["copy"] = Operation(
            "copy",
            world.replan,
            world.look,
            lambda plan: say("Copying {what}", what=plain(plan.title)),
            settle_s=0.05,
            advanced=world.advanced,
            sum_up=world.sum_up,
            crowded=frozenset({"VDI_IN_USE"}),
            ahead=Ahead(lambda _facts: world.kept, world.keep, world.let_go),
        )
        self.engine.workers = {
            "copy": Worker(world.run, world.clear, again=world.again, lasting=world.lasting),
            "VM.destroy": Worker(world.remove, world.nothing, again=True, tasked=False),
        }
        self.engine.slots = Slots(self.limits)
        self.engine.pace = msgspec.structs.replace(
            QUICK, crowded=0.01, stubborn=3, stopping=world.stopping, vanished=world.vanished
        )

    async def crash(self) -> None:
        world = self.world
        assert isinstance(world, Copies)
        world.dying = True
        await super().crash()

    async def shown(self) -> str:
        """What the cards that wait to be sent say in their lines."""
        cards = [parcel.message for parcel in await self.store.due() if parcel.kind == "card"]
        return " ".join(plain(line) for card in cards for part in card.parts for line in getattr(part, "lines", ()))

    async def at_work(self, count: int = 1) -> None:
        """Until so many copies are being made, and one of them has told of it."""

        async def there() -> bool:
            world = self.world
            assert isinstance(world, Copies)
            record = (await self.store.jobs())[0]
            told = any(step.said is not None for step in record.steps if step.kind == "copy")
            return world.copying == count and told

        await self.until(there)
