"""Archives become guests again, or nothing of them is left and the task says why."""

import asyncio
import io
import tarfile
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from xmlrpc.client import loads

import pytest
from aiohttp import web as web_server
from archive_client import fetch, put, read_archive, stop_guest
from datacentre_client import PASSWORD, Connect, Rpc

from bot.lab.xapi import Datacentre

Talk = Callable[[bytes | str], Awaitable[bytes]]


async def send(rpc: Rpc, body: bytes, host: str = "", **query: str) -> tuple[bytes, dict[str, Any]]:
    """Imports an archive; returns what came in the answer's body and the task's record at its end."""
    task = await rpc.call("task.create", "import", "")
    status, head, answer = await put(
        rpc.http, f"{host or rpc.url}/import", body, session_id=rpc.session, task_id=task, **query
    )
    assert status == 200
    assert head["task-id"] == task
    return answer, await rpc.finish(task)


def read_result(record: dict[str, Any]) -> list[str]:
    """Returns the guests that a task made."""
    assert record["status"] == "success", record["error_info"]
    body = f"<methodResponse><params><param>{record['result']}</param></params></methodResponse>"
    ((guests,), _) = loads(body)
    assert isinstance(guests, list)
    return guests


async def count_objects(rpc: Rpc) -> dict[str, int]:
    """Returns how many objects there are of each class that an import makes, and what the storage holds."""
    classes = ("VM", "VDI", "VBD", "VIF", "network", "VM_metrics", "VM_guest_metrics")
    counts = {name: len(await rpc.call(f"{name}.get_all")) for name in classes}
    sr = await rpc.find("SR", "nfs-vhd")
    return counts | {"used": await rpc.call("SR.get_physical_utilisation", sr)}


def change_members(body: bytes, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> bytes:
    """Returns an archive with its members changed or, for None, left out; written in another flavour of tar."""
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(body)) as tape,
        tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as copy,
    ):
        for member in tape:
            found = tape.extractfile(member)
            assert found is not None
            changed = change(member.name, found.read())
            if changed is not None:
                entry = tarfile.TarInfo(changed[0])
                entry.size = len(changed[1])
                copy.addfile(entry, io.BytesIO(changed[1]))
    return out.getvalue()


@pytest.fixture
async def archive(rpc: Rpc) -> bytes:
    """The archive of `centos54`, which is halted."""
    vm = await stop_guest(rpc, "centos54")
    return (await fetch(rpc, "/export", ref=vm)).body


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
async def test_what_was_exported_comes_back_with_the_same_data(rpc: Rpc, compression: str) -> None:
    vm = await stop_guest(rpc, "centos54")
    original = (await fetch(rpc, "/export", ref=vm, use_compression=compression)).body
    answer, record = await send(rpc, original)
    assert answer == b""
    assert record["other_config"] == {"object_creation": "complete"}
    (made,) = read_result(record)
    again = (await fetch(rpc, "/export", ref=made)).body
    assert read_archive(again).digests() == read_archive(original).digests()
    guest = await rpc.call("VM.get_record", made)
    old = await rpc.call("VM.get_record", vm)
    assert guest["name_label"] == "centos54"
    assert guest["uuid"] != old["uuid"]
    assert guest["other_config"]["mac_seed"] != old["other_config"]["mac_seed"]
    assert guest["other_config"]["import_task"].startswith("OpaqueRef:")
    assert (guest["power_state"], guest["current_operations"], guest["version"]) == ("Halted", {}, 0)
    await rpc.call("VM.start", made, False, False)


async def test_an_imported_guest_is_like_its_origin_but_for_its_identity(rpc: Rpc, archive: bytes) -> None:
    vm = await rpc.find("VM", "centos54")
    (made,) = read_result((await send(rpc, archive))[1])
    old, new = await rpc.call("VM.get_record", vm), await rpc.call("VM.get_record", made)
    for name in (
        "memory_static_max",
        "VCPUs_max",
        "HVM_boot_params",
        "platform",
        "tags",
        "domain_type",
        "is_a_template",
    ):
        assert new[name] == old[name], name
    vifs = [await rpc.call("VIF.get_record", guest["VIFs"][0]) for guest in (old, new)]
    assert vifs[0]["MAC"] != vifs[1]["MAC"]
    assert vifs[0]["network"] == vifs[1]["network"]
    drives = {record["userdevice"]: record for vbd in new["VBDs"] for record in [await rpc.call("VBD.get_record", vbd)]}
    assert drives.keys() == {"0", "3"}
    assert (drives["3"]["type"], drives["3"]["empty"]) == ("CD", True)
    disk = await rpc.call("VDI.get_record", drives["0"]["VDI"])
    assert (disk["virtual_size"], disk["name_label"]) == (8 * 1024**3, "centos54 0")
    assert 24 * 1024**2 <= disk["physical_utilisation"] <= 40 * 1024**2


