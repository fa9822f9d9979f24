"""The letter of both protocols and of HTTP: versions, ids, types of values, what is refused before any method runs."""

import asyncio
import json
import xmlrpc.client
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from datacentre_client import Rpc


async def post(rpc: Rpc, body: object) -> tuple[int, Any]:
    """Sends a JSON body; returns the status and what came back, decoded where it is JSON."""
    async with rpc.http.post(f"{rpc.url}/jsonrpc", data=json.dumps(body).encode()) as got:
        text = await got.text()
        return got.status, json.loads(text) if got.status == 200 else text


async def send_xml(rpc: Rpc, method: str, values: list[str]) -> list[str] | Any:
    """Sends parameters as they stand; returns the result, or the list of the failure."""
    params = "".join(f"<param><value>{value}</value></param>" for value in [rpc.session, *values])
    body = f"<?xml version='1.0'?><methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>"
    async with rpc.http.post(f"{rpc.url}/", data=body.encode()) as got:
        assert got.status == 200
        answer: Any = xmlrpc.client.loads(await got.text())[0][0]
    return answer["Value"] if answer["Status"] == "Success" else answer["ErrorDescription"]


async def is_kept(url: str, request: bytes) -> bool:
    """Sends a request twice over one connection; tells whether the second was answered, or the connection closed."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        async with asyncio.timeout(60.0):
            await _answer(reader, writer, request)
            writer.write(request)
            return (await reader.read(1)) != b""
    except ConnectionError:
        return False
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.splitlines()[0].endswith(b" 200 OK")
    length = next(line for line in head.lower().splitlines() if line.startswith(b"content-length"))
    await reader.readexactly(int(length.partition(b":")[2]))


@pytest.mark.parametrize("number", [0, -5, 2**60, "", "a", "7"])
async def test_an_id_is_repeated_in_its_type(rpc: Rpc, number: int | str) -> None:
    for version in ({}, {"jsonrpc": "2.0"}):
        status, answer = await post(rpc, {**version, "method": "pool.get_all", "params": [rpc.session], "id": number})
        assert (status, answer["id"], type(answer["id"])) == (200, number, type(number))


@pytest.mark.parametrize(
    "change",
    [
        {"id": None},
        {"id": 1.5},
        {"id": True},
        {"id": [1]},
        {"jsonrpc": "1.0"},
        {"jsonrpc": 2.0},
        {"jsonrpc": "2.1"},
        {"params": {"session_id": "x"}},
        {"params": None},
        {"method": 7},
        {"method": None},
    ],
)
async def test_what_is_no_call_is_http_500(rpc: Rpc, change: dict[str, object]) -> None:
    call = {"jsonrpc": "2.0", "method": "pool.get_all", "params": [rpc.session], "id": 1}
    assert (await post(rpc, {**call, **change}))[0] == 500
    assert (await post(rpc, call))[0] == 200


async def test_batches_and_notifications_are_not_known(rpc: Rpc) -> None:
    call = {"jsonrpc": "2.0", "method": "pool.get_all", "params": [rpc.session], "id": 1}
    assert (await post(rpc, [call]))[0] == 500
    call.pop("id")
    assert (await post(rpc, call))[0] == 500


async def test_parameters_may_be_left_out_in_version_2_only(rpc: Rpc) -> None:
    status, answer = await post(rpc, {"jsonrpc": "2.0", "method": "VM.get_all", "id": 1})
    assert (status, answer["error"]["message"]) == (200, "MESSAGE_PARAMETER_COUNT_MISMATCH")
    assert (await post(rpc, {"method": "VM.get_all", "id": 1}))[0] == 500


async def test_version_1_has_result_and_error_beside_each_other(rpc: Rpc) -> None:
    _, answer = await post(rpc, {"method": "pool.get_all", "params": [rpc.session], "id": 1})
    assert (answer.keys(), answer["error"]) == ({"result", "error", "id"}, None)
    _, answer = await post(rpc, {"method": "pool.get_all", "params": ["x"], "id": 1})
    assert answer == {"result": None, "error": ["SESSION_INVALID", "x"], "id": 1}


async def test_json_has_numbers_and_xml_has_text_for_integers(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    memory = await rpc.call("VM.get_memory_static_max", guest)
    assert isinstance(memory, int)
    assert await send_xml(rpc, "VM.get_memory_static_max", [guest]) == str(memory)
    assert isinstance(await rpc.call("VM.get_HVM_shadow_multiplier", guest), float)
    assert await send_xml(rpc, "VM.get_HVM_shadow_multiplier", [guest]) == 1.0
    assert await send_xml(rpc, "VM.get_is_a_template", [guest]) is False
    assert await send_xml(rpc, "VM.get_tags", [guest]) == []


@pytest.mark.parametrize("value", ["7", "<string>7</string>", "<int>7</int>", "<i4>7</i4>", "<i8>7</i8>"])
async def test_integers_are_taken_in_every_form_of_xml(rpc: Rpc, value: str) -> None:
    guest = await rpc.find("VM", "centos54")
    assert await send_xml(rpc, "VM.set_user_version", [guest, value]) == ""
    assert await rpc.call("VM.get_user_version", guest) == 7


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("<boolean>1</boolean>", "Expected int64, got 'B(true)'"),
        ("<double>1.5</double>", "Expected int64, got 'F(1.5)'"),
        ("seven", "Int64.of_string"),
        ("9223372036854775808", "Int64.of_string"),
        ("<array><data><value>x</value></data></array>", "Expected int64, got '[S(x)]'"),
        ("<struct><member><name>k</name><value>x</value></member></struct>", "Expected int64, got '{k:S(x)}'"),
    ],
)
async def test_what_is_no_integer_is_told_as_it_was_read(rpc: Rpc, value: str, text: str) -> None:
    guest = await rpc.find("VM", "centos54")
    assert await send_xml(rpc, "VM.set_user_version", [guest, value]) == ["INTERNAL_ERROR", f'Failure("{text}")']


async def test_sets_maps_and_booleans_must_be_what_they_are(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    refused = {
        ("VM.set_tags", "x"): "Expecting Rpc.Enum, but found 'S(x)'",
        ("VM.set_other_config", "x"): "Expecting Rpc.Dict, but found 'S(x)'",
        ("VM.set_is_a_template", "<string>true</string>"): "Expected bool, got 'S(true)'",
        ("VM.set_is_a_template", "<int>1</int>"): "Expected bool, got 'I(1)'",
        ("VM.set_tags", "<array><data><value><int>1</int></value></data></array>"): "Expected string, got 'I(1)'",
    }
    for (method, value), text in refused.items():
        assert await send_xml(rpc, method, [guest, value]) == ["INTERNAL_ERROR", f'Failure("{text}")'], method
    status, answer = await post(rpc, {"method": "VM.set_name_label", "params": [rpc.session, guest, None], "id": 1})
    assert (status, answer["error"][1]) == (200, "Failure(\"Expected string, got 'N'\")")


async def test_a_session_that_is_no_text_is_a_wrong_type(rpc: Rpc) -> None:
    _, answer = await post(rpc, {"method": "pool.get_all", "params": [5], "id": 1})
    assert answer["error"] == ["INTERNAL_ERROR", "Failure(\"Expected string, got 'I(5)'\")"]


async def test_http_1_0_is_answered_and_closed_and_1_1_is_kept(rpc: Rpc) -> None:
    body = xmlrpc.client.dumps((rpc.session,), "pool.get_all").encode()
    for version, more, kept in (("1.0", b"", False), ("1.0", b"Connection: keep-alive\r\n", False), ("1.1", b"", True)):
        head = f"POST / HTTP/{version}\r\nHost: x\r\nContent-Length: {len(body)}\r\n".encode()
        assert await is_kept(rpc.url, head + more + b"\r\n" + body) == kept, (version, more)


async def test_the_first_line_counts_among_the_1024_bytes_before_the_body(rpc: Rpc) -> None:
    body = xmlrpc.client.dumps((rpc.session,), "pool.get_all").encode()
    rest = f" HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    longest = 1024 - len(b"POST ") - len(rest)
    for length, status in ((longest, b"200"), (longest + 1, b"431")):
        address = urlsplit(rpc.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(b"POST /" + b"x" * (length - 1) + rest + body)
        await writer.drain()
        line = await asyncio.wait_for(reader.readline(), 60.0)
        writer.close()
        assert line.split()[1] == status, length


async def test_the_page_of_a_refused_request_is_html(http: aiohttp.ClientSession, rpc: Rpc) -> None:
    for verb, path, status in (
        ("GET", "/", 403),
        ("GET", "/nothing/here", 403),
        ("PUT", "/", 403),
        ("DELETE", "/", 501),
        ("PATCH", "/", 501),
    ):
        async with http.request(verb, f"{rpc.url}{path}") as got:
            assert (got.status, got.content_type) == (status, "text/html"), verb
            assert "<html><body><h1>" in await got.text()
