"""What the lab answers to a message of the model that it cannot do: the answer of a real server which cannot either.

The dispatcher has counted and read the parameters, found the session and checked the role before. Objects come next:
most classes whose messages are not done here have no objects in the lab, and a reference to one is `HANDLE_INVALID`.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from bot.lab.xapi.calls import Context
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.schema.signatures import Signature
from bot.lab.xapi.values import NULL_REF, Value

# Error, its parameters after a bar (a number in braces is that argument, words stand for themselves), then the
# messages that end with it in a pool like the lab's: no plugins, no external authentication, no workload balancer,
# no update repositories, one interface per host, and an edition without the larger features.
_REASONS: Final = """
AUTH_IS_DISABLED: auth.get_group_membership auth.get_subject_identifier
    auth.get_subject_information_from_identifier
AUTH_UNKNOWN_TYPE | {3}: pool.enable_external_auth host.enable_external_auth
CANNOT_ENABLE_REDO_LOG | The storage repository is not suitable for a redo log.: pool.enable_redo_log
CERTIFICATE_CORRUPT | {0}: pool.certificate_install pool.install_ca_certificate
CERTIFICATE_DOES_NOT_EXIST | {0}: pool.certificate_uninstall pool.uninstall_ca_certificate
CRL_CORRUPT | {0}: pool.crl_install
CRL_DOES_NOT_EXIST | {0}: pool.crl_uninstall
GPU_GROUP_CONTAINS_NO_PGPUS | {1}: VGPU.create
INTERNAL_ERROR | Sys_error("{0}: No such file or directory"): session.create_from_db_file
INVALID_EDITION | {1}: host.apply_edition pool.apply_edition
INVALID_UPDATE | The disk holds no update.: pool_update.introduce
LICENCE_RESTRICTION | Corosync: Cluster.create Cluster.pool_create
LICENCE_RESTRICTION | DR: DR_task.create VM.assert_can_be_recovered VM.recover VM.get_SRs_required_for_recovery
    VM_appliance.assert_can_be_recovered VM_appliance.recover VM_appliance.get_SRs_required_for_recovery
LICENCE_RESTRICTION | PVS_proxy: PVS_site.introduce PVS_proxy.create PVS_server.introduce PVS_cache_storage.create
LICENCE_RESTRICTION | VTPM: VTPM.create
LICENSE_PROCESSING_ERROR: host.license_add
MESSAGE_DEPRECATED: SR.make PIF.create_VLAN PIF.destroy host.refresh_pack_info pool.disable_ssl_legacy
    VM.wait_memory_target_live
MESSAGE_METHOD_UNKNOWN | {1}: host.call_extension
NOT_IMPLEMENTED | list_method: host.list_methods
NOT_IMPLEMENTED | send_sysrq: VM.send_sysrq
NOT_IMPLEMENTED | send_trigger: VM.send_trigger
NOT_SYSTEM_DOMAIN | {0}: VM.query_services
NO_REPOSITORIES_CONFIGURED: pool.set_update_sync_enabled pool.configure_update_sync
NO_REPOSITORY_ENABLED: pool.sync_updates host.apply_updates
OPENVSWITCH_NOT_ACTIVE: tunnel.create pool.set_vswitch_controller
OPERATION_NOT_ALLOWED | To set UEFI certificates use: `Pool.set_custom_uefi_certificates`: host.set_uefi_certificates
    pool.set_uefi_certificates
OPERATION_NOT_ALLOWED | Setting UEFI certificates is not allowed on this pool.: pool.set_custom_uefi_certificates
PIF_BOND_NEEDS_MORE_MEMBERS: Bond.create
PIF_IS_NOT_SRIOV_CAPABLE | {0}: network_sriov.create
SERVER_CERTIFICATE_INVALID: host.install_server_certificate
SR_OPERATION_NOT_SUPPORTED | {0}: SR.assert_supports_database_replication SR.enable_database_replication
    SR.disable_database_replication SR.assert_can_host_ha_statefile
SR_OPERATION_NOT_SUPPORTED | {1}: LVHD.enable_thin_provisioning
SLAVE_REQUIRES_MANAGEMENT_INTERFACE: host.management_disable
SYSTEM_STATUS_RETRIEVAL_FAILED | The lab keeps no status reports.: host.get_system_status_capabilities
TLS_CONNECTION_FAILED | {0} | {1}: pool.send_test_post
USB_GROUP_CONTAINS_NO_PUSBS | {1}: VUSB.create
VDI_INCOMPATIBLE_TYPE | {0} | user: VDI.open_database VDI.read_database_pool_uuid
WLB_CONNECTION_REFUSED: pool.initialize_wlb
WLB_NOT_INITIALIZED: pool.deconfigure_wlb pool.retrieve_wlb_configuration pool.retrieve_wlb_recommendations
    pool.send_wlb_configuration VM.retrieve_wlb_recommendations
XENAPI_MISSING_PLUGIN | {1}: VM.call_plugin
"""


def _read_reasons() -> dict[str, tuple[str, ...]]:
    reasons = {}
    for line in _REASONS.replace("\n    ", " ").strip().splitlines():
        described, _, names = line.rpartition(": ")
        reasons.update(dict.fromkeys(names.split(), tuple(part.strip() for part in described.split(" | "))))
    return reasons


# Message, then the error that it ends with and its parameters.
REASONS: Final[Mapping[str, tuple[str, ...]]] = _read_reasons()


def make_refusal(signature: Signature) -> Callable[..., Awaitable[Value]]:
    """Returns the function that looks at the objects a message names and then refuses it."""
    code, *params = REASONS.get(signature.name, ("NOT_IMPLEMENTED", signature.name))

    async def refuse(context: Context, *arguments: Value) -> Value:
        for number, (kind, value) in enumerate(zip(signature.params, arguments, strict=False)):
            # The object that a message is sent to must be there; the null reference may stand for others.
            if kind.kind == "ref" and (number == 0 or value != NULL_REF):
                context.pool.database.row(kind.name, value)
        raise ApiError(
            code, *(re.sub(r"\{(\d)\}", lambda found: str(arguments[int(found[1])]), text) for text in params)
        )

    return refuse
