"""What can go wrong around a call: lost answers, dead hosts, new coordinators, foreign hands."""

import asyncio
import json
import re
from typing import Any

import aiohttp
import pytest
from datacentre_client import DEADLINE_S, PASSWORD, Connect, Rpc, RpcError, Stock, Until, guest_of, host_of

from bot.lab.xapi import Datacentre

METHOD = "Async.VM.pool_migrate"


async def arm(datacentre: Datacentre, **fault: object) -> str:
    return (await datacentre.do({"do": "arm", "fault": fault}))["name"]


@pytest.mark.parametrize(("when", "executed"), [("before", 0), ("after", 1)])
async def test_a_dropped_connection_means_done_or_not_done(
    datacentre: Datacentre, rpc: Rpc, when: str, executed: int
) -> None:
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    parent = await rpc.call("task.create", "job", "")
    await arm(datacentre, method=METHOD, when=when, action="drop")
    with pytest.raises(aiohttp.ClientError):
        await rpc.call(METHOD, guest, host, {}, headers={"subtask-of": parent})
    children = await rpc.call("task.get_subtasks", parent)
    assert len(children) == executed
    for child in children:
        assert (await rpc.finish(child))["status"] == "success"
    source = await rpc.find("host", "xenserver1")
    assert await rpc.call("VM.get_resident_on", guest) == (host if executed else source)
    assert datacentre.state()["faults"] == []
    assert await rpc.call("Async.VM.assert_can_boot_here", guest, host)


async def test_the_standard_client_repeats_a_call_whose_answer_was_lost(
    datacentre: Datacentre, rpc: Rpc, stock: Stock
) -> None:
    """The trap that the bot's own transport must avoid."""
    await arm(datacentre, method="task.create", when="after", action="drop")
    await stock(lambda session: session.xenapi.task.create("twice", ""))
    assert len(await rpc.call("task.get_by_name_label", "twice")) == 2


async def test_fail_after_takes_effect_and_fail_before_does_not(datacentre: Datacentre, rpc: Rpc) -> None:
    await arm(datacentre, method="task.create", when="before", action="fail", error=["SOME_CODE", "x"])
    assert await rpc.fail("task.create", "one", "") == ["SOME_CODE", "x"]
    assert await rpc.call("task.get_by_name_label", "one") == []
    await arm(datacentre, method="task.create", when="after", action="fail", error=["SOME_CODE", "x"])
    assert await rpc.fail("task.create", "two", "") == ["SOME_CODE", "x"]
    assert len(await rpc.call("task.get_by_name_label", "two")) == 1


async def test_a_held_call_goes_on_when_released(datacentre: Datacentre, rpc: Rpc, until: Until) -> None:
    name = await arm(datacentre, method="task.create", action="hold", name="brake")
    assert name == "brake"
    held = asyncio.create_task(rpc.call("task.create", "later", ""))
    other = await rpc.call("pool.get_all")
    assert other
    await until(lambda: datacentre.state()["faults"][0]["holding"] == 1)
    assert await rpc.call("task.get_by_name_label", "later") == []
    await datacentre.do({"do": "release", "name": "brake"})
    assert (await held).startswith("OpaqueRef:")


async def test_work_can_fail_in_its_middle_or_after_it_took_effect(datacentre: Datacentre, rpc: Rpc) -> None:
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    source = await rpc.find("host", "xenserver1")
    for when, where in (("during", source), ("end", host)):
        await arm(datacentre, method=METHOD, when=when, action="fail", error=["INTERNAL_ERROR", "lab"])
        ended = await rpc.finish(await rpc.call(METHOD, guest, host, {}))
        assert (ended["status"], ended["error_info"]) == ("failure", ["INTERNAL_ERROR", "lab"])
        record = await rpc.call("VM.get_record", guest)
        assert (record["resident_on"], record["power_state"], record["current_operations"]) == (
            where,
            "Running",
            {},
        )


