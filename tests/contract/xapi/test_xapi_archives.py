"""What is in an archive: older servers, raw disks, many disks, where data go when disks move; archives of strangers."""

import hashlib
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import zstandard
from archive_client import ARTICLE, fetch, put, read_archive, stop_guest, unpack
from datacentre_client import Rpc, running

from bot.lab.xapi import Datacentre

REAL = Path(__file__).parents[4] / "shared" / "reference" / "real-xapi" / "xva"


@pytest.fixture
async def old(tmp_path: Path, http: aiohttp.ClientSession) -> AsyncIterator[tuple[Datacentre, Rpc]]:
    """A pool of 2018 whose shared storage is LVM: it reads through zeros."""
    text = ARTICLE.read_text(encoding="utf-8").replace('xapi_build = "24.16.0"', 'xapi_build = "1.110.1"')
    text = text.replace('type = "nfs"', 'type = "lvmoiscsi"').replace(
        "size_gib = 40 }", "size_gib = 40, stored_mib = 3 }"
    )
    path = tmp_path / "old.toml"
    path.write_text(text, encoding="utf-8")
    async with running(str(path), http, speed=2000.0) as lab_and_client:
        yield lab_and_client


async def test_an_old_server_writes_sha1_and_takes_no_notice_of_zstd(old: tuple[Datacentre, Rpc]) -> None:
    _, rpc = old
    vm = await stop_guest(rpc, "centos54")
    sent = await fetch(rpc, "/export", ref=vm, use_compression="zstd")
    archive = read_archive(sent.body, suffix=".checksum")
    assert sent.body.startswith(b"ova.xml")
    assert (archive.version["xapi_major"], archive.version["xapi_minor"]) == ("1", "110")
    task = await rpc.call("task.create", "import", "")
    await put(rpc.http, f"{rpc.url}/import", sent.body, session_id=rpc.session, task_id=task)
    assert (await rpc.finish(task))["status"] == "success"


async def test_a_raw_disk_gives_signs_of_life_where_nothing_is_stored(old: tuple[Datacentre, Rpc]) -> None:
    _, rpc = old
    vm = await stop_guest(rpc, "db1")
    sent = await fetch(rpc, "/export", ref=vm)
    archive = read_archive(sent.body, suffix=".checksum")
    assert sorted(len(blocks) for blocks in archive.disks.values()) == [4, 26]
    assert len([name for name in archive.names if name.startswith("Ref:")]) > 4 + 26  # some have no data


async def test_disks_come_in_the_order_of_their_text(rpc: Rpc, datacentre: Datacentre) -> None:
    vm = await stop_guest(rpc, "db1")
    coordinator = next(machine for pool in datacentre._pools for machine in pool.machines.values())
    coordinator.archive_numbers = count(5)
    archive = read_archive((await fetch(rpc, "/export", ref=vm)).body)
    order = dict.fromkeys(name.partition("/")[0] for name in archive.names[1:])
    assert list(order) == ["Ref:12", "Ref:9"]
    assert (await import_archive(rpc, (await fetch(rpc, "/export", ref=vm)).body))["status"] == "success"


async def digest(rpc: Rpc, vm: str) -> dict[str, dict[int, str]]:
    return read_archive((await fetch(rpc, "/export", ref=vm)).body).digests()


async def test_data_follow_a_disk_that_moves_and_a_guest_that_is_copied(rpc: Rpc) -> None:
    vm = await rpc.find("VM", "centos54")
    snapshot = await rpc.call("VM.snapshot", vm, "before")
    data = await digest(rpc, snapshot)
    (vbd,) = [one for one in await rpc.call("VM.get_VBDs", vm) if await rpc.call("VBD.get_type", one) == "Disk"]
    host = await rpc.find("host", "xenserver1")
    (local,) = [
        await rpc.call("PBD.get_SR", pbd)
        for pbd in await rpc.call("host.get_PBDs", host)
        if await rpc.call("SR.get_type", await rpc.call("PBD.get_SR", pbd)) == "ext"
    ]
    await rpc.call("VDI.pool_migrate", await rpc.call("VBD.get_VDI", vbd), local, {})
    await stop_guest(rpc, "centos54")
    assert await digest(rpc, vm) == data
    assert await digest(rpc, await rpc.call("VM.clone", vm, "clone")) == data
    assert await digest(rpc, await rpc.call("VM.copy", vm, "copy", await rpc.find("SR", "nfs-vhd"))) == data
    await rpc.call("VM.revert", snapshot)
    assert await digest(rpc, vm) == data
    assert await digest(rpc, snapshot) == data


