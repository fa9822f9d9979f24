"""A guest that was moved by backup: its source in one pool, off, and its copy in another; and what may follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec
from engine_bench import APPROVER, QUICK, Bench
from move_bench import HERE, OFF, ON, THERE, Moving
from small_objects import a_guest, a_host

from bot.domain.guest_facts import PowerFacts, XapiVerdict
from bot.domain.inventory import Pool
from bot.domain.plan import Plan, Target
from bot.domain.restores import Restored
from bot.domain.schedule import Schedule
from bot.errors import NotFound
from bot.operations import retire, roll_back
from bot.operations.move_work import MoveWork
from bot.operations.moved import Moved
from bot.operations.ports import Driver, Facts
from bot.operations.restore_work import RestoreWork
from bot.operations.stream_ports import Restoring

SOURCE, COPY = "v1", "c1"
GIB = 1 << 30

MOVED = Moved(
    job=7,
    source=Target("VM", SOURCE, "centos54"),
    copy=COPY,
    here=HERE,
    there=THERE,
    host=Target("host", "h-2", "xenserver2"),
    disks=("d1",),
    names={HERE: "experiment", THERE: "pool two", "h-1": "xenserver1", "h-2": "xenserver2"},
    ran=True,
    was=Target("host", "h-1", "xenserver1"),
)


class Schedules:
    """No schedule."""

    async def all(self) -> list[Schedule]:
        return []


class Settled(Moving):
    """Both pools after the move. The one of the copy falls silent when it is asked for `last`."""

    def __init__(self) -> None:
        super().__init__()
        # The name of a port here.
        del self.power
        self.source, self.copy = OFF, ON
        self.last = ""
        self.schedules = Schedules()
        self.names = {SOURCE: "centos54", COPY: "centos54"}
        # What would start them by themselves: the source was kept off for the move, its copy never got it.
        self.starts = {SOURCE: False, COPY: False}

    def _ask_for(self, pool: str, what: str) -> None:
        if what == self.last:
            assert pool == THERE
            self.silence.add(THERE)
        self._ask(pool)

    # Facts
    async def restored(self, pool: str, vm: str) -> Restored:
        self._ask(pool)
        assert pool == (HERE if vm == SOURCE else THERE)
        power = self.source if vm == SOURCE else self.copy
        if power is None:
            raise NotFound("guest", vm)
        disk, host = ("d0", "h-1") if vm == SOURCE else ("d1", "h-2")
        return Restored(
            uuid=vm,
            name=self.names[vm],
            power_state=power,
            host=host if power is ON else "",
            affinity="",
            nics=(),
            disks={"0": disk},
            sizes={"0": GIB},
            wakeful=(),
            operations=(),
            starts_itself=self.starts[vm],
            kept_off=not self.starts[vm],
            remembered={"auto_poweron": "true"} if vm == SOURCE and not self.starts[vm] else {},
        )

    async def power(self, vm: str, operations: tuple[str, ...], *, placing: bool = False) -> PowerFacts:
        self._ask(HERE)
        memory = {"memory_free": 9 * GIB, "cpu_model": "", "cpu_count": 4, "features_hvm": "", "features_pv": ""}
        host = a_host(1, pool=HERE, **memory)
        guest = a_guest(
            vm,
            self.names[vm],
            pool=HERE,
            power_state=self.source,
            host="h-1" if self.source is ON else None,
            **dict.fromkeys(("memory_dynamic_min", "memory_dynamic_max", "memory_static_max"), GIB),
            **dict.fromkeys(("memory_needed", "memory_actual"), GIB),
            vcpus=1,
            vcpus_max=1,
            hvm=True,
            domain_type="hvm",
            boot_features="",
            disks=(),
            networks=(),
            addresses=(),
            started_at=1.0,
        )
        pool = Pool(HERE, "experiment", "experiment", "h-1", ha_enabled=False, upgrading=False, default_sr=None)
        fits = {host.uuid: XapiVerdict("")}
        return PowerFacts(pool, guest, None, (host,), fits, {"start": XapiVerdict("")}, own=False, read_at=1.0)

    # What is done to guests
    async def set_aside(self, pool: str, vm: str, name: str) -> None:
        self._ask_for(pool, f"set aside {vm}")
        self.names[vm], self.starts[vm] = name, False

    async def bring_back(self, pool: str, vm: str, name: str) -> None:
        self._ask_for(pool, f"bring back {vm}")
        self.names[vm], self.starts[vm] = name, vm == SOURCE

    async def start_with_host(self, pool: str, vm: str, value: str) -> None:
        self._ask_for(pool, f"hand over to {vm}")
        self.starts[vm] = value == "true"

    async def remove_copy(
        self, pool: str, vm: str, disks: Sequence[str], mark: str, *, running: bool
    ) -> tuple[str, ...]:
        self._ask_for(pool, f"remove {vm}")
        assert (self.copy, tuple(disks), running) == (OFF, ("d1",), False)
        self.copy = None
        return ()


class Doing:
    """What is done to guests, under the names of the port."""

    def __init__(self, world: Settled) -> None:
        self.set_aside = world.set_aside
        self.bring_back = world.bring_back
        self.start_with_host = world.start_with_host
        self.remove = world.remove_copy


class AfterMove(Bench):
    """The bench with the operations that may follow a move, and their workers."""

    async def open(self) -> None:
        await super().open()
        world = self.world
        assert isinstance(world, Settled)
        for operation in (roll_back.OPERATION, retire.OPERATION):
            self.engine.operations[operation.name] = msgspec.structs.replace(operation, settle_s=0.05)
        nowhere, driver, doing = cast("Any", None), cast("Driver", world), cast("Restoring", Doing(world))
        self.engine.workers = {
            **RestoreWork(nowhere, driver, nowhere, doing, nowhere).workers(),
            **MoveWork(nowhere, driver, nowhere, doing).workers(),
        }
        self.engine.pace = msgspec.structs.replace(QUICK, stubborn=5, stopping=0.02, silent=0.3)

    @property
    def facts(self) -> Facts:
        return cast("Facts", self.world)

    async def approved(self, plan: Plan) -> int:
        """A job of that plan which may start."""
        number = await self.propose(plan=plan)
        await self.press(number, "confirm")
        await self.press(number, "approve", APPROVER)
        return number

    async def rolled_back(self) -> int:
        return await self.approved(await roll_back.plan(MOVED, self.facts))

    async def retired(self) -> int:
        return await self.approved(await retire.plan(MOVED, self.now, self.facts))