async def test_a_dead_host_refuses_connections_while_xapi_calls_it_live(
    datacentre: Datacentre, rpc: Rpc, connect: Connect, until: Until
) -> None:
    await datacentre.do({"do": "kill_host", "host": "xenserver3"})
    with pytest.raises(aiohttp.ClientError):
        await connect("xenserver3").raw("session.login_with_password", "root", PASSWORD)
    truth = host_of(datacentre, "xenserver3")
    assert (truth["live"], truth["silent"]) == (True, True)
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    assert await rpc.fail("VM.pool_migrate", guest, host, {}) == ["CANNOT_CONTACT_HOST", host]
    await datacentre.do({"do": "set_speed", "speed": 5_000})
    await until(lambda: host_of(datacentre, "xenserver3")["live"] is False)
    assert (await rpc.fail("VM.pool_migrate", guest, host, {}))[0] == "HOST_NOT_LIVE"
    await datacentre.do({"do": "start_host", "host": "xenserver3"})
    await until(lambda: host_of(datacentre, "xenserver3")["silent"] is False)
    assert host_of(datacentre, "xenserver3")["live"] is True
    twins = [guest for guest in datacentre.state()["guests"] if guest["name"] == "twin"]
    assert sorted(twin["power_state"] for twin in twins) == ["Halted", "Running"]


@pytest.mark.parametrize("dies", ["xenserver3", "xenserver1"])
async def test_the_death_of_the_target_ends_a_migration(
    datacentre: Datacentre, rpc: Rpc, until: Until, dies: str
) -> None:
    await datacentre.do({"do": "pause_tasks", "at": 0.4})
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    task = await rpc.call(METHOD, guest, host, {})
    await until(lambda: guest_of(datacentre, "centos54")["progress"] == 0.4)
    await datacentre.do({"do": "kill_host", "host": dies})
    await until(lambda: guest_of(datacentre, "centos54")["operation"] is None)
    if dies == "xenserver3":
        assert (await rpc.finish(task))["status"] == "failure"
        assert guest_of(datacentre, "centos54")["power_state"] == "Running"
    assert guest_of(datacentre, "centos54")["host"] == host_of(datacentre, "xenserver1")["uuid"]


async def test_a_new_coordinator_loses_tasks_and_sessions_but_not_the_migration(
    datacentre: Datacentre, rpc: Rpc, connect: Connect, until: Until
) -> None:
    await datacentre.do({"do": "pause_tasks", "at": 0.4})
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    task = await rpc.call(METHOD, guest, host, {})
    await until(lambda: guest_of(datacentre, "centos54")["progress"] == 0.4)
    await datacentre.do({"do": "move_coordinator", "pool": "experiment", "host": "xenserver3"})
    with pytest.raises(aiohttp.ClientError):
        await connect("xenserver3").login()
    await until(lambda: not any(one["silent"] for one in datacentre.state()["hosts"]))
    old, new = connect("xenserver1"), connect("xenserver3")
    old.session = new.session = rpc.session
    assert await old.fail("VM.get_all") == ["HOST_IS_SLAVE", "127.0.1.3"]
    assert await new.fail("VM.get_all") == ["SESSION_INVALID", rpc.session]
    await new.login()
    assert await new.fail("task.get_record", task) == ["HANDLE_INVALID", "task", task]
    assert await new.call("VM.get_current_operations", guest) == {}
    assert guest_of(datacentre, "centos54")["host"] == host_of(datacentre, "xenserver1")["uuid"]
    await datacentre.do({"do": "release_tasks"})
    uuid = host_of(datacentre, "xenserver3")["uuid"]
    await until(lambda: guest_of(datacentre, "centos54")["host"] == uuid)
    assert await new.call("VM.get_scheduled_to_be_resident_on", guest) == "OpaqueRef:NULL"


async def test_a_waiting_call_dies_with_the_toolstack(
    datacentre: Datacentre, rpc: Rpc, connect: Connect, until: Until
) -> None:
    await datacentre.do({"do": "pause_tasks", "at": 0.4})
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    await rpc.call(METHOD, guest, host, {})
    await until(lambda: guest_of(datacentre, "centos54")["progress"] == 0.4)
    await rpc.call("Async.VM.clean_shutdown", guest)
    await datacentre.do({"do": "restart_toolstack", "host": "xenserver1"})
    await datacentre.do({"do": "release_tasks"})
    uuid = host_of(datacentre, "xenserver3")["uuid"]
    await until(lambda: guest_of(datacentre, "centos54")["host"] == uuid)
    await until(lambda: not host_of(datacentre, "xenserver1")["silent"])
    client = await connect("xenserver1").login()
    assert await client.call("task.get_all") == []
    assert await client.call("VM.get_power_state", guest) == "Running"


