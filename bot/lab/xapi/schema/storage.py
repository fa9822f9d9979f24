"""Disks, storage repositories and what plugs them: the fields of API 2.21, read by `bot.lab.xapi.schema.model`.

One line per field in the order of the record: name, type, then `rw` where a client may set it or `ctor` where
only the constructor does, then its default where that is not the empty value of the type.
"""

from typing import Final

VBD: Final = """
uuid: string
allowed_operations: set enum vbd_operations
current_operations: map string enum vbd_operations
VM: ref VM ctor
VDI: ref VDI ctor
device: string ctor
userdevice: string rw
bootable: bool rw
mode: enum vbd_mode ctor
type: enum vbd_type rw
unpluggable: bool rw = true
storage_lock: bool
empty: bool ctor
other_config: map string string rw
currently_attached: bool ctor
status_code: int
status_detail: string
runtime_properties: map string string
qos_algorithm_type: string rw
qos_algorithm_params: map string string rw
qos_supported_algorithms: set string
metrics: ref VBD_metrics
"""

VDI: Final = """
uuid: string
name_label: string ctor
name_description: string ctor
allowed_operations: set enum vdi_operations
current_operations: map string enum vdi_operations
SR: ref SR ctor
VBDs: set ref VBD
crash_dumps: set ref crashdump
virtual_size: int ctor
physical_utilisation: int
type: enum vdi_type ctor
sharable: bool ctor
read_only: bool ctor
other_config: map string string rw
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
tags: set string rw
allow_caching: bool
on_boot: enum on_boot = persist
metadata_of_pool: ref pool
metadata_latest: bool
is_tools_iso: bool
cbt_enabled: bool
"""

SR: Final = """
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
tags: set string rw
sm_config: map string string rw
blobs: map string ref blob
local_cache_enabled: bool
introduced_by: ref DR_task
clustered: bool
is_tools_sr: bool
"""

PBD: Final = """
uuid: string
host: ref host ctor
SR: ref SR ctor
device_config: map string string ctor
currently_attached: bool
other_config: map string string rw
"""
