"""Guests that sleep, wake, pause, do not obey, or are called halted; what each of them allows."""

import asyncio

import pytest
from datacentre_client import DEADLINE_S, Rpc, Until, guest_of
from storage_client import GIB, MIB, NULL, list_disks, read_messages

from bot.lab.xapi import Datacentre


async def test_the_memory_of_a_sleeper_takes_space_in_its_repository(rpc: Rpc) -> None:
    guest, storage = await rpc.find("VM", "centos54"), await rpc.find("SR", "nfs-vhd")
    before = await rpc.call("SR.get_record", storage)
    await rpc.call("VM.suspend", guest)
    record, after = await rpc.call("VM.get_record", guest), await rpc.call("SR.get_record", storage)
    image = await rpc.call("VDI.get_record", record["suspend_VDI"])
    assert image["virtual_size"] > 512 * MIB
    assert after["physical_utilisation"] - before["physical_utilisation"] == image["physical_utilisation"]
    assert after["virtual_allocation"] - before["virtual_allocation"] == image["virtual_size"]
    assert (record["domid"], record["resident_on"]) == (-1, NULL)
    assert all([await rpc.call("VBD.get_currently_attached", vbd) for vbd in record["VBDs"]])
    assert set(record["allowed_operations"]) == {
        "destroy",
        "metadata_export",
        "export",
        "migrate_send",
        "resume_on",
        "resume",
        "hard_shutdown",
        "checkpoint",
        "snapshot",
    }
    await rpc.call("VM.hard_shutdown", guest)
    assert (await rpc.call("SR.get_record", storage))["physical_utilisation"] == before["physical_utilisation"]


async def test_without_room_or_place_for_the_memory_nobody_sleeps(datacentre: Datacentre, rpc: Rpc) -> None:
    guest, storage, pool = (
        await rpc.find("VM", "centos54"),
        await rpc.find("SR", "nfs-vhd"),
        await rpc.call("pool.get_all"),
    )
    await datacentre.do({"do": "fill_sr", "sr": "nfs-vhd", "free_gib": 0.1})
    assert await rpc.fail("VM.suspend", guest) == ["SR_SUSPEND_SPACE_INSUFFICIENT", storage]
    await rpc.call("pool.set_suspend_image_SR", pool[0], NULL)
    assert await rpc.fail("VM.suspend", guest) == ["VM_NO_SUSPEND_SR", guest]
    assert guest_of(datacentre, "centos54")["power_state"] == "Running"


async def test_room_for_the_memory_that_goes_while_the_file_server_is_away_is_missed_when_it_is_back(
    datacentre: Datacentre, rpc: Rpc
) -> None:
    guest, storage = await rpc.find("VM", "centos54"), await rpc.find("SR", "nfs-vhd")
    await datacentre.do({"do": "nfs", "server": "nfsserver", "nfs": "stopped"})
    task = await rpc.call("Async.VM.suspend", guest)
    async with asyncio.timeout(DEADLINE_S):
        while "vdi_create" not in (await rpc.call("SR.get_current_operations", storage)).values():
            pass  # once it is held its room has been looked at
    await datacentre.do({"do": "fill_sr", "sr": "nfs-vhd", "free_gib": 0.1})
    await datacentre.do({"do": "nfs", "server": "nfsserver", "nfs": "running"})
    assert (await rpc.finish(task))["error_info"][0] == "SR_BACKEND_FAILURE_44"
    record = await rpc.call("VM.get_record", guest)
    assert (record["power_state"], record["suspend_VDI"], record["current_operations"]) == ("Running", NULL, {})


async def test_a_sleeper_may_choose_where_its_memory_goes(rpc: Rpc) -> None:
    guest, storage = await rpc.find("VM", "centos54"), (await rpc.call("SR.get_by_name_label", "Local storage"))[0]
    await rpc.call("VM.set_suspend_SR", guest, storage)
    await rpc.call("VM.suspend", guest)
    assert await rpc.call("VDI.get_SR", await rpc.call("VM.get_suspend_VDI", guest)) == storage


