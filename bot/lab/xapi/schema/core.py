"""Sessions, tasks, pools and alerts: the fields of API 2.21, read by `bot.lab.xapi.schema.model`.

One line per field in the order of the record: name, type, then `rw` where a client may set it or `ctor` where
only the constructor does, then its default where that is not the empty value of the type.
"""

from typing import Final

SESSION: Final = """
uuid: string
this_host: ref host
this_user: ref user
last_active: datetime
pool: bool
other_config: map string string rw
is_local_superuser: bool
subject: ref subject
validation_time: datetime
auth_user_sid: string
auth_user_name: string
rbac_permissions: set string ctor
tasks: set ref task
parent: ref session ctor
originator: string
client_certificate: bool
"""

TASK: Final = """
uuid: string
name_label: string
name_description: string
allowed_operations: set enum task_allowed_operations
current_operations: map string enum task_allowed_operations
created: datetime
finished: datetime
status: enum task_status_type
resident_on: ref host
progress: float
type: string = <none/>
result: string
error_info: set string
other_config: map string string rw
subtask_of: ref task
subtasks: set ref task
backtrace: string = ()
"""

POOL: Final = """
uuid: string
name_label: string rw
name_description: string rw
master: ref host
default_SR: ref SR rw
suspend_image_SR: ref SR rw
crash_dump_SR: ref SR rw
other_config: map string string rw
ha_enabled: bool
ha_configuration: map string string
ha_statefiles: set string
ha_host_failures_to_tolerate: int
ha_plan_exists_for: int
ha_allow_overcommit: bool rw
ha_overcommitted: bool
blobs: map string ref blob
tags: set string rw
gui_config: map string string rw
health_check_config: map string string rw
wlb_url: string
wlb_username: string
wlb_enabled: bool rw
wlb_verify_cert: bool rw
redo_log_enabled: bool
redo_log_vdi: ref VDI
vswitch_controller: string
restrictions: map string string
metadata_VDIs: set ref VDI
ha_cluster_stack: string
allowed_operations: set enum pool_allowed_operations
current_operations: map string enum pool_allowed_operations
guest_agent_config: map string string
cpu_info: map string string
policy_no_vendor_device: bool rw
live_patching_disabled: bool rw
igmp_snooping_enabled: bool
uefi_certificates: string ctor
custom_uefi_certificates: string ctor
is_psr_pending: bool rw
tls_verification_enabled: bool
repositories: set ref Repository
client_certificate_auth_enabled: bool
client_certificate_auth_name: string
repository_proxy_url: string
repository_proxy_username: string
repository_proxy_password: ref secret
migration_compression: bool rw
coordinator_bias: bool rw = true
local_auth_max_threads: int ctor = 8
ext_auth_max_threads: int ctor = 1
telemetry_uuid: ref secret
telemetry_frequency: enum telemetry_frequency = weekly
telemetry_next_collection: datetime
last_update_sync: datetime
update_sync_frequency: enum update_sync_frequency = weekly
update_sync_day: int
update_sync_enabled: bool
"""

MESSAGE: Final = """
uuid: string
name: string
priority: int
cls: enum cls
obj_uuid: string
timestamp: datetime
body: string
"""
