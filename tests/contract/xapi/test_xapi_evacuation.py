"""Emptying a host: what prevents it, the batches, a failure half-way, cancelling; and whether guests may come."""

from typing import Any

import aiohttp
from datacentre_client import Rpc, host_of, running

from bot.lab.xapi import Datacentre

MIGRATE = "Async.VM.pool_migrate"
GIB = 1024**3


async def test_each_guest_that_cannot_leave_has_its_reason(datacentre: Datacentre, rpc: Rpc) -> None:
    host = await rpc.find("host", "xenserver1")
    reasons = await rpc.call("host.get_vms_which_prevent_evacuation", host)
    local, winxp, db1 = [await rpc.find("VM", name) for name in ("web-local", "winxp", "db1")]
    reachable = [await rpc.call("PBD.get_SR", pbd) for pbd in await rpc.call("host.get_PBDs", host)]
    [storage] = [one for one in reachable if not await rpc.call("SR.get_shared", one)]
    assert reasons == {
        local: ["VM_REQUIRES_SR", local, storage],
        winxp: ["VM_LACKS_FEATURE", winxp],
        db1: ["HOST_NOT_ENOUGH_FREE_MEMORY", db1],
    }
    [code, listed] = await rpc.fail("host.assert_can_evacuate", host)
    assert code == "CANNOT_EVACUATE_HOST"
    assert sorted(listed.split("|")) == sorted(",".join(reason) for reason in reasons.values())
    ended = await rpc.finish(await rpc.call("Async.host.evacuate", host))
    assert ended["error_info"] in list(reasons.values())
    assert ended["status"] == "failure"


async def test_a_host_that_nobody_can_take_guests_from_says_so(rpc: Rpc) -> None:
    for name in ("xenserver3", "xenserver1"):
        await rpc.call("host.disable", await rpc.find("host", name))
    host = await rpc.find("host", "xenserver3")
    guests = await rpc.call("host.get_resident_VMs", host)
    [twin] = [vm for vm in guests if not await rpc.call("VM.get_is_control_domain", vm)]
    expected = ["NO_HOSTS_AVAILABLE", twin]
    assert await rpc.call("host.get_vms_which_prevent_evacuation", host) == {twin: expected}
    assert await rpc.fail("host.evacuate", host) == expected


async def test_a_reason_of_any_other_host_prevents(http: aiohttp.ClientSession) -> None:
    async with running("large:3x3", http, manual_clock=True) as (lab, rpc):
        host = await rpc.find("host", "host001")
        assert await rpc.call("host.get_vms_which_prevent_evacuation", host) == {}
        await lab.do({"do": "unplug_pbd", "sr": "nfs-large", "host": "host003"})
        [(guest, reason)] = (await rpc.call("host.get_vms_which_prevent_evacuation", host)).items()
        assert reason == ["VM_REQUIRES_SR", guest, await rpc.find("SR", "nfs-large")]
        await rpc.call("host.disable", await rpc.find("host", "host003"))
        assert await rpc.call("host.get_vms_which_prevent_evacuation", host) == {}


async def evacuate(lab: Datacentre, rpc: Rpc, host: str, *more: Any) -> tuple[str, list[str]]:
    """Begins to evacuate; returns the task and its children after a moment."""
    task = await rpc.call("Async.host.evacuate", host, *more)
    await lab.do({"do": "advance", "seconds": 0.1})
    return task, await rpc.call("task.get_subtasks", task)


async def test_guests_leave_in_batches_and_progress_counts_them(http: aiohttp.ClientSession) -> None:
    async with running("large:3x36", http, manual_clock=True) as (lab, rpc):
        host = await rpc.find("host", "host001")
        await rpc.call("host.disable", host)
        task, children = await evacuate(lab, rpc, host)
        assert len(children) == 10
        assert {await rpc.call("task.get_name_label", child) for child in children} == {MIGRATE}
        record = await rpc.call("host.get_record", host)
        assert record["current_operations"] == {task: "evacuate"}
        assert await rpc.call("task.get_allowed_operations", task) == ["cancel"]
        for _ in range(120):  # seconds; ten guests share a network that carries one in ten
            await lab.do({"do": "advance", "seconds": 1})
            if not set(children) & set(await rpc.call("task.get_subtasks", task)):
                break
        assert await rpc.call("task.get_progress", task) == 10 / 12
        assert len(await rpc.call("task.get_subtasks", task)) == 2
        await lab.do({"do": "advance", "seconds": 60})
        record = await rpc.call("task.get_record", task)
        assert (record["status"], record["progress"], record["subtasks"]) == ("success", 1.0, [])
        assert len(await rpc.call("host.get_resident_VMs", host)) == 1
        assert await rpc.call("host.get_current_operations", host) == {}
        counts = [len(await rpc.call("host.get_resident_VMs", other)) for other in await rpc.call("host.get_all")]
        assert sorted(counts) == [1, 19, 19]


async def test_the_batch_can_be_smaller(http: aiohttp.ClientSession) -> None:
    async with running("large:2x10", http, manual_clock=True) as (lab, rpc):
        _, children = await evacuate(lab, rpc, await rpc.find("host", "host001"), "OpaqueRef:NULL", 2)
        assert len(children) == 2


