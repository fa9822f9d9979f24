"""The enumerations of API 2.21, and of API 2.23 what certificates are trusted for: name, then its values."""

from typing import Final

ENUMS: Final = """
after_apply_guidance: restartHVM restartPV restartHost restartXAPI
allocation_algorithm: breadth_first depth_first
bond_mode: balance-slb active-backup lacp
certificate_purpose: licensing ldaps
certificate_type: ca host host_internal pinned
cls: VM Host SR Pool VMPP VMSS PVS_proxy VDI Certificate
cluster_host_operation: enable disable destroy
cluster_operation: add remove enable disable destroy
console_protocol: vt100 rfb rdp
domain_type: hvm pv pv_in_pvh pvh unspecified
event_operation: add del mod
host_allowed_operations: provision evacuate shutdown reboot power_on vm_start vm_resume vm_migrate apply_updates
    enable
host_display: enabled disable_on_reboot disabled enable_on_reboot
host_numa_affinity_policy: any best_effort default_policy
host_sched_gran: core cpu socket
ip_configuration_mode: None DHCP Static
ipv6_configuration_mode: None DHCP Static Autoconf
latest_synced_updates_applied_state: yes no unknown
livepatch_status: ok_livepatch_complete ok_livepatch_incomplete ok
network_default_locking_mode: unlocked disabled
network_operations: attaching
network_purpose: nbd insecure_nbd
on_boot: reset persist
on_crash_behaviour: destroy coredump_and_destroy restart coredump_and_restart preserve rename_restart
on_normal_exit: destroy restart
on_softreboot_behavior: soft_reboot destroy restart preserve
persistence_backend: xapi
pgpu_dom0_access: enabled disable_on_reboot disabled enable_on_reboot
pif_igmp_status: enabled disabled unknown
pool_allowed_operations: ha_enable ha_disable cluster_create designate_new_master configure_repositories
    sync_updates get_updates apply_updates tls_verification_enable cert_refresh exchange_certificates_on_join
    exchange_ca_certificates_on_join copy_primary_host_certs eject
primary_address_type: IPv4 IPv6
pvs_proxy_status: stopped initialised caching incompatible_write_cache_mode incompatible_protocol_version
sdn_controller_protocol: ssl pssl
sr_health: healthy recovering
sriov_configuration_mode: sysfs modprobe manual unknown
storage_operations: scan destroy forget plug unplug update vdi_create vdi_introduce vdi_destroy vdi_resize vdi_clone
    vdi_snapshot vdi_mirror vdi_enable_cbt vdi_disable_cbt vdi_data_destroy vdi_list_changed_blocks vdi_set_on_boot
    pbd_create pbd_destroy
task_allowed_operations: cancel destroy
task_status_type: pending success failure cancelling cancelled
telemetry_frequency: daily weekly monthly
tristate_type: yes no unspecified
tunnel_protocol: gre vxlan
update_after_apply_guidance: restartHVM restartPV restartHost restartXAPI
update_guidances: reboot_host reboot_host_on_livepatch_failure reboot_host_on_kernel_livepatch_failure
    reboot_host_on_xen_livepatch_failure restart_toolstack restart_device_model restart_vm
update_sync_frequency: daily weekly
vbd_mode: RO RW
vbd_operations: attach eject insert plug unplug unplug_force pause unpause
vbd_type: CD Disk Floppy
vdi_operations: clone copy resize resize_online snapshot mirror destroy forget update force_unlock generate_config
    enable_cbt disable_cbt data_destroy list_changed_blocks set_on_boot blocked
vdi_type: system user ephemeral suspend crashdump ha_statefile metadata redo_log rrd pvs_cache cbt_metadata
vgpu_type_implementation: passthrough nvidia nvidia_sriov gvt_g mxgpu
vif_ipv4_configuration_mode: None Static
vif_ipv6_configuration_mode: None Static
vif_locking_mode: network_default locked unlocked disabled
vif_operations: attach plug unplug
vm_appliance_operation: start clean_shutdown hard_shutdown shutdown
vm_operations: snapshot clone copy create_template revert checkpoint snapshot_with_quiesce provision start start_on
    pause unpause clean_shutdown clean_reboot hard_shutdown power_state_reset hard_reboot suspend csvm resume
    resume_on pool_migrate migrate_send get_boot_record send_sysrq send_trigger query_services shutdown call_plugin
    changing_memory_live awaiting_memory_live changing_dynamic_range changing_static_range changing_memory_limits
    changing_shadow_memory changing_shadow_memory_live changing_VCPUs changing_VCPUs_live changing_NVRAM
    assert_operation_valid data_source_op update_allowed_operations make_into_template import export metadata_export
    reverting destroy create_vtpm
vm_power_state: Halted Paused Running Suspended
vmpp_archive_frequency: never always_after_backup daily weekly
vmpp_archive_target_type: none cifs nfs
vmpp_backup_frequency: hourly daily weekly
vmpp_backup_type: snapshot checkpoint
vmss_frequency: hourly daily weekly
vmss_type: snapshot checkpoint snapshot_with_quiesce
vtpm_operations: destroy
vusb_operations: attach plug unplug
"""