async def test_a_restored_guest_has_its_old_identity_once_the_old_one_is_gone(rpc: Rpc, archive: bytes) -> None:
    vm = await rpc.find("VM", "centos54")
    old = await rpc.call("VM.get_record", vm)
    mac = await rpc.call("VIF.get_MAC", old["VIFs"][0])
    refused = (await send(rpc, archive, restore="true"))[1]
    assert refused["error_info"] == ["VM_TO_IMPORT_IS_NOT_NEWER_VERSION", vm, "0", "0"]
    await rpc.call("VM.start", vm, False, False)
    refused = (await send(rpc, archive, restore="true", force="true"))[1]
    assert refused["error_info"] == ["VM_BAD_POWER_STATE", vm, "Halted", "Running"]
    await rpc.call("VM.hard_shutdown", vm)
    snapshot = await rpc.call("VM.snapshot", vm, "left behind")
    refused = (await send(rpc, archive, restore="true", force="true"))[1]
    assert refused["error_info"] == ["DUPLICATE_MAC_SEED", old["other_config"]["mac_seed"]]
    await rpc.call("VM.destroy", snapshot)
    (made,) = read_result((await send(rpc, archive, restore="true", force="true"))[1])
    new = await rpc.call("VM.get_record", made)
    assert (new["uuid"], new["version"]) == (old["uuid"], 1)
    assert new["other_config"]["mac_seed"] == old["other_config"]["mac_seed"]
    assert await rpc.call("VIF.get_MAC", new["VIFs"][0]) == mac
    assert (await rpc.fail("VM.get_record", vm))[0] == "HANDLE_INVALID"


async def test_an_exported_snapshot_comes_back_as_a_template(rpc: Rpc) -> None:
    snapshot = await rpc.call("VM.snapshot", await rpc.find("VM", "centos54"), "backup")
    body = (await fetch(rpc, "/export", ref=snapshot)).body
    (made,) = read_result((await send(rpc, body))[1])
    record = await rpc.call("VM.get_record", made)
    assert (record["name_label"], record["is_a_template"], record["is_a_snapshot"]) == ("backup", True, False)
    await rpc.call("VM.set_is_a_template", made, False)
    await rpc.call("VM.start", made, False, False)


async def test_a_network_is_found_by_name_then_by_bridge_and_made_otherwise(rpc: Rpc, archive: bytes) -> None:
    known = await rpc.find("network", "Pool-wide network associated with eth0")
    await rpc.call("network.set_name_label", known, "renamed")
    (by_bridge,) = read_result((await send(rpc, archive))[1])
    vif = (await rpc.call("VM.get_VIFs", by_bridge))[0]
    assert await rpc.call("VIF.get_network", vif) == known
    elsewhere = change_members(
        archive, lambda name, data: (name, data.replace(b"<value>xenbr0</value>", b"<value>br9</value>"))
    )
    (by_itself,) = read_result((await send(rpc, elsewhere))[1])
    network = await rpc.call("VIF.get_network", (await rpc.call("VM.get_VIFs", by_itself))[0])
    assert network != known
    assert await rpc.call("network.get_name_label", network) == "Pool-wide network associated with eth0"


def cut(size: int) -> Callable[[bytes], bytes]:
    return lambda body: body[:size]


def flip_block(body: bytes) -> bytes:
    def change(name: str, data: bytes) -> tuple[str, bytes]:
        return name, bytes([data[0] ^ 1]) + data[1:] if name.endswith("/00000000") else data

    return change_members(body, change)


def drop_companion(body: bytes) -> bytes:
    return change_members(body, lambda name, data: None if name.endswith("/00000000.xxhash") else (name, data))


def rename_first(body: bytes) -> bytes:
    return zlib.compress(change_members(body, lambda name, data: (name.replace("ova.xml", "ovf.xml"), data)), wbits=31)


def rename_disk(body: bytes) -> bytes:
    return change_members(body, lambda name, data: (name.replace("Ref:", "Ref:9"), data))


