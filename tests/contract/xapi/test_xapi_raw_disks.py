"""Single disks go out and come in: as they are, as VHD whole or as a difference, as the blocks of an archive."""

import io
import random
import struct
import tarfile

import pytest
from archive_client import BLOCK, fetch, put
from datacentre_client import Rpc

from bot.lab.xapi import Datacentre

SIZE = 9 * BLOCK + 1024
NOISE = random.Random(7)  # noqa: S311  the same noise in each run
STORED = {0: NOISE.randbytes(BLOCK), 5: NOISE.randbytes(BLOCK), 9: NOISE.randbytes(1024)}


def make_image(stored: dict[int, bytes]) -> bytes:
    return b"".join(stored.get(number, bytes(BLOCK)) for number in range(9)) + stored.get(9, bytes(1024))


IMAGE = make_image(STORED)


async def make_disk(rpc: Rpc, size: int = SIZE) -> str:
    record = {
        "SR": await rpc.find("SR", "nfs-vhd"),
        "virtual_size": size,
        "type": "user",
        "sharable": False,
        "read_only": False,
        "other_config": {},
    }
    return await rpc.call("VDI.create", record)


async def send(rpc: Rpc, body: bytes, **query: str) -> dict[str, object]:
    task = await rpc.call("task.create", "import", "")
    await put(rpc.http, f"{rpc.url}/import_raw_vdi", body, session_id=rpc.session, task_id=task, **query)
    return await rpc.finish(task)


@pytest.fixture
async def disk(rpc: Rpc) -> str:
    """A disk that holds `IMAGE`."""
    vdi = await make_disk(rpc)
    record = await send(rpc, IMAGE, vdi=vdi)
    assert record["status"] == "success", record["error_info"]
    return vdi


def read_vhd(body: bytes, base: bytes = bytes(SIZE)) -> bytes:
    """Returns the disk that a file describes, read by the letter of the format."""
    footer, header = body[:512], body[512:1536]
    assert body[-512:] == footer
    for part, place in ((footer, 64), (header, 36)):
        told = struct.unpack_from(">I", part, place)[0]
        assert told == ~(sum(part) - sum(part[place : place + 4])) & 0xFFFFFFFF
    assert (footer[:8], header[:8]) == (b"conectix", b"cxsparse")
    size = struct.unpack_from(">Q", footer, 48)[0]
    table_at, entries, block = struct.unpack_from(">Q4xII", header, 16)
    disk = bytearray(base)
    for number in range(entries):
        sector = struct.unpack_from(">I", body, table_at + 4 * number)[0]
        if sector != 0xFFFFFFFF:
            start = sector * 512
            assert body[start : start + 512] == b"\xff" * 512
            disk[number * block : (number + 1) * block] = body[start + 512 : start + 512 + block]
    return bytes(disk[:size])


async def test_a_disk_goes_in_and_out_as_it_is(rpc: Rpc, disk: str) -> None:
    sent = await fetch(rpc, "/export_raw_vdi", vdi=await rpc.call("VDI.get_uuid", disk))
    assert (sent.status, sent.task["status"]) == (200, "success")
    assert sent.headers["content-type"] == "application/octet-stream"
    assert sent.body == IMAGE
    assert 3 * BLOCK <= await rpc.call("VDI.get_physical_utilisation", disk) <= 11 * BLOCK


async def test_a_disk_is_made_for_data_of_a_known_length(rpc: Rpc) -> None:
    record = await send(rpc, IMAGE, sr_id=await rpc.find("SR", "nfs-vhd"))
    (made,) = [vdi for vdi, one in (await rpc.call("VDI.get_all_records")).items() if one["virtual_size"] == SIZE]
    assert record["result"] == f"<value>{made}</value>"
    assert (await fetch(rpc, "/export_raw_vdi", vdi=made)).body == IMAGE


async def test_a_vhd_holds_what_the_disk_holds_and_goes_back(rpc: Rpc, disk: str) -> None:
    sent = await fetch(rpc, "/export_raw_vdi", vdi=disk, format="vhd")
    assert sent.headers["content-type"] == "application/vhd"
    assert read_vhd(sent.body) == IMAGE
    copy = await make_disk(rpc)
    assert (await send(rpc, sent.body, vdi=copy, format="vhd"))["status"] == "success"
    assert (await fetch(rpc, "/export_raw_vdi", vdi=copy)).body == IMAGE


