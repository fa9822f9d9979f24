"""What trials and additions of storage leave when they really fail: removed by what was noted, not where it is used."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from left_bench import LeftBench, bench, other, says
from storage_bench import told
from test_xen_storage_again import let_go
from xen_lab import arm, held

from bot.domain.job import JobState
from bot.domain.record import JobRecord, StepState
from bot.domain.texts import plain
from bot.lab.xapi import Datacentre
from bot.operations import leavings, sr_check
from bot.operations.trying import SWEEP


@pytest.fixture
async def jobs(lab: Datacentre, tmp_path: Path) -> AsyncIterator[LeftBench]:
    async with bench(lab, tmp_path) as made:
        yield made


async def test_a_removal_of_trial_disks_that_is_killed_goes_on(jobs: LeftBench) -> None:
    before = jobs.everything()
    record = await jobs.stuck(jobs.tried(), "Async.VDI.destroy")
    done = await jobs.killed_at("Async.VDI.destroy", "before", await jobs.clean_up(record))
    assert (done.state, jobs.everything()) == (JobState.SUCCEEDED, before), told(done)


async def test_a_disk_made_in_the_instant_before_a_kill_is_known_to_whoever_removes_what_is_left(
    lab: Datacentre, jobs: LeftBench
) -> None:
    before = jobs.everything()
    await arm(lab, "Async.VDI.create", "hold", "end", times=1)
    plan = await sr_check.plan(jobs.pools.sr("nfs-vhd").uuid, jobs.facts, jobs.approval)
    number = await jobs.asked(plan)
    await held(lab)
    assert [step.noted for step in (await jobs.store.job(number)).steps] == ["", ""], "nobody has heard of it yet"
    await jobs.crash()
    await lab.do({"do": "clear_faults"})
    await arm(lab, "Async.VDI.destroy", "fail", times="forever", error=["OPERATION_NOT_ALLOWED", "no"])
    await jobs.open()
    record = await jobs.ended(number)
    await lab.do({"do": "clear_faults"})
    assert jobs.everything()["VDI"] > before["VDI"]
    done = await jobs.done(await jobs.clean_up(record))
    assert (done.state, jobs.everything()) == (JobState.SUCCEEDED, before), told(done)


async def test_the_disks_that_a_storage_was_tried_with_go_but_for_one_that_somebody_uses(jobs: LeftBench) -> None:
    before = jobs.everything()
    record = await jobs.stuck(jobs.tried(), "Async.VDI.destroy")
    row = await jobs.row()
    (item,) = row.items
    assert f"job {record.number} left 4 disks that nfs-vhd was tried with, 32 MiB, " in plain(item.says)
    disks = {uuid for uuid in jobs.everything()["VDI"] if uuid not in before["VDI"]}
    copied = await jobs.calls("VDI.get_uuid", await jobs.calls("VDI.clone", jobs.ref("VDI", min(disks)), {}))
    used = next(one for one in sorted(disks) if not jobs.database.record("VDI", jobs.ref("VDI", one))["is_a_snapshot"])
    vbd = jobs.database.create("VBD", VM=other(jobs), VDI=jobs.ref("VDI", used), type="Disk", userdevice="7")
    plan = await jobs.clean_up(record)
    assert set(plan.steps[0].call.uuids("VDI")) == disks - {used}
    assert f"disk {used} is attached to centos54" in says(plan)
    done = await jobs.done(plan)
    assert done.state is JobState.SUCCEEDED, told(done)
    assert jobs.everything()["VDI"] - before["VDI"] == {used, copied}
    jobs.database.delete("VBD", vbd)
    done = await jobs.done(await jobs.clean_up(record))
    assert jobs.everything()["VDI"] - before["VDI"] == {copied}
    assert f"job {record.number} did not note that it made it" in await jobs.told()


async def test_storage_that_was_made_and_not_deleted_again_goes_unless_somebody_has_put_a_disk_there(
    lab: Datacentre, jobs: LeftBench
) -> None:
    async def added() -> JobRecord:
        await arm(lab, "SR.set_name_label", "fail", times="forever", error=["OPERATION_NOT_ALLOWED", "no"])
        return await jobs.stuck(jobs.added(), "Async.SR.destroy")

    record = await added()
    assert f"job {record.number} left the storage xenbot storage {record.nonce}" in await jobs.told()
    done = await jobs.done(await jobs.clean_up(record))
    assert done.state is JobState.SUCCEEDED, told(done)
    jobs.nothing_is_left()
    assert (await jobs.row()).items == ()

    record = await added()
    sr = record.made["sr"]
    await jobs.calls("PBD.plug", await jobs.calls("PBD.get_by_uuid", plug_of(jobs, sr)))
    await jobs.pools.storing.make_disk(jobs.uuid(), sr, "nobody", "of somebody else", 1 << 20)
    done = await jobs.done(await jobs.clean_up(record))
    assert "It holds 1 disk by now, so it is not deleted" in told(done)
    await jobs.pools.storing.rename(jobs.uuid(), sr, "mine")
    (check,) = (await jobs.clean_up(record)).blocked
    assert "somebody has named it mine" in plain(check.fact)
    assert (await jobs.row()).items == ()
    assert jobs.folders() == [sr]


async def test_a_copy_of_a_disk_of_the_trial_keeps_the_storage_though_it_bears_the_mark(jobs: LeftBench) -> None:
    record = await jobs.stuck(jobs.added(), "SR.set_name_label", "Async.VDI.destroy")
    (store,) = [one for one in jobs.storage() if one["uuid"] == record.made["sr"]]
    disk = next(one for one in store["disks"] if not one["is_a_snapshot"])["uuid"]
    copy = await jobs.calls("VDI.get_uuid", await jobs.calls("VDI.clone", jobs.ref("VDI", disk), {}))
    # Somebody has put a disk of the trial into a guest that is off.
    vbd = jobs.database.create("VBD", VM=other(jobs), VDI=jobs.ref("VDI", disk), type="Disk", userdevice="7")
    (check,) = (await jobs.clean_up(record)).blocked
    assert f"disk {disk} is attached to centos54" in plain(check.fact)
    jobs.database.delete("VBD", vbd)
    done = await jobs.done(await jobs.clean_up(record))
    assert "It holds 1 disk by now, so it is not deleted" in told(done)
    assert copy in jobs.everything()["VDI"]
    await jobs.calls("VDI.destroy", jobs.ref("VDI", copy))
    done = await jobs.done(await jobs.clean_up(record))
    assert done.state is JobState.SUCCEEDED, told(done)
    jobs.nothing_is_left()


async def test_disks_that_went_with_their_storage_in_the_end_are_no_leftover(lab: Datacentre, jobs: LeftBench) -> None:
    refused = {"error": ["OPERATION_NOT_ALLOWED", "no"]}
    await arm(lab, "SR.set_name_label", "fail", times="forever", **refused)
    # The snapshots of both hosts, when the trial is swept; all of it goes when the storage is deleted again.
    await arm(lab, "Async.VDI.destroy", "fail", times=2, **refused)
    record = await jobs.added()
    assert {step.kind: step.state for step in record.steps}[SWEEP] is StepState.FAILED, told(record)
    jobs.nothing_is_left()
    assert leavings.mends(record) == ()


def plug_of(jobs: LeftBench, sr: str) -> str:
    """A plug of the storage, which the job has pulled."""
    return str(next(plug["uuid"] for one in jobs.storage() if one["uuid"] == sr for plug in one["plugs"]))


async def test_storage_that_was_only_attached_again_is_unplugged_and_forgotten_and_never_deleted(
    lab: Datacentre, tmp_path: Path
) -> None:
    async with bench(lab, tmp_path, "xenserver4") as jobs:
        await jobs.done(await jobs.plan(pool="xenserver4"))
        uuid = await let_go(jobs)
        record = await jobs.stuck(jobs.added(existing=uuid), "SR.set_name_label", "Async.PBD.unplug")
        assert record.state is not JobState.SUCCEEDED
        (item,) = (await jobs.row()).items
        assert item.button is not None
        assert (item.button.label, item.button.target) == (
            f"Forget storage of job {record.number}",
            f"clean-up {record.number}",
        )
        assert leavings.mends(record) == (item.button,)
        (now,) = [one for one in jobs.storage() if one["uuid"] == uuid]
        (lying,) = [disk["uuid"] for disk in now["disks"] if disk["managed"]]
        # Somebody has put what lies there into a guest that is off.
        vbd = jobs.database.create("VBD", VM=other(jobs), VDI=jobs.ref("VDI", lying), type="Disk", userdevice="7")
        (check,) = (await jobs.clean_up(record)).blocked
        assert "centos54 has a disk there" in plain(check.fact)
        jobs.database.delete("VBD", vbd)
        done = await jobs.done(await jobs.clean_up(record))
        assert done.state is JobState.SUCCEEDED, told(done)
        assert "is forgotten; what lies in it stays" in told(done)
        assert uuid not in {one["uuid"] for one in jobs.storage()}
        assert jobs.folders() == [uuid]
        assert [call for call in lab.state()["calls"] if call["method"].endswith("SR.destroy")] == []
        assert (await jobs.row()).items == ()
