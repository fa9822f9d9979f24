"""Direct reads for plans: the `Facts` port. Nothing here comes from the feed but which pool an object belongs to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

import msgspec

from bot.domain.inventory import Host, MigrationFacts, Pool, PowerFacts, PowerState, Vm, Whereabouts, XapiVerdict
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
        self,
        pools: Sequence[LivePool],
        by_uuid: Callable[[str], LivePool],
        clock: Callable[[], float],
        own: frozenset[str] = frozenset(),
    ) -> None:
        self._own = own
        self._pools = pools
        self._by_uuid = by_uuid
        self._clock = clock

    async def migration(self, vm: str, host: str) -> MigrationFacts:
        """All facts for moving a guest to a host. Raises NotFound, Unreachable, CannotTell, XapiFailure."""
        vm_pool, vm_ref = self._locate("VM", "guest", vm)
        host_pool, host_ref = self._locate("host", "host", host)
        if host_pool is vm_pool:
            found = await self._inside(vm_pool, vm_ref, vm, lambda hosts: {host_ref} & set(hosts))
            return self._one(found, host)
        here, there = Reader(vm_pool), Reader(host_pool)
        guest, movable, _, _ = await asyncio.gather(
            _guest(here, vm_ref, vm), _movable(vm_pool, vm_ref), _members(here), _members(there)
        )
        hosts = await _hosts(vm_pool, here, {guest.resident_on})
        targets = await _hosts(host_pool, there, {host_ref})
        made = self._facts(vm_pool, here, guest, hosts, movable)
        abroad = _pool(host_pool, there)
        return self._one(
            [msgspec.structs.replace(made, target=each, target_pool=abroad) for each in targets.values()], host
        )

    async def placements(self, vm: str) -> tuple[MigrationFacts, ...]:
        """The facts for moving a guest to each other host of its pool, of one moment, in order of the hosts' names.

        Raises NotFound, Unreachable, CannotTell, XapiFailure.
        """
        pool, ref = self._locate("VM", "guest", vm)
        found = await self._inside(pool, ref, vm, set)
        others = [facts for facts in found if facts.target.uuid != facts.vm.host]
        return tuple(sorted(others, key=lambda facts: (facts.target.name, facts.target.uuid)))

    async def _inside(
        self, pool: LivePool, ref: str, vm: str, chosen: Callable[[Iterable[str]], set[str]]
    ) -> list[MigrationFacts]:
        """The facts for each chosen host of the guest's own pool."""
        reader = Reader(pool)
        guest, movable, _ = await asyncio.gather(_guest(reader, ref, vm), _movable(pool, ref), _members(reader))
        targets = sorted(chosen(reader.tables.of(HostRecord)))
        hosts, verdicts = await asyncio.gather(
            _hosts(pool, reader, {guest.resident_on, *targets}),
            asyncio.gather(*(_verdict(pool, ref, each) for each in targets)),
        )
        made = self._facts(pool, reader, guest, hosts, movable)
        return [
            msgspec.structs.replace(made, target=hosts[each], xapi=verdict)
            for each, verdict in zip(targets, verdicts, strict=True)
        ]

    def _facts(
        self, pool: LivePool, reader: Reader, guest: VmRecord, hosts: dict[str, Host], movable: XapiVerdict
    ) -> MigrationFacts:
        """All that does not depend on the target; the guest's own host, or any, stands in for it."""
        known, own = pool.model.inventory, _pool(pool, reader)
        running = (each for each in known.vms if each.power_state is PowerState.RUNNING and each.uuid != guest.uuid)
        return MigrationFacts(
            pool=own,
            vm=_vm(reader, guest),
            source=hosts.get(guest.resident_on),
            target=hosts.get(guest.resident_on) or next(iter(hosts.values())),
            target_pool=own,
            pool_hosts=tuple(hosts.values()),
            xapi=None,
            busy_hosts={each.uuid: each.operations for each in hosts.values() if each.operations},
            read_at=self._clock(),
            movable=movable,
            neighbours=tuple(running),
            srs=known.srs,
        )

    @staticmethod
    def _one(found: Iterable[MigrationFacts], host: str) -> MigrationFacts:
        for facts in found:
            if facts.target.uuid == host:
                return facts
        raise NotFound("host", host)

    async def power(self, vm: str, operations: tuple[str, ...], *, placing: bool = False) -> PowerFacts:
        """All facts for starting or stopping a guest. Raises NotFound, Unreachable, CannotTell, XapiFailure."""
        pool, ref = self._locate("VM", "guest", vm)
        reader = Reader(pool)
        asked = asyncio.gather(*(_asked(pool, "VM.assert_operation_valid", ref, one) for one in operations))
        guest, _, valid = await asyncio.gather(_guest(reader, ref, vm), _members(reader), asked)
        hosts = await _hosts(pool, reader, set())
        places = sorted(hosts) if placing else []
        verdicts = await asyncio.gather(*(_verdict(pool, ref, each) for each in places))
        return PowerFacts(
            pool=_pool(pool, reader),
            vm=_vm(reader, guest),
            host=hosts.get(guest.resident_on),
            hosts=tuple(sorted(hosts.values(), key=lambda host: (host.name, host.uuid))),
            verdicts={hosts[each].uuid: verdict for each, verdict in zip(places, verdicts, strict=True)},
            valid=dict(zip(operations, valid, strict=True)),
            own=guest.uuid in self._own,
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
            reader.one(VmMetricsRecord, record.metrics),
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


async def _guest(reader: Reader, ref: str, uuid: str) -> VmRecord:
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
    return await _asked(pool, "VM.assert_can_boot_here", vm, host)


async def _movable(pool: LivePool, vm: str) -> XapiVerdict:
    return await _asked(pool, "VM.assert_operation_valid", vm, "pool_migrate")


async def _asked(pool: LivePool, method: str, *args: str) -> XapiVerdict:
    try:
        await pool.sessions.read(method, *args)
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
            control_memory=before.control_memory if before else 0,
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
