"""Adding and trying storage where answers are lost, the bot is killed, or calls go on after they were given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from storage_bench import SECOND, StorageBench, bench, told
from xen_lab import arm, calls, held, settled

from bot.domain.job import JobState
from bot.errors import XapiFailure
from bot.lab.xapi import Datacentre


@pytest.fixture
async def jobs(lab: Datacentre, tmp_path: Path) -> AsyncIterator[StorageBench]:
    async with bench(lab, tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    "method",
    [
        "Async.SR.create",
        "Async.PBD.plug",
        "Async.VDI.create",
        "Async.VDI.snapshot",
        "Async.VDI.destroy",
        "VDI.add_to_other_config",
        "SR.set_name_label",
        "pool.set_default_SR",
    ],
)
async def test_an_answer_that_is_lost_is_looked_for_and_nothing_is_made_twice(
    lab: Datacentre, jobs: StorageBench, method: str
) -> None:
    await arm(lab, method, "drop", "after", times=1)
    record = await jobs.added(default=True)
    assert record.state is JobState.SUCCEEDED, told(record)
    jobs.nothing_is_left()
    assert len(jobs.folders()) == 1


@pytest.mark.parametrize(
    ("method", "when"),
    [
        ("Async.SR.create", "before"),
        ("Async.SR.create", "during"),
        ("PBD.plug", "during"),
        ("Async.SR.create", "end"),
        ("Async.VDI.create", "before"),
        ("Async.VDI.create", "end"),
        ("Async.VDI.snapshot", "before"),
        ("Async.VDI.destroy", "before"),
        ("SR.set_name_label", "before"),
        ("SR.set_name_label", "after"),
        ("pool.set_default_SR", "after"),
    ],
)
async def test_a_crash_at_any_step_ends_with_storage_that_works_or_with_nothing(
    lab: Datacentre, jobs: StorageBench, method: str, when: str
) -> None:
    fault = await arm(lab, method, "hold", when, times=1)
    number = await jobs.asked(await jobs.plan(default=True))
    await held(lab)
    await jobs.crash()
    await lab.do({"do": "release", "name": fault})
    await jobs.open()
    record = await jobs.ended(number)
    jobs.nothing_is_left()
    works = record.state is JobState.SUCCEEDED
    assert works or record.state in {JobState.FAILED, JobState.NEEDS_ATTENTION}, told(record)
    assert len(jobs.folders()) == (1 if works else 0), told(record)


async def test_what_the_driver_frees_while_it_is_looked_at_is_no_failure(lab: Datacentre, jobs: StorageBench) -> None:
    await jobs.added()
    (made,), storing, pool = (
        [one for one in jobs.storage() if one["name_label"] == "nfs-second"],
        jobs.pools.storing,
        jobs.uuid(),
    )
    disk = await storing.make_disk(pool, made["uuid"], "nobody", "ours", 1 << 20)
    await storing.snapshot(pool, disk)
    fault = await arm(lab, "VDI.get_managed", "hold", "before", times=1)
    # What lies below the snapshot stays until it has been seen.
    await lab.do({"do": "set_speed", "speed": 1})
    await storing.remove_disks(pool, made["uuid"], "ours")
    freeing = asyncio.create_task(storing.freed(pool, made["uuid"], frozenset({"nfs-second"})))
    await held(lab)
    await lab.do({"do": "set_speed", "speed": 100})

    async def empty() -> bool:
        (now,) = [one for one in jobs.storage() if one["uuid"] == made["uuid"]]
        return not now["disks"]

    await jobs.until(empty)
    await lab.do({"do": "release", "name": fault})
    await freeing


async def test_work_that_begins_after_it_was_given_up_is_stopped(lab: Datacentre, jobs: StorageBench) -> None:
    jobs.probe_s = 1.0
    await jobs.crash()
    await jobs.open()
    await lab.do({"do": "nfs", "server": "nfsserver", "gone": True})
    fault = await arm(lab, "Async.SR.probe", "hold", "before")
    read = await jobs.pools.storage.nfs(jobs.uuid(), SECOND)
    assert {one.waited_s for one in read.probes} == {1.0}
    await lab.do({"do": "release", "name": fault})

    def stopped(state: dict[str, Any]) -> bool:
        probes = [one["status"] for one in state["tasks"] if one["name"] == "Async.SR.probe"]
        return len(probes) == len(read.probes) and set(probes) == {"cancelled"}

    await settled(lab, stopped)


async def test_a_disk_that_cannot_be_removed_keeps_no_other_from_being_removed(
    lab: Datacentre, jobs: StorageBench
) -> None:
    sr, storing = jobs.pools.sr("nfs-vhd").uuid, jobs.pools.storing
    for _ in range(9):
        await storing.make_disk(jobs.uuid(), sr, "nobody", "ours", 1 << 20)
    await arm(lab, "Async.VDI.destroy", "fail", times=1, error=["VDI_NOT_MANAGED", "ours"])
    with pytest.raises(XapiFailure, match="VDI_NOT_MANAGED"):
        await storing.remove_disks(jobs.uuid(), sr, "ours")
    left = [disk for one in jobs.storage() for disk in one["disks"] if disk["name_label"] == "ours"]
    assert len(left) == 1
    await storing.remove_disks(jobs.uuid(), sr, "ours")


async def test_a_snapshot_that_comes_about_while_its_disk_is_removed_goes_too(
    lab: Datacentre, jobs: StorageBench
) -> None:
    sr, storing, pool = jobs.pools.sr("nfs-vhd").uuid, jobs.pools.storing, jobs.uuid()
    disk = await storing.make_disk(pool, sr, "nobody", "ours", 1 << 20)
    await lab.do({"do": "nfs", "server": "nfsserver", "speed": "slow"})
    await lab.do({"do": "set_speed", "speed": 0.1})
    making = asyncio.create_task(storing.snapshot(pool, disk))

    async def under_way() -> bool:
        return any(one["uuid"] == disk and one["current_operations"] for sr in jobs.storage() for one in sr["disks"])

    await jobs.until(under_way)
    removing = asyncio.create_task(storing.remove_disks(pool, sr, "ours"))

    async def refused() -> bool:
        return bool(calls(lab, "Async.VDI.destroy"))

    await jobs.until(refused)
    await lab.do({"do": "set_speed", "speed": 1000})
    await asyncio.gather(making, removing)
    assert not [disk for one in jobs.storage() for disk in one["disks"] if disk["name_label"] == "ours"]


async def test_a_snapshot_that_is_left_is_told_as_well_as_a_disk(lab: Datacentre, jobs: StorageBench) -> None:
    sr, storing, pool = jobs.pools.sr("nfs-vhd").uuid, jobs.pools.storing, jobs.uuid()
    disk = await storing.make_disk(pool, sr, "nobody", "ours", 1 << 20)
    await storing.snapshot(pool, disk)
    database = lab._pools[0].database
    (leaf,) = [ref for ref, one in database.items("VDI") if one["uuid"] == disk]
    database.set("VDI", leaf, name_label="of somebody")
    assert await jobs.pools.storage.tried(pool, sr, "ours") == ()
    await storing.remove_disks(pool, sr, "ours")
    assert await jobs.pools.storage.tried(pool, sr, "ours") is None


async def test_a_disk_without_a_name_is_no_trial_and_is_never_swept(lab: Datacentre, jobs: StorageBench) -> None:
    database = lab._pools[0].database
    ref = next(ref for ref, one in database.items("VDI") if one["managed"] and not one["VBDs"])
    sr = str(database.get("SR", database.get("VDI", ref, "SR"), "uuid"))
    database.set("VDI", ref, name_label="")
    await jobs.pools.storing.remove_disks(jobs.uuid(), sr, "")
    assert database.get("VDI", ref, "name_label") == ""
