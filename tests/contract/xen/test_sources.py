"""What plans are made from, put together: the pools, the catalogue of backups, and the jobs of the past."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
from job_records import job_of
from xen_lab import EXPERIMENT, PASSWORD, loaded, pool_settings, until

from bot.domain.audit import Tag
from bot.domain.calls import Ref
from bot.domain.catalogue import Backup, BackupState, Proof, Verification
from bot.domain.inventory import PowerState
from bot.domain.plan import Plan, Risk, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.record import StepRecord, StepState
from bot.domain.restores import Readiness
from bot.domain.texts import say
from bot.lab.xapi import Datacentre
from bot.operations.restore_steps import GUEST, REMOVE, Bringing, removal
from bot.sources import Sources
from bot.store import Note, Store
from bot.store.store import silent

DAY_S = 86_400.0


@asynccontextmanager
async def sources(lab: Datacentre, folder: Path) -> AsyncIterator[tuple[Sources, Store]]:
    """Both, with the pool experiment loaded."""
    store = Store(folder / "store.db")
    await store.open()
    config: Any = SimpleNamespace(
        pools=[pool_settings(lab, *EXPERIMENT, name="experiment")],
        secrets=SimpleNamespace(pool_passwords={"experiment": PASSWORD}),
        backups=SimpleNamespace(path=str(folder), time_zone="UTC"),
        approval=ApprovalSettings(backup_days=7),
    )
    nothing: Any = None
    pools = Sources(config, nothing, nothing, store)
    await pools.start()
    try:
        await loaded(pools)
        yield pools, store
    finally:
        await pools.stop()
        await store.close()


async def test_a_guests_newest_whole_backup_is_known_where_a_rule_goes_by_it(lab: Datacentre, tmp_path: Path) -> None:
    async with sources(lab, tmp_path) as (pools, store):
        guest, target = pools.vm("centos54"), pools.host("xenserver3")
        now = store.clock()
        old = Backup(
            id="20261120-000001",
            guest=guest.uuid,
            name=guest.name,
            pool=guest.pool,
            pool_name="experiment",
            at=now - 5 * DAY_S,
            size=1,
            sha256="a" * 64,
            job=None,
            who="U1",
            verified=Verification(now, Proof.FULL, "U1"),
        )
        damaged = msgspec.structs.replace(old, id="20261125-000002", at=now - DAY_S, state=BackupState.DAMAGED)
        for one in (old, damaged):
            await store.keep_backup(one)
        found = await pools.migration(guest.uuid, target.uuid)
        assert (found.backed_up.asked, found.backed_up.at) == (True, old.at), "a damaged one brings nobody back"
        assert {one.backed_up.at for one in await pools.placements(guest.uuid)} == {old.at}
        leaving = await pools.leaving(guest.host or "")
        assert {one.vm.name: one.backed_up.at for one in leaving.guests}["centos54"] == old.at


async def test_a_restored_guest_is_known_by_the_job_that_made_it_while_its_origin_runs(
    lab: Datacentre, tmp_path: Path
) -> None:
    async with sources(lab, tmp_path) as (pools, store):
        origin, restored = pools.vm("centos54"), pools.vm("winxp")
        bringing = Bringing("lane", Ref("backup", "b"), Ref("archive", "a"), "b", {}, 1.0)
        plan = Plan(
            operation="restore",
            pool=origin.pool,
            title=say("Restore centos54"),
            targets=(Target("VM", origin.uuid, "centos54-r"), Target("backup", "b", "centos54")),
            placements=(),
            checks=(),
            risk=Risk.MEDIUM,
            risk_reasons=(),
            steps=(removal(bringing, Readiness("centos54-r", ()), started=False),),
            locks=(),
        )
        record = job_of(plan, requester="U2")
        job = (await store.create(record, Note(Tag.JOB_PROPOSED, "T1", "U2"), silent)).number
        assert (await pools.power(restored.uuid, ("start",), placing=True)).origins == ()
        await store.save_step(StepRecord(job, 0, REMOVE, StepState.DONE, made={GUEST: restored.uuid}))
        assert (await pools.power(restored.uuid, ("start",), placing=True)).origins == ("centos54",)
        assert (await pools.power(origin.uuid, ("start",), placing=True)).origins == (), "it is nobody's copy"
        # Once the origin is off nobody is disturbed.
        await lab.do({"do": "set", "class": "VM", "uuid": origin.uuid, "field": "power_state", "value": "Halted"})
        await until(pools, lambda: pools.vm(origin.uuid).power_state is PowerState.HALTED)
        assert (await pools.power(restored.uuid, ("start",), placing=True)).origins == ()
