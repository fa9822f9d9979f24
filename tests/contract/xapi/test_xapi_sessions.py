"""Logging in, being sent to the coordinator, losing a session."""

import asyncio

import pytest
from datacentre_client import DEADLINE_S, PASSWORD, Connect, Rpc, RpcError

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


async def test_the_oldest_sessions_die_over_the_quota(connect: Connect) -> None:
    client = connect("xenserver1")
    refs = [await client.raw("session.login_with_password", "root", PASSWORD, "1.0", "crowd") for _ in range(502)]
    client.session = refs[0]
    assert await client.fail("VM.get_all") == ["SESSION_INVALID", refs[0]]
    client.session = refs[-1]
    assert await client.call("VM.get_all")
