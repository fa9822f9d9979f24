"""`VM.pool_migrate`: checks and their order, what is seen meanwhile, the end."""

import asyncio
import itertools

import pytest
from datacentre_client import Rpc, Until, guest_of, host_of

from bot.lab.xapi import Datacentre

NULL = "OpaqueRef:NULL"
GIB = 1024**3


async def start_move(rpc: Rpc, name: str, host: str = "xenserver3") -> tuple[str, str, str]:
    """Starts a migration; returns guest, host and task."""
    guest, target = await rpc.find("VM", name), await rpc.find("host", host)
    return guest, target, await rpc.call("Async.VM.pool_migrate", guest, target, {"live": "true"})


async def test_a_guest_moves_while_it_runs(datacentre: Datacentre, rpc: Rpc, until: Until) -> None:
    await datacentre.do({"do": "pause_tasks", "at": 0.4})
    guest, target, task = await start_move(rpc, "centos54")
    await until(lambda: guest_of(datacentre, "centos54")["progress"] == 0.4)

    record = await rpc.call("VM.get_record", guest)
    source = await rpc.find("host", "xenserver1")
    assert record["current_operations"] == {task: "pool_migrate"}
    assert sorted(record["allowed_operations"]) == ["hard_reboot", "hard_shutdown"]
    assert record["scheduled_to_be_resident_on"] == target
    assert (record["resident_on"], record["power_state"]) == (source, "Running")
    host = await rpc.call("host.get_record", target)
    assert host["current_operations"] == {task: "vm_migrate"}
    assert "evacuate" not in host["allowed_operations"]
    assert (await rpc.call("task.get_record", task))["allowed_operations"] == ["cancel"]
    truth = guest_of(datacentre, "centos54")
    assert (truth["operation"], truth["target"]) == (
        "pool_migrate",
        host_of(datacentre, "xenserver3")["uuid"],
    )

    await datacentre.do({"do": "release_tasks"})
    ended = await rpc.finish(task)
    assert (ended["status"], ended["progress"], ended["result"]) == ("success", 1.0, "<value></value>")
    after = await rpc.call("VM.get_record", guest)
    assert after["resident_on"] == target
    assert after["domid"] > record["domid"]
    assert (after["scheduled_to_be_resident_on"], after["current_operations"]) == (NULL, {})
    assert "pool_migrate" in after["allowed_operations"]
    assert (await rpc.call("host.get_record", target))["current_operations"] == {}
    assert guest in (await rpc.call("host.get_resident_VMs", target))
    message = next(iter((await rpc.call("message.get_all_records")).values()))
    assert (message["name"], message["priority"], message["cls"]) == ("VM_MIGRATED", 5, "VM")


async def test_who_sees_the_status_of_an_ended_task_sees_all_of_its_end(
    datacentre: Datacentre, rpc: Rpc, until: Until
) -> None:
    _, _, task = await start_move(rpc, "centos54")
    seen = []
    await until(lambda: seen.append(datacentre.state()["tasks"][0]) or seen[-1]["status"] == "success")
    assert seen[-1]["progress"] == 1.0
    record = await rpc.call("task.get_record", task)
    assert record["allowed_operations"] == []
    assert record["other_config"] == {"debug_info:cancel_points_seen": "91"}
    assert record["finished"] != "19700101T00:00:00Z"


async def test_tasks_of_xapis_own_come_and_go(datacentre: Datacentre, rpc: Rpc, until: Until) -> None:
    await start_move(rpc, "centos54")
    await until(lambda: "network.detach_for_vm" in {one["name"] for one in datacentre.state()["tasks"]})
    await until(lambda: [one["status"] for one in datacentre.state()["tasks"]] == ["success"])


async def test_progress_is_uneven_and_falls_once(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "set_speed", "speed": 4})
    _, _, task = await start_move(rpc, "centos54")
    seen, token, status = [], "", "pending"
    while status == "pending":
        answer = await rpc.call("event.from", [f"task/{task}"], token, 10.0)
        token = answer["token"]
        for event in answer["events"]:
            status = event["snapshot"]["status"]
            seen.append(event["snapshot"]["progress"])
    steps = [after - before for before, after in itertools.pairwise(seen)]
    assert len([step for step in steps if step < 0]) == 1
    assert len({round(step, 6) for step in steps if step > 0}) > 2
    assert status == "success"


async def test_db1_moves_once_its_memory_fits(datacentre: Datacentre, rpc: Rpc) -> None:
    vm, host = await rpc.find("VM", "db1"), await rpc.find("host", "xenserver3")
    assert (await rpc.fail("VM.assert_can_boot_here", vm, host))[0] == "HOST_NOT_ENOUGH_FREE_MEMORY"
    await datacentre.do({"do": "set_speed", "speed": 1000})
    await rpc.call("VM.set_memory_dynamic_range", vm, 8 * GIB, 48 * GIB)
    assert await rpc.call("VM.assert_can_boot_here", vm, host) == ""
    assert await rpc.call("VM.pool_migrate", vm, host, {}) == ""
    assert await rpc.call("VM.get_resident_on", vm) == host
    assert 8 * GIB <= await rpc.call("VM.get_memory_target", vm) < 48 * GIB


