"""Which domain values must be built again once a record has changed: those that are made of it, and no others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.xen.records import (
    HostMetricsRecord,
    HostRecord,
    MessageRecord,
    NetworkRecord,
    PbdRecord,
    PifRecord,
    PoolRecord,
    Record,
    SrRecord,
    TaskRecord,
    VbdRecord,
    VdiRecord,
    VifRecord,
    VmGuestMetricsRecord,
    VmMetricsRecord,
    VmRecord,
)
from bot.xen.tables import Tables


@dataclass
class Stale:
    """References whose domain values must be built again."""

    pool: bool = False
    alerts: bool = False
    hosts: set[str] = field(default_factory=set)
    vms: set[str] = field(default_factory=set)
    srs: set[str] = field(default_factory=set)
    networks: set[str] = field(default_factory=set)

    def touch(self, tables: Tables, owners: Mapping[str, str], ref: str, record: Record) -> None:
        """Takes in that this record has come, changed or gone; `owners` has the guests of metrics and of tasks."""
        match record:
            case SrRecord():
                self.srs.add(ref)
            case PbdRecord():
                self.srs.add(record.sr)
            case NetworkRecord():
                self.networks.add(ref)
            case PifRecord():
                self.networks.add(record.network)
            case HostRecord():
                self.hosts.add(ref)
            case HostMetricsRecord():
                hosts = tables.of(HostRecord).items()
                self.hosts |= {host for host, known in hosts if known.metrics == ref}
            case MessageRecord():
                self.alerts = True
            case PoolRecord():
                self.pool = True
                self.hosts |= set(tables.of(HostRecord))
            case _:
                self.vms |= _guests_with(tables, owners, ref, record)

    def rename_host(self, tables: Tables, ref: str) -> None:
        """Takes in that the UUID behind a host has come or gone: what stands on it names it differently."""
        self.vms |= {vm for vm, record in tables.of(VmRecord).items() if record.resident_on == ref}
        self.srs |= set(tables.of(SrRecord))
        self.networks |= set(tables.of(NetworkRecord))
        self.pool = True


def _guests_with(tables: Tables, owners: Mapping[str, str], ref: str, record: Record) -> set[str]:
    match record:
        case VmRecord():
            return {ref}
        case VmMetricsRecord() | VmGuestMetricsRecord() | TaskRecord():
            return {owners[ref]} if ref in owners else set()
        case VbdRecord() | VifRecord():
            return {record.vm}
        case VdiRecord():
            vbds = tables.of(VbdRecord)
            return {vbds[vbd].vm for vbd in record.vbds if vbd in vbds}
        case _:
            return set()


def everything(tables: Tables) -> Stale:
    """All that can be built."""
    return Stale(
        pool=True,
        alerts=True,
        hosts=set(tables.of(HostRecord)),
        vms=set(tables.of(VmRecord)),
        srs=set(tables.of(SrRecord)),
        networks=set(tables.of(NetworkRecord)),
    )
