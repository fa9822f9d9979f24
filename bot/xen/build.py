"""From records with references to domain values with UUIDs: pure functions over `Tables`."""

from __future__ import annotations

import heapq
from datetime import UTC, datetime

from bot.domain.guest_facts import Whereabouts
from bot.domain.inventory import Alert, Disk, Host, Network, Pool, PowerState, Sr, Tools, Vm
from bot.xen import memory, work
from bot.xen.faults import NULL_REF
from bot.xen.records import (
    HostMetricsRecord,
    HostRecord,
    MessageRecord,
    NetworkRecord,
    PbdRecord,
    PifRecord,
    SrRecord,
    VbdRecord,
    VdiRecord,
    VifRecord,
    VmGuestMetricsRecord,
    VmMetricsRecord,
    VmRecord,
)
from bot.xen.tables import Tables

_NO_METRICS = VmMetricsRecord()
_NO_GUEST_METRICS = VmGuestMetricsRecord()
_NO_HOST_METRICS = HostMetricsRecord()
#: A pool in a rolling upgrade carries this key; its value says nothing.
_UPGRADE_KEY = "rolling_upgrade_in_progress"
#: XenCenter and Xen Orchestra mark a host so while they keep it empty.
_MAINTENANCE_KEY = "MAINTENANCE_MODE"
_LOUD = 3
_ALERTS_KEPT = 50


def pool(tables: Tables, configured_name: str) -> Pool | None:
    """The pool object, or None while it is not there."""
    found = tables.pool
    if found is None:
        return None
    record = found[1]
    return Pool(
        uuid=record.uuid,
        name=record.name_label or configured_name,
        configured=configured_name,
        label=record.name_label,
        coordinator=tables.uuid(HostRecord, record.master) or "",
        ha_enabled=record.ha_enabled,
        upgrading=_UPGRADE_KEY in record.other_config,
        default_sr=tables.uuid(SrRecord, record.default_sr),
        ha_wanted=record.ha_host_failures_to_tolerate,
        ha_covered=record.ha_plan_exists_for,
        ha_overcommitted=record.ha_overcommitted,
        live_motion=record.restrictions.get("restrict_xen_motion") != "true",
        storage_motion=record.restrictions.get("restrict_storage_xen_motion") != "true",
    )


def sr(tables: Tables, record: SrRecord) -> Sr:
    """A storage repository. A size of 0 or less: the server does not know it yet, or never will (CDs)."""
    known = record.physical_size > 0
    hosts = set()
    for ref in record.pbds:
        pbd = tables.get(PbdRecord, ref)
        if pbd is not None and pbd.currently_attached:
            hosts.add(tables.uuid(HostRecord, pbd.host) or "")
    return Sr(
        uuid=record.uuid,
        name=record.name_label,
        type=record.type,
        shared=record.shared,
        size=record.physical_size if known else -1,
        used=record.physical_utilisation if known else -1,
        hosts=frozenset(hosts - {""}),
    )


def network(tables: Tables, record: NetworkRecord) -> Network:
    """A network. A PIF on the host is enough, plugged or not: XAPI plugs it when a guest needs it."""
    pifs = [pif for pif in (tables.get(PifRecord, ref) for ref in record.pifs) if pif is not None]
    hosts = {tables.uuid(HostRecord, pif.host) or "" for pif in pifs}
    return Network(
        uuid=record.uuid,
        name=record.name_label,
        hosts=frozenset(hosts - {""}),
        internal=not record.pifs,
        sriov=any(pif.sriov_logical_pif_of for pif in pifs),
        assumed_shared=record.other_config.get("assume_network_is_shared") == "true",
    )


