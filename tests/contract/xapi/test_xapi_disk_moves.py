"""`VDI.pool_migrate`: one disk of a guest moves to another repository while the guest runs."""

import pytest
from datacentre_client import Rpc, Until, guest_of
from storage_client import GIB, MIB, add_storage, find_local, list_disks

from bot.lab.xapi import Datacentre


async def test_a_disk_of_a_running_guest_becomes_a_new_object_elsewhere(datacentre: Datacentre, rpc: Rpc) -> None:
    guest, target = await rpc.find("VM", "centos54"), await add_storage(rpc, "second")
    [disk] = await list_disks(rpc, guest)
    before = await rpc.call("VDI.get_record", disk)
    domid = await rpc.call("VM.get_domid", guest)
    ended = await rpc.finish(await rpc.call("Async.VDI.pool_migrate", disk, target, {}))
    assert (ended["status"], ended["error_info"]) == ("success", [])
    [moved] = await list_disks(rpc, guest)
    assert ended["result"] == f"<value>{moved}</value>"
    after = await rpc.call("VDI.get_record", moved)
    assert moved != disk
    assert after["uuid"] != before["uuid"]
    assert (after["SR"], after["name_label"], after["virtual_size"]) == (target, "centos54 0", before["virtual_size"])
    assert await rpc.fail("VDI.get_record", disk) == ["HANDLE_INVALID", "VDI", disk]
    assert await rpc.call("VM.get_domid", guest) == domid
    assert guest_of(datacentre, "centos54")["power_state"] == "Running"
    assert await rpc.call("VM.get_current_operations", guest) == {}


async def test_meanwhile_the_guest_shows_migrate_send_and_both_repositories_hold_the_disk(
    datacentre: Datacentre, rpc: Rpc, until: Until
) -> None:
    await datacentre.do({"do": "set_speed", "speed": 200})
    guest, target = await rpc.find("VM", "centos54"), await add_storage(rpc, "second")
    [disk] = await list_disks(rpc, guest)
    await datacentre.do({"do": "pause_tasks", "at": 0.5})
    task = await rpc.call("Async.VDI.pool_migrate", disk, target, {})
    await until(lambda: guest_of(datacentre, "centos54")["progress"] == pytest.approx(0.5))
    assert await rpc.call("VM.get_current_operations", guest) == {task: "migrate_send"}
    assert set(await rpc.call("VM.get_allowed_operations", guest)) == {
        "hard_shutdown",
        "hard_reboot",
        "clean_shutdown",
        "clean_reboot",
        "metadata_export",
    }
    assert await rpc.call("VDI.get_current_operations", disk) == {task: "mirror"}
    assert await rpc.call("VDI.get_allowed_operations", disk) == ["snapshot"]
    [copy] = await rpc.call("SR.get_VDIs", target)
    half = await rpc.call("VDI.get_physical_utilisation", copy)
    assert 0.9 * GIB <= half <= 1.1 * GIB
    assert await rpc.call("SR.get_physical_utilisation", target) == half
    assert await list_disks(rpc, guest) == [disk]
    await datacentre.do({"do": "release_tasks"})
    assert (await rpc.finish(task))["status"] == "success"


async def test_snapshots_follow_their_disk(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "set_speed", "speed": 500})
    guest, target = await rpc.find("VM", "centos54"), await add_storage(rpc, "second")
    snapshot = await rpc.call("VM.snapshot", guest, "snap")
    [disk], [kept] = await list_disks(rpc, guest), await list_disks(rpc, snapshot)
    moved = await rpc.call("VDI.pool_migrate", disk, target, {})
    [followed] = await list_disks(rpc, snapshot)
    record = await rpc.call("VDI.get_record", followed)
    assert (record["SR"], record["is_a_snapshot"], record["snapshot_of"]) == (target, True, moved)
    assert await rpc.fail("VDI.get_record", kept) == ["HANDLE_INVALID", "VDI", kept]
    await rpc.call("VM.revert", snapshot)
    [reverted] = await list_disks(rpc, guest)
    assert await rpc.call("VDI.get_SR", reverted) == target