async def test_a_booting_toolstack_says_so(datacentre: Datacentre, rpc: Rpc, connect: Connect) -> None:
    await datacentre.do({"do": "set_speed", "speed": 2})
    await datacentre.do({"do": "restart_toolstack", "host": "xenserver1"})
    client, seen = connect("xenserver1"), []
    async with asyncio.timeout(DEADLINE_S):
        while "up" not in seen:
            revision = datacentre.revision()
            try:
                await client.login()
                seen.append("up")
            except aiohttp.ClientError:
                seen.append("closed")
            except RpcError as error:
                seen.append(error.args[0])
            await datacentre.changed(revision)
    assert list(dict.fromkeys(seen)) == ["closed", "HOST_STILL_BOOTING", "up"]


async def test_expired_sessions_are_invalid_and_wake_who_waits(datacentre: Datacentre, rpc: Rpc) -> None:
    token = (await rpc.call("event.from", ["vm"], "", 0.0))["token"]
    waiting = asyncio.create_task(rpc.fail("event.from", ["vm"], token, 30.0))
    await rpc.call("pool.get_all")
    await datacentre.do({"do": "expire_sessions"})
    assert await waiting == ["SESSION_INVALID", rpc.session]
    assert await rpc.fail("VM.get_all") == ["SESSION_INVALID", rpc.session]


async def test_somebody_else_moves_and_stops_guests(datacentre: Datacentre, rpc: Rpc) -> None:
    guest, target = guest_of(datacentre, "centos54"), host_of(datacentre, "xenserver3")
    field = {"do": "set", "class": "VM", "uuid": guest["uuid"]}
    await datacentre.do({**field, "field": "resident_on", "value": target["uuid"]})
    assert guest_of(datacentre, "centos54")["host"] == target["uuid"]
    await datacentre.do({**field, "field": "power_state", "value": "Halted"})
    assert guest_of(datacentre, "centos54")["host"] is None
    await rpc.call("pool.get_all")


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({}, "do"),
        ({"do": "explode"}, "explode"),
        ({"do": "kill_host", "host": "nohost"}, "There is no host 'nohost'."),
        ({"do": "kill_host", "host": "xenserver1", "more": 1}, "more"),
        ({"do": "set_speed", "speed": 0}, "speed"),
        ({"do": "release", "name": "none"}, "No fault named 'none' is armed."),
        ({"do": "arm", "fault": {"method": "*", "action": "drop", "when": "during"}}, "dropped"),
        ({"do": "set", "class": "Nope", "uuid": "x", "field": "y", "value": 1}, "There is no class 'Nope'."),
        ({"do": "set", "class": "VM", "uuid": "x", "field": "y", "value": 1}, "No VM has the uuid 'x'."),
        ({"do": "move_coordinator", "pool": "other", "host": "xenserver3"}, "not in pool 'other'"),
    ],
)
async def test_bad_requests_are_refused_in_a_sentence(
    datacentre: Datacentre, request_: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        await datacentre.do(request_)


async def test_a_host_that_is_off_cannot_become_the_coordinator(datacentre: Datacentre) -> None:
    await datacentre.do({"do": "kill_host", "host": "xenserver3"})
    with pytest.raises(ValueError, match="Host 'xenserver3' is off"):
        await datacentre.do({"do": "move_coordinator", "host": "xenserver3"})
    assert host_of(datacentre, "xenserver1")["coordinator"]


async def test_hosts_keep_their_places_by_name_when_their_records_change(datacentre: Datacentre, rpc: Rpc) -> None:
    pool = host_of(datacentre, "xenserver1")["pool"]

    def names() -> list[str]:
        return [host["name"] for host in datacentre.state()["hosts"] if host["pool"] == pool]

    assert len(names()) > 1
    for name in sorted(names()):
        await rpc.call("host.set_name_description", await rpc.find("host", name), "changed last")
        assert names() == sorted(names())


async def test_the_state_shows_the_last_changes_and_who_made_them(datacentre: Datacentre, rpc: Rpc) -> None:
    await rpc.call("task.create", "seen", "")
    await rpc.fail("VM.pool_migrate", "OpaqueRef:x", "OpaqueRef:y", {})
    calls = [(one["method"], one["user"], one["outcome"], one["host"]) for one in datacentre.state()["calls"]]
    assert calls == [
        ("task.create", "root", "done", "xenserver1"),
        ("VM.pool_migrate", "root", "HANDLE_INVALID", "xenserver1"),
    ]
    assert json.dumps(datacentre.state())
