"""The rules of a join about licences, processors, storage, networks and trust, broken; `join_cases` has them all."""

from __future__ import annotations

from join_changes import (
    Case,
    authority,
    bond,
    driver,
    host_field,
    made,
    management_field,
    network_purpose,
    pool_field,
    shared_storage,
    together,
    trusted,
    unlicensed,
    vlan,
    without_aes,
    without_driver,
)

from bot.domain.plan import Grade

_CPU = "Intel(R) Xeon(R) Gold 6226R CPU @ 2.90GHz"
_MADE = "Remove them on xenserver4: the pool makes its own there when it has joined."

_RANKED = (
    "XAPI asks the licence daemon (v6d) of xenserver4 how they rank, and refuses where they rank differently or it "
    "does not answer."
)

SETTINGS = (
    *(
        Case(
            what,
            together(host_field("edition", edition), also),
            "Licence",
            edition,
            "standard",
            f"Give xenserver4 the licence of the pool to be sure: {_RANKED}",
            code,
            grade=Grade.UNKNOWN,
        )
        for what, edition, also, code in (
            ("a lower licence", "express", together(), "LICENSE_HOST_POOL_MISMATCH"),
            ("another licence and no licence daemon", "express", unlicensed, "V6D_FAILURE"),
            ("another licence of the same rank", "standard-per-user", together(), ""),
        )
    ),
    Case(
        "a pool of several licences, one unknown to the host's licence daemon",
        host_field("edition", "later", "xenserver3"),
        "Licence",
        "standard",
        "later, standard",
        f"Give xenserver4 and all of the pool one licence to be sure: {_RANKED}",
        "LICENSE_HOST_POOL_MISMATCH",
        grade=Grade.UNKNOWN,
    ),
    Case(
        "another CPU vendor",
        host_field("cpu_info", {"vendor": "AuthenticAMD"}),
        "CPU vendor",
        "AuthenticAMD",
        "GenuineIntel",
        "Keep xenserver4 a pool of its own: no setting mends this, since guests cannot move between vendors. They go "
        "there by backup and restore.",
        "HOSTS_NOT_HOMOGENEOUS",
    ),
    Case(
        "a weaker processor",
        without_aes,
        "CPU features",
        f"{_CPU}, lacks 1 feature",
        _CPU,
        "Reboot the guests that use them before they are to move to xenserver4: XAPI takes aes from the whole pool, in "
        "use by <!channel> & *bold*, centos54, db1, twin and 4 more, which keep running until then.",
        grade=Grade.WARNING,
    ),
    Case(
        "a processor that tells no features",
        host_field("cpu_info", {"features_hvm": "", "features_hvm_host": ""}),
        "CPU features",
        f"{_CPU}, which tells no features",
        _CPU,
        "Compare what xe host-cpu-info says on both: what the pool would lose cannot be told here.",
        grade=Grade.UNKNOWN,
    ),
    Case(
        "shared storage",
        shared_storage,
        "Shared storage",
        "Local storage",
        "may have",
        "Detach it there and forget it, data kept; the pool attaches it again.",
        "JOINING_HOST_CANNOT_CONTAIN_SHARED_SRS",
    ),
    Case("a bond", bond, "Bonds", "bond0", "may have", _MADE, "POOL_JOINING_HOST_HAS_BONDS"),
    Case("a tunnel", made("tunnel"), "Tunnels", "1", "may have", _MADE, "POOL_JOINING_HOST_HAS_TUNNELS"),
    Case(
        "SR-IOV",
        made("network_sriov"),
        "SR-IOV networks",
        "1",
        "may have",
        _MADE,
        "POOL_JOINING_HOST_HAS_NETWORK_SRIOVS",
    ),
    Case("a VLAN", vlan, "VLANs", "7 (guests)", "may have", _MADE, "POOL_JOINING_HOST_HAS_NON_MANAGEMENT_VLANS"),
    Case(
        "another VLAN of management",
        management_field("VLAN", 7),
        "VLAN of management",
        "7",
        "none",
        "Put the management interfaces of both on the same VLAN.",
        "POOL_JOINING_HOST_MANAGEMENT_VLAN_DOES_NOT_MATCH",
    ),
    Case(
        "another kind of address",
        management_field("primary_address_type", "IPv6"),
        "Kind of addresses",
        "IPv6",
        "IPv4",
        "Manage both over IPv4, or both over IPv6.",
        "OPERATION_NOT_ALLOWED",
    ),
    Case(
        "disks offered openly here and encrypted there",
        together(network_purpose("insecure_nbd", "xenserver4"), network_purpose("nbd", "xenserver1")),
        "Purposes of networks",
        "insecure_nbd",
        "nbd",
        "Settle on one: one side offers disks encrypted (nbd), the other openly (insecure_nbd).",
        "OPERATION_NOT_ALLOWED",
    ),
    Case(
        "a directory that the pool has not",
        host_field("external_auth_type", "AD"),
        "External authentication",
        "AD",
        "none",
        "Take xenserver4 out of its directory, since experiment has none.",
        "POOL_JOINING_EXTERNAL_AUTH_MISMATCH",
    ),
    Case(
        "a directory that the host has not",
        host_field("external_auth_type", "AD", "xenserver1"),
        "External authentication",
        "none",
        "AD",
        "Join xenserver4 to the directory of experiment.",
        "POOL_JOINING_EXTERNAL_AUTH_MISMATCH",
    ),
    Case(
        "another service of the same kind of directory",
        together(
            host_field("external_auth_type", "AD"),
            host_field("external_auth_service_name", "here.example"),
            host_field("external_auth_type", "AD", "xenserver1"),
            host_field("external_auth_service_name", "there.example", "xenserver1"),
        ),
        "External authentication",
        "AD here.example",
        "AD there.example",
        "Take xenserver4 out of its directory and join it to that of experiment.",
        "POOL_JOINING_EXTERNAL_AUTH_MISMATCH",
    ),
    Case(
        "another network backend",
        host_field("software_version", {"network_backend": "bridge"}),
        "Network backend",
        "bridge",
        "openvswitch",
        "Switch xenserver4 to openvswitch; it reboots for that.",
        "OPERATION_NOT_ALLOWED",
    ),
    Case(
        "another SDN controller",
        made("SDN_controller", protocol="ssl", address="192.0.2.9", port=6640),
        "SDN controller",
        "ssl 192.0.2.9:6640",
        "none",
        "Remove the controller of xenserver4: that of the pool, if any, counts there.",
        "OPERATION_NOT_ALLOWED",
    ),
    Case(
        "an older storage driver",
        driver,
        "Storage drivers",
        "lacks ATOMIC_PAUSE of ext",
        "8 drivers",
        "Install the same storage drivers in the same versions on xenserver4.",
        "POOL_JOINING_SM_FEATURES_INCOMPATIBLE",
    ),
    Case(
        "a storage driver that is not there",
        without_driver("smb"),
        "Storage drivers",
        "lacks the driver smb",
        "8 drivers",
        "Install the same storage drivers in the same versions on xenserver4.",
        "POOL_JOINING_SM_FEATURES_INCOMPATIBLE",
    ),
    Case(
        "certificates unchecked",
        pool_field("tls_verification_enabled", False),
        "Certificates checked",
        "no",
        "yes",
        "Switch the checking of certificates (TLS verification) on where it is off.",
        "POOL_JOINING_HOST_TLS_VERIFICATION_MISMATCH",
    ),
    Case(
        "another certificate of one authority",
        together(authority("xenserver4", "AA:01"), authority("xenserver1", "AA:02")),
        "Trusted authorities",
        "company AA:01",
        "company AA:02",
        "Remove the wrong one: company is another certificate on each side.",
        "POOL_JOINING_HOST_CA_CERTIFICATES_CONFLICT",
    ),
    Case(
        "one certificate trusted for more on the host",
        together(trusted("xenserver4", "licensing", "ldaps"), trusted("xenserver1", "licensing")),
        "Trusted certificates",
        "AA:03 for ldaps and licensing",
        "AA:03 for licensing",
        "Remove AA:03 on one side and install it there for the purposes of the other: one certificate may not be "
        "trusted for some purposes on both and for others on one.",
        "POOL_JOINING_HOST_TRUSTED_CERTIFICATES_CONFLICT",
    ),
)
