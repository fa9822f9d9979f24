"""What jobs of ours leave when they really fail: found, named, removed by what was stored, and never what is used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from left_bench import LeftBench, bench, disk_of, other, says, sr_of
from storage_bench import told
from xen_lab import arm, held

from bot.domain.job import JobState
from bot.domain.plan import Grade, Plan
from bot.domain.texts import plain
from bot.errors import Refused
from bot.lab.xapi import Datacentre
from bot.operations import leavings
from bot.operations.clean_up_left import GUEST
from bot.operations.work import Errand


@pytest.fixture
async def jobs(lab: Datacentre, tmp_path: Path) -> AsyncIterator[LeftBench]:
    async with bench(lab, tmp_path) as made:
        yield made


async def test_a_half_restored_guest_is_found_with_its_age_and_size_and_goes_with_its_disks(jobs: LeftBench) -> None:
    before = jobs.everything()
    record = await jobs.half_restored()
    assert record.state is JobState.PARTIAL, told(record)
    guest, disk = record.made["guest"], record.made["disk 0"]
    row = await jobs.row()
    (item,) = row.items
    assert f"job {record.number} left the guest xenbot restore {record.nonce}, 8 GiB, " in plain(item.says)
    assert item.button is not None
    assert item.button.target == f"clean-up {record.number}"
    plan = await jobs.clean_up(record)
    assert {guest, disk} <= set(plan.steps[0].call.uuids())
    assert all(uuid in says(plan) for uuid in (guest, disk))
    done = await jobs.done(plan)
    assert (done.state, jobs.everything()) == (JobState.SUCCEEDED, before), told(done)
    assert (await jobs.row()).items == ()
    again = await jobs.clean_up(record)
    assert [check.idle for check in again.blocked] == [True]


def as_named(jobs: LeftBench, guest: str) -> None:
    jobs.database.set("VM", guest, name_label="web1")


def as_guest(jobs: LeftBench, guest: str) -> None:
    jobs.database.set("VM", guest, is_a_template=False)


def as_started(jobs: LeftBench, guest: str) -> None:
    metrics = jobs.database.get("VM", guest, "metrics")
    jobs.database.set("VM_metrics", metrics, start_time=jobs.lab._clock.now())


def as_running(jobs: LeftBench, guest: str) -> None:
    jobs.database.set("VM", guest, power_state="Running")


def as_larger(jobs: LeftBench, guest: str) -> None:
    disk = jobs.database.create("VDI", SR=sr_of(jobs), name_label="data", virtual_size=1 << 30, managed=True)
    jobs.database.create("VBD", VM=guest, VDI=disk, type="Disk", userdevice="7")


def as_lender(jobs: LeftBench, guest: str) -> None:
    jobs.database.create("VBD", VM=other(jobs), VDI=disk_of(jobs, guest), type="Disk", userdevice="7")


def as_snapshotted(jobs: LeftBench, guest: str) -> None:
    jobs.database.create("VM", name_label="before I try", is_a_snapshot=True, is_a_template=True, snapshot_of=guest)


def as_busy(jobs: LeftBench, guest: str) -> None:
    jobs.database.set("VM", guest, current_operations={"task": "export"})


def as_deleted_without_its_disk(jobs: LeftBench, guest: str) -> None:
    for vbd in jobs.database.get("VM", guest, "VBDs"):
        jobs.database.delete("VBD", vbd)
    jobs.database.delete("VM", guest)


CLAIMS = {
    as_named: "somebody has named it web1",
    as_guest: "it is no template any more",
    as_started: "somebody has started it",
    as_running: "it is running",
    as_larger: "it has disks that it did not come with",
    as_lender: "is attached to centos54",
    as_snapshotted: "somebody has taken a snapshot of it: before I try",
    as_busy: "it is being worked on: export",
    as_deleted_without_its_disk: "the guest is gone, and not its disks",
}


def errand(jobs: LeftBench, plan: Plan) -> Errand:
    """The work of the first step of a plan, as the engine would have it done."""
    words: Any = {"who": "U1", "reason": "", "tell": lambda _: None, "spare": lambda: None}
    return Errand(job=9, nonce="9", pool=plan.pool, step=plan.steps[0], task="", names=plan.names, **words)


async def test_a_guest_that_somebody_may_have_taken_into_use_is_left_and_said_so_in_each_case(jobs: LeftBench) -> None:
    archived = await jobs.backed_up()
    for claim, words in CLAIMS.items():
        record = await jobs.half_restored(archived)
        before_it = await jobs.clean_up(record)
        assert before_it.blocked == ()
        claim(jobs, jobs.ref("VM", record.made["guest"]))
        there = jobs.everything()
        plan = await jobs.clean_up(record)
        (check,) = plan.blocked
        assert words in plain(check.fact), claim
        assert (plan.steps, check.idle, check.grade) == ((), False, Grade.BLOCKED)
        # Also where it was claimed after the last look of the engine.
        with pytest.raises(Refused, match="It is left as it is"):
            await jobs.workers()[GUEST].run(errand(jobs, before_it))
        assert jobs.everything() == there


async def test_a_copy_of_what_was_left_is_nobodys_leftover_though_it_bears_the_mark(jobs: LeftBench) -> None:
    before = jobs.everything()
    record = await jobs.half_restored()
    guest, mark = jobs.ref("VM", record.made["guest"]), f"xenbot restore {record.nonce}"
    copy = await jobs.calls("VM.clone", guest, mark)
    uuid = await jobs.calls("VM.get_uuid", copy)
    mine = {vdi["uuid"] for vdi in [jobs.database.record("VDI", disk_of(jobs, copy))]}
    assert "a guest is called" in await jobs.told()
    plan = await jobs.clean_up(record)
    assert uuid not in plan.steps[0].call.uuids()
    done = await jobs.done(plan)
    assert done.state is JobState.SUCCEEDED, told(done)
    left = jobs.everything()
    assert (left["VM"] - before["VM"], left["VDI"] - before["VDI"]) == ({uuid}, mine)
    row = await jobs.row()
    assert [item.button for item in row.items] == [None]
    assert [check.idle for check in (await jobs.clean_up(record)).blocked] == [True]


async def test_what_changes_between_plan_and_confirmation_makes_the_job_stale(jobs: LeftBench) -> None:
    record = await jobs.half_restored()
    plan = await jobs.clean_up(record)
    as_named(jobs, jobs.ref("VM", record.made["guest"]))
    there = jobs.everything()
    done = await jobs.done(plan)
    assert (done.state, jobs.everything()) == (JobState.STALE, there)
    assert "somebody has named it web1" in " ".join(plain(line) for line in done.drifted)
    assert (await jobs.row()).items == (), "it is somebody's by now"


@pytest.mark.parametrize("method", ["VDI.destroy", "VM.destroy"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_clean_up_that_is_killed_goes_on_and_removes_no_more_than_it_was_to(
    jobs: LeftBench, method: str, when: str
) -> None:
    before = jobs.everything()
    record = await jobs.half_restored()
    done = await jobs.killed_at(method, when, await jobs.clean_up(record))
    assert (done.state, jobs.everything()) == (JobState.SUCCEEDED, before), told(done)


async def test_an_image_that_a_guest_came_with_stays_in_its_library(jobs: LeftBench) -> None:
    archived = await jobs.backed_up()
    record = await jobs.half_restored(archived)
    disk = jobs.ref("VDI", record.made["disk 0"])
    library = jobs.database.create("SR", name_label="images", content_type="iso", type="nfs")
    jobs.database.set("VDI", disk, SR=library)
    done = await jobs.done(await jobs.clean_up(record))
    assert done.state is JobState.SUCCEEDED, told(done)
    assert jobs.database.has("VDI", disk)
    assert record.made["guest"] not in jobs.everything()["VM"]


async def test_a_rehearsal_that_could_not_stop_its_guest_is_to_be_stopped_first_and_then_goes(jobs: LeftBench) -> None:
    archived = await jobs.backed_up()
    before = jobs.everything()
    record = await jobs.stuck(jobs.rehearsed(archived), "VM.hard_shutdown")
    assert "left the guest centos54 (rehearsal), 8 GiB" in await jobs.told()
    plan = await jobs.clean_up(record)
    (check,) = plan.blocked
    assert "centos54 (rehearsal) is left as it is: it is running" in plain(check.fact)
    assert [way.words for way in plan.ways] == [f"stop {record.made['guest']}"]
    guest = jobs.ref("VM", record.made["guest"])
    await jobs.calls("VM.hard_shutdown", guest)
    # A network card shows that somebody wants to go on with it.
    network = next(ref for ref, _ in jobs.database.items("network"))
    card = jobs.database.create("VIF", VM=guest, network=network, device="0", MAC="02:00:00:00:00:78")
    assert "somebody has given it a network card" in says(await jobs.clean_up(record))
    jobs.database.delete("VIF", card)
    done = await jobs.done(await jobs.clean_up(record))
    assert (done.state, jobs.everything()) == (JobState.SUCCEEDED, before), told(done)


async def test_a_guest_that_came_and_was_never_marked_is_known_by_what_was_written_down(jobs: LeftBench) -> None:
    archived = await jobs.backed_up()
    before = jobs.everything()
    stuck = ("VM.set_name_label", "VM.destroy", "VDI.destroy")
    record = await jobs.stuck(jobs.restored(archived), *stuck)
    assert "guest" not in record.made
    assert "left the guest xenbot backup" in await jobs.told(), "so is called what was sent"
    done = await jobs.done(await jobs.clean_up(record))
    assert (done.state, jobs.everything()) == (JobState.SUCCEEDED, before), told(done)


async def test_an_import_that_failed_and_was_cleared_away_left_nothing_and_offers_no_removal(jobs: LeftBench) -> None:
    archived = await jobs.backed_up()
    before = jobs.everything()
    # It cannot be marked, neither when it came nor when it goes.
    record = await jobs.stuck(jobs.restored(archived), "VM.set_name_label")
    assert (record.state, jobs.everything()) == (JobState.FAILED, before), told(record)
    assert leavings.mends(record) == ()
    with pytest.raises(Refused, match="left nothing that is known"):
        await jobs.clean_up(record)


async def test_a_network_that_came_with_a_guest_goes_though_somebody_has_removed_the_guest(jobs: LeftBench) -> None:
    record = await jobs.half_restored()
    guest = jobs.ref("VM", record.made["guest"])
    disk = disk_of(jobs, guest)
    mark = f"xenbot restore {record.nonce}"
    unused, used = [jobs.database.create("network", name_label=mark) for _ in range(2)]
    jobs.database.create("VIF", VM=other(jobs), network=used, device="6", MAC="02:00:00:00:00:79")
    await jobs.calls("VDI.destroy", disk)
    await jobs.calls("VM.destroy", guest)
    assert f"job {record.number} left the network" in await jobs.told()
    plan = await jobs.clean_up(record)
    assert jobs.database.get("network", unused, "uuid") in says(plan)
    assert jobs.database.get("network", used, "uuid") not in says(plan)
    done = await jobs.done(plan)
    assert done.state is JobState.SUCCEEDED, told(done)
    assert (jobs.database.has("network", unused), jobs.database.has("network", used)) == (False, True)


async def test_what_went_well_or_is_still_being_done_is_no_leftover(lab: Datacentre, jobs: LeftBench) -> None:
    archived = await jobs.backed_up()
    well = await jobs.restored(archived)
    assert well.state is JobState.SUCCEEDED
    with pytest.raises(Refused, match="left nothing that is known"):
        await jobs.clean_up(well)
    fault = await arm(lab, "VM.set_affinity", "hold", "before")
    going = asyncio.create_task(jobs.restored(archived))
    await held(lab)
    assert (await jobs.row()).items == ()
    with pytest.raises(Refused, match="is not over"):
        await jobs.clean_up(await jobs.store.job(well.number + 1))
    await lab.do({"do": "release", "name": fault})
    await going
