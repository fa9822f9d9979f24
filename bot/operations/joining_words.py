"""What XAPI refuses a join with, in our words: half sentences with a place for each parameter that is used.

Most are what a check before the join looks for, so these are read where things changed in between, or where a newer
server looks for more; the others are about what no record tells.
"""

from __future__ import annotations

from typing import Final

#: By code a template and, by position, the name of each parameter it uses ("" for one it leaves out).
JOINING: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    # Before anything is compared
    "LICENSE_DOES_NOT_SUPPORT_POOLING": ("the licence of the host does not include pools", ()),
    "JOINING_HOST_CONNECTION_FAILED": ("the coordinator of the pool broke the connection to the host", ()),
    "JOINING_HOST_SERVICE_FAILED": ("the host could not speak with the coordinator of the pool", ()),
    "SESSION_AUTHENTICATION_FAILED": ("the pool refuses the login of {user}", ("user",)),
    "HOST_IS_SLAVE": ("the pool has another coordinator meanwhile: {address}", ("address",)),
    # Pools and members
    "HOST_STILL_BOOTING": ("the host is still booting, or has no management interface", ()),
    "HA_IS_ENABLED": ("high availability is on", ()),
    "CLUSTERING_ENABLED": ("the host is a member of a cluster", ()),
    "POOL_JOINING_HOST_MUST_HAVE_ONLY_ONE_IP_ON_CLUSTERING_NETWORK": (
        "the host needs exactly one address on the network that the pool's cluster talks over",
        (),
    ),
    "POOL_JOINING_POOL_CANNOT_ENABLE_CLUSTERING_ON_VLAN_NETWORK": (
        "the pool's cluster talks over VLAN {vlan}, which a new host cannot join",
        ("vlan",),
    ),
    "JOINING_HOST_CANNOT_BE_MASTER_OF_OTHER_HOSTS": ("the host coordinates other hosts", ()),
    "JOINING_HOST_CANNOT_HAVE_RUNNING_VMS": ("guests run on the host", ()),
    "JOINING_HOST_CANNOT_HAVE_RUNNING_OR_SUSPENDED_VMS": ("guests on the host run or are suspended", ()),
    "JOINING_HOST_CANNOT_HAVE_VMS_WITH_CURRENT_OPERATIONS": ("something goes on at a guest of the host", ()),
    # Versions and processors
    "HOST_PENDING_MANDATORY_GUIDANCE_NOT_EMPTY": ("{host} has an update to finish first", ("host",)),
    "HOSTS_NOT_COMPATIBLE": ("host and pool run other products or versions", ()),
    "HOSTS_NOT_HOMOGENEOUS": ("host and pool are not alike: {reason}", ("reason",)),
    "LICENSE_HOST_POOL_MISMATCH": ("the licences differ: {mine}, {theirs}", ("mine", "theirs")),
    "V6D_FAILURE": ("the licences differ, and the licence daemon (v6d) of the host does not say how they rank", ()),
    "POOL_JOINING_HOST_MUST_HAVE_SAME_API_VERSION": (
        "the host speaks version {mine} of the API, the pool {theirs}",
        ("mine", "theirs"),
    ),
    "POOL_JOINING_HOST_MUST_HAVE_SAME_DB_SCHEMA": (
        "the host's database has schema {mine}, the pool's {theirs}",
        ("mine", "theirs"),
    ),
    "POOL_JOINING_HOST_MUST_HAVE_SAME_PRODUCT_VERSION": ("host and pool run other versions", ()),
    # Storage and networks
    "JOINING_HOST_CANNOT_CONTAIN_SHARED_SRS": ("the host has shared storage", ()),
    "POOL_JOINING_HOST_HAS_BONDS": ("the host has bonds", ()),
    "POOL_JOINING_HOST_HAS_TUNNELS": ("the host has tunnels", ()),
    "POOL_JOINING_HOST_HAS_NETWORK_SRIOVS": ("the host has SR-IOV networks", ()),
    "POOL_JOINING_HOST_HAS_NON_MANAGEMENT_VLANS": ("the host has VLANs beside that of its management", ()),
    # Of older servers, which let no such host in
    "POOL_JOINING_HOST_MUST_ONLY_HAVE_PHYSICAL_PIFS": ("the host has other interfaces than those of its cards", ()),
    "POOL_JOINING_HOST_MUST_HAVE_PHYSICAL_MANAGEMENT_NIC": ("the host is managed over a bond or a VLAN", ()),
    "POOL_JOINING_HOST_MANAGEMENT_VLAN_DOES_NOT_MATCH": (
        "the host is managed over VLAN {mine}, the pool over {theirs}",
        ("mine", "theirs"),
    ),
    "POOL_JOINING_SM_FEATURES_INCOMPATIBLE": ("the host's storage drivers lack features of the pool's", ()),
    # Settings and trust
    "POOL_JOINING_EXTERNAL_AUTH_MISMATCH": ("host and pool ask other directories who people are", ()),
    "POOL_JOINING_HOST_TLS_VERIFICATION_MISMATCH": ("only one of host and pool checks certificates", ()),
    "POOL_JOINING_HOST_CA_CERTIFICATES_CONFLICT": (
        "host and pool have other certificates under one name: {name}",
        ("name",),
    ),
    "POOL_JOINING_HOST_TRUSTED_CERTIFICATES_CONFLICT": (
        "host and pool trust one certificate for purposes that contradict",
        (),
    ),
    # Files of hosts, which no record tells of
    "POOL_JOINING_MASTER_CERTIFICATE_NOT_IN_POOL_BUNDLE": (
        "the pool lacks the certificate of its own coordinator: xe pool-certificate-sync there, then join again",
        (),
    ),
    "POOL_JOINING_POOL_BUNDLE_EMPTY_AFTER_IMPORT": (
        "the host could not keep the certificates of the pool: {path} there is empty",
        ("path",),
    ),
    "CERTIFICATE_LIBRARY_CORRUPT": (
        "a certificate of the host cannot be read: look at the .pem files in /etc/xensource there",
        (),
    ),
    "REPOSITORY_CLEANUP_FAILED": ("the host could not clear its update repositories", ()),
}
