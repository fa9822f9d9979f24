"""Hosts: tables of API 2.21, read by `bot.lab.xapi.schema.model`."""

from typing import Final

TABLES: Final = {
    "host": """
uuid: string
name_label: string rw
name_description: string rw
memory_overhead: int
allowed_operations: set enum host_allowed_operations
current_operations: map string enum host_allowed_operations
API_version_major: int
API_version_minor: int
API_version_vendor: string
API_version_vendor_implementation: map string string
enabled: bool
software_version: map string string ctor
other_config: map string string rw
capabilities: set string ctor
cpu_configuration: map string string
sched_policy: string
supported_bootloaders: set string
resident_VMs: set ref VM
logging: map string string rw
PIFs: set ref PIF
suspend_image_sr: ref SR rw
crash_dump_sr: ref SR rw
crashdumps: set ref host_crashdump
patches: set ref host_patch
updates: set ref pool_update
PBDs: set ref PBD
host_CPUs: set ref host_cpu
cpu_info: map string string
hostname: string rw
address: string rw
metrics: ref host_metrics
license_params: map string string
ha_statefiles: set string
ha_network_peers: set string
blobs: map string ref blob
tags: set string rw vm-operator
external_auth_type: string
external_auth_service_name: string
external_auth_configuration: map string string
edition: string
license_server: map string string rw = address=localhost port=27000
bios_strings: map string string
power_on_mode: string
power_on_config: map string string
local_cache_sr: ref SR ctor
chipset_info: map string string
PCIs: set ref PCI
PGPUs: set ref PGPU
PUSBs: set ref PUSB
ssl_legacy: bool ctor = true
guest_VCPUs_params: map string string rw
display: enum host_display rw = enabled
virtual_hardware_platform_versions: set int = 0
control_domain: ref VM
updates_requiring_reboot: set ref pool_update
features: set ref Feature
iscsi_iqn: string ctor
multipathing: bool ctor
uefi_certificates: string ctor
certificates: set ref Certificate
editions: set string
pending_guidances: set enum update_guidances
tls_verification_enabled: bool
last_software_update: datetime
https_only: bool
latest_synced_updates_applied: enum latest_synced_updates_applied_state = unknown
numa_affinity_policy: enum host_numa_affinity_policy = default_policy
pending_guidances_recommended: set enum update_guidances
pending_guidances_full: set enum update_guidances
last_update_hash: string
apply_edition(ref host, string, bool?): pool-operator sync
apply_recommended_guidances(ref host): pool-operator removed
apply_updates(ref host, string) -> set set string: pool-operator cert
assert_can_evacuate(ref host): pool-operator
backup_rrds(ref host, float): pool-admin
bugreport_upload(ref host, string, map string string): pool-operator
call_extension(ref host, string) -> string: pool-admin
call_plugin(ref host, string, string, map string string) -> string: pool-admin
compute_free_memory(ref host) -> int: read-only
compute_memory_overhead(ref host) -> int: read-only
create_new_blob(ref host, string, string, bool?) -> ref blob: pool-operator
declare_dead(ref host): pool-operator
destroy(ref host): pool-operator
disable(ref host, bool?): pool-operator cert
disable_display(ref host) -> enum host_display: pool-operator
disable_external_auth(ref host, map string string?): pool-admin sync
disable_local_storage_caching(ref host): pool-operator
dmesg(ref host) -> string: pool-operator
dmesg_clear(ref host) -> string: pool-operator
emergency_clear_mandatory_guidance(): local sync
emergency_disable_tls_verification(): local sync
emergency_ha_disable(bool): pool-operator sync
emergency_reenable_tls_verification(): local sync
emergency_reset_server_certificate(): local sync
enable(ref host): pool-operator cert
enable_display(ref host) -> enum host_display: pool-operator
enable_external_auth(ref host, map string string, string, string): pool-admin sync
enable_local_storage_caching(ref host, ref SR): pool-operator
evacuate(ref host, ref network?, int?): pool-operator cert
forget_data_source_archives(ref host, string): pool-operator sync
get_data_sources(ref host) -> set record data_source: read-only sync
get_log(ref host) -> string: read-only
get_management_interface(ref host) -> ref PIF: pool-operator
get_sched_gran(ref host) -> enum host_sched_gran: local
get_server_certificate(ref host) -> string: read-only
get_server_localtime(ref host) -> datetime: read-only
get_servertime(ref host) -> datetime: read-only
get_system_status_capabilities(ref host) -> string: read-only sync
get_uncooperative_resident_VMs(ref host) -> set ref VM: read-only
get_vms_which_prevent_evacuation(ref host) -> map ref VM set string: read-only
has_extension(ref host, string) -> bool: pool-admin
install_server_certificate(ref host, string, string, string): pool-admin
license_add(ref host, string): pool-operator
license_apply(ref host, string): pool-operator removed
license_remove(ref host): pool-operator
list_methods() -> set string: read-only sync
local_management_reconfigure(string): pool-operator sync
management_disable(): pool-operator sync
management_reconfigure(ref PIF): pool-operator
migrate_receive(ref host, ref network, map string string) -> map string string: vm-power-admin
power_on(ref host): pool-operator
query_data_source(ref host, string) -> float: read-only sync
reboot(ref host): pool-operator
record_data_source(ref host, string): pool-operator sync
refresh_pack_info(ref host): pool-operator
refresh_server_certificate(ref host): pool-admin
reset_cpu_features(ref host): pool-operator removed
reset_server_certificate(ref host): pool-admin
restart_agent(ref host): pool-operator
retrieve_wlb_evacuate_recommendations(ref host) -> map ref VM set string: read-only
send_debug_keys(ref host, string): pool-admin
set_cpu_features(ref host, string): pool-operator removed
set_hostname_live(ref host, string): pool-operator sync
set_https_only(ref host, bool): pool-operator
set_iscsi_iqn(ref host, string): pool-operator
set_multipathing(ref host, bool): pool-operator
set_numa_affinity_policy(ref host, enum host_numa_affinity_policy): pool-admin
set_power_on_mode(ref host, string, map string string): pool-operator
set_sched_gran(ref host, enum host_sched_gran): local
set_ssl_legacy(ref host, bool): pool-operator
set_uefi_certificates(ref host, string): local
shutdown(ref host): pool-operator
shutdown_agent(): pool-operator sync
sync_data(ref host): pool-admin
syslog_reconfigure(ref host): pool-operator
""",
}
