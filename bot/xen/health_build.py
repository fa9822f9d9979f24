"""From the feed's records to what the health of a pool is judged by: functions over `Tables`, without any question."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from bot.domain.health import Bond, Cable, Expiry, HostState, Paths, Plug, Store, Stuck
from bot.domain.inventory import Host, Sr
from bot.xen.build import timestamp
from bot.xen.faults import NULL_REF
from bot.xen.records import (
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
    VmRecord,
)
from bot.xen.records_of_health import BondRecord, CertificateRecord, PifMetricsRecord
from bot.xen.tables import Tables

#: What a pool trusts, by the type of the certificate.
_TRUSTED: Final = {"ca": "trusted authority", "pinned": "pinned certificate"}
#: `mpath-<device>` = "[2, 4]": two of four paths are up. The disk a host starts from has a key of its own.
_MULTIPATH: Final = "mpath-"
_BOOT: Final = "mpath-boot"
_COUNTS: Final = re.compile(r"\s*\[\s*(\d+)\s*,\s*(\d+)\b")
#: Device settings hold passwords of storage under such keys: they are not compared, so they never get further.
_SECRET: Final = re.compile(r"pass|secret|key", re.IGNORECASE)
#: The longest chain a storage driver makes; a loop in broken records must not hold us.
_LONGEST_CHAIN: Final = 64
#: Files of the pool itself, which belong to no guest on purpose.
_POOLS_OWN: Final = frozenset({"ha_statefile", "metadata", "redo_log", "pvs_cache", "rrd", "cbt_metadata"})
_AUTO_START: Final = "auto_poweron"
#: What servers say of updates that were fetched; "unknown" where none ever were, nothing where they know no such.
_BEHIND: Final = {"no": True, "yes": False, "unknown": False, "": False}


def hosts(tables: Tables, known: Iterable[Host]) -> Iterator[HostState]:
    """What there is to know of each host but its clock."""
    by_uuid = {host.uuid: host for host in known}
    certificates: dict[str, list[Expiry]] = {}
    for one in tables.of(CertificateRecord).values():
        ends = timestamp(one.not_after)
        if ends is not None and one.type in {"host", "host_internal"}:
            what = "server certificate" if one.type == "host" else "certificate towards other hosts"
            certificates.setdefault(one.host, []).append(Expiry(what, ends))
    for ref, record in tables.of(HostRecord).items():
        host = by_uuid.get(record.uuid)
        if host is None:
            continue
        yield HostState(
            host=host,
            build=record.software_version.get("build_number") or record.software_version.get("xapi_build", ""),
            updates=frozenset(record.updates),
            guidances=tuple(sorted({*record.pending_guidances, *_reboot(record)})),
            behind=_BEHIND.get(record.latest_synced_updates_applied),
            multipathing=record.multipathing,
            boot_paths=tuple(_paths(record.other_config, boot=True)),
            certificates=tuple(sorted(certificates.get(ref, ()), key=lambda one: (one.at, one.what))),
            licence=_licence(record),
        )


def authorities(tables: Tables) -> Iterator[Expiry]:
    """Until when the certificates are good that the pool trusts: of authorities, and of servers that were pinned."""
    for one in tables.of(CertificateRecord).values():
        ends = timestamp(one.not_after)
        if ends is not None and one.type in _TRUSTED:
            # Newer servers give them no name; this much of a fingerprint tells two apart.
            yield Expiry(f"{_TRUSTED[one.type]} {one.name or one.fingerprint[:17] or one.uuid}", ends)


def plugs(tables: Tables) -> Iterator[Plug]:
    """Every PBD whose ends are known."""
    for one in tables.of(PbdRecord).values():
        sr, host = tables.uuid(SrRecord, one.sr), tables.uuid(HostRecord, one.host)
        if sr and host:
            settings = tuple(sorted((key, text) for key, text in one.device_config.items() if not _SECRET.search(key)))
            yield Plug(one.uuid, sr, host, one.currently_attached, settings, tuple(_paths(one.other_config)))


def stores(tables: Tables, known: Iterable[Sr]) -> Iterator[Store]:
    """Every SR with what its disks say of chains and of disks that nobody uses."""
    by_uuid = {sr.uuid: sr for sr in known}
    by_sr: dict[str, list[VdiRecord]] = {}
    for disk in tables.of(VdiRecord).values():
        by_sr.setdefault(disk.sr, []).append(disk)
    for ref, record in tables.of(SrRecord).items():
        sr = by_uuid.get(record.uuid)
        if sr is None:
            continue
        disks = by_sr.get(ref, [])
        by_disk = {disk.uuid: disk for disk in disks}
        children = Counter(disk.chain.parent for disk in disks if disk.chain.parent)
        deepest = max(((_depth(disk, by_disk), disk.name_label) for disk in disks), default=(0, ""))
        orphans = [disk for disk in disks if _is_orphan(disk, record)]
        yield Store(
            sr=sr,
            content=record.content_type,
            promised=record.virtual_allocation,
            deepest=deepest[0],
            deepest_disk=deepest[1],
            waiting=sum(not disk.managed and children[disk.uuid] == 1 for disk in disks),
            orphans={disk.uuid: disk.name_label for disk in orphans},
            orphans_size=sum(disk.virtual_size for disk in orphans),
        )


def cables(tables: Tables) -> Iterator[Cable]:
    """Every network card, with what depends on it."""
    busy = {vif.network for vif in tables.of(VifRecord).values() if _runs(tables, vif.vm)}
    bonds = {ref: tables.get(PifRecord, bond.master) for ref, bond in tables.of(BondRecord).items()}
    for pif in tables.of(PifRecord).values():
        host = tables.uuid(HostRecord, pif.host)
        if not pif.physical or not host:
            continue
        network = tables.get(NetworkRecord, pif.network)
        metrics = tables.get(PifMetricsRecord, pif.metrics)
        master = bonds.get(pif.bond_slave_of)
        yield Cable(
            host=host,
            device=pif.device,
            network=network.name_label if network is not None else "",
            management=pif.management,
            used=pif.management or pif.network in busy or master is not None,
            attached=pif.currently_attached,
            carrier=metrics.carrier if metrics is not None else None,
            bond=master.device if master is not None else "",
        )


def bonds(tables: Tables) -> Iterator[Bond]:
    """Every bond whose host is known."""
    for one in tables.of(BondRecord).values():
        master = tables.get(PifRecord, one.master)
        host = tables.uuid(HostRecord, master.host) if master is not None else None
        if master is not None and host:
            yield Bond(host, master.device, one.links_up, len(one.slaves))


def stuck(tables: Tables) -> Iterator[Stuck]:
    """Operations without a task. A task that just ended may be gone a moment before its operation: look twice."""
    busy: tuple[Iterable[VmRecord | SrRecord | VdiRecord | HostRecord], ...] = (
        tables.of(VmRecord).values(),
        tables.of(SrRecord).values(),
        tables.of(VdiRecord).values(),
        tables.of(HostRecord).values(),
    )
    for records in busy:
        for record in records:
            for task, operation in record.current_operations.items():
                if task.startswith("OpaqueRef:") and tables.get(TaskRecord, task) is None:
                    yield Stuck(record.cls, record.uuid, record.name_label, operation)


def held(tables: Tables) -> Iterator[tuple[str, str]]:
    """Disks that a control domain holds: a backup or a copy that died left them there."""
    for one in tables.of(VmRecord).values():
        if one.is_control_domain:
            for ref in one.vbds:
                vbd = tables.get(VbdRecord, ref)
                disk = tables.get(VdiRecord, vbd.vdi) if vbd is not None and vbd.type != "CD" else None
                if disk is not None:
                    yield disk.uuid, disk.name_label


def unheeded(tables: Tables) -> Iterator[tuple[str, str]]:
    """Guests that are marked to start with their pool, where the pool's own mark is missing: then none of them does."""
    if any(record.other_config.get(_AUTO_START) == "true" for record in tables.of(PoolRecord).values()):
        return
    for one in tables.of(VmRecord).values():
        if one.guest and one.marks.auto_poweron == "true":
            yield one.uuid, one.name_label


