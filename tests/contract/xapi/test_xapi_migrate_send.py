"""`VM.migrate_send`: a guest moves with its disks, inside its pool; the order of what can stop it."""

from typing import Any

import pytest
from datacentre_client import Rpc, Stock, Until, guest_of, host_of
from storage_client import GIB, NETWORK, NULL, add_storage, find_local, list_disks, map_disks, read_messages, receive

from bot.lab.xapi import Datacentre

FULL = ["SR_BACKEND_FAILURE_44", "", "There is insufficient space", ""]


async def test_a_guest_moves_with_the_disk_that_only_its_host_sees(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "set_speed", "speed": 500})
    guest, third = await rpc.find("VM", "web-local"), await rpc.find("host", "xenserver3")
    target = await find_local(rpc, "xenserver3")
    assert (await rpc.fail("VM.pool_migrate", guest, third, {}))[0] == "VM_REQUIRES_SR"
    [disk] = await list_disks(rpc, guest)
    before, dest = await rpc.call("VM.get_record", guest), await receive(rpc, "xenserver3")
    ended = await rpc.finish(
        await rpc.call("Async.VM.migrate_send", guest, dest, True, {disk: target}, {}, {"force": "false"})
    )
    assert (ended["status"], ended["result"]) == ("success", f"<value>{guest}</value>")
    [moved] = await list_disks(rpc, guest)
    after = await rpc.call("VM.get_record", guest)
    assert (after["power_state"], after["resident_on"]) == ("Running", third)
    assert after["domid"] != before["domid"]
    assert (after["scheduled_to_be_resident_on"], after["current_operations"]) == (NULL, {})
    assert await rpc.call("VDI.get_SR", moved) == target
    assert await rpc.fail("VDI.get_record", disk) == ["HANDLE_INVALID", "VDI", disk]
    assert (await read_messages(rpc))[-1]["name"] == "VM_MIGRATED"


async def test_disks_go_one_after_the_other_and_the_memory_last(datacentre: Datacentre, rpc: Rpc, until: Until) -> None:
    await datacentre.do({"do": "set_speed", "speed": 1000})
    guest, target = await rpc.find("VM", "centos54"), await add_storage(rpc, "second")
    [first] = await list_disks(rpc, guest)
    second = await rpc.call("VDI.create", make_disk(await rpc.find("SR", "nfs-vhd")))
    vbd = await rpc.call("VBD.create", make_vbd(guest, second))
    await rpc.call("VBD.plug", vbd)
    seen = []
    await datacentre.do({"do": "pause_tasks", "at": 0.9})
    dest = await receive(rpc, "xenserver3")
    task = await rpc.call("Async.VM.migrate_send", guest, dest, True, {first: target, second: target}, {}, {})
    await until(lambda: _note(seen, guest_of(datacentre, "centos54")["progress"]) >= 0.7)
    copies = await rpc.call("SR.get_VDIs", target)
    assert 1 <= len(copies) <= 2
    assert await rpc.call("VM.get_scheduled_to_be_resident_on", guest) == await rpc.find("host", "xenserver3")
    assert guest_of(datacentre, "centos54")["host"] == host_of(datacentre, "xenserver1")["uuid"]
    await datacentre.do({"do": "release_tasks"})
    assert (await rpc.finish(task))["status"] == "success"
    assert len(await rpc.call("SR.get_VDIs", target)) == 2
    assert seen == sorted(seen)


def _note(seen: list[float], progress: float | None) -> float:
    seen.append(progress or 0.0)
    return seen[-1]


def make_disk(storage: str) -> dict[str, object]:
    return {
        "name_label": "more",
        "SR": storage,
        "virtual_size": str(4 * GIB),
        "type": "user",
        "sharable": False,
        "read_only": False,
        "other_config": {},
    }


def make_vbd(guest: str, disk: str) -> dict[str, object]:
    return {
        "VM": guest,
        "VDI": disk,
        "userdevice": "autodetect",
        "bootable": False,
        "mode": "RW",
        "type": "Disk",
        "empty": False,
        "other_config": {},
        "qos_algorithm_type": "",
        "qos_algorithm_params": {},
    }


async def test_disks_that_stay_are_named_too_and_remain_the_same(rpc: Rpc) -> None:
    guest, storage = await rpc.find("VM", "centos54"), await rpc.find("SR", "nfs-vhd")
    disks, dest = await list_disks(rpc, guest), await receive(rpc, "xenserver3")
    assert await rpc.fail("VM.migrate_send", guest, dest, True, {}, {}, {}) == ["VDI_NOT_IN_MAP", disks[0]]
    assert await rpc.call("VM.migrate_send", guest, dest, True, await map_disks(rpc, guest, storage), {}, {}) == guest
    assert await list_disks(rpc, guest) == disks
    assert await rpc.call("VM.get_resident_on", guest) == await rpc.find("host", "xenserver3")


