"""A restore in place of a guest: the old one is renamed and kept, with two others' yes; or it is as it was before."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import pytest
from story_lab import StoryLab, opened
from test_kill_restore import ended, held, hold, killed
from test_story_restore import backed_up, everything, found


def off(lab: StoryLab) -> None:
    """centos54 is off, and would start by itself with its host."""
    with opened(lab) as api:
        (vm,) = api.VM.get_by_name_label("centos54")
        api.VM.hard_shutdown(vm)
        api.VM.add_to_other_config(vm, "auto_poweron", "true")


async def asked(lab: StoryLab, text: str) -> None:
    """Asked for, confirmed, and approved by two others."""
    await lab.press(await lab.asks(text, "Restore", "Confirm", private=False), "Confirm")
    approval = await lab.sees("Approval needed", "critical risk", "it takes the place of centos54", private=False)
    for who in ("approver", "approver2"):
        await lab.press(approval, "Approve", who=who)


async def test_the_old_guest_is_renamed_and_kept_and_does_not_wake_beside_the_new_one(lab: StoryLab) -> None:
    await backed_up(lab, "centos54")
    await lab.xen("restore centos54 replace")
    await lab.sees("cannot be restored", "only a guest that is off is replaced", private=True)
    await asyncio.to_thread(off, lab)
    (old,) = await asyncio.to_thread(found, lab, "centos54")
    await asked(lab, "restore centos54 replace keep-mac start")
    await lab.sees("centos54 is restored and runs", "is kept, off, as", private=False)
    (new,) = await asyncio.to_thread(found, lab, "centos54")
    assert new["uuid"] != old["uuid"]
    assert new["cards"] == old["cards"]
    with opened(lab) as api:
        kept = api.VM.get_record(api.VM.get_by_uuid(old["uuid"]))
    assert kept["name_label"].startswith("centos54 (before ")
    assert kept["power_state"] == "Halted"
    assert "auto_poweron" not in kept["other_config"]
    assert kept["VBDs"] == old["VBDs"]


async def test_where_it_fails_the_old_guest_is_as_it_was(lab: StoryLab) -> None:
    await backed_up(lab, "centos54")
    await asyncio.to_thread(off, lab)
    (old,) = await asyncio.to_thread(found, lab, "centos54")
    before = await asyncio.to_thread(everything, lab)
    fault = {
        "method": "VM.set_affinity",
        "when": "before",
        "action": "fail",
        "error": ["INTERNAL_ERROR", "x"],
        "times": 9,
    }
    await lab.lab("datacentre", do="arm", fault=fault)
    await asked(lab, "restore centos54 replace")
    await lab.sees("Failed", "is removed, with its disks", "is called centos54", private=False)
    (now,) = await asyncio.to_thread(found, lab, "centos54")
    assert now["uuid"] == old["uuid"]
    assert now["other_config"] == old["other_config"]
    assert await asyncio.to_thread(everything, lab) == before
    with closing(sqlite3.connect(f"file:{lab.info['store']}?mode=ro", uri=True)) as db:
        assert db.execute("SELECT key FROM locks").fetchall() == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("method", ["VM.add_to_other_config", "VM.remove_from_other_config"])
async def test_a_kill_while_the_old_guest_is_set_aside_ends_with_both_as_promised(
    lab: StoryLab, method: str, when: str
) -> None:
    await backed_up(lab, "centos54")
    await asyncio.to_thread(off, lab)
    (old,) = await asyncio.to_thread(found, lab, "centos54")
    await hold(lab, method, when)
    await asked(lab, "restore centos54 replace")
    await lab.until(lambda: held(lab), f"{method} held {when}")
    await killed(lab)
    assert await ended(lab, 2) == "SUCCEEDED"
    (new,) = await asyncio.to_thread(found, lab, "centos54")
    assert new["uuid"] != old["uuid"]
    with opened(lab) as api:
        kept = api.VM.get_record(api.VM.get_by_uuid(old["uuid"]))
    assert kept["name_label"].startswith("centos54 (before ")
    assert "auto_poweron" not in kept["other_config"]
