"""Guests go out as archives that anybody can read, and whatever is asked wrongly is answered as a real server does."""

import asyncio
import base64
import zlib
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest
from archive_client import fetch, read_archive, stop_guest, unpack
from datacentre_client import PASSWORD, Connect, Rpc, Until

from bot.lab.xapi import Datacentre


@pytest.mark.parametrize("compression", ["", "true", "gzip", "zstd"])
async def test_a_halted_guest_is_exported_whole(rpc: Rpc, compression: str) -> None:
    vm = await stop_guest(rpc, "centos54")
    sent = await fetch(rpc, "/export", ref=vm, use_compression=compression)
    assert sent.status == 200
    assert (sent.task["status"], sent.task["result"], sent.task["error_info"]) == ("success", "", [])
    archive = read_archive(sent.body)
    assert archive.only("VM")["name_label"] == "centos54"
    (blocks,) = archive.disks.values()
    assert len(blocks) == 26  # 24 with data, one of zeros, and the last
    assert {0, 8191} <= blocks.keys()
    assert unpack(sent.body)[:7] == b"ova.xml"


async def test_an_export_is_answered_with_the_head_of_a_real_server(
    rpc: Rpc, open_socket: Callable[[str], Awaitable[bytes]]
) -> None:
    vm = await stop_guest(rpc, "centos54")
    head = (await open_socket(f"GET /export?ref={vm}&session_id={rpc.session} HTTP/1.1\r\nHost: x\r\n\r\n")).split(
        b"\r\n\r\n"
    )[0]
    lines = head.decode().split("\r\n")
    task = lines.pop(3)
    assert task.startswith("task-id: OpaqueRef:")
    assert lines == [
        "HTTP/1.0 200 OK",
        "Connection: close",
        "Cache-Control: no-cache, no-store",
        "Server: xapi/0.0",
        "content-type: application/octet-stream",
        'Content-Disposition: attachment; filename="export.xva"',
    ]


async def test_a_snapshot_of_a_running_guest_holds_what_the_guest_held(rpc: Rpc) -> None:
    vm = await rpc.find("VM", "centos54")
    made = await rpc.call("VM.snapshot", vm, "backup")
    first = await fetch(rpc, "/export", ref=made)
    again = await fetch(rpc, "/export", uuid=await rpc.call("VM.get_uuid", made))
    assert read_archive(first.body).digests() == read_archive(again.body).digests() != {}
    guest = read_archive(first.body).only("VM")
    assert (guest["is_a_template"], guest["is_a_snapshot"], guest["power_state"]) == (True, False, "Halted")
    assert guest["snapshot_of"] == guest["parent"] == "OpaqueRef:NULL"
    assert read_archive(first.body).disks.keys() != read_archive(again.body).disks.keys()  # numbers go on


@pytest.mark.parametrize(
    ("query", "status", "text", "error"),
    [
        ({"uuid": "nope"}, 500, "UUID_INVALID: [ VM; nope ]", ["http/get_export", "UUID_INVALID: [ VM; nope ]"]),
        ({}, 500, "Not_found", None),
    ],
)
async def test_a_guest_that_is_not_there_is_answered_with_a_page(
    rpc: Rpc, query: dict[str, str], status: int, text: str, error: list[str] | None
) -> None:
    sent = await fetch(rpc, "/export", **query)
    assert sent.status == status
    assert f"<h1> Additional information </h1>{text}</body>" in sent.body.decode()
    assert sent.task["status"] == ("failure" if error else "pending")
    assert sent.task["error_info"] == (["RBAC_PERMISSION_DENIED", *error] if error else [])


async def test_a_running_guest_is_refused(rpc: Rpc) -> None:
    vm = await rpc.find("VM", "centos54")
    sent = await fetch(rpc, "/export", ref=vm)
    assert sent.status == 500
    assert f"VM_BAD_POWER_STATE: [ {vm}; halted, suspended; running ]" in sent.body.decode()
    assert sent.task["error_info"] == ["VM_BAD_POWER_STATE", vm, "halted, suspended", "running"]


async def test_credentials_are_checked_before_anything_else(
    rpc: Rpc, open_socket: Callable[[str], Awaitable[bytes]], connect: Connect
) -> None:
    for line in ("", "Authorization: Basic cm9vdDpiYWQ=\r\n"):
        answer = await open_socket(f"GET /export?uuid=x HTTP/1.1\r\nHost: x\r\n{line}\r\n")
        assert answer.startswith(b"HTTP/1.1 401 Unauthorised\r\ncontent-length: 96\r\n")
        assert b'WWW-Authenticate: Basic realm="get_export"\r\n' in answer
    task = await rpc.call("task.create", "export", "")
    answer = await open_socket(
        f"GET /export?uuid=x&session_id=OpaqueRef:bad&task_id={task} HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 401")
    assert await rpc.call("task.get_status", task) == "pending"
    reader = await connect("xenserver1").login("vm-operator")
    sent = await fetch(reader, "/export", uuid="x")
    assert sent.status == 403
    assert sent.task["error_info"][:2] == ["RBAC_PERMISSION_DENIED", "http/get_export"]


