"""What plans are made from, put together: a guest's facts know when its newest whole backup was made."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
from xen_lab import EXPERIMENT, PASSWORD, loaded, pool_settings

from bot.domain.catalogue import Backup, BackupState, Proof, Verification
from bot.domain.policy import ApprovalSettings
from bot.lab.xapi import Datacentre
from bot.sources import Sources
from bot.store import Store

DAY_S = 86_400.0


async def test_a_guests_newest_whole_backup_is_known_where_a_rule_goes_by_it(lab: Datacentre, tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    await store.open()
    config: Any = SimpleNamespace(
        pools=[pool_settings(lab, *EXPERIMENT, name="experiment")],
        secrets=SimpleNamespace(pool_passwords={"experiment": PASSWORD}),
        backups=SimpleNamespace(path=str(tmp_path), time_zone="UTC"),
        approval=ApprovalSettings(backup_days=7),
    )
    nothing: Any = None
    pools = Sources(config, nothing, nothing, store)
    await pools.start()
    try:
        await loaded(pools)
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
    finally:
        await pools.stop()
        await store.close()
