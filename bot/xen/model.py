"""The live inventory of one pool: the feed's records, and the domain values made of them.

Readers get a finished `Inventory` and never wait. Only what changed is built again, in slices between which the event
loop serves others: 5,000 guests are built in well over a hundred milliseconds, and people wait for an answer
meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from bot.domain.inventory import Alert, Host, Network, Pool, Sr, Vm
from bot.xen import build
from bot.xen.bell import Bell
from bot.xen.faults import NULL_REF
from bot.xen.records import (
    HostMetricsRecord,
    HostRecord,
    NetworkRecord,
    Record,
    SrRecord,
    TaskRecord,
    VbdRecord,
    VdiRecord,
    VifRecord,
    VmRecord,
)
from bot.xen.stale import Stale, everything
from bot.xen.tables import Tables
from bot.xen.turns import Turns

SLICE: Final = 50


class Change(NamedTuple):
    """One event: an object's record as it is now, or None when it is gone."""

    kind: type[Record]
    ref: str
    record: Record | None


@dataclass(frozen=True)
class Inventory:
    """What a pool is made of, all of one moment."""

    pool: Pool | None = None
    hosts: tuple[Host, ...] = ()
    vms: tuple[Vm, ...] = ()
    srs: tuple[Sr, ...] = ()
    alerts: tuple[Alert, ...] = ()
    networks: tuple[Network, ...] = ()


