"""Disks and repositories: made, resized, copied, forgotten and found again; space; what plugs a repository."""

import pytest
from datacentre_client import Rpc, guest_of
from storage_client import GIB, MIB, NULL, add_storage, find_local, list_disks

from bot.lab.xapi import Datacentre

FULL = ["SR_BACKEND_FAILURE_44", "", "There is insufficient space", ""]


def make_disk(storage: str, size: int, **fields: object) -> dict[str, object]:
    return {
        "name_label": "v1",
        "SR": storage,
        "virtual_size": str(size),
        "type": "user",
        "sharable": False,
        "read_only": False,
        "other_config": {},
        **fields,
    }


async def test_a_thin_disk_takes_next_to_nothing_and_a_thick_one_all_of_it(rpc: Rpc) -> None:
    thin, thick = await add_storage(rpc, "thin"), await add_storage(rpc, "lun", "lvmoiscsi")
    for storage, used in ((thin, 8 * MIB), (thick, 10 * GIB)):
        disk = await rpc.call("VDI.create", make_disk(storage, 10 * GIB))
        record = await rpc.call("VDI.get_record", disk)
        assert (record["physical_utilisation"], record["managed"], record["location"]) == (used, True, record["uuid"])
        assert set(record["allowed_operations"]) == {
            "copy",
            "clone",
            "forget",
            "update",
            "resize",
            "snapshot",
            "destroy",
        }
        repository = await rpc.call("SR.get_record", storage)
        assert (repository["virtual_allocation"], repository["physical_utilisation"]) == (10 * GIB, used)
        await rpc.call("VDI.destroy", disk)
        assert await rpc.call("SR.get_physical_utilisation", storage) == 0


async def test_a_full_repository_refuses_at_once_and_in_the_task(rpc: Rpc) -> None:
    storage = await add_storage(rpc, "lun", "lvmoiscsi", size=25 * MIB)
    assert await rpc.call("VDI.create", make_disk(storage, 20 * MIB))
    assert await rpc.fail("VDI.create", make_disk(storage, 30 * MIB)) == FULL
    ended = await rpc.finish(await rpc.call("Async.VDI.create", make_disk(storage, 30 * MIB)))
    assert (ended["status"], ended["error_info"]) == ("failure", FULL)


async def test_a_thick_disk_needs_its_whole_size_again_for_a_snapshot(rpc: Rpc) -> None:
    storage = await add_storage(rpc, "lun", "lvmoiscsi", size=15 * GIB)
    disk = await rpc.call("VDI.create", make_disk(storage, 10 * GIB))
    assert await rpc.fail("VDI.snapshot", disk, {}) == FULL


async def test_disks_grow_and_never_shrink(rpc: Rpc) -> None:
    storage = await add_storage(rpc, "lun", "lvmoiscsi", size=15 * GIB)
    disk = await rpc.call("VDI.create", make_disk(storage, 10 * GIB))
    await rpc.call("VDI.resize", disk, str(12 * GIB))
    record = await rpc.call("SR.get_record", storage)
    assert (record["virtual_allocation"], record["physical_utilisation"]) == (12 * GIB, 12 * GIB)
    assert await rpc.fail("VDI.resize", disk, str(16 * GIB)) == FULL
    shrinking = await rpc.fail("VDI.resize", disk, str(GIB))
    assert shrinking == ["SR_BACKEND_FAILURE_79", "", "VDI Invalid size [opterr=shrinking not allowed]", ""]


