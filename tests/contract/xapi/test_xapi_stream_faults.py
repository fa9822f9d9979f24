"""What can go wrong in the middle of an export or import, armed by hand: what the client sees, what the task says."""

import asyncio
import tarfile
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from archive_client import Export, fetch, put, read_archive, stop_guest, unpack
from datacentre_client import DEADLINE_S, Rpc, Until

from bot.lab.xapi import Datacentre

SOME = 3_000_000


async def arm(datacentre: Datacentre, action: str, stream: str = "GET /export", **more: Any) -> None:
    await datacentre.do({"do": "arm_stream", "fault": {"stream": stream, "action": action, **more}})


@pytest.fixture
async def vm(rpc: Rpc) -> str:
    return await stop_guest(rpc, "centos54")


async def let_pass(datacentre: Datacentre, sending: "asyncio.Task[Export]") -> None:
    """Lets simulated time pass until a stream has come to its end."""
    async with asyncio.timeout(DEADLINE_S):
        while not sending.done():
            await datacentre.do({"do": "advance", "seconds": 1})


async def send(rpc: Rpc, body: bytes) -> tuple[bytes, list[str]]:
    """Imports an archive; returns the answer's body and the task's error."""
    task = await rpc.call("task.create", "import", "")
    try:
        _, _, answer = await put(rpc.http, f"{rpc.url}/import", body, session_id=rpc.session, task_id=task)
    except aiohttp.ClientError:
        answer = b""
    return answer, (await rpc.finish(task))["error_info"]


async def test_an_export_is_cut_at_a_byte(datacentre: Datacentre, rpc: Rpc, vm: str) -> None:
    await arm(datacentre, "cut", after=SOME)
    sent = await fetch(rpc, "/export", ref=vm)
    assert len(sent.body) == SOME
    assert sent.task["error_info"][0] == "CLIENT_ERROR"
    assert datacentre.state()["faults"] == []
    read_archive((await fetch(rpc, "/export", ref=vm)).body)


async def test_a_cut_over_tls_is_no_end_of_the_session(datacentre: Datacentre, rpc: Rpc, vm: str) -> None:
    await arm(datacentre, "cut", after=SOME)
    host = datacentre.hosts["xenserver1"].https
    try:
        got = len((await fetch(rpc, "/export", host=host, ref=vm)).body)
    except aiohttp.ClientError:
        return
    assert 0 < got <= SOME


@pytest.mark.parametrize("compression", ["", "gzip"])
async def test_a_failure_is_told_inside_the_stream(datacentre: Datacentre, rpc: Rpc, vm: str, compression: str) -> None:
    await arm(datacentre, "fail", after=SOME, error=["VDI_IO_ERROR", "Device I/O errors"])
    sent = await fetch(rpc, "/export", ref=vm, use_compression=compression)
    assert sent.status == 200
    assert sent.task["error_info"] == ["VDI_IO_ERROR", "Device I/O errors"]
    page = sent.body.index(b"HTTP/1.1 500 Internal Error\r\n")
    assert b"VDI_IO_ERROR: [ Device I/O errors ]" in sent.body[page:]
    if compression:
        unpacker = zlib.decompressobj(31)
        assert unpacker.decompress(sent.body)[-1024:] != bytes(1024)
        assert unpacker.eof
        assert unpacker.unused_data == sent.body[page:]
    else:
        assert page == SOME


@pytest.mark.parametrize("suffix", ["/00000000", "/0000"])
async def test_a_companion_is_wrong_and_the_task_a_success(
    datacentre: Datacentre, rpc: Rpc, vm: str, suffix: str
) -> None:
    after = 0 if suffix == "/00000000" else SOME
    await arm(datacentre, "wrong_companion", after=after)
    sent = await fetch(rpc, "/export", ref=vm)
    assert sent.task["status"] == "success"
    with pytest.raises(AssertionError):
        read_archive(sent.body)
    answer, error = await send(rpc, sent.body)
    assert f"{suffix}" in error[1]
    assert error[1].startswith('INTERNAL_ERROR: [ Stream_vdi.Invalid_checksum("Block Ref:')
    assert b"Invalid_checksum" in answer


async def test_an_archive_ends_with_one_block_of_zeros(datacentre: Datacentre, rpc: Rpc, vm: str) -> None:
    await arm(datacentre, "one_zero_block")
    sent = await fetch(rpc, "/export", ref=vm)
    assert sent.task["status"] == "success"
    assert sent.body[-512:] == bytes(512)
    assert sent.body[-1024:] != bytes(1024)
    with pytest.raises(AssertionError):
        read_archive(sent.body)


async def test_an_archive_ends_early_with_a_valid_end_of_its_compression(
    datacentre: Datacentre, rpc: Rpc, vm: str
) -> None:
    await arm(datacentre, "end_early", after=SOME)
    sent = await fetch(rpc, "/export", ref=vm, use_compression="zstd")
    assert sent.task["status"] == "success"
    assert len(unpack(sent.body)) <= SOME
    with pytest.raises((AssertionError, tarfile.ReadError)):
        read_archive(sent.body)