async def test_two_migrations_to_one_host_reserve_memory_at_once(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "hold_tasks"})
    host = await rpc.find("host", "xenserver3")
    before = await rpc.call("host.compute_free_memory", host)
    guest, _, first = await start_move(rpc, "日本語サーバー")
    _, _, second = await start_move(rpc, "centos54")
    await rpc.call("event.from", ["task"], "", 0.0)
    taken = before - await rpc.call("host.compute_free_memory", host)
    assert taken == (1024 + 12 + 512 + 8) * 1024**2
    await datacentre.do({"do": "release_tasks"})
    assert (await rpc.finish(first))["status"] == (await rpc.finish(second))["status"] == "success"
    assert await rpc.call("VM.get_resident_on", guest) == host


async def test_a_second_operation_waits_in_silence_and_goes_on_at_the_end(
    datacentre: Datacentre, rpc: Rpc, until: Until
) -> None:
    await datacentre.do({"do": "pause_tasks", "at": 0.4})
    guest, target, moving = await start_move(rpc, "centos54")
    await until(lambda: guest_of(datacentre, "centos54")["progress"] == 0.4)
    waiting = await rpc.call("Async.VM.clean_shutdown", guest)
    await until(lambda: any(task["name"] == "Async.VM.clean_shutdown" for task in datacentre.state()["tasks"]))
    record = await rpc.call("task.get_record", waiting)
    assert (record["status"], record["progress"], record["allowed_operations"]) == (
        "pending",
        0.0,
        ["cancel"],
    )
    assert await rpc.call("VM.get_current_operations", guest) == {moving: "pool_migrate"}
    await datacentre.do({"do": "release_tasks"})
    assert (await rpc.finish(moving))["status"] == "success"
    assert (await rpc.finish(waiting))["status"] == "success"
    assert guest_of(datacentre, "centos54")["power_state"] == "Halted"
    assert target != NULL


async def test_cancel_leaves_the_guest_where_it_was(datacentre: Datacentre, rpc: Rpc, until: Until) -> None:
    await datacentre.do({"do": "pause_tasks", "at": 0.4})
    guest, _, task = await start_move(rpc, "centos54")
    await until(lambda: guest_of(datacentre, "centos54")["progress"] == 0.4)
    domid = await rpc.call("VM.get_domid", guest)
    assert await rpc.call("task.cancel", task) == ""
    ended = await rpc.finish(task)
    assert (ended["status"], ended["error_info"], ended["progress"]) == ("cancelled", [], 1.0)
    [(key, operation)] = ended["current_operations"].items()
    assert key.startswith("DummyRef:|")
    assert key.endswith("|task.cancel")
    assert operation == "cancel"
    record = await rpc.call("VM.get_record", guest)
    assert (record["power_state"], record["domid"], record["current_operations"]) == ("Running", domid, {})
    assert record["resident_on"] == await rpc.find("host", "xenserver1")
    assert record["scheduled_to_be_resident_on"] == NULL


async def test_a_hard_shutdown_overtakes_a_migration(datacentre: Datacentre, rpc: Rpc, until: Until) -> None:
    await datacentre.do({"do": "pause_tasks", "at": 0.4})
    guest, _, moving = await start_move(rpc, "centos54")
    await until(lambda: guest_of(datacentre, "centos54")["progress"] == 0.4)
    stopping = await rpc.call("Async.VM.hard_shutdown", guest)
    assert (await rpc.finish(moving))["status"] == "cancelled"
    await datacentre.do({"do": "release_tasks"})
    assert (await rpc.finish(stopping))["status"] == "success"
    record = await rpc.call("VM.get_record", guest)
    assert (record["power_state"], record["resident_on"], record["domid"]) == ("Halted", NULL, -1)


async def test_a_localhost_migration_changes_the_domain_only(rpc: Rpc) -> None:
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver1")
    await rpc.call("host.disable", host)
    domid = await rpc.call("VM.get_domid", guest)
    assert await rpc.call("VM.pool_migrate", guest, host, {}) == ""
    assert await rpc.call("VM.get_resident_on", guest) == host
    assert await rpc.call("VM.get_domid", guest) != domid


async def test_possible_hosts_leave_out_those_that_would_refuse(rpc: Rpc) -> None:
    first, third = await rpc.find("host", "xenserver1"), await rpc.find("host", "xenserver3")
    possible = await rpc.call("VM.get_possible_hosts", await rpc.find("VM", "centos54"))
    assert set(possible) == {first, third}
    assert await rpc.call("VM.get_possible_hosts", await rpc.find("VM", "web-local")) == [first]
    await rpc.call("host.disable", third)
    assert await rpc.call("VM.get_possible_hosts", await rpc.find("VM", "centos54")) == [first]


async def test_a_call_goes_on_when_its_client_is_gone(datacentre: Datacentre, rpc: Rpc, until: Until) -> None:
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    await datacentre.do({"do": "pause_tasks", "at": 0.4})
    waiting = asyncio.create_task(rpc.call("VM.pool_migrate", guest, host, {}))
    await until(lambda: guest_of(datacentre, "centos54")["progress"] == 0.4)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await datacentre.do({"do": "release_tasks"})
    uuid = host_of(datacentre, "xenserver3")["uuid"]
    await until(lambda: guest_of(datacentre, "centos54")["host"] == uuid)
    await until(lambda: datacentre.state()["tasks"] == [])
