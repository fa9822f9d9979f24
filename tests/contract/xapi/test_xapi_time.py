"""Simulated time as clients see it: in the dates of records, and in how long moves that share a network take."""

from datetime import UTC, datetime

import aiohttp
from datacentre_client import Rpc, running

from bot.lab.xapi import Datacentre

LINE_BYTES_PER_S = 117_000_000  # of a network of 1 Gbit/s
AROUND_S = 2.0  # what a migration does before and after it sends memory, and more


def read(date: str) -> datetime:
    return datetime.strptime(date, "%Y%m%dT%H:%M:%SZ").replace(tzinfo=UTC)


async def test_dates_stand_still_and_move_with_a_clock_that_tests_own(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "stop_clock"})
    host, guest = await rpc.find("host", "xenserver1"), await rpc.find("VM", "centos54")
    begun = read(await rpc.call("host.get_servertime", host))
    assert await rpc.call("host.get_server_localtime", host) == await rpc.call("host.get_servertime", host)
    task = await rpc.call("Async.VM.pool_migrate", guest, await rpc.find("host", "xenserver3"), {})
    await datacentre.do({"do": "advance", "seconds": 3600})
    moved = await rpc.call("task.get_record", task)
    assert moved["status"] == "success"
    assert read(moved["created"]) == begun
    assert 0 < (read(moved["finished"]) - begun).total_seconds() < 3600
    assert (read(await rpc.call("host.get_servertime", host)) - begun).total_seconds() == 3600
    [message] = (await rpc.call("message.get_all_records")).values()
    assert message["timestamp"] == moved["finished"]
    snapshot = await rpc.call("Async.VM.snapshot", guest, "later")
    await datacentre.do({"do": "advance", "seconds": 60})
    [made] = await rpc.call("VM.get_snapshots", guest)
    assert (await rpc.call("task.get_status", snapshot)) == "success"
    taken = read(await rpc.call("VM.get_snapshot_time", made))
    assert 3600 <= (taken - begun).total_seconds() <= 3660
    assert read(await rpc.call("session.get_last_active", rpc.session)) > begun


async def test_dates_keep_what_a_client_was_moved_ahead_when_time_runs_again(datacentre: Datacentre, rpc: Rpc) -> None:
    host = await rpc.find("host", "xenserver1")
    begun = read(await rpc.call("host.get_servertime", host))
    await datacentre.do({"do": "stop_clock"})
    await datacentre.do({"do": "advance", "seconds": 86_400})
    await datacentre.do({"do": "run_clock"})
    assert (read(await rpc.call("host.get_servertime", host)) - begun).total_seconds() >= 86_400


async def move_at_once(http: aiohttp.ClientSession, count: int) -> tuple[float, list[float]]:
    """Moves guests of one host at once; returns what their memory takes and when each ended, in simulated seconds."""
    async with running("large:2x40", http, manual_clock=True) as (lab, rpc):
        source, target = await rpc.find("host", "host001"), await rpc.find("host", "host002")
        guests = [
            guest
            for guest in await rpc.call("host.get_resident_VMs", source)
            if not await rpc.call("VM.get_is_control_domain", guest)
        ][:count]
        begun = read(await rpc.call("host.get_servertime", source))
        tasks = [await rpc.call("Async.VM.pool_migrate", guest, target, {}) for guest in guests]
        await lab.do({"do": "advance", "seconds": 3000})
        ended = [await rpc.call("task.get_record", task) for task in tasks]
        assert {task["status"] for task in ended} == {"success"}
        memory = [await rpc.call("VM.get_memory_dynamic_min", guest) for guest in guests]
        took = [(read(task["finished"]) - begun).total_seconds() for task in ended]
        return sum(memory) / LINE_BYTES_PER_S, took


async def test_twenty_moves_at_once_take_as_long_as_one_after_the_other(http: aiohttp.ClientSession) -> None:
    alone, [took] = await move_at_once(http, 1)
    assert alone - 1 <= took <= alone + AROUND_S
    together, ended = await move_at_once(http, 20)
    assert len(ended) == 20
    # What is on its way when others begin or end keeps its pace for some seconds.
    assert 0.95 * together <= max(ended) <= 1.05 * together
    assert min(ended) > 10 * alone, "each gets its share, and no more"
