"""Tasks: how they are found again, ended, cancelled, collected."""

import asyncio
from typing import Any

import aiohttp
import pytest
from datacentre_client import Connect, Rpc, Until

from bot.lab.xapi import Datacentre
from bot.lab.xapi.rules import power

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


async def test_destroying_a_pending_task_only_records_the_wish(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "stop_clock"})
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    task = await rpc.call("Async.VM.pool_migrate", guest, host, {})
    assert await rpc.call("task.destroy", task) == ""
    record = await rpc.call("task.get_record", task)
    assert (record["status"], record["current_operations"]) == ("pending", {"task": "destroy"})
    while await rpc.call("task.get_status", task) == "pending":
        await datacentre.do({"do": "advance", "seconds": 1})
    await datacentre.do({"do": "advance", "seconds": 30})
    assert await rpc.fail("task.get_record", task) == ["HANDLE_INVALID", "task", task]
    assert await rpc.call("VM.get_resident_on", guest) == host


async def test_finished_tasks_go_after_65_minutes(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "stop_clock"})
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    task = await rpc.call("Async.VM.assert_can_boot_here", guest, host)
    await rpc.finish(task)
    pending = await rpc.call("task.create", "pending", "")
    await datacentre.do({"do": "advance", "seconds": 64 * 60})
    assert await rpc.call("task.get_status", task) == "success"
    await datacentre.do({"do": "advance", "seconds": 2 * 60})
    assert await rpc.fail("task.get_status", task) == ["HANDLE_INVALID", "task", task]
    assert await rpc.call("task.get_status", pending) == "pending"


async def test_a_pending_task_goes_after_a_day_without_progress(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "stop_clock"})
    stuck, moving = [await rpc.call("task.create", name, "") for name in ("stuck", "moving")]
    await datacentre.do({"do": "advance", "seconds": 24 * 3600 - 60})
    assert await rpc.call("task.get_status", stuck) == "pending"
    for progress in (0.1, 0.2, 0.3, 0.4):
        await rpc.call("task.set_progress", moving, progress)
        await datacentre.do({"do": "advance", "seconds": 30})
    assert await rpc.fail("task.get_status", stuck) == ["HANDLE_INVALID", "task", stuck]
    assert await rpc.call("task.get_status", moving) == "pending"
    await datacentre.do({"do": "advance", "seconds": 60})
    assert await rpc.fail("task.get_status", moving) == ["HANDLE_INVALID", "task", moving]


async def test_many_tasks_shorten_their_lives(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "stop_clock"})
    first = await rpc.call("task.create", "first", "")
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    made = [await rpc.call("Async.VM.assert_can_boot_here", guest, host) for _ in range(205)]
    await datacentre.do({"do": "advance", "seconds": 31})
    left = await rpc.call("task.get_all")
    assert len(left) == 200
    assert first in left  # pending
    assert not set(made[:6]) & set(left)


async def test_a_call_can_run_as_a_task_that_it_never_completes(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "stop_clock"})
    mine = await rpc.call("task.create", "mine", "")
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    assert await rpc.call("Async.VM.pool_migrate", guest, host, {}, headers={"Task-Id": mine}) == mine
    await datacentre.do({"do": "advance", "seconds": 60})
    assert await rpc.call("VM.get_resident_on", guest) == host
    assert await rpc.call("task.get_status", mine) == "pending"
    assert await rpc.call("task.get_all") == [mine]


async def test_a_task_belongs_to_the_user_who_made_it(connect: Connect) -> None:
    owner, other = [await connect("xenserver1").login(role) for role in ("vm-admin", "vm-operator")]
    again, boss = [await connect("xenserver1").login(role) for role in ("vm-admin", "pool-operator")]
    task = await owner.call("task.create", "mine", "")
    listed = "No permission in user session. (Roles with this permission: pool-admin, pool-operator)"
    for method, more in (("set_status", ["success"]), ("set_progress", [0.5]), ("set_result", ["x"]), ("destroy", [])):
        assert await other.fail(f"task.{method}", task, *more) == ["RBAC_PERMISSION_DENIED", "task.destroy/any", listed]
    assert await other.fail("task.cancel", task) == ["RBAC_PERMISSION_DENIED", "task.cancel/any", listed]
    assert await again.call("task.set_progress", task, 0.5) == ""  # another session of the same user
    assert await boss.call("task.cancel", task) == ""
    assert await owner.call("task.set_status", task, "success") == ""
    assert await owner.call("task.set_status", task, "failure") == ""  # also after a final one
    assert await boss.call("task.destroy", task) == ""


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


async def test_a_mistake_of_the_lab_itself_ends_the_task_and_is_reported(
    rpc: Rpc, failures: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stumble(*_arguments: object, **_options: object) -> None:
        raise KeyError("no such thing")

    monkeypatch.setattr(power, "work", stumble)
    guest = await rpc.find("VM", "centos54")
    record = await rpc.finish(await rpc.call("Async.VM.hard_shutdown", guest))
    assert (record["status"], record["error_info"]) == ("failure", ["INTERNAL_ERROR", "KeyError('no such thing')"])
    assert (await rpc.call("VM.get_current_operations", guest)) == {}
    assert [repr(error) for error in failures] == ["KeyError('no such thing')"]
    failures.clear()


async def test_a_session_lists_its_tasks_while_they_are_there(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "hold_tasks"})
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    task = await rpc.call("Async.VM.pool_migrate", guest, host, {})
    own = await rpc.call("task.create", "own", "")
    assert set(await rpc.call("session.get_tasks", rpc.session)) == {task, own}
    await datacentre.do({"do": "release_tasks"})
    await rpc.finish(task)
    await rpc.call("task.destroy", task)
    assert await rpc.call("session.get_tasks", rpc.session) == [own]
