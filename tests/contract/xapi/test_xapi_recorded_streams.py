"""Recorded requests for streams, sent again to the lab: heads, pages and tasks must be the recorded ones."""

import asyncio
import re
import xmlrpc.client
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from archive_client import fetch, stop_guest
from datacentre_client import Connect, Rpc
from published_model import RECORDED
from recorded_cases import STREAMS
from recorded_exchange import compare_errors, mask

from bot.lab.xapi import Datacentre

Talk = Callable[[bytes | str], Awaitable[bytes]]
REF = re.compile(rb"OpaqueRef:[0-9a-f-]{36}")
LENGTH = re.compile(rb"(?i)content-length: \d+\r?\n")


def find(name: str) -> Path:
    """Returns the recorded file of that number."""
    found = list(RECORDED.glob(f"{name}*"))
    if not found:
        pytest.skip("the recorded exchanges are not here")
    return found[0]


def read_answer(name: str) -> bytes:
    """Returns the recorded answer as it came over the wire, without the recorder's own remarks."""
    text = find(name).read_bytes().partition(b"=== RESPONSE ===\n")[2]
    return b"\n".join(line for line in text.split(b"\n") if not line.startswith(b"[[")).strip()


def level(answer: bytes) -> bytes:
    """Returns an answer with what belongs to the moment taken out."""
    return LENGTH.sub(b"", REF.sub(b"reference", answer)).replace(b"\r\n", b"\n").strip()


def flatten(answer: bytes) -> list[bytes]:
    """Returns the lines; the recorder put a mark between the answers of one connection."""
    return [line for line in answer.split(b"\n") if line and not line.startswith(b"===")]


def read_task(name: str) -> dict[str, Any]:
    answer = find(name).read_text(encoding="utf-8").partition("=== RESPONSE ===\n")[2].partition("\n\n")[2].strip()
    value: Any = xmlrpc.client.loads(answer)[0][0]
    return value["Value"]


@dataclass
class Case:
    """A request.

    Attributes:
        answer: The recorded file with the answer.
        task: The recorded file with its task afterwards, if there is one.
        line: Method and path; names in braces are put in.
        head: Further lines of the head.
        body: What is sent.
    """

    answer: str
    task: str
    line: str
    head: str = ""
    body: bytes = b""


