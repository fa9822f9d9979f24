"""Jobs that leave something at the pools of a lab, and the clean-up of it, by the real engine, store and archive."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from storage_bench import StorageBench
from xen_lab import arm, held, until

from bot.backups import Archive, Folder, Shelf
from bot.domain.catalogue import Archived
from bot.domain.plan import Plan
from bot.domain.record import JobRecord
from bot.domain.texts import plain
from bot.lab.xapi import Datacentre
from bot.operations import backup, clean_up, rehearse, restore, sr_add, sr_check
from bot.operations.backup_steps import Manner
from bot.operations.backup_work import BackupWork
from bot.operations.checks.meeting import Wish
from bot.operations.clean_up_work import CleanUpWork
from bot.operations.health import leftovers
from bot.operations.health.row import Row
from bot.operations.restore_work import RestoreWork
from bot.operations.work import Worker
from bot.xen import Pools
from bot.xen.records import NetworkRecord, SrRecord, VdiRecord, VmRecord


class LeftBench(StorageBench):
    """One bot that makes backups of `centos54`, restores and rehearses them, tries storage, and cleans up."""

    operations = (
        sr_add.OPERATION,
        sr_check.OPERATION,
        backup.OPERATION,
        restore.OPERATION,
        rehearse.OPERATION,
        clean_up.OPERATION,
    )

    def __init__(self, lab: Datacentre, path: Path, *others: str) -> None:
        super().__init__(lab, path / "store.sqlite", *others)
        folder = path / "backups"
        folder.mkdir()
        target = Folder(folder)
        self.shelf, self.archive = Shelf(target), Archive(target, identity=self._identity)
        self.database = next(one for one in lab._pools if one.name == "experiment").database

    async def _identity(self) -> str:
        return await self.store.identity()

    def followed(self, passwords: dict[str, str]) -> Pools:
        pools: Any = super().followed(passwords)
        pools.archives, pools.library = self.archive, self.shelf
        return pools

    def workers(self) -> dict[str, Worker]:
        pools = self.facts
        # The catalogue is of the store, which is opened after the pools.
        pools.catalogue = self.store
        return {
            **super().workers(),
            **BackupWork(pools.streams, pools, self.archive, self.store, retry_s=0.05).workers(),
            **RestoreWork(
                pools.streams, pools, self.shelf, pools.restoring, _no_tags, retry_s=0.05, watch_s=1.0
            ).workers(),
            **CleanUpWork(pools, pools.restoring, pools.storing).workers(),
        }

    @property
    def facts(self) -> Any:
        """The pools with the archive and its catalogue, as the bot's own sources have them."""
        return self.pools

    async def done(self, plan: Plan) -> JobRecord:
        return await self.ended(await self.asked(plan))

    async def backed_up(self) -> Archived:
        vm = self.pools.vm("centos54").uuid
        record = await self.done(await backup.plan([vm], Manner(), self.facts, self.approval))
        return await self.shelf.archived(record.made[f"backup {vm}"])

    async def restored(self, archived: Archived) -> JobRecord:
        """A restore of the backup as `back`, with whatever comes of it."""
        where = restore.Where(self.uuid(), sr=self.pools.sr("nfs-vhd").uuid)
        return await self.done(await restore.plan(archived, where, Wish("back"), self.facts, self.approval))

    async def rehearsed(self, archived: Archived) -> JobRecord:
        where = restore.Where(self.uuid(), sr=self.pools.sr("nfs-vhd").uuid)
        return await self.done(await rehearse.plan(archived, where, self.facts, self.approval))

    async def tried(self) -> JobRecord:
        return await self.done(await sr_check.plan(self.pools.sr("nfs-vhd").uuid, self.facts, self.approval))

    async def half_restored(self, archived: Archived | None = None) -> JobRecord:
        """A restore that fails while its guest is made ready, and cannot take it back."""
        archived = archived or await self.backed_up()
        await arm(self.lab, "VM.set_affinity", "fail", times="forever")
        return await self.stuck(self.restored(archived), "VM.destroy", "VDI.destroy")

    async def stuck(self, job: Any, *methods: str) -> JobRecord:
        """The job carried out in a pool that refuses these calls, and refuses nothing more afterwards."""
        for method in methods:
            await arm(self.lab, method, "fail", times="forever", error=["OPERATION_NOT_ALLOWED", "no"])
        record: JobRecord = await job
        await self.lab.do({"do": "clear_faults"})
        return record

    async def clean_up(self, of: JobRecord) -> Plan:
        return await clean_up.plan(of, self.facts, self.approval)

    async def killed_at(self, method: str, when: str, plan: Plan) -> JobRecord:
        """The job at its end, after a bot that was killed while the pool was at this call is there again."""
        await arm(self.lab, method, "hold", when)
        number = await self.asked(plan)
        await held(self.lab)
        await self.crash()
        await self.lab.do({"do": "clear_faults"})
        await self.open()
        return await self.ended(number)

    async def row(self) -> Row:
        """What a check of the pool finds left, once the feed has heard of everything that is there."""
        known = self.pools._live(self.uuid()).model.tables

        def heard() -> bool:
            return all(
                {one.uuid: one.name_label for one in known.of(kind).values()}
                == {one["uuid"]: one["name_label"] for _, one in self.database.items(kind.cls)}
                for kind in (VmRecord, VdiRecord, NetworkRecord, SrRecord)
            )

        await until(self.pools, heard)
        return await leftovers.look(await self.pools.health(self.uuid()), self.store)

    async def told(self) -> str:
        return plain((await self.row()).check().fact)

    async def calls(self, method: str, *args: Any) -> str:
        """Somebody else at the pool."""
        return str(await self.pools._live(self.uuid()).sessions.read(method, *args))

    # The truth of the lab

    def ref(self, kind: str, uuid: str) -> str:
        return next(ref for ref, one in self.database.items(kind) if one["uuid"] == uuid)

    def everything(self) -> dict[str, set[str]]:
        """The UUIDs of all guests, disks and networks; layers below the disks come and go by themselves."""
        disks = {one["uuid"] for _, one in self.database.items("VDI") if one["managed"]}
        others = {kind: {one["uuid"] for _, one in self.database.items(kind)} for kind in ("VM", "network")}
        return others | {"VDI": disks}


async def _no_tags() -> frozenset[str]:
    return frozenset()


def says(plan: Plan) -> str:
    return " ".join(plain(line) for line in (*plan.after, *(check.fact for check in plan.checks)))


def sr_of(jobs: LeftBench) -> str:
    return next(ref for ref, one in jobs.database.items("SR") if one["name_label"] == "nfs-vhd")


def other(jobs: LeftBench) -> str:
    return next(ref for ref, one in jobs.database.items("VM") if one["name_label"] == "centos54")


def disk_of(jobs: LeftBench, guest: str) -> str:
    vbds = [jobs.database.record("VBD", one) for one in jobs.database.get("VM", guest, "VBDs")]
    return str(next(one["VDI"] for one in vbds if one["type"] == "Disk"))


@asynccontextmanager
async def bench(lab: Datacentre, path: Path, *others: str) -> AsyncIterator[LeftBench]:
    made = LeftBench(lab, path, *others)
    await made.open()
    yield made
    await made.crash()
