"""How fast the lab is with a large world, so that what is measured in it is not the lab.

Beside it stands what was recorded with a real server: the same unmodified connector of Xen Orchestra took 378 ms over
JSON-RPC and 766 ms over XML-RPC to connect and fetch 2,475 objects.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from measuring import FOLDER, LARGE, story_lab, table

sys.path.insert(0, str(FOLDER.parent / "witness"))

from node_program import NODE, PACKAGES, node_program

pytestmark = pytest.mark.bench
RECORDED_MS = {"json-rpc": 378.0, "xml-rpc": 766.0}
RECORDED_OBJECTS = 2475
SMALL = "large:8x400"


async def _timed(work: Callable[[], Awaitable[Any]]) -> tuple[float, Any]:
    begun = time.perf_counter()
    found = await work()
    return time.perf_counter() - begun, found


class _Host:
    """Asks a host and takes the answer as bytes, as whoever only waits for it does."""

    def __init__(self, http: aiohttp.ClientSession, url: str, password: str) -> None:
        self._http = http
        self._url = url
        self._password = password
        self._session = ""

    async def login(self) -> None:
        answer = msgspec.json.decode(await self.json("session.login_with_password", "root", self._password))
        self._session = answer["result"]

    async def json(self, method: str, *params: Any) -> bytes:
        given = [self._session, *params] if self._session else [*params]
        body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": given})
        return await self._post("/jsonrpc", body)

    async def xml(self, method: str) -> bytes:
        value = f"<params><param><value>{self._session}</value></param></params>"
        body = f"<?xml version='1.0'?><methodCall><methodName>{method}</methodName>{value}</methodCall>"
        return await self._post("/", body.encode())

    async def _post(self, path: str, body: bytes) -> bytes:
        async with self._http.post(self._url + path, data=body, ssl=False) as answer:
            assert answer.status == 200
            return await answer.read()


@pytest.mark.timeout(600)
async def test_a_large_world_starts_and_answers(tmp_path: Path) -> None:
    begun = time.perf_counter()
    async with story_lab(tmp_path, "--no-bot", "--world", LARGE) as lab:
        started = time.perf_counter() - begun
        host = _Host(lab.http, next(iter(lab.info["hosts"].values()))["https"], lab.info["password"])
        await host.login()
        rows: list[list[Any]] = []
        for name, work in (
            ("event.from *, JSON", lambda: host.json("event.from", ["*"], "", 30.0)),
            ("VM.get_all_records, JSON", lambda: host.json("VM.get_all_records")),
            ("VM.get_all_records, XML", lambda: host.xml("VM.get_all_records")),
        ):
            (first, body), (again, _) = await _timed(work), await _timed(work)
            rows.append([name, len(body) / 1e6, first, again, len(body) / 1e6 / again])
    table(f"The lab with {LARGE}", ["", "s"], [["start until it answers", started]])
    table("Its answers over TLS", ["", "MB", "first s", "again s", "MB/s"], rows)


@pytest.mark.timeout(600)
@pytest.mark.skipif(NODE is None or not PACKAGES.is_dir(), reason="no Node.js with the packages of tests/witness")
async def test_the_same_client_connects_as_fast_as_to_a_real_server(tmp_path: Path) -> None:
    rows = []
    async with story_lab(tmp_path, "--no-bot", "--world", SMALL) as lab:
        url = next(iter(lab.info["hosts"].values()))["https"]
        for transport, recorded in RECORDED_MS.items():
            settings = {"url": url, "user": "root", "password": lab.info["password"], "transport": transport}
            async with node_program("xen_orchestra.mjs", **settings) as program:
                took, seen = await _timed(lambda program=program: program.ask("connect"))
            objects = sum(seen["counts"].values())
            ours, theirs = objects / took, RECORDED_OBJECTS / (recorded / 1000)
            rows.append([transport, objects, 1000 * took, ours, theirs, ours / theirs])
    header = ["xen-api connects", "objects", "ms", "objects/s", "recorded objects/s", "ratio"]
    table(f"Xen Orchestra's connector at {SMALL}", header, rows)
