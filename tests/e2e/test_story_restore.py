"""A guest is backed up, lost, and comes back: as a new guest, on the host and with the addresses asked for."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from story_lab import StoryLab, opened, strings
from test_schedules import in_force


def found(lab: StoryLab, name: str) -> list[dict[str, Any]]:
    """Every guest of that name at the pool, each with its cards and disks."""
    with opened(lab) as api:
        guests = []
        for ref in api.VM.get_by_name_label(name):
            record = api.VM.get_record(ref)
            record["cards"] = {
                one["device"]: (one["MAC"].lower(), api.network.get_name_label(one["network"]))
                for one in map(api.VIF.get_record, record["VIFs"])
            }
            record["images"] = {
                one["userdevice"]: api.VDI.get_record(one["VDI"])
                for one in map(api.VBD.get_record, record["VBDs"])
                if one["type"] == "Disk"
            }
            guests.append(record)
        return guests


def lose(lab: StoryLab, name: str) -> dict[str, Any]:
    """Somebody deletes the guest with its disks; what it was."""
    (guest,) = found(lab, name)
    with opened(lab) as api:
        ref = api.VM.get_by_uuid(guest["uuid"])
        api.VM.hard_shutdown(ref)
        disks = [api.VBD.get_VDI(vbd) for vbd in api.VM.get_VBDs(ref) if api.VBD.get_type(vbd) == "Disk"]
        api.VM.destroy(ref)
        for disk in disks:
            api.VDI.destroy(disk)
    return guest


async def lost(lab: StoryLab, name: str) -> dict[str, Any]:
    """The same, until the bot has heard of it."""
    guest = await asyncio.to_thread(lose, lab, name)
    await lab.asks(f"status {guest['uuid']}", "There is no", guest["uuid"], private=True)
    return guest


def everything(lab: StoryLab) -> tuple[set[str], set[str], set[str]]:
    """The UUIDs of all guests, disks and networks; layers below the disks come and go by themselves."""
    with opened(lab) as api:
        return (
            {one["uuid"] for one in api.VM.get_all_records().values()},
            {one["uuid"] for one in api.VDI.get_all_records().values() if one["managed"]},
            {one["uuid"] for one in api.network.get_all_records().values()},
        )


async def confirmed(lab: StoryLab, text: str, *words: str) -> None:
    await lab.press(await lab.asks(text, *words, "Confirm", private=False), "Confirm")


async def backed_up(lab: StoryLab, name: str) -> None:
    await confirmed(lab, f"backup {name}", "Back up", name)
    await lab.sees(f"Backed up {name}", private=False)


async def test_a_lost_guest_comes_back_on_another_host_with_its_old_address(lab: StoryLab) -> None:
    await backed_up(lab, "centos54")
    old = await lost(lab, "centos54")
    (mac, network) = old["cards"]["0"]
    words = ("Restore centos54 to nfs-vhd on xenserver3 and start it", "MAC addresses kept")
    card = await lab.asks("restore centos54 on xenserver3 start keep-mac", *words, private=False)
    await lab.press(card, "Confirm")
    done = await lab.sees("centos54 is restored and runs on xenserver3", mac, network, private=False)
    assert "xenbot restore" not in strings(done)
    (new,) = await asyncio.to_thread(found, lab, "centos54")
    assert new["uuid"] != old["uuid"]
    assert new["power_state"] == "Running"
    assert new["cards"] == old["cards"]
    assert not new["is_a_template"]
    assert {place: one["virtual_size"] for place, one in new["images"].items()} == {
        place: one["virtual_size"] for place, one in old["images"].items()
    }
    assert (await lab.guest("centos54"))["host"] == "xenserver3"


async def pressed_cancel(lab: StoryLab, *words: str) -> None:
    await lab.press(await lab.sees(*words, "Cancel", private=False), "Cancel")


async def as_it_was(lab: StoryLab, before: tuple[set[str], set[str], set[str]]) -> None:
    """Nothing is at the pool that was not there before, no task of ours, and no lock."""

    async def same() -> bool:
        return await asyncio.to_thread(everything, lab) == before

    await lab.until(same, "a pool as it was")

    async def tidy() -> bool:
        return not [one for one in (await lab.state())["tasks"] if "xenbot job" in one["name"]]

    await lab.until(tidy, "no task of ours")
    with closing(sqlite3.connect(f"file:{lab.info['store']}?mode=ro", uri=True)) as db:
        assert db.execute("SELECT key FROM locks").fetchall() == []


async def arm(lab: StoryLab, **fault: Any) -> None:
    await lab.lab("datacentre", do="arm_stream", fault={"stream": "PUT /import", **fault})


async def test_a_copy_beside_the_living_guest_has_new_addresses_and_stays_off(lab: StoryLab) -> None:
    await backed_up(lab, "centos54")
    (old,) = await asyncio.to_thread(found, lab, "centos54")
    await lab.xen("restore centos54 as centos54-copy")
    card = await lab.sees("Restore centos54-copy to nfs-vhd", "new MAC addresses", "Confirm", private=False)
    await lab.press(card, "Confirm")
    done = await lab.sees("centos54-copy is restored to nfs-vhd, halted", "Plan: start", private=False)
    (new,) = await asyncio.to_thread(found, lab, "centos54-copy")
    assert new["power_state"] == "Halted"
    assert new["cards"]["0"][0] != old["cards"]["0"][0]
    assert new["cards"]["0"][1] == old["cards"]["0"][1]
    (still,) = await asyncio.to_thread(found, lab, "centos54")
    # What storage writes down of layers below its disks changes while it clears away those of the backup's snapshot.
    disks = [{at: one["uuid"] for at, one in guest.pop("images").items()} for guest in (old, still)]
    assert (still, disks[1]) == (old, disks[0])
    await lab.asks("status centos54-copy", "centos54-copy is halted", private=True)
    await lab.press(done, "Plan: start")
    await lab.sees("Start centos54-copy", "high risk", "it starts while centos54 runs", "must approve", private=False)


async def test_what_would_make_a_twin_is_refused_or_needs_somebody_else(lab: StoryLab) -> None:
    await backed_up(lab, "centos54")
    (old,) = await asyncio.to_thread(found, lab, "centos54")
    await lab.xen("restore centos54 keep-mac")
    await lab.sees("cannot be restored", "two guests with one address", old["cards"]["0"][0], private=True)
    await lab.xen("restore centos54 start")
    card = await lab.sees("Restore centos54", "high risk", "it starts while centos54", "runs", private=False)
    await lab.press(card, "Confirm")
    await lab.sees("Approval needed", "Restore centos54", private=False)


def haunted(lab: StoryLab) -> None:
    """The guest has everything that would wake it, or let it be taken for another."""
    with opened(lab) as api:
        (vm,) = api.VM.get_by_name_label("centos54")
        api.VM.add_to_other_config(vm, "auto_poweron", "true")
        api.VM.add_to_other_config(vm, "xenbot-schedule", "nightly")
        api.VM.add_to_other_config(vm, "folder", "/kept")
        api.VM.add_tags(vm, "xenbot:nightly")
        api.VM.add_tags(vm, "kept")
        api.VM.add_tags(vm, "nightly")
        api.VM.set_ha_restart_priority(vm, "restart")
        api.VM.add_to_blocked_operations(vm, "pool_migrate", "xenbot job 9 keeps it")
        api.VM.add_to_blocked_operations(vm, "destroy", "by hand")


def assert_calm(guest: dict[str, Any]) -> None:
    """Nothing of that is left on it."""
    assert not {"auto_poweron", "xenbot-schedule"} & set(guest["other_config"])
    assert not any("xenbot" in tag for tag in guest["tags"])
    assert guest["ha_restart_priority"] == ""
    assert not any("xenbot" in why for why in guest["blocked_operations"].values())


async def test_nothing_that_would_wake_it_is_left_on_a_restored_guest(lab: StoryLab) -> None:
    await asyncio.to_thread(haunted, lab)
    await backed_up(lab, "centos54")
    await in_force(lab, "schedule backup tag:nightly daily 02:00", "nightly")
    await confirmed(lab, "restore centos54 as calm", "Restore calm")
    await lab.sees("calm is restored", private=False)
    (old,) = await asyncio.to_thread(found, lab, "centos54")
    (new,) = await asyncio.to_thread(found, lab, "calm")
    assert new["other_config"]["mac_seed"] != old["other_config"]["mac_seed"]
    assert_calm(new)
    assert new["other_config"]["folder"] == "/kept"
    assert new["tags"] == ["kept"]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"action": "cut", "after": 2_000_000}, "Failed"),
        ({"action": "storage_full", "after": 2_000_000}, "Failed"),
        ({"action": "fail", "after": 2_000_000, "error": ["VDI_IO_ERROR", "Device I/O errors"]}, "Failed"),
    ],
    ids=["cut", "storage full", "input and output"],
)
async def test_an_import_that_fails_in_the_middle_leaves_nothing(
    lab: StoryLab, fault: dict[str, Any], says: str
) -> None:
    await backed_up(lab, "centos54")
    before = await asyncio.to_thread(everything, lab)
    await arm(lab, **fault)
    await confirmed(lab, "restore centos54 as back", "Restore back")
    await lab.sees(says, "nothing of centos54 was imported", private=False)
    await as_it_was(lab, before)


async def test_cancel_in_the_middle_of_an_import_leaves_nothing(lab: StoryLab) -> None:
    await backed_up(lab, "centos54")
    before = await asyncio.to_thread(everything, lab)
    await lab.lab("datacentre", do="pause_tasks", at=0.3)
    await confirmed(lab, "restore centos54 as back", "Restore back")

    async def begun() -> bool:
        return (await asyncio.to_thread(everything, lab))[1] > before[1]

    await lab.until(begun, "disks of the import")
    await pressed_cancel(lab, "Restoring back")
    # It stands still all the while: released, it might be in before anybody hears of the wish.
    await lab.sees("Cancelled: nothing of centos54 was imported", private=False)
    await as_it_was(lab, before)


async def test_bytes_that_are_not_those_that_were_verified_never_become_a_guest(lab: StoryLab) -> None:
    """Even where each block still has its digest: the guest's settings have none of their own."""
    await backed_up_plain(lab, "centos54")
    before = await asyncio.to_thread(everything, lab)
    (archive,) = Path(lab.info["store"]).with_name("backups").glob("*/*/archive.xva")
    content = archive.read_bytes()
    assert content.count(b"<name>VCPUs_max</name><value>1<") >= 1
    archive.write_bytes(content.replace(b"<name>VCPUs_max</name><value>1<", b"<name>VCPUs_max</name><value>8<"))
    await confirmed(lab, "restore centos54 as evil", "Restore evil")
    await lab.sees("Failed", "not the one that was backed up and verified", private=False)
    await as_it_was(lab, before)


