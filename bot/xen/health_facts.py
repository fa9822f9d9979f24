"""Reads for the check of a pool: the feed's facts in one value, and what hosts tell by themselves there and then."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import time
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

import msgspec

from bot.domain.health import ControlDomain, HealthFacts, HostState
from bot.errors import CannotTell, Unreachable, XapiFailure
from bot.xen import health_build, health_left
from bot.xen.build import timestamp
from bot.xen.faults import NULL_REF
from bot.xen.pool import LivePool
from bot.xen.records import HostRecord, VmRecord
from bot.xen.turns import Turns

#: A host that is silent without our knowing would hold its question for a minute; nobody waits so long for an answer.
_WITHIN_S: Final = 0.8
#: A server tells its time in whole seconds.
_RESOLUTION_S: Final = 1.0
#: The names under which a server measures its control domain: the load of a minute, and the memory left, in KiB.
_LOAD: Final = "loadavg"
_FREE: Final = "memory_internal_free"
_KIB: Final = 1024
#: The coordinator's words for a host that does not answer it.
_SILENT: Final = frozenset({"CANNOT_CONTACT_HOST", "HOST_OFFLINE", "HOST_NOT_LIVE", "HOST_STILL_BOOTING"})

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
    answers = asyncio.create_task(_asked(pool, clock))
    try:
        facts = HealthFacts(
            pool=inventory.pool,
            hosts=await made(health_build.hosts(tables, (one for one in inventory.hosts if not one.half_joined))),
            plugs=await made(health_build.plugs(tables)),
            stores=await made(health_build.stores(tables, inventory.srs)),
            cables=await made(health_build.cables(tables)),
            bonds=await made(health_build.bonds(tables)),
            vms=inventory.vms,
            snapshots=await made(health_left.snapshots(tables)),
            stuck=await made(health_build.stuck(tables)),
            held=dict(await made(health_build.held(tables))),
            unheeded=dict(await made(health_build.unheeded(tables))),
            twins=dict(await made(health_build.twins(tables))),
            alerts=inventory.alerts,
            authorities=await made(health_build.authorities(tables)),
            read_at=read_at,
            age_s=pool.feed.age_s,
            lying=await made(health_left.lying(tables)),
            half_joined=tuple(one for one in inventory.hosts if one.half_joined),
        )
        told = await answers
    finally:
        answers.cancel()
    ordered = sorted(facts.hosts, key=lambda one: (one.host.name, one.host.uuid))
    return msgspec.structs.replace(facts, hosts=tuple(_with_answers(one, told) for one in ordered))


def _with_answers(state: HostState, told: dict[str, _Told]) -> HostState:
    """A host with what it told by itself."""
    answer = told.get(state.host.uuid)
    if answer is None:
        return state
    ahead, doubt = answer.clock
    return msgspec.structs.replace(state, clock_ahead_s=ahead, clock_doubt_s=doubt, control=answer.control)


@dataclasses.dataclass
class _Told:
    """What a host told: how far its clock is ahead and how wrong that may be, then how its control domain is."""

    clock: tuple[float, float]
    control: ControlDomain | None = None


async def _asked(pool: LivePool, clock: Callable[[], float]) -> dict[str, _Told]:
    """What the hosts tell in time, by UUID; those that are known to be silent are not asked."""
    silent = {member.address for member in pool.probe.members if member.silent_since is not None}
    asked = {
        ref: record
        for ref, record in pool.model.tables.of(HostRecord).items()
        if ref != NULL_REF and record.address and record.address not in silent
    }
    found: dict[str, _Told] = {}

    async def ask(ref: str, record: HostRecord) -> None:
        # One question at a time: a host that has died without our knowing holds one thread, not one for each.
        measured = await _clock(pool, ref, clock)
        if measured is not None:
            found[record.uuid] = _Told(measured)
            found[record.uuid].control = await _control(pool, ref, record)

    tasks = [asyncio.create_task(ask(ref, record)) for ref, record in asked.items()]
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=_WITHIN_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return found


async def _control(pool: LivePool, ref: str, record: HostRecord) -> ControlDomain | None:
    """Load and free memory of a host's control domain; None where it does not answer."""
    control = pool.model.tables.get(VmRecord, record.control_domain)
    try:
        load = await _measure(pool, "host.query_data_source", ref, _LOAD)
        free = await _measure(pool, "VM.query_data_source", record.control_domain, _FREE) if control else None
    except (Unreachable, CannotTell):
        return None
    processors = control.vcpus_at_startup if control is not None else 0
    return ControlDomain(processors, load, int(free * _KIB) if free is not None else None)


async def _measure(pool: LivePool, method: str, ref: str, name: str) -> float | None:
    """What is measured under a name; None where the server measures no such thing. Raises Unreachable, CannotTell."""
    try:
        told = await pool.brief.read(method, ref, name)
    except XapiFailure as failure:
        if failure.code in _SILENT:
            raise Unreachable(str(failure)) from failure
        return None
    return float(told) if isinstance(told, float | int) and math.isfinite(told) else None


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
