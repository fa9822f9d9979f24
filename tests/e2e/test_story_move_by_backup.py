"""The last resort: a guest goes to a host that it cannot be migrated to, by a backup and a restore of it there."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

from story_lab import StoryLab, opened, strings
from test_schedules import in_force
from test_story_restore import found


def copies(lab: StoryLab, name: str) -> list[dict[str, Any]]:
    """Every guest of that name in the pool of xenserver2, each with its addresses."""
    with opened(lab, "xenserver2") as api:
        guests = []
        for ref in api.VM.get_by_name_label(name):
            record = api.VM.get_record(ref)
            record["macs"] = {one["device"]: one["MAC"].lower() for one in map(api.VIF.get_record, record["VIFs"])}
            guests.append(record)
        return guests


def there(lab: StoryLab) -> tuple[set[str], set[str], set[str]]:
    """The UUIDs of all guests, disks and networks in the pool of xenserver2."""
    with opened(lab, "xenserver2") as api:
        return (
            {one["uuid"] for one in api.VM.get_all_records().values()},
            {one["uuid"] for one in api.VDI.get_all_records().values() if one["managed"]},
            {one["uuid"] for one in api.network.get_all_records().values()},
        )


async def approved(lab: StoryLab, *words: str) -> None:
    """Somebody else lets through what the operator has confirmed."""
    await lab.press(await lab.sees(*words, "must approve", private=False), "Confirm")
    await lab.press(await lab.sees("Approval needed", *words, private=False), "Approve", who="approver")


def disks(guest: dict[str, Any]) -> dict[str, str]:
    return {place: one["uuid"] for place, one in guest["images"].items()}


def wakeful(lab: StoryLab) -> None:
    """The guest starts with its host, high availability would start it, and a schedule finds it."""
    with opened(lab) as api:
        (vm,) = api.VM.get_by_name_label("centos54")
        api.VM.add_to_other_config(vm, "auto_poweron", "true")
        api.VM.set_ha_restart_priority(vm, "restart")
        api.VM.add_tags(vm, "nightly")


async def moved(lab: StoryLab, name: str) -> dict[str, Any]:
    """The card of a move that went well."""
    await lab.xen(f"move-by-backup {name} to xenserver2")
    await approved(lab, f"Move {name} to xenserver2")
    return await lab.sees(f"{name} now runs on xenserver2, as a copy", "Roll back", private=False)


async def test_a_guest_goes_where_no_migration_leads_is_retired_and_comes_back_when_it_must(lab: StoryLab) -> None:
    await asyncio.to_thread(wakeful, lab)
    await in_force(lab, "schedule backup tag:nightly daily 02:00", "nightly")
    (before,) = await asyncio.to_thread(found, lab, "centos54")
    nothing = await asyncio.to_thread(there, lab)
    await lab.xen("migrate centos54 to xenserver2")
    refused = await lab.sees("centos54 cannot be migrated to xenserver2", "Another pool", private=True)
    await lab.press(refused, "Copy by backup and restore")
    plan = await lab.sees("Move centos54 to xenserver2 by backup", "is off for about", "Confirm", private=False)
    assert "Read the copy back and compare each disk with the backup" in strings(plan)
    await approved(lab, "Move centos54 to xenserver2")
    done = await lab.sees("centos54 now runs on xenserver2, as a copy", "hold what backup", private=False)
    (source,) = await asyncio.to_thread(found, lab, "centos54")
    (copy,) = await asyncio.to_thread(copies, lab, "centos54")
    assert (source["uuid"], source["power_state"]) == (before["uuid"], "Halted")
    assert disks(source) == disks(before)
    assert "auto_poweron" not in source["other_config"]
    assert source["ha_restart_priority"] == ""
    assert (copy["power_state"], copy["is_a_template"]) == ("Running", False)
    assert copy["macs"] == {place: mac for place, (mac, _) in before["cards"].items()}
    assert not [key for key in copy["other_config"] if "xenbot" in key or key == "auto_poweron"]
    assert copy["tags"] == []

    # The buttons are those of a card that was drawn before the bot was killed.
    await lab.lab("bot", do="kill")
    await lab.lab("bot", do="start")
    await lab.press(done, "Retire source")
    await approved(lab, "Retire the source of centos54")
    retired = await lab.sees("The source of centos54 is retired", "(moved to xenserver2, kept until", private=False)
    assert await asyncio.to_thread(found, lab, "centos54") == []
    (copy,) = await asyncio.to_thread(copies, lab, "centos54")
    assert (copy["other_config"]["auto_poweron"], copy["tags"]) == ("true", ["nightly"])
    with opened(lab) as api:
        (kept,) = [one for one in api.VM.get_all_records().values() if one["uuid"] == source["uuid"]]
    assert kept["tags"] == []
    await lab.press(done, "Retire source")
    await lab.sees("Nothing has to be done", "is retired", private=True)

    await lab.press(retired, "Roll back")
    card = await lab.sees("Roll back the move of centos54", "is lost with its disks", "must approve", private=False)
    assert "its priority in high availability" in strings(card)
    await approved(lab, "Roll back the move of centos54")
    await lab.sees("centos54 runs again on", "the move is rolled back", private=False)
    (again,) = await asyncio.to_thread(found, lab, "centos54")
    assert again["power_state"] == "Running"
    assert again["ha_restart_priority"] == "restart"
    assert again["other_config"] == before["other_config"]
    assert again["tags"] == before["tags"] == ["nightly"]
    assert (again["cards"], disks(again)) == (before["cards"], disks(before))
    assert await asyncio.to_thread(there, lab) == nothing
    await lab.asks("roll-back centos54", "was rolled back by job", "nothing to retire", private=True)
    with closing(sqlite3.connect(f"file:{lab.info['store']}?mode=ro", uri=True)) as db:
        assert db.execute("SELECT key FROM locks").fetchall() == []