async def backed_up_plain(lab: StoryLab, name: str) -> None:
    await confirmed(lab, f"backup {name} compress none", "Back up", name)
    await lab.sees(f"Backed up {name}", private=False)


async def test_a_guest_that_cannot_be_made_ready_is_removed_with_its_disks(lab: StoryLab) -> None:
    await backed_up(lab, "centos54")
    before = await asyncio.to_thread(everything, lab)
    fault = {"method": "VIF.create", "when": "before", "action": "fail", "error": ["MAC_INVALID", "x"], "times": 9}
    await lab.lab("datacentre", do="arm", fault=fault)
    await asyncio.to_thread(lose_network, lab)
    card = await planned_with_the_new_network(lab)
    await lab.press(card, "Confirm")
    await lab.sees("Failed", "what was imported of back is removed, with its disks", private=False)
    with opened(lab) as api:
        api.network.destroy(api.network.get_by_name_label("internal")[0])
    await as_it_was(lab, before)


async def planned_with_the_new_network(lab: StoryLab) -> dict[str, Any]:
    """The plan, once the bot has heard of that network."""

    async def card() -> dict[str, Any] | None:
        shown = [one for one in await lab.screen() if "Restore back" in strings(one) and "Confirm" in strings(one)]
        if not shown:
            await lab.xen("restore centos54 as back network 0=internal")
        return shown[-1] if shown else None

    return await lab.until(card, "a plan with the new network")