async def test_a_failure_leaves_the_guests_half_moved(http: aiohttp.ClientSession) -> None:
    async with running("large:2x8", http, manual_clock=True) as (lab, rpc):
        host = await rpc.find("host", "host001")
        fault = {"method": MIGRATE, "action": "fail", "when": "during", "error": ["MIRROR_FAILED", "x"]}
        task, _ = await evacuate(lab, rpc, host, "OpaqueRef:NULL", 2)
        await lab.do({"do": "arm", "fault": fault})
        await lab.do({"do": "advance", "seconds": 120})
        record = await rpc.call("task.get_record", task)
        assert (record["status"], record["error_info"]) == ("failure", ["MIRROR_FAILED", "x"])
        guests = [guest for guest in lab.state()["guests"] if guest["host"] == host_of(lab, "host001")["uuid"]]
        assert len(guests) == 3  # of four: one of the first batch moved, nobody of the second began
        assert all(guest["power_state"] == "Running" and guest["operation"] is None for guest in guests)


async def test_a_guest_that_goes_down_meanwhile_does_not_stop_the_others(http: aiohttp.ClientSession) -> None:
    async with running("large:2x8", http, manual_clock=True) as (lab, rpc):
        task, _ = await evacuate(lab, rpc, await rpc.find("host", "host001"))
        [first, *_] = [guest for guest in lab.state()["guests"] if guest["operation"] == "pool_migrate"]
        await lab.do({"do": "stop_guest", "guest": first["uuid"]})
        await lab.do({"do": "advance", "seconds": 120})
        assert await rpc.call("task.get_status", task) == "success"


async def test_cancelling_ends_the_migrations_of_the_batch(http: aiohttp.ClientSession) -> None:
    async with running("large:2x8", http, manual_clock=True) as (lab, rpc):
        host = await rpc.find("host", "host001")
        task, _ = await evacuate(lab, rpc, host)
        assert await rpc.call("task.cancel", task) == ""
        await lab.do({"do": "advance", "seconds": 0.2})
        assert await rpc.call("task.get_status", task) == "cancelled"
        await lab.do({"do": "advance", "seconds": 60})
        assert len(await rpc.call("host.get_resident_VMs", host)) == 5
        assert [guest["operation"] for guest in lab.state()["guests"]] == [None] * 8


async def test_a_disabled_host_takes_no_guests_until_it_is_enabled_or_restarts(http: aiohttp.ClientSession) -> None:
    async with running("large:2x2", http, manual_clock=True) as (lab, rpc):
        host = await rpc.find("host", "host002")
        assert await rpc.call("host.disable", host) == ""
        allowed = await rpc.call("host.get_allowed_operations", host)
        assert {"shutdown", "reboot"} <= set(allowed)
        [guest] = [one["uuid"] for one in lab.state()["guests"] if one["host"] == host_of(lab, "host001")["uuid"]]
        vm = await rpc.call("VM.get_by_uuid", guest)
        assert await rpc.fail("VM.pool_migrate", vm, host, {}) == ["HOST_DISABLED", host]
        await lab.do({"do": "restart_toolstack", "host": "host002"})
        await lab.do({"do": "advance", "seconds": 60})
        assert await rpc.call("host.get_enabled", host) is True
        await rpc.call("host.disable", host, False)
        await lab.do({"do": "restart_toolstack", "host": "host002"})
        await lab.do({"do": "advance", "seconds": 60})
        assert await rpc.call("host.get_enabled", host) is False
        await rpc.call("host.enable", host)
        assert not {"shutdown", "reboot"} & set(await rpc.call("host.get_allowed_operations", host))


async def test_settings_of_a_host(rpc: Rpc) -> None:
    host = await rpc.find("host", "xenserver3")
    await rpc.call("host.set_iscsi_iqn", host, "iqn.2026-01.example:new")
    await rpc.call("host.set_multipathing", host, True)
    await rpc.call("host.set_hostname_live", host, "new-name")
    await rpc.call("host.set_power_on_mode", host, "wake-on-lan", {})
    record = await rpc.call("host.get_record", host)
    assert (record["iscsi_iqn"], record["multipathing"], record["hostname"]) == (
        "iqn.2026-01.example:new",
        True,
        "new-name",
    )
    assert (record["other_config"]["iscsi_iqn"], record["other_config"]["multipathing"]) == (
        record["iscsi_iqn"],
        "true",
    )
    assert (await rpc.fail("host.set_hostname_live", host, "no name"))[0] == "HOST_NAME_INVALID"
    assert await rpc.call("host.compute_memory_overhead", host) == record["memory_overhead"]
    [interface] = record["PIFs"]
    assert await rpc.call("host.get_management_interface", host) == interface
    assert await rpc.fail("host.call_plugin", host, "noplug", "main", {}) == ["XENAPI_MISSING_PLUGIN", "noplug"]
    assert await rpc.fail("host.retrieve_wlb_evacuate_recommendations", host) == ["WLB_NOT_INITIALIZED"]
