"""Direct reads for plans: the `Facts` port. Nothing here comes from the feed but which pool an object belongs to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from bot.domain.inventory import Host, MigrationFacts, Pool, Vm, Whereabouts, XapiVerdict
from bot.errors import CannotTell, NotFound, Unreachable, XapiFailure
from bot.xen import build
from bot.xen.faults import GONE
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


class LiveFacts:
    """Reads exactly the records that a decision depends on, in parallel over the pool's few sessions."""

    def __init__(
        self, pools: Sequence[LivePool], by_uuid: Callable[[str], LivePool], clock: Callable[[], float]
    ) -> None:
        self._pools = pools
        self._by_uuid = by_uuid
        self._clock = clock

    async def migration(self, vm: str, host: str) -> MigrationFacts:
        """All facts for moving a guest to a host. Raises NotFound, Unreachable, CannotTell, XapiFailure."""
        vm_pool, vm_ref = self._locate("VM", "guest", vm)
        host_pool, host_ref = self._locate("host", "host", host)
        here, there = Reader(vm_pool), Reader(host_pool)
        same = host_pool is vm_pool
        verdict: XapiVerdict | None = None
        if same:
            there = here
            guest, verdict, _ = await asyncio.gather(
                self._guest(here, vm_ref, vm), _verdict(vm_pool, vm_ref, host_ref), _members(here)
            )
        else:
            guest, _, _ = await asyncio.gather(self._guest(here, vm_ref, vm), _members(here), _members(there))
        close = {guest.resident_on} | ({host_ref} if same else set())
        hosts = await _hosts(vm_pool, here, close)
        targets = hosts if same else await _hosts(host_pool, there, {host_ref})
        target = targets.get(host_ref)
        if target is None:
            raise NotFound("host", host)
        return MigrationFacts(
            pool=_pool(vm_pool, here),
            vm=_vm(here, guest),
            source=hosts.get(guest.resident_on),
            target=target,
            target_pool=_pool(host_pool, there),
            pool_hosts=tuple(hosts.values()),
            xapi=verdict,
            busy_hosts={each.uuid: each.operations for each in (*hosts.values(), target) if each.operations},
            read_at=self._clock(),
        )

    async def whereabouts(self, pool: str, vm: str) -> Whereabouts:
        """Where the guest is now. Raises NotFound when the object is gone, Unreachable, XapiFailure."""
        reader = Reader(live := self._by_uuid(pool))
        try:
            ref = await live.resolve("VM", vm)
        except XapiFailure as failure:
            if failure.code in GONE:
                raise NotFound("guest", vm) from failure
            raise
        record = await reader.one(VmRecord, ref)
        if record is None:
            raise NotFound("guest", vm)
        await asyncio.gather(
            reader.one(VmGuestMetricsRecord, record.guest_metrics),
            reader.some(HostRecord, {record.resident_on, record.scheduled_to_be_resident_on}),
        )
        return build.whereabouts(reader.tables, record)

    def _locate(self, kind: str, word: str, uuid: str) -> tuple[LivePool, str]:
        for pool in self._pools:
            ref = pool.model.tables.ref(kind, uuid)
            if ref is not None:
                return pool, ref
        missing = [pool.name for pool in self._pools if pool.pool is None]
        if missing:
            raise CannotTell(f"pool {', '.join(missing)} has not been loaded, so that {word} {uuid} is not known")
        raise NotFound(word, uuid)

    async def _guest(self, reader: Reader, ref: str, uuid: str) -> VmRecord:
        record = await reader.one(VmRecord, ref)
        if record is None:
            raise NotFound("guest", uuid)
        await asyncio.gather(
            reader.one(VmMetricsRecord, record.metrics),
            reader.one(VmGuestMetricsRecord, record.guest_metrics),
            reader.some(TaskRecord, set(record.current_operations)),
            _disks(reader, record),
            _nets(reader, record),
        )
        return record


async def _disks(reader: Reader, vm: VmRecord) -> None:
    vbds = await reader.some(VbdRecord, set(vm.vbds))
    vdis = await reader.some(VdiRecord, {vbd.vdi for vbd in vbds})
    srs = await reader.some(SrRecord, {vdi.sr for vdi in vdis})
    await reader.some(PbdRecord, {pbd for sr in srs for pbd in sr.pbds})


async def _nets(reader: Reader, vm: VmRecord) -> None:
    vifs = await reader.some(VifRecord, set(vm.vifs))
    networks = await reader.some(NetworkRecord, {vif.network for vif in vifs})
    await reader.some(PifRecord, {pif for network in networks for pif in network.pifs})


async def _members(reader: Reader) -> None:
    found, *_ = await asyncio.gather(reader.all(PoolRecord), reader.all(HostRecord), reader.all(HostMetricsRecord))
    await reader.some(SrRecord, {pool.default_sr for pool in found.values()})


async def _verdict(pool: LivePool, vm: str, host: str) -> XapiVerdict:
    try:
        await pool.sessions.read("VM.assert_can_boot_here", vm, host)
    except XapiFailure as failure:
        return XapiVerdict(failure.code, failure.params)
    return XapiVerdict("")


async def _hosts(pool: LivePool, reader: Reader, close: set[str]) -> dict[str, Host]:
    """The pool's hosts; for those that the decision is about (`close`), XAPI is asked for the free memory itself."""
    records = reader.tables.of(HostRecord)
    asked = sorted(close & set(records))
    answers = await asyncio.gather(*(pool.sessions.read("host.compute_free_memory", ref) for ref in asked))
    free = dict(zip(asked, map(int, answers), strict=True))
    known = {host.uuid: host for host in pool.model.inventory.hosts}
    hosts = {}
    for ref, record in records.items():
        before = known.get(record.uuid)
        hosts[ref] = build.host(
            reader.tables,
            ref,
            record,
            memory_free=free.get(ref, before.memory_free if before else 0),
            guests=len(set(record.resident_vms) - {record.control_domain}),
            silent_since=before.silent_since if before else None,
        )
    return hosts


def _pool(pool: LivePool, reader: Reader) -> Pool:
    found = build.pool(reader.tables, pool.name)
    if found is None:
        raise Unreachable(f"pool {pool.name} answered without a pool object")
    return found


def _vm(reader: Reader, record: VmRecord) -> Vm:
    tables = reader.tables
    srs = {ref: build.sr(tables, sr) for ref, sr in tables.of(SrRecord).items()}
    networks = {ref: build.network(tables, network) for ref, network in tables.of(NetworkRecord).items()}
    return build.vm(tables, record, srs, networks)