def lose_network(lab: StoryLab) -> None:
    """A network that no host has a card on, to be chosen instead of the old one."""
    with opened(lab) as api:
        api.network.create({"name_label": "internal", "name_description": "", "MTU": "1500", "other_config": {}})


async def test_a_failed_start_keeps_the_guest_and_offers_another(lab: StoryLab) -> None:
    await backed_up(lab, "centos54")
    await lost(lab, "centos54")
    fault = {
        "method": "Async.VM.start_on",
        "when": "during",
        "action": "fail",
        "error": ["HOST_NOT_ENOUGH_FREE_MEMORY", "1", "0"],
    }
    await lab.lab("datacentre", do="arm", fault=fault)
    await confirmed(lab, "restore centos54 on xenserver3 start", "Restore centos54")
    await lab.sees("centos54 is restored, and halted", "memory", private=False)
    (new,) = await asyncio.to_thread(found, lab, "centos54")
    assert new["power_state"] == "Halted"


async def test_networks_go_where_they_were_told_to_and_none_is_made(lab: StoryLab) -> None:
    await backed_up(lab, "centos54")
    await asyncio.to_thread(lose_network, lab)
    card = await planned_with_the_new_network(lab)
    await lab.press(card, "Confirm")
    await lab.sees("back is restored", "on internal", private=False)
    (new,) = await asyncio.to_thread(found, lab, "back")
    assert new["cards"]["0"][1] == "internal"