def host(
    tables: Tables,
    ref: str,
    record: HostRecord,
    *,
    memory_free: int,
    guests: int,
    silent_since: float | None,
    control_memory: int,
) -> Host:
    """A host; what needs all guests at once, a probe or its control domain is given."""
    metrics = tables.get(HostMetricsRecord, record.metrics) or _NO_HOST_METRICS
    found = tables.pool
    software = record.software_version
    cpu = record.cpu_info
    return Host(
        uuid=record.uuid,
        name=record.name_label,
        pool=found[1].uuid if found else "",
        address=record.address,
        coordinator=found is not None and found[1].master == ref,
        enabled=record.enabled,
        live=metrics.live,
        silent_since=silent_since,
        memory_total=metrics.memory_total,
        memory_free=memory_free,
        cpu_vendor=cpu.get("vendor", ""),
        cpu_model=cpu.get("modelname", ""),
        cpu_count=_number(cpu.get("cpu_count", "")),
        features_hvm=cpu.get("features_hvm", ""),
        features_pv=cpu.get("features_pv", ""),
        product=software.get("product_brand") or software.get("platform_name", ""),
        version=software.get("product_version", ""),
        platform_version=software.get("platform_version", ""),
        operations=tuple(sorted(record.current_operations.values())),
        guests=guests,
        memory_idle=metrics.memory_free,
        hardware_versions=record.virtual_hardware_platform_versions,
        control_memory=control_memory,
        hvm_capable=any(name.startswith("hvm-") for name in record.capabilities) if record.capabilities else None,
        maintenance=record.other_config.get(_MAINTENANCE_KEY, "").casefold() == "true",
    )


def alerts(tables: Tables) -> tuple[Alert, ...]:
    """The newest messages that are more than information. Their dates sort as text."""
    loud = (record for record in tables.of(MessageRecord).values() if 0 < record.priority <= _LOUD)
    newest = heapq.nlargest(_ALERTS_KEPT, loud, key=lambda record: (record.timestamp, record.uuid))
    return tuple(
        Alert(timestamp(one.timestamp) or 0.0, one.name, one.priority, one.obj_uuid, one.body, one.uuid)
        for one in newest
    )


def vm(tables: Tables, record: VmRecord, srs: dict[str, Sr], networks: dict[str, Network]) -> Vm:
    """A guest with its disks and networks; `srs` and `networks` by reference."""
    metrics = tables.get(VmMetricsRecord, record.metrics) or _NO_METRICS
    guest = tables.get(VmGuestMetricsRecord, record.guest_metrics) or _NO_GUEST_METRICS
    state = power_state(record)
    running = state is PowerState.RUNNING
    kind = domain_type(record, metrics)
    hvm = kind in {"hvm", "pvh"}
    found = tables.pool
    return Vm(
        uuid=record.uuid,
        name=record.name_label,
        pool=found[1].uuid if found else "",
        power_state=state,
        host=tables.uuid(HostRecord, record.resident_on),
        scheduled_host=tables.uuid(HostRecord, record.scheduled_to_be_resident_on),
        memory_dynamic_min=record.memory_dynamic_min,
        memory_dynamic_max=record.memory_dynamic_max,
        memory_static_max=record.memory_static_max,
        memory_needed=memory.needed(
            domain_type=kind,
            dynamic_min=record.memory_dynamic_min,
            static_max=record.memory_static_max,
            vcpus=record.vcpus_max,
            shadow_multiplier=record.hvm_shadow_multiplier,
        ),
        memory_actual=metrics.memory_actual,
        vcpus=(metrics.vcpus_number if running else 0) or record.vcpus_at_startup,
        vcpus_max=record.vcpus_max,
        vcpu_unrestricted=_yes(record.platform, "vcpu-unrestricted"),
        hvm=hvm,
        domain_type=kind,
        tools=tools(guest),
        # XAPI refuses to suspend or migrate an HVM guest only when it has neither drivers nor says it can.
        can_suspend=not hvm or bool(guest.pv_drivers_version) or guest.other.get("feature-suspend") == "1",
        cant_suspend_reason=guest.other.get("data-cant-suspend-reason", ""),
        boot_vendor=record.last_boot_cpu_flags.get("vendor", ""),
        boot_features=record.last_boot_cpu_flags.get("features", ""),
        tags=frozenset(record.tags),
        disks=_disks(tables, record, srs),
        networks=_networks(tables, record, networks),
        addresses=addresses(guest),
        blocked_operations=record.blocked_operations,
        operations=work.operations(tables, record),
        workers=work.workers(tables, record),
        pci=bool(record.attached_pcis),
        vgpu=bool(record.vgpus),
        usb=bool(record.vusbs),
        immobile=_yes(record.platform, "nomigrate") or (running and metrics.nomigrate),
        nested=_yes(record.platform, "nested-virt") or (running and metrics.nested_virt),
        hardware_version=record.hardware_platform_version,
        ha_protected=record.ha_restart_priority == "restart",
        started_at=timestamp(metrics.start_time) if running else None,
        windows=_windows(guest),
        tools_version=".".join(filter(None, map(guest.pv_drivers_version.get, ("major", "minor", "micro")))),
    )