class Model:
    """Takes records and changes, gives inventories. `name` is the pool's name in the configuration."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._publishing = asyncio.Lock()
        self._bell = Bell()
        self._task_bells: dict[str, Bell] = {}
        self._silent: dict[str, float] = {}
        self._inventory = Inventory()
        self._reset(Tables())

    @property
    def tables(self) -> Tables:
        """The records; for looking, not for changing."""
        return self._tables

    @property
    def inventory(self) -> Inventory:
        """The newest finished inventory."""
        return self._inventory

    @property
    def bell(self) -> Bell:
        """Rings when a new inventory is there."""
        return self._bell

    def task_bell(self, ref: str) -> Bell:
        """Rings when the task changes; ask for it again for each wait."""
        return self._task_bells.setdefault(ref, Bell())

    async def replace(self, tables: Tables) -> None:
        """Takes over a complete new reading. The old inventory stays until the new one is built."""
        async with self._publishing:
            self._reset(tables)
            turns = Turns()
            for number, (ref, record) in enumerate(tables.of(VmRecord).items()):
                self._own(ref, None, record)
                if number % SLICE == 0:
                    await turns.give()
            self._stale = everything(tables)
            await self._build()
        for ref in list(self._task_bells):
            self._ring_task(ref)

    async def apply(self, changes: Iterable[Change]) -> None:
        """Takes over changes; `publish` makes them visible."""
        async with self._publishing:
            for change in changes:
                self._apply(change)

    async def publish(self) -> None:
        """Builds what changed and shows it, if anything did."""
        async with self._publishing:
            await self._build()

    async def silence(self, addresses: dict[str, float]) -> None:
        """Notes which management addresses no longer answer, and since when (Unix seconds)."""
        if addresses == self._silent:
            return
        self._silent = dict(addresses)
        async with self._publishing:
            self._stale.hosts |= set(self._tables.of(HostRecord))
            await self._build()

    def _reset(self, tables: Tables) -> None:
        self._tables = tables
        self._stale = Stale()
        self._owners: dict[str, str] = {}
        self._memory: Counter[str] = Counter()
        self._guests: Counter[str] = Counter()
        self._hosts: dict[str, Host] = {}
        self._vms: dict[str, Vm] = {}
        self._srs: dict[str, Sr] = {}
        self._networks: dict[str, Network] = {}

    def _apply(self, change: Change) -> None:
        kind, ref, new = change
        records = self._tables.of(kind)
        old = records.pop(ref, None) if new is None else records.get(ref)
        if new is not None:
            records[ref] = new
        if kind is TaskRecord:
            self._ring_task(ref)
        if kind is VmRecord:
            self._own(ref, old, new)  # type: ignore[arg-type]  # of this kind, as the line above says
        for record in (old, new):
            if record is not None:
                self._stale.touch(self._tables, self._owners, ref, record)
        if kind is HostRecord and (old is None or new is None):
            self._stale.rename_host(self._tables, ref)

    def _own(self, ref: str, old: VmRecord | None, new: VmRecord | None) -> None:
        """Keeps who owns which metrics and operations, and what each host's guests add up to."""
        for record, sign in ((old, -1), (new, 1)):
            if record is None:
                continue
            hosts, size = build.load(record)
            for host in hosts:
                self._memory[host] += sign * size
            self._stale.hosts |= hosts
            if record.guest and record.resident_on != NULL_REF:
                self._guests[record.resident_on] += sign
            for owned in (record.metrics, record.guest_metrics, *record.current_operations):
                if sign > 0:
                    self._owners[owned] = ref
                else:
                    self._owners.pop(owned, None)

    async def _build(self) -> None:
        stale, self._stale = self._stale, Stale()
        if stale == Stale():
            return
        pool = self._inventory.pool
        if stale.pool or pool is None:
            pool = build.pool(self._tables, self._name)
        networks = bool(stale.networks)
        self._build_srs(stale)
        self._build_networks(stale)
        hosts = self._tables.of(HostRecord)
        for ref in stale.hosts:
            record = hosts.get(ref)
            if record is None:
                self._hosts.pop(ref, None)
            else:
                self._hosts[ref] = self._host(ref, record)
        turns = Turns()
        for number, ref in enumerate(stale.vms):
            vm = self._tables.get(VmRecord, ref)
            if vm is None or not vm.guest:
                self._vms.pop(ref, None)
            else:
                self._vms[ref] = build.vm(self._tables, vm, self._srs, self._networks)
            if number % SLICE == SLICE - 1:
                await turns.give()
        self._inventory = Inventory(
            pool,
            hosts=tuple(sorted(self._hosts.values(), key=_by_name)),
            vms=tuple(self._vms[ref] for ref in self._tables.of(VmRecord) if ref in self._vms),
            srs=tuple(sorted(self._srs.values(), key=_by_name)),
            alerts=build.alerts(self._tables) if stale.alerts else self._inventory.alerts,
            networks=tuple(sorted(self._networks.values(), key=_by_name)) if networks else self._inventory.networks,
        )
        self._bell.ring()

    def _build_srs(self, stale: Stale) -> None:
        records = self._tables.of(SrRecord)
        moved = set()
        for ref in stale.srs:
            record = records.get(ref)
            new = build.sr(self._tables, record) if record else None
            if new != self._srs.get(ref):
                moved.add(ref)
            if new is None:
                self._srs.pop(ref, None)
            else:
                self._srs[ref] = new
        if not moved or stale.vms >= set(self._tables.of(VmRecord)):
            return
        vbds = self._tables.of(VbdRecord)
        for vdi in self._tables.of(VdiRecord).values():
            if vdi.sr in moved:
                stale.vms |= {vbds[vbd].vm for vbd in vdi.vbds if vbd in vbds}

    def _build_networks(self, stale: Stale) -> None:
        records = self._tables.of(NetworkRecord)
        vifs = self._tables.of(VifRecord)
        for ref in stale.networks:
            record = records.get(ref)
            new = build.network(self._tables, record) if record else None
            if record is not None and new != self._networks.get(ref):
                stale.vms |= {vifs[vif].vm for vif in record.vifs if vif in vifs}
            if new is None:
                self._networks.pop(ref, None)
            else:
                self._networks[ref] = new

    def _host(self, ref: str, record: HostRecord) -> Host:
        metrics = self._tables.get(HostMetricsRecord, record.metrics)
        control = self._tables.get(VmRecord, record.control_domain)
        return build.host(
            self._tables,
            ref,
            record,
            memory_free=max(0, (metrics.memory_total if metrics else 0) - record.memory_overhead - self._memory[ref]),
            guests=self._guests[ref],
            silent_since=self._silent.get(record.address),
            control_memory=control.memory_dynamic_max if control is not None else 0,
        )

    def _ring_task(self, ref: str) -> None:
        bell = self._task_bells.pop(ref, None)
        if bell is not None:
            bell.ring()


def _by_name(item: Host | Sr | Network) -> tuple[str, str]:
    return item.name, item.uuid
