"""Xen Orchestra's own connector, as its server uses it: over JSON-RPC and over XML-RPC, TLS and plain."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from node_program import DEADLINE_S, NODE, PACKAGES, NodeError, NodeProgram, node_program

from bot.lab.xapi import Datacentre

pytestmark = pytest.mark.node
PASSWORD = "pw"


@pytest.fixture(params=["json-rpc", "xml-rpc"])
async def orchestra(request: pytest.FixtureRequest, datacentre: Datacentre) -> AsyncIterator[NodeProgram]:
    """Xen Orchestra at the coordinator of the pool, by HTTPS, every object fetched."""
    async with _orchestra(datacentre.hosts["xenserver1"].https, request.param) as program:
        await program.ask("connect")
        yield program


def _orchestra(url: str, transport: str = "auto") -> Any:
    return node_program("xen_orchestra.mjs", url=url, user="root", password=PASSWORD, transport=transport)


async def test_it_fetches_every_object_of_every_class_the_lab_names(
    datacentre: Datacentre, orchestra: NodeProgram
) -> None:
    seen = await orchestra.ask("connect")
    state = datacentre.state()
    pool = next(pool for pool in state["pools"] if pool["name"] == "experiment")
    assert seen["counts"]["host"] == sum(host["pool"] == pool["uuid"] for host in state["hosts"])
    assert {"VM", "VBD", "VDI", "SR", "PBD", "network", "PIF", "VIF", "host_metrics"} <= seen["counts"].keys()
    assert await orchestra.ask("guest", name="日本語サーバー")


async def test_records_keep_their_types_on_either_wire(orchestra: NodeProgram) -> None:
    guest = await orchestra.ask("guest", name="centos54")
    assert (guest["power_state"], guest["host"], guest["disks"]) == ("Running", "xenserver1", ["nfs-vhd"])
    assert int(guest["memory"]) > 0
    assert guest["start_time"].endswith("Z")


async def test_its_event_loop_sees_what_others_change(datacentre: Datacentre, orchestra: NodeProgram) -> None:
    before = await orchestra.ask("guest", name="centos54")
    seen = asyncio.create_task(orchestra.ask("see_tag", name="centos54", tag="seen"))
    await datacentre.do({"do": "set", "class": "VM", "uuid": before["uuid"], "field": "tags", "value": ["seen"]})
    await seen


async def test_a_barrier_returns_the_object_as_it_is_after_the_call(orchestra: NodeProgram) -> None:
    await orchestra.ask("tag", name="centos54", tag="mine")
    assert (await orchestra.ask("barrier", name="centos54"))["power_state"] == "Running"
    assert await orchestra.ask("set_config", name="centos54", key="folder", value="/a b") == "/a b"
    assert await orchestra.ask("set_config", name="centos54", key="folder", value="/again") == "/again"
    assert await orchestra.ask("set_config", name="centos54", key="folder", value=None) is None


async def test_it_moves_a_guest_by_a_task_that_it_then_destroys(orchestra: NodeProgram) -> None:
    moved = await orchestra.ask("migrate", name="centos54", host="xenserver3")
    assert (moved["host"], moved["power_state"]) == ("xenserver3", "Running")
    assert "Async.VM.pool_migrate" not in await orchestra.ask("tasks")


async def test_a_refused_move_fails_with_the_code_and_parameters_of_the_task(orchestra: NodeProgram) -> None:
    guest = await orchestra.ask("guest", name="web-local")
    with pytest.raises(NodeError) as caught:
        await orchestra.ask("migrate", name="web-local", host="xenserver3")
    assert caught.value.code == "VM_REQUIRES_SR"
    assert caught.value.params[0] == guest["ref"]


async def test_a_cancelled_move_leaves_the_guest_where_it_was(datacentre: Datacentre, orchestra: NodeProgram) -> None:
    await datacentre.do({"do": "pause_tasks", "at": 0.3})
    assert "cancel" in (await orchestra.ask("cancel_migration", name="centos54", host="xenserver3")).lower()
    assert (await orchestra.ask("barrier", name="centos54"))["host"] == "xenserver1"


async def test_a_snapshot_is_an_object_as_soon_as_its_task_is_done(orchestra: NodeProgram) -> None:
    made = await orchestra.ask("snapshot", name="centos54", label="nightly")
    assert (made["name"], made["of"]) == ("nightly", "centos54")
    assert made["disks"] > 0


@pytest.mark.parametrize(("compress", "length"), [("", "known"), ("zstd", "unknown")])
async def test_it_backs_up_a_running_guest_and_restores_it(
    orchestra: NodeProgram, tmp_path: Path, compress: str, length: str
) -> None:
    path = str(tmp_path / "backup.xva")
    made = await orchestra.ask("backup", name="centos54", compress=compress, path=path)
    assert made["bytes"] > 1024**2
    again = await orchestra.ask("restore", path=path, sr="nfs-vhd", knowsLength=length == "known")
    assert (again["power_state"], again["disks"]) == ("Halted", ["nfs-vhd"])


@pytest.mark.parametrize("transport", ["json-rpc", "xml-rpc"])
async def test_it_empties_a_host(roomy: Datacentre, transport: str) -> None:
    async with _orchestra(roomy.hosts["host001"].https, transport) as program:
        await program.ask("connect")
        assert (await program.ask("guest", name="vm00001"))["host"] == "host002"
        assert await program.ask("empty", host="host002") == []


async def test_it_watches_a_task_of_its_own_to_the_end(orchestra: NodeProgram) -> None:
    await orchestra.ask("watch_task", name="export by hand")


async def test_failures_of_calls_carry_code_and_parameters(orchestra: NodeProgram) -> None:
    guest = await orchestra.ask("guest", name="centos54")
    with pytest.raises(NodeError) as caught:
        await orchestra.ask("call", method="VM.start", params=[guest["ref"], False, False])
    assert caught.value.code == "VM_BAD_POWER_STATE"
    assert [text.lower() for text in caught.value.params] == [guest["ref"].lower(), "halted", "running"]
    with pytest.raises(NodeError) as caught:
        await orchestra.ask("call", method="VM.no_such_call", params=[])
    assert (caught.value.code, caught.value.params) == ("MESSAGE_METHOD_UNKNOWN", ["VM.no_such_call"])


async def test_an_expired_session_is_opened_again_and_the_objects_fetched_anew(
    datacentre: Datacentre, orchestra: NodeProgram
) -> None:
    await datacentre.do({"do": "expire_sessions"})
    assert (await orchestra.ask("barrier", name="centos54"))["power_state"] == "Running"
    moved = await orchestra.ask("migrate", name="centos54", host="xenserver3")
    assert moved["host"] == "xenserver3"


@pytest.mark.parametrize("transport", ["json-rpc", "xml-rpc"])
async def test_a_login_at_another_member_is_led_to_the_coordinator(datacentre: Datacentre, transport: str) -> None:
    async with _orchestra(datacentre.hosts["xenserver3"].https, transport) as program:
        assert (await program.ask("connect"))["hostname"] == datacentre.hosts["xenserver1"].address
        assert (await program.ask("guest", name="centos54"))["host"] == "xenserver1"


async def test_it_comes_back_at_the_new_coordinator(datacentre: Datacentre, orchestra: NodeProgram) -> None:
    await datacentre.do({"do": "move_coordinator", "host": "xenserver3"})
    # As its server does when a pool is lost: a new connection, by the address it knew, led on by HOST_IS_SLAVE.
    again = await orchestra.ask("reconnect")
    assert again["hostname"] == datacentre.hosts["xenserver3"].address
    await orchestra.ask("see_coordinator", name="xenserver3")
    assert (await orchestra.ask("migrate", name="centos54", host="xenserver3"))["host"] == "xenserver3"


async def test_what_a_restarted_toolstack_forgot_goes_from_its_objects(
    datacentre: Datacentre, orchestra: NodeProgram
) -> None:
    task = await orchestra.ask("call", method="task.create", params=["left open", ""])
    await orchestra.ask("see_task", ref=task)
    await datacentre.do({"do": "restart_toolstack", "host": "xenserver1"})
    await orchestra.ask("reconnect")
    await orchestra.ask("see_gone", ref=task)
    assert (await orchestra.ask("barrier", name="centos54"))["host"] == "xenserver1"


@pytest.mark.parametrize("address", ["https", "http"])
async def test_it_picks_json_rpc_itself_with_tls_and_without(datacentre: Datacentre, address: str) -> None:
    async with _orchestra(getattr(datacentre.hosts["xenserver1"], address)) as program:
        await program.ask("connect")
        assert len(await program.ask("records", type="host")) == 2
        await program.ask("disconnect")


async def test_a_wrong_password_is_told_from_a_wrong_address(datacentre: Datacentre) -> None:
    url = datacentre.hosts["xenserver1"].https
    async with node_program("xen_orchestra.mjs", url=url, user="root", password="wrong", transport="auto") as program:
        with pytest.raises(NodeError) as caught:
            await program.ask("connect")
    assert caught.value.code == "SESSION_AUTHENTICATION_FAILED"


async def test_its_command_line_evaluates_an_expression(datacentre: Datacentre) -> None:
    assert NODE is not None
    url = datacentre.hosts["xenserver1"].https
    process = await asyncio.create_subprocess_exec(
        NODE,
        str(PACKAGES / "xen-api" / "cli.mjs"),
        "--allow-unauthorized",
        url,
        "root",
        PASSWORD,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "NODE_REPL_HISTORY": ""},
    )
    async with asyncio.timeout(DEADLINE_S):
        said, _ = await process.communicate(b"call('host.get_all').then(found => 'hosts: ' + found.length)\n.exit\n")
    assert "hosts: 2" in said.decode()
