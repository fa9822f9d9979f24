"""Sessions, tasks, events and the pool: tables of API 2.21, read by `bot.lab.xapi.schema.model`."""

from typing import Final

TABLES: Final = {
    "session": """
(write pool-admin, unlisted, sync)
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
change_password(string, string): local
create_from_db_file(string) -> ref session: local
get_all_subject_identifiers() -> set string: read-only
local_logout(): pool-admin
login_with_password(string, string, string?, string?) -> ref session: read-only nosession
logout(): read-only
logout_subject_identifier(string): pool-operator
slave_local_login_with_password(string, string) -> ref session: pool-admin nosession
""",
    "task": """
(sync)
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
cancel(ref task): read-only
create(string, string) -> ref task: read-only
destroy(ref task): read-only
set_error_info(ref task, set string): read-only
set_progress(ref task, float): read-only
set_result(ref task, string): read-only
set_status(ref task, enum task_status_type): read-only
""",
    "event": """
(bare, sync)
snapshot: record
id: int ctor
timestamp: datetime ctor
class: string ctor
operation: enum event_operation ctor
ref: string ctor
obj_uuid: string ctor
from(set string, string, float) -> record: read-only
get_current_id() -> int: read-only
inject(string, string) -> string: read-only
next() -> set record event: read-only
register(set string): read-only
unregister(set string): read-only
""",
    "pool": """
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
tags: set string rw vm-operator
gui_config: map string string rw vm-operator
health_check_config: map string string rw
wlb_url: string
wlb_username: string
wlb_enabled: bool rw pool-operator cert
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
add_repository(ref pool, ref Repository): pool-operator cert
add_to_guest_agent_config(ref pool, string, string): pool-admin
apply_edition(ref pool, string): pool-operator
certificate_install(string, string): pool-operator
certificate_list() -> set string: pool-operator
certificate_sync(): pool-operator
certificate_uninstall(string): pool-operator
check_update_readiness(ref pool, bool) -> set set string: pool-operator cert
configure_repository_proxy(ref pool, string, string, string): pool-operator cert
configure_update_sync(ref pool, enum update_sync_frequency, int): pool-operator
create_VLAN(string, ref network, int) -> set ref PIF: pool-operator
create_VLAN_from_PIF(ref PIF, ref network, int) -> set ref PIF: pool-operator
create_new_blob(ref pool, string, string, bool?) -> ref blob: pool-operator
crl_install(string, string): pool-operator
crl_list() -> set string: pool-operator
crl_uninstall(string): pool-operator
deconfigure_wlb(): pool-operator
designate_new_master(ref host): pool-operator
detect_nonhomogeneous_external_auth(ref pool): pool-operator sync
disable_client_certificate_auth(ref pool): pool-operator cert
disable_external_auth(ref pool, map string string?): pool-admin sync
disable_ha(): pool-operator cert
disable_local_storage_caching(ref pool): pool-operator
disable_redo_log(): pool-operator
disable_repository_proxy(ref pool): pool-operator cert
disable_ssl_legacy(ref pool): pool-operator sync
eject(ref host): pool-operator
emergency_reset_master(string): pool-operator sync
emergency_transition_to_master(): pool-operator sync
enable_client_certificate_auth(ref pool, string): pool-operator cert
enable_external_auth(ref pool, map string string, string, string): pool-admin sync
enable_ha(set ref SR, map string string): pool-operator cert
enable_local_storage_caching(ref pool): pool-operator
enable_redo_log(ref SR): pool-operator
enable_ssl_legacy(ref pool): pool-operator removed sync
enable_tls_verification(): pool-admin
get_license_state(ref pool) -> map string string: read-only
ha_compute_hypothetical_max_host_failures_to_tolerate(map ref VM string) -> int: read-only sync
ha_compute_max_host_failures_to_tolerate() -> int: pool-operator sync
ha_compute_vm_failover_plan(set ref host, set ref VM) -> map ref VM map string string: pool-operator sync
ha_failover_plan_exists(int) -> bool: pool-operator sync
ha_prevent_restarts_for(int): pool-operator sync
has_extension(ref pool, string) -> bool: pool-admin
initialize_wlb(string, string, string, string, string): pool-operator
install_ca_certificate(string, string): pool-operator cert
join(string, string, string): pool-operator
join_force(string, string, string): pool-operator
management_reconfigure(ref network): pool-operator
recover_slaves() -> set ref host: pool-operator
remove_from_guest_agent_config(ref pool, string): pool-admin
remove_repository(ref pool, ref Repository): pool-operator cert
reset_telemetry_uuid(ref pool): pool-admin
retrieve_wlb_configuration() -> map string string: read-only
retrieve_wlb_recommendations() -> map ref VM set string: read-only
rotate_secret(): pool-admin
send_test_post(string, int, string) -> string: pool-admin
send_wlb_configuration(map string string): pool-operator
set_custom_uefi_certificates(ref pool, string): pool-admin
set_ext_auth_max_threads(ref pool, int): pool-operator
set_ha_host_failures_to_tolerate(ref pool, int): pool-operator
set_https_only(ref pool, bool): pool-operator
set_igmp_snooping_enabled(ref pool, bool): pool-operator
set_local_auth_max_threads(ref pool, int): pool-operator
set_repositories(ref pool, set ref Repository): pool-operator cert
set_telemetry_next_collection(ref pool, datetime): pool-admin
set_uefi_certificates(ref pool, string): pool-admin
set_update_sync_enabled(ref pool, bool): pool-operator
set_vswitch_controller(string): pool-operator
sync_database(): pool-operator
sync_updates(ref pool, bool, string?, string?) -> string: pool-operator cert
test_archive_target(ref pool, map string string) -> string: pool-operator sync
uninstall_ca_certificate(string): pool-operator cert
""",
}
