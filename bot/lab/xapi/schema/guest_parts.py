"""What belongs to guests: tables of API 2.21, read by `bot.lab.xapi.schema.model`."""

from typing import Final

TABLES: Final = {
    "VM_metrics": """
(write vm-admin)
uuid: string
memory_actual: int
VCPUs_number: int
VCPUs_utilisation: map int float removed
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
""",
    "VM_guest_metrics": """
(write vm-admin)
uuid: string
os_version: map string string
PV_drivers_version: map string string
PV_drivers_up_to_date: bool
memory: map string string removed
disks: map string string removed
networks: map string string
other: map string string
last_updated: datetime
other_config: map string string rw
live: bool
can_use_hotplug_vbd: enum tristate_type = unspecified
can_use_hotplug_vif: enum tristate_type = unspecified
PV_drivers_detected: bool
""",
    "console": """
(write vm-admin, make vm-admin)
uuid: string
protocol: enum console_protocol
location: string
VM: ref VM
other_config: map string string rw must
""",
    "VTPM": """
uuid: string
allowed_operations: set enum vtpm_operations
current_operations: map string enum vtpm_operations
VM: ref VM ctor
backend: ref VM
persistence_backend: enum persistence_backend = xapi
is_unique: bool ctor
is_protected: bool
create(ref VM, bool?) -> ref VTPM: vm-admin
destroy(ref VTPM): vm-admin
""",
    "VM_appliance": """
(make pool-operator)
uuid: string
name_label: string rw
name_description: string rw
allowed_operations: set enum vm_appliance_operation
current_operations: map string enum vm_appliance_operation
VMs: set ref VM
assert_can_be_recovered(ref VM_appliance, ref session): read-only
clean_shutdown(ref VM_appliance): pool-operator
get_SRs_required_for_recovery(ref VM_appliance, ref session) -> set ref SR: read-only
hard_shutdown(ref VM_appliance): pool-operator
recover(ref VM_appliance, ref session, bool): read-only
shutdown(ref VM_appliance): pool-operator
start(ref VM_appliance, bool): pool-operator
""",
    "VMSS": """
(make pool-operator)
uuid: string
name_label: string rw
name_description: string rw
enabled: bool rw = true
type: enum vmss_type ctor must
retained_snapshots: int ctor = 7
frequency: enum vmss_frequency ctor must
schedule: map string string ctor
last_run_time: datetime
VMs: set ref VM
add_to_schedule(ref VMSS, string, string): pool-operator
remove_from_schedule(ref VMSS, string): pool-operator
set_frequency(ref VMSS, enum vmss_frequency): pool-operator
set_last_run_time(ref VMSS, datetime): local
set_retained_snapshots(ref VMSS, int): pool-operator
set_schedule(ref VMSS, map string string): pool-operator
set_type(ref VMSS, enum vmss_type): pool-operator
snapshot_now(ref VMSS) -> string: pool-operator
""",
    "VMPP": """
(make pool-operator, removed)
uuid: string removed
name_label: string rw
name_description: string rw
is_policy_enabled: bool rw removed = true
backup_type: enum vmpp_backup_type rw removed = snapshot
backup_retention_value: int ctor removed = 7
backup_frequency: enum vmpp_backup_frequency ctor removed = daily
backup_schedule: map string string ctor removed
is_backup_running: bool removed
backup_last_run_time: datetime removed
archive_target_type: enum vmpp_archive_target_type ctor removed = none
archive_target_config: map string string ctor removed
archive_frequency: enum vmpp_archive_frequency ctor removed = never
archive_schedule: map string string ctor removed
is_archive_running: bool removed
archive_last_run_time: datetime removed
VMs: set ref VM removed
is_alarm_enabled: bool ctor removed
alarm_config: map string string ctor removed
recent_alerts: set string removed
add_to_alarm_config(ref VMPP, string, string): pool-operator removed
add_to_archive_schedule(ref VMPP, string, string): pool-operator removed
add_to_archive_target_config(ref VMPP, string, string): pool-operator removed
add_to_backup_schedule(ref VMPP, string, string): pool-operator removed
archive_now(ref VM) -> string: vm-power-admin removed
get_alerts(ref VMPP, int) -> set string: pool-operator removed
protect_now(ref VMPP) -> string: pool-operator removed
remove_from_alarm_config(ref VMPP, string): pool-operator removed
remove_from_archive_schedule(ref VMPP, string): pool-operator removed
remove_from_archive_target_config(ref VMPP, string): pool-operator removed
remove_from_backup_schedule(ref VMPP, string): pool-operator removed
set_alarm_config(ref VMPP, map string string): pool-operator removed
set_archive_frequency(ref VMPP, enum vmpp_archive_frequency): pool-operator removed
set_archive_last_run_time(ref VMPP, datetime): local removed
set_archive_schedule(ref VMPP, map string string): pool-operator removed
set_archive_target_config(ref VMPP, map string string): pool-operator removed
set_archive_target_type(ref VMPP, enum vmpp_archive_target_type): pool-operator removed
set_backup_frequency(ref VMPP, enum vmpp_backup_frequency): pool-operator removed
set_backup_last_run_time(ref VMPP, datetime): local removed
set_backup_retention_value(ref VMPP, int): pool-operator removed
set_backup_schedule(ref VMPP, map string string): pool-operator removed
set_is_alarm_enabled(ref VMPP, bool): pool-operator removed
""",
    "DR_task": """
uuid: string
introduced_SRs: set ref SR
create(string, map string string, set string) -> ref DR_task: pool-operator
destroy(ref DR_task): pool-operator
""",
    "crashdump": """
uuid: string
VM: ref VM ctor
VDI: ref VDI ctor
other_config: map string string rw
destroy(ref crashdump): pool-operator
""",
}