async def test_cancelling_leaves_the_disk_where_it_was_and_nothing_at_the_target(
    datacentre: Datacentre, rpc: Rpc, until: Until
) -> None:
    guest, target = await rpc.find("VM", "centos54"), await add_storage(rpc, "second")
    [disk] = await list_disks(rpc, guest)
    await datacentre.do({"do": "pause_tasks", "at": 0.3})
    task = await rpc.call("Async.VDI.pool_migrate", disk, target, {})
    await until(lambda: guest_of(datacentre, "centos54")["progress"] == pytest.approx(0.3))
    await rpc.call("task.cancel", task)
    ended = await rpc.finish(task)
    assert (ended["status"], ended["error_info"]) == ("cancelled", [])
    assert await list_disks(rpc, guest) == [disk]
    assert await rpc.call("SR.get_VDIs", target) == []
    assert await rpc.call("SR.get_physical_utilisation", target) == 0
    assert await rpc.call("VM.get_current_operations", guest) == {}
    assert "clone" in await rpc.call("VDI.get_allowed_operations", disk)


async def test_a_target_that_fills_up_on_the_way_ends_the_move(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "set_speed", "speed": 500})
    guest, target = await rpc.find("VM", "centos54"), await add_storage(rpc, "small", size=1 * GIB)
    [disk] = await list_disks(rpc, guest)
    ended = await rpc.finish(await rpc.call("Async.VDI.pool_migrate", disk, target, {}))
    assert ended["error_info"] == ["SR_BACKEND_FAILURE_44", "", "There is insufficient space", ""]
    assert await rpc.call("SR.get_VDIs", target) == []
    assert await list_disks(rpc, guest) == [disk]


async def test_a_target_that_is_unplugged_on_the_way_ends_the_move(
    datacentre: Datacentre, rpc: Rpc, until: Until
) -> None:
    guest, target = await rpc.find("VM", "centos54"), await add_storage(rpc, "second")
    [disk] = await list_disks(rpc, guest)
    await datacentre.do({"do": "pause_tasks", "at": 0.3})
    task = await rpc.call("Async.VDI.pool_migrate", disk, target, {})
    await until(lambda: guest_of(datacentre, "centos54")["progress"] == pytest.approx(0.3))
    await datacentre.do({"do": "unplug_pbd", "sr": "second", "host": "xenserver1"})
    await datacentre.do({"do": "release_tasks"})
    assert (await rpc.finish(task))["error_info"] == ["SR_BACKEND_FAILURE_47", "", "The SR is not available", ""]
    assert await list_disks(rpc, guest) == [disk]
    assert guest_of(datacentre, "centos54")["power_state"] == "Running"


async def test_a_thick_target_needs_the_whole_size_before_it_begins(rpc: Rpc) -> None:
    guest, target = await rpc.find("VM", "centos54"), await add_storage(rpc, "lun", "lvmoiscsi", size=5 * GIB)
    [disk] = await list_disks(rpc, guest)
    assert (await rpc.fail("VDI.pool_migrate", disk, target, {}))[0] == "SR_BACKEND_FAILURE_44"


async def test_a_host_moves_three_at_a_time(datacentre: Datacentre, rpc: Rpc, until: Until) -> None:
    target = await add_storage(rpc, "second")
    names = ["centos54", "日本語サーバー", "<!channel> & *bold*", "web-local"]
    disks = [(await list_disks(rpc, await rpc.find("VM", name)))[0] for name in names]
    await datacentre.do({"do": "pause_tasks", "at": 0.3})
    tasks = [await rpc.call("Async.VDI.pool_migrate", disk, target, {}) for disk in disks[:3]]
    await until(lambda: all(guest_of(datacentre, name)["progress"] for name in names[:3]))
    assert await rpc.fail("VDI.pool_migrate", disks[3], target, {}) == ["TOO_MANY_STORAGE_MIGRATES", "3"]
    await datacentre.do({"do": "set_speed", "speed": 1000})
    await datacentre.do({"do": "release_tasks"})
    assert [(await rpc.finish(task))["status"] for task in tasks] == ["success"] * 3
    assert await rpc.call("VDI.pool_migrate", disks[3], target, {})


