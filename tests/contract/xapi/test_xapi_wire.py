"""How the simulated hosts speak: encodings, generic errors, HTTP."""

import asyncio
import hashlib
import re
import ssl
import xmlrpc.client
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from datacentre_client import Connect, Rpc, Stock

from bot.lab.xapi import Datacentre


def call_body(method: str, *params: Any) -> bytes:
    return xmlrpc.client.dumps(params, method, allow_none=True).encode()


async def post_xml(http: aiohttp.ClientSession, url: str, method: str, *params: Any) -> str:
    async with http.post(f"{url}/", data=call_body(method, *params), headers={"Content-Type": "text/xml"}) as got:
        assert got.status == 200
        assert got.headers["Content-Type"] == "text/xml"
        return await got.text()


def failure(*description: str) -> str:
    values = "".join(f"<value>{text}</value>" for text in description)
    return (
        '<?xml version="1.0"?><methodResponse><params><param><value><struct><member><name>Status</name>'
        "<value>Failure</value></member><member><name>ErrorDescription</name><value><array><data>"
        f"{values}</data></array></value></member></struct></value></param></params></methodResponse>"
    )


async def test_xml_integers_are_text_without_a_tag(
    datacentre: Datacentre, http: aiohttp.ClientSession, rpc: Rpc
) -> None:
    host = await rpc.find("host", "xenserver1")
    text = await post_xml(http, rpc.url, "host.get_memory_overhead", rpc.session, host)
    assert re.search(r"<name>Value</name><value>\d+</value>", text)


async def test_xml_has_tags_for_floats_booleans_and_dates_only(
    datacentre: Datacentre, http: aiohttp.ClientSession, rpc: Rpc
) -> None:
    guest = await rpc.find("VM", "centos54")
    text = await post_xml(http, rpc.url, "VM.get_record", rpc.session, guest)
    assert "<name>HVM_shadow_multiplier</name><value><double>1</double></value>" in text
    assert "<name>is_a_template</name><value><boolean>0</boolean></value>" in text
    assert "<name>snapshot_time</name><value><dateTime.iso8601>19700101T00:00:00Z</dateTime.iso8601>" in text
    assert "<name>name_label</name><value>centos54</value>" in text
    assert not re.search(r"<(string|int|i4|i8|nil)>", text)
    assert not re.search(r">\s+<", text)


async def test_json_integers_are_numbers_and_dates_text(rpc: Rpc) -> None:
    record = await rpc.call("VM.get_record", await rpc.find("VM", "centos54"))
    assert record["memory_static_max"] == 512 * 1024 * 1024
    assert record["snapshot_time"] == "19700101T00:00:00Z"
    assert record["HVM_shadow_multiplier"] == 1.0


async def test_json_content_type_is_exact(http: aiohttp.ClientSession, rpc: Rpc) -> None:
    body = {"method": "session.get_uuid", "params": [rpc.session, rpc.session], "id": "x"}
    async with http.post(f"{rpc.url}/jsonrpc", json=body) as got:
        assert got.headers["Content-Type"] == "application/json"
        answer = await got.json()
    assert answer["error"] is None
    assert answer["id"] == "x"


async def test_json_rpc_1_errors_are_lists(http: aiohttp.ClientSession, rpc: Rpc) -> None:
    body = {"method": "VM.get_uuid", "params": [rpc.session, "OpaqueRef:x"], "id": 7}
    async with http.post(f"{rpc.url}/jsonrpc", json=body) as got:
        answer = await got.json()
    assert answer == {"result": None, "error": ["HANDLE_INVALID", "VM", "OpaqueRef:x"], "id": 7}


