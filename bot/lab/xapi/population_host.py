"""Makes what belongs to a host or a pool beside its main records: processors, devices, storage drivers, licence."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from bot.lab.xapi.database import Database
from bot.lab.xapi.values import Date, past, stable_uuid
from bot.lab.xapi.world import Cpu

_HOST_NETWORK: Final = "Host internal management network"
_VHD_DEVICE: Final = {"device": "local device path (required) (e.g. /dev/sda3)"}
_MOUNTED: Final = {"location": "path to mount (required) (e.g. server:/path)"}
# Type, name and keys of `device_config` of the drivers that keep disks.
_DISK_DRIVERS: Final[tuple[tuple[str, str, Mapping[str, str]], ...]] = (
    ("ext", "Local EXT3 VHD", _VHD_DEVICE),
    ("lvm", "Local VHD on LVM", _VHD_DEVICE),
    (
        "nfs",
        "NFS VHD",
        {
            "server": "hostname or IP address of NFS server (required)",
            "serverpath": "path on remote server (required)",
            "nfsversion": "for type=nfs, NFS protocol version - 3, 4, 4.0, 4.1",
        },
    ),
    (
        "lvmoiscsi",
        "LVHD over iSCSI",
        {
            "target": "IP address or hostname of the iSCSI target (required)",
            "targetIQN": "The IQN of the target LUN group to be attached (required)",
            "SCSIid": "The scsi_id of the destination LUN (required)",
            "chapuser": "The username to be used during CHAP authentication (optional)",
            "chappassword": "The password to be used during CHAP authentication (optional)",
            "multihomelist": "Comma-separated list of multi-homed targets (optional)",
        },
    ),
    ("lvmohba", "LVHD over FC", {"SCSIid": "The scsi_id of the destination LUN"}),
    (
        "smb",
        "SMB VHD",
        {
            "server": "Full path to share on gateway (required)",
            "username": "The username to be used during SMB authentication",
            "password": "The password to be used during SMB authentication",
        },
    ),
)
# The same of those that only show what is there.
_IMAGE_DRIVERS: Final[tuple[tuple[str, str, Mapping[str, str]], ...]] = (
    ("iso", "ISO", {**_MOUNTED, "type": "cifs or nfs_iso"}),
    ("udev", "udev", _MOUNTED),
)
_DISK_CAPABILITIES: Final = (
    "SR_PROBE",
    "SR_UPDATE",
    "VDI_CREATE",
    "VDI_DELETE",
    "VDI_ATTACH",
    "VDI_DETACH",
    "VDI_MIRROR",
    "VDI_CLONE",
    "VDI_SNAPSHOT",
    "VDI_RESIZE",
    "VDI_GENERATE_CONFIG",
    "VDI_RESET_ON_BOOT",
    "VDI_CONFIG_CBT",
    "ATOMIC_PAUSE",
)
_IMAGE_CAPABILITIES: Final = ("VDI_CREATE", "VDI_DELETE", "VDI_ATTACH", "VDI_DETACH", "SR_SCAN")
# Features that the edition of the lab's hosts lacks; the others are there.
_RESTRICTED: Final = ("corosync", "dr", "pvs_proxy", "vtpm")
_LICENSED: Final = (
    "ad",
    "cbt",
    "checkpoint",
    "dmc",
    "gpu",
    "guest_agent_auto_update",
    "igmp_snooping",
    "intellicache",
    "live_patching",
    "nested_virt",
    "network_sriov",
    "pool_size",
    "pooling",
    "qos",
    "rbac",
    "set_vcpus_number_live",
    "storage_xen_motion",
    "usb_passthrough",
    "vgpu",
    "vif_locking",
    "vlan",
    "vmss",
    "wlb",
    "xen_motion",
    "zstd_export",
)


def describe_licence() -> dict[str, str]:
    """Returns the limits of the edition, as `license_params` and `pool.restrictions` have them."""
    limits = dict.fromkeys(_LICENSED, "false") | dict.fromkeys(_RESTRICTED, "true")
    return {"enable_xha": "true"} | {f"restrict_{name}": limits[name] for name in sorted(limits)}


def add_processors(database: Database, host: str, cpu: Cpu) -> None:
    """Makes a record for each logical processor."""
    info: dict[str, str] = database.get("host", host, "cpu_info")
    uuid: str = database.get("host", host, "uuid")
    for number in range(cpu.count):
        database.create(
            "host_cpu",
            uuid=stable_uuid("host_cpu", uuid, str(number)),
            host=host,
            number=number,
            vendor=cpu.vendor,
            speed=cpu.speed_mhz,
            modelname=cpu.model_name,
            family=cpu.family,
            model=cpu.model,
            stepping=info["stepping"],
            flags=info["flags"],
            features=info["features_pv"],
        )


def add_devices(database: Database, host: str) -> str:
    """Makes the PCI devices that XAPI tells of: display and network card; returns the card's reference."""
    uuid: str = database.get("host", host, "uuid")
    database.create(
        "PCI",
        uuid=stable_uuid("PCI", uuid, "display"),
        class_name="VGA compatible controller",
        vendor_name="Matrox Electronics Systems Ltd.",
        device_name="G200eR2",
        host=host,
        pci_id="0000:0a:00.0",
        driver_name="mgag200",
    )
    return database.create(
        "PCI",
        uuid=stable_uuid("PCI", uuid, "network"),
        class_name="Ethernet controller",
        vendor_name="Intel Corporation",
        device_name="I350 Gigabit Network Connection",
        host=host,
        pci_id="0000:02:00.0",
        driver_name="igb",
    )


