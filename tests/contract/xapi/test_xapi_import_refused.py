"""Archives and requests that make no guest: nothing of them is left, and the task says why."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from archive_changes import change_members, count_objects, flip_block, read_result, send
from archive_client import put
from datacentre_client import DEADLINE_S, PASSWORD, Connect, Rpc

from bot.lab.xapi import Datacentre

Talk = Callable[[bytes | str], Awaitable[bytes]]


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
    sending = asyncio.create_task(open_socket(head.encode() + archive[:5_000_000]))
    async with asyncio.timeout(DEADLINE_S):
        while "object_creation" not in await rpc.call("task.get_other_config", task):
            assert not sending.done()
            await asyncio.sleep(0.01)
    done, _ = await asyncio.wait({sending}, timeout=0.2)
    assert not done
    sending.cancel()
    await asyncio.wait({sending})
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
    async with asyncio.timeout(DEADLINE_S):
        seen = datacentre.revision()
        while await rpc.call("task.get_progress", task) < 0.5:
            seen = await datacentre.changed(seen)
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
