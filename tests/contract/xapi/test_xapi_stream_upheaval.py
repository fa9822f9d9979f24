"""Toolstacks restart, coordinators change and hosts die while guests go out and come in."""

import asyncio
from typing import Any

import aiohttp
import pytest
from archive_client import fetch, put, read_archive, stop_guest
from datacentre_client import DEADLINE_S, Connect, Rpc, RpcError, Until

from bot.lab.xapi import Datacentre


async def get(http: aiohttp.ClientSession, url: str, **query: str) -> bytes:
    """Returns what came of an export before its connection ended."""
    body = b""
    try:
        async with http.get(url, params=query) as response:
            async for piece in response.content.iter_any():
                body += piece
    except aiohttp.ClientError:
        pass
    return body


async def upload(http: aiohttp.ClientSession, url: str, body: bytes, **query: str) -> bytes:
    """Returns what came back from an import before its connection ended."""
    try:
        return (await put(http, url, body, **query))[2]
    except aiohttp.ClientError:
        return b""


def is_half(datacentre: Datacentre, label: str) -> bool:
    """Tells whether a task of that name has come half-way."""
    return any(task["name"] == label and task["progress"] >= 0.5 for task in datacentre.state()["tasks"])


UPHEAVALS: list[dict[str, Any]] = [
    {"do": "restart_toolstack", "host": "xenserver1"},
    {"do": "move_coordinator", "host": "xenserver3"},
    {"do": "kill_host", "host": "xenserver1"},
]


@pytest.mark.parametrize("upheaval", UPHEAVALS, ids=lambda one: one["do"])
async def test_an_export_is_cut_and_nothing_stays_held(
    datacentre: Datacentre, rpc: Rpc, connect: Connect, until: Until, upheaval: dict[str, Any]
) -> None:
    vm = await stop_guest(rpc, "centos54")
    uuid = await rpc.call("VM.get_uuid", vm)
    await datacentre.do({"do": "pause_tasks", "at": 0.5})
    task = await rpc.call("task.create", "stream", "")
    url = f"{rpc.url}/export"
    sending = asyncio.create_task(get(rpc.http, url, session_id=rpc.session, task_id=task, ref=vm))
    await until(lambda: is_half(datacentre, "stream"))
    await datacentre.do(upheaval)
    await datacentre.do({"do": "release_tasks"})
    body = await sending
    assert body.startswith(b"ova.xml")
    assert body[-1024:] != bytes(1024)
    again = await find_coordinator(datacentre, connect, upheaval)
    made = await again.call("VM.get_by_uuid", uuid)
    assert await again.call("VM.get_current_operations", made) == {}
    if upheaval["do"] != "kill_host":
        read_archive((await fetch(again, "/export", ref=made)).body)


@pytest.mark.parametrize("upheaval", UPHEAVALS, ids=lambda one: one["do"])
async def test_an_import_whose_server_dies_leaves_what_it_has_made(
    datacentre: Datacentre, rpc: Rpc, connect: Connect, until: Until, upheaval: dict[str, Any]
) -> None:
    vm = await stop_guest(rpc, "centos54")
    body = (await fetch(rpc, "/export", ref=vm)).body
    before = {name: len(await rpc.call(f"{name}.get_all")) for name in ("VDI", "VBD", "VIF")}
    await datacentre.do({"do": "pause_tasks", "at": 0.5})
    task = await rpc.call("task.create", "stream", "")
    url = f"{rpc.url}/import"
    sending = asyncio.create_task(upload(rpc.http, url, body, session_id=rpc.session, task_id=task))
    await until(lambda: is_half(datacentre, "stream"))
    await datacentre.do(upheaval)
    await datacentre.do({"do": "release_tasks"})
    await sending
    again = await find_coordinator(datacentre, connect, upheaval)
    left = {name: len(await again.call(f"{name}.get_all")) - count for name, count in before.items()}
    assert left == {"VDI": 1, "VBD": 2, "VIF": 1}
    (made,) = [vm for vm in (await again.call("VM.get_all_records")).values() if "import_task" in vm["other_config"]]
    assert made["other_config"]["import_task"] == task
    assert (made["name_label"], made["power_state"], made["current_operations"]) == ("centos54", "Halted", {})


async def find_coordinator(datacentre: Datacentre, connect: Connect, upheaval: dict[str, Any]) -> Rpc:
    """Returns a client of the host that leads the pool afterwards."""
    if upheaval["do"] == "kill_host":
        await datacentre.do({"do": "move_coordinator", "host": "xenserver3"})
    name = "xenserver1" if upheaval["do"] == "restart_toolstack" else "xenserver3"
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                return await connect(name).login()
            except (aiohttp.ClientError, RpcError):  # its toolstack starts
                await datacentre.do({"do": "advance", "seconds": 5})


async def test_a_datacentre_stops_in_the_middle_of_streams(datacentre: Datacentre, rpc: Rpc, until: Until) -> None:
    vm = await stop_guest(rpc, "centos54")
    body = (await fetch(rpc, "/export", ref=vm)).body
    await datacentre.do({"do": "pause_tasks", "at": 0.5})
    query = {"session_id": rpc.session, "task_id": await rpc.call("task.create", "out", ""), "ref": vm}
    going_out = asyncio.create_task(get(rpc.http, f"{rpc.url}/export", **query))
    query = {"session_id": rpc.session, "task_id": await rpc.call("task.create", "in", "")}
    coming_in = asyncio.create_task(upload(rpc.http, f"{rpc.url}/import", body, **query))
    await until(lambda: is_half(datacentre, "out") and is_half(datacentre, "in"))
    await datacentre.stop()
    assert (await going_out)[-1024:] != bytes(1024)
    await coming_in
