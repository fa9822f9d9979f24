"""Guests: tables of API 2.21, read by `bot.lab.xapi.schema.model`."""

from typing import Final

TABLES: Final = {
    "VM": """
(write vm-admin, make vm-admin)
uuid: string
allowed_operations: set enum vm_operations
current_operations: map string enum vm_operations
name_label: string rw
name_description: string rw
power_state: enum vm_power_state ctor = Halted
user_version: int rw must
is_a_template: bool rw must
is_default_template: bool
suspend_VDI: ref VDI ctor
resident_on: ref host
scheduled_to_be_resident_on: ref host
affinity: ref host rw must vm-power-admin
memory_overhead: int
memory_target: int ctor
memory_static_max: int ctor must
memory_dynamic_max: int ctor must
memory_dynamic_min: int ctor must
memory_static_min: int ctor must
VCPUs_params: map string string rw must
VCPUs_max: int ctor must
VCPUs_at_startup: int ctor must
actions_after_softreboot: enum on_softreboot_behavior rw = soft_reboot
actions_after_shutdown: enum on_normal_exit rw must
actions_after_reboot: enum on_normal_exit rw must
actions_after_crash: enum on_crash_behaviour ctor must
consoles: set ref console
VIFs: set ref VIF
VBDs: set ref VBD
VUSBs: set ref VUSB
crash_dumps: set ref crashdump
VTPMs: set ref VTPM
PV_bootloader: string rw must
PV_kernel: string rw must
PV_ramdisk: string rw must
PV_args: string rw must
PV_bootloader_args: string rw must
PV_legacy_args: string rw must
HVM_boot_policy: string ctor must
HVM_boot_params: map string string rw must
HVM_shadow_multiplier: float ctor = 1.0
platform: map string string rw must
PCI_bus: string rw must
other_config: map string string rw must
domid: int
domarch: string
last_boot_CPU_flags: map string string ctor
is_control_domain: bool
metrics: ref VM_metrics
guest_metrics: ref VM_guest_metrics
last_booted_record: string ctor
recommendations: string rw must
xenstore_data: map string string rw
ha_always_run: bool ctor
ha_restart_priority: string ctor
is_a_snapshot: bool
snapshot_of: ref VM
snapshots: set ref VM
snapshot_time: datetime
transportable_snapshot_id: string
blobs: map string ref blob
tags: set string rw vm-operator
blocked_operations: map enum vm_operations string rw
snapshot_info: map string string
snapshot_metadata: string
parent: ref VM
children: set ref VM
bios_strings: map string string
protection_policy: ref VMPP ctor
is_snapshot_from_vmpp: bool ctor removed
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
add_to_NVRAM(ref VM, string, string): vm-admin sync
add_to_VCPUs_params_live(ref VM, string, string): vm-admin
assert_agile(ref VM): read-only
assert_can_be_recovered(ref VM, ref session): read-only
assert_can_boot_here(ref VM, ref host): read-only
assert_can_migrate(ref VM, map string string, bool, map ref VDI ref SR, map ref VIF ref network, map string string,
    map ref VGPU ref GPU_group?): vm-power-admin
assert_operation_valid(ref VM, enum vm_operations): read-only
call_plugin(ref VM, string, string, map string string) -> string: vm-operator
checkpoint(ref VM, string) -> ref VM: vm-power-admin
clean_reboot(ref VM): vm-operator
clean_shutdown(ref VM): vm-operator
clone(ref VM, string) -> ref VM: vm-admin
compute_memory_overhead(ref VM) -> int: read-only
copy(ref VM, string, ref SR) -> ref VM: vm-admin
copy_bios_strings(ref VM, ref host): vm-admin
create_new_blob(ref VM, string, string, bool?) -> ref blob: vm-power-admin
forget_data_source_archives(ref VM, string): vm-admin sync
get_SRs_required_for_recovery(ref VM, ref session) -> set ref SR: read-only
get_allowed_VBD_devices(ref VM) -> set string: read-only sync
get_allowed_VIF_devices(ref VM) -> set string: read-only sync
get_boot_record(ref VM) -> record VM: read-only sync
get_cooperative(ref VM) -> bool: read-only
get_data_sources(ref VM) -> set record data_source: read-only sync
get_possible_hosts(ref VM) -> set ref host: read-only
hard_reboot(ref VM): vm-operator
hard_shutdown(ref VM): vm-operator
import(string, ref SR, bool, bool) -> set ref VM: pool-operator
import_convert(string, string, string, ref SR, map string string): vm-admin
maximise_memory(ref VM, int, bool) -> int: read-only
migrate_send(ref VM, map string string, bool, map ref VDI ref SR, map ref VIF ref network, map string string, map
    ref VGPU ref GPU_group?, map ref VDI string?) -> ref VM: vm-power-admin
pause(ref VM): vm-operator
pool_migrate(ref VM, ref host, map string string): vm-power-admin cert
power_state_reset(ref VM): pool-operator
provision(ref VM): vm-admin
query_data_source(ref VM, string) -> float: read-only sync
query_services(ref VM) -> map string string: pool-admin
record_data_source(ref VM, string): vm-admin sync
recover(ref VM, ref session, bool): read-only
remove_from_NVRAM(ref VM, string): vm-admin sync
restart_device_models(ref VM): vm-power-admin cert
resume(ref VM, bool, bool): vm-operator
resume_on(ref VM, ref host, bool, bool): vm-power-admin cert
retrieve_wlb_recommendations(ref VM) -> map ref host set string: read-only
revert(ref VM): vm-power-admin
send_sysrq(ref VM, string): pool-admin
send_trigger(ref VM, string): pool-admin
set_HVM_boot_policy(ref VM, string): vm-admin sync
set_HVM_shadow_multiplier(ref VM, float): vm-power-admin sync
set_NVRAM(ref VM, map string string): vm-admin sync
set_VCPUs_at_startup(ref VM, int): vm-admin sync
set_VCPUs_max(ref VM, int): vm-admin sync
set_VCPUs_number_live(ref VM, int): vm-admin
set_actions_after_crash(ref VM, enum on_crash_behaviour): vm-admin
set_appliance(ref VM, ref VM_appliance): pool-operator
set_bios_strings(ref VM, map string string): vm-admin
set_domain_type(ref VM, enum domain_type): vm-admin sync
set_ha_always_run(ref VM, bool): pool-operator sync
set_ha_restart_priority(ref VM, string): pool-operator sync
set_has_vendor_device(ref VM, bool): vm-admin
set_memory(ref VM, int): vm-power-admin
set_memory_dynamic_max(ref VM, int): vm-power-admin sync
set_memory_dynamic_min(ref VM, int): vm-power-admin sync
set_memory_dynamic_range(ref VM, int, int): vm-power-admin
set_memory_limits(ref VM, int, int, int, int): vm-power-admin
set_memory_static_max(ref VM, int): vm-power-admin sync
set_memory_static_min(ref VM, int): vm-power-admin sync
set_memory_static_range(ref VM, int, int): vm-power-admin
set_memory_target_live(ref VM, int): vm-power-admin
set_order(ref VM, int): pool-operator
set_protection_policy(ref VM, ref VMPP): pool-operator removed sync
set_shadow_multiplier_live(ref VM, float): vm-power-admin
set_shutdown_delay(ref VM, int): pool-operator
set_snapshot_schedule(ref VM, ref VMSS): pool-operator sync
set_start_delay(ref VM, int): pool-operator
set_suspend_VDI(ref VM, ref VDI): pool-operator
shutdown(ref VM): vm-operator cert
snapshot(ref VM, string, set ref VDI?) -> ref VM: vm-power-admin
snapshot_with_quiesce(ref VM, string) -> ref VM: vm-power-admin removed
start(ref VM, bool, bool): vm-operator
start_on(ref VM, ref host, bool, bool): vm-power-admin cert
suspend(ref VM): vm-operator cert
unpause(ref VM): vm-operator
update_allowed_operations(ref VM): pool-admin
wait_memory_target_live(ref VM): read-only
""",
}