async def test_a_name_and_a_password_do_as_well_as_a_session(
    rpc: Rpc, open_socket: Callable[[str], Awaitable[bytes]]
) -> None:
    vm = await stop_guest(rpc, "centos54")
    basic = base64.b64encode(f"root:{PASSWORD}".encode()).decode()
    before = set(await rpc.call("session.get_all_records"))
    answer = await open_socket(f"GET /export/?ref={vm} HTTP/1.0\r\nAuthorization: Basic {basic}\r\n\r\n")
    read_archive(answer.partition(b"\r\n\r\n")[2])
    assert set(await rpc.call("session.get_all_records")) == before


async def test_a_guest_nobody_can_see_closes_the_connection_without_an_answer(
    rpc: Rpc, open_socket: Callable[[str], Awaitable[bytes]], datacentre: Datacentre
) -> None:
    vm = await stop_guest(rpc, "centos54")
    for host in ("xenserver1", "xenserver3"):
        await datacentre.do({"do": "unplug_pbd", "sr": "nfs-vhd", "host": host})
    for ref in (vm, "OpaqueRef:x"):
        task = await rpc.call("task.create", "export", "")
        answer = await open_socket(
            f"GET /export?ref={ref}&session_id={rpc.session}&task_id={task} HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        assert answer == b""
        assert await rpc.call("task.get_error_info", task) == ["NO_HOSTS_AVAILABLE"]


async def test_a_host_that_does_not_see_the_disk_sends_the_client_to_one_that_does(
    rpc: Rpc, datacentre: Datacentre, http: aiohttp.ClientSession
) -> None:
    vm = await stop_guest(rpc, "web-local")
    member = datacentre.hosts["xenserver3"].https
    task = await rpc.call("task.create", "export", "")
    query = {"ref": vm, "session_id": rpc.session, "task_id": task}
    async with http.get(f"{member}/export", params=query, allow_redirects=False) as response:
        assert response.status == 302
        target = urlsplit(response.headers["Location"])
    assert f"{target.scheme}://{target.netloc}" == datacentre.hosts["xenserver1"].https
    assert dict(parse_qsl(target.query)) == query
    assert await rpc.call("task.get_status", task) == "pending"
    sent = await fetch(rpc, "/export", host=member, task=task, ref=vm)
    read_archive(sent.body)
    assert sent.task["status"] == "success"


async def test_a_guest_is_held_while_it_is_exported_and_several_exports_run_together(
    rpc: Rpc, datacentre: Datacentre, until: Until
) -> None:
    vm = await stop_guest(rpc, "centos54")
    await datacentre.do({"do": "pause_tasks", "at": 0.5})
    tasks = [await rpc.call("task.create", "export", "") for _ in range(2)]
    sending = [asyncio.create_task(fetch(rpc, "/export", task=task, ref=vm)) for task in tasks]

    def are_half() -> bool:
        shown = {task["progress"] for task in datacentre.state()["tasks"] if task["name"] == "export"}
        return len(shown) == 1 and shown.pop() >= 0.5

    await until(are_half)
    assert await rpc.call("VM.get_current_operations", vm) == dict.fromkeys(tasks, "export")
    assert "start" not in await rpc.call("VM.get_allowed_operations", vm)
    start = await rpc.call("Async.VM.start", vm, False, False)
    assert await rpc.call("task.get_status", start) == "pending"
    await datacentre.do({"do": "release_tasks"})
    for sent in await asyncio.gather(*sending):
        read_archive(sent.body)
        assert sent.task["status"] == "success"
    assert (await rpc.finish(start))["status"] == "success"


async def test_a_cancelled_export_ends_with_a_page_in_the_stream(
    rpc: Rpc, datacentre: Datacentre, until: Until
) -> None:
    vm = await stop_guest(rpc, "centos54")
    await datacentre.do({"do": "pause_tasks", "at": 0.5})
    task = await rpc.call("task.create", "export", "")
    sending = asyncio.create_task(fetch(rpc, "/export", task=task, ref=vm, use_compression="gzip"))
    await until(lambda: "export" in {guest["operation"] for guest in datacentre.state()["guests"]})
    await rpc.call("task.cancel", task)
    sent = await sending
    await datacentre.do({"do": "release_tasks"})
    assert (sent.task["status"], sent.task["error_info"]) == ("cancelled", [])
    unpacker = zlib.decompressobj(31)
    assert unpacker.decompress(sent.body)[-1024:] != bytes(1024)
    assert unpacker.eof
    assert unpacker.unused_data.startswith(b"HTTP/1.1 500 Internal Error\r\n")
    assert await rpc.call("VM.get_current_operations", vm) == {}


async def test_a_client_that_goes_away_ends_its_export(rpc: Rpc, datacentre: Datacentre) -> None:
    vm = await stop_guest(rpc, "centos54")
    await datacentre.do({"do": "hold_tasks"})
    task = await rpc.call("task.create", "export", "")
    url = f"{rpc.url}/export"
    async with rpc.http.get(url, params={"session_id": rpc.session, "task_id": task, "ref": vm}) as response:
        await response.content.readexactly(512)
        response.close()
    ended = await rpc.finish(task)
    assert ended["error_info"][0] == "CLIENT_ERROR"
    assert await rpc.call("VM.get_current_operations", vm) == {}


async def test_storage_that_is_lost_on_the_way_is_told_in_the_stream(
    rpc: Rpc, datacentre: Datacentre, until: Until
) -> None:
    vm = await stop_guest(rpc, "centos54")
    await datacentre.do({"do": "pause_tasks", "at": 0.5})
    sending = asyncio.create_task(fetch(rpc, "/export", ref=vm))
    await until(lambda: "export" in {guest["operation"] for guest in datacentre.state()["guests"]})
    await datacentre.do({"do": "unplug_pbd", "sr": "nfs-vhd", "host": "xenserver1"})
    await datacentre.do({"do": "release_tasks"})
    sent = await sending
    assert sent.status == 200
    assert sent.task["error_info"] == ["SR_BACKEND_FAILURE_47", "", "The SR is not available", ""]
    page = sent.body[sent.body.index(b"HTTP/1.1 500") :]
    assert b"SR_BACKEND_FAILURE_47: [ ; The SR is not available;  ]" in page


async def test_a_sleeping_guest_may_keep_its_memory(rpc: Rpc) -> None:
    vm = await rpc.find("VM", "sleeper")
    asleep = read_archive((await fetch(rpc, "/export", ref=vm, preserve_power_state="true")).body)
    assert asleep.only("VM")["power_state"] == "Suspended"
    assert asleep.only("VM")["suspend_VDI"] in {vdi["id"] for vdi in asleep.objects["VDI"] if vdi["type"] == "suspend"}
    assert len(asleep.disks) == 2
    awake = read_archive((await fetch(rpc, "/export", ref=vm)).body)
    assert (awake.only("VM")["power_state"], len(awake.disks)) == ("Halted", 1)
    refused = await fetch(rpc, "/export", ref=vm, preserve_power_state="1")
    assert refused.status == 500
    assert refused.task["error_info"][0] == "INTERNAL_ERROR"


async def test_another_operation_is_waited_for_two_minutes_and_no_longer(
    rpc: Rpc, datacentre: Datacentre, until: Until
) -> None:
    vm = await stop_guest(rpc, "centos54")
    await datacentre.do({"do": "stop_clock"})
    await datacentre.do({"do": "occupy_guest", "guest": "centos54", "operation": "snapshot", "seconds": 3600})
    task = await rpc.call("task.create", "export", "")
    sending = asyncio.create_task(fetch(rpc, "/export", task=task, ref=vm))
    await until(lambda: ["cancel"] in [one["allowed_operations"] for one in list_tasks(datacentre, "export")])
    await datacentre.do({"do": "advance", "seconds": 119})
    assert not sending.done()
    await datacentre.do({"do": "advance", "seconds": 2})
    sent = await sending
    assert sent.status == 500
    assert sent.task["error_info"][:3] == ["OTHER_OPERATION_IN_PROGRESS", "VM", vm]


def list_tasks(datacentre: Datacentre, label: str) -> list[dict[str, Any]]:
    """Returns the records of the tasks of that name."""
    return [
        record
        for pool in datacentre._pools
        for _, record in pool.database.items("task")
        if record["name_label"] == label
    ]


async def test_progress_is_written_every_ten_seconds_only(rpc: Rpc, datacentre: Datacentre, until: Until) -> None:
    vm = await stop_guest(rpc, "centos54")
    await datacentre.do({"do": "stop_clock"})
    slow = {"stream": "GET /export", "action": "slow", "mib_per_s": 0.5}
    await datacentre.do({"do": "arm_stream", "fault": slow})
    sending = asyncio.create_task(fetch(rpc, "/export", ref=vm))
    await until(lambda: datacentre.state()["faults"] == [])
    seen = []
    while not sending.done():
        await datacentre.do({"do": "advance", "seconds": 1})
        seen += [record["progress"] for record in list_tasks(datacentre, "export")]
    steps = sorted(set(seen))
    assert steps[0] == 0.0
    assert 4 <= len(steps) <= 7  # 50 seconds, and the end
    assert seen == sorted(seen)


async def test_a_session_may_come_as_a_cookie(rpc: Rpc, open_socket: Callable[[str], Awaitable[bytes]]) -> None:
    vm = await stop_guest(rpc, "centos54")
    cookie = f"Cookie: session_id={rpc.session}\r\n"
    answer = await open_socket(f"GET /export?ref={vm}&session_id=OpaqueRef:x HTTP/1.1\r\nHost: x\r\n{cookie}\r\n")
    read_archive(answer.partition(b"\r\n\r\n")[2])


async def test_a_disk_cannot_be_deleted_while_it_is_exported(rpc: Rpc, datacentre: Datacentre, until: Until) -> None:
    snapshot = await rpc.call("VM.snapshot", await rpc.find("VM", "centos54"), "backup")
    drives = [await rpc.call("VBD.get_record", vbd) for vbd in await rpc.call("VM.get_VBDs", snapshot)]
    (vdi,) = [drive["VDI"] for drive in drives if drive["type"] == "Disk"]
    await datacentre.do({"do": "pause_tasks", "at": 0.5})
    sending = asyncio.create_task(fetch(rpc, "/export", ref=snapshot))
    await until(lambda: max(task["progress"] for task in list_tasks(datacentre, "export") or [{"progress": 0}]) >= 0.5)
    assert await rpc.fail("VDI.destroy", vdi) == ["VDI_IN_USE", vdi, "destroy"]
    assert "destroy" not in await rpc.call("VDI.get_allowed_operations", vdi)
    await datacentre.do({"do": "release_tasks"})
    read_archive((await sending).body)
    await rpc.call("VM.destroy", snapshot)
    await rpc.call("VDI.destroy", vdi)


async def test_the_storage_is_as_before_some_time_after_a_backup(rpc: Rpc, datacentre: Datacentre) -> None:
    vm = await stop_guest(rpc, "centos54")
    sr = await rpc.find("SR", "nfs-vhd")
    used = await rpc.call("SR.get_physical_utilisation", sr)
    disks = set(await rpc.call("VDI.get_all"))
    snapshot = await rpc.call("VM.snapshot", vm, "backup")
    data = read_archive((await fetch(rpc, "/export", ref=snapshot)).body).digests()
    drives = [await rpc.call("VBD.get_record", vbd) for vbd in await rpc.call("VM.get_VBDs", snapshot)]
    await rpc.call("VM.destroy", snapshot)
    (vdi,) = [drive["VDI"] for drive in drives if drive["type"] == "Disk"]
    assert await rpc.call("VDI.get_uuid", vdi)  # only records were removed
    await rpc.call("VDI.destroy", vdi)
    assert await rpc.call("SR.get_physical_utilisation", sr) > used
    await datacentre.do({"do": "advance", "seconds": 3600})
    assert set(await rpc.call("VDI.get_all")) == disks
    assert await rpc.call("SR.get_physical_utilisation", sr) - used < 16 * 1024**2
    assert read_archive((await fetch(rpc, "/export", ref=vm)).body).digests() == data


async def test_a_dead_host_ends_its_exports(rpc: Rpc, datacentre: Datacentre, connect: Connect, until: Until) -> None:
    vm = await stop_guest(rpc, "centos54")
    await datacentre.do({"do": "pause_tasks", "at": 0.5})
    task = await rpc.call("task.create", "export", "")
    member = datacentre.hosts["xenserver3"].http
    sending = asyncio.create_task(fetch(rpc, "/export", host=member, task=task, ref=vm))
    await until(lambda: max(one["progress"] for one in list_tasks(datacentre, "export") or [{"progress": 0}]) >= 0.5)
    await datacentre.do({"do": "kill_host", "host": "xenserver3"})
    await datacentre.do({"do": "release_tasks"})
    try:
        body = (await sending).body
    except aiohttp.ClientError:
        body = b""
    assert body[-1024:] != bytes(1024)
    assert (await rpc.finish(task))["status"] == "failure"
    assert await rpc.call("VM.get_current_operations", vm) == {}


async def test_a_session_lives_as_long_as_its_stream(rpc: Rpc, datacentre: Datacentre, until: Until) -> None:
    vm = await stop_guest(rpc, "centos54")
    await datacentre.do({"do": "stop_clock"})
    slow = {"stream": "GET /export", "action": "slow", "mib_per_s": 0.00035}
    await datacentre.do({"do": "arm_stream", "fault": slow})
    sending = asyncio.create_task(fetch(rpc, "/export", ref=vm))
    await until(lambda: datacentre.state()["faults"] == [])
    await datacentre.do({"do": "advance", "seconds": 22 * 3600})
    read_archive((await sending).body)
    await datacentre.do({"do": "advance", "seconds": 3 * 3600})  # a day and an hour after its last call
    assert await rpc.call("VM.get_power_state", vm) == "Halted"
