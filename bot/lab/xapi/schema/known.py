"""Names that API 2.21 has and this lab may not serve, so that a caller is told which of the two it is.

A name from here that the lab does not serve answers `NOT_IMPLEMENTED`; any other unknown name answers
`MESSAGE_METHOD_UNKNOWN`, as a real server does.
"""

from typing import Final

# Class, then its messages beyond the getters and setters of its fields.
MESSAGES: Final = """
session: change_password create_from_db_file get_all_subject_identifiers local_logout login_with_password
    logout logout_subject_identifier slave_local_login_with_password
auth: get_group_membership get_subject_identifier get_subject_information_from_identifier
subject: add_to_roles create destroy get_permissions_name_label remove_from_roles
role: get_by_permission get_by_permission_name_label get_permissions get_permissions_name_label
task: cancel create destroy set_error_info set_progress set_result set_status
event: from get_current_id inject next register unregister
pool: add_repository add_to_guest_agent_config apply_edition certificate_install certificate_list
    certificate_sync certificate_uninstall check_update_readiness configure_repository_proxy
    configure_update_sync create_VLAN create_VLAN_from_PIF create_new_blob crl_install crl_list
    crl_uninstall deconfigure_wlb designate_new_master detect_nonhomogeneous_external_auth
    disable_client_certificate_auth disable_external_auth disable_ha disable_local_storage_caching
    disable_redo_log disable_repository_proxy disable_ssl_legacy eject emergency_reset_master
    emergency_transition_to_master enable_client_certificate_auth enable_external_auth enable_ha
    enable_local_storage_caching enable_redo_log enable_ssl_legacy enable_tls_verification
    get_license_state ha_compute_hypothetical_max_host_failures_to_tolerate
    ha_compute_max_host_failures_to_tolerate ha_compute_vm_failover_plan ha_failover_plan_exists
    ha_prevent_restarts_for has_extension initialize_wlb install_ca_certificate join join_force
    management_reconfigure recover_slaves remove_from_guest_agent_config remove_repository
    reset_telemetry_uuid retrieve_wlb_configuration retrieve_wlb_recommendations rotate_secret
    send_test_post send_wlb_configuration set_custom_uefi_certificates set_ext_auth_max_threads
    set_ha_host_failures_to_tolerate set_https_only set_igmp_snooping_enabled set_local_auth_max_threads
    set_repositories set_telemetry_next_collection set_uefi_certificates set_update_sync_enabled
    set_vswitch_controller sync_database sync_updates test_archive_target uninstall_ca_certificate
pool_patch: apply clean clean_on_host destroy pool_apply pool_clean precheck
pool_update: apply destroy introduce pool_apply pool_clean precheck
VM: add_to_NVRAM add_to_VCPUs_params_live assert_agile assert_can_be_recovered assert_can_boot_here
    assert_can_migrate assert_operation_valid call_plugin checkpoint clean_reboot clean_shutdown clone
    compute_memory_overhead copy copy_bios_strings create create_new_blob destroy
    forget_data_source_archives get_SRs_required_for_recovery get_allowed_VBD_devices
    get_allowed_VIF_devices get_boot_record get_cooperative get_data_sources get_possible_hosts
    hard_reboot hard_shutdown import import_convert maximise_memory migrate_send pause pool_migrate
    power_state_reset provision query_data_source query_services record_data_source recover
    remove_from_NVRAM restart_device_models resume resume_on retrieve_wlb_recommendations revert
    send_sysrq send_trigger set_HVM_boot_policy set_HVM_shadow_multiplier set_NVRAM set_VCPUs_at_startup
    set_VCPUs_max set_VCPUs_number_live set_actions_after_crash set_appliance set_bios_strings
    set_domain_type set_ha_always_run set_ha_restart_priority set_has_vendor_device set_memory
    set_memory_dynamic_max set_memory_dynamic_min set_memory_dynamic_range set_memory_limits
    set_memory_static_max set_memory_static_min set_memory_static_range set_memory_target_live set_order
    set_protection_policy set_shadow_multiplier_live set_shutdown_delay set_snapshot_schedule
    set_start_delay set_suspend_VDI shutdown snapshot snapshot_with_quiesce start start_on suspend unpause
    update_allowed_operations wait_memory_target_live
VMPP: add_to_alarm_config add_to_archive_schedule add_to_archive_target_config add_to_backup_schedule
    archive_now create destroy get_alerts protect_now remove_from_alarm_config
    remove_from_archive_schedule remove_from_archive_target_config remove_from_backup_schedule
    set_alarm_config set_archive_frequency set_archive_last_run_time set_archive_schedule
    set_archive_target_config set_archive_target_type set_backup_frequency set_backup_last_run_time
    set_backup_retention_value set_backup_schedule set_is_alarm_enabled
VMSS: add_to_schedule create destroy remove_from_schedule set_frequency set_last_run_time
    set_retained_snapshots set_schedule set_type snapshot_now
VM_appliance: assert_can_be_recovered clean_shutdown create destroy get_SRs_required_for_recovery
    hard_shutdown recover shutdown start
DR_task: create destroy
host: apply_edition apply_recommended_guidances apply_updates assert_can_evacuate backup_rrds
    bugreport_upload call_extension call_plugin compute_free_memory compute_memory_overhead
    create_new_blob declare_dead destroy disable disable_display disable_external_auth
    disable_local_storage_caching dmesg dmesg_clear emergency_clear_mandatory_guidance
    emergency_disable_tls_verification emergency_ha_disable emergency_reenable_tls_verification
    emergency_reset_server_certificate enable enable_display enable_external_auth
    enable_local_storage_caching evacuate forget_data_source_archives get_data_sources get_log
    get_management_interface get_sched_gran get_server_certificate get_server_localtime get_servertime
    get_system_status_capabilities get_uncooperative_resident_VMs get_vms_which_prevent_evacuation
    has_extension install_server_certificate license_add license_apply license_remove list_methods
    local_management_reconfigure management_disable management_reconfigure migrate_receive power_on
    query_data_source reboot record_data_source refresh_pack_info refresh_server_certificate
    reset_cpu_features reset_server_certificate restart_agent retrieve_wlb_evacuate_recommendations
    send_debug_keys set_cpu_features set_hostname_live set_https_only set_iscsi_iqn set_multipathing
    set_numa_affinity_policy set_power_on_mode set_sched_gran set_ssl_legacy set_uefi_certificates
    shutdown shutdown_agent sync_data syslog_reconfigure
host_crashdump: destroy upload
host_patch: apply destroy
network: add_purpose create create_new_blob destroy remove_purpose set_default_locking_mode
VIF: add_ipv4_allowed add_ipv6_allowed configure_ipv4 configure_ipv6 create destroy move plug
    remove_ipv4_allowed remove_ipv6_allowed set_ipv4_allowed set_ipv6_allowed set_locking_mode unplug
    unplug_force
PIF: create_VLAN db_forget db_introduce destroy forget introduce plug reconfigure_ip reconfigure_ipv6 scan
    set_disallow_unplug set_primary_address_type set_property unplug
Bond: create destroy set_mode set_property
VLAN: create destroy
SR: assert_can_host_ha_statefile assert_supports_database_replication create create_new_blob destroy
    disable_database_replication enable_database_replication forget forget_data_source_archives
    get_data_sources get_supported_types introduce make probe probe_ext query_data_source
    record_data_source scan set_name_description set_name_label set_physical_size set_shared update
LVHD: enable_thin_provisioning
VDI: clone copy create data_destroy destroy disable_cbt enable_cbt forget get_nbd_info introduce
    list_changed_blocks open_database pool_migrate read_database_pool_uuid resize resize_online
    set_allow_caching set_name_description set_name_label set_on_boot set_read_only set_sharable snapshot
    update
VBD: assert_attachable create destroy eject insert plug set_mode unplug unplug_force
PBD: create destroy plug set_device_config unplug
crashdump: destroy
VTPM: create destroy
console: create destroy
user: create destroy
blob: create destroy
message: create destroy destroy_many get get_all get_all_records get_all_records_where get_by_uuid
    get_record get_since
secret: create destroy
tunnel: create destroy
network_sriov: create destroy get_remaining_capacity
PGPU: add_enabled_VGPU_types disable_dom0_access enable_dom0_access get_remaining_capacity
    remove_enabled_VGPU_types set_GPU_group set_enabled_VGPU_types
GPU_group: create destroy get_remaining_capacity
VGPU: create destroy
PVS_site: forget introduce set_PVS_uuid
PVS_server: forget introduce
PVS_proxy: create destroy
PVS_cache_storage: create destroy
SDN_controller: forget introduce
PUSB: scan set_passthrough_enabled
USB_group: create destroy
VUSB: create destroy unplug
Cluster: create destroy get_network pool_create pool_destroy pool_force_destroy pool_resync
Cluster_host: create destroy disable enable force_destroy
Repository: forget introduce set_gpgkey_path
Observer: create destroy set_attributes set_components set_enabled set_endpoints set_hosts
"""