def add_drivers(database: Database, pool: str) -> None:
    """Makes the storage drivers of a pool."""
    for drivers, capabilities in ((_DISK_DRIVERS, _DISK_CAPABILITIES), (_IMAGE_DRIVERS, _IMAGE_CAPABILITIES)):
        for kind, name, configuration in drivers:
            database.create(
                "SM",
                uuid=stable_uuid("SM", pool, kind),
                name_label=name,
                name_description=f"SR plugin for {name} storage",
                type=kind,
                vendor="Citrix Systems Inc",
                copyright="(C) 2008 Citrix Systems Inc",
                version="3.0",
                required_api_version="1.0",
                configuration=dict(configuration),
                capabilities=list(capabilities),
                features=dict.fromkeys(capabilities, 1),
                driver_filename=f"/opt/xensource/sm/{kind.upper()}SR",
            )


def add_pool_records(database: Database, name: str) -> str:
    """Makes what a pool has from its first start: a network within each host, one user; returns its secret name."""
    database.create(
        "network",
        uuid=stable_uuid("internal network", name),
        name_label=_HOST_NETWORK,
        name_description=(
            "Network on which guests will be assigned a private link-local IP address which can be used to talk XenAPI"
        ),
        bridge="xenapi",
        other_config={
            "is_guest_installer_network": "true",
            "is_host_internal_management_network": "true",
            "ip_begin": "169.254.0.1",
            "ip_end": "169.254.255.254",
            "netmask": "255.255.0.0",
        },
    )
    database.create("user", uuid=stable_uuid("user", name), short_name="root", fullname="Administrator")
    return database.create("secret", uuid=stable_uuid("telemetry", name), value=stable_uuid("telemetry value", name))


def add_authority(database: Database, pool: str, name: str) -> None:
    """Makes the record of an authority's certificate that a pool trusts; it is good for as long as the lab may run."""
    digest = hashlib.sha256(f"{pool} {name}".encode()).hexdigest().upper()
    database.create(
        "Certificate",
        uuid=stable_uuid("Certificate", pool, name),
        type="ca",
        name=name,
        fingerprint=":".join(digest[index : index + 2] for index in range(0, len(digest), 2)),
        not_before=past(),
        not_after=Date("20991231T00:00:00Z"),
    )


def add_certificates(database: Database, host: str, fingerprint: str, valid: tuple[datetime, datetime]) -> None:
    """Makes the records of what a host's server shows to clients, and to the other hosts of its pool.

    The fingerprint is `sha256:` and a hexadecimal digest; the two dates say from when and until when it is good.
    """
    digest = fingerprint.removeprefix("sha256:").upper()
    begins, ends = (Date(moment.strftime("%Y%m%dT%H:%M:%SZ")) for moment in valid)
    for kind in ("host", "host_internal"):
        database.create(
            "Certificate",
            type=kind,
            host=host,
            fingerprint=":".join(digest[index : index + 2] for index in range(0, len(digest), 2)),
            not_before=begins,
            not_after=ends,
        )
