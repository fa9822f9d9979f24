"""Hosts and what is measured of them: the fields of API 2.21, read by `bot.lab.xapi.schema.model`.

One line per field in the order of the record: name, type, then `rw` where a client may set it or `ctor` where
only the constructor does, then its default where that is not the empty value of the type.
"""

from typing import Final

HOST: Final = """
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
tags: set string rw
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
virtual_hardware_platform_versions: set int
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
"""

HOST_METRICS: Final = """
uuid: string
memory_total: int
memory_free: int
live: bool
last_updated: datetime
other_config: map string string rw
"""