def make_newer(body: bytes) -> bytes:
    return change_members(
        body, lambda name, data: (name, data.replace(b"xapi_major</name><value>24<", b"xapi_major</name><value>99<"))
    )


def cut_reference(body: bytes) -> bytes:
    return change_members(
        body, lambda name, data: (name, data.replace(b"<name>VDI</name><value>Ref:", b"<name>VDI</name><value>Ref:77"))
    )


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda body: b"<html>junk</html>" * 300, ["IMPORT_ERROR_PREMATURE_EOF"]),
        (lambda body: b"", ["IMPORT_ERROR_PREMATURE_EOF"]),
        (lambda body: zlib.compress(body, 1, wbits=31)[:500_000], ["IMPORT_ERROR_PREMATURE_EOF"]),
        (rename_first, ["IMPORT_ERROR_UNEXPECTED_FILE", "ova.xml", "ovf.xml"]),
        (make_newer, ["IMPORT_INCOMPATIBLE_VERSION"]),
        (rename_disk, ["IMPORT_ERROR", 'INTERNAL_ERROR: [ Failure("Invalid XVA file") ]']),
    ],
)
async def test_a_bad_archive_leaves_nothing_and_a_page_in_the_answer(
    rpc: Rpc, archive: bytes, damage: Callable[[bytes], bytes], error: list[str]
) -> None:
    before = await count_objects(rpc)
    answer, record = await send(rpc, damage(archive))
    assert (record["status"], record["error_info"]) == ("failure", error)
    assert answer.startswith(b"HTTP/1.1 500 Internal Error\r\n")
    assert error[0].encode() in answer
    assert await count_objects(rpc) == before


async def test_a_wrong_block_is_named_with_both_digests_and_forgiven_only_by_force(rpc: Rpc, archive: bytes) -> None:
    before = await count_objects(rpc)
    _, record = await send(rpc, flip_block(archive))
    code, text = record["error_info"]
    assert code == "IMPORT_ERROR"
    assert text.startswith('INTERNAL_ERROR: [ Stream_vdi.Invalid_checksum("Block Ref:')
    assert "/00000000 checksum failed: original = " in text
    assert await count_objects(rpc) == before
    read_result((await send(rpc, flip_block(archive), force="true"))[1])
    _, record = await send(rpc, drop_companion(archive))
    assert "Expected to find an inline checksum, found file called: Ref:" in record["error_info"][1]
    _, record = await send(rpc, cut_reference(archive))
    assert record["error_info"][0] == "IMPORT_ERROR_FAILED_TO_FIND_OBJECT"


async def test_a_cut_archive_is_waited_for_until_the_client_closes(rpc: Rpc, archive: bytes, open_socket: Talk) -> None:
    before = await count_objects(rpc)
    task = await rpc.call("task.create", "import", "")
    head = f"PUT /import?session_id={rpc.session}&task_id={task} HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await open_socket(head.encode() + archive[:5_000_000])
    record = await rpc.finish(task)
    assert record["error_info"] == ["IMPORT_ERROR_PREMATURE_EOF"]
    assert record["other_config"] == {"object_creation": "complete"}
    assert await count_objects(rpc) == before


