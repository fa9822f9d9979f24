"""XAPI records as they come over the wire: only the fields we use, references still in them.

Every field has a default: older servers lack some, newer ones add more (ignored). Decoded from JSON by the feed and
converted from XML-RPC dicts (integers are strings there) by the direct reads, into the same types.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from bot.xen.faults import NULL_REF

_Map = dict[str, str]


class Record(msgspec.Struct, frozen=True, gc=False):
    """What every record has. `gc=False` is safe: records hold only strings, numbers and containers of those."""

    cls: ClassVar[str] = ""
    uuid: str = ""


class PoolRecord(Record, frozen=True, gc=False, rename={"default_sr": "default_SR"}):
    """The one `pool` object. `name_label` is often empty."""

    cls: ClassVar[str] = "pool"
    name_label: str = ""
    master: str = NULL_REF
    default_sr: str = NULL_REF
    ha_enabled: bool = False
    ha_host_failures_to_tolerate: int = 0
    ha_plan_exists_for: int = 0
    ha_overcommitted: bool = False
    other_config: _Map = {}
    restrictions: _Map = {}


class HostRecord(Record, frozen=True, gc=False, rename={"resident_vms": "resident_VMs"}):
    """A `host`."""

    cls: ClassVar[str] = "host"
    name_label: str = ""
    address: str = ""
    enabled: bool = False
    metrics: str = NULL_REF
    memory_overhead: int = 0
    control_domain: str = NULL_REF
    resident_vms: tuple[str, ...] = ()
    software_version: _Map = {}
    capabilities: tuple[str, ...] = ()
    cpu_info: _Map = {}
    virtual_hardware_platform_versions: tuple[int, ...] = ()
    other_config: _Map = {}
    current_operations: _Map = {}
    multipathing: bool = False
    license_params: _Map = {}
    updates: tuple[str, ...] = ()
    updates_requiring_reboot: tuple[str, ...] = ()
    pending_guidances: tuple[str, ...] = ()
    latest_synced_updates_applied: str = ""


class HostMetricsRecord(Record, frozen=True, gc=False):
    """`host_metrics`: `live` stays true for up to ten minutes after a host died."""

    cls: ClassVar[str] = "host_metrics"
    live: bool = False
    memory_total: int = 0
    memory_free: int = -1


class VmMarks(msgspec.Struct, frozen=True, gc=False):
    """Of a VM's `other_config` whether it is to start with its pool: "true", or anything else for no."""

    auto_poweron: str = ""


class VmRecord(
    Record,
    frozen=True,
    gc=False,
    rename={
        "vcpus_max": "VCPUs_max",
        "vcpus_at_startup": "VCPUs_at_startup",
        "vbds": "VBDs",
        "vifs": "VIFs",
        "vgpus": "VGPUs",
        "vusbs": "VUSBs",
        "attached_pcis": "attached_PCIs",
        "hvm_boot_policy": "HVM_boot_policy",
        "hvm_shadow_multiplier": "HVM_shadow_multiplier",
        "last_boot_cpu_flags": "last_boot_CPU_flags",
        "marks": "other_config",
    },
):
    """A `VM`: guests, templates, snapshots and control domains alike."""

    cls: ClassVar[str] = "VM"
    name_label: str = ""
    power_state: str = ""
    is_a_template: bool = False
    is_a_snapshot: bool = False
    is_control_domain: bool = False
    resident_on: str = NULL_REF
    scheduled_to_be_resident_on: str = NULL_REF
    memory_static_max: int = 0
    memory_dynamic_min: int = 0
    memory_dynamic_max: int = 0
    memory_overhead: int = 0
    vcpus_max: int = 0
    vcpus_at_startup: int = 0
    vbds: tuple[str, ...] = ()
    vifs: tuple[str, ...] = ()
    vgpus: tuple[str, ...] = ()
    vusbs: tuple[str, ...] = ()
    attached_pcis: tuple[str, ...] = ()
    platform: _Map = {}
    hvm_boot_policy: str = ""
    hvm_shadow_multiplier: float = 1.0
    hardware_platform_version: int = 0
    domain_type: str = "unspecified"
    last_boot_cpu_flags: _Map = {}
    metrics: str = NULL_REF
    guest_metrics: str = NULL_REF
    blocked_operations: _Map = {}
    current_operations: _Map = {}
    tags: tuple[str, ...] = ()
    ha_restart_priority: str = ""
    snapshot_of: str = NULL_REF
    snapshot_time: str = ""
    marks: VmMarks = VmMarks()

    @property
    def guest(self) -> bool:
        """Whether this is a guest in the ordinary sense (snapshots are templates to XAPI, dom0 is a VM)."""
        return not (self.is_a_template or self.is_a_snapshot or self.is_control_domain)


