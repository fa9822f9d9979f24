"""Direct reads for decisions: a guest with all that hangs on it, the hosts of its pool, and what XAPI itself says."""

from __future__ import annotations

import asyncio

from bot.domain.guest_facts import XapiVerdict
from bot.domain.inventory import Host, Pool
from bot.errors import NotFound, Unreachable, XapiFailure
from bot.xen import build
from bot.xen.pool import LivePool, Reader
from bot.xen.records import (
    HostMetricsRecord,
    HostRecord,
    NetworkRecord,
    PbdRecord,
    PifRecord,
    PoolRecord,
    SrRecord,
    TaskRecord,
    VbdRecord,
    VdiRecord,
    VifRecord,
    VmGuestMetricsRecord,
    VmMetricsRecord,
    VmRecord,
)


async def read_placed(
    pool: LivePool, reader: Reader, ref: str, uuid: str, near: set[str]
) -> tuple[VmRecord, dict[str, Host]]:
    """The guest with all that hangs on it, and the pool's hosts; its own host and those in `near` are read directly."""
    record = await reader.one(VmRecord, ref)
    if record is None:
        raise NotFound("guest", uuid)
    near = near | {record.resident_on}
    hosts, _ = await asyncio.gather(read_hosts(pool, reader, near), read_guest(pool, reader, record, near))
    return record, hosts


async def read_guest(pool: LivePool, reader: Reader, record: VmRecord, near: set[str]) -> None:
    """Reads all that hangs on a guest."""
    await asyncio.gather(
        reader.one(VmMetricsRecord, record.metrics),
        reader.one(VmGuestMetricsRecord, record.guest_metrics),
        reader.some(TaskRecord, set(record.current_operations)),
        _disks(pool, reader, record, near),
        _nets(pool, reader, record, near),
    )


async def _disks(pool: LivePool, reader: Reader, vm: VmRecord, near: set[str]) -> None:
    vbds = await reader.some(VbdRecord, set(vm.vbds))
    vdis = await reader.some(VdiRecord, {vbd.vdi for vbd in vbds})
    srs = await reader.some(SrRecord, {vdi.sr for vdi in vdis})
    await _plugs(pool, reader, PbdRecord, {pbd for sr in srs for pbd in sr.pbds}, near)


async def _nets(pool: LivePool, reader: Reader, vm: VmRecord, near: set[str]) -> None:
    vifs = await reader.some(VifRecord, set(vm.vifs))
    networks = await reader.some(NetworkRecord, {vif.network for vif in vifs})
    await _plugs(pool, reader, PifRecord, {pif for network in networks for pif in network.pifs}, near)


async def _plugs(
    pool: LivePool, reader: Reader, kind: type[PbdRecord | PifRecord], refs: set[str], near: set[str]
) -> None:
    """The plugs of shared things: those in hosts `near` are read, of the others the feed knows enough.

    A pool of 64 hosts has 64 of each for every SR and network, and a plug never changes its host.
    """
    known = pool.model.tables.of(kind)
    far = {ref for ref in refs if ref in known and known[ref].host not in near}
    for ref in far:
        reader.tables.put(ref, known[ref])
    await reader.some(kind, refs - far)


async def may_run(pool: LivePool, vm: str, host: str) -> XapiVerdict:
    """Whether XAPI would let the guest run on the host."""
    return await asked(pool, "VM.assert_can_boot_here", vm, host)


async def may_move(pool: LivePool, vm: str) -> XapiVerdict:
    """Whether XAPI would let the guest be moved now."""
    return await asked(pool, "VM.assert_operation_valid", vm, "pool_migrate")


async def asked(pool: LivePool, method: str, *args: object) -> XapiVerdict:
    """XAPI's answer to a question whose only answers are nothing and a refusal. Raises Unreachable."""
    try:
        await pool.sessions.read(method, *args)
    except XapiFailure as failure:
        return XapiVerdict(failure.code, failure.params)
    return XapiVerdict("")


async def read_hosts(pool: LivePool, reader: Reader, near: set[str]) -> dict[str, Host]:
    """The pool's hosts by reference; those in `near` are read, and XAPI is asked for their free memory itself."""
    tables = reader.tables
    for kind in (HostRecord, HostMetricsRecord):
        for ref, record in pool.model.tables.of(kind).items():
            # What is asked of a host that joined only half-way hangs.
            if not isinstance(record, HostRecord) or record.address:
                tables.put(ref, record)
    near = {ref for ref in near if ref in tables.of(HostRecord)}
    found, records = await asyncio.gather(reader.all(PoolRecord), reader.some(HostRecord, near))
    for ref in near - {ref for ref in near if tables.of(HostRecord)[ref] in records}:
        # The feed still has it, the pool no longer: it has just been ejected.
        tables.of(HostRecord).pop(ref)
    near &= set(tables.of(HostRecord))
    answers, *_ = await asyncio.gather(
        asyncio.gather(*(pool.sessions.read("host.compute_free_memory", ref) for ref in sorted(near))),
        reader.some(HostMetricsRecord, {record.metrics for record in records}),
        reader.some(SrRecord, {record.default_sr for record in found.values()}),
    )
    free = dict(zip(sorted(near), map(int, answers), strict=True))
    known = {host.uuid: host for host in pool.model.inventory.hosts}
    hosts = {}
    for ref, record in tables.of(HostRecord).items():
        before = known.get(record.uuid)
        hosts[ref] = build.host(
            tables,
            ref,
            record,
            memory_free=free.get(ref, before.memory_free if before else 0),
            guests=len(set(record.resident_vms) - {record.control_domain}),
            silent_since=before.silent_since if before else None,
            control_memory=before.control_memory if before else 0,
        )
    return hosts


def host_in(hosts: dict[str, Host], ref: str, uuid: str) -> Host:
    """The host of that reference. Raises NotFound."""
    if ref not in hosts:
        raise NotFound("host", uuid)
    return hosts[ref]


def pool_of(pool: LivePool, reader: Reader) -> Pool:
    """The pool as just read. Raises Unreachable where it showed none."""
    found = build.pool(reader.tables, pool.name)
    if found is None:
        raise Unreachable(f"pool {pool.name} answered without a pool object")
    return found