# Classes without a table in the lab: class, then its fields; a star marks those that a client may set.
FIELDS_ELSEWHERE: Final = """
auth:
subject: uuid subject_identifier other_config roles
role: uuid name_label name_description subroles is_internal
pool_patch: uuid name_label name_description version size pool_applied host_patches after_apply_guidance
    pool_update *other_config
pool_update: uuid name_label name_description version installation_size key after_apply_guidance vdi hosts
    *other_config enforce_homogeneity
VMPP: uuid *name_label *name_description *is_policy_enabled *backup_type backup_retention_value
    backup_frequency backup_schedule is_backup_running backup_last_run_time archive_target_type
    archive_target_config archive_frequency archive_schedule is_archive_running archive_last_run_time VMs
    is_alarm_enabled alarm_config recent_alerts
VMSS: uuid *name_label *name_description *enabled type retained_snapshots frequency schedule last_run_time
    VMs
VM_appliance: uuid *name_label *name_description allowed_operations current_operations VMs
DR_task: uuid introduced_SRs
host_crashdump: uuid host timestamp size *other_config
host_patch: uuid name_label name_description version host applied timestamp_applied size pool_patch
    *other_config
host_cpu: uuid host number vendor speed modelname family model stepping flags features utilisation
    *other_config
VIF_metrics: uuid io_read_kbs io_write_kbs last_updated *other_config
Bond: uuid master slaves *other_config primary_slave mode properties links_up auto_update_mac
VLAN: uuid tagged_PIF untagged_PIF tag *other_config
SM: uuid name_label name_description type vendor copyright version required_api_version configuration
    capabilities features *other_config driver_filename required_cluster_stack
LVHD: uuid
VBD_metrics: uuid io_read_kbs io_write_kbs last_updated *other_config
crashdump: uuid VM VDI *other_config
VTPM: uuid allowed_operations current_operations VM backend persistence_backend is_unique is_protected
console: uuid protocol location VM *other_config
user: uuid short_name *fullname *other_config
blob: uuid *name_label *name_description size *public last_updated mime_type
secret: uuid *value *other_config
tunnel: uuid access_PIF transport_PIF *status *other_config *protocol
network_sriov: uuid physical_PIF logical_PIF requires_reboot configuration_mode
PCI: uuid class_name vendor_name device_name host pci_id dependencies *other_config subsystem_vendor_name
    subsystem_device_name driver_name
PGPU: uuid PCI GPU_group host *other_config supported_VGPU_types enabled_VGPU_types resident_VGPUs
    supported_VGPU_max_capacities dom0_access is_system_display_device compatibility_metadata
GPU_group: uuid *name_label *name_description PGPUs VGPUs GPU_types *other_config *allocation_algorithm
    supported_VGPU_types enabled_VGPU_types
VGPU: uuid VM GPU_group device currently_attached *other_config type resident_on
    scheduled_to_be_resident_on compatibility_metadata *extra_args PCI
VGPU_type: uuid vendor_name model_name framebuffer_size max_heads max_resolution_x max_resolution_y
    supported_on_PGPUs enabled_on_PGPUs VGPUs supported_on_GPU_groups enabled_on_GPU_groups implementation
    identifier experimental compatible_types_in_vm
PVS_site: uuid *name_label *name_description PVS_uuid cache_storage servers proxies
PVS_server: uuid addresses first_port last_port site
PVS_proxy: uuid site VIF currently_attached status
PVS_cache_storage: uuid host SR site size VDI
Feature: uuid name_label name_description enabled experimental version host
SDN_controller: uuid protocol address port
PUSB: uuid USB_group host path vendor_id vendor_desc product_id product_desc serial version description
    passthrough_enabled *other_config speed
USB_group: uuid *name_label *name_description PUSBs VUSBs *other_config
VUSB: uuid allowed_operations current_operations VM USB_group *other_config currently_attached
Cluster: uuid cluster_hosts pending_forget cluster_token cluster_stack is_quorate quorum live_hosts
    allowed_operations current_operations pool_auto_join token_timeout token_timeout_coefficient
    cluster_config *other_config
Cluster_host: uuid cluster host enabled PIF joined live last_update_live allowed_operations
    current_operations other_config
Certificate: uuid name type host not_before not_after fingerprint
Repository: uuid *name_label *name_description binary_url source_url update hash up_to_date gpgkey_path
Observer: uuid *name_label *name_description hosts attributes endpoints components enabled
"""
