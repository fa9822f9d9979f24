"""Who coordinates a pool: handing the role over, seizing it, emergency mode, telling members."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from datacentre_client import DEADLINE_S, PASSWORD, Rpc, RpcError, host_of, running

from bot.lab.xapi import Datacentre

LOCAL_LOGIN = "session.slave_local_login_with_password"


@pytest.fixture
async def trio(http: aiohttp.ClientSession) -> AsyncIterator[tuple[Datacentre, Rpc]]:
    """Three hosts of one pool under a clock that the test owns; the client is logged in at the coordinator."""
    async with running("large:3x3", http, manual_clock=True) as (lab, rpc):
        lab.login_delay_s = 0.0
        yield lab, rpc


def at(lab: Datacentre, rpc: Rpc, name: str) -> Rpc:
    return Rpc(rpc.http, lab.hosts[name].http)


async def pass_time(lab: Datacentre, seconds: float) -> None:
    await lab.do({"do": "advance", "seconds": seconds})


async def refused(client: Rpc) -> list[str]:
    """Returns how a host refuses a login."""
    with pytest.raises(RpcError) as caught:
        await client.raw("session.login_with_password", "root", PASSWORD)
    return list(caught.value.args)


async def emergency(client: Rpc, method: str = "session.login_with_password") -> dict[str, Any]:
    """Returns the whole answer of a host in emergency mode over JSON-RPC 2.0."""
    body = {"jsonrpc": "2.0", "method": method, "params": ["root", PASSWORD], "id": 17}
    async with client.http.post(f"{client.url}/jsonrpc", json=body) as response:
        answer: dict[str, Any] = await response.json()
        return answer


async def test_the_role_is_handed_over_and_every_session_and_task_dies(trio: tuple[Datacentre, Rpc]) -> None:
    lab, rpc = trio
    await rpc.call("task.create", "lost", "")
    assert await rpc.call("pool.designate_new_master", await rpc.find("host", "host002")) == ""
    await pass_time(lab, 10)
    for name in ("host001", "host003"):
        assert await refused(at(lab, rpc, name)) == ["HOST_IS_SLAVE", "127.0.1.2"]
    assert host_of(lab, "host002")["coordinator"] is True
    client = at(lab, rpc, "host002")
    client.session = rpc.session
    assert await client.fail("VM.get_all") == ["SESSION_INVALID", rpc.session]
    await client.login()
    assert await client.call("task.get_all") == []
    master = (await client.call("pool.get_all_records")).popitem()[1]["master"]
    assert await client.call("host.get_name_label", master) == "host002"


async def test_handing_over_needs_every_member(trio: tuple[Datacentre, Rpc]) -> None:
    lab, rpc = trio
    target, dead = await rpc.find("host", "host002"), await rpc.find("host", "host003")
    assert await rpc.call("pool.designate_new_master", await rpc.find("host", "host001")) == ""  # it is already
    await lab.do({"do": "kill_host", "host": "host003"})
    assert await rpc.fail("pool.designate_new_master", target) == ["CANNOT_CONTACT_HOST", dead]
    await pass_time(lab, 700)
    assert await rpc.fail("pool.designate_new_master", target) == ["HOST_OFFLINE", dead]
    pool = lab.state()["pools"][0]["uuid"]
    await lab.do({"do": "set", "class": "pool", "uuid": pool, "field": "ha_enabled", "value": True})
    assert await rpc.fail("pool.designate_new_master", target) == ["HA_IS_ENABLED"]


async def test_a_member_without_its_coordinator_falls_into_emergency_mode(trio: tuple[Datacentre, Rpc]) -> None:
    lab, rpc = trio
    member = at(lab, rpc, "host002")
    await lab.do({"do": "kill_host", "host": "host001"})
    assert await refused(member) == ["HOST_IS_SLAVE", "127.0.1.1"]  # it has not noticed yet
    await pass_time(lab, 400)
    # The wrong shape is a real server's: a bare list for an error, and an id that is nobody's.
    assert await emergency(member) == {"jsonrpc": "2.0", "error": ["HOST_STILL_BOOTING"], "id": 0}
    assert await emergency(member, "VM.get_all") == {"jsonrpc": "2.0", "error": ["HOST_STILL_BOOTING"], "id": 0}
    assert host_of(lab, "host002")["emergency"] == ["HOST_STILL_BOOTING"]
    body = (
        "<methodCall><methodName>pool.get_all</methodName><params><param><value>x</value></param></params></methodCall>"
    )
    async with member.http.post(f"{member.url}/", data=body) as response:
        assert "<value>HOST_STILL_BOOTING</value>" in await response.text()
    await lab.do({"do": "start_host", "host": "host001"})
    await pass_time(lab, 400)
    assert await refused(member) == ["HOST_IS_SLAVE", "127.0.1.1"]
    await at(lab, rpc, "host001").login()


async def test_a_member_in_emergency_mode_is_made_coordinator_and_tells_the_others(
    trio: tuple[Datacentre, Rpc],
) -> None:
    lab, rpc = trio
    await lab.do({"do": "kill_host", "host": "host001"})
    await pass_time(lab, 400)
    member = at(lab, rpc, "host003")
    with pytest.raises(RpcError) as caught:
        await member.raw(LOCAL_LOGIN, "root", "wrong")
    assert caught.value.args == ("SESSION_AUTHENTICATION_FAILED", "root", "Authentication failure")
    member.session = await member.raw(LOCAL_LOGIN, "root", PASSWORD)
    assert await member.call("pool.emergency_transition_to_master") == ""
    await pass_time(lab, 10)
    await member.login()
    assert await emergency(at(lab, rpc, "host002")) == {"jsonrpc": "2.0", "error": ["HOST_STILL_BOOTING"], "id": 0}
    recovered = await member.call("pool.recover_slaves")
    assert recovered == [await member.find("host", "host002")]
    await pass_time(lab, 10)
    assert await refused(at(lab, rpc, "host002")) == ["HOST_IS_SLAVE", "127.0.1.3"]
    # The old one comes back and believes what it knew; it serves nobody until it is told.
    await lab.do({"do": "start_host", "host": "host001"})
    await pass_time(lab, 10)
    old = at(lab, rpc, "host001")
    assert (await emergency(old))["error"] == ["HOST_STILL_BOOTING"]
    old.session = await old.raw(LOCAL_LOGIN, "root", PASSWORD)
    assert await old.call("pool.emergency_reset_master", "127.0.1.3") == ""
    await pass_time(lab, 10)
    assert await refused(old) == ["HOST_IS_SLAVE", "127.0.1.3"]


async def test_a_local_session_is_good_for_local_calls_only(trio: tuple[Datacentre, Rpc]) -> None:
    lab, rpc = trio
    member = at(lab, rpc, "host002")
    member.session = await member.raw(LOCAL_LOGIN, "root", PASSWORD)
    assert await member.fail("VM.get_all") == ["HOST_IS_SLAVE", "127.0.1.1"]
    rpc.session, mine = member.session, rpc.session
    assert await rpc.fail("VM.get_all") == ["SESSION_INVALID", member.session]
    rpc.session = mine
    assert await member.call("session.local_logout") == ""
    assert await member.fail("session.local_logout") == ["SESSION_INVALID", member.session]


async def test_a_wrong_address_makes_a_member_look_for_ever(trio: tuple[Datacentre, Rpc]) -> None:
    lab, rpc = trio
    member = at(lab, rpc, "host002")
    for address, reason in (("127.0.1.99", "HOST_STILL_BOOTING"), ("127.0.1.2", "HOST_ITS_OWN_SLAVE")):
        member.session = await member.raw(LOCAL_LOGIN, "root", PASSWORD)
        await member.call("pool.emergency_reset_master", address)
        await pass_time(lab, 500)
        assert (await emergency(member))["error"] == [reason]


async def test_a_member_without_a_management_address_says_so_after_its_restart(trio: tuple[Datacentre, Rpc]) -> None:
    lab, rpc = trio
    [interface] = await rpc.call("host.get_PIFs", await rpc.find("host", "host002"))
    uuid = await rpc.call("PIF.get_uuid", interface)
    await lab.do({"do": "set", "class": "PIF", "uuid": uuid, "field": "IP", "value": ""})
    await lab.do({"do": "restart_toolstack", "host": "host002"})
    await pass_time(lab, 10)
    member = at(lab, rpc, "host002")
    assert await emergency(member) == {"jsonrpc": "2.0", "error": ["HOST_HAS_NO_MANAGEMENT_IP"], "id": 0}
    await lab.do({"do": "set", "class": "PIF", "uuid": uuid, "field": "IP", "value": "127.0.1.2"})
    await pass_time(lab, 200)
    assert await refused(member) == ["HOST_IS_SLAVE", "127.0.1.1"]


async def test_a_members_restart_destroys_its_tasks_but_not_the_migration(trio: tuple[Datacentre, Rpc]) -> None:
    lab, rpc = trio
    guest = next(one for one in lab.state()["guests"] if one["host"] == host_of(lab, "host002")["uuid"])
    vm = await rpc.call("VM.get_by_uuid", guest["uuid"])
    task = await rpc.call("Async.VM.pool_migrate", vm, await rpc.find("host", "host003"), {})
    await pass_time(lab, 2)
    assert await rpc.call("VM.get_current_operations", vm) == {task: "pool_migrate"}
    await lab.do({"do": "restart_toolstack", "host": "host002"})
    assert await rpc.fail("task.get_record", task) == ["HANDLE_INVALID", "task", task]
    assert await rpc.call("VM.get_current_operations", vm) == {}
    await pass_time(lab, 60)
    assert await rpc.call("VM.get_resident_on", vm) == await rpc.find("host", "host003")
    assert await rpc.call("pool.get_all")  # the session at the coordinator lives


async def test_restart_agent_answers_before_it_restarts(trio: tuple[Datacentre, Rpc]) -> None:
    lab, rpc = trio
    assert await rpc.call("host.restart_agent", await rpc.find("host", "host001")) == ""
    await pass_time(lab, 10)
    assert await rpc.fail("VM.get_all") == ["SESSION_INVALID", rpc.session]


async def test_a_host_that_is_cut_off_answers_nothing_and_refuses_nothing(trio: tuple[Datacentre, Rpc]) -> None:
    lab, rpc = trio
    host = await rpc.find("host", "host002")
    old = at(lab, rpc, "host002")
    assert (await refused(old))[0] == "HOST_IS_SLAVE"  # the connection is kept
    await lab.do({"do": "cut_network", "host": "host002"})
    kept = asyncio.create_task(emergency(old))
    patience = aiohttp.ClientTimeout(total=0.5)
    async with aiohttp.ClientSession(timeout=patience) as fresh:
        with pytest.raises(TimeoutError):
            await Rpc(fresh, lab.hosts["host002"].http).raw("session.login_with_password", "root", PASSWORD)
    assert not kept.done()
    asking = asyncio.create_task(rpc.fail("host.get_servertime", host))
    await until_task(lab, "host.get_servertime")
    await pass_time(lab, 120)
    assert not asking.done()
    await pass_time(lab, 10)
    assert await asyncio.wait_for(asking, DEADLINE_S) == ["CANNOT_CONTACT_HOST", host]
    assert host_of(lab, "host002")["live"] is True
    await pass_time(lab, 600)
    assert host_of(lab, "host002")["live"] is False
    assert await rpc.fail("host.get_servertime", host) == ["HOST_OFFLINE", host]
    guests = [one for one in lab.state()["guests"] if one["host"] == host_of(lab, "host002")["uuid"]]
    assert [one["power_state"] for one in guests] == ["Running"]
    await lab.do({"do": "restore_network", "host": "host002"})
    # The question arrives at last; the member had given its coordinator up meanwhile.
    assert (await asyncio.wait_for(kept, DEADLINE_S))["error"] == ["HOST_STILL_BOOTING"]
    await pass_time(lab, 200)
    assert host_of(lab, "host002")["live"] is True
    assert await rpc.call("host.get_servertime", host)


async def until_task(lab: Datacentre, name: str) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while name not in [task["name"] for task in lab.state()["tasks"]]:
            await lab.changed(lab.revision())


async def test_a_cut_ends_the_migrations_of_a_host_after_a_while(trio: tuple[Datacentre, Rpc]) -> None:
    lab, rpc = trio
    guest = next(one for one in lab.state()["guests"] if one["host"] == host_of(lab, "host003")["uuid"])
    vm = await rpc.call("VM.get_by_uuid", guest["uuid"])
    await lab.do({"do": "pause_tasks", "at": 0.4})
    task = await rpc.call("Async.VM.pool_migrate", vm, await rpc.find("host", "host002"), {})
    await pass_time(lab, 20)
    await lab.do({"do": "cut_network", "host": "host002"})
    await pass_time(lab, 30)
    assert await rpc.call("task.get_status", task) == "pending"
    await pass_time(lab, 40)
    assert await rpc.call("task.get_status", task) == "failure"
    assert await rpc.call("VM.get_power_state", vm) == "Running"


async def test_the_secret_is_rotated_only_with_everybody_there(datacentre: Datacentre, rpc: Rpc) -> None:
    [pool] = await rpc.call("pool.get_all")
    assert await rpc.call("pool.rotate_secret") == ""
    await rpc.call("pool.add_to_other_config", pool, "rolling_upgrade_in_progress", "true")
    assert await rpc.fail("pool.rotate_secret") == ["NOT_SUPPORTED_DURING_UPGRADE"]
    await rpc.call("pool.remove_from_other_config", pool, "rolling_upgrade_in_progress")
    await datacentre.do({"do": "kill_host", "host": "xenserver3"})
    host = await rpc.find("host", "xenserver3")
    assert await rpc.fail("pool.rotate_secret") == ["CANNOT_CONTACT_HOST", host]
    assert await rpc.fail("pool.sync_database") == ["CANNOT_CONTACT_HOST", host]


@pytest.mark.parametrize("method", ["VM.clean_shutdown", "VM.suspend", "VM.pool_migrate", "VM.snapshot"])
async def test_a_call_on_a_guest_of_a_host_that_is_cut_off_hangs_before_it_fails(
    http: aiohttp.ClientSession, method: str
) -> None:
    async with running("large:2x4", http, manual_clock=True) as (lab, rpc):
        host = await rpc.find("host", "host002")
        guest = next(
            ref
            for ref, record in (await rpc.call("VM.get_all_records")).items()
            if record["resident_on"] == host and not record["is_control_domain"]
        )
        await lab.do({"do": "cut_network", "host": "host002"})
        more: dict[str, list[Any]] = {
            "VM.pool_migrate": [await rpc.find("host", "host001"), {}],
            "VM.snapshot": ["before"],
        }
        task = await rpc.call(f"Async.{method}", guest, *more.get(method, []))
        await pass_time(lab, 120)
        assert await rpc.call("task.get_status", task) == "pending"
        assert (await rpc.call("VM.get_current_operations", guest)) == {task: method.removeprefix("VM.")}
        await pass_time(lab, 10)
        assert (await rpc.finish(task))["error_info"] == ["CANNOT_CONTACT_HOST", host]
        assert (await rpc.call("VM.get_current_operations", guest)) == {}
        assert await rpc.call("VM.get_power_state", guest) == "Running"
