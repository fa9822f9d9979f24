"""Disks, storage repositories and what plugs them: tables of API 2.21, read by `bot.lab.xapi.schema.model`."""

from typing import Final

TABLES: Final = {
    "SM": """
uuid: string
name_label: string
name_description: string
type: string
vendor: string
copyright: string
version: string
required_api_version: string
configuration: map string string
capabilities: set string
features: map string int
other_config: map string string rw
driver_filename: string
required_cluster_stack: set string
""",
    "SR": """
uuid: string
name_label: string ctor
name_description: string ctor
allowed_operations: set enum storage_operations
current_operations: map string enum storage_operations
VDIs: set ref VDI
PBDs: set ref PBD
virtual_allocation: int
physical_utilisation: int
physical_size: int ctor
type: string ctor
content_type: string ctor
shared: bool
other_config: map string string rw
tags: set string rw vm-operator
sm_config: map string string rw
blobs: map string ref blob
local_cache_enabled: bool
introduced_by: ref DR_task
clustered: bool
is_tools_sr: bool
assert_can_host_ha_statefile(ref SR): pool-operator
assert_supports_database_replication(ref SR): pool-operator
create(ref host, map string string, int, string, string, string, string, bool, map string string?) -> ref SR:
    pool-operator
create_new_blob(ref SR, string, string, bool?) -> ref blob: pool-operator
destroy(ref SR): pool-operator
disable_database_replication(ref SR): pool-operator
enable_database_replication(ref SR): pool-operator
forget(ref SR): pool-operator
forget_data_source_archives(ref SR, string): pool-operator sync
get_data_sources(ref SR) -> set record data_source: read-only sync
get_supported_types() -> set string: read-only sync
introduce(string, string, string, string, string, bool, map string string?) -> ref SR: pool-operator
make(ref host, map string string, int, string, string, string, string, map string string?) -> string: pool-operator
probe(ref host, map string string, string, map string string?) -> string: pool-operator
probe_ext(ref host, map string string, string, map string string?) -> set record probe_result: pool-operator
query_data_source(ref SR, string) -> float: read-only sync
record_data_source(ref SR, string): pool-operator sync
scan(ref SR): vm-power-admin
set_name_description(ref SR, string): pool-operator
set_name_label(ref SR, string): pool-operator
set_physical_size(ref SR, int): pool-operator
set_shared(ref SR, bool): pool-operator
update(ref SR): pool-operator
""",
    "sr_stat": """
(bare)
uuid: string option
name_label: string
name_description: string
free_space: int
total_space: int
clustered: bool
health: enum sr_health
""",
    "probe_result": """
(bare)
configuration: map string string
complete: bool
sr: sr_stat record option
extra_info: map string string
""",
    "LVHD": """
(unlisted)
uuid: string
enable_thin_provisioning(ref host, ref SR, int, int) -> string: pool-admin
""",
    "VDI": """
(write vm-admin, make vm-admin)
uuid: string
name_label: string ctor
name_description: string ctor
allowed_operations: set enum vdi_operations
current_operations: map string enum vdi_operations
SR: ref SR ctor must
VBDs: set ref VBD
crash_dumps: set ref crashdump
virtual_size: int ctor must
physical_utilisation: int
type: enum vdi_type ctor must
sharable: bool ctor must
read_only: bool ctor must
other_config: map string string rw must
storage_lock: bool
location: string
managed: bool
missing: bool
parent: ref VDI
xenstore_data: map string string rw
sm_config: map string string rw
is_a_snapshot: bool
snapshot_of: ref VDI
snapshots: set ref VDI
snapshot_time: datetime
tags: set string rw vm-operator
allow_caching: bool
on_boot: enum on_boot = persist
metadata_of_pool: ref pool
metadata_latest: bool
is_tools_iso: bool
cbt_enabled: bool
clone(ref VDI, map string string?) -> ref VDI: vm-admin
copy(ref VDI, ref SR, ref VDI?, ref VDI?) -> ref VDI: vm-admin
data_destroy(ref VDI): vm-admin
disable_cbt(ref VDI): vm-admin
enable_cbt(ref VDI): vm-admin
forget(ref VDI): vm-admin
get_nbd_info(ref VDI) -> set record vdi_nbd_server_info: vm-admin
introduce(string, string, string, ref SR, enum vdi_type, bool, bool, map string string, string, map string string,
    map string string?, bool?, int?, int?, ref pool?, bool?, datetime?, ref VDI?) -> ref VDI: vm-admin
list_changed_blocks(ref VDI, ref VDI) -> string: vm-operator
open_database(ref VDI) -> ref session: pool-operator
pool_migrate(ref VDI, ref SR, map string string) -> ref VDI: vm-power-admin
read_database_pool_uuid(ref VDI) -> string: read-only
resize(ref VDI, int): vm-admin
resize_online(ref VDI, int): vm-admin removed
set_allow_caching(ref VDI, bool): vm-admin
set_name_description(ref VDI, string): vm-admin
set_name_label(ref VDI, string): vm-admin
set_on_boot(ref VDI, enum on_boot): vm-admin
set_read_only(ref VDI, bool): vm-admin
set_sharable(ref VDI, bool): vm-admin
snapshot(ref VDI, map string string?) -> ref VDI: vm-admin
update(ref VDI): vm-admin
""",
    "VBD": """
(write vm-admin, make vm-admin)
uuid: string
allowed_operations: set enum vbd_operations
current_operations: map string enum vbd_operations
VM: ref VM ctor must
VDI: ref VDI ctor must
device: string ctor
userdevice: string rw must
bootable: bool rw must
mode: enum vbd_mode ctor must
type: enum vbd_type rw must
unpluggable: bool rw = true
storage_lock: bool
empty: bool ctor must
other_config: map string string rw must
currently_attached: bool ctor
status_code: int
status_detail: string
runtime_properties: map string string
qos_algorithm_type: string rw must
qos_algorithm_params: map string string rw must
qos_supported_algorithms: set string
metrics: ref VBD_metrics removed
assert_attachable(ref VBD): vm-admin
eject(ref VBD): vm-operator
insert(ref VBD, ref VDI): vm-operator
plug(ref VBD): vm-admin
set_mode(ref VBD, enum vbd_mode): vm-admin
unplug(ref VBD): vm-admin
unplug_force(ref VBD): vm-admin
""",
    "VBD_metrics": """
(write vm-admin, removed)
uuid: string
io_read_kbs: float removed
io_write_kbs: float removed
last_updated: datetime removed
other_config: map string string rw removed
""",
    "PBD": """
(make pool-operator)
uuid: string
host: ref host ctor must
SR: ref SR ctor must
device_config: map string string ctor must
currently_attached: bool
other_config: map string string rw
plug(ref PBD): pool-operator
set_device_config(ref PBD, map string string): pool-operator
unplug(ref PBD): pool-operator
""",
    "vdi_nbd_server_info": """
(bare)
exportname: string
address: string
port: int
cert: string
subject: string
""",
}
