"""Guests are backed up through Slack's door: running, shut down for it, several at once; and nothing is left behind."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from story_lab import StoryLab, opened, strings


def folder(lab: StoryLab) -> Path:
    """Where the lab's bot keeps backups."""
    return Path(lab.info["store"]).with_name("backups")


def manifests(lab: StoryLab) -> list[dict[str, Any]]:
    """What the archive says it holds, oldest first."""
    found = [json.loads(path.read_text()) for path in folder(lab).glob("*/*/manifest.json")]
    return sorted(found, key=lambda one: one["at"])


def archives(lab: StoryLab) -> list[Path]:
    """Every file and folder below those of the guests."""
    return sorted(folder(lab).glob("*/*"))


def snapshots(lab: StoryLab) -> tuple[list[str], list[str]]:
    """The names of all snapshots of guests, and the UUIDs of all disks that are snapshots."""
    with opened(lab) as api:
        guests = [one["name_label"] for one in api.VM.get_all_records().values() if one["is_a_snapshot"]]
        return guests, [one["uuid"] for one in api.VDI.get_all_records().values() if one["is_a_snapshot"]]


def catalogued(lab: StoryLab) -> list[tuple[str, str]]:
    """Guest and state of every backup in the catalogue."""
    with closing(sqlite3.connect(f"file:{lab.info['store']}?mode=ro", uri=True)) as db:
        return db.execute("SELECT name, state FROM backups ORDER BY name").fetchall()


async def calls(lab: StoryLab) -> list[str]:
    """The changing calls that took effect, in order."""
    return await lab.took_effect("VM.clean_shutdown", "VM.snapshot", "VM.start", "VM.destroy", "VDI.destroy")


async def confirmed(lab: StoryLab, text: str, *words: str) -> None:
    """Types it and confirms the card that comes of it."""
    await lab.press(await lab.asks(text, "Back up", *words, "Confirm", private=False), "Confirm")


async def over(lab: StoryLab, state: str, number: int = 1) -> None:
    """Until the job is over, and so."""

    async def ended() -> bool:
        with closing(sqlite3.connect(f"file:{lab.info['store']}?mode=ro", uri=True)) as db:
            return db.execute("SELECT state FROM jobs WHERE number = ?", [number]).fetchall() == [(state,)]

    await lab.until(ended, f"job {number} is {state}")


async def left(lab: StoryLab, *names: str) -> None:
    """Nothing is left but these snapshots: no disk, no task, no lock; and every guest is as before."""
    guests, disks = await asyncio.to_thread(snapshots, lab)
    assert guests == list(names)
    assert len(disks) == len(names)
    with closing(sqlite3.connect(f"file:{lab.info['store']}?mode=ro", uri=True)) as db:
        assert db.execute("SELECT key FROM locks").fetchall() == []

    async def tidy() -> bool:
        return not [one for one in (await lab.state())["tasks"] if "xenbot job" in one["name"]]

    await lab.until(tidy, "no task of ours")
    assert [one for one in archives(lab) if one.name.endswith(".partial")] == []


async def test_a_running_guest_is_backed_up_while_it_runs(lab: StoryLab) -> None:
    await confirmed(lab, "backup centos54 keep 30d", "centos54", "keeps running")
    done = await lab.sees("Backed up centos54", "every block verified", "kept until", "snapshot removed", private=False)
    assert "SHA-256" in strings(done)
    (made,) = manifests(lab)
    assert (made["name"], made["how"]) == ("centos54", "running, by snapshot")
    assert made["kept_until"] - made["at"] == 30 * 86_400
    assert catalogued(lab) == [("centos54", "whole")]
    assert await calls(lab) == ["VM.snapshot", "VM.destroy", "VDI.destroy"]
    assert (await lab.guest("centos54"))["power_state"] == "Running"
    await left(lab)
    await lab.press(done, "Backups")
    await lab.sees("every block, as it was made", private=True)


async def test_the_cold_way_starts_the_guest_again_before_it_is_exported(lab: StoryLab) -> None:
    await confirmed(lab, "backup centos54 cold compress none", "shut down for it", "started again at once")
    await lab.sees("Backed up centos54", "shut down, by snapshot; snapshot removed", private=False)
    assert await calls(lab) == ["VM.clean_shutdown", "VM.snapshot", "VM.start", "VM.destroy", "VDI.destroy"]
    (made,) = manifests(lab)
    assert made["contents"]["compression"] == "none"
    assert (await lab.guest("centos54"))["power_state"] == "Running"
    await left(lab)


