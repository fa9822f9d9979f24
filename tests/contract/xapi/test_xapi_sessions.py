"""Logging in, being sent to the coordinator, losing a session."""

import asyncio

import aiohttp
import pytest
from datacentre_client import DEADLINE_S, PASSWORD, Connect, Rpc, RpcError, running

from bot.lab.xapi import Datacentre

LOGIN = "session.login_with_password"


async def test_login_takes_two_to_four_parameters(connect: Connect) -> None:
    client = connect("xenserver1")
    for more in ([], ["1.0"], ["1.0", "me"]):
        ref = await client.raw("session.login_with_password", "root", PASSWORD, *more)
        assert ref.startswith("OpaqueRef:")
    client.session = ref
    record = await client.call("session.get_record", ref)
    assert (record["auth_user_name"], record["originator"], record["is_local_superuser"]) == (
        "root",
        "me",
        True,
    )
    assert await client.call("session.get_this_host", ref) == await client.find("host", "xenserver1")


async def test_a_wrong_password_is_refused_after_five_seconds(datacentre: Datacentre, connect: Connect) -> None:
    datacentre.login_delay_s = 5.0
    await datacentre.do({"do": "stop_clock"})
    await datacentre.do({"do": "arm", "fault": {"method": LOGIN, "action": "hold", "name": "door"}})
    refused = asyncio.create_task(connect("xenserver1").raw(LOGIN, "root", "wrong"))
    while datacentre.state()["faults"][0]["holding"] == 0:
        await datacentre.changed(datacentre.revision())
    await datacentre.do({"do": "release", "name": "door"})
    await datacentre.do({"do": "advance", "seconds": 4.9})
    assert not refused.done()
    await datacentre.do({"do": "advance", "seconds": 0.2})
    with pytest.raises(RpcError) as caught:
        await asyncio.wait_for(refused, DEADLINE_S)
    assert caught.value.args == ("SESSION_AUTHENTICATION_FAILED", "root", "Authentication failure")


async def test_a_member_names_its_coordinator_before_it_looks_at_the_password(
    datacentre: Datacentre, rpc: Rpc, connect: Connect
) -> None:
    member = connect("xenserver3")
    member.session = rpc.session
    expected = ["HOST_IS_SLAVE", "127.0.1.1"]
    with pytest.raises(RpcError) as caught:
        await member.raw("session.login_with_password", "root", "wrong")
    assert list(caught.value.args) == expected
    assert await member.fail("VM.get_all") == expected


async def test_every_pool_has_its_own_sessions_and_records(rpc: Rpc, connect: Connect) -> None:
    alone = connect("xenserver2")
    alone.session = rpc.session
    assert await alone.fail("VM.get_all") == ["SESSION_INVALID", rpc.session]
    await alone.login()
    names = {record["name_label"] for record in (await alone.call("VM.get_all_records")).values()}
    assert {"test1", "test2"} <= names
    assert "centos54" not in names
    [pool] = (await alone.call("pool.get_all_records")).values()
    assert pool["name_label"] == ""


async def test_after_logout_the_session_is_invalid(connect: Connect) -> None:
    client = await connect("xenserver1").login()
    assert await client.call("session.logout") == ""
    assert await client.fail("VM.get_all") == ["SESSION_INVALID", client.session]


async def count_logins(http: aiohttp.ClientSession, user: str, *originators: str) -> list[bool]:
    """Logs in once per originator; returns which of the sessions live in the end, oldest first."""
    async with running("large:1x0", http, manual_clock=True) as (_, rpc):
        client = Rpc(http, rpc.url)
        refs = []
        for originator in originators:
            more = [originator] if originator else []
            refs.append(await client.raw(LOGIN, user, PASSWORD, "1.0", *more))
        known = set(await list_sessions(client, refs[-1]))
        return [ref in known for ref in refs]


async def list_sessions(client: Rpc, session: str) -> list[str]:
    client.session = session
    return list(await client.call("session.get_all_records"))


@pytest.mark.parametrize(
    ("user", "originators", "dead"),
    [
        ("root", ["crowd"] * 502, 2),
        ("root", [f"tool-{number % 2}" for number in range(700)], 0),
        ("pool-admin", [f"tool-{number % 2}" for number in range(502)], 2),
        ("root", [""] * 402, 2),
    ],
)
async def test_over_a_quota_the_sessions_longest_unused_die(
    http: aiohttp.ClientSession, user: str, originators: list[str], dead: int
) -> None:
    """500 for an originator of the superuser, 500 for another user whatever the originator, 400 without one."""
    alive = await count_logins(http, user, *originators)
    assert alive == [False] * dead + [True] * (len(originators) - dead)


async def test_a_session_dies_after_a_day_without_use(datacentre: Datacentre, connect: Connect, rpc: Rpc) -> None:
    await datacentre.do({"do": "stop_clock"})
    idle, used, busy = [await connect("xenserver1").login() for _ in range(3)]
    task = await busy.call("task.create", "unfinished", "")
    for _ in range(2):
        await datacentre.do({"do": "advance", "seconds": 12 * 3600 - 60})
        await used.call("pool.get_all")
    for moved in range(10):  # a task that makes no progress would go after a day
        await used.call("task.set_progress", task, moved / 10)
        await datacentre.do({"do": "advance", "seconds": 30})
    assert await idle.fail("pool.get_all") == ["SESSION_INVALID", idle.session]
    assert await used.call("pool.get_all")
    assert await busy.call("task.get_status", task) == "pending"


async def test_use_is_noted_every_ten_minutes_only(datacentre: Datacentre, connect: Connect) -> None:
    await datacentre.do({"do": "stop_clock"})
    client = await connect("xenserver1").login()
    await datacentre.do({"do": "advance", "seconds": 500})
    await client.call("pool.get_all")  # too soon to be noted
    await datacentre.do({"do": "advance", "seconds": 24 * 3600 - 500 + 60})
    assert await client.fail("pool.get_all") == ["SESSION_INVALID", client.session]


async def test_the_superuser_changes_the_password(datacentre: Datacentre, connect: Connect, rpc: Rpc) -> None:
    assert (await rpc.fail("session.change_password", "wrong", "new"))[0] == "SESSION_AUTHENTICATION_FAILED"
    assert await rpc.call("session.change_password", PASSWORD, "new") == ""
    assert (await connect("xenserver1").fail(LOGIN))[0] == "MESSAGE_PARAMETER_COUNT_MISMATCH"
    with pytest.raises(RpcError, match="SESSION_AUTHENTICATION_FAILED"):
        await connect("xenserver1").raw(LOGIN, "root", PASSWORD)
    assert await connect("xenserver1").raw(LOGIN, "root", "new")
    weaker = await connect("xenserver1").login("pool-admin")
    assert (await weaker.fail("session.change_password", PASSWORD, "x"))[0] == "RBAC_PERMISSION_DENIED"


@pytest.mark.parametrize(
    "role", ["read-only", "vm-operator", "vm-admin", "vm-power-admin", "pool-operator", "pool-admin"]
)
async def test_there_is_an_account_for_each_role(connect: Connect, role: str) -> None:
    client = await connect("xenserver1").login(role)
    record = await client.call("session.get_record", client.session)
    assert (record["auth_user_name"], record["is_local_superuser"]) == (role, False)
    host = await client.find("host", "xenserver3")
    refused = role not in {"pool-operator", "pool-admin"}
    if refused:
        assert (await client.fail("host.disable", host))[:2] == ["RBAC_PERMISSION_DENIED", "host.disable"]
    else:
        assert await client.call("host.disable", host) == ""
