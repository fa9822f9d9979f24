"""Tasks: how they are found again, ended, cancelled, collected."""

import asyncio
from typing import Any

import aiohttp
import pytest
from datacentre_client import Connect, Rpc, Until

from bot.lab.xapi import Datacentre

NULL = "OpaqueRef:NULL"
EPOCH = "19700101T00:00:00Z"


async def test_a_task_of_the_clients_own_is_pending_until_it_says_otherwise(rpc: Rpc) -> None:
    task = await rpc.call("task.create", "my task", "desc")
    record = await rpc.call("task.get_record", task)
    assert (record["name_label"], record["name_description"]) == ("my task", "desc")
    assert (record["status"], record["finished"], record["progress"]) == ("pending", EPOCH, 0.0)
    assert (record["type"], record["backtrace"]) == ("<none/>", "()")
    await rpc.call("task.cancel", task)
    record = await rpc.call("task.get_record", task)
    assert record["status"] == "pending"
    assert list(record["current_operations"].values()) == ["cancel"]
    await rpc.call("task.set_status", task, "success")
    assert (await rpc.call("task.get_record", task))["finished"] != EPOCH
    assert await rpc.fail("task.set_status", task, "done") == ["INTERNAL_ERROR", 'Failure("Unknown tag/contents")']


@pytest.mark.parametrize("header", ["subtask-of", "Subtask-Of", "SUBTASK-OF"])
async def test_the_header_makes_a_call_a_child_of_a_task(rpc: Rpc, header: str) -> None:
    parent = await rpc.call("task.create", "job", "")
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    child = await rpc.call("Async.VM.pool_migrate", guest, host, {}, headers={header: parent})
    assert await rpc.call("task.get_subtasks", parent) == [child]
    assert await rpc.call("task.get_subtask_of", child) == parent
    found = await rpc.call("task.get_all_records_where", f'field "subtask_of"="{parent}"')
    assert list(found) == [child]
    await rpc.finish(child)


async def test_the_header_works_over_xml_rpc_too(datacentre: Datacentre, http: aiohttp.ClientSession, rpc: Rpc) -> None:
    parent = await rpc.call("task.create", "job", "")
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    values = "".join(f"<param><value>{text}</value></param>" for text in (rpc.session, guest, host))
    body = (
        "<?xml version='1.0'?><methodCall><methodName>Async.VM.pool_migrate</methodName><params>"
        f"{values}<param><value><struct></struct></value></param></params></methodCall>"
    )
    async with http.post(f"{rpc.url}/", data=body.encode(), headers={"subtask-of": parent}) as got:
        assert "Success" in await got.text()
    [child] = await rpc.call("task.get_subtasks", parent)
    await rpc.finish(child)


async def test_a_parent_is_stored_as_given(rpc: Rpc) -> None:
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver1")
    child = await rpc.call("Async.VM.assert_can_boot_here", guest, host, headers={"subtask-of": "x y"})
    assert await rpc.call("task.get_subtask_of", child) == "x y"
    dummy = {"subtask-of": "DummyRef:|x|y"}
    child = await rpc.call("Async.VM.assert_can_boot_here", guest, host, headers=dummy)
    assert await rpc.call("task.get_subtask_of", child) == NULL


async def test_a_header_marks_the_task(rpc: Rpc) -> None:
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    marks = {"X-Http-Other-Config-Xenbot-Job": "J-1"}
    task = await rpc.call("Async.VM.pool_migrate", guest, host, {}, headers=marks)
    assert await rpc.call("task.get_other_config", task) == {"http:xenbot-job": "J-1"}
    await rpc.finish(task)


async def test_a_synchronous_call_is_a_task_while_it_runs(datacentre: Datacentre, rpc: Rpc, until: Until) -> None:
    await datacentre.do({"do": "hold_tasks"})
    guest = await rpc.find("VM", "centos54")
    held = asyncio.create_task(rpc.call("VM.hard_shutdown", guest))
    await until(lambda: [task["name"] for task in datacentre.state()["tasks"]] == ["VM.hard_shutdown"])
    await datacentre.do({"do": "release_tasks"})
    assert await held == ""
    assert datacentre.state()["tasks"] == []


async def test_results_are_xml_values(rpc: Rpc) -> None:
    async def result(*call: Any) -> str:
        return (await rpc.finish(await rpc.call(*call)))["result"]

    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    assert await result("Async.VM.assert_can_boot_here", guest, host) == "<value></value>"
    assert await result("Async.VM.compute_memory_overhead", guest) == f"<value>{8 * 1024**2}</value>"
    possible = await rpc.call("VM.get_possible_hosts", guest)
    values = "".join(f"<value>{ref}</value>" for ref in possible)
    assert await result("Async.VM.get_possible_hosts", guest) == f"<value><array><data>{values}</data></array></value>"


async def test_destroying_a_pending_task_only_records_the_wish(datacentre: Datacentre, rpc: Rpc, until: Until) -> None:
    await datacentre.do({"do": "pause_tasks", "at": 0.4})
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    task = await rpc.call("Async.VM.pool_migrate", guest, host, {})
    assert await rpc.call("task.destroy", task) == ""
    assert (await rpc.call("task.get_record", task))["status"] == "pending"
    await datacentre.do({"do": "release_tasks"})
    await until(lambda: datacentre.state()["tasks"] == [])
    assert await rpc.fail("task.get_record", task) == ["HANDLE_INVALID", "task", task]
    assert await rpc.call("VM.get_resident_on", guest) == host


async def test_finished_tasks_go_after_65_minutes(datacentre: Datacentre, rpc: Rpc, until: Until) -> None:
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    task = await rpc.call("Async.VM.assert_can_boot_here", guest, host)
    await rpc.finish(task)
    pending = await rpc.call("task.create", "pending", "")
    await datacentre.do({"do": "set_speed", "speed": 10_000})
    await until(lambda: [one["name"] for one in datacentre.state()["tasks"]] == ["pending"])
    assert (await rpc.call("task.get_record", pending))["status"] == "pending"


async def test_many_tasks_shorten_their_lives(datacentre: Datacentre, rpc: Rpc, until: Until) -> None:
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    for _ in range(205):
        await rpc.call("Async.VM.assert_can_boot_here", guest, host)
    await datacentre.do({"do": "set_speed", "speed": 1_000})
    await until(lambda: len(datacentre.state()["tasks"]) == 200)


async def test_a_reader_may_look_but_its_change_fails_in_the_task(connect: Connect) -> None:
    client = await connect("xenserver1").login("read-only")
    guest, host = await client.find("VM", "centos54"), await client.find("host", "xenserver3")
    expected = [
        "RBAC_PERMISSION_DENIED",
        "vm.pool_migrate",
        (
            "No permission in user session. "
            "(Roles with this permission: vm-power-admin, client-cert, pool-admin, pool-operator)"
        ),
    ]
    assert await client.fail("VM.pool_migrate", guest, host, {}) == expected
    ended = await client.finish(await client.call("Async.VM.pool_migrate", guest, host, {}))
    assert ended["error_info"] == expected
    assert (await client.fail("VM.set_name_label", guest, "x"))[0] == "RBAC_PERMISSION_DENIED"
    task = await client.call("task.create", "own", "")
    assert await client.call("task.destroy", task) == ""