async def test_a_vhd_of_a_difference_needs_what_it_is_a_difference_to(rpc: Rpc, disk: str) -> None:
    snapshot = await rpc.call("VDI.snapshot", disk, {})
    changed = make_image(STORED | {5: bytes(BLOCK), 7: NOISE.randbytes(BLOCK)})
    await send(rpc, changed, vdi=disk)
    sent = await fetch(rpc, "/export_raw_vdi", vdi=disk, format="vhd", base=snapshot)
    assert len(sent.body) < 5 * BLOCK
    assert read_vhd(sent.body, IMAGE) == changed
    copy = await make_disk(rpc)
    await send(rpc, IMAGE, vdi=copy)
    await send(rpc, sent.body, vdi=copy, format="vhd")
    assert (await fetch(rpc, "/export_raw_vdi", vdi=copy)).body == changed
    assert (await fetch(rpc, "/export_raw_vdi", vdi=snapshot)).body == IMAGE


async def test_pieces_in_a_frame_of_their_own_are_written_where_they_belong(rpc: Rpc) -> None:
    vdi = await make_disk(rpc)
    pieces = [(number * BLOCK, data) for number, data in STORED.items()] + [(0, b"")]
    framed = b"".join(struct.pack("<QI", offset, len(data)) + data for offset, data in pieces)
    record = await send(rpc, framed, vdi=vdi, chunked="true")
    assert record["status"] == "success", record["error_info"]
    assert (await fetch(rpc, "/export_raw_vdi", vdi=vdi)).body == IMAGE


async def test_the_blocks_of_an_archive_come_without_a_description(rpc: Rpc, disk: str) -> None:
    sent = await fetch(rpc, "/export_raw_vdi", vdi=disk, format="tar")
    assert sent.headers["content-type"] == "application/x-tar"
    with tarfile.open(fileobj=io.BytesIO(sent.body)) as tape:
        names = tape.getnames()
    assert names[::2] == ["vdi/00000000", "vdi/00000005", "vdi/00000009"]
    copy = await make_disk(rpc)
    assert (await send(rpc, sent.body, vdi=copy, format="tar"))["status"] == "success"
    assert (await fetch(rpc, "/export_raw_vdi", vdi=copy)).body == IMAGE


async def test_what_cannot_be_done_is_told(rpc: Rpc, disk: str, datacentre: Datacentre) -> None:
    sent = await fetch(rpc, "/export_raw_vdi", vdi=disk, format="floppy")
    assert (sent.status, sent.task["error_info"][0]) == (404, "INTERNAL_ERROR")
    assert (await fetch(rpc, "/export_raw_vdi", vdi="nope")).status == 500
    vbds = await rpc.call("VM.get_VBDs", await rpc.find("VM", "centos54"))
    disks = [await rpc.call("VBD.get_VDI", vbd) for vbd in vbds]
    (used,) = [vdi for vdi in disks if vdi != "OpaqueRef:NULL"]
    for path in ("/export_raw_vdi", "/import_raw_vdi"):
        task = await rpc.call("task.create", "x", "")
        query = {"session_id": rpc.session, "task_id": task, "vdi": used}
        verb = rpc.http.get if path == "/export_raw_vdi" else rpc.http.put
        async with verb(f"{rpc.url}{path}", params=query) as response:
            assert response.status == 500
        assert await rpc.call("task.get_error_info", task) == ["VDI_IN_USE", used, "attach"]
    record = await send(rpc, IMAGE + b"more", vdi=disk)
    assert record["error_info"] == ["VDI_IO_ERROR", "Device I/O errors"]
    before = set(await rpc.call("VDI.get_all"))
    await datacentre.do({"do": "fill_sr", "sr": "nfs-vhd", "free_gib": 0.009})
    record = await send(rpc, IMAGE, sr_id=await rpc.find("SR", "nfs-vhd"))
    assert record["error_info"][0] in {"VDI_IO_ERROR", "SR_BACKEND_FAILURE_44"}
    assert set(await rpc.call("VDI.get_all")) == before