async def test_what_is_wrong_with_the_request_is_answered_before_the_body_is_read(
    rpc: Rpc, connect: Connect, datacentre: Datacentre, open_socket: Talk
) -> None:
    async def ask(who: Rpc, **query: str) -> tuple[int, str, dict[str, Any]]:
        task = await rpc.call("task.create", "import", "")
        session = query.pop("session_id", who.session)
        status, _, page = await put(rpc.http, f"{rpc.url}/import", b"x", session_id=session, task_id=task, **query)
        return status, page.decode(), await rpc.call("task.get_record", task)

    status, _, task = await ask(rpc, session_id="OpaqueRef:bad")
    assert (status, task["status"]) == (401, "pending")
    status, _, task = await ask(await connect("xenserver1").login("vm-operator"))
    assert (status, task["error_info"][:2]) == (403, ["RBAC_PERMISSION_DENIED", "http/put_import"])
    status, page, task = await ask(rpc, sr_uuid="x")
    assert status == 500
    assert "Db_exn.Read_missing_uuid(&quot;SR&quot;, &quot;&quot;, &quot;x&quot;)" in page
    assert task["error_info"] == ["RBAC_PERMISSION_DENIED", "http/put_import", "UUID_INVALID: [ SR; x ]"]
    await rpc.call("pool.set_default_SR", (await rpc.call("pool.get_all"))[0], "OpaqueRef:NULL")
    status, page, task = await ask(rpc)
    assert status == 500
    assert "DEFAULT_SR_NOT_FOUND: [ OpaqueRef:NULL ]" in page
    sr = await rpc.find("SR", "nfs-vhd")
    task_ref = await rpc.call("task.create", "import", "")
    answer = await open_socket(
        f"PUT /import?sr_id={sr}&session_id={rpc.session}&task_id={task_ref} HTTP/1.1\r\n"
        "Host: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert await rpc.call("task.get_error_info", task_ref) == ["IMPORT_ERROR_CANNOT_HANDLE_CHUNKED"]
    for host in ("xenserver1", "xenserver3"):
        await datacentre.do({"do": "unplug_pbd", "sr": "nfs-vhd", "host": host})
    status, page, _ = await ask(rpc, sr_id=sr)
    assert status == 500
    assert "NO_HOSTS_AVAILABLE" in page


async def test_a_library_and_a_pool_under_upgrade_are_refused(rpc: Rpc) -> None:
    iso = await rpc.call("SR.introduce", "0f3f2a9e-5c1f-4d53-9d7e-3f7f7a2b1c11", "ISOs", "", "iso", "iso", False, {})
    host = await rpc.find("host", "xenserver1")
    pbd = await rpc.call("PBD.create", {"host": host, "SR": iso, "device_config": {"location": "x"}})
    await rpc.call("PBD.plug", pbd)

    async def refuse(error: str) -> None:
        task = await rpc.call("task.create", "import", "")
        query = {"session_id": rpc.session, "task_id": task, "sr_id": iso}
        status, _, page = await put(rpc.http, f"{rpc.url}/import", b"x", **query)
        assert status == 400
        assert f"{error}: [  ]" in page.decode()
        assert await rpc.call("task.get_error_info", task) == [error]

    await refuse("SR_OPERATION_NOT_SUPPORTED")
    (pool,) = await rpc.call("pool.get_all")
    await rpc.call("pool.add_to_other_config", pool, "rolling_upgrade_in_progress", "true")
    await refuse("NOT_SUPPORTED_DURING_UPGRADE")


async def test_a_host_without_the_storage_sends_the_client_to_one_with_it(
    rpc: Rpc, datacentre: Datacentre, archive: bytes
) -> None:
    (local,) = [
        sr
        for sr, record in (await rpc.call("SR.get_all_records")).items()
        if record["name_label"] == "Local storage"
        and await rpc.call("PBD.get_host", record["PBDs"][0]) == await rpc.find("host", "xenserver3")
    ]
    query = {"session_id": rpc.session, "sr_id": local}
    async with rpc.http.put(
        f"{rpc.url}/import", params=query, data=io.BytesIO(archive), allow_redirects=False
    ) as response:
        assert response.status == 302
        assert response.headers["Location"].startswith(f"{datacentre.hosts['xenserver3'].https}/import?")
    (made,) = read_result((await send(rpc, archive, host=datacentre.hosts["xenserver3"].https, sr_id=local))[1])
    vbds = [await rpc.call("VBD.get_record", vbd) for vbd in await rpc.call("VM.get_VBDs", made)]
    (disk,) = [vbd["VDI"] for vbd in vbds if vbd["type"] == "Disk"]
    assert await rpc.call("VDI.get_SR", disk) == local


async def test_a_storage_that_fills_up_on_the_way_is_an_input_output_error(
    rpc: Rpc, datacentre: Datacentre, archive: bytes
) -> None:
    await datacentre.do({"do": "fill_sr", "sr": "nfs-vhd", "free_gib": 0.02})
    before = await count_objects(rpc)
    _, record = await send(rpc, archive)
    assert record["error_info"] == ["VDI_IO_ERROR", "Device I/O errors"]
    assert await count_objects(rpc) == before
    await datacentre.do({"do": "fill_sr", "sr": "nfs-vhd", "free_gib": 0.001})
    _, record = await send(rpc, archive)
    assert record["error_info"][0] == "SR_BACKEND_FAILURE_44"


async def test_a_cancelled_import_leaves_nothing(rpc: Rpc, datacentre: Datacentre, archive: bytes) -> None:
    before = await count_objects(rpc)
    await datacentre.do({"do": "pause_tasks", "at": 0.5})
    task = await rpc.call("task.create", "import", "")
    sending = asyncio.create_task(put(rpc.http, f"{rpc.url}/import", archive, session_id=rpc.session, task_id=task))
    async with asyncio.timeout(20):
        while await rpc.call("task.get_progress", task) < 0.5:
            await datacentre.changed(datacentre.revision())
    (made,) = [ref for ref, vm in (await rpc.call("VM.get_all_records")).items() if "import_task" in vm["other_config"]]
    assert await rpc.call("VM.get_current_operations", made) == {task: "import"}
    assert await rpc.call("VM.get_allowed_operations", made) == []
    await rpc.call("task.cancel", task)
    assert (await rpc.finish(task))["status"] == "cancelled"
    await datacentre.do({"do": "release_tasks"})
    _, _, answer = await sending
    assert b"TASK_CANCELLED" in answer
    assert await count_objects(rpc) == before
    assert PASSWORD.encode() not in answer


@pytest.fixture
async def web(archive: bytes) -> AsyncIterator[str]:
    """A web server with the archive at /guest.xva, behind a redirection at /old, and half of it at /half."""

    async def serve(request: web_server.BaseRequest) -> web_server.Response:
        if request.path == "/old":
            return web_server.Response(status=302, headers={"Location": "/guest.xva"})
        return web_server.Response(body=archive if request.path == "/guest.xva" else archive[:2_000_000])

    runner = web_server.ServerRunner(web_server.Server(serve))
    await runner.setup()
    site = web_server.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_host_fetches_an_archive_by_itself(rpc: Rpc, archive: bytes, web: str) -> None:
    sr = await rpc.find("SR", "nfs-vhd")
    (made,) = await rpc.call("VM.import", f"{web}/old", sr, False, False)
    again = (await fetch(rpc, "/export", ref=made)).body
    assert read_archive(again).digests() == read_archive(archive).digests()
    before = await count_objects(rpc)
    assert await rpc.fail("VM.import", f"{web}/half", sr, False, False) == ["IMPORT_ERROR_PREMATURE_EOF"]
    assert (await rpc.fail("VM.import", "http://127.0.0.1:1/", sr, False, False))[0] == "IMPORT_ERROR"
    assert (await rpc.fail("VM.import", "file:///etc/passwd", sr, False, False))[0] == "INVALID_VALUE"
    assert await count_objects(rpc) == before


async def test_an_import_whose_client_dies_after_the_last_byte_succeeds(
    rpc: Rpc, archive: bytes, datacentre: Datacentre
) -> None:
    await datacentre.do({"do": "set_speed", "speed": 2.0})  # the server is slower than the client
    task = await rpc.call("task.create", "import", "")
    host, _, port = rpc.url.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    query = f"session_id={rpc.session}&task_id={task}"
    writer.write(f"PUT /import?{query} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(archive)}\r\n\r\n".encode())
    writer.write(archive)
    await writer.drain()
    writer.close()
    (made,) = read_result(await rpc.finish(task))
    assert read_archive((await fetch(rpc, "/export", ref=made)).body).digests() == read_archive(archive).digests()


@pytest.mark.parametrize("is_packed", [False, True])
async def test_an_upload_of_the_oldest_http_ends_with_its_archive(
    rpc: Rpc, archive: bytes, open_socket: Talk, *, is_packed: bool
) -> None:
    task = await rpc.call("task.create", "import", "")
    body = zlib.compress(archive, 1, wbits=31) if is_packed else archive
    answer = await open_socket(f"PUT /import?session_id={rpc.session}&task_id={task} HTTP/1.0\r\n\r\n".encode() + body)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    read_result(await rpc.finish(task))


async def test_a_network_that_was_made_for_an_import_goes_with_it(rpc: Rpc, archive: bytes) -> None:
    def elsewhere(name: str, data: bytes) -> tuple[str, bytes]:
        data = data.replace(b"<value>xenbr0</value>", b"<value>br9</value>")
        return name, data.replace(b"Pool-wide network associated with eth0", b"A network of elsewhere")

    before = await count_objects(rpc)
    _, record = await send(rpc, flip_block(change_members(archive, elsewhere)))
    assert record["error_info"][0] == "IMPORT_ERROR"
    assert await count_objects(rpc) == before
    read_result((await send(rpc, change_members(archive, elsewhere)))[1])
    assert (await count_objects(rpc))["network"] == before["network"] + 1