CASES = (
    Case("a0202", "a0203", "GET /export?uuid=nope"),
    Case("a0204", "a0205", "GET /export?ref=OpaqueRef%3Ax"),
    Case("a0206", "", "GET /export?uuid={uuid}&session_id=OpaqueRef%3Abad"),
    Case("a0207", "", "GET /export?uuid={uuid}&session_id="),
    Case("a0208", "", "GET /export?"),
    Case("a0211", "", "GET /export?uuid={uuid}&session_id=", "Authorization: Basic cm9vdDpiYWQ=\r\n"),
    Case("a0225", "", "PUT /import?session_id=OpaqueRef%3Abad", body=b"x" * 100),
    Case("a0339", "", "GET /export?ref={vm}&session_id={reader}"),
    Case("a0340", "", "PUT /import?session_id={reader}", body=b"x"),
    Case("a0262", "a0263", "PUT /import?", body=b"x" * 100),
    Case("a0540", "a0541", "PUT /import?sr_uuid=x", body=b"x" * 100),
    Case("a0532", "a0533", "PUT /import?sr_id={sr}", body=b"junk" * 1000),
    Case("c-imp", "", "PUT /import/?sr_id={sr}"),
    Case("a0575", "a0577", "GET /export?ref={running}"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.answer)
async def test_a_refused_request_is_answered_as_it_was_recorded(
    rpc: Rpc, connect: Connect, open_socket: Talk, case: Case
) -> None:
    recorded = level(read_answer(case.answer))
    running = await rpc.find("VM", "web-local")
    vm = await stop_guest(rpc, "centos54")
    sr = await rpc.find("SR", "nfs-vhd")
    reader = (await connect("xenserver1").login("read-only")).session
    await rpc.call("pool.set_default_SR", (await rpc.call("pool.get_all"))[0], "OpaqueRef:NULL")
    task = await rpc.call("task.create", "recorded", "")
    names = {"uuid": await rpc.call("VM.get_uuid", vm), "vm": vm, "sr": sr, "reader": reader, "running": running}
    line = case.line.format(**names)
    session = "" if "session_id" in line else f"&session_id={rpc.session}"
    head = f"{line}{session}&task_id={task} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{case.head}"
    if line.startswith("PUT"):
        head += f"Content-Length: {len(case.body)}\r\n"
    answer = level(await open_socket(f"{head}\r\n".encode() + case.body))
    assert flatten(answer) == flatten(recorded)
    if case.task:
        theirs, ours = read_task(case.task), await rpc.call("task.get_record", task)
        for name in ("status", "progress", "result", "allowed_operations", "backtrace", "other_config"):
            assert ours[name] == theirs[name], name
        compare_errors(theirs["error_info"], ours["error_info"], texts_differ=False)


@pytest.mark.parametrize(
    ("name", "query"),
    [("a0657", ""), ("a0659", "&use_compression=zstd"), ("a0200", "")],
)
async def test_an_export_begins_as_it_was_recorded(rpc: Rpc, open_socket: Talk, name: str, query: str) -> None:
    recorded = level(read_answer(name))
    vm = await stop_guest(rpc, "centos54")
    path = "/export_metadata" if name == "a0200" else "/export"
    answer = await open_socket(f"GET {path}?ref={vm}&session_id={rpc.session}{query} HTTP/1.1\r\nHost: x\r\n\r\n")
    assert level(answer.partition(b"\r\n\r\n")[0]) == recorded


async def test_a_snapshot_is_exported_with_the_recorded_task(rpc: Rpc) -> None:
    theirs = read_task("b0469")
    snapshot = await rpc.call("VM.snapshot", await rpc.find("VM", "centos54"), "backup")
    ours = (await fetch(rpc, "/export", ref=snapshot)).task
    for name in ("status", "progress", "result", "error_info", "allowed_operations", "other_config", "subtask_of"):
        assert ours[name] == theirs[name], name


async def test_imports_end_with_the_recorded_tasks(rpc: Rpc, open_socket: Talk, datacentre: Datacentre) -> None:
    vm = await stop_guest(rpc, "centos54")
    body = (await fetch(rpc, "/export", ref=vm)).body
    first = body.index(b"/00000000.xxhash")
    wrong = body[: first - 2000] + bytes([body[first - 2000] ^ 1]) + body[first - 1999 :]
    for name, head, sent in (
        ("a0529", "a0528", body),
        ("a0646", "", wrong),
        ("a0535", "a0534", body[:2048]),
        ("a0644", "", body[:2_000_000]),
    ):
        theirs = read_task(name)
        task = await rpc.call("task.create", "recorded", "")
        reader, writer = await open_import(rpc, datacentre, task, len(sent))
        writer.write(sent)
        begun = await reader.readuntil(b"\r\n\r\n")
        if head:
            assert flatten(level(begun)) == flatten(level(read_answer(head)))
        if name in {"a0535", "a0644"}:
            writer.close()  # a real server waits for more until then
        ours = await rpc.finish(task)
        writer.close()
        for field in ("status", "progress", "allowed_operations", "other_config"):
            assert ours[field] == theirs[field], (name, field)
        assert mask(ours["result"]) == mask(theirs["result"])
        if theirs["error_info"]:
            compare_errors(theirs["error_info"], ours["error_info"], texts_differ=name == "a0646")


async def open_import(rpc: Rpc, datacentre: Datacentre, task: str, length: int) -> Any:
    host, _, port = datacentre.hosts["xenserver1"].http.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    query = f"session_id={rpc.session}&task_id={task}"
    writer.write(f"PUT /import?{query} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
    return reader, writer


async def test_an_export_without_its_storage_is_closed_without_an_answer(
    rpc: Rpc, datacentre: Datacentre, open_socket: Talk
) -> None:
    assert read_answer("b0535") == b""
    theirs = read_task("b0536")
    vm = await stop_guest(rpc, "centos54")
    for host in ("xenserver1", "xenserver3"):
        await datacentre.do({"do": "unplug_pbd", "sr": "nfs-vhd", "host": host})
    task = await rpc.call("task.create", "recorded", "")
    query = f"ref={vm}&session_id={rpc.session}&task_id={task}"
    assert await open_socket(f"GET /export?{query} HTTP/1.1\r\nHost: x\r\n\r\n") == b""
    assert await rpc.call("task.get_error_info", task) == theirs["error_info"]


def test_every_recorded_stream_is_sent_again() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in STREAMS if f'"{name}"' not in source] == []