@pytest.mark.parametrize(
    ("method", "params", "expected"),
    [
        ("VM.frobnicate", [], ["MESSAGE_METHOD_UNKNOWN", "VM.frobnicate"]),
        ("Nope.get_all", [], ["MESSAGE_METHOD_UNKNOWN", "Nope.get_all"]),
        ("vm.get_all", [], ["MESSAGE_METHOD_UNKNOWN", "vm.get_all"]),
        ("VM.get_record", [], ["MESSAGE_PARAMETER_COUNT_MISMATCH", "VM.get_record", "1", "0"]),
        ("VM.get_record", ["a", "b"], ["MESSAGE_PARAMETER_COUNT_MISMATCH", "VM.get_record", "1", "2"]),
        ("host.get_record", ["OpaqueRef:nonsense"], ["HANDLE_INVALID", "host", "OpaqueRef:nonsense"]),
        ("VM.get_by_uuid", ["nonsense"], ["UUID_INVALID", "VM", "nonsense"]),
        (
            "VM.set_name_label",
            ["x", 2],
            ["INTERNAL_ERROR", "Failure(\"Expected string, got 'I(2)'\")"],
        ),
        (
            "Async.VM.get_record",
            ["x"],
            ["Fault", "No async mode for this operation (rpc: VM.get_record)"],
        ),
        (
            "VM.get_all_records_where",
            ["garbage ("],
            ["INVALID_VALUE", "garbage (", 'Failure("lexing: empty token")'],
        ),
        ("VM.get_all_records_where", ["true or"], ["INVALID_VALUE", "true or", "Stdlib.Parsing.Parse_error"]),
        ("VM.query_services", ["x"], ["HANDLE_INVALID", "VM", "x"]),
        ("VM.query_services", [], ["MESSAGE_PARAMETER_COUNT_MISMATCH", "VM.query_services", "1", "0"]),
        ("VMPP.protect_now", ["x"], ["MESSAGE_REMOVED"]),
        ("VMPP.protect_now", [], ["MESSAGE_PARAMETER_COUNT_MISMATCH", "VMPP.protect_now", "1", "0"]),
        ("SM.get_record", ["x"], ["HANDLE_INVALID", "SM", "x"]),
        ("VDI.set_on_boot", ["x", "sometimes"], ["INTERNAL_ERROR", 'Failure("Unknown tag/contents")']),
        (
            "Async.VM.start",
            ["x", "true", False],
            ["INTERNAL_ERROR", "Failure(\"Expected bool, got 'S(true)'\")"],
        ),
    ],
)
async def test_misuse_has_its_code(rpc: Rpc, method: str, params: list[Any], expected: list[str]) -> None:
    assert await rpc.fail(method, *params) == expected


async def test_a_call_without_any_parameter_received_minus_one(connect: Connect) -> None:
    client = connect("xenserver1")
    with pytest.raises(Exception, match="MESSAGE_PARAMETER_COUNT_MISMATCH") as caught:
        await client.raw("VM.get_all")
    assert caught.value.args == ("MESSAGE_PARAMETER_COUNT_MISMATCH", "VM.get_all", "0", "-1")


async def test_xml_failure_is_http_200_with_the_description(http: aiohttp.ClientSession, rpc: Rpc) -> None:
    got = await post_xml(http, rpc.url, "host.get_all_records", "OpaqueRef:nonsense")
    assert got == failure("SESSION_INVALID", "OpaqueRef:nonsense")


async def test_underscored_names_work_for_plain_calls_only(rpc: Rpc) -> None:
    assert await rpc.call("VM_get_by_name_label", "centos54")
    assert (await rpc.call("event_from", ["pool"], "", 0.0))["events"]
    assert (await rpc.fail("Async_VM_start", "x", False, False))[0] == "MESSAGE_METHOD_UNKNOWN"


async def test_list_methods_is_bare_over_xml_and_ordinary_over_json(http: aiohttp.ClientSession, rpc: Rpc) -> None:
    text = await post_xml(http, rpc.url, "system.listMethods")
    names = xmlrpc.client.loads(text)[0][0]
    assert {"VM.pool_migrate", "pool_patch.apply", "event.from"} <= set(names)
    assert not any(name.startswith("Async.") for name in names)
    assert "session.get_all_records" not in names
    assert await rpc.raw("system.listMethods") == names


