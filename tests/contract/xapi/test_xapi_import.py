"""Archives become guests again, wherever they come from and whoever sends them."""

import asyncio
import io
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web as web_server
from archive_changes import change_members, count_objects, flip_block, read_result, send
from archive_client import fetch, read_archive, stop_guest
from datacentre_client import Rpc

from bot.lab.xapi import Datacentre

Talk = Callable[[bytes | str], Awaitable[bytes]]


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