async def test_something_follows_a_whole_archive(datacentre: Datacentre, rpc: Rpc, vm: str) -> None:
    await arm(datacentre, "garbage")
    sent = await fetch(rpc, "/export", ref=vm, use_compression="gzip")
    unpacker = zlib.decompressobj(31)
    read_archive(unpacker.decompress(sent.body))
    assert unpacker.unused_data


async def test_a_host_falls_silent_for_a_while(datacentre: Datacentre, rpc: Rpc, vm: str, until: Until) -> None:
    await datacentre.do({"do": "stop_clock"})
    await arm(datacentre, "silence", after=0, seconds=1800)
    sending = asyncio.create_task(fetch(rpc, "/export", ref=vm))
    await until(lambda: "export" in {guest["operation"] for guest in datacentre.state()["guests"]})
    await datacentre.do({"do": "advance", "seconds": 1799})
    assert not sending.done()
    await let_pass(datacentre, sending)
    read_archive((await sending).body)


async def test_a_stream_is_slow(datacentre: Datacentre, rpc: Rpc, vm: str, until: Until) -> None:
    await datacentre.do({"do": "stop_clock"})
    await arm(datacentre, "slow", mib_per_s=0.25)
    sending = asyncio.create_task(fetch(rpc, "/export", ref=vm))
    await until(lambda: "export" in {guest["operation"] for guest in datacentre.state()["guests"]})
    await datacentre.do({"do": "advance", "seconds": 90})
    assert not sending.done()
    await let_pass(datacentre, sending)
    read_archive((await sending).body)


async def test_a_client_is_sent_to_an_address_that_is_no_host_of_the_pool(
    datacentre: Datacentre, rpc: Rpc, vm: str
) -> None:
    for address, target in (("127.0.1.250", "127.0.1.250:"), ("203.0.113.9:443", "203.0.113.9:443")):
        await arm(datacentre, "redirect", address=address)
        task = await rpc.call("task.create", "export", "")
        query = {"ref": vm, "session_id": rpc.session, "task_id": task}
        async with rpc.http.get(f"{rpc.url}/export", params=query, allow_redirects=False) as response:
            assert response.status == 302
            assert response.headers["Location"].startswith(f"https://{target}")
        assert await rpc.call("task.get_status", task) == "pending"


@pytest.mark.parametrize(
    ("action", "error"),
    [
        ("storage_full", ["VDI_IO_ERROR", "Device I/O errors"]),
        ("fail", ["INTERNAL_ERROR", "armed by the lab"]),
        ("cut", ["IMPORT_ERROR_PREMATURE_EOF"]),
    ],
)
async def test_an_import_fails_in_the_middle_and_leaves_nothing(
    datacentre: Datacentre, rpc: Rpc, vm: str, action: str, error: list[str]
) -> None:
    body = (await fetch(rpc, "/export", ref=vm)).body
    before = {name: set(await rpc.call(f"{name}.get_all")) for name in ("VM", "VDI", "VBD", "VIF")}
    await arm(datacentre, action, "PUT /import", after=SOME)
    answer, found = await send(rpc, body)
    assert found == error
    assert (b"HTTP/1.1 500" in answer) == (action != "cut")
    assert {name: set(await rpc.call(f"{name}.get_all")) for name in before} == before


async def test_a_fault_of_a_stream_strikes_at_one_host_and_as_often_as_was_said(
    datacentre: Datacentre, rpc: Rpc, vm: str
) -> None:
    await arm(datacentre, "cut", after=SOME, times=2, host="xenserver3", name="twice")
    read_archive((await fetch(rpc, "/export", ref=vm)).body)
    member = datacentre.hosts["xenserver3"].http
    assert len((await fetch(rpc, "/export", host=member, ref=vm)).body) == SOME
    (shown,) = datacentre.state()["faults"]
    assert (shown["name"], shown["left"], shown["stream"], shown["after"]) == ("twice", 1, "GET /export", SOME)
    await datacentre.do({"do": "release", "name": "twice"})
    read_archive((await fetch(rpc, "/export", host=member, ref=vm)).body)


async def test_what_makes_no_sense_is_refused_in_a_sentence(datacentre: Datacentre) -> None:
    with pytest.raises(ValueError, match=r"'storage_full' makes sense for PUT /import.* only\.$"):
        await arm(datacentre, "storage_full")
    with pytest.raises(ValueError, match="nohost"):
        await arm(datacentre, "cut", host="nohost")


async def test_faults_on_calls_strike_handlers_too(
    datacentre: Datacentre, rpc: Rpc, vm: str, open_socket: Callable[[str], Awaitable[bytes]]
) -> None:
    assert {"GET /export", "PUT /import"} <= set(datacentre.list_methods())
    fault: dict[str, Any] = {"method": "GET /export", "action": "drop", "when": "before"}
    await datacentre.do({"do": "arm", "fault": fault})
    assert await open_socket(f"GET /export?ref={vm} HTTP/1.1\r\nHost: x\r\n\r\n") == b""
    await datacentre.do(
        {"do": "arm", "fault": fault | {"action": "fail", "when": "end", "error": ["INTERNAL_ERROR", "x"]}}
    )
    assert (await fetch(rpc, "/export", ref=vm)).task["error_info"] == ["INTERNAL_ERROR", "x"]
