"""Processes that a benchmark runs beside the lab: each prints one line of JSON when it is there or done.

python children.py WHAT SETTINGS
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import ssl
import sys
import time
import tomllib
import xmlrpc.client
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import structlog

TICK_S = 0.005


def _say(**found: Any) -> None:
    print(json.dumps(found), flush=True)  # noqa: T201  the line that the benchmark reads


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _now_mib() -> float:
    """What of this process is in memory now."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


class Resident:
    """The greatest of what was in memory, looked at every twenty milliseconds."""

    def __init__(self) -> None:
        self.mib = 0.0

    async def run(self) -> None:
        while True:
            self.mib = max(self.mib, _now_mib())
            await asyncio.sleep(0.02)


class Lag:
    """Notes how late the event loop is, every five milliseconds."""

    def __init__(self) -> None:
        self.ms: list[float] = []

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + TICK_S
            await asyncio.sleep(TICK_S)
            self.ms.append((loop.time() - due) * 1000)


async def bare_app(slack_api: str, bot_token: str, app_token: str) -> None:
    """The smallest app there is: it acks, and does nothing else."""
    from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
    from slack_bolt.async_app import AsyncApp
    from slack_sdk.web.async_client import AsyncWebClient

    app = AsyncApp(client=AsyncWebClient(token=bot_token, base_url=slack_api))

    @app.command("/xen")
    async def only_ack(ack: Any) -> None:
        await ack()

    await AsyncSocketModeHandler(app, app_token).connect_async()  # type: ignore[no-untyped-call]  # Bolt's
    _say(connected=True)
    await asyncio.Event().wait()


async def feed(config: str, password: str) -> None:
    """The bot's own feed of a pool, alone in a process; goes on following."""
    from bot.domain.inventory import FeedState
    from bot.xen import Pools, PoolSettings

    sections = tomllib.loads(await asyncio.to_thread(Path(config).read_text))["pools"]
    settings = [msgspec.convert(one, PoolSettings) for one in sections]
    # As the bot does at its start.
    gc.collect()
    gc.freeze()
    before, lag = _peak_mib(), Lag()
    ticking = asyncio.create_task(lag.run())
    pools = Pools(settings, passwords={one.name: password for one in settings})
    begun = time.perf_counter()
    await pools.start()
    while any(view.state is not FeedState.LIVE for view in pools.pools()):
        await pools.changed()
    took = time.perf_counter() - begun
    ticking.cancel()
    guests = sum(len(view.vms) for view in pools.pools())
    _say(took_s=took, peak_mib=_peak_mib() - before, blocked_ms=max(lag.ms), objects=guests)
    await asyncio.Event().wait()


async def status(config: str, password: str, subjects: list[str], times: int) -> None:
    """What the answer to a status costs by itself: CPU of the handler and of the card's making, in milliseconds."""
    from bot.domain.inventory import FeedState
    from bot.domain.policy import Person, Role
    from bot.slack.cards import render
    from bot.xen import Pools, PoolSettings
    from handlers.status import Arguments, answer

    class Journal:
        """Nothing runs."""

        async def jobs(self, **_asked: Any) -> list[Any]:
            return []

        async def frozen(self) -> None:
            return None

    sections = tomllib.loads(await asyncio.to_thread(Path(config).read_text))["pools"]
    settings = [msgspec.convert(one, PoolSettings) for one in sections]
    pools = Pools(settings, passwords={one.name: password for one in settings})
    await pools.start()
    while any(view.state is not FeedState.LIVE for view in pools.pools()):
        await pools.changed()
    found: dict[str, list[float]] = {}
    who = Person("T1", "U1", roles=frozenset(Role))
    for what in subjects:
        for _ in range(times):
            context: Any = SimpleNamespace(person=who, fleet=pools, facts=pools, journal=Journal(), now=time.time())
            begun = time.thread_time()
            render(await answer(Arguments(what), context))
            found.setdefault(what, []).append(1000 * (time.thread_time() - begun))
    _say(cpu_ms=found)
    await asyncio.Event().wait()