async def test_several_guests_have_one_card_and_one_that_fails_stops_no_other(lab: StoryLab) -> None:
    full = ["SR_BACKEND_FAILURE_44", "", "There is insufficient space", ""]
    fault = {"method": "Async.VM.snapshot", "when": "before", "action": "fail", "error": full}
    await lab.lab("datacentre", do="arm", fault=fault)
    await confirmed(lab, "backup centos54 日本語サーバー winxp", "3 guests", "winxp")
    partly = await lab.sees("Backed up 2 of 3 guests", "insufficient space", private=False)
    good = {one["name"] for one in manifests(lab)}
    assert len(good) == 2
    for name in good:
        assert f"{name}: backup" in strings(partly)
    await left(lab)
    await lab.press(partly, "Ask again")
    (missing,) = {"centos54", "日本語サーバー", "winxp"} - good
    await lab.press(await lab.sees(f"Back up {missing}", "job 2", "Confirm", private=False), "Confirm")
    await lab.sees(f"Backed up {missing}", private=False)
    assert {one["name"] for one in manifests(lab)} == {"centos54", "日本語サーバー", "winxp"}


async def test_a_snapshot_that_only_looks_like_ours_is_left_alone(lab: StoryLab) -> None:
    name = "xenbot backup 0123456789abcdef"

    def by_hand() -> None:
        with opened(lab) as api:
            (vm,) = api.VM.get_by_name_label("centos54")
            api.VM.snapshot(vm, name)

    await asyncio.to_thread(by_hand)
    await confirmed(lab, "backup centos54")
    await lab.sees("Backed up centos54", private=False)
    await left(lab, name)


async def test_a_snapshot_whose_answer_is_lost_is_found_by_its_name_and_taken_once(lab: StoryLab) -> None:
    fault = {"method": "Async.VM.snapshot", "when": "after", "action": "drop"}
    await lab.lab("datacentre", do="arm", fault=fault)
    await confirmed(lab, "backup centos54")
    await over(lab, "SUCCEEDED")
    assert len(manifests(lab)) == 1
    await left(lab)


async def hold(lab: StoryLab, method: str, when: str) -> None:
    await lab.lab("datacentre", do="arm", fault={"method": method, "when": when, "action": "hold", "name": "held"})


async def streaming(lab: StoryLab) -> None:
    """Until an archive is on its way."""

    async def begun() -> bool:
        return any(one.name.endswith(".partial") and (one / "archive.xva").exists() for one in archives(lab))

    await lab.until(begun, "a draft in the archive")


async def holding(lab: StoryLab) -> bool:
    return any(fault["holding"] for fault in (await lab.state())["faults"])


async def test_a_disk_that_is_plugged_in_before_the_snapshot_ends_it_and_its_own_snapshot_goes_too(
    lab: StoryLab,
) -> None:
    def plug() -> None:
        with opened(lab) as api:
            (vm,) = api.VM.get_by_name_label("centos54")
            (disk,) = [one for one in map(api.VBD.get_record, api.VM.get_VBDs(vm)) if one["type"] == "Disk"]
            like = api.VDI.get_record(disk["VDI"])
            new = {"name_label": "new", "name_description": "", "SR": like["SR"], "virtual_size": str(1 << 30)}
            more = {"type": "user", "sharable": False, "read_only": False, "other_config": {}}
            vdi = api.VDI.create(new | more)
            device = {"VM": vm, "VDI": vdi, "userdevice": "5", "bootable": False, "mode": "RW", "type": "Disk"}
            more = {"empty": False, "other_config": {}, "qos_algorithm_type": "", "qos_algorithm_params": {}}
            api.VBD.create(device | more)

    await hold(lab, "Async.VM.snapshot", "before")
    await confirmed(lab, "backup centos54")
    await lab.until(lambda: holding(lab), "the snapshot held")
    await asyncio.to_thread(plug)
    await lab.lab("datacentre", do="release", name="held")
    await lab.sees("no longer those that were checked: disk 5 was plugged in", "job 1", private=False)
    await over(lab, "FAILED")
    assert manifests(lab) == []
    await left(lab)


async def test_cancel_while_the_pool_works_takes_back_what_was_begun(lab: StoryLab) -> None:
    async def listens() -> bool:
        return bool((await lab.guest("centos54"))["tools"])

    phases = (("VM.clean_shutdown", "during"), ("VM.snapshot", "before"), ("VM.start", "during"))
    for number, (phase, when) in enumerate(phases, start=1):
        # Without its tools it cannot be asked to shut down.
        await lab.until(listens, "a guest whose tools answer")
        await hold(lab, f"Async.{phase}", when)
        await confirmed(lab, "backup centos54 cold", f"job {number}")
        await lab.until(lambda: holding(lab), phase)
        await lab.press(await lab.sees("Backing up centos54", f"job {number}", "Cancel", private=False), "Cancel")
        await lab.lab("datacentre", do="release", name="held")
        await over(lab, "CANCELLED", number)
        assert (await lab.guest("centos54"))["power_state"] == "Running", phase
        assert manifests(lab) == [], phase
        await left(lab)


async def test_cancel_in_the_middle_of_the_stream_ends_it_and_leaves_nothing(lab: StoryLab) -> None:
    await lab.lab("datacentre", do="pause_tasks", at=0.3)
    await confirmed(lab, "backup centos54")
    await streaming(lab)
    await lab.press(await lab.sees("Backing up centos54", "Cancel", private=False), "Cancel")
    await over(lab, "CANCELLED")
    await lab.sees("Cancelled: no backup of centos54 was kept", "the snapshot of centos54 is removed", private=False)
    await lab.lab("datacentre", do="release_tasks")
    assert archives(lab) == []
    await left(lab)


