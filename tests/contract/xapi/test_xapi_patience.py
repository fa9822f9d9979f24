"""Heads of requests that come too slowly: a host does not wait for them for ever."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from datacentre_client import DEADLINE_S

from bot.lab.xapi import Datacentre
from bot.lab.xapi.certificates import load_certificate
from bot.lab.xapi.machine import Machine
from bot.lab.xapi.server import HostServer

ADDRESS = "127.0.1.99"
NEVER_S = 3600.0


@pytest.fixture
async def listening(
    datacentre: Datacentre, request: pytest.FixtureRequest, unused_tcp_port: int, tmp_path: Path
) -> AsyncIterator[int]:
    """A host with the patience of the parameter; gives its port for plain HTTP."""
    certificate = load_certificate("slow", ADDRESS, tmp_path)
    server = HostServer(
        Machine("slow", ADDRESS, "OpaqueRef:slow"), datacentre.desk, certificate.context, **request.param
    )
    await server.listen(unused_tcp_port + 1, unused_tcp_port)
    try:
        yield unused_tcp_port
    finally:
        await server.close()


@pytest.mark.parametrize(
    "listening",
    [{"patience": (0.01, NEVER_S)}, {"patience": (NEVER_S, 0.01)}],
    indirect=True,
    ids=["a read", "the whole"],
)
async def test_a_head_that_comes_too_slowly_is_answered_with_408(listening: int) -> None:
    reader, writer = await asyncio.open_connection(ADDRESS, listening)
    writer.write(b"POST / HTTP/1.1\r\nHost: slow\r\n")
    answer = await asyncio.wait_for(reader.read(), DEADLINE_S)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert reader.at_eof()
    writer.close()


@pytest.mark.parametrize("listening", [{"patience": (NEVER_S, NEVER_S)}], indirect=True)
async def test_a_head_in_pieces_is_read_and_a_later_request_may_wait(listening: int) -> None:
    reader, writer = await asyncio.open_connection(ADDRESS, listening)
    for piece in (b"GET / HT", b"TP/1.1\r\nHost:", b" slow\r\n\r\n"):
        writer.write(piece)
        await writer.drain()
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), DEADLINE_S)
    assert head.startswith(b"HTTP/1.1 403 ")
    assert not reader.at_eof()
    writer.close()
