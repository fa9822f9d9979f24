"""Joining a pool and being ejected from one: what refuses, what moves, what a late failure leaves."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from datacentre_client import PASSWORD, Rpc, RpcError, host_of, running

import bot.lab
from bot.lab.xapi import Datacentre

COORDINATOR = ("127.0.1.1", "root", PASSWORD)
NULL = "OpaqueRef:NULL"


@pytest.fixture
async def article(http: aiohttp.ClientSession) -> AsyncIterator[tuple[Datacentre, Rpc]]:
    """The article's world under a clock of the test; the client is logged in at the pool's coordinator."""
    async with running("article", http, manual_clock=True) as (lab, rpc):
        lab.login_delay_s = 0.0
        yield lab, rpc


async def at(lab: Datacentre, rpc: Rpc, name: str) -> Rpc:
    return await Rpc(rpc.http, lab.hosts[name].http).login()


async def pass_time(lab: Datacentre, seconds: float) -> None:
    await lab.do({"do": "advance", "seconds": seconds})


async def test_a_fit_host_joins_with_its_storage(article: tuple[Datacentre, Rpc]) -> None:
    lab, rpc = article
    newcomer = await at(lab, rpc, "xenserver4")
    uuid = host_of(lab, "xenserver4")["uuid"]
    local = {record["uuid"] for record in (await newcomer.call("SR.get_all_records")).values()}
    task = await newcomer.call("Async.pool.join", *COORDINATOR)
    await pass_time(lab, 2)
    half = await rpc.call("host.get_by_uuid", uuid)
    record = await rpc.call("host.get_record", half)
    assert (record["address"], record["enabled"], record["cpu_info"]) == ("", False, {})
    assert await newcomer.call("task.get_status", task) == "pending"
    # Whoever follows the lab waits for a greater number: a pool that is no more must not take its share away.
    numbers = [lab.revision()]
    await pass_time(lab, 6.2)
    assert await newcomer.call("task.get_status", task) == "success"
    numbers.append(lab.revision())
    await pass_time(lab, 10)
    numbers.append(lab.revision())
    assert sorted(set(numbers)) == numbers
    with pytest.raises(RpcError) as caught:
        await newcomer.raw("session.login_with_password", "root", PASSWORD)
    assert caught.value.args == ("HOST_IS_SLAVE", "127.0.1.1")
    host = await rpc.call("host.get_by_uuid", uuid)
    record = await rpc.call("host.get_record", host)
    assert (record["address"], record["enabled"], record["name_label"]) == ("127.0.1.4", True, "xenserver4")
    assert local <= {one["uuid"] for one in (await rpc.call("SR.get_all_records")).values()}
    shared = await rpc.find("SR", "nfs-vhd")
    plugged = [await rpc.call("PBD.get_SR", pbd) for pbd in record["PBDs"]]
    assert shared in plugged
    assert await rpc.call("VM.get_resident_on", record["control_domain"]) == host
    assert "xenserver4" not in [pool["name"] for pool in lab.state()["pools"]]
    # It is as good as the others: guests move there, and its power can be cut.
    assert await rpc.call("VM.assert_can_boot_here", await rpc.find("VM", "centos54"), host) == ""
    guest = await rpc.find("VM", "centos54")
    moving = await rpc.call("Async.VM.pool_migrate", guest, host, {})
    await pass_time(lab, 60)
    assert await rpc.call("task.get_status", moving) == "success"
    [pool] = (await rpc.call("pool.get_all_records")).values()
    assert pool["cpu_info"]["cpu_count"] == "96"
    await lab.do({"do": "kill_host", "host": "xenserver4"})
    assert await rpc.fail("host.get_servertime", host) == ["CANNOT_CONTACT_HOST", host]


async def test_a_late_failure_leaves_a_half_joined_host(article: tuple[Datacentre, Rpc]) -> None:
    lab, rpc = article
    newcomer = await at(lab, rpc, "xenserver4")
    fault = {"method": "pool.join", "action": "fail", "when": "during", "error": ["REPOSITORY_CLEANUP_FAILED"]}
    await lab.do({"do": "arm", "fault": fault})
    joining = asyncio.create_task(newcomer.fail("pool.join", *COORDINATOR))
    while not joining.done():
        await pass_time(lab, 5)
    assert joining.result() == ["REPOSITORY_CLEANUP_FAILED"]
    half = await rpc.find("host", "xenserver4")
    assert await rpc.call("host.get_address", half) == ""
    assert await rpc.call("host.destroy", half) == ""
    assert await newcomer.call("VM.get_all")  # it is still a pool of its own
    joining = asyncio.create_task(newcomer.call("pool.join", *COORDINATOR))
    await pass_time(lab, 0.5)
    while not joining.done():
        await pass_time(lab, 5)
    assert joining.result() == ""


async def test_what_does_not_fit_is_refused(article: tuple[Datacentre, Rpc]) -> None:
    lab, rpc = article
    amd, newer = await at(lab, rpc, "xenserver2"), await at(lab, rpc, "xenserver-fp1")
    assert await amd.fail("pool.join", *COORDINATOR) == ["JOINING_HOST_CANNOT_HAVE_RUNNING_VMS"]
    for guest in ("test1", "test2"):
        await lab.do({"do": "stop_guest", "guest": guest})
    assert await amd.fail("pool.join", *COORDINATOR) == ["HOSTS_NOT_HOMOGENEOUS", "CPUs differ"]
    assert await newer.fail("pool.join", *COORDINATOR) == ["HOSTS_NOT_COMPATIBLE"]
    assert await newer.fail("pool.join_force", *COORDINATOR) == ["HOSTS_NOT_COMPATIBLE"]
    assert await rpc.fail("pool.join", "127.0.1.4", "root", PASSWORD) == [
        "JOINING_HOST_CANNOT_BE_MASTER_OF_OTHER_HOSTS"
    ]
    assert await rpc.fail("pool.join", *COORDINATOR) == ["OPERATION_NOT_ALLOWED", "Host is already part of a pool"]
    assert await amd.fail("pool.join", "127.0.1.2", "root", PASSWORD) == [
        "OPERATION_NOT_ALLOWED",
        "Host cannot become slave of itself",
    ]


async def test_the_way_to_the_coordinator_is_tried_first(article: tuple[Datacentre, Rpc]) -> None:
    lab, rpc = article
    newcomer = await at(lab, rpc, "xenserver4")
    assert await newcomer.fail("pool.join", "127.0.1.99", "root", PASSWORD) == [
        "INTERNAL_ERROR",
        "Connection failed: connection refused.",
    ]
    assert await newcomer.fail("pool.join", "127.0.1.3", "root", PASSWORD) == ["HOST_IS_SLAVE", "127.0.1.1"]
    assert await newcomer.fail("pool.join", "127.0.1.1", "root", "wrong") == [
        "SESSION_AUTHENTICATION_FAILED",
        "root",
        "Authentication failure",
    ]
    shown = [entry for entry in lab.journal.entries() if entry.get("method") == "pool.join"]
    assert shown
    assert all(PASSWORD not in entry["params"] and "wrong" not in entry["params"] for entry in shown)


@pytest.mark.parametrize(
    ("class_name", "field", "value", "expected"),
    [
        ("pool", "ha_enabled", True, ["HA_IS_ENABLED"]),
        ("host", "pending_guidances", ["reboot_host"], ["HOST_PENDING_MANDATORY_GUIDANCE_NOT_EMPTY"]),
        (
            "host",
            "edition",
            "express",
            ["LICENSE_HOST_POOL_MISMATCH", 'host edition = "express"', 'pool edition = "standard"'],
        ),
        ("host", "edition", "free", ["LICENSE_HOST_POOL_MISMATCH", 'Edition "free" from pool is not known to v6d.']),
        ("host", "external_auth_type", "AD", ["POOL_JOINING_EXTERNAL_AUTH_MISMATCH"]),
        ("pool", "tls_verification_enabled", False, ["POOL_JOINING_HOST_TLS_VERIFICATION_MISMATCH"]),
        ("SR", "shared", True, ["JOINING_HOST_CANNOT_CONTAIN_SHARED_SRS"]),
        ("PIF", "VLAN", 7, ["POOL_JOINING_HOST_MANAGEMENT_VLAN_DOES_NOT_MATCH", "7", "-1"]),
        ("PIF", "management", False, ["HOST_STILL_BOOTING"]),
    ],
)
async def test_each_difference_has_its_refusal(
    article: tuple[Datacentre, Rpc], class_name: str, field: str, value: object, expected: list[str]
) -> None:
    lab, rpc = article
    newcomer = await at(lab, rpc, "xenserver4")
    uuid = (await newcomer.call(f"{class_name}.get_all_records")).popitem()[1]["uuid"]
    await lab.do({"do": "set", "class": class_name, "uuid": uuid, "field": field, "value": value})
    assert (await newcomer.fail("pool.join", *COORDINATOR))[: len(expected)] == expected
    assert len(await rpc.call("host.get_all")) == 2


async def test_the_licence_daemon_is_asked_only_where_licences_have_other_names(
    article: tuple[Datacentre, Rpc],
) -> None:
    lab, rpc = article
    newcomer = await at(lab, rpc, "xenserver4")
    uuid = host_of(lab, "xenserver4")["uuid"]
    await lab.do({"do": "set", "class": "host", "uuid": uuid, "field": "edition", "value": "express"})
    await lab.do({"do": "licence_daemon", "host": "xenserver4"})
    assert host_of(lab, "xenserver4")["licensing"] is False
    refusal = ["V6D_FAILURE", "The pool uses v6d. Pool edition list = [standard; standard]"]
    assert await newcomer.fail("pool.join", *COORDINATOR) == refusal
    await lab.do({"do": "licence_daemon", "host": "xenserver4", "daemon": "running"})
    assert (await newcomer.fail("pool.join", *COORDINATOR))[0] == "LICENSE_HOST_POOL_MISMATCH"
    # Alike they need no daemon, and what XAPI looks at after the licences is told next.
    await lab.do({"do": "licence_daemon", "host": "xenserver4"})
    await lab.do({"do": "set", "class": "host", "uuid": uuid, "field": "edition", "value": "standard"})
    await lab.do({"do": "certificate_file", "host": "xenserver4", "file": "own"})
    assert await newcomer.fail("pool.join", *COORDINATOR) == ["CERTIFICATE_LIBRARY_CORRUPT"]


async def test_an_ejected_host_is_a_fresh_pool_of_its_own(http: aiohttp.ClientSession) -> None:
    async with running("large:3x3", http, manual_clock=True) as (lab, rpc):
        host = await rpc.find("host", "host003")
        coordinator = await rpc.find("host", "host001")
        assert (await rpc.fail("pool.eject", coordinator))[0] == "INTERNAL_ERROR"
        assert await rpc.fail("pool.eject", host) == ["OPERATION_NOT_ALLOWED", "VM resident on host"]
        [guest] = [one for one in lab.state()["guests"] if one["host"] == host_of(lab, "host003")["uuid"]]
        await lab.do({"do": "stop_guest", "guest": guest["uuid"]})
        before = await rpc.call("SR.get_all")
        assert await rpc.call("pool.eject", host) == ""
        await pass_time(lab, 2)
        assert await rpc.fail("host.get_record", host) == ["HANDLE_INVALID", "host", host]
        assert len(before) - len(await rpc.call("SR.get_all")) == 1
        assert host_of(lab, "host003")["alive"] is False
        await pass_time(lab, 200)
        alone = await at(lab, rpc, "host003")
        [record] = (await alone.call("host.get_all_records")).values()
        assert (record["name_label"], record["enabled"]) == ("host003", True)
        [pool] = (await alone.call("pool.get_all_records")).values()
        assert pool["name_label"] == ""
        [storage] = (await alone.call("SR.get_all_records")).values()
        assert (storage["shared"], storage["VDIs"]) == (False, [])
        assert len(await alone.call("VM.get_all")) == 1  # its control domain
        assert await rpc.call("VM.get_power_state", await rpc.find("VM", guest["name"])) == "Halted"
        # And it can come back.
        joining = asyncio.create_task(alone.call("pool.join", *COORDINATOR))
        await pass_time(lab, 0.5)
        while not joining.done():
            await pass_time(lab, 5)
        assert joining.result() == ""
        await pass_time(lab, 10)
        assert await rpc.call("host.get_enabled", await rpc.find("host", "host003")) is True


async def test_an_ejected_host_leaves_its_bond_and_is_reached_over_the_first_card(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    world = tmp_path / "bonded.toml"
    article = (Path(bot.lab.__file__).parent / "worlds" / "article.toml").read_text(encoding="utf-8")
    world.write_text(article.replace('pool = "experiment"\ncpu', 'bonded = true\npool = "experiment"\ncpu'))
    async with running(str(world), http, manual_clock=True) as (lab, rpc):
        host = await rpc.find("host", "xenserver3")
        for guest in [one for one in lab.state()["guests"] if one["host"] == host_of(lab, "xenserver3")["uuid"]]:
            await lab.do({"do": "stop_guest", "guest": guest["uuid"]})
        assert len(await rpc.call("Bond.get_all")) == 2
        assert await rpc.call("pool.eject", host) == ""
        await pass_time(lab, 200)
        [left] = (await rpc.call("Bond.get_all_records")).values()
        assert await rpc.call("PIF.get_host", left["master"]) == await rpc.find("host", "xenserver1")
        alone = await at(lab, rpc, "xenserver3")
        assert await alone.call("Bond.get_all") == []
        cards = {one["device"]: one for one in (await alone.call("PIF.get_all_records")).values()}
        assert {name: (one["management"], one["IP"]) for name, one in cards.items()} == {
            "eth0": (True, "127.0.1.3"),
            "eth1": (False, ""),
        }