@pytest.mark.parametrize(
    ("temper", "method", "error"),
    [
        ("ignores", "clean_shutdown", ["VM_FAILED_SHUTDOWN_ACKNOWLEDGMENT"]),
        ("hangs", "clean_shutdown", ["VM_SHUTDOWN_TIMEOUT", "1200"]),
        ("ignores", "clean_reboot", ["VM_FAILED_SHUTDOWN_ACKNOWLEDGMENT"]),
        ("ignores", "suspend", ["VM_FAILED_SUSPEND_ACKNOWLEDGMENT"]),
        ("hangs", "suspend", ["VM_SUSPEND_TIMEOUT", "1200"]),
    ],
)
async def test_a_guest_that_does_not_do_it_runs_on(
    datacentre: Datacentre, rpc: Rpc, temper: str, method: str, error: list[str]
) -> None:
    await datacentre.do({"do": "set_speed", "speed": 2000})
    guest = await rpc.find("VM", "centos54")
    await datacentre.do({"do": "temper_guest", "guest": "centos54", "temper": temper})
    assert await rpc.fail(f"VM.{method}", guest) == [error[0], guest, *error[1:]]
    record = await rpc.call("VM.get_record", guest)
    assert (record["power_state"], record["suspend_VDI"], record["current_operations"]) == ("Running", NULL, {})
    await datacentre.do({"do": "temper_guest", "guest": "centos54", "temper": "obeys"})
    assert await rpc.call(f"VM.{method}", guest) == ""


@pytest.mark.parametrize(
    ("temper", "error"),
    [("ignores", ["VM_FAILED_SUSPEND_ACKNOWLEDGMENT"]), ("hangs", ["VM_SUSPEND_TIMEOUT", "1200"])],
)
async def test_a_guest_that_will_not_sleep_at_the_end_of_its_migration_stays(
    datacentre: Datacentre, rpc: Rpc, temper: str, error: list[str]
) -> None:
    await datacentre.do({"do": "set_speed", "speed": 2000})
    guest, third = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    await datacentre.do({"do": "temper_guest", "guest": "centos54", "temper": temper})
    assert await rpc.fail("VM.pool_migrate", guest, third, {}) == [error[0], guest, *error[1:]]
    record = await rpc.call("VM.get_record", guest)
    assert (record["power_state"], record["resident_on"]) == ("Running", await rpc.find("host", "xenserver1"))
    assert record["scheduled_to_be_resident_on"] == NULL