class VmMetricsRecord(Record, frozen=True, gc=False, rename={"vcpus_number": "VCPUs_number"}):
    """`VM_metrics`."""

    cls: ClassVar[str] = "VM_metrics"
    memory_actual: int = 0
    vcpus_number: int = 0
    start_time: str = ""
    hvm: bool = False
    nested_virt: bool = False
    nomigrate: bool = False
    current_domain_type: str = "unspecified"


class VmGuestMetricsRecord(
    Record,
    frozen=True,
    gc=False,
    rename={"pv_drivers_version": "PV_drivers_version", "pv_drivers_detected": "PV_drivers_detected"},
):
    """`VM_guest_metrics`: what the guest says of itself, so all of it is untrusted."""

    cls: ClassVar[str] = "VM_guest_metrics"
    os_version: _Map = {}
    pv_drivers_version: _Map = {}
    pv_drivers_detected: bool = False
    networks: _Map = {}
    other: _Map = {}


class VbdRecord(Record, frozen=True, gc=False, rename={"vm": "VM", "vdi": "VDI"}):
    """A `VBD`: one place in a guest for a disk or CD."""

    cls: ClassVar[str] = "VBD"
    vm: str = NULL_REF
    vdi: str = NULL_REF
    userdevice: str = ""
    type: str = ""
    empty: bool = False


class Chain(msgspec.Struct, frozen=True, gc=False, rename={"parent": "vhd-parent"}):
    """Of a VDI's `sm_config` the UUID of the image it builds upon, "" for none."""

    parent: str = ""


class VdiRecord(Record, frozen=True, gc=False, rename={"sr": "SR", "vbds": "VBDs", "chain": "sm_config"}):
    """A `VDI`: a disk image; one that is not `managed` is a base that others build upon, which nobody attaches."""

    cls: ClassVar[str] = "VDI"
    name_label: str = ""
    sr: str = NULL_REF
    vbds: tuple[str, ...] = ()
    virtual_size: int = 0
    on_boot: str = ""
    allow_caching: bool = False
    type: str = ""
    managed: bool = True
    is_a_snapshot: bool = False
    current_operations: _Map = {}
    chain: Chain = Chain()


class SrRecord(Record, frozen=True, gc=False, rename={"pbds": "PBDs"}):
    """An `SR`."""

    cls: ClassVar[str] = "SR"
    name_label: str = ""
    type: str = ""
    content_type: str = ""
    shared: bool = False
    physical_size: int = -1
    physical_utilisation: int = -1
    virtual_allocation: int = -1
    current_operations: _Map = {}
    pbds: tuple[str, ...] = ()


class PbdRecord(Record, frozen=True, gc=False, rename={"sr": "SR"}):
    """A `PBD`: an SR's plug in a host."""

    cls: ClassVar[str] = "PBD"
    host: str = NULL_REF
    sr: str = NULL_REF
    currently_attached: bool = False
    device_config: _Map = {}
    other_config: _Map = {}


class VifRecord(Record, frozen=True, gc=False, rename={"vm": "VM", "mac": "MAC"}):
    """A `VIF`."""

    cls: ClassVar[str] = "VIF"
    vm: str = NULL_REF
    network: str = NULL_REF
    device: str = ""
    mac: str = ""


class NetworkRecord(Record, frozen=True, gc=False, rename={"pifs": "PIFs", "vifs": "VIFs"}):
    """A `network`."""

    cls: ClassVar[str] = "network"
    name_label: str = ""
    pifs: tuple[str, ...] = ()
    vifs: tuple[str, ...] = ()
    other_config: _Map = {}


class PifRecord(
    Record,
    frozen=True,
    gc=False,
    rename={"sriov_logical_pif_of": "sriov_logical_PIF_of", "vlan": "VLAN"},
):
    """A `PIF`; one that stands for the pieces of an SR-IOV card says so in `sriov_logical_pif_of`."""

    cls: ClassVar[str] = "PIF"
    host: str = NULL_REF
    network: str = NULL_REF
    sriov_logical_pif_of: tuple[str, ...] = ()
    device: str = ""
    physical: bool = False
    management: bool = False
    currently_attached: bool = False
    vlan: int = -1
    metrics: str = NULL_REF
    bond_slave_of: str = NULL_REF


class TaskRecord(Record, frozen=True, gc=False):
    """A `task`."""

    cls: ClassVar[str] = "task"
    name_label: str = ""
    status: str = "pending"
    progress: float = 0.0
    result: str = ""
    error_info: tuple[str, ...] = ()
    allowed_operations: tuple[str, ...] = ()
    other_config: _Map = {}
    subtask_of: str = NULL_REF
    subtasks: tuple[str, ...] = ()


class MessageRecord(Record, frozen=True, gc=False, rename={"about": "cls"}):
    """A `message`: an alert. Priorities run from 1 (critical) to 5 (information); a server keeps some thousands."""

    cls: ClassVar[str] = "message"
    name: str = ""
    priority: int = 0
    about: str = ""
    obj_uuid: str = ""
    timestamp: str = ""
    body: str = ""