async def test_a_halted_guest_moves_its_disks_and_stays_halted(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "set_speed", "speed": 500})
    guest, target = await rpc.find("VM", "web-local"), await find_local(rpc, "xenserver3")
    await rpc.call("VM.clean_shutdown", guest)
    dest = await receive(rpc, "xenserver3")
    await rpc.call("VM.migrate_send", guest, dest, False, await map_disks(rpc, guest, target), {}, {})
    assert await rpc.call("VM.get_power_state", guest) == "Halted"
    assert await rpc.call("VM.get_possible_hosts", guest) == [await rpc.find("host", "xenserver3")]


async def test_a_sleeping_guest_takes_its_memory_image_to_where_it_can_wake(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "set_speed", "speed": 500})
    guest, third = await rpc.find("VM", "web-local"), await rpc.find("host", "xenserver3")
    local, target = await find_local(rpc, "xenserver1"), await find_local(rpc, "xenserver3")
    await rpc.call("VM.set_suspend_SR", guest, local)
    await rpc.call("VM.suspend", guest)
    dest, disks = await receive(rpc, "xenserver3"), await map_disks(rpc, guest, target)
    assert await rpc.fail("VM.migrate_send", guest, dest, False, disks, {}, {}) == [
        "SUSPEND_IMAGE_NOT_ACCESSIBLE",
        await rpc.call("VM.get_suspend_VDI", guest),
    ]
    await rpc.call("VM.set_suspend_SR", guest, NULL)
    await rpc.call("VM.migrate_send", guest, dest, False, disks, {}, {})
    image = await rpc.call("VM.get_suspend_VDI", guest)
    assert await rpc.call("VDI.get_SR", image) == await rpc.find("SR", "nfs-vhd")
    await rpc.call("VM.resume_on", guest, third, False, False)
    assert await rpc.call("VM.get_resident_on", guest) == third


@pytest.mark.parametrize("when", ["disk", "memory"])
async def test_cancelling_leaves_everything_at_the_source(
    datacentre: Datacentre, rpc: Rpc, until: Until, when: str
) -> None:
    await datacentre.do({"do": "set_speed", "speed": 500})
    guest, target = await rpc.find("VM", "web-local"), await find_local(rpc, "xenserver3")
    disks, dest = await list_disks(rpc, guest), await receive(rpc, "xenserver3")
    used = await rpc.call("SR.get_physical_utilisation", target)
    # 5 GiB of disk before 1 GiB of memory: more than eight tenths of the progress are the disk's.
    at = 0.3 if when == "disk" else 0.9
    await datacentre.do({"do": "pause_tasks", "at": at})
    task = await rpc.call("Async.VM.migrate_send", guest, dest, True, {disks[0]: target}, {}, {})
    await until(lambda: (guest_of(datacentre, "web-local")["progress"] or 0) > at - 0.1)
    assert await rpc.call("task.get_allowed_operations", task) == ["cancel"]
    await rpc.call("task.cancel", task)
    assert (await rpc.finish(task))["status"] == "cancelled"
    record = await rpc.call("VM.get_record", guest)
    assert (record["power_state"], record["resident_on"]) == ("Running", await rpc.find("host", "xenserver1"))
    assert (record["scheduled_to_be_resident_on"], record["current_operations"]) == (NULL, {})
    assert await list_disks(rpc, guest) == disks
    assert await rpc.call("SR.get_physical_utilisation", target) == used


async def test_a_failure_half_way_leaves_the_guest_running_at_the_source(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "set_speed", "speed": 500})
    guest, target = await rpc.find("VM", "web-local"), await find_local(rpc, "xenserver3")
    disks, dest = await list_disks(rpc, guest), await receive(rpc, "xenserver3")
    failure = {"method": "VM.migrate_send", "when": "during", "action": "fail", "error": ["MIRROR_FAILED", disks[0]]}
    await datacentre.do({"do": "arm", "fault": failure})
    assert await rpc.fail("VM.migrate_send", guest, dest, True, {disks[0]: target}, {}, {}) == failure["error"]
    assert guest_of(datacentre, "web-local")["power_state"] == "Running"
    assert await list_disks(rpc, guest) == disks


