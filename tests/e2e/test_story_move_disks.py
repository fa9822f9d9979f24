"""Local storage that keeps a guest on its host: seen, its disks moved by a press and a confirmation, then the guest."""

from __future__ import annotations

import asyncio
from typing import Any

from story_lab import StoryLab, opened

GIB = 1 << 30
#: Guests on xenserver1 whose disks are on nfs-vhd: as many as a host may move at once.
THREE = ("centos54", "日本語サーバー", "<!channel> & *bold*")


def add_disk(lab: StoryLab) -> str:
    """A second disk of web-local on the same local storage; its place in the guest."""
    with opened(lab) as api:
        (vm,) = api.VM.get_by_name_label("web-local")
        first = next(one for one in map(api.VBD.get_record, api.VM.get_VBDs(vm)) if one["type"] == "Disk")
        vdi = api.VDI.create(
            {
                "name_label": "data",
                "SR": api.VDI.get_SR(first["VDI"]),
                "virtual_size": str(GIB),
                "type": "user",
                "sharable": False,
                "read_only": False,
                "other_config": {},
            }
        )
        (place, *_) = api.VM.get_allowed_VBD_devices(vm)
        vbd = api.VBD.create(
            {
                "VM": vm,
                "VDI": vdi,
                "userdevice": place,
                "bootable": False,
                "mode": "RW",
                "type": "Disk",
                "empty": False,
                "other_config": {},
                "qos_algorithm_type": "",
                "qos_algorithm_params": {},
            }
        )
        api.VBD.plug(vbd)
        return str(place)


def disks(lab: StoryLab) -> dict[str, tuple[str, str]]:
    """UUID and SR of each disk of web-local, by its place."""
    with opened(lab) as api:
        (vm,) = api.VM.get_by_name_label("web-local")
        found = [one for one in map(api.VBD.get_record, api.VM.get_VBDs(vm)) if one["type"] == "Disk"]
        images = {one["userdevice"]: api.VDI.get_record(one["VDI"]) for one in found}
        return {at: (image["uuid"], api.SR.get_name_label(image["SR"])) for at, image in images.items()}


def begin_three(lab: StoryLab) -> None:
    """As many storage migrations of somebody else as the host takes."""
    with opened(lab) as api:
        (host,) = api.host.get_by_name_label("xenserver1")
        here = [api.PBD.get_SR(pbd) for pbd in api.host.get_PBDs(host)]
        (local,) = [sr for sr in here if api.SR.get_name_label(sr) == "Local storage"]
        for name in THREE:
            (vm,) = api.VM.get_by_name_label(name)
            disk = next(one for one in map(api.VBD.get_record, api.VM.get_VBDs(vm)) if one["type"] == "Disk")
            api.Async.VDI.pool_migrate(disk["VDI"], local, {})


async def test_the_disk_that_keeps_a_guest_is_moved_by_a_press_and_a_confirm_and_then_the_guest_moves(
    lab: StoryLab,
) -> None:
    await lab.xen("migrate web-local to xenserver3")
    refusal = await lab.sees("web-local cannot be migrated", "nfs-vhd (shared, ", "about", private=True)
    await lab.press(refusal, "Plan: move disk")
    card = await lab.sees("Move disk 0 of web-local to nfs-vhd", "storage moves", "Confirm", private=False)
    await lab.press(card, "Confirm")
    done = await lab.sees("Disk 0 of web-local is on nfs-vhd", "Looked at: disk 0 was", private=False)
    await lab.press(done, "Plan: migrate")
    await lab.press(await lab.sees("Migrate web-local", "Confirm"), "Confirm")
    await lab.sees("web-local now runs on xenserver3")


async def test_what_a_failure_left_where_it_was_is_planned_again_alone(lab: StoryLab) -> None:
    second = await asyncio.to_thread(add_disk, lab)
    before = await asyncio.to_thread(disks, lab)
    await arm(lab, name="first", action="hold")
    await lab.xen("move-disks web-local to nfs-vhd")
    card = await lab.sees(f"Move disks 0, {second} of web-local to nfs-vhd", "Confirm", private=False)
    await lab.press(card, "Confirm")
    await lab.until(lambda: holding(lab), "the first disk on its way")
    full = ["SR_BACKEND_FAILURE_44", "", "There is insufficient space", ""]
    await arm(lab, name="second", action="fail", error=full)
    await lab.lab("datacentre", do="release", name="first")
    partly = await lab.sees("1 of 2 disks of web-local are on nfs-vhd", f"not there: disk {second}", private=False)
    await lab.press(partly, "Ask again")
    card = await lab.sees(f"Move disk {second} of web-local to nfs-vhd", "job 2", "Confirm", private=False)
    await lab.press(card, "Confirm")
    await lab.sees(f"Disk {second} of web-local is on nfs-vhd", private=False)
    after = await asyncio.to_thread(disks, lab)
    assert {where for _, where in after.values()} == {"nfs-vhd"}
    assert not {uuid for uuid, _ in after.values()} & {uuid for uuid, _ in before.values()}
    # What became of the first disk is on the trail since that very step, whatever came of the rest.
    step = next(line for line in (await trail(lab, "step")).splitlines() if before["0"][0] in line)
    assert f"disk 0 was {before['0'][0]}, it is {after['0'][0]} now" in step
    assert "Move disk 0 of web-local to nfs-vhd" in step


