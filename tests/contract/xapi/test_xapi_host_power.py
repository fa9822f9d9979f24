"""Hosts that are shut down, rebooted, woken, declared dead, forgotten."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from datacentre_client import Rpc, host_of, running

from bot.lab.xapi import Datacentre

WORLDS = Path(__file__).parents[3] / "bot" / "lab" / "worlds"


@pytest.fixture
async def trio(http: aiohttp.ClientSession) -> AsyncIterator[tuple[Datacentre, Rpc]]:
    async with running("large:3x3", http, manual_clock=True) as (lab, rpc):
        yield lab, rpc


async def pass_time(lab: Datacentre, seconds: float) -> None:
    await lab.do({"do": "advance", "seconds": seconds})


async def test_only_a_disabled_host_goes_down_and_its_guests_with_it(trio: tuple[Datacentre, Rpc]) -> None:
    lab, rpc = trio
    host = await rpc.find("host", "host002")
    assert await rpc.fail("host.shutdown", host) == ["HOST_NOT_DISABLED"]
    assert await rpc.fail("host.power_on", host) == ["HOST_IS_LIVE", host]
    await rpc.call("host.disable", host)
    task = await rpc.call("Async.host.shutdown", host)
    await pass_time(lab, 1)
    # The mark stays on the host after the task has succeeded, and other calls wait for it.
    assert await rpc.call("task.get_status", task) == "success"
    assert await rpc.call("host.get_current_operations", host) == {task: "shutdown"}
    waiting = asyncio.create_task(rpc.fail("host.enable", host))
    await pass_time(lab, 1)
    assert not waiting.done()
    await pass_time(lab, 60)
    assert host_of(lab, "host002")["alive"] is False
    assert host_of(lab, "host002")["live"] is False
    assert await rpc.call("host.get_current_operations", host) == {}
    assert await rpc.fail("host.power_on", host) == ["HOST_POWER_ON_MODE_DISABLED"]
    await rpc.call("host.set_power_on_mode", host, "wake-on-lan", {})
    assert await rpc.call("host.get_allowed_operations", host) == ["power_on"]
    woken = await rpc.call("Async.host.power_on", host)
    await pass_time(lab, 300)
    assert await rpc.call("task.get_status", woken) == "success"
    assert (host_of(lab, "host002")["live"], host_of(lab, "host002")["enabled"]) == (True, True)
    [guest] = [one for one in lab.state()["guests"] if one["name"] == "vm00001"]
    assert guest["power_state"] == "Halted"
    waiting.cancel()


async def test_a_reboot_ends_with_the_host_enabled_again(trio: tuple[Datacentre, Rpc]) -> None:
    lab, rpc = trio
    host = await rpc.find("host", "host002")
    await rpc.call("host.disable", host)
    await rpc.call("host.reboot", host)
    await pass_time(lab, 30)
    assert host_of(lab, "host002")["alive"] is False
    await pass_time(lab, 200)
    assert (host_of(lab, "host002")["live"], host_of(lab, "host002")["enabled"]) == (True, True)


async def test_a_dead_host_is_forgotten_only_without_guests(trio: tuple[Datacentre, Rpc]) -> None:
    lab, rpc = trio
    host = await rpc.find("host", "host003")
    assert await rpc.fail("host.destroy", host) == ["HOST_IS_LIVE", host]
    assert await rpc.fail("host.declare_dead", host) == ["HOST_IS_LIVE", host]
    await lab.do({"do": "kill_host", "host": "host003"})
    assert await rpc.fail("host.destroy", host) == ["HOST_HAS_RESIDENT_VMS", host]
    assert await rpc.call("host.declare_dead", host) == ""
    assert host_of(lab, "host003")["live"] is False
    storage = [await rpc.call("PBD.get_SR", pbd) for pbd in await rpc.call("host.get_PBDs", host)]
    local = [one for one in storage if not await rpc.call("SR.get_shared", one)]
    token = (await rpc.call("event.from", ["host", "sr", "vm"], "", 0.0))["token"]
    assert await rpc.call("host.destroy", host) == ""
    gone = (await rpc.call("event.from", ["host", "sr"], token, 5.0))["events"]
    assert {event["ref"] for event in gone if event["operation"] == "del"} == {host, *local}
    assert "host003" not in {one["name"] for one in lab.state()["hosts"]}
    # Its machine comes back and finds that nobody knows it.
    await lab.do({"do": "start_host", "host": "host003"})
    await pass_time(lab, 10)
    body = {"jsonrpc": "2.0", "method": "session.login_with_password", "params": ["root", "x"], "id": 1}
    async with rpc.http.post(f"{lab.hosts['host003'].http}/jsonrpc", json=body) as response:
        assert (await response.json())["error"] == ["HOST_UNKNOWN_TO_MASTER", host]
    assert await rpc.call("pool.get_all")


async def test_the_coordinator_cannot_forget_itself(trio: tuple[Datacentre, Rpc]) -> None:
    _, rpc = trio
    host = await rpc.find("host", "host001")
    assert (await rpc.fail("host.destroy", host))[0] == "HOST_IS_LIVE"


async def test_a_host_that_was_heard_of_meanwhile_has_its_ten_minutes_anew(trio: tuple[Datacentre, Rpc]) -> None:
    lab, _ = trio
    await lab.do({"do": "kill_host", "host": "host002"})
    await pass_time(lab, 100)
    await lab.do({"do": "start_host", "host": "host002"})
    await pass_time(lab, 400)
    await lab.do({"do": "kill_host", "host": "host002"})
    await pass_time(lab, 500)
    assert host_of(lab, "host002")["live"] is True
    await pass_time(lab, 150)
    assert host_of(lab, "host002")["live"] is False


async def test_a_host_that_its_world_disables_stays_so_after_a_restart(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    world = tmp_path / "world.toml"
    text = (WORLDS / "article.toml").read_text(encoding="utf-8")
    assert 'name = "xenserver3"' in text
    world.write_text(text.replace('name = "xenserver3"', 'name = "xenserver3"\nenabled = false', 1), encoding="utf-8")
    async with running(str(world), http, manual_clock=True) as (lab, rpc):
        await lab.do({"do": "restart_toolstack", "host": "xenserver3"})
        await pass_time(lab, 30)
        assert host_of(lab, "xenserver3")["enabled"] is False
        await rpc.call("host.enable", await rpc.find("host", "xenserver3"))
        await lab.do({"do": "restart_toolstack", "host": "xenserver3"})
        await pass_time(lab, 30)
        assert host_of(lab, "xenserver3")["enabled"] is True


async def test_a_host_that_goes_down_is_not_enabled_even_when_its_mark_is_lost(http: aiohttp.ClientSession) -> None:
    async with running("large:3x3", http, manual_clock=True) as (lab, rpc):
        host = await rpc.find("host", "host003")
        await rpc.call("host.disable", host)
        await rpc.call("host.reboot", host)
        await lab.do({"do": "restart_toolstack", "host": "host001"})
        await lab.do({"do": "advance", "seconds": 5})
        await rpc.login()
        assert await rpc.call("host.get_current_operations", host) == {}
        assert await rpc.fail("host.enable", host) == ["HOST_DISABLED_UNTIL_REBOOT", host]
        await lab.do({"do": "advance", "seconds": 300})
        assert await rpc.call("host.get_enabled", host) is True