async def test_a_clean_shutdown_waits_for_the_guest_for_twenty_minutes(datacentre: Datacentre, rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    await datacentre.do({"do": "temper_guest", "guest": "centos54", "temper": "hangs"})
    await datacentre.do({"do": "stop_clock"})
    task = await rpc.call("Async.VM.clean_shutdown", guest)
    await datacentre.do({"do": "advance", "seconds": 1199})
    assert await rpc.call("task.get_status", task) == "pending"
    await datacentre.do({"do": "advance", "seconds": 2})
    assert (await rpc.finish(task))["error_info"] == ["VM_SHUTDOWN_TIMEOUT", guest, "1200"]


async def test_shutdown_turns_hard_where_the_guest_does_not_answer(datacentre: Datacentre, rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    await datacentre.do({"do": "temper_guest", "guest": "centos54", "temper": "ignores"})
    assert await rpc.call("VM.shutdown", guest) == ""
    assert guest_of(datacentre, "centos54")["power_state"] == "Halted"
    assert (await read_messages(rpc))[-1]["body"].endswith("shutdown forcibly")


async def test_a_guest_that_cannot_be_suspended_says_why(datacentre: Datacentre, rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    metrics = await rpc.call("VM.get_guest_metrics", guest)
    uuid = await rpc.call("VM_guest_metrics.get_uuid", metrics)
    other = await rpc.call("VM_guest_metrics.get_other", metrics) | {"data-cant-suspend-reason": "a device"}
    await datacentre.do({"do": "set", "class": "VM_guest_metrics", "uuid": uuid, "field": "other", "value": other})
    for method in ("suspend", "checkpoint"):
        arguments = ["x"] if method == "checkpoint" else []
        assert await rpc.fail(f"VM.{method}", guest, *arguments) == ["VM_NON_SUSPENDABLE", guest, "a device"]


async def test_a_guest_can_start_and_wake_paused(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    await rpc.call("VM.suspend", guest)
    await rpc.call("VM.resume", guest, True, False)
    assert await rpc.call("VM.get_power_state", guest) == "Paused"
    await rpc.call("VM.unpause", guest)
    await rpc.call("VM.hard_shutdown", guest)
    await rpc.call("VM.start", guest, True, False)
    record = await rpc.call("VM.get_record", guest)
    assert record["power_state"] == "Paused"
    assert set(record["allowed_operations"]) == {
        "metadata_export",
        "hard_reboot",
        "hard_shutdown",
        "unpause",
        "checkpoint",
        "snapshot",
    }
    names = [message["name"] for message in await read_messages(rpc)]
    assert names == ["VM_SUSPENDED", "VM_RESUMED", "VM_UNPAUSED", "VM_SHUTDOWN", "VM_STARTED"]


async def test_pausing_keeps_the_domain(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    domid = await rpc.call("VM.get_domid", guest)
    await rpc.call("VM.pause", guest)
    assert (await rpc.call("VM.get_domid", guest), await rpc.call("VM.get_power_state", guest)) == (domid, "Paused")
    await rpc.call("VM.unpause", guest)
    assert await rpc.call("VM.get_domid", guest) == domid


async def test_what_a_guest_without_tools_allows(rpc: Rpc) -> None:
    allowed = await rpc.call("VM.get_allowed_operations", await rpc.find("VM", "winxp"))
    assert set(allowed) == {
        "metadata_export",
        "changing_dynamic_range",
        "hard_reboot",
        "hard_shutdown",
        "pause",
        "snapshot",
    }


async def test_a_guest_of_a_dead_host_is_called_halted_and_starts_elsewhere(
    datacentre: Datacentre, rpc: Rpc, until: Until
) -> None:
    third = await rpc.find("host", "xenserver3")
    guest = await rpc.find("VM", "centos54")
    await rpc.call("VM.pool_migrate", guest, third, {})
    await datacentre.do({"do": "kill_host", "host": "xenserver3"})
    await datacentre.do({"do": "set_speed", "speed": 2000})
    await until(lambda: not next(one for one in datacentre.state()["hosts"] if one["name"] == "xenserver3")["live"])
    assert await rpc.fail("VM.clean_shutdown", guest) == ["HOST_OFFLINE", third]
    await rpc.call("VM.power_state_reset", guest)
    record = await rpc.call("VM.get_record", guest)
    assert (record["power_state"], record["resident_on"], record["domid"]) == ("Halted", NULL, -1)
    await rpc.call("VM.start", guest, False, False)
    assert await rpc.call("VM.get_resident_on", guest) == await rpc.find("host", "xenserver1")


async def test_only_pool_operators_reset_a_power_state(datacentre: Datacentre, rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    weak = await Rpc(rpc.http, rpc.url).login("vm-power-admin")
    assert (await weak.fail("VM.power_state_reset", guest))[:2] == ["RBAC_PERMISSION_DENIED", "vm.power_state_reset"]
    assert guest_of(datacentre, "centos54")["power_state"] == "Running"


async def test_a_guest_that_writes_fills_its_thin_disk_and_the_repository(datacentre: Datacentre, rpc: Rpc) -> None:
    [disk] = await list_disks(rpc, await rpc.find("VM", "centos54"))
    storage = await rpc.find("SR", "nfs-vhd")
    used = await rpc.call("SR.get_physical_utilisation", storage)
    await datacentre.do({"do": "write_data", "guest": "centos54", "gib": 3})
    assert await rpc.call("VDI.get_physical_utilisation", disk) == 5 * GIB
    assert await rpc.call("SR.get_physical_utilisation", storage) - used == 3 * GIB
    await datacentre.do({"do": "write_data", "guest": "centos54", "gib": 30})
    assert await rpc.call("VDI.get_physical_utilisation", disk) == 8 * GIB