@pytest.mark.parametrize("path", ["/", "/RPC2", "/xmlrpc", "/anything/else"])
async def test_every_other_path_is_xml_rpc(http: aiohttp.ClientSession, rpc: Rpc, path: str) -> None:
    body = call_body("session.get_uuid", rpc.session, rpc.session)
    async with http.post(f"{rpc.url}{path}", data=body) as got:
        assert "<value>Success</value>" in await got.text()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/", b"<x"),
        ("/", b"<methodCall></methodCall>"),
        ("/jsonrpc", b"{bad"),
        ("/jsonrpc", b'{"method": "VM.get_all", "params": []}'),
        ("/jsonrpc", b'{"method": "VM.get_all", "params": [], "id": null}'),
        ("/jsonrpc", b'{"method": "VM.get_all", "id": 1}'),
        ("/", b" " * 307_201),
    ],
)
async def test_what_cannot_be_read_is_http_500(http: aiohttp.ClientSession, rpc: Rpc, path: str, body: bytes) -> None:
    async with http.post(f"{rpc.url}{path}", data=body) as got:
        assert got.status == 500
        assert "HTTP 500 internal server error" in await got.text()


async def test_a_body_without_length_is_http_500(http: aiohttp.ClientSession, rpc: Rpc) -> None:
    async def chunks() -> Any:
        yield b"<x/>"

    async with http.post(f"{rpc.url}/", data=chunks()) as got:
        assert got.status == 500


async def test_more_than_1024_bytes_of_headers_are_refused(http: aiohttp.ClientSession, rpc: Rpc) -> None:
    async with http.post(f"{rpc.url}/", data=b"<x/>", headers={"X-Long": "x" * 1024}) as got:
        assert got.status == 431


async def test_pages_for_browsers(http: aiohttp.ClientSession, rpc: Rpc) -> None:
    async with http.get(f"{rpc.url}/") as got:
        assert got.status == 403
    async with http.delete(f"{rpc.url}/") as got:
        assert got.status == 501
    async with http.options(f"{rpc.url}/") as got:
        assert got.headers["Access-Control-Allow-Methods"] == "PUT"


async def test_the_certificate_has_the_announced_fingerprint(datacentre: Datacentre) -> None:
    for host in datacentre.hosts.values():
        address = urlsplit(host.https)
        pem = await asyncio.to_thread(ssl.get_server_certificate, (address.hostname, address.port))
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
        assert host.fingerprint == f"sha256:{digest}"
    assert len({host.fingerprint for host in datacentre.hosts.values()}) == 5


async def test_hostile_text_comes_back_as_it_is(http: aiohttp.ClientSession, rpc: Rpc) -> None:
    guest = await rpc.find("VM", "<!channel> & *bold*")
    text = await post_xml(http, rpc.url, "VM.get_name_label", rpc.session, guest)
    assert "<value>&lt;!channel&gt; &amp; *bold*</value>" in text
    await rpc.call("VM.set_name_label", guest, 'a\x00b\tc"</value>')
    text = await post_xml(http, rpc.url, "VM.get_name_label", rpc.session, guest)
    assert "<value>ab\tc&quot;&lt;/value&gt;</value>" in text
    assert xmlrpc.client.loads(text)[0][0]["Value"] == 'ab\tc"</value>'


async def test_the_official_client_works(stock: Stock) -> None:
    def look(session: Any) -> Any:
        guests = session.xenapi.VM.get_all_records()
        names = {record["name_label"] for record in guests.values()}
        return names, session.xenapi.host.get_servertime(session.xenapi.host.get_all()[0])

    names, when = await stock(look)
    assert {"centos54", "日本語サーバー", "web-local"} <= names
    assert isinstance(when, xmlrpc.client.DateTime)
