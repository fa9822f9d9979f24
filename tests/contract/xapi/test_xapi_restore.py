"""What a restored guest brings along besides its disks: media, memory, its host; and what force keeps."""

from typing import Any

import aiohttp
import pytest
from archive_client import ARTICLE, fetch, put, read_archive, stop_guest
from datacentre_client import Rpc, running
from storage_client import add_storage

from bot.lab.xapi import Datacentre


async def send(rpc: Rpc, body: bytes, **query: str) -> dict[str, Any]:
    """Imports an archive; returns the task at its end."""
    task = await rpc.call("task.create", "import", "")
    await put(rpc.http, f"{rpc.url}/import", body, session_id=rpc.session, task_id=task, **query)
    return await rpc.finish(task)


async def find_made(rpc: Rpc) -> dict[str, Any]:
    """Returns the guest that was imported."""
    (made,) = [vm for vm in (await rpc.call("VM.get_all_records")).values() if "import_task" in vm["other_config"]]
    return made


async def test_a_medium_is_found_in_its_library_by_its_place_or_ejected(rpc: Rpc) -> None:
    library = await add_storage(rpc, "images", "iso")
    medium = (await rpc.call("SR.get_VDIs", library))[0]
    vm = await rpc.find("VM", "centos54")
    drives = {vbd: await rpc.call("VBD.get_type", vbd) for vbd in await rpc.call("VM.get_VBDs", vm)}
    (drive,) = [vbd for vbd, kind in drives.items() if kind == "CD"]
    await rpc.call("VBD.insert", drive, medium)
    await stop_guest(rpc, "centos54")
    body = (await fetch(rpc, "/export", ref=vm)).body
    archive = read_archive(body)
    assert len(archive.disks) == 1  # no image goes out
    assert len(archive.objects["VDI"]) == 2
    assert (await send(rpc, body))["status"] == "success"
    made = await find_made(rpc)
    records = [await rpc.call("VBD.get_record", vbd) for vbd in made["VBDs"]]
    assert [record["VDI"] for record in records if record["type"] == "CD"] == [medium]
    await rpc.call("VM.destroy", await rpc.call("VM.get_by_uuid", made["uuid"]))
    for vdi in await rpc.call("SR.get_VDIs", library):
        await rpc.call("VDI.forget", vdi)
    assert (await send(rpc, body))["status"] == "success"
    records = [await rpc.call("VBD.get_record", vbd) for vbd in (await find_made(rpc))["VBDs"]]
    assert [record["empty"] for record in records if record["type"] == "CD"] == [True]


async def test_a_sleeping_guest_is_restored_asleep_and_wakes(rpc: Rpc) -> None:
    vm = await rpc.find("VM", "sleeper")
    body = (await fetch(rpc, "/export", ref=vm, preserve_power_state="true")).body
    assert (await send(rpc, body))["status"] == "success"
    made = await find_made(rpc)
    assert made["power_state"] == "Suspended"
    ref = await rpc.call("VM.get_by_uuid", made["uuid"])
    again = (await fetch(rpc, "/export", ref=ref, preserve_power_state="true")).body
    assert read_archive(again).digests() == read_archive(body).digests()
    await rpc.call("VM.resume", ref, False, False)
    assert await rpc.call("VM.get_power_state", ref) == "Running"


async def test_a_home_is_kept_where_the_host_is_known(rpc: Rpc, datacentre: Datacentre) -> None:
    vm = await stop_guest(rpc, "centos54")
    host = await rpc.find("host", "xenserver3")
    await rpc.call("VM.set_affinity", vm, host)
    body = (await fetch(rpc, "/export", ref=vm)).body
    assert read_archive(body).only("host")["name_label"] == "xenserver3"
    await send(rpc, body)
    assert (await find_made(rpc))["affinity"] == host
    elsewhere = await Rpc(rpc.http, datacentre.hosts["xenserver4"].http).login()
    await send(elsewhere, body)
    made = await find_made(elsewhere)
    assert made["affinity"] == "OpaqueRef:NULL"
    assert made["name_label"] == "centos54"


async def test_what_was_made_by_force_stays_though_its_data_are_cut(rpc: Rpc) -> None:
    vm = await stop_guest(rpc, "centos54")
    body = (await fetch(rpc, "/export", ref=vm, use_compression="gzip")).body
    record = await send(rpc, body[: len(body) // 2], force="true")
    assert record["error_info"] == ["IMPORT_ERROR_PREMATURE_EOF"]
    made = await find_made(rpc)
    assert (made["power_state"], made["current_operations"]) == ("Halted", {})
    assert len(made["VBDs"]) == 2


@pytest.fixture
def old_world(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The world of the article with a toolstack of 2018, which calls itself as new as the other."""
    text = ARTICLE.read_text(encoding="utf-8").replace('xapi_build = "26.17.0"', 'xapi_build = "1.110.1"')
    path = tmp_path_factory.mktemp("world") / "old.toml"
    path.write_text(text.replace('xapi_build = "24.16.0"', 'xapi_build = "1.180.0"'), encoding="utf-8")
    return str(path)


async def test_an_old_server_knows_neither_zstd_nor_the_newer_companions(
    old_world: str, http: aiohttp.ClientSession
) -> None:
    async with running(old_world, http, speed=1000.0) as (lab, rpc):
        vm = await stop_guest(rpc, "centos54")
        plain, packed = [
            (await fetch(rpc, "/export", ref=vm, use_compression=how)).body.replace(
                b"<name>xapi_minor</name><value>180</value>", b"<name>xapi_minor</name><value>110</value>"
            )
            for how in ("", "zstd")
        ]
        old = await Rpc(http, lab.hosts["xenserver-fp1"].http).login()
        code, text = (await send(old, plain))["error_info"]
        assert code == "IMPORT_ERROR"
        assert "Expected to find an inline checksum, found file called: Ref:" in text
        assert (await send(old, packed))["error_info"] == ["IMPORT_ERROR_PREMATURE_EOF"]
