"""Jobs on storage carried out by the real engine and store on the pools of a lab; only the people are made by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from job_records import clicked
from xen_lab import EXPERIMENT, pool_settings, until

from bot.domain.plan import Plan
from bot.domain.policy import ApprovalSettings, Person, Role, held
from bot.domain.record import JobRecord
from bot.domain.storing import NfsPlace
from bot.domain.texts import Phrase, plain
from bot.jobs.control import Control
from bot.jobs.decisions import Decisions
from bot.jobs.engine import Engine
from bot.jobs.judging import Pace
from bot.jobs.proposals import Proposals
from bot.lab.xapi import Datacentre
from bot.operations import sr_add, sr_check
from bot.operations.base import Operation, Operations
from bot.operations.sr_add_checks import Wish
from bot.operations.sr_work import SrWork
from bot.operations.trying import MARK
from bot.operations.work import Worker
from bot.operations.xapi_words import explain
from bot.store import Store
from bot.xen import Pools

SECOND = NfsPlace("nfsserver", "/home/second")
ADMIN, APPROVERS = "UAD", ("UAP", "UA2")
PACE = Pace(retry=0.05, card=0.0, quiet=0.3, early_failure=0.1, vanished=1.0, stubborn=5, stopping=0.5, waiting=1.0)
OVER = ("SUCCEEDED", "PARTIAL", "FAILED", "CANCELLED", "NEEDS_ATTENTION", "STALE")


class People:
    """An admin who asks, and two who approve."""

    async def person(self, team: str, user: str) -> Person:
        role = Role.ADMIN if user == ADMIN else Role.APPROVER
        return Person(team, user, roles=held(frozenset({role})))

    async def holders(self, role: Role) -> frozenset[str]:
        return frozenset(APPROVERS if role is Role.APPROVER else {ADMIN})

    async def some(self, role: Role, most: int) -> tuple[tuple[str, ...], int]:
        found = sorted(await self.holders(role))
        return tuple(found[:most]), len(found[most:])

    async def names(self, user: str) -> tuple[str, ...]:
        return ()


class StorageBench:
    """One bot; `crash` ends it at once, `open` starts it again on the same store."""

    operations: tuple[Operation, ...] = (sr_add.OPERATION, sr_check.OPERATION)

    def __init__(self, lab: Datacentre, path: Path, *others: str) -> None:
        self.lab = lab
        self.approval = ApprovalSettings()
        self.try_s = 60.0
        self.probe_s = 60.0
        self._path = path
        self._settings = [pool_settings(lab, *EXPERIMENT, name="experiment")]
        self._awaited = {"experiment", *others}
        self._settings += [pool_settings(lab, name, name=name) for name in others]

    async def open(self) -> None:
        passwords = {one.name: self.lab.password for one in self._settings}
        self.pools = self.followed(passwords)
        await self.pools.start()
        await until(self.pools, lambda: all(self.pools.pool(one).state == "live" for one in self._awaited))
        self.store = Store(self._path, time.time)
        await self.store.open()
        people, pools = People(), self.pools
        operations = Operations({one.name: one for one in self.operations})
        workers = self.workers()
        self.engine = Engine(
            self.store, pools, pools, people, operations, self.approval, _words, pace=PACE, workers=workers
        )
        self.proposals = Proposals(self.store, people, operations, self.approval)
        self.decisions = Decisions(self.store, self.engine, people, self.proposals, pools, self.approval)
        self.control = Control(self.store, self.engine, pools, "C1")
        self._running = asyncio.create_task(self.engine.run())

    def followed(self, passwords: dict[str, str]) -> Pools:
        """The pools, and whatever else plans are made from."""
        return Pools(self._settings, passwords=passwords, probe_nfs_s=self.probe_s)

    def workers(self) -> dict[str, Worker]:
        """All that is done by the bot itself."""
        return SrWork(self.pools.storing, self.pools.raw_disks, try_s=self.try_s).workers()

    async def started_without(self, host: str) -> None:
        """The bot dies, then that host, and the bot is started again: so no connection is cut in its handshake."""
        await self.crash()
        await self.lab.do({"do": "kill_host", "host": host})
        self._awaited.discard(host)
        await self.open()

    async def crash(self) -> None:
        self._running.cancel()
        await asyncio.wait([self._running])
        await self.store.close()
        await self.pools.stop()

    def uuid(self, pool: str = "experiment") -> str:
        found = self.pools.pool(pool).pool
        assert found is not None
        return found.uuid

    async def plan(self, place: NfsPlace = SECOND, pool: str = "experiment", **wish: Any) -> Plan:
        wanted = Wish(**{"name": "nfs-second", **wish})
        return await sr_add.plan(self.uuid(pool), place, wanted, self.pools, self.approval)

    async def asked(self, plan: Plan) -> int:
        """The job of that plan, confirmed and approved as often as it needs."""
        assert not plan.blocked, [plain(one.fact) for one in plan.blocked]
        answer, record = await self.proposals.propose(plan, Person("T", ADMIN), "C1", "")
        assert record is not None, answer
        await self._press(record.number, "confirm", ADMIN)
        for who in APPROVERS[: record.approvers_needed]:
            await self._press(record.number, "approve", who)
        return record.number

    async def added(self, **wish: Any) -> JobRecord:
        return await self.ended(await self.asked(await self.plan(**wish)))

    async def ended(self, number: int) -> JobRecord:
        async def over() -> bool:
            return (await self.store.job(number)).state.value in OVER

        await self.until(over)
        return await self.store.job(number)

    async def cancel(self, number: int) -> None:
        await self.control.cancel(number, await People().person("T", ADMIN))

    async def until(self, true: Callable[[], Awaitable[bool]], within_s: float = 45.0) -> None:
        async with asyncio.timeout(within_s):
            while not await true():
                await self.store.wait(0.05)

    async def _press(self, number: int, action: str, who: str) -> None:
        record = await self.store.job(number)
        await self.decisions.decide(await clicked(self.store, record.target, action, who), number)

    # The truth of the lab

    async def shown(self) -> str:
        """What the cards that wait to be sent say in their lines."""
        cards = [parcel.message for parcel in await self.store.due() if parcel.kind == "card"]
        return " ".join(plain(line) for card in cards for part in card.parts for line in getattr(part, "lines", ()))

    def storage(self, pool: str = "experiment") -> list[dict[str, Any]]:
        """The records of all storage of a pool, with their disks and plugs."""
        database = next(one for one in self.lab._pools if one.name == pool).database
        found = []
        for _, record in database.items("SR"):
            disks = [database.record("VDI", one) for one in record["VDIs"]]
            plugs = [database.record("PBD", one) for one in record["PBDs"]]
            found.append({**record, "disks": disks, "plugs": plugs})
        return found

    def folders(self) -> list[str]:
        """What lies in the folder of the file server that storage is added in."""
        server = next(one for one in self.lab.state()["nfs_servers"] if one["name"] == "nfsserver")
        return list(next(one for one in server["exports"] if one["path"] == SECOND.path)["repositories"])

    def nothing_is_left(self) -> None:
        """No storage and no disk of ours, neither in the pool nor in the folder."""
        assert not [one["name_label"] for one in self.storage() if one["name_label"].startswith(MARK)]
        assert not [disk for one in self.storage() for disk in one["disks"] if disk["name_label"].startswith(MARK)]
        own = [one["uuid"] for one in self.storage() if one["name_label"] == "nfs-second"]
        assert self.folders() == own


def told(record: JobRecord) -> str:
    return " ".join(plain(line) for line in (record.outcome, *record.evidence) if line is not None)


def _words(error: tuple[str, ...]) -> Phrase:
    return explain(error[0], error[1:])


@asynccontextmanager
async def bench(lab: Datacentre, path: Path, *others: str) -> AsyncIterator[StorageBench]:
    made = StorageBench(lab, path / "store.sqlite", *others)
    await made.open()
    yield made
    await made.crash()
