"""What others do: guests that end by themselves, another tool's work, storage that fills up or goes away."""

import asyncio
import re
from typing import Any

import pytest
from datacentre_client import DEADLINE_S, Rpc, Until, guest_of, host_of

from bot.lab.xapi import Datacentre

NULL = "OpaqueRef:NULL"


async def test_a_guest_shuts_down_by_itself_without_a_task(datacentre: Datacentre, rpc: Rpc) -> None:
    first = await rpc.call("event.from", ["vm", "task", "message"], "", 0.0)
    await datacentre.do({"do": "stop_guest", "guest": "centos54"})
    guest = await rpc.find("VM", "centos54")
    record = await rpc.call("VM.get_record", guest)
    assert (record["power_state"], record["resident_on"], record["domid"]) == ("Halted", NULL, -1)
    answer = await rpc.call("event.from", ["vm", "task", "message"], first["token"], 5.0)
    assert {event["class"] for event in answer["events"]} == {"vm", "message"}
    assert [one["snapshot"]["name"] for one in answer["events"] if one["class"] == "message"] == ["VM_SHUTDOWN"]


async def test_a_crashed_guest_does_as_its_record_says(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "stop_clock"})
    guest = await rpc.find("VM", "centos54")
    domid = await rpc.call("VM.get_domid", guest)
    await datacentre.do({"do": "crash_guest", "guest": guest_of(datacentre, "centos54")["uuid"]})
    assert await rpc.call("VM.get_power_state", guest) == "Halted"
    await datacentre.do({"do": "advance", "seconds": 60})
    assert await rpc.call("VM.get_power_state", guest) == "Running"
    assert await rpc.call("VM.get_domid", guest) != domid
    names = [one["name"] for one in (await rpc.call("message.get_all_records")).values()]
    assert names == ["VM_CRASHED", "VM_REBOOTED"]
    await rpc.call("VM.set_actions_after_crash", guest, "destroy")
    await datacentre.do({"do": "crash_guest", "guest": "centos54"})
    await datacentre.do({"do": "advance", "seconds": 60})
    assert await rpc.call("VM.get_power_state", guest) == "Halted"


async def test_a_guest_that_ends_breaks_its_migration(datacentre: Datacentre, rpc: Rpc, until: Until) -> None:
    await datacentre.do({"do": "pause_tasks", "at": 0.4})
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    task = await rpc.call("Async.VM.pool_migrate", guest, host, {})
    await until(lambda: guest_of(datacentre, "centos54")["progress"] == 0.4)
    await datacentre.do({"do": "stop_guest", "guest": "centos54"})
    ended = await rpc.finish(task)
    assert (ended["status"], ended["error_info"]) == ("failure", ["VM_BAD_POWER_STATE", guest, "Running", "Halted"])
    record = await rpc.call("VM.get_record", guest)
    assert (record["power_state"], record["current_operations"], record["scheduled_to_be_resident_on"]) == (
        "Halted",
        {},
        NULL,
    )


async def test_another_tool_moves_a_guest(datacentre: Datacentre, rpc: Rpc, until: Until) -> None:
    await datacentre.do({"do": "move_guest", "guest": "centos54", "host": "xenserver3"})
    await until(lambda: guest_of(datacentre, "centos54")["operation"] == "pool_migrate")
    uuid = host_of(datacentre, "xenserver3")["uuid"]
    await until(lambda: guest_of(datacentre, "centos54")["host"] == uuid)
    assert [task["name"] for task in datacentre.state()["tasks"]] == ["Async.VM.pool_migrate"]


async def test_a_call_waits_in_silence_for_another_tool(datacentre: Datacentre, rpc: Rpc, until: Until) -> None:
    await datacentre.do({"do": "stop_clock"})
    request = {"do": "occupy_guest", "guest": "centos54", "operation": "snapshot", "seconds": 600}
    await datacentre.do(request)
    await until(lambda: guest_of(datacentre, "centos54")["operation"] == "snapshot")
    guest = await rpc.find("VM", "centos54")
    waiting = asyncio.create_task(rpc.call("VM.pause", guest))
    await until(lambda: "VM.pause" in [task["name"] for task in datacentre.state()["tasks"]])
    await datacentre.do({"do": "advance", "seconds": 599})
    assert not waiting.done()
    assert list((await rpc.call("VM.get_current_operations", guest)).values()) == ["snapshot"]
    await datacentre.do({"do": "advance", "seconds": 1})
    assert await asyncio.wait_for(waiting, DEADLINE_S) == ""
    assert await rpc.call("VM.get_power_state", guest) == "Paused"


async def test_a_busy_guest_is_given_up_after_two_hours(datacentre: Datacentre, rpc: Rpc, until: Until) -> None:
    await datacentre.do({"do": "stop_clock"})
    await datacentre.do({"do": "occupy_guest", "guest": "centos54", "operation": "snapshot", "seconds": 9000})
    guest = await rpc.find("VM", "centos54")
    task = await rpc.call("Async.VM.clean_shutdown", guest)
    await datacentre.do({"do": "advance", "seconds": 7199})
    assert await rpc.call("task.get_status", task) == "pending"
    await datacentre.do({"do": "advance", "seconds": 2})
    ended = await rpc.finish(task)
    assert ended["error_info"][:4] == ["OTHER_OPERATION_IN_PROGRESS", "VM", guest, "snapshot"]


