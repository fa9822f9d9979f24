"""What these tests share: pools configured for the lab's hosts, and waiting for the feed instead of sleeping."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
from aiohttp import ClientSession, web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bot.domain.calls import Call, Options, Ref
from bot.domain.joining import JoinFacts
from bot.domain.plan import Grade
from bot.lab.xapi import Datacentre
from bot.operations.joining.rule import Rule
from bot.operations.joining.rules import rules
from bot.xen import HostSettings, Pools, PoolSettings

PASSWORD = "only for the lab"
EXPERIMENT = ("xenserver1", "xenserver3")


def host_settings(lab: Datacentre, name: str) -> HostSettings:
    """The host as it would stand in the configuration."""
    host = lab.hosts[name]
    return HostSettings(host.address, urlsplit(host.https).port or 443, host.fingerprint)


def pool_settings(lab: Datacentre, *hosts: str, name: str = "", **fields: Any) -> PoolSettings:
    """A pool of these hosts, each pinned."""
    listed = tuple(host_settings(lab, host) for host in hosts)
    settings = PoolSettings(name or hosts[0], listed)
    return msgspec.structs.replace(settings, **fields)


@asynccontextmanager
async def following(*settings: PoolSettings, password: str = PASSWORD, **options: Any) -> AsyncIterator[Pools]:
    """Pools that are started and stopped."""
    pools = Pools(settings, passwords={each.name: password for each in settings}, **options)
    await pools.start()
    try:
        yield pools
    finally:
        await pools.stop()


@asynccontextmanager
async def behind(
    pass_on: Callable[[ClientSession, web.Request], Awaitable[web.Response]],
) -> AsyncIterator[PoolSettings]:
    """The pool `experiment` as it would be configured where a door stands before it that answers every request so."""

    async def answer(request: web.Request) -> web.Response:
        return await pass_on(http, request)

    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        async with ClientSession() as http:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            door = HostSettings("127.0.0.1", runner.addresses[0][1], scheme="http")
            yield PoolSettings("experiment", (door,), insecure=True)
    finally:
        await runner.cleanup()


async def until(pools: Pools, condition: Callable[[], object], within_s: float = 60.0) -> None:
    """Waits for changes until the condition holds."""
    async with asyncio.timeout(within_s):
        while not condition():
            await pools.changed()


async def loaded(pools: Pools) -> None:
    """Waits until every pool was read."""
    await until(pools, lambda: all(view.state == "live" for view in pools.pools()))


def calls(lab: Datacentre, method: str) -> list[str]:
    """How each arrival of a changing call ended: "done" or a failure code."""
    return [call["outcome"] for call in lab.journal.changes() if call["method"] == method]


def executions(lab: Datacentre, method: str) -> int:
    """How many tasks of a call the lab has made: what really took effect."""
    return sum(task["name"] == method for task in lab.state()["tasks"])


def open_sessions(lab: Datacentre) -> int:
    """How many sessions of the bot's are open in all pools; no call of the lab tells this."""
    return sum(session.originator == "xenbot" for pool in lab._pools for session in pool.sessions._open.values())


class Eavesdropper:
    """A TLS server with a certificate of its own in place of a host: it keeps every byte it is sent."""

    def __init__(self) -> None:
        self.connections = 0
        self.heard = b""
        self.fingerprint = ""

    @asynccontextmanager
    async def listening(self, address: str, port: int = 0) -> AsyncIterator[int]:
        """Listens and gives the port."""
        context, self.fingerprint = await asyncio.to_thread(self_signed, address)
        server = await asyncio.start_server(self._hear, address, port, ssl=context)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            await server.wait_closed()

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(OSError):
            self.heard += await reader.read()
        writer.close()


def self_signed(name: str) -> tuple[ssl.SSLContext, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + certificate.public_bytes(serialization.Encoding.PEM)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(pem)
        file.flush()
        context.load_cert_chain(file.name)
    return context, f"sha256:{certificate.fingerprint(hashes.SHA256()).hex()}"


async def settled(lab: Datacentre, condition: Callable[[dict[str, Any]], object], within_s: float = 60.0) -> None:
    """Waits until the truth of the lab fulfils the condition."""
    async with asyncio.timeout(within_s):
        seen = lab.revision()
        while not condition(lab.state()):
            seen = await lab.changed(seen)


def guest(lab: Datacentre, name: str) -> dict[str, Any]:
    """What is true of a guest."""
    found: dict[str, Any] = next(each for each in lab.state()["guests"] if each["name"] == name)
    return found


async def held(lab: Datacentre) -> None:
    """Waits until the lab holds a call in its middle."""
    await settled(lab, lambda state: any(one["holding"] for one in state["faults"]))


async def arm(lab: Datacentre, method: str, action: str, when: str = "before", **fields: object) -> str:
    """Arms a fault and gives its name."""
    fault = {"method": method, "action": action, "when": when, **fields}
    return str((await lab.do({"do": "arm", "fault": fault}))["name"])


def migrate(pools: Pools, vm: str, host: str) -> Call:
    """The call that moves a guest."""
    options = Options({"live": "true"})
    return Call("VM.pool_migrate", (Ref("VM", pools.vm(vm).uuid), Ref("host", pools.host(host).uuid), options))


async def judged(pools: Pools, host: str, target: str) -> tuple[JoinFacts, list[Rule]]:
    """What speaks against a join, or is to be told before it."""
    pool = pools.pool(target).pool
    assert pool is not None
    facts = await pools.joining(pools.host(host).uuid, pool.uuid)
    return facts, [one for one in rules(facts) if one.grade is not Grade.OK]


async def joined(pools: Pools, facts: JoinFacts) -> None:
    """Lets the host join, and waits for the end of it."""
    ends = facts.joining.coordinator.uuid, facts.pool.pool.uuid
    await pools.members.ended(*ends, await pools.members.begin(*ends))
