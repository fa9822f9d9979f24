"""Worlds: what a simulated datacentre consists of at its start; the keys of the TOML files in `bot/lab/worlds`.

`loading` reads files into a `World`, `population` turns it into records.
"""

from typing import Annotated, Final, Literal

import msgspec

STORED_MIB: Final = 24  # little, so that an export takes seconds and not minutes
Positive = Annotated[int, msgspec.Meta(ge=1)]


class Cpu(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A processor type; feature words are hexadecimal as in `host.cpu_info`."""

    vendor: str
    model_name: str
    features_hvm: str
    features_pv: str
    count: Positive = 32
    sockets: Positive = 2
    speed_mhz: Positive = 2900
    family: int = 6
    model: int = 85
    stepping: int = 7


class Version(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a host says of its software."""

    product_brand: str
    product_version: str
    product_version_text: str
    platform_version: str
    xapi_build: str
    build_number: str
    api_minor: int
    date: str


class WorldHa(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """High availability that is on: where its state file is, and how many hosts may fail."""

    storage: str
    failures: Positive = 1


class WorldPool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pool of several hosts; a host without a pool is a pool of its own.

    Attributes:
        authorities: Names of the authorities whose certificates its hosts trust.
    """

    name: str
    coordinator: str
    ha: WorldHa | None = None
    authorities: tuple[str, ...] = ()


class WorldHost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A host.

    Attributes:
        number: The last part of its address 127.0.1.N.
        unplugged: Shared storage of its pool that it is not attached to.
        power_on_mode: How `host.power_on` wakes it, for example `wake-on-lan`; empty for not at all.
        bonded: Whether it is reached over a bond of two cards instead of one card.
        half_joined: A pool that it failed to join: it stands alone, and a useless record of it is left there.
    """

    name: str
    number: Annotated[int, msgspec.Meta(ge=1, le=254)]
    cpu: str
    version: str
    pool: str = ""
    memory_gib: Positive = 64
    dom0_memory_mib: Positive = 4096
    local_storage_gib: Positive = 500
    enabled: bool = True
    unplugged: tuple[str, ...] = ()
    power_on_mode: str = ""
    bonded: bool = False
    half_joined: str = ""

    @property
    def xen_overhead(self) -> int:
        """Returns the bytes that Xen itself needs."""
        return (256 + self.memory_gib * 1024 // 128) * 1024 * 1024


class WorldStorage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A storage repository that all hosts of a pool share."""

    name: str
    pool: str
    type: str
    size_gib: Positive
    device_config: dict[str, str]
    default: bool = False


class WorldRepository(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A storage repository that lies on an export, and that no pool has a record of.

    Attributes:
        name: What people call it here; a directory has no name, its UUID is made from this one.
        disks_gib: Sizes of its disks.
    """

    name: str
    disks_gib: tuple[Positive, ...] = ()


class WorldExport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A directory that an NFS server exports.

    Attributes:
        clients: Names, addresses and networks of the hosts that may mount it; none for all.
        root_squash: Whether the superuser of a client may not write there.
        repositories: What lies there and belongs to no pool.
    """

    path: str
    size_gib: Positive = 1024
    clients: tuple[str, ...] = ()
    read_only: bool = False
    root_squash: bool = False
    repositories: tuple[WorldRepository, ...] = ()


class WorldNfsServer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An NFS server beside the pools.

    Attributes:
        name: What hosts resolve.
        address: What they may use instead.
        versions: Versions of the protocol that it speaks.
    """

    name: str
    address: str = ""
    versions: tuple[Literal["3", "4"], ...] = ("3", "4")
    exports: tuple[WorldExport, ...] = ()


class WorldDisk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A disk; storage `local` is the local repository of the guest's host.

    Attributes:
        stored_mib: How much of it holds data that an export sends; what it takes in the storage is another matter.
    """

    storage: str
    size_gib: Positive = 8
    stored_mib: Annotated[int, msgspec.Meta(ge=0)] = STORED_MIB


class WorldMemory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Memory limits in MiB."""

    static_min: Positive
    dynamic_min: Positive
    dynamic_max: Positive
    static_max: Positive


class WorldGuest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A guest. `host` is where it runs, or where it is at home when it does not run.

    Attributes:
        memory_mib: All limits at once, static_min half of it; `memory` gives each.
        tools: Whether drivers and agent report; without them XAPI refuses to migrate the guest.
        address: The last part of its address 192.0.2.N; 0 for none.
        ha_restart_priority: `restart` protects it where its pool has high availability.
        blocked: Operations that nobody may do, with the reason.
    """

    name: str
    host: str
    memory_mib: Positive = 1024
    memory: WorldMemory | None = None
    state: Literal["Running", "Halted", "Suspended", "Paused"] = "Running"
    vcpus: Positive = 1
    domain_type: Literal["hvm", "pv", "pvh"] = "hvm"
    disks: tuple[WorldDisk, ...] = ()
    tools: bool = True
    os: str = "CentOS Linux 7"
    description: str = ""
    address: Annotated[int, msgspec.Meta(ge=0, le=254)] = 0
    tags: tuple[str, ...] = ()
    ha_restart_priority: Literal["", "restart", "best-effort"] = ""
    blocked: dict[str, str] = {}


class World(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that stands at the start."""

    cpus: dict[str, Cpu]
    versions: dict[str, Version]
    hosts: tuple[WorldHost, ...]
    pools: tuple[WorldPool, ...] = ()
    storage: tuple[WorldStorage, ...] = ()
    nfs_servers: tuple[WorldNfsServer, ...] = ()
    guests: tuple[WorldGuest, ...] = ()