async def stock(url: str, password: str, classes: list[str]) -> None:
    """The stock client's `get_all_records` of these classes, in a thread beside an event loop that should stay free."""
    import XenAPI

    def read() -> int:
        transport = xmlrpc.client.SafeTransport(context=ssl._create_unverified_context())  # noqa: S323  the lab's own
        session = XenAPI.Session(url, transport=transport)
        session.xenapi.login_with_password("root", password)
        kept = {name: getattr(session.xenapi, name).get_all_records() for name in classes}
        session.xenapi.session.logout()
        held.append(kept)
        return len(kept["VM"])

    held: list[Any] = []
    gc.collect()
    before, lag = _peak_mib(), Lag()
    ticking = asyncio.create_task(lag.run())
    begun = time.perf_counter()
    guests = await asyncio.to_thread(read)
    took = time.perf_counter() - begun
    # Another turn of the loop, so that the last wait is counted.
    await asyncio.sleep(2 * TICK_S)
    ticking.cancel()
    _say(took_s=took, peak_mib=_peak_mib() - before, blocked_ms=max(lag.ms), objects=guests)


async def streams(pool: dict[str, Any], password: str, vm: str, sr: str) -> None:
    """The bot's own streams: a line of JSON in for what to do, one out with how it went and how late the loop was."""
    from bot.backups import Intake, ProofWriter, Verifier
    from bot.domain.inventory import FeedState
    from bot.operations.stream_ports import Compression
    from bot.xen import Pools, PoolSettings

    pools = Pools([msgspec.convert(pool, PoolSettings)], passwords={pool["name"]: password})
    await pools.start()
    while any(view.state is not FeedState.LIVE for view in pools.pools()):
        await pools.changed()
    uuid, guest, storage = pools.pool(pool["name"]).pool.uuid, pools.vm(vm).uuid, pools.sr(sr).uuid

    connected: list[float] = []
    ended: list[float] = []

    def clock(_: Any) -> None:
        connected.append(time.perf_counter())

    async def export(path: Path) -> int:
        task = await pools.open_task(uuid, "bench", "")
        with path.with_suffix(".proof").open("wb") as proof:
            writer = ProofWriter(proof.write)
            async with Intake(path, Verifier(writer)) as intake:
                await pools.streams.export(uuid, guest, intake, task=task, compress=Compression.NONE, progress=clock)
                received = await intake.close()
                ended.append(time.perf_counter())
            writer.close()
        await pools.close_task(uuid, task)
        return received.size

    async def send(path: Path) -> int:
        task = await pools.open_task(uuid, "bench", "")
        found = await pools.streams.send(uuid, storage, path, task=task, progress=clock)
        ended.append(time.perf_counter())
        await pools.close_task(uuid, task)
        return found.moved

    gc.collect()
    gc.freeze()
    _say(mib=_now_mib())
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked = json.loads(line)
        work = export if asked["do"] == "export" else send
        lag, most = Lag(), Resident()
        watching = [asyncio.create_task(lag.run()), asyncio.create_task(most.run())]
        connected.clear()
        ended.clear()
        cpu = time.process_time()
        sizes = await asyncio.gather(*(work(Path(path)) for path in asked["paths"]))
        # From the connection on, as for a program that is given a session and a task.
        took, cpu = max(ended) - min(connected), time.process_time() - cpu
        for watcher in watching:
            watcher.cancel()
        _say(took_s=took, cpu_s=cpu, sizes=sizes, lag_ms=lag.ms, mib=most.mib)


async def bystander() -> None:
    """An event loop with nothing to do: for each line in, how late it was since the line before."""
    lag = Lag()
    ticking = asyncio.create_task(lag.run())
    _say(ready=True)
    while await asyncio.to_thread(sys.stdin.readline):
        late, lag.ms = lag.ms, []
        _say(lag_ms=late)
    ticking.cancel()


PROGRAMS = {
    "bare_app": bare_app,
    "feed": feed,
    "status": status,
    "stock": stock,
    "streams": streams,
    "bystander": bystander,
}

if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(PROGRAMS[sys.argv[1]](**json.loads(sys.argv[2])))