async def test_a_guest_that_dies_on_the_way_is_down_at_the_source(
    datacentre: Datacentre, rpc: Rpc, until: Until
) -> None:
    await datacentre.do({"do": "set_speed", "speed": 500})
    guest, target = await rpc.find("VM", "web-local"), await find_local(rpc, "xenserver3")
    disks, dest = await list_disks(rpc, guest), await receive(rpc, "xenserver3")
    await datacentre.do({"do": "pause_tasks", "at": 0.3})
    task = await rpc.call("Async.VM.migrate_send", guest, dest, True, {disks[0]: target}, {}, {})
    await until(lambda: (guest_of(datacentre, "web-local")["progress"] or 0) > 0.2)
    await datacentre.do({"do": "stop_guest", "guest": "web-local", "how": "shutdown"})
    assert (await rpc.finish(task))["error_info"] == ["VM_BAD_POWER_STATE", guest, "Running", "Halted"]
    assert guest_of(datacentre, "web-local")["power_state"] == "Halted"
    assert await list_disks(rpc, guest) == disks


async def test_the_errors_come_in_xapis_order(datacentre: Datacentre, rpc: Rpc) -> None:
    guest, third = await rpc.find("VM", "web-local"), await rpc.find("host", "xenserver3")
    target, images = await find_local(rpc, "xenserver3"), await add_storage(rpc, "images", "iso")
    [disk] = await list_disks(rpc, guest)
    dest = await receive(rpc, "xenserver3")
    vif_map = {"OpaqueRef:x": "OpaqueRef:y"}
    await rpc.call("VM.add_to_blocked_operations", guest, "migrate_send", "no")
    await rpc.call("host.disable", third)

    async def fail(where: dict[str, str], disks: dict[str, str], vifs: dict[str, str]) -> list[str]:
        told = await rpc.fail("VM.assert_can_migrate", guest, where, True, disks, vifs, {})
        assert told == await rpc.fail("VM.migrate_send", guest, where, True, disks, vifs, {})
        return told

    bad = {**dest, "session_id": "OpaqueRef:x"}
    assert await fail(bad, {"OpaqueRef:x": target}, vif_map) == ["OPERATION_BLOCKED", guest, "no"]
    await rpc.call("VM.remove_from_blocked_operations", guest, "migrate_send")
    assert await fail(bad, {"OpaqueRef:x": target}, vif_map) == ["SESSION_INVALID", "OpaqueRef:x"]
    assert await fail(dest, {"OpaqueRef:x": target}, vif_map) == ["HANDLE_INVALID", "VDI", "OpaqueRef:x"]
    assert await fail(dest, {}, vif_map) == ["VDI_NOT_IN_MAP", disk]
    assert await fail(dest, {disk: images}, vif_map) == ["SR_DOES_NOT_SUPPORT_MIGRATION", images, "VDI_MIRROR"]
    assert await fail(dest, {disk: target}, vif_map) == ["HOST_DISABLED", third]
    await rpc.call("host.enable", third)
    text = "VIF mapping is not allowed for intra-pool migration -all VIFs must be on the same network"
    assert await fail(dest, {disk: target}, vif_map) == ["OPERATION_NOT_ALLOWED", text]
    uuid = await rpc.call("VDI.get_uuid", disk)
    await datacentre.do({"do": "set", "class": "VDI", "uuid": uuid, "field": "cbt_enabled", "value": True})
    assert await fail(dest, {disk: target}, {}) == ["VDI_CBT_ENABLED", disk]
    await datacentre.do({"do": "set", "class": "VDI", "uuid": uuid, "field": "cbt_enabled", "value": False})
    assert await rpc.call("VM.assert_can_migrate", guest, dest, True, {disk: target}, {}, {}) == ""


async def test_the_target_host_must_see_the_target_repository(rpc: Rpc) -> None:
    guest, wrong = await rpc.find("VM", "centos54"), await find_local(rpc, "xenserver1")
    dest = await receive(rpc, "xenserver3")
    error = await rpc.fail("VM.migrate_send", guest, dest, True, await map_disks(rpc, guest, wrong), {}, {})
    assert error == ["SR_NOT_ATTACHED", wrong]


async def test_a_full_target_is_found_out_by_copying(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "set_speed", "speed": 500})
    guest, target = await rpc.find("VM", "centos54"), await add_storage(rpc, "small", size=GIB)
    dest, disks = await receive(rpc, "xenserver3"), await map_disks(rpc, guest, target)
    assert await rpc.call("VM.assert_can_migrate", guest, dest, True, disks, {}, {}) == ""
    assert await rpc.fail("VM.migrate_send", guest, dest, True, disks, {}, {}) == FULL
    assert await rpc.call("VM.get_resident_on", guest) == await rpc.find("host", "xenserver1")


