"""High availability: switching it, what the plan is worth, what it refuses; and hosts that joined only half-way."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from datacentre_client import Rpc, running

from bot.lab.xapi import Datacentre

README = Path(__file__).parents[3] / "bot" / "lab" / "worlds" / "README.md"
GIB = 1024**3
NOT_ENABLED = {"field": "enabled", "value": False}


@pytest.fixture
async def example(http: aiohttp.ClientSession, tmp_path: Path) -> AsyncIterator[tuple[Datacentre, Rpc]]:
    """The world of the reference: high availability is on, `db` is protected, one host has joined only half-way."""
    path = tmp_path / "example.toml"
    text = README.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    path.write_text(text, encoding="utf-8")
    async with running(str(path), http, manual_clock=True) as (lab, rpc):
        yield lab, rpc


async def test_a_world_can_have_it_on(example: tuple[Datacentre, Rpc]) -> None:
    _, rpc = example
    [pool] = (await rpc.call("pool.get_all_records")).values()
    assert (pool["ha_enabled"], pool["ha_host_failures_to_tolerate"], pool["ha_plan_exists_for"]) == (True, 1, 1)
    assert pool["ha_overcommitted"] is False
    [statefile] = pool["ha_statefiles"]
    assert await rpc.call("VDI.get_type", statefile) == "ha_statefile"
    assert await rpc.call("pool.ha_compute_max_host_failures_to_tolerate") == 1
    assert await rpc.call("pool.ha_failover_plan_exists", 1) is True
    assert await rpc.call("pool.ha_failover_plan_exists", 2) is False


async def test_what_would_break_the_plan_is_refused(example: tuple[Datacentre, Rpc]) -> None:
    _, rpc = example
    broken = ["HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN"]
    beta = await rpc.find("host", "beta")
    assert await rpc.fail("host.disable", beta) == broken
    [pool] = await rpc.call("pool.get_all")
    assert await rpc.fail("pool.set_ha_host_failures_to_tolerate", pool, 2) == broken
    assert await rpc.fail("pool.set_ha_host_failures_to_tolerate", pool, -1) == [
        "INVALID_VALUE",
        "ha_host_failures_to_tolerate",
        "-1",
    ]
    await rpc.call("pool.set_ha_allow_overcommit", pool, True)
    assert await rpc.call("host.disable", beta) == ""
    record = await rpc.call("pool.get_record", pool)
    assert (record["ha_plan_exists_for"], record["ha_overcommitted"]) == (0, True)


async def test_a_guest_that_would_take_the_room_of_the_plan_is_not_started(example: tuple[Datacentre, Rpc]) -> None:
    _, rpc = example
    old, beta = await rpc.find("VM", "old"), await rpc.find("host", "beta")
    await rpc.call("VM.remove_from_blocked_operations", old, "start")
    assert await rpc.call("VM.assert_can_boot_here", old, beta) == ""
    free = await rpc.call("host.compute_free_memory", beta)
    await rpc.call("VM.set_memory_limits", old, GIB, free - GIB, free - GIB, free - GIB)
    assert await rpc.fail("VM.assert_can_boot_here", old, beta) == ["HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN"]


async def test_protecting_a_guest_needs_shared_disks(example: tuple[Datacentre, Rpc]) -> None:
    _, rpc = example
    old = await rpc.find("VM", "old")
    assert (await rpc.fail("VM.assert_agile", old))[0] == "HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED"
    assert (await rpc.fail("VM.set_ha_restart_priority", old, "restart"))[0] == "HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED"
    assert await rpc.fail("VM.set_ha_restart_priority", old, "always") == [
        "INVALID_VALUE",
        "ha_restart_priority",
        "always",
    ]
    assert await rpc.call("VM.set_ha_restart_priority", old, "best-effort") == ""
    db = await rpc.find("VM", "db")
    assert await rpc.call("pool.ha_compute_hypothetical_max_host_failures_to_tolerate", {db: "restart"}) == 1
    beta = await rpc.find("host", "beta")
    alpha = await rpc.find("host", "alpha")
    assert await rpc.call("pool.ha_compute_vm_failover_plan", [alpha], [db]) == {db: {"host": beta}}
    plan = await rpc.call("pool.ha_compute_vm_failover_plan", [alpha, beta], [db])
    assert plan == {db: {"error_code": "HOST_NOT_ENOUGH_FREE_MEMORY"}}


async def test_evacuation_names_guests_that_are_not_protected(example: tuple[Datacentre, Rpc]) -> None:
    _, rpc = example
    db, alpha = await rpc.find("VM", "db"), await rpc.find("host", "alpha")
    assert await rpc.call("host.get_vms_which_prevent_evacuation", alpha) == {}
    await rpc.call("VM.set_ha_restart_priority", db, "")
    reasons = await rpc.call("host.get_vms_which_prevent_evacuation", alpha)
    assert reasons == {db: ["HOST_EVACUATE_VM_NOT_HA_PROTECTED", db]}


async def test_it_is_switched_off_and_on(http: aiohttp.ClientSession) -> None:
    async with running("large:3x3", http, manual_clock=True) as (lab, rpc):
        assert await rpc.fail("pool.disable_ha") == ["HA_NOT_ENABLED"]
        storage = await rpc.find("SR", "nfs-large")
        [local, *_] = [ref for ref in await rpc.call("SR.get_all") if not await rpc.call("SR.get_shared", ref)]
        assert await rpc.fail("pool.enable_ha", [local], {}) == ["CANNOT_CREATE_STATE_FILE"]
        await lab.do({"do": "kill_host", "host": "host003"})
        dead = await rpc.find("host", "host003")
        assert await rpc.fail("pool.enable_ha", [storage], {}) == ["HOST_OFFLINE", dead]
        await lab.do({"do": "start_host", "host": "host003"})
        enabling = asyncio.create_task(rpc.call("pool.enable_ha", [storage], {"timeout": "90"}))
        while not await rpc.call("pool.get_all_records_where", 'field "ha_enabled"="true"'):
            await lab.do({"do": "advance", "seconds": 5})
        assert await enabling == ""
        [pool] = (await rpc.call("pool.get_all_records")).values()
        assert pool["ha_configuration"] == {"timeout": "90"}
        assert await rpc.fail("pool.enable_ha", [storage], {}) == ["HA_IS_ENABLED"]
        assert await rpc.fail("pool.designate_new_master", dead) == ["HA_IS_ENABLED"]
        assert await rpc.call("pool.disable_ha") == ""
        assert await rpc.fail("VDI.get_uuid", pool["ha_statefiles"][0]) == [
            "HANDLE_INVALID",
            "VDI",
            pool["ha_statefiles"][0],
        ]


async def test_one_host_is_too_few(http: aiohttp.ClientSession) -> None:
    async with running("large:1x0", http) as (_, rpc):
        assert await rpc.fail("pool.enable_ha", [], {}) == ["HA_TOO_FEW_HOSTS"]


async def test_calls_forwarded_to_a_half_joined_host_hang_until_it_is_forgotten(
    example: tuple[Datacentre, Rpc],
) -> None:
    lab, rpc = example
    gamma = await rpc.find("host", "gamma")
    record = await rpc.call("host.get_record", gamma)
    assert (record["enabled"], record["address"], record["cpu_info"], record["memory_overhead"]) == (False, "", {}, 0)
    assert await rpc.call("host_metrics.get_live", record["metrics"]) is True
    hanging = asyncio.create_task(rpc.fail("host.enable", gamma))
    await lab.do({"do": "advance", "seconds": 7 * 3600})
    assert not hanging.done()
    assert await rpc.fail("VM.pool_migrate", await rpc.find("VM", "db"), gamma, {}) != []
    assert await rpc.call("host.destroy", gamma) == ""
    assert await asyncio.wait_for(hanging, 60) == ["HANDLE_INVALID", "host", gamma]
    assert "gamma" in lab.hosts  # the machine goes on as a pool of its own
    await Rpc(rpc.http, lab.hosts["gamma"].http).login()


async def switch_on(lab: Datacentre, rpc: Rpc) -> None:
    storage = await rpc.find("SR", "nfs-large")
    enabling = asyncio.create_task(rpc.call("pool.enable_ha", [storage], {"timeout": "60"}))
    while not await rpc.call("pool.get_all_records_where", 'field "ha_enabled"="true"'):
        await lab.do({"do": "advance", "seconds": 5})
    assert await enabling == ""


async def list_guests(rpc: Rpc, host: str) -> list[str]:
    resident = await rpc.call("host.get_resident_VMs", host)
    return [vm for vm in resident if not await rpc.call("VM.get_is_control_domain", vm)]


async def read_messages(rpc: Rpc, name: str) -> list[tuple[int, str]]:
    messages = (await rpc.call("message.get_all_records")).values()
    return [(message["priority"], message["obj_uuid"]) for message in messages if message["name"] == name]


async def test_protected_guests_of_a_dead_host_restart_elsewhere(http: aiohttp.ClientSession) -> None:
    async with running("large:3x12", http, manual_clock=True) as (lab, rpc):
        await switch_on(lab, rpc)
        dead = await rpc.find("host", "host003")
        first, second, third, *others = await list_guests(rpc, dead)
        await rpc.call("VM.set_ha_restart_priority", first, "restart")
        await rpc.call("VM.set_ha_restart_priority", second, "best-effort")
        await rpc.call("VM.set_ha_restart_priority", third, "")
        await lab.do({"do": "kill_host", "host": "host003"})
        await lab.do({"do": "advance", "seconds": 55})
        assert await rpc.call("VM.get_resident_on", first) == dead
        await lab.do({"do": "advance", "seconds": 30})
        assert await read_messages(rpc, "HA_HOST_FAILED") == [(3, await rpc.call("host.get_uuid", dead))]
        for vm in (first, second):
            record = await rpc.call("VM.get_record", vm)
            assert (record["power_state"], record["current_operations"]) == ("Running", {})
            assert record["resident_on"] not in {dead, "OpaqueRef:NULL"}
        for vm in (third, *others):
            assert await rpc.call("VM.get_power_state", vm) == "Halted"
        assert len(await read_messages(rpc, "VM_STARTED")) == 2


async def test_restarts_can_be_held_back_and_a_guest_that_fits_nowhere_is_told(http: aiohttp.ClientSession) -> None:
    async with running("large:2x4", http, manual_clock=True) as (lab, rpc):
        await switch_on(lab, rpc)
        dead, left = await rpc.find("host", "host002"), await rpc.find("host", "host001")
        vm, *_ = await list_guests(rpc, dead)
        await rpc.call("VM.set_ha_restart_priority", vm, "restart")
        await rpc.call("pool.ha_prevent_restarts_for", 600)
        await lab.do({"do": "kill_host", "host": "host002"})
        await lab.do({"do": "advance", "seconds": 500})
        assert await rpc.call("VM.get_power_state", vm) == "Halted"
        assert await read_messages(rpc, "HA_PROTECTED_VM_RESTART_FAILED") == []
        await lab.do({"do": "set", "class": "host", "uuid": await rpc.call("host.get_uuid", left)} | NOT_ENABLED)
        await lab.do({"do": "advance", "seconds": 200})
        assert await rpc.call("VM.get_power_state", vm) == "Halted"
        uuid = await rpc.call("VM.get_uuid", vm)
        assert await read_messages(rpc, "HA_PROTECTED_VM_RESTART_FAILED") == [(2, uuid)]


async def test_a_host_without_its_shared_storage_cannot_be_enabled(http: aiohttp.ClientSession) -> None:
    async with running("large:3x3", http, manual_clock=True) as (lab, rpc):
        await switch_on(lab, rpc)
        host = await rpc.find("host", "host003")
        await rpc.call("host.disable", host)
        await lab.do({"do": "unplug_pbd", "sr": "nfs-large", "host": "host003"})
        assert await rpc.fail("host.enable", host) == ["HOST_DISABLED_INDEFINITELY", host]
        assert await rpc.call("host.get_enabled", host) is False
        await rpc.call("pool.disable_ha")
        assert await rpc.call("host.enable", host) == ""
