"""From the feed's records to what somebody may have left behind, jobs of ours among them."""

from __future__ import annotations

from collections.abc import Iterator

from bot.domain.health import Snapshot
from bot.domain.remains import Lying
from bot.xen.build import timestamp
from bot.xen.records import NetworkRecord, SrRecord, VbdRecord, VdiRecord, VmRecord
from bot.xen.restoring_parts import OURS
from bot.xen.tables import Tables


def snapshots(tables: Tables) -> Iterator[Snapshot]:
    """Every snapshot of a guest."""
    for one in tables.of(VmRecord).values():
        if one.is_a_snapshot:
            guest = tables.get(VmRecord, one.snapshot_of)
            of, taken = guest.name_label if guest else "", timestamp(one.snapshot_time)
            yield Snapshot(one.uuid, one.name_label, of, taken, sum(_sizes(tables, one)))


def lying(tables: Tables) -> Iterator[Lying]:
    """Everything that a job of ours may have left, but for guests and snapshots, which others tell of.

    These are templates, whatever they are called, and disks, networks and storage whose names begin as ours do.
    """
    for one in tables.of(VmRecord).values():
        if one.is_a_template and not one.is_a_snapshot:
            yield Lying("VM", one.uuid, one.name_label, sum(_sizes(tables, one)))
    for disk in tables.of(VdiRecord).values():
        if disk.managed and _ours(disk.name_label):
            yield Lying("VDI", disk.uuid, disk.name_label, disk.virtual_size)
    for network in tables.of(NetworkRecord).values():
        if _ours(network.name_label):
            yield Lying("network", network.uuid, network.name_label)
    for sr in tables.of(SrRecord).values():
        if _ours(sr.name_label):
            yield Lying("SR", sr.uuid, sr.name_label)


def _ours(name: str) -> bool:
    return name.startswith(f"{OURS} ")


def _sizes(tables: Tables, vm: VmRecord) -> Iterator[int]:
    for ref in vm.vbds:
        vbd = tables.get(VbdRecord, ref)
        disk = tables.get(VdiRecord, vbd.vdi) if vbd is not None and vbd.type != "CD" else None
        if disk is not None:
            yield disk.virtual_size