async def test_memory_without_room_at_the_target_is_refused(rpc: Rpc) -> None:
    guest, storage = await rpc.find("VM", "db1"), await rpc.find("SR", "nfs-vhd")
    dest, disks = await receive(rpc, "xenserver3"), await map_disks(rpc, guest, storage)
    error = await rpc.fail("VM.assert_can_migrate", guest, dest, True, disks, {}, {})
    assert error[0] == "HOST_NOT_ENOUGH_FREE_MEMORY"


async def test_the_receiving_side_has_an_address_and_a_session(datacentre: Datacentre, rpc: Rpc) -> None:
    third = await rpc.find("host", "xenserver3")
    dest = await receive(rpc, "xenserver3")
    assert dest.keys() == {"host", "SM", "xenops", "master", "session_id"}
    assert dest["host"] == third
    assert dest["xenops"] == f"http://127.0.1.3/services/xenops?session_id={dest['session_id']}"
    assert dest["master"] == "http://127.0.1.1"
    await datacentre.do({"do": "expire_sessions"})
    again = await rpc.login()
    guest = await again.find("VM", "centos54")
    disks = await map_disks(again, guest, await again.find("SR", "nfs-vhd"))
    assert await again.fail("VM.migrate_send", guest, dest, True, disks, {}, {}) == [
        "SESSION_INVALID",
        dest["session_id"],
    ]


async def test_the_receiving_side_needs_a_network_with_an_address(datacentre: Datacentre, rpc: Rpc) -> None:
    third, network = await rpc.find("host", "xenserver3"), await rpc.find("network", NETWORK)
    [pif] = await rpc.call("host.get_PIFs", third)
    uuid = await rpc.call("PIF.get_uuid", pif)
    await datacentre.do({"do": "set", "class": "PIF", "uuid": uuid, "field": "IP", "value": ""})
    assert await rpc.fail("host.migrate_receive", third, network, {}) == ["INTERFACE_HAS_NO_IP", pif]
    await datacentre.do({"do": "set", "class": "PIF", "uuid": uuid, "field": "ip_configuration_mode", "value": "None"})
    error = await rpc.fail("host.migrate_receive", third, network, {})
    assert error == ["PIF_HAS_NO_NETWORK_CONFIGURATION", pif]


async def test_the_stock_client_moves_a_guest_with_its_disk(datacentre: Datacentre, stock: Stock) -> None:
    await datacentre.do({"do": "set_speed", "speed": 500})

    def work(session: Any) -> str:
        xenapi = session.xenapi
        [guest] = xenapi.VM.get_by_name_label("web-local")
        host = next(ref for ref in xenapi.host.get_all() if xenapi.host.get_name_label(ref) == "xenserver3")
        pbds = [xenapi.PBD.get_record(pbd) for pbd in xenapi.host.get_PBDs(host)]
        target = next(pbd["SR"] for pbd in pbds if xenapi.SR.get_name_label(pbd["SR"]) == "Local storage")
        [network] = xenapi.network.get_by_name_label(NETWORK)
        dest = xenapi.host.migrate_receive(host, network, {})
        vbds = [xenapi.VBD.get_record(vbd) for vbd in xenapi.VM.get_VBDs(guest)]
        disks = {vbd["VDI"]: target for vbd in vbds if vbd["type"] == "Disk"}
        xenapi.VM.migrate_send(guest, dest, True, disks, {}, {})
        return str(xenapi.host.get_name_label(xenapi.VM.get_resident_on(guest)))

    assert await stock(work) == "xenserver3"


async def test_the_lab_shows_nobody_the_session_of_the_receiving_side(datacentre: Datacentre, rpc: Rpc) -> None:
    guest, dest = await rpc.find("VM", "centos54"), await receive(rpc, "xenserver3")
    disks = await map_disks(rpc, guest, await rpc.find("SR", "nfs-vhd"))
    await rpc.call("VM.assert_can_migrate", guest, dest, True, disks, {}, {})
    shown = [entry for entry in datacentre.journal.entries() if "migrate" in entry.get("method", "")]
    assert [entry["method"] for entry in shown] == ["host.migrate_receive", "VM.assert_can_migrate"]
    assert dest["session_id"] not in repr(shown)
