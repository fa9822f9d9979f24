"""Reads for the check of a pool: the feed's facts in one value, and the hosts' clocks read there and then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

import msgspec

from bot.domain.health import HealthFacts, HostState
from bot.errors import CannotTell, Unreachable, XapiFailure
from bot.xen import health_build
from bot.xen.build import timestamp
from bot.xen.faults import NULL_REF
from bot.xen.pool import LivePool
from bot.xen.records import HostRecord
from bot.xen.turns import Turns

#: A host that is silent without our knowing would hold its question for a minute; nobody waits so long for an answer.
_CLOCKS_WITHIN_S: Final = 0.8
#: A server tells its time in whole seconds.
_RESOLUTION_S: Final = 1.0

_T = TypeVar("_T")


async def health(pool: LivePool, clock: Callable[[], float]) -> HealthFacts:
    """All facts that the health of a pool is judged by. Raises Unreachable when the pool was never read."""
    tables, inventory = pool.model.tables, pool.model.inventory
    if inventory.pool is None or tables.pool is None:
        raise Unreachable(f"pool {pool.name} has not answered yet")
    turns = Turns()

    async def made(found: Iterable[_T]) -> tuple[_T, ...]:
        whole = tuple(found)
        await turns.give()
        return whole

    # Each walks through one kind of record; others are answered in between.
    read_at = clock()
    clocks = asyncio.create_task(_clocks(pool, clock))
    try:
        facts = HealthFacts(
            pool=inventory.pool,
            hosts=await made(health_build.hosts(tables, inventory.hosts)),
            plugs=await made(health_build.plugs(tables)),
            stores=await made(health_build.stores(tables, inventory.srs)),
            cables=await made(health_build.cables(tables)),
            bonds=await made(health_build.bonds(tables)),
            vms=inventory.vms,
            snapshots=await made(health_build.snapshots(tables)),
            stuck=await made(health_build.stuck(tables)),
            held=dict(await made(health_build.held(tables))),
            twins=dict(await made(health_build.twins(tables))),
            alerts=inventory.alerts,
            authorities=await made(health_build.authorities(tables)),
            read_at=read_at,
            age_s=pool.feed.age_s,
        )
        measured = await clocks
    finally:
        clocks.cancel()
    ordered = sorted(facts.hosts, key=lambda one: (one.host.name, one.host.uuid))
    return msgspec.structs.replace(facts, hosts=tuple(_with_clock(one, measured) for one in ordered))


def _with_clock(state: HostState, measured: dict[str, tuple[float, float]]) -> HostState:
    if state.host.uuid not in measured:
        return state
    ahead, doubt = measured[state.host.uuid]
    return msgspec.structs.replace(state, clock_ahead_s=ahead, clock_doubt_s=doubt)


async def _clocks(pool: LivePool, clock: Callable[[], float]) -> dict[str, tuple[float, float]]:
    """By UUID how far each host's clock is ahead of ours and how wrong that may be, for those that tell in time."""
    silent = {member.address for member in pool.probe.members if member.silent_since is not None}
    asked = {
        record.uuid: ref
        for ref, record in pool.model.tables.of(HostRecord).items()
        if ref != NULL_REF and record.address and record.address not in silent
    }
    found: dict[str, tuple[float, float]] = {}

    async def ask(uuid: str, ref: str) -> None:
        measured = await _clock(pool, ref, clock)
        if measured is not None:
            found[uuid] = measured

    tasks = [asyncio.create_task(ask(uuid, ref)) for uuid, ref in asked.items()]
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=_CLOCKS_WITHIN_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return found


async def _clock(pool: LivePool, ref: str, clock: Callable[[], float]) -> tuple[float, float] | None:
    """The host's clock against ours in the middle of the call, and half of what the call took beside its resolution."""
    sent, began = clock(), time.monotonic()
    try:
        told = timestamp(str(await pool.brief.read("host.get_servertime", ref)))
    except (Unreachable, CannotTell, XapiFailure):
        return None
    took = time.monotonic() - began
    if told is None:
        return None
    # A clock that tells whole seconds is on average half a second further.
    return told + _RESOLUTION_S / 2 - (sent + took / 2), took / 2 + _RESOLUTION_S / 2