async def test_what_a_guest_writes_is_in_the_next_archive_and_not_in_an_older_snapshot(
    rpc: Rpc, datacentre: Datacentre
) -> None:
    vm = await rpc.find("VM", "centos54")
    before = await rpc.call("VM.snapshot", vm, "before")
    data = await digest(rpc, before)
    await datacentre.do({"do": "write_data", "guest": "centos54", "gib": 0.004})
    after = await digest(rpc, await rpc.call("VM.snapshot", vm, "after"))
    assert after["0"].keys() == data["0"].keys()
    assert sum(after["0"][number] != data["0"][number] for number in data["0"]) == 5
    assert await digest(rpc, before) == data


async def test_a_world_says_how_full_a_disk_is_and_another_start_has_the_same_data(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    text = ARTICLE.read_text(encoding="utf-8").replace("size_gib = 12 }", "size_gib = 12, stored_mib = 0 }")
    path = tmp_path / "empty.toml"
    path.write_text(text, encoding="utf-8")
    found = []
    for _ in range(2):
        async with running(str(path), http, speed=1000.0) as (_, rpc):
            assert await digest(rpc, await stop_guest(rpc, "winxp")) == {"0": {}}
            found.append(await digest(rpc, await stop_guest(rpc, "centos54")))
    assert found[0] == found[1]


async def import_archive(rpc: Rpc, body: bytes, **query: str) -> dict[str, Any]:
    task = await rpc.call("task.create", "import", "")
    await put(rpc.http, f"{rpc.url}/import", body, session_id=rpc.session, task_id=task, **query)
    return await rpc.finish(task)


async def test_data_that_the_lab_never_made_come_back_as_they_were(rpc: Rpc) -> None:
    vm = await stop_guest(rpc, "centos54")
    plain = (await fetch(rpc, "/export", ref=vm)).body
    foreign = plain.replace(b"The quick brown fox", b"The quick green fox")
    record = await import_archive(rpc, foreign, force="true")  # the digests are those of the brown one
    assert record["status"] == "success"
    (made,) = [ref for ref in await rpc.call("VM.get_by_name_label", "centos54") if ref != vm]
    again = (await fetch(rpc, "/export", ref=made)).body
    assert read_archive(again).digests()["0"].keys() == read_archive(plain).digests()["0"].keys()
    assert again.count(b"The quick green fox") == foreign.count(b"The quick green fox") > 0


@pytest.mark.skipif(not REAL.is_dir(), reason="The archives of a real server are not beside the checkout.")
@pytest.mark.parametrize(
    "name",
    ["lab-disk.xva.zst", "lab-sparse.xva.gz", "lab-sparse.xva.zst", "lab-vm1.xva", "xo-gzip.xva", "xo-zstd.xva"],
)
async def test_archives_of_a_real_server_are_imported_and_exported_with_the_same_data(rpc: Rpc, name: str) -> None:
    body = (REAL / name).read_bytes()
    record = await import_archive(rpc, body)
    assert record["status"] == "success", record["error_info"]
    original = read_archive(body) if not body.startswith(b"\x1f\x8b") else read_archive(unpack(body))
    (made,) = [
        ref
        for ref, vm in (await rpc.call("VM.get_all_records")).items()
        if vm["other_config"].get("import_task", "") and vm["power_state"] == "Halted"
    ]
    sent = (await fetch(rpc, "/export", ref=made)).body
    assert read_archive(sent).digests() == original.digests()


def test_the_same_block_is_the_same_for_ever() -> None:
    from bot.lab.xapi.archive.blocks import MadeBlock, recognise

    block = MadeBlock("0c1b5b0e-7d1d-4f7f-8d9b-3f1a2b3c4d5e", 7)
    data = block.read()
    assert len(data) == 1024**2
    assert recognise(data) == block
    assert recognise(data[:-1] + b"?") is None
    assert len(zstandard.compress(data)) < len(data) * 0.6
    assert hashlib.sha256(data).hexdigest() == "83928170dd4e9abb85a0f4385b1b36f7dd856d3ccdff31466f963cae7a079994"