async def test_a_scan_waits_for_another_tool_on_the_storage(datacentre: Datacentre, rpc: Rpc, until: Until) -> None:
    await datacentre.do({"do": "stop_clock"})
    await datacentre.do({"do": "occupy_sr", "sr": "nfs-vhd", "operation": "vdi_create", "seconds": 600})
    storage = await rpc.find("SR", "nfs-vhd")
    assert list((await rpc.call("SR.get_current_operations", storage)).values()) == ["vdi_create"]
    scanning = asyncio.create_task(rpc.call("SR.scan", storage))
    await until(lambda: "SR.scan" in [task["name"] for task in datacentre.state()["tasks"]])
    await datacentre.do({"do": "advance", "seconds": 599})
    assert not scanning.done()
    while not scanning.done():
        await datacentre.do({"do": "advance", "seconds": 10})
    assert scanning.result() == ""


async def test_a_host_that_another_tool_empties_takes_no_guests(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "stop_clock"})
    await datacentre.do({"do": "occupy_host", "host": "xenserver3", "operation": "evacuate", "seconds": 60})
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    [task] = await rpc.call("host.get_current_operations", host)
    expected = ["OTHER_OPERATION_IN_PROGRESS", "host", host, "evacuate", task]
    assert await rpc.fail("VM.pool_migrate", guest, host, {}) == expected
    assert "vm_migrate" not in await rpc.call("host.get_allowed_operations", host)
    await datacentre.do({"do": "advance", "seconds": 61})
    assert "vm_migrate" in await rpc.call("host.get_allowed_operations", host)


async def test_an_operation_is_blocked_and_allowed_again(datacentre: Datacentre, rpc: Rpc) -> None:
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    blocking = {"guest": "centos54", "operation": "pool_migrate"}
    await datacentre.do({"do": "block_operation", **blocking, "reason": "backup runs"})
    assert await rpc.fail("VM.pool_migrate", guest, host, {}) == ["OPERATION_BLOCKED", guest, "backup runs"]
    assert "pool_migrate" not in await rpc.call("VM.get_allowed_operations", guest)
    await datacentre.do({"do": "unblock_operation", **blocking})
    assert "pool_migrate" in await rpc.call("VM.get_allowed_operations", guest)


async def test_storage_fills_up_and_goes_away(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "fill_sr", "sr": "nfs-vhd", "free_gib": 1.5})
    storage = await rpc.find("SR", "nfs-vhd")
    record = await rpc.call("SR.get_record", storage)
    assert record["physical_size"] - record["physical_utilisation"] == 1.5 * 1024**3
    await datacentre.do({"do": "unplug_pbd", "sr": "nfs-vhd", "host": "xenserver3"})
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    assert await rpc.fail("VM.assert_can_boot_here", guest, host) == ["VM_REQUIRES_SR", guest, storage]
    await datacentre.do({"do": "plug_pbd", "sr": "nfs-vhd", "host": "xenserver3"})
    assert await rpc.call("VM.assert_can_boot_here", guest, host) == ""


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"do": "stop_guest", "guest": "nobody"}, "No VM is called 'nobody'."),
        ({"do": "stop_guest", "guest": "twin"}, "More than one VM is called 'twin'."),
        ({"do": "stop_guest", "guest": "sleeper"}, "Guest 'sleeper' is Suspended."),
        ({"do": "stop_guest", "guest": "centos54", "how": "explode"}, "explode"),
        ({"do": "move_guest", "guest": "centos54", "host": "xenserver2"}, "is in another pool."),
        ({"do": "occupy_guest", "guest": "centos54", "operation": "start"}, "VM_BAD_POWER_STATE"),
        ({"do": "occupy_guest", "guest": "centos54", "operation": "dance"}, "no operation 'dance'"),
        ({"do": "block_operation", "guest": "centos54", "operation": "dance"}, "no operation 'dance'"),
        ({"do": "occupy_sr", "sr": "nfs-vhd", "operation": "dance"}, "no operation 'dance' on storage."),
        ({"do": "occupy_sr", "sr": "nfs-vhd", "operation": "forget"}, "SR_HAS_PBD"),
        ({"do": "occupy_host", "host": "xenserver3", "operation": "dance"}, "no operation 'dance' on hosts."),
        ({"do": "fill_sr", "sr": "nfs-vhd", "free_gib": 10**7}, "GiB in all."),
        ({"do": "unplug_pbd", "sr": "nfs-vhd", "host": "xenserver2"}, "is in another pool."),
        ({"do": "arm", "fault": {"method": "*", "action": "fail", "host": "nowhere"}}, "no host 'nowhere'"),
        ({"do": "arm", "fault": {"method": "*", "action": "fail", "times": "often"}}, "times"),
        ({"do": "advance", "seconds": 0}, "seconds"),
    ],
)
async def test_what_cannot_be_done_is_refused_in_a_sentence(
    datacentre: Datacentre, request_: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)) as caught:
        await datacentre.do(request_)
    assert str(caught.value).endswith(".")