async def test_disks_that_moved_are_moved_back_by_a_press_and_a_confirm(lab: StoryLab) -> None:
    before = await asyncio.to_thread(disks, lab)
    await lab.xen("move-disks web-local to nfs-vhd")
    await lab.press(await lab.sees("Move disk 0 of web-local to nfs-vhd", "Confirm", private=False), "Confirm")
    done = await lab.sees("Disk 0 of web-local is on nfs-vhd", "Move back is offered until", private=False)
    await lab.press(done, "Move back")
    card = await lab.sees("Move disk 0 of web-local to Local storage", "Confirm", private=False)
    await lab.press(card, "Confirm")
    await lab.sees("Disk 0 of web-local is on Local storage", private=False)
    after = await asyncio.to_thread(disks, lab)
    assert (after["0"][1], after["0"][0] != before["0"][0]) == ("Local storage", True)


async def test_a_guest_that_goes_down_while_its_disk_moves_is_the_headline(lab: StoryLab) -> None:
    await lab.lab("datacentre", do="pause_tasks", at=0.3)
    await lab.xen("move-disks web-local to nfs-vhd")
    await lab.press(await lab.sees("Move disk 0 of web-local to nfs-vhd", "Confirm", private=False), "Confirm")

    async def moving() -> bool:
        return (await lab.guest("web-local"))["operation"] is not None

    await lab.until(moving, "a disk on its way")
    await lab.lab("datacentre", do="stop_guest", guest="web-local", how="shutdown")
    await lab.lab("datacentre", do="release_tasks")
    await lab.sees("GUEST IS DOWN: web-local is halted, it ran before", "Disk 0 of web-local is on", private=False)


async def arm(lab: StoryLab, **fault: Any) -> None:
    await lab.lab("datacentre", do="arm", fault={"method": "Async.VDI.pool_migrate", "when": "during", **fault})


async def holding(lab: StoryLab) -> bool:
    return any(fault["holding"] for fault in (await lab.state())["faults"])


async def test_a_host_that_moves_as_many_as_it_may_is_waited_for_and_both_uuids_are_in_the_trail(
    lab: StoryLab,
) -> None:
    before = await asyncio.to_thread(disks, lab)
    await lab.lab("datacentre", do="pause_tasks", at=0.3)
    await asyncio.to_thread(begin_three, lab)
    await lab.xen("move-disks web-local to nfs-vhd")
    await lab.press(await lab.sees("Move disk 0 of web-local to nfs-vhd", "Confirm", private=False), "Confirm")
    await lab.sees("that host moves as many disks at once as it may (3). It is tried again every 10 s", private=False)
    await lab.lab("datacentre", do="release_tasks")
    await lab.sees("Disk 0 of web-local is on nfs-vhd", private=False)
    after = await asyncio.to_thread(disks, lab)
    assert f"disk 0 was {before['0'][0]}, it is {after['0'][0]} now" in await trail(lab)


async def trail(lab: StoryLab, action: str = "succeed") -> str:
    """What the audit says of the job's end, or of the ends of its steps, as its file tells it."""
    await lab.xen(f"audit of web-local action {action}")
    await lab.press(await lab.sees("Audit", f"job:{action}", private=True), "As CSV")
    posted = await lab.sees("Audit export", private=False)

    async def attached() -> dict[str, Any] | None:
        thread = await lab.screen(thread_ts=posted["ts"])
        return next((file for message in thread for file in message.get("files", [])), None)

    file = await lab.until(attached, "a file in the thread")
    headers = {"Authorization": f"Bearer {lab.info['people']['operator']['token']}"}
    async with lab.http.get(file["url_private"], headers=headers) as answer:
        return await answer.text()