async def test_a_disk_of_no_guest_cannot_be_mirrored(rpc: Rpc) -> None:
    storage, target = await rpc.find("SR", "nfs-vhd"), await add_storage(rpc, "second")
    lonely = await rpc.call("VDI.create", make_disk(storage))
    ended = await rpc.finish(await rpc.call("Async.VDI.pool_migrate", lonely, target, {}))
    assert ended["error_info"] == ["VDI_NEEDS_VM_FOR_MIGRATE", lonely]


def make_disk(storage: str, size: int = 20 * MIB) -> dict[str, object]:
    return {
        "name_label": "v1",
        "SR": storage,
        "virtual_size": str(size),
        "type": "user",
        "sharable": False,
        "read_only": False,
        "other_config": {},
    }


async def test_the_guests_own_host_must_see_the_target(rpc: Rpc) -> None:
    guest, target = await rpc.find("VM", "centos54"), await find_local(rpc, "xenserver3")
    [disk] = await list_disks(rpc, guest)
    assert await rpc.fail("VDI.pool_migrate", disk, target, {}) == ["SR_NOT_ATTACHED", target]


async def test_what_a_disk_may_not_be_when_it_moves(datacentre: Datacentre, rpc: Rpc) -> None:
    guest, target = await rpc.find("VM", "centos54"), await add_storage(rpc, "second")
    images = await add_storage(rpc, "images", "iso")
    [disk] = await list_disks(rpc, guest)
    uuid = await rpc.call("VDI.get_uuid", disk)
    unsupported = await rpc.fail("VDI.pool_migrate", disk, images, {})
    assert unsupported == ["SR_DOES_NOT_SUPPORT_MIGRATION", images, "VDI_MIRROR"]
    for field, value, good, error in (
        ("cbt_enabled", True, False, ["VDI_CBT_ENABLED", disk]),
        ("on_boot", "reset", "persist", ["VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION", disk]),
        ("type", "redo_log", "user", ["VDI_INCOMPATIBLE_TYPE", disk, "redo_log"]),
    ):
        await datacentre.do({"do": "set", "class": "VDI", "uuid": uuid, "field": field, "value": value})
        assert await rpc.fail("VDI.pool_migrate", disk, target, {}) == error
        await datacentre.do({"do": "set", "class": "VDI", "uuid": uuid, "field": field, "value": good})


async def test_a_clean_shutdown_does_not_wait_for_a_disk_that_moves(
    datacentre: Datacentre, rpc: Rpc, until: Until
) -> None:
    guest, target = await rpc.find("VM", "centos54"), await add_storage(rpc, "second")
    [disk] = await list_disks(rpc, guest)
    await datacentre.do(
        {"do": "arm", "fault": {"method": "Async.VDI.pool_migrate", "when": "during", "action": "hold"}}
    )
    task = await rpc.call("Async.VDI.pool_migrate", disk, target, {})
    await until(lambda: datacentre.state()["faults"][0]["holding"] == 1)
    assert await rpc.call("VM.clean_shutdown", guest) == ""
    await datacentre.do({"do": "release", "name": datacentre.state()["faults"][0]["name"]})
    assert (await rpc.finish(task))["status"] == "success"
    [moved] = await list_disks(rpc, guest)
    assert await rpc.call("VDI.get_SR", moved) == target
    assert await rpc.call("VM.get_power_state", guest) == "Halted"


async def test_two_moves_of_a_host_share_its_bandwidth(datacentre: Datacentre, rpc: Rpc) -> None:
    target = await add_storage(rpc, "second")
    first, second = [
        (await list_disks(rpc, await rpc.find("VM", name)))[0] for name in ("centos54", "<!channel> & *bold*")
    ]
    await datacentre.do({"do": "stop_clock"})
    tasks = [await rpc.call("Async.VDI.pool_migrate", disk, target, {}) for disk in (first, second)]
    await datacentre.do({"do": "advance", "seconds": 30})
    # Alone each takes less: 2 GiB at 100 MB/s are 21 s.
    assert [await rpc.call("task.get_status", task) for task in tasks] == ["pending", "pending"]
    await datacentre.do({"do": "advance", "seconds": 30})
    assert [(await rpc.finish(task))["status"] for task in tasks] == ["success", "success"]