async def test_a_rehearsal_proves_the_backup_and_leaves_nothing(lab: StoryLab) -> None:
    await asyncio.to_thread(haunted, lab)
    await backed_up(lab, "centos54")
    before = await asyncio.to_thread(everything, lab)
    hold = {"method": "Async.VM.start", "when": "before", "action": "hold", "name": "held"}
    await lab.lab("datacentre", do="arm", fault=hold)
    await confirmed(lab, "rehearse centos54", "Rehearse the restore of centos54", "without network cards")

    async def held() -> bool:
        return any(fault.get("holding") for fault in (await lab.state())["faults"])

    await lab.until(held, "a guest that is about to be started")
    (guest,) = await asyncio.to_thread(found, lab, "centos54 (rehearsal)")
    assert guest["VIFs"] == []
    assert_calm(guest)
    await lab.lab("datacentre", do="release", name="held")
    await lab.sees("centos54 can be restored from", "rehearsed, and removed again", "its tools answer", private=False)
    await as_it_was(lab, before)


async def test_what_cannot_be_restored_is_refused_with_the_reason(lab: StoryLab) -> None:
    await lab.xen("restore nosuch")
    await lab.sees("There is no backup or backed-up guest called “nosuch”", private=True)
    await backed_up(lab, "centos54")
    for words, says in {
        "centos54 on xenserver1 sr nfs-vhd network 0=nowhere": ("does not name a network card",),
    }.items():
        await lab.xen(f"restore {words}")
        await lab.sees(*says, private=True)
    assert not [one for one in await lab.changes() if one["method"] == "PUT /import"]


def jobs(lab: StoryLab) -> int:
    """How many there have been."""
    with closing(sqlite3.connect(f"file:{lab.info['store']}?mode=ro", uri=True)) as db:
        ((number,),) = db.execute("SELECT max(number) FROM jobs").fetchall()
    return int(number)


def on_two_networks(lab: StoryLab) -> None:
    """centos54 has a second card, on a network of its own."""
    lose_network(lab)
    with opened(lab) as api:
        (vm,) = api.VM.get_by_name_label("centos54")
        (network,) = api.network.get_by_name_label("internal")
        card = {"device": "1", "network": network, "VM": vm, "MAC": "", "MTU": "1500", "other_config": {}}
        api.VIF.create(card | {"qos_algorithm_type": "", "qos_algorithm_params": {}})


def without_it(lab: StoryLab) -> None:
    """The second network is gone."""
    lose(lab, "centos54")
    with opened(lab) as api:
        api.network.destroy(api.network.get_by_name_label("internal")[0])


async def test_a_network_that_is_gone_is_asked_for_and_the_one_that_the_import_makes_is_removed(lab: StoryLab) -> None:
    await asyncio.to_thread(on_two_networks, lab)
    await backed_up(lab, "centos54")
    await asyncio.to_thread(without_it, lab)
    before = await asyncio.to_thread(everything, lab)
    gone = "network card 1 was on internal, and experiment has no network of that name"
    await lab.asks("restore centos54", gone, private=True)
    # One that was planned before the bot had heard of it is not meant.
    number = jobs(lab) + 1
    words = 'restore centos54 network 1="Pool-wide network associated with eth0"'
    await confirmed(lab, words, "Restore centos54", f"job {number}")
    await lab.sees("centos54 is restored", private=False)
    (new,) = await asyncio.to_thread(found, lab, "centos54")
    assert {network for _, network in new["cards"].values()} == {"Pool-wide network associated with eth0"}
    assert (await asyncio.to_thread(everything, lab))[2] == before[2]


async def test_an_address_that_somebody_takes_meanwhile_never_wakes_twice(lab: StoryLab) -> None:
    await backed_up(lab, "centos54")
    old = await lost(lab, "centos54")
    before = await asyncio.to_thread(everything, lab)
    hold = {"method": "VM.set_affinity", "when": "before", "action": "hold", "name": "held"}
    await lab.lab("datacentre", do="arm", fault=hold)
    await confirmed(lab, "restore centos54 start keep-mac", "Restore centos54")

    async def held() -> bool:
        return any(fault.get("holding") for fault in (await lab.state())["faults"])

    await lab.until(held, "a guest that is being made ready")
    await asyncio.to_thread(take_address, lab, old["cards"]["0"][0])
    await lab.lab("datacentre", do="release", name="held")
    await lab.sees("Failed", "winxp", "runs with", "by now", "is removed, with its disks", private=False)
    await as_it_was(lab, before)


def take_address(lab: StoryLab, mac: str) -> None:
    """A guest that runs gets this address."""
    with opened(lab) as api:
        (vm,) = api.VM.get_by_name_label("winxp")
        (vif,) = api.VM.get_VIFs(vm)
        network = api.VIF.get_network(vif)
        api.VIF.unplug_force(vif)
        api.VIF.destroy(vif)
        card = {"device": "0", "network": network, "VM": vm, "MAC": mac, "MTU": "1500", "other_config": {}}
        api.VIF.create(card | {"qos_algorithm_type": "", "qos_algorithm_params": {}})