async def test_cancel_while_it_is_cleaned_up_stops_no_clean_up_and_the_backup_stays(lab: StoryLab) -> None:
    await hold(lab, "Async.VM.destroy", "before")
    await confirmed(lab, "backup centos54")
    await lab.until(lambda: holding(lab), "the removal of the snapshot")
    await lab.press(await lab.sees("Backing up centos54", "Cancel", private=False), "Cancel")
    await lab.sees("asked to stop it", private=False)
    await lab.lab("datacentre", do="release", name="held")
    await over(lab, "SUCCEEDED")
    assert len(manifests(lab)) == 1
    await left(lab)


async def test_a_second_backup_of_one_guest_waits_for_the_first(lab: StoryLab) -> None:
    await lab.lab("datacentre", do="pause_tasks", at=0.3)
    await confirmed(lab, "backup centos54")
    await streaming(lab)
    await lab.xen("backup centos54")
    await lab.sees("Job 1 asks for that already", private=True)
    await confirmed(lab, "backup centos54 winxp", "2 guests")
    await lab.sees("centos54 is busy with job 1", private=True)
    await lab.lab("datacentre", do="release_tasks")
    await lab.sees("Backed up centos54", private=False)
    await left(lab)


async def test_what_cannot_be_backed_up_is_refused_with_the_reason(lab: StoryLab) -> None:
    for words, says in {
        "sleeper": ("sleeper cannot be backed up", "its saved memory would not be in the backup"),
        "twin": ("2 guests are called “twin”",),
        "centos54 twin": ("2 guests are called “twin”", "write the UUID"),
        "nosuchguest": ("There is no guest called “nosuchguest”", "lists the guests"),
        "centos54 keep never": ("I do not understand this time",),
        "centos54 compress rar": ("no such compression",),
    }.items():
        await lab.xen(f"backup {words}")
        await lab.sees(*says, private=True)
    assert await calls(lab) == []


async def test_a_guest_without_a_disk_and_a_template_are_refused(lab: StoryLab) -> None:
    def emptied() -> None:
        with opened(lab) as api:
            (vm,) = api.VM.get_by_name_label("web-local")
            api.VM.hard_shutdown(vm)
            for vbd in api.VM.get_VBDs(vm):
                api.VBD.destroy(vbd)

    def templated() -> None:
        with opened(lab) as api:
            (vm,) = api.VM.get_by_name_label("web-local")
            api.VM.set_is_a_template(vm, True)

    await asyncio.to_thread(emptied)
    bare = "has no disk, so there is nothing to back up"
    await lab.asks("backup web-local", "web-local cannot be backed up", bare, private=True)
    await asyncio.to_thread(templated)

    async def forgotten() -> bool:
        await lab.xen("backup web-local")
        return "There is no guest called" in strings((await lab.screen())[-1])

    await lab.until(forgotten, "a template that is no guest any more")


async def test_a_guest_on_its_way_to_another_host_is_not_backed_up_meanwhile(lab: StoryLab) -> None:
    await lab.lab("datacentre", do="pause_tasks", at=0.3)
    await lab.xen("migrate centos54 to xenserver3")
    await lab.press(await lab.sees("Migrate centos54", "Confirm", private=False), "Confirm")
    await lab.sees("Migrating centos54", "%", private=False)
    await lab.asks("backup centos54", "centos54 cannot be backed up", "a migration by xenbot job 1", private=True)
    await lab.lab("datacentre", do="release_tasks")
    await lab.sees("centos54 now runs on xenserver3", private=False)


@pytest.mark.parametrize("name", ["../../../etc/passwd", "x" * 300, "line\nbreak <!channel> *bold*"])
async def test_a_hostile_name_is_text_and_never_a_path(lab: StoryLab, name: str) -> None:
    def renamed() -> str:
        with opened(lab) as api:
            (vm,) = api.VM.get_by_name_label("centos54")
            api.VM.set_name_label(vm, name)
            return str(api.VM.get_uuid(vm))

    uuid = await asyncio.to_thread(renamed)

    async def known() -> bool:
        return any(one["name"] == name for one in (await lab.state())["guests"])

    await lab.until(known, "the new name")
    await confirmed(lab, f"backup {uuid}")
    await lab.sees("Backed up", "every block verified", private=False)
    (made,) = manifests(lab)
    assert made["name"] == name
    assert [one.parent.name for one in archives(lab)] == [uuid]
    await left(lab)


async def test_a_place_that_is_gone_is_said_before_anything_is_done(lab: StoryLab) -> None:
    folder(lab).rmdir()
    await lab.xen("backup centos54")
    await lab.sees("centos54 cannot be backed up", "it is not there", private=True)
    assert await calls(lab) == []
