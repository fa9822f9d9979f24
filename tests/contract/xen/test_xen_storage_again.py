"""Storage that lies there already: attached again only where nobody else can have it, and never deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from storage_bench import StorageBench, bench, told
from xen_lab import arm, held, settled, until

from bot.domain.job import JobState
from bot.domain.plan import Plan, Risk
from bot.domain.texts import plain
from bot.errors import Unreachable
from bot.lab.xapi import Datacentre
from bot.operations import sr_check
from bot.operations.trying import MARK
from bot.xen import storing
from bot.xen.storage_facts import is_up


@pytest.fixture
async def jobs(lab: Datacentre, tmp_path: Path) -> AsyncIterator[StorageBench]:
    """The pool and a host beside it, which is a pool of its own; that one has storage there with a disk in it."""
    async with bench(lab, tmp_path, "xenserver4") as made:
        added = await made.ended(await made.asked(await made.plan(pool="xenserver4")))
        assert added.state is JobState.SUCCEEDED, told(added)
        yield made


def lying(jobs: StorageBench) -> str:
    (uuid,) = jobs.folders()
    return uuid


async def let_go(jobs: StorageBench) -> str:
    """The other pool puts a disk into it and forgets it, as somebody does before moving storage to another pool."""
    there, uuid = jobs.uuid("xenserver4"), lying(jobs)
    await jobs.pools.storing.make_disk(there, uuid, "nobody", "data", 1 << 20)
    await jobs.pools.storing.detach(there, uuid)
    await jobs.pools.storing.forget(there, uuid)
    return uuid


def reasons(plan: Plan) -> str:
    return " ".join(plain(one.fact) for one in plan.blocked)


async def test_what_another_pool_holds_is_refused_by_its_uuid(jobs: StorageBench) -> None:
    plan = await jobs.plan(existing=lying(jobs))
    assert "xenserver4 holds it as nfs-second; two pools on one storage destroy it" in reasons(plan)
    assert "nfs-second of xenserver4" in reasons(await jobs.plan())


async def test_a_pool_that_is_away_keeps_storage_from_being_attached(jobs: StorageBench) -> None:
    uuid = await let_go(jobs)
    await jobs.started_without("xenserver4")
    assert "xenserver4 does not say whether it holds this storage" in reasons(await jobs.plan(existing=uuid))


async def test_it_is_attached_again_with_what_lies_in_it_once_two_have_vouched_for_it(
    lab: Datacentre, jobs: StorageBench
) -> None:
    uuid = await let_go(jobs)
    plan = await jobs.plan(existing=uuid)
    assert plan.risk is Risk.CRITICAL
    record = await jobs.ended(await jobs.asked(plan))
    assert record.state is JobState.SUCCEEDED, told(record)
    assert len(record.approved_by) == 2
    (now,) = [one for one in jobs.storage() if one["uuid"] == uuid]
    assert (now["name_label"], now["shared"]) == ("nfs-second", True)
    assert [disk["virtual_size"] for disk in now["disks"] if disk["managed"]] == [1 << 20]
    (idle,) = (await jobs.plan(existing=uuid, name="another")).blocked
    assert idle.idle
    await lab.do({"do": "unplug_pbd", "sr": "nfs-second", "host": "xenserver3"})
    (check,) = (await jobs.plan(existing=uuid, name="another")).blocked
    assert not check.idle
    assert plain(check.fact) == "experiment knows it as nfs-second already, not attached to xenserver3"


@pytest.mark.parametrize("how", ["existing", "beside"])
async def test_a_host_that_is_off_does_not_stand_in_the_way_and_finds_its_plug_when_it_is_back(
    lab: Datacentre, jobs: StorageBench, how: str
) -> None:
    wish = {"existing": await let_go(jobs)} if how == "existing" else {"beside": True}
    await jobs.started_without("xenserver3")
    await until(jobs.pools, lambda: not is_up(jobs.pools.host("xenserver3")), within_s=60)
    plan = await jobs.plan(**wish)
    assert "xenserver3: no answer, so nobody looked from there" in " ".join(plain(one.fact) for one in plan.checks)
    record = await jobs.ended(await jobs.asked(plan))
    assert record.state is JobState.SUCCEEDED, told(record)
    assert "nfs-second is attached to 1 host of experiment" in told(record)
    assert "Not attached to xenserver3: it is plugged in there when it boots" in told(record)
    (now,) = [one for one in jobs.storage() if one["name_label"] == "nfs-second"]
    assert sorted(plug["currently_attached"] for plug in now["plugs"]) == [False, True]


@pytest.mark.parametrize("method", ["Async.PBD.plug", "Async.VDI.create", "SR.set_name_label"])
async def test_where_that_fails_it_is_forgotten_and_what_lies_in_it_is_as_it_was(
    lab: Datacentre, jobs: StorageBench, method: str
) -> None:
    uuid = await let_go(jobs)
    await arm(lab, method, "fail", times="forever", error=["SR_BACKEND_FAILURE_200", "", "I/O error", ""])
    record = await jobs.ended(await jobs.asked(await jobs.plan(existing=uuid)))
    assert record.state is JobState.FAILED
    assert "the storage is forgotten again, and what lies in it is as it was" in told(record)
    assert not [one for one in jobs.storage() if one["uuid"] == uuid]
    assert jobs.folders() == [uuid]
    destroyed = [call for call in lab.state()["calls"] if call["method"].endswith("SR.destroy")]
    assert destroyed == []


@pytest.mark.parametrize(("method", "when"), [("Async.SR.introduce", "end"), ("Async.PBD.plug", "during")])
async def test_a_crash_in_the_middle_ends_with_it_attached_or_as_it_was(
    lab: Datacentre, jobs: StorageBench, method: str, when: str
) -> None:
    uuid = await let_go(jobs)
    fault = await arm(lab, method, "hold", when, times=1)
    number = await jobs.asked(await jobs.plan(existing=uuid))
    await held(lab)
    await jobs.crash()
    await lab.do({"do": "release", "name": fault})
    await jobs.open()
    record = await jobs.ended(number)
    known = [one["name_label"] for one in jobs.storage() if one["uuid"] == uuid]
    assert known == (["nfs-second"] if record.state is JobState.SUCCEEDED else []), told(record)
    assert jobs.folders() == [uuid]


# Trying what a pool has


async def check(jobs: StorageBench, sr: str) -> str:
    plan = await sr_check.plan(jobs.pools.sr(sr).uuid, jobs.pools, jobs.approval)
    record = await jobs.ended(await jobs.asked(plan))
    assert not [disk for one in jobs.storage() for disk in one["disks"] if disk["name_label"].startswith("xenbot")]
    return f"{record.state.value}: {told(record)}"


async def test_storage_of_a_pool_is_tried_on_each_of_its_hosts(jobs: StorageBench) -> None:
    assert (await check(jobs, "nfs-vhd")).startswith(
        "SUCCEEDED: nfs-vhd works on 2 hosts xenserver1, xenserver3: 8 MiB"
    )
    local = next(sr for sr in jobs.pools.pool("experiment").srs if sr.hosts == {jobs.pools.host("xenserver3").uuid})
    assert "works on 1 host xenserver3: 8 MiB written" in await check(jobs, local.uuid)


async def test_storage_that_is_read_only_full_or_away_is_told_host_by_host(lab: Datacentre, jobs: StorageBench) -> None:
    await lab.do({"do": "nfs", "server": "nfsserver", "path": "/home/test", "full": True})
    plan = await sr_check.plan(jobs.pools.sr("nfs-vhd").uuid, jobs.pools, jobs.approval)
    assert "0 B free on nfs-vhd" in reasons(plan)
    await lab.do({"do": "nfs", "server": "nfsserver", "path": "/home/test", "full": False, "read_only": True})
    await lab.do({"do": "unplug_pbd", "sr": "nfs-vhd", "host": "xenserver3"})
    plan = await sr_check.plan(jobs.pools.sr("nfs-vhd").uuid, jobs.pools, jobs.approval)
    assert [way.label for way in plan.ways] == ["Plan: plug on xenserver3"]
    refused = await check(jobs, "nfs-vhd")
    assert refused.startswith("FAILED: ")
    assert "a disk could not be made" in refused
    assert "is it writable" in refused


async def test_a_file_server_that_falls_silent_in_the_middle_is_told_and_what_is_left_is_named(
    lab: Datacentre, jobs: StorageBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "_DISK_S", 4.0)
    jobs.try_s = 12.0
    await jobs.crash()
    await jobs.open()
    fault = await arm(lab, "Async.VDI.snapshot", "hold", times=2)
    number = await jobs.asked(await sr_check.plan(jobs.pools.sr("nfs-vhd").uuid, jobs.pools, jobs.approval))
    await settled(lab, lambda state: any(one["holding"] == 2 for one in state["faults"]))
    await lab.do({"do": "nfs", "server": "nfsserver", "gone": True})
    await lab.do({"do": "release", "name": fault})
    record = await jobs.ended(number)
    assert record.state is JobState.FAILED
    assert "nfs-vhd does not work on xenserver1, xenserver3" in told(record)
    assert "xenserver3: the pool gave no answer to VDI.snapshot for 4 s" in told(record)
    assert "See that the file server answers, then remove what is left by hand" in told(record)
    assert f"Disks are left on nfs-vhd, called xenbot storage {record.nonce}" in told(record)


async def test_a_pool_that_forgets_its_tasks_is_not_taken_to_have_removed_a_disk(
    lab: Datacentre, jobs: StorageBench
) -> None:
    pool, sr = jobs.uuid(), jobs.pools.sr("nfs-vhd").uuid
    await jobs.pools.storing.make_disk(pool, sr, jobs.pools.host("xenserver1").uuid, f"{MARK} x", 1 << 20)
    await arm(lab, "Async.VDI.destroy", "hold", "end", times=1)
    removing = asyncio.create_task(jobs.pools.storing.remove_disks(pool, sr, f"{MARK} x"))
    await held(lab)
    await lab.do({"do": "restart_toolstack", "host": "xenserver1"})
    # Which of both it is depends on whether it asks while the toolstack ends or once it is there again.
    with pytest.raises(Unreachable, match=r"has forgotten what came of VDI.destroy|could not be asked"):
        await removing


async def test_a_slow_file_server_is_waited_for(lab: Datacentre, jobs: StorageBench) -> None:
    await lab.do({"do": "nfs", "server": "nfsserver", "speed": "slow"})
    assert (await check(jobs, "nfs-vhd")).startswith("SUCCEEDED: ")
