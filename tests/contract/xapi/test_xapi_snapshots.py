"""`VM.snapshot`, `VM.checkpoint`, `VM.revert`, clones and copies: what they make, what deletion leaves behind."""

from typing import Any

import pytest
from datacentre_client import Rpc, Stock
from storage_client import MIB, NULL, list_disks, read_messages

from bot.lab.xapi import Datacentre


async def test_a_snapshot_of_a_running_guest_is_a_halted_template_with_disks_of_its_own(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    before = await rpc.call("VM.get_record", guest)
    snapshot = await rpc.call("VM.snapshot", guest, "bk-snap")
    record, after = await rpc.call("VM.get_record", snapshot), await rpc.call("VM.get_record", guest)
    assert (record["power_state"], record["domid"], record["resident_on"]) == ("Halted", -1, NULL)
    assert (record["is_a_template"], record["is_a_snapshot"], record["snapshot_of"]) == (True, True, guest)
    assert record["snapshot_info"] == {"disk-snapshot-type": "crash_consistent", "power-state-at-snapshot": "Running"}
    assert record["snapshot_metadata"].startswith("((")
    assert record["other_config"]["mac_seed"] == before["other_config"]["mac_seed"]
    assert set(record["allowed_operations"]) == {"destroy", "metadata_export", "export", "revert", "copy", "clone"}
    assert (after["snapshots"], after["parent"], after["power_state"]) == ([snapshot], snapshot, "Running")
    assert record["metrics"] not in {NULL, before["metrics"]}
    assert record["guest_metrics"] not in {NULL, before["guest_metrics"]}
    [old], [new] = await list_disks(rpc, guest), await list_disks(rpc, snapshot)
    disk = await rpc.call("VDI.get_record", new)
    assert (disk["is_a_snapshot"], disk["snapshot_of"], disk["managed"]) == (True, old, True)
    assert await rpc.call("VDI.get_snapshots", old) == [new]
    own = await rpc.call("VIF.get_MAC", before["VIFs"][0])
    assert [await rpc.call("VIF.get_MAC", vif) for vif in record["VIFs"]] == [own]
    [message] = await read_messages(rpc)
    assert (message["name"], message["priority"]) == ("VM_SNAPSHOTTED", 5)
    assert message["body"] == f"VM 'centos54' (uuid: {before['uuid']}) snapshotted, snapshot name: bk-snap"


async def test_snapshots_stand_in_a_row_of_parents(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    first, second = [await rpc.call("VM.snapshot", guest, name) for name in ("one", "two")]
    assert await rpc.call("VM.get_parent", second) == first
    assert await rpc.call("VM.get_children", first) == [second]
    assert await rpc.call("VM.get_parent", guest) == second
    await rpc.call("VM.destroy", second)
    assert await rpc.call("VM.get_parent", guest) == first


async def test_a_snapshot_takes_space_and_leaves_a_hidden_disk(rpc: Rpc) -> None:
    guest, storage = await rpc.find("VM", "centos54"), await rpc.find("SR", "nfs-vhd")
    [disk] = await list_disks(rpc, guest)
    before, used = await rpc.call("VDI.get_record", disk), await rpc.call("SR.get_physical_utilisation", storage)
    snapshot = await rpc.call("VM.snapshot", guest, "snap")
    [kept] = await list_disks(rpc, snapshot)
    base = (await rpc.call("VDI.get_sm_config", kept))["vhd-parent"]
    assert (await rpc.call("VDI.get_sm_config", disk))["vhd-parent"] == base
    hidden = await rpc.call("VDI.get_record", await rpc.call("VDI.get_by_uuid", base))
    assert (hidden["managed"], hidden["name_label"]) == (False, "base copy")
    assert hidden["physical_utilisation"] == before["physical_utilisation"]
    assert await rpc.call("VDI.get_physical_utilisation", disk) < before["physical_utilisation"]
    assert await rpc.call("SR.get_physical_utilisation", storage) > used


async def test_deleting_a_snapshot_leaves_its_disks_and_coalescing_takes_its_time(
    datacentre: Datacentre, rpc: Rpc
) -> None:
    guest, storage = await rpc.find("VM", "centos54"), await rpc.find("SR", "nfs-vhd")
    snapshot = await rpc.call("VM.snapshot", guest, "snap")
    [kept], [disk] = await list_disks(rpc, snapshot), await list_disks(rpc, guest)
    vbds = await rpc.call("VM.get_VBDs", snapshot)
    await rpc.call("VM.destroy", snapshot)
    assert await rpc.call("VDI.get_VBDs", kept) == []
    assert await rpc.fail("VBD.get_record", vbds[0]) == ["HANDLE_INVALID", "VBD", vbds[0]]
    used = await rpc.call("SR.get_physical_utilisation", storage)
    await datacentre.do({"do": "stop_clock"})
    destroying = await rpc.call("Async.VDI.destroy", kept)
    await datacentre.do({"do": "advance", "seconds": 1})
    assert (await rpc.finish(destroying))["status"] == "success"
    waiting = await rpc.call("VDI.get_record", disk)
    assert "vhd-parent" in waiting["sm_config"]
    assert used - await rpc.call("SR.get_physical_utilisation", storage) < 16 * MIB
    base = await rpc.call("VDI.get_by_uuid", waiting["sm_config"]["vhd-parent"])
    await datacentre.do({"do": "advance", "seconds": 300})
    assert await rpc.fail("VDI.get_record", base) == ["HANDLE_INVALID", "VDI", base]
    assert "vhd-parent" not in await rpc.call("VDI.get_sm_config", disk)


async def test_a_disk_may_go_before_its_snapshot_which_then_points_nowhere(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    await rpc.call("VM.hard_shutdown", guest)
    [disk] = await list_disks(rpc, guest)
    kept = await rpc.call("VDI.snapshot", disk, {})
    await rpc.call("VDI.destroy", disk)
    assert await rpc.call("VDI.get_snapshot_of", kept) == disk
    assert await rpc.fail("VDI.get_record", disk) == ["HANDLE_INVALID", "VDI", disk]


async def test_a_full_repository_refuses_a_snapshot_and_nothing_is_left_of_it(datacentre: Datacentre, rpc: Rpc) -> None:
    guest, storage = await rpc.find("VM", "db1"), await rpc.find("SR", "nfs-vhd")
    await datacentre.do({"do": "fill_sr", "sr": "nfs-vhd", "free_gib": 0.04})
    before = await rpc.call("SR.get_VDIs", storage)
    full = ["SR_BACKEND_FAILURE_44", "", "There is insufficient space", ""]
    # The first of its two disks still finds room.
    assert await rpc.fail("VM.snapshot", guest, "snap") == full
    assert await rpc.call("VM.get_snapshots", guest) == []
    managed = [vdi for vdi in await rpc.call("SR.get_VDIs", storage) if await rpc.call("VDI.get_managed", vdi)]
    assert set(managed) == set(before)


async def test_disks_can_be_left_out_of_a_snapshot(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "db1")
    disks = await list_disks(rpc, guest)
    snapshot = await rpc.call("VM.snapshot", guest, "one disk", [disks[1]])
    [kept] = await list_disks(rpc, snapshot)
    assert await rpc.call("VDI.get_snapshot_of", kept) == disks[0]


async def test_snapshots_of_one_guest_go_on_together_and_take_turns_at_its_disk(
    datacentre: Datacentre, rpc: Rpc
) -> None:
    guest = await rpc.find("VM", "centos54")
    [disk] = await list_disks(rpc, guest)
    await datacentre.do({"do": "stop_clock"})
    tasks = [await rpc.call("Async.VM.snapshot", guest, f"snap {number}") for number in range(3)]
    await datacentre.do({"do": "advance", "seconds": 0.5})
    assert await rpc.call("VM.get_current_operations", guest) == dict.fromkeys(tasks, "snapshot")
    assert list((await rpc.call("VDI.get_current_operations", disk)).values()) == ["snapshot"]
    await datacentre.do({"do": "run_clock"})
    assert [(await rpc.finish(task))["status"] for task in tasks] == ["success"] * 3
    assert len(await rpc.call("VDI.get_snapshots", disk)) == 3


async def test_a_chain_of_thirty_is_too_long(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "set_speed", "speed": 1000})
    guest = await rpc.find("VM", "centos54")
    [disk] = await list_disks(rpc, guest)
    for _ in range(29):
        await rpc.call("VDI.snapshot", disk, {})
    assert await rpc.fail("VDI.snapshot", disk, {}) == [
        "SR_BACKEND_FAILURE_109",
        "",
        "The snapshot chain is too long",
        "",
    ]


async def test_a_checkpoint_sends_the_guest_to_sleep_and_wakes_it_in_a_new_domain(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    before = await rpc.call("VM.get_record", guest)
    task = await rpc.call("Async.VM.checkpoint", guest, "chk1")
    ended = await rpc.finish(task)
    assert (ended["status"], ended["error_info"]) == ("success", [])
    [snapshot] = await rpc.call("VM.get_snapshots", guest)
    assert ended["result"] == f"<value>{snapshot}</value>"
    record, after = await rpc.call("VM.get_record", snapshot), await rpc.call("VM.get_record", guest)
    assert record["power_state"] == "Suspended"
    assert "hard_shutdown" in record["allowed_operations"]
    image = await rpc.call("VDI.get_record", record["suspend_VDI"])
    assert (image["name_label"], image["type"], image["is_a_snapshot"]) == ("Suspend image", "suspend", True)
    assert (after["power_state"], after["resident_on"], after["suspend_VDI"]) == (
        "Running",
        before["resident_on"],
        NULL,
    )
    assert after["domid"] > before["domid"]
    assert (await read_messages(rpc))[-1]["name"] == "VM_CHECKPOINTED"
    await rpc.call("VM.destroy", snapshot)
    assert (await rpc.call("VDI.get_record", record["suspend_VDI"]))["type"] == "suspend"


async def test_a_checkpoint_without_space_leaves_the_guest_running(datacentre: Datacentre, rpc: Rpc) -> None:
    guest, storage = await rpc.find("VM", "centos54"), await rpc.find("SR", "nfs-vhd")
    await datacentre.do({"do": "fill_sr", "sr": "nfs-vhd", "free_gib": 0.1})
    assert await rpc.fail("VM.checkpoint", guest, "chk") == ["SR_SUSPEND_SPACE_INSUFFICIENT", storage]
    await datacentre.do({"do": "fill_sr", "sr": "nfs-vhd", "free_gib": 0.73})
    assert (await rpc.fail("VM.checkpoint", guest, "chk"))[0] == "SR_BACKEND_FAILURE_44"
    record = await rpc.call("VM.get_record", guest)
    assert (record["power_state"], record["snapshots"], record["suspend_VDI"]) == ("Running", [], NULL)
    assert record["current_operations"] == {}


async def test_reverting_replaces_disks_drives_and_interfaces(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    snapshot = await rpc.call("VM.snapshot", guest, "snapR")
    await rpc.call("VM.set_name_label", guest, "renamed")
    before = await rpc.call("VM.get_record", guest)
    [disk], [kept] = await list_disks(rpc, guest), await list_disks(rpc, snapshot)
    assert await rpc.call("VM.revert", snapshot) == ""
    after = await rpc.call("VM.get_record", guest)
    assert (after["power_state"], after["uuid"], after["name_label"]) == ("Halted", before["uuid"], "centos54")
    assert (after["snapshots"], after["parent"]) == ([snapshot], snapshot)
    for class_name, listed in (("VBD", "VBDs"), ("VIF", "VIFs")):
        assert len(after[listed]) == len(before[listed])
        for old in before[listed]:
            assert await rpc.fail(f"{class_name}.get_record", old) == ["HANDLE_INVALID", class_name, old]
    [new] = await list_disks(rpc, guest)
    assert await rpc.fail("VDI.get_record", disk) == ["HANDLE_INVALID", "VDI", disk]
    assert await rpc.call("VDI.get_snapshot_of", kept) == new
    message = (await read_messages(rpc))[-1]
    uuid = await rpc.call("VM.get_uuid", snapshot)
    assert message["name"] == "VM_SNAPSHOT_REVERTED"
    assert message["body"].endswith(f"reverted to snapshot: snapR (uuid {uuid})")
    assert await rpc.call("VM.start", guest, False, False) == ""


async def test_reverting_to_a_checkpoint_leaves_a_sleeper_that_wakes(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    snapshot = await rpc.call("VM.checkpoint", guest, "chk")
    await rpc.call("VM.clean_shutdown", guest)
    await rpc.call("VM.revert", snapshot)
    record = await rpc.call("VM.get_record", guest)
    assert record["power_state"] == "Suspended"
    assert record["suspend_VDI"] not in {NULL, await rpc.call("VM.get_suspend_VDI", snapshot)}
    assert await rpc.call("VM.resume", guest, False, False) == ""
    assert await rpc.call("VM.get_power_state", guest) == "Running"


async def test_only_snapshots_are_reverted_to(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    assert await rpc.fail("VM.revert", guest) == ["REVERT_ONLY_ALLOWED_ON_SNAPSHOT"]


async def test_a_snapshot_is_no_guest(rpc: Rpc) -> None:
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    snapshot = await rpc.call("VM.snapshot", guest, "snap")
    assert await rpc.fail("VM.start", snapshot, False, False) == ["VM_IS_SNAPSHOT", snapshot, "start"]
    assert (await rpc.fail("VM.pool_migrate", snapshot, host, {}))[0] == "VM_BAD_POWER_STATE"
    assert await rpc.call("VM.set_is_a_template", snapshot, False) == ""
    assert await rpc.call("VM.get_is_a_template", snapshot) is False


async def test_quiesced_snapshots_are_gone(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    assert await rpc.fail("VM.snapshot_with_quiesce", guest, "snap") == ["MESSAGE_REMOVED"]


async def test_the_stock_client_makes_a_snapshot_and_cleans_up_after_it(stock: Stock) -> None:
    def work(session: Any) -> list[str]:
        xenapi = session.xenapi
        [guest] = xenapi.VM.get_by_name_label("centos54")
        snapshot = xenapi.VM.snapshot(guest, "by the stock client")
        disks = [xenapi.VBD.get_VDI(vbd) for vbd in xenapi.VM.get_VBDs(snapshot) if xenapi.VBD.get_type(vbd) == "Disk"]
        xenapi.VM.destroy(snapshot)
        for disk in disks:
            xenapi.VDI.destroy(disk)
        return list(xenapi.VM.get_snapshots(guest))

    assert await stock(work) == []


@pytest.mark.parametrize("operation", ["snapshot", "checkpoint"])
async def test_a_blocked_operation_is_refused_before_anything_else(rpc: Rpc, operation: str) -> None:
    guest = await rpc.find("VM", "centos54")
    await rpc.call("VM.add_to_blocked_operations", guest, operation, "backup runs")
    assert await rpc.fail(f"VM.{operation}", guest, "x") == ["OPERATION_BLOCKED", guest, "backup runs"]