def twins(tables: Tables) -> Iterator[tuple[str, tuple[str, ...]]]:
    """MAC addresses that more than one guest of the pool has, with the names of those guests."""
    found: dict[str, dict[str, str]] = {}
    for vif in tables.of(VifRecord).values():
        vm = tables.get(VmRecord, vif.vm)
        if vm is not None and vm.guest and vif.mac:
            found.setdefault(vif.mac.casefold(), {})[vm.uuid] = vm.name_label
    for mac, guests in found.items():
        if len(guests) > 1:
            yield mac, tuple(sorted(guests.values()))


def _runs(tables: Tables, ref: str) -> bool:
    vm = tables.get(VmRecord, ref)
    return vm is not None and vm.guest and vm.power_state == "Running"


def _reboot(record: HostRecord) -> tuple[str, ...]:
    return ("reboot_host",) if record.updates_requiring_reboot else ()


def _licence(record: HostRecord) -> Expiry | None:
    ends = timestamp(record.license_params.get("expiry", ""))
    return Expiry(record.license_params.get("edition", ""), ends) if ends is not None else None


def _paths(settings: dict[str, str], *, boot: bool = False) -> Iterator[Paths]:
    for key, text in sorted(settings.items()):
        counts = _COUNTS.match(text)
        if key.startswith(_MULTIPATH) and (key == _BOOT) is boot and counts is not None:
            yield Paths("" if boot else key.removeprefix(_MULTIPATH), int(counts[1]), int(counts[2]))


def _depth(disk: VdiRecord, by_disk: dict[str, VdiRecord]) -> int:
    depth, at = 1, disk
    while at.chain.parent and depth < _LONGEST_CHAIN:
        depth += 1
        parent = by_disk.get(at.chain.parent)
        if parent is None:
            break
        at = parent
    return depth


def _is_orphan(disk: VdiRecord, sr: SrRecord) -> bool:
    keeps_disks = sr.content_type != "iso" and sr.type not in {"udev", "iso"}
    is_used = bool(disk.vbds) or disk.is_a_snapshot or not disk.managed or disk.type in _POOLS_OWN
    return keeps_disks and not is_used and disk.type in {"", "user", "system", "ephemeral"} and disk.sr != NULL_REF