def whereabouts(tables: Tables, record: VmRecord, silent_since: float | None) -> Whereabouts:
    """Where a guest is, from its record, its metrics and the hosts it names, and since when its host is silent."""
    metrics = tables.get(VmMetricsRecord, record.metrics) or _NO_METRICS
    guest = tables.get(VmGuestMetricsRecord, record.guest_metrics) or _NO_GUEST_METRICS
    return Whereabouts(
        power_state=power_state(record),
        host=tables.uuid(HostRecord, record.resident_on),
        scheduled_host=tables.uuid(HostRecord, record.scheduled_to_be_resident_on),
        operations=tuple(sorted(record.current_operations.values())),
        tools=tools(guest),
        addresses=addresses(guest),
        started_at=timestamp(metrics.start_time),
        silent_since=silent_since,
    )


def power_state(record: VmRecord) -> PowerState:
    """The power state of a record."""
    return power_state_of(record.power_state)


def power_state_of(text: str) -> PowerState:
    """The power state as XAPI writes it; one that this version does not know is UNKNOWN."""
    try:
        return PowerState(text)
    except ValueError:
        return PowerState.UNKNOWN


def domain_type(record: VmRecord, metrics: VmMetricsRecord) -> str:
    """How the guest is virtualised: what it runs as, else what it is set to, else (before 7.5) its boot policy."""
    for known in (metrics.current_domain_type, record.domain_type):
        if known not in {"", "unspecified"}:
            return known
    return "hvm" if record.hvm_boot_policy or metrics.hvm else "pv"


def tools(guest: VmGuestMetricsRecord) -> Tools:
    """The state of the guest tools: drivers may run without the agent that would tell their version."""
    if guest.pv_drivers_version:
        return Tools.PRESENT
    return Tools.NO_AGENT if guest.pv_drivers_detected else Tools.NONE


def _windows(guest: VmGuestMetricsRecord) -> bool | None:
    """Whether the guest says that it runs Windows; None where it does not say what it runs."""
    told = f"{guest.os_version.get('distro', '')} {guest.os_version.get('name', '')}".casefold()
    return "windows" in told if told.strip() else None


def addresses(guest: VmGuestMetricsRecord) -> tuple[str, ...]:
    """The addresses the guest reports, each once (`0/ip` repeats `0/ipv4/0`)."""
    found = (address for key, address in sorted(guest.networks.items()) if "/ip" in key and address)
    return tuple(dict.fromkeys(found))


def timestamp(text: str) -> float | None:
    """Unix seconds of a date as XAPI writes it; None for "never", which it writes as the epoch."""
    try:
        when = datetime.strptime(text, "%Y%m%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
    return when or None


def load(record: VmRecord) -> tuple[frozenset[str], int]:
    """Which hosts (references) this VM takes memory from by XAPI's reckoning, and how many bytes of each."""
    hosts = frozenset({record.resident_on, record.scheduled_to_be_resident_on}) - {NULL_REF}
    return hosts, record.memory_dynamic_min + record.memory_overhead


def _disks(tables: Tables, record: VmRecord, srs: dict[str, Sr]) -> tuple[Disk, ...]:
    disks = []
    for ref in record.vbds:
        vbd = tables.get(VbdRecord, ref)
        if vbd is None:
            continue
        vdi = tables.get(VdiRecord, vbd.vdi)
        disks.append(
            Disk(
                userdevice=vbd.userdevice,
                cd=vbd.type == "CD",
                vdi=vdi.uuid if vdi else "",
                vdi_name=vdi.name_label if vdi else "",
                size=vdi.virtual_size if vdi else 0,
                sr=srs.get(vdi.sr) if vdi else None,
                vbd=vbd.uuid,
                resets=vdi is not None and vdi.on_boot == "reset" and vdi.allow_caching,
            )
        )
    return tuple(sorted(disks, key=lambda disk: (len(disk.userdevice), disk.userdevice)))


def _networks(tables: Tables, record: VmRecord, networks: dict[str, Network]) -> tuple[Network, ...]:
    found: dict[str, Network] = {}
    for ref in record.vifs:
        vif = tables.get(VifRecord, ref)
        known = networks.get(vif.network) if vif else None
        if known is not None:
            found[known.uuid] = known
    return tuple(found.values())


def _yes(platform: dict[str, str], key: str) -> bool:
    return platform.get(key, "").casefold() == "true"


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