async def test_a_plugged_disk_is_in_use(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    [disk] = await list_disks(rpc, guest)
    for operation, arguments in (("destroy", []), ("resize", [str(99 * GIB)]), ("forget", [])):
        assert await rpc.fail(f"VDI.{operation}", disk, *arguments) == ["VDI_IN_USE", disk, operation]
    assert set(await rpc.call("VDI.get_allowed_operations", disk)) == {"clone", "snapshot"}


async def test_a_copy_takes_time_shows_progress_and_can_be_cancelled(datacentre: Datacentre, rpc: Rpc) -> None:
    guest, target = await rpc.find("VM", "centos54"), await add_storage(rpc, "second")
    await rpc.call("VM.hard_shutdown", guest)
    [disk] = await list_disks(rpc, guest)
    await datacentre.do({"do": "stop_clock"})
    task = await rpc.call("Async.VDI.copy", disk, target)
    await datacentre.do({"do": "advance", "seconds": 11})
    assert 0.4 < await rpc.call("task.get_progress", task) < 0.6
    assert await rpc.call("VDI.get_current_operations", disk) == {task: "copy"}
    assert GIB // 2 < await rpc.call("SR.get_physical_utilisation", target) < 2 * GIB
    await rpc.call("task.cancel", task)
    await datacentre.do({"do": "run_clock"})
    assert (await rpc.finish(task))["status"] == "cancelled"
    assert await rpc.call("SR.get_VDIs", target) == []


async def test_a_copy_into_a_smaller_or_read_only_disk_is_refused(rpc: Rpc) -> None:
    guest, target = await rpc.find("VM", "centos54"), await add_storage(rpc, "second")
    await rpc.call("VM.hard_shutdown", guest)
    [disk] = await list_disks(rpc, guest)
    small = await rpc.call("VDI.create", make_disk(target, GIB))
    assert await rpc.fail("VDI.copy", disk, NULL, NULL, small) == ["VDI_TOO_SMALL", small, str(8 * GIB)]
    locked = await rpc.call("VDI.create", make_disk(target, 8 * GIB, read_only=True))
    assert await rpc.fail("VDI.copy", disk, NULL, NULL, locked) == ["VDI_READONLY", locked]


async def test_a_forgotten_disk_is_introduced_again_or_found_by_a_scan(rpc: Rpc) -> None:
    storage = await add_storage(rpc, "second")
    disk = await rpc.call("VDI.create", make_disk(storage, GIB, name_label="kept"))
    uuid = await rpc.call("VDI.get_uuid", disk)
    arguments = [uuid, "again", "", storage, "user", False, False, {}, uuid, {}]
    assert (await rpc.fail("VDI.introduce", *arguments))[0] == "SR_BACKEND_FAILURE_46"
    await rpc.call("VDI.forget", disk)
    assert await rpc.call("SR.get_VDIs", storage) == []
    again = await rpc.call("VDI.introduce", *arguments)
    assert await rpc.call("VDI.get_virtual_size", again) == GIB
    await rpc.call("VDI.forget", again)
    await rpc.call("SR.scan", storage)
    [found] = await rpc.call("SR.get_VDIs", storage)
    assert await rpc.call("VDI.get_uuid", found) == uuid


async def test_operations_on_one_repository_take_turns(datacentre: Datacentre, rpc: Rpc) -> None:
    storage = await add_storage(rpc, "second")
    await datacentre.do({"do": "stop_clock"})
    tasks = [await rpc.call("Async.VDI.create", make_disk(storage, GIB)) for _ in range(2)]
    await datacentre.do({"do": "advance", "seconds": 0.2})
    assert list((await rpc.call("SR.get_current_operations", storage)).values()) == ["vdi_create"]
    assert await rpc.call("SR.get_allowed_operations", storage) == []
    await datacentre.do({"do": "advance", "seconds": 2})
    assert [(await rpc.finish(task))["status"] for task in tasks] == ["success", "success"]


async def test_a_new_shared_repository_is_plugged_into_every_host(rpc: Rpc) -> None:
    storage = await add_storage(rpc, "second")
    record = await rpc.call("SR.get_record", storage)
    assert (record["shared"], record["type"], record["physical_size"]) == (True, "nfs", 200 * GIB)
    plugged = [await rpc.call("PBD.get_record", pbd) for pbd in record["PBDs"]]
    assert {pbd["host"] for pbd in plugged} == set(await rpc.call("host.get_all"))
    assert all(pbd["currently_attached"] for pbd in plugged)
    assert {"scan", "vdi_create", "vdi_destroy", "unplug"} <= set(record["allowed_operations"])


@pytest.mark.parametrize(
    ("kind", "config", "error"),
    [
        ("nope", {}, ["SR_UNKNOWN_DRIVER", "nope"]),
        (
            "nfs",
            {"serverpath": "/x"},
            ["SR_BACKEND_FAILURE_102", "", "The request is missing the server parameter", ""],
        ),
    ],
)
async def test_what_a_driver_cannot_work_with_leaves_no_repository(
    rpc: Rpc, kind: str, config: dict[str, str], error: list[str]
) -> None:
    before, host = await rpc.call("SR.get_all"), await rpc.find("host", "xenserver1")
    assert await rpc.fail("SR.create", host, config, 0, "x", "", kind, "user", True, {}) == error
    assert await rpc.call("SR.get_all") == before


async def test_a_repository_is_unplugged_forgotten_and_introduced_with_its_disks(rpc: Rpc) -> None:
    storage = await add_storage(rpc, "second")
    disk = await rpc.call("VDI.create", make_disk(storage, GIB, name_label="stays"))
    uuids = await rpc.call("SR.get_uuid", storage), await rpc.call("VDI.get_uuid", disk)
    assert await rpc.fail("SR.forget", storage) == ["SR_HAS_PBD", storage]
    for pbd in await rpc.call("SR.get_PBDs", storage):
        await rpc.call("PBD.unplug", pbd)
    assert await rpc.fail("SR.scan", storage) == ["SR_HAS_NO_PBDS", storage]
    assert await rpc.fail("VDI.create", make_disk(storage, GIB)) == ["SR_HAS_NO_PBDS", storage]
    assert await rpc.fail("SR.destroy", storage) == ["SR_NOT_EMPTY"]
    await rpc.call("SR.forget", storage)
    assert await rpc.fail("VDI.get_record", disk) == ["HANDLE_INVALID", "VDI", disk]
    again = await rpc.call("SR.introduce", uuids[0], "second", "", "nfs", "user", True, {})
    assert await rpc.fail("SR.introduce", uuids[0], "x", "", "nfs", "user", True, {}) == ["SR_UUID_EXISTS", uuids[0]]
    host = await rpc.find("host", "xenserver1")
    pbd = await rpc.call(
        "PBD.create",
        {"host": host, "SR": again, "device_config": {"server": "nfsserver", "serverpath": "/home/second"}},
    )
    exists = await rpc.fail("PBD.create", {"host": host, "SR": again, "device_config": {}})
    assert exists == ["PBD_EXISTS", again, host, pbd]
    assert await rpc.call("PBD.get_currently_attached", pbd) is False
    await rpc.call("PBD.plug", pbd)
    assert await rpc.call("PBD.plug", pbd) == ""
    await rpc.call("SR.scan", again)
    assert await rpc.call("VDI.get_by_uuid", uuids[1])
    assert await rpc.call("SR.get_virtual_allocation", again) == GIB


async def test_an_empty_repository_is_destroyed(rpc: Rpc) -> None:
    storage = await add_storage(rpc, "second")
    for pbd in await rpc.call("SR.get_PBDs", storage):
        await rpc.call("PBD.unplug", pbd)
    await rpc.call("SR.destroy", storage)
    assert await rpc.fail("SR.get_record", storage) == ["HANDLE_INVALID", "SR", storage]
    assert "second" not in {sr["name_label"] for sr in (await rpc.call("SR.get_all_records")).values()}


async def test_a_repository_in_use_is_not_unplugged(datacentre: Datacentre, rpc: Rpc) -> None:
    guest = await rpc.find("VM", "web-local")
    [disk] = await list_disks(rpc, guest)
    [pbd] = await rpc.call("SR.get_PBDs", await find_local(rpc, "xenserver1"))
    assert await rpc.fail("PBD.unplug", pbd) == ["VDI_IN_USE", disk]
    assert guest_of(datacentre, "web-local")["power_state"] == "Running"
    await rpc.call("VM.clean_shutdown", guest)
    await rpc.call("PBD.unplug", pbd)
    host = await rpc.find("host", "xenserver1")
    error = await rpc.fail("VM.start_on", guest, host, False, False)
    assert error == ["VM_REQUIRES_SR", guest, await find_local(rpc, "xenserver1")]
    assert await rpc.fail("VM.start", guest, False, False) == ["NO_HOSTS_AVAILABLE"]


async def test_a_local_repository_serves_one_host(rpc: Rpc) -> None:
    local, third = await find_local(rpc, "xenserver1"), await rpc.find("host", "xenserver3")
    pbd = await rpc.call("PBD.create", {"host": third, "SR": local, "device_config": {}})
    assert await rpc.fail("PBD.plug", pbd) == ["SR_NOT_SHARABLE", local, third]
    await rpc.call("PBD.destroy", pbd)


async def test_sharing_is_not_taken_from_a_repository_with_several_pbds(rpc: Rpc) -> None:
    storage = await rpc.find("SR", "nfs-vhd")
    pbds = await rpc.call("SR.get_PBDs", storage)
    assert await rpc.fail("SR.set_shared", storage, False) == ["SR_HAS_MULTIPLE_PBDS", *pbds]


async def test_the_size_of_a_repository_can_be_written_and_binds(rpc: Rpc) -> None:
    storage = await add_storage(rpc, "lun", "lvmoiscsi", size=20 * GIB)
    await rpc.call("SR.set_physical_size", storage, str(5 * GIB))
    assert await rpc.fail("VDI.create", make_disk(storage, 10 * GIB)) == FULL


async def test_nobody_but_the_server_changes_the_configuration_of_a_pbd(rpc: Rpc) -> None:
    pbd = (await rpc.call("PBD.get_all"))[0]
    assert await rpc.fail("PBD.set_device_config", pbd, {}) == ["PERMISSION_DENIED", ""]


async def test_a_library_of_images_is_read_only(rpc: Rpc) -> None:
    images = await add_storage(rpc, "images", "iso")
    names = {await rpc.call("VDI.get_name_label", vdi) for vdi in await rpc.call("SR.get_VDIs", images)}
    assert "guest-tools.iso" in names
    assert await rpc.fail("VDI.create", make_disk(images, GIB)) == ["SR_OPERATION_NOT_SUPPORTED", images]
    image = (await rpc.call("SR.get_VDIs", images))[0]
    assert await rpc.fail("VDI.destroy", image) == ["SR_OPERATION_NOT_SUPPORTED", images]


async def test_a_host_unknown_to_the_pool_gets_a_repository_all_the_same(rpc: Rpc) -> None:
    storage = await rpc.call(
        "SR.create",
        "OpaqueRef:x",
        {"server": "nfsserver", "serverpath": "/home/second"},
        0,
        "x",
        "",
        "nfs",
        "user",
        False,
        {},
    )
    [pbd] = await rpc.call("SR.get_PBDs", storage)
    assert await rpc.call("PBD.get_host", pbd) == "OpaqueRef:x"
