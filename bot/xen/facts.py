"""Reads for plans: the `Facts` port.

What a decision depends on is read directly: the guest, what hangs on it, and the hosts it is about. What only serves
advice and risk (the other hosts, other guests, other storage) is as the feed last had it, seconds ago.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from bot.domain.disk_moves import DiskMoveFacts
from bot.domain.guest_facts import MigrationFacts, PowerFacts, Whereabouts, XapiVerdict
from bot.domain.inventory import Host, PowerState, Vm
from bot.errors import CannotTell, NotFound
from bot.xen import build, disk_facts
from bot.xen.faults import known_as
from bot.xen.pool import LivePool, Reader
from bot.xen.reading import asked, host_in, may_move, may_run, pool_of, read_hosts, read_placed
from bot.xen.records import (
    HostRecord,
    NetworkRecord,
    PoolRecord,
    SrRecord,
    VmGuestMetricsRecord,
    VmMetricsRecord,
    VmRecord,
)
from bot.xen.twins import asleep, twins, unseen

# Only where the pool has it too does XAPI heed it at a guest.
_AUTO_START = ("auto_poweron", "true")


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
        here = Reader(vm_pool)
        if host_pool is vm_pool:
            (guest, hosts), movable, verdict = await asyncio.gather(
                read_placed(vm_pool, here, vm_ref, vm, {host_ref}),
                may_move(vm_pool, vm_ref),
                may_run(vm_pool, vm_ref, host_ref),
            )
            made = self._facts(vm_pool, here, guest, hosts, movable)
            return msgspec.structs.replace(made, target=host_in(hosts, host_ref, host), xapi=verdict)
        there = Reader(host_pool)
        (guest, hosts), movable, targets = await asyncio.gather(
            read_placed(vm_pool, here, vm_ref, vm, set()),
            may_move(vm_pool, vm_ref),
            read_hosts(host_pool, there, {host_ref}),
        )
        made = self._facts(vm_pool, here, guest, hosts, movable)
        abroad = pool_of(host_pool, there)
        return msgspec.structs.replace(made, target=host_in(targets, host_ref, host), target_pool=abroad)

    async def placements(self, vm: str) -> tuple[MigrationFacts, ...]:
        """The facts for moving a guest to each other host of its pool, in order of the hosts' names.

        The guest, its own host and XAPI's verdicts are read; what the other hosts are like is as the feed last had it.
        Raises NotFound, Unreachable, CannotTell, XapiFailure.
        """
        pool, ref = self._locate("VM", "guest", vm)
        reader, known = Reader(pool), pool.model.tables.of(HostRecord)
        targets = sorted(ref for ref, record in known.items() if record.address)
        (guest, hosts), movable, verdicts = await asyncio.gather(
            read_placed(pool, reader, ref, vm, set()),
            may_move(pool, ref),
            asyncio.gather(*(may_run(pool, ref, each) for each in targets)),
        )
        made = self._facts(pool, reader, guest, hosts, movable)
        found = [
            msgspec.structs.replace(made, target=hosts[each], xapi=verdict)
            for each, verdict in zip(targets, verdicts, strict=True)
            if each in hosts and each != guest.resident_on
        ]
        return tuple(sorted(found, key=lambda facts: (facts.target.name, facts.target.uuid)))

    def _facts(
        self, pool: LivePool, reader: Reader, guest: VmRecord, hosts: dict[str, Host], movable: XapiVerdict
    ) -> MigrationFacts:
        """All that does not depend on the target; the guest's own host, or any, stands in for it."""
        known, own = pool.model.inventory, pool_of(pool, reader)
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

    async def power(self, vm: str, operations: tuple[str, ...], *, placing: bool = False) -> PowerFacts:
        """All facts for starting or stopping a guest. Raises NotFound, Unreachable, CannotTell, XapiFailure."""
        pool, ref = self._locate("VM", "guest", vm)
        reader = Reader(pool)
        verdicts_of = asyncio.gather(*(asked(pool, "VM.assert_operation_valid", ref, one) for one in operations))
        (guest, hosts), valid, marks = await asyncio.gather(
            read_placed(pool, reader, ref, vm, set()), verdicts_of, pool.sessions.read("VM.get_other_config", ref)
        )
        places = sorted(hosts) if placing else []
        verdicts = await asyncio.gather(*(may_run(pool, ref, each) for each in places))
        return PowerFacts(
            pool=pool_of(pool, reader),
            vm=_vm(reader, guest),
            host=hosts.get(guest.resident_on),
            hosts=tuple(sorted(hosts.values(), key=lambda host: (host.name, host.uuid))),
            verdicts={hosts[each].uuid: verdict for each, verdict in zip(places, verdicts, strict=True)},
            valid=dict(zip(operations, valid, strict=True)),
            own=guest.uuid in self._own,
            read_at=self._clock(),
            auto_start=all(_AUTO_START in one.items() for one in (marks, *_pool_marks(reader))),
            twins=twins(self._pools, pool, ref) if placing else {},
            asleep=asleep(self._pools, pool, ref) if placing else {},
            unseen=unseen(self._pools) if placing else (),
        )

    async def disk_move(self, vm: str, sr: str) -> DiskMoveFacts:
        """All facts for moving a guest's disks to an SR. Raises NotFound, Unreachable, CannotTell, XapiFailure."""
        pool, ref = self._locate("VM", "guest", vm)
        home, sr_ref = self._locate("SR", "SR", sr)
        reader = Reader(pool)
        (guest, hosts), movable, features = await asyncio.gather(
            read_placed(pool, reader, ref, vm, set()),
            asked(pool, "VM.assert_operation_valid", ref, "migrate_send"),
            disk_facts.drivers(pool),
        )
        images = await disk_facts.images(pool, reader, guest)
        abroad = Reader(home)
        if home is not pool:
            await read_hosts(home, abroad, set())
        found = await disk_facts.storage(reader if home is pool else abroad, sr_ref)
        if found is None:
            raise NotFound("SR", sr)
        target, record = found
        own = pool_of(pool, reader)
        return DiskMoveFacts(
            pool=own,
            vm=_vm(reader, guest),
            host=hosts.get(guest.resident_on),
            target=target,
            target_pool=own if home is pool else pool_of(home, abroad),
            images=images,
            target_work=tuple(sorted(record.current_operations.values())),
            promised=record.virtual_allocation,
            features=features,
            movable=movable,
            read_at=self._clock(),
        )

    async def whereabouts(self, pool: str, vm: str) -> Whereabouts:
        """Where the guest is now. Raises NotFound when the object is gone, Unreachable, XapiFailure."""
        reader = Reader(live := self._by_uuid(pool))
        with known_as("guest", vm):
            ref = await live.resolve("VM", vm)
        record = await reader.one(VmRecord, ref)
        if record is None:
            raise NotFound("guest", vm)
        await asyncio.gather(
            reader.one(VmGuestMetricsRecord, record.guest_metrics),
            reader.one(VmMetricsRecord, record.metrics),
            reader.some(HostRecord, {record.resident_on, record.scheduled_to_be_resident_on}),
        )
        here = reader.tables.get(HostRecord, record.resident_on)
        silent = {member.address: member.silent_since for member in live.probe.members}
        return build.whereabouts(reader.tables, record, silent.get(here.address) if here is not None else None)

    def _locate(self, kind: str, word: str, uuid: str) -> tuple[LivePool, str]:
        for pool in self._pools:
            ref = pool.model.tables.ref(kind, uuid)
            if ref is not None:
                return pool, ref
        missing = [pool.name for pool in self._pools if pool.pool is None]
        if missing:
            raise CannotTell(f"pool {', '.join(missing)} has not been loaded, so that {word} {uuid} is not known")
        raise NotFound(word, uuid)


def _pool_marks(reader: Reader) -> list[dict[str, str]]:
    return [record.other_config for record in reader.tables.of(PoolRecord).values()]


def _vm(reader: Reader, record: VmRecord) -> Vm:
    tables = reader.tables
    srs = {ref: build.sr(tables, sr) for ref, sr in tables.of(SrRecord).items()}
    networks = {ref: build.network(tables, network) for ref, network in tables.of(NetworkRecord).items()}
    return build.vm(tables, record, srs, networks)
