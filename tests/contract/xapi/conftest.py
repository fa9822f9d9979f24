"""A started datacentre, and clients that speak to it over its sockets."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
import XenAPI
from archive_client import fetch, stop_guest
from datacentre_client import DEADLINE_S, PASSWORD, Connect, Rpc, Stock, Until

from bot.lab.xapi import Datacentre


@pytest.fixture(autouse=True)
async def failures() -> AsyncIterator[list[object]]:
    """What failed in the background of the lab, where no client sees it; a test that expects some clears it."""
    found: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: found.append(context.get("exception", context)))
    yield found
    assert found == []


@pytest.fixture
async def datacentre() -> AsyncIterator[Datacentre]:
    lab = Datacentre(port=0, speed=20.0, password=PASSWORD, debug_consistency=True)
    lab.login_delay_s = 0.0
    await lab.start()
    try:
        yield lab
    finally:
        await lab.stop()
    assert lab.findings == []


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        yield session


@pytest.fixture
def connect(datacentre: Datacentre, http: aiohttp.ClientSession) -> Connect:
    """Returns a client of a host by its name, not logged in."""
    return lambda name: Rpc(http, datacentre.hosts[name].http)


@pytest.fixture
async def rpc(connect: Connect) -> Rpc:
    """A client logged in at the coordinator of the pool `experiment`."""
    return await connect("xenserver1").login()


@pytest.fixture
def until(datacentre: Datacentre) -> Until:
    """Waits until a condition on the datacentre holds; looks again after each change."""

    async def wait(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not holds():
                await datacentre.changed(datacentre.revision())

    return wait


@pytest.fixture
def stock(datacentre: Datacentre) -> Stock:
    """Runs a function with the official client, logged in, in a thread."""

    async def run(work: Callable[[Any], Any]) -> Any:
        def go() -> Any:
            session = XenAPI.Session(datacentre.hosts["xenserver1"].https, ignore_ssl=True)
            try:
                session.xenapi.login_with_password("root", PASSWORD, "1.0", "test")
                return work(session)
            finally:
                session("close")()

        return await asyncio.to_thread(go)

    return run


@pytest.fixture
def open_socket(datacentre: Datacentre) -> Callable[[str], Awaitable[bytes]]:
    """Sends bytes to the coordinator of the pool `experiment` and returns all that comes back before the end."""

    async def talk(request: str | bytes) -> bytes:
        host, _, port = datacentre.hosts["xenserver1"].http.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(request if isinstance(request, bytes) else request.encode())
            async with asyncio.timeout(DEADLINE_S):
                return await reader.read()
        finally:
            writer.close()

    return talk


@pytest.fixture
async def archive(rpc: Rpc) -> bytes:
    """The archive of `centos54`, which is halted."""
    vm = await stop_guest(rpc, "centos54")
    return (await fetch(rpc, "/export", ref=vm)).body
