"""Guests and what is measured of them: the fields of API 2.21, read by `bot.lab.xapi.schema.model`.

One line per field in the order of the record: name, type, then `rw` where a client may set it or `ctor` where
only the constructor does, then its default where that is not the empty value of the type.
"""

from typing import Final

VM: Final = """
uuid: string
allowed_operations: set enum vm_operations
current_operations: map string enum vm_operations
name_label: string rw
name_description: string rw
power_state: enum vm_power_state ctor = Halted
user_version: int rw
is_a_template: bool rw
is_default_template: bool
suspend_VDI: ref VDI ctor
resident_on: ref host
scheduled_to_be_resident_on: ref host
affinity: ref host rw
memory_overhead: int
memory_target: int ctor
memory_static_max: int ctor
memory_dynamic_max: int ctor
memory_dynamic_min: int ctor
memory_static_min: int ctor
VCPUs_params: map string string rw
VCPUs_max: int ctor
VCPUs_at_startup: int ctor
actions_after_softreboot: enum on_softreboot_behavior rw = soft_reboot
actions_after_shutdown: enum on_normal_exit rw
actions_after_reboot: enum on_normal_exit rw
actions_after_crash: enum on_crash_behaviour ctor
consoles: set ref console
VIFs: set ref VIF
VBDs: set ref VBD
VUSBs: set ref VUSB
crash_dumps: set ref crashdump
VTPMs: set ref VTPM
PV_bootloader: string rw
PV_kernel: string rw
PV_ramdisk: string rw
PV_args: string rw
PV_bootloader_args: string rw
PV_legacy_args: string rw
HVM_boot_policy: string ctor
HVM_boot_params: map string string rw
HVM_shadow_multiplier: float ctor = 1
platform: map string string rw
PCI_bus: string rw
other_config: map string string rw
domid: int
domarch: string
last_boot_CPU_flags: map string string ctor
is_control_domain: bool
metrics: ref VM_metrics
guest_metrics: ref VM_guest_metrics
last_booted_record: string ctor
recommendations: string rw
xenstore_data: map string string rw
ha_always_run: bool ctor
ha_restart_priority: string ctor
is_a_snapshot: bool
snapshot_of: ref VM
snapshots: set ref VM
snapshot_time: datetime
transportable_snapshot_id: string
blobs: map string ref blob
tags: set string rw
blocked_operations: map enum vm_operations string rw
snapshot_info: map string string
snapshot_metadata: string
parent: ref VM
children: set ref VM
bios_strings: map string string
protection_policy: ref VMPP ctor
is_snapshot_from_vmpp: bool ctor
snapshot_schedule: ref VMSS ctor
is_vmss_snapshot: bool ctor
appliance: ref VM_appliance ctor
start_delay: int ctor
shutdown_delay: int ctor
order: int ctor
VGPUs: set ref VGPU
attached_PCIs: set ref PCI
suspend_SR: ref SR rw
version: int ctor
generation_id: string ctor = 0:0
hardware_platform_version: int rw
has_vendor_device: bool ctor
requires_reboot: bool
reference_label: string ctor
domain_type: enum domain_type ctor = unspecified
NVRAM: map string string ctor
pending_guidances: set enum update_guidances
pending_guidances_recommended: set enum update_guidances
pending_guidances_full: set enum update_guidances
"""

VM_METRICS: Final = """
uuid: string
memory_actual: int
VCPUs_number: int
VCPUs_utilisation: map int float
VCPUs_CPU: map int int
VCPUs_params: map string string
VCPUs_flags: map int set string
state: set string
start_time: datetime
install_time: datetime
last_updated: datetime
other_config: map string string rw
hvm: bool
nested_virt: bool
nomigrate: bool
current_domain_type: enum domain_type = unspecified
"""

VM_GUEST_METRICS: Final = """
uuid: string
os_version: map string string
PV_drivers_version: map string string
PV_drivers_up_to_date: bool
memory: map string string
disks: map string string
networks: map string string
other: map string string
last_updated: datetime
other_config: map string string rw
live: bool
can_use_hotplug_vbd: enum tristate_type = unspecified
can_use_hotplug_vif: enum tristate_type = unspecified
PV_drivers_detected: bool
"""
