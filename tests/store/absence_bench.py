"""Pools whose hosts fall silent and answer again when told to, with a watch over them and clocks that tests turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from small_objects import GIB, a_guest, a_host

from bot.domain.inventory import FeedState, Host, Member, Pool, PoolView, PowerState, Vm
from bot.domain.message import Button, Choices, Message
from bot.domain.parcel import Parcel
from bot.domain.plain_text import text_of
from bot.domain.texts import plain
from bot.jobs.absence_rules import Patience
from bot.jobs.absences import LOOK_S, AbsenceWatch
from bot.store import Store

PATIENCE = Patience()
CRITICAL = frozenset({"critical"})


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def host_of(number: int, **changes: Any) -> Host:
    return a_host(number, memory_free=GIB, cpu_model="Xeon", cpu_count=8, features_hvm="", features_pv="", **changes)


def guest_of(number: int, name: str, on: int | None, **changes: Any) -> Vm:
    made: dict[str, Any] = {
        "memory_dynamic_min": GIB,
        "memory_dynamic_max": GIB,
        "memory_static_max": GIB,
        "memory_needed": GIB,
        "memory_actual": GIB,
        "vcpus": 1,
        "vcpus_max": 1,
        "hvm": True,
        "domain_type": "hvm",
        "boot_features": "",
        "disks": (),
        "networks": (),
        "addresses": (),
        "started_at": None,
        "host": f"h-{on}" if on else None,
        "power_state": PowerState.RUNNING if on else PowerState.HALTED,
    }
    return a_guest(f"vm-{number}", name, **{**made, **changes})


class Site:
    """`experiment` has three hosts, `lone` is a host of its own."""

    def __init__(self, store: Store, wall: Clock) -> None:
        self.store, self.wall, self.steady = store, wall, Clock()
        self.views: dict[str, PoolView] = {}
        guests = (
            guest_of(1, "web1", 3),
            guest_of(2, "web2", 3),
            guest_of(3, "db1", 3, tags=CRITICAL),
            guest_of(4, "mail", 2),
        )
        self.pool("experiment", "p-1", (host_of(1), host_of(2), host_of(3)), guests)
        self.pool("lone", "p-9", (host_of(9, coordinator=True, pool="p-9"),), (guest_of(9, "alone", 9, pool="p-9"),))
        self.watch = self.started()

    def pools(self) -> tuple[PoolView, ...]:
        return tuple(self.views.values())

    def started(self) -> AbsenceWatch:
        """A bot that was just started."""
        self.watch = AbsenceWatch(self.store, self, "C1", critical=CRITICAL, clock=self.steady)  # type: ignore[arg-type]  # as much of a fleet as is asked
        return self.watch

    def pool(self, name: str, uuid: str, hosts: tuple[Host, ...], guests: tuple[Vm, ...], **changes: Any) -> None:
        coordinator = next(one.uuid for one in hosts if one.coordinator)
        pool = Pool(uuid, name, name, coordinator, ha_enabled=False, upgrading=False, default_sr=None)
        members = tuple(Member(one.address, None) for one in hosts)
        view = PoolView(name, FeedState.LIVE, 1.0, "", pool, hosts, guests, (), members=members)
        self.views[name] = msgspec.structs.replace(view, **changes)

    def change(self, name: str, **changes: Any) -> None:
        self.views[name] = msgspec.structs.replace(self.views[name], **changes)

    def host(self, number: int, pool: str = "experiment", **changes: Any) -> None:
        view = self.views[pool]
        hosts = [msgspec.structs.replace(one, **changes) if one.uuid == f"h-{number}" else one for one in view.hosts]
        members = tuple(Member(one.address, one.silent_since) for one in hosts)
        self.change(pool, hosts=tuple(hosts), members=members)

    def guest(self, number: int, pool: str = "experiment", **changes: Any) -> None:
        vms = [
            msgspec.structs.replace(one, **changes) if one.uuid == f"vm-{number}" else one
            for one in self.views[pool].vms
        ]
        self.change(pool, vms=tuple(vms))

    def silence(self, *numbers: int, pool: str = "experiment") -> None:
        for number in numbers:
            self.host(number, pool, silent_since=self.wall.now)

    def hear(self, *numbers: int, pool: str = "experiment") -> None:
        for number in numbers:
            self.host(number, pool, silent_since=None)

    def lose(self, pool: str, reason: str = "no listed host answers") -> None:
        self.change(pool, state=FeedState.LOST, reason=reason, age_s=0.0)

    def find(self, pool: str) -> None:
        self.change(pool, state=FeedState.LIVE, reason="", age_s=1.0)

    async def wait(self, seconds: float) -> None:
        """Lets so much time pass, with the bot looking as often as it does."""
        until = self.steady.now + seconds
        while self.steady.now < until:
            step = min(LOOK_S, until - self.steady.now)
            self.steady.now += step
            self.wall.now += step
            await self.watch.look()

    async def posts(self) -> list[Parcel]:
        """Everything that was told so far, in order."""
        return [one for one in await self.store.due(1000) if one.kind == "post"]

    async def told(self) -> list[str]:
        return [plain(one.message.summary) for one in await self.posts()]


def buttons(shown: Message) -> list[Button]:
    return [button for part in shown.parts if isinstance(part, Choices) for button in part.buttons]


def text(parcel: Parcel) -> str:
    return text_of(parcel.message)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Site]:
    """A site with a store of its own, and a bot that has been there for a while."""
    wall = Clock()
    store = Store(folder / "xenbot.sqlite", clock=wall)
    await store.open()
    site = Site(store, wall)
    await site.wait(15)
    yield site
    await store.close()
