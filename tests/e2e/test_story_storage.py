"""A guest and its disks moved in one step: asked for by a press, seen through, broken off, sent back."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from story_lab import StoryLab, opened, strings
from test_story_move_disks import GIB, add_disk, begin_three, disks

SEND = "Async.VM.migrate_send"


def sr_of(lab: StoryLab, host: str, name: str = "Local storage") -> str:
    """The UUID of an SR that this host has plugged."""
    with opened(lab) as api:
        (ref,) = api.host.get_by_name_label(host)
        plugged = [api.PBD.get_SR(pbd) for pbd in api.host.get_PBDs(ref)]
        return next(str(api.SR.get_uuid(sr)) for sr in plugged if api.SR.get_name_label(sr) == name)


async def asked(lab: StoryLab, *more: str, guest: str = "web-local") -> dict[str, Any]:
    """The card of that guest going to xenserver3 with all its disks, to the local storage there.

    Every host calls its local storage alike; which one is meant follows from the host.
    """
    words = (guest, *more, "→ Local storage of xenserver3", "Confirm")
    return await lab.asks(f"migrate {guest} to xenserver3 sr Local storage", *words, private=False)


async def arm(lab: StoryLab, **fault: Any) -> None:
    await lab.lab("datacentre", do="arm", fault={"method": SEND, "times": 1, **fault})


async def on_its_way(lab: StoryLab, guest: str = "web-local") -> None:
    async def going() -> bool:
        return (await lab.guest(guest))["operation"] == "migrate_send"

    await lab.until(going, "a migration with storage on its way")


async def test_where_storage_stops_a_move_the_way_with_storage_is_a_press_and_a_confirm_away(lab: StoryLab) -> None:
    before = await asyncio.to_thread(disks, lab)
    await lab.xen("migrate web-local to xenserver3")
    refusal = await lab.sees("cannot be migrated", "migrate with storage to nfs-vhd", "riskier", private=True)
    await lab.press(refusal, "Plan: migrate with storage")
    card = await lab.sees("Migrate web-local with storage", "disk 0 → nfs-vhd", "Confirm", private=False)
    assert "storage moves" in strings(card)
    await lab.press(card, "Confirm")
    done = await lab.sees("web-local now runs on xenserver3; disk 0 is on nfs-vhd", "Move back", private=False)
    after = await asyncio.to_thread(disks, lab)
    told = strings(done)
    assert 0 < told.index(before["0"][0]) < told.index(after["0"][0])
    assert "the old disks are gone" in strings(done)
    assert (await lab.guest("web-local"))["host"] == "xenserver3"


async def test_all_disks_go_along_and_move_back_takes_guest_and_disks_home(lab: StoryLab) -> None:
    second = await asyncio.to_thread(add_disk, lab)
    await lab.press(await asked(lab), "Confirm")
    done = await lab.sees(f"disks 0, {second} are on Local storage of xenserver3", private=False)
    await lab.press(done, "Move back")
    card = await lab.sees("xenserver3 → xenserver1", "Local storage of xenserver1", "Confirm", private=False)
    await lab.press(card, "Confirm")
    await lab.sees(
        "web-local now runs on xenserver1", f"disks 0, {second} are on Local storage of xenserver1", private=False
    )
    assert (await lab.guest("web-local"))["host"] == "xenserver1"


async def test_a_halted_guests_disks_go_alone_and_it_can_be_started_there(lab: StoryLab) -> None:
    await lab.lab("datacentre", do="stop_guest", guest="web-local", how="shutdown")

    async def off() -> bool:
        return (await lab.guest("web-local"))["power_state"] == "Halted"

    await lab.until(off, "a guest that is off")
    await lab.press(await asked(lab, "web-local, which is halted, to xenserver3"), "Confirm")
    await lab.sees("web-local is off as before; disk 0 is on Local storage of xenserver3", private=False)
    await lab.xen("start web-local")
    await lab.press(await lab.sees("Start web-local", "It can run on xenserver3", "Confirm", private=False), "Confirm")
    await lab.sees("web-local runs on xenserver3", private=False)


async def test_a_cancel_half_way_leaves_guest_and_disks_where_they_were_and_says_so(lab: StoryLab) -> None:
    before = await asyncio.to_thread(disks, lab)
    await lab.lab("datacentre", do="pause_tasks", at=0.4)
    await lab.press(await asked(lab), "Confirm")
    await on_its_way(lab)
    card = await lab.sees("Migrating web-local with storage", "Cancel", private=False)
    await lab.press(card, "Cancel")
    # It stands still all the while: released, it might arrive before the pool hears of the wish.
    await lab.sees(
        "Cancelled: web-local still runs on xenserver1; disk 0 is on Local storage of xenserver1", private=False
    )
    assert await asyncio.to_thread(disks, lab) == before


@pytest.mark.long
async def test_a_copy_that_breaks_off_says_why_and_where_guest_and_disks_are(lab: StoryLab) -> None:
    before = await asyncio.to_thread(disks, lab)
    await arm(lab, when="during", action="fail", error=["MIRROR_FAILED", "OpaqueRef:gone"])
    await lab.press(await asked(lab), "Confirm")
    await lab.sees(
        "Failed: the copy of the disk",
        "web-local still runs on xenserver1; disk 0 is on Local storage of xenserver1",
        "Ask again",
        private=False,
    )
    assert await asyncio.to_thread(disks, lab) == before


async def test_a_guest_that_goes_down_on_the_way_is_the_headline(lab: StoryLab) -> None:
    await lab.lab("datacentre", do="pause_tasks", at=0.3)
    await lab.press(await asked(lab), "Confirm")
    await on_its_way(lab)
    await lab.lab("datacentre", do="stop_guest", guest="web-local", how="shutdown")
    await lab.lab("datacentre", do="release_tasks")
    await lab.sees(
        "GUEST IS DOWN: web-local is halted, it ran before; disk 0 is on Local storage of xenserver1", private=False
    )


async def test_a_host_that_moves_as_many_as_it_may_is_waited_for(lab: StoryLab) -> None:
    await lab.lab("datacentre", do="pause_tasks", at=0.3)
    await asyncio.to_thread(begin_three, lab)
    card = await asked(lab)
    await lab.press(card, "Confirm")
    await lab.sees("that host moves as many disks at once as it may (3). It is tried again every 10 s", private=False)
    await lab.lab("datacentre", do="release_tasks")
    await lab.sees("web-local now runs on xenserver3", private=False)


async def test_room_that_has_gone_since_makes_it_stale_and_nothing_is_sent(lab: StoryLab) -> None:
    card = await asked(lab)
    sr = await asyncio.to_thread(sr_of, lab, "xenserver3")
    await lab.lab("datacentre", **{"do": "set", "class": "SR", "uuid": sr, "field": "physical_size", "value": GIB})
    await lab.press(card, "Confirm")
    await lab.sees("Not started, things have changed", "the disks need at least", "Ask again", private=False)
    assert not [call for call in await lab.changes() if call["method"] == SEND]


async def test_an_sr_of_two_hosts_does_not_say_which_is_meant_and_another_pool_is_a_matter_of_backup(
    lab: StoryLab,
) -> None:
    await lab.xen("migrate web-local sr nfs-vhd")
    await lab.sees("does not say which host is meant", "to <host>", private=True)
    await lab.xen("migrate web-local sr Local storage")
    await lab.sees("Local storage", "Which one is", "on xenserver1", "on xenserver3", private=True)
    sr = await asyncio.to_thread(sr_of, lab, "xenserver1")
    await lab.xen(f"migrate web-local to xenserver4 sr {sr}")
    await lab.sees("is in another pool", "/xen move-by-backup", private=True)


async def test_the_secret_of_the_receiving_host_is_nowhere_but_in_the_call(lab: StoryLab, tmp_path: Path) -> None:
    """Of all references only those of tasks may be kept, and even a failure that holds the secret does not show it."""
    await lab.lab("datacentre", do="pause_tasks", at=0.3)
    await lab.press(await asked(lab), "Confirm")
    await on_its_way(lab)
    await lab.sees("Migrating web-local with storage", "%", private=False)
    kept, tasks = remembered(lab)
    url = "http://192.0.2.3/services/xenops?session_id=OpaqueRef:5ec7e700-5ec7-e700-5ec7-e7005ec7e700"
    await arm(lab, when="end", action="fail", error=["VM_MIGRATE_FAILED", "a", "b", "c", f"no answer from {url}"])
    await lab.lab("datacentre", do="release_tasks")
    shown = strings(await lab.sees("the migration broke off: no answer from", private=False))
    later, ended = remembered(lab)
    kept += later + shown + (tmp_path / "lab.log").read_text()
    assert set(REFERENCE.findall(kept)) <= tasks | ended
    assert "migrate_send" in kept
    assert "5ec7e700" not in kept


REFERENCE = re.compile(r"OpaqueRef:[0-9a-f-]+")


def remembered(lab: StoryLab) -> tuple[str, set[str]]:
    """All that the store holds now, and the handles of the tasks in it."""
    with closing(sqlite3.connect(f"{Path(lab.info['store']).as_uri()}?mode=ro", uri=True)) as store:
        rows = [*store.execute("SELECT task, parent FROM steps"), *store.execute("SELECT task, '' FROM audit")]
        return "\n".join(store.iterdump()), {one for row in rows for one in row if one}


async def test_the_target_dies_half_way_and_it_is_told_where_guest_and_disks_are(lab: StoryLab) -> None:
    before = await asyncio.to_thread(disks, lab)
    await lab.lab("datacentre", do="pause_tasks", at=0.4)
    await lab.press(await asked(lab), "Confirm")
    await on_its_way(lab)
    await lab.lab("datacentre", do="kill_host", host="xenserver3")
    await lab.lab("datacentre", do="release_tasks")
    await lab.sees(
        "Failed", "web-local still runs on xenserver1; disk 0 is on Local storage of xenserver1", private=False
    )
    assert await asyncio.to_thread(disks, lab) == before


async def test_an_answer_that_is_lost_is_looked_for_and_the_guest_sent_once(lab: StoryLab) -> None:
    await arm(lab, when="after", action="drop")
    await lab.press(await asked(lab), "Confirm")
    await lab.sees("web-local now runs on xenserver3; disk 0 is on Local storage of xenserver3", private=False)
    assert [call["method"] for call in await lab.changes()].count(SEND) == 1
