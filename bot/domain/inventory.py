"""What a pool is made of, as values: no references, only UUIDs, and only what the bot judges by.

`gc=False` is safe: these values are frozen and hold only strings, numbers and containers of those, so that no cycle can
be made of them. A pool has tens of thousands, which the garbage collector would otherwise look through again and again.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class PowerState(StrEnum):
    """The power states of XAPI; anything a newer server adds is UNKNOWN."""

    HALTED = "Halted"
    PAUSED = "Paused"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    UNKNOWN = "Unknown"


class Tools(StrEnum):
    """What the guest tools say. Right after a boot NONE is normal for a minute (the record is deleted at VM.start)."""

    NONE = "none"
    NO_AGENT = "no agent"
    PRESENT = "present"


class Sr(msgspec.Struct, frozen=True, gc=False):
    """A storage repository. Sizes in bytes, -1 where the server does not know; `hosts` are those it is plugged on."""

    uuid: str
    name: str
    type: str
    shared: bool
    size: int
    used: int
    hosts: frozenset[str]


class Disk(msgspec.Struct, frozen=True, gc=False):
    """One VBD with what is in it. `vdi` is "" for an empty drive; `size` in bytes; `cd` for a CD drive.

    `vbd` is its own UUID; `resets` tells that the disk is thrown back at each boot and cached on its host meanwhile.
    """

    userdevice: str
    cd: bool
    vdi: str
    vdi_name: str
    size: int
    sr: Sr | None
    vbd: str = ""
    resets: bool = False


class Network(msgspec.Struct, frozen=True, gc=False):
    """A network and the hosts that have a PIF on it; a network without any PIF is internal to one host at a time.

    `assumed_shared` tells that somebody vouched for an internal one to be the same on every host; `sriov` that its
    guests get a piece of a physical network card each.
    """

    uuid: str
    name: str
    hosts: frozenset[str]
    internal: bool
    sriov: bool = False
    assumed_shared: bool = False


class Host(msgspec.Struct, frozen=True, gc=False):
    """A host.

    Memory in bytes; `memory_free` as XAPI computes it for placing guests, `memory_idle` the figure that other tools
    show as free (-1 where unknown). `hardware_versions` are the versions of virtual hardware it offers, empty where it
    does not say.
    `control_memory` is what the control domain itself has, 0 where unknown. `hvm_capable` tells whether CPU and
    firmware can run HVM guests, None where the server does not say. `maintenance` is the mark that other tools leave
    on a host they keep empty.
    """

    uuid: str
    name: str
    pool: str
    address: str
    coordinator: bool
    enabled: bool
    live: bool
    silent_since: float | None
    memory_total: int
    memory_free: int
    cpu_vendor: str
    cpu_model: str
    cpu_count: int
    features_hvm: str
    features_pv: str
    product: str
    version: str
    platform_version: str
    operations: tuple[str, ...]
    guests: int
    memory_idle: int = -1
    hardware_versions: tuple[int, ...] = ()
    control_memory: int = 0
    hvm_capable: bool | None = None
    maintenance: bool = False

    @property
    def half_joined(self) -> bool:
        """Whether it is no more than the record that a join begins with, or left when it broke off: it has no address.

        Whatever is asked of such a host hangs.
        """
        return not self.address

    @property
    def answers(self) -> bool:
        """Whether nothing tells that it is away: XAPI takes it for live, and our own probe has not found it silent."""
        return self.live and self.silent_since is None


class Vm(msgspec.Struct, frozen=True, gc=False):
    """A guest: never a template, a snapshot or a control domain. Memory in bytes.

    `operations` maps the operation to the label of its task ("" where the task cannot be seen), `workers` to whoever
    is known to do it. `memory_needed` is what a host must have free to take the guest: dynamic minimum plus overhead.
    `immobile` says that it was pinned, `nested` that it may run guests of its own, which pins it too.
    `tools_version` is what the guest says of its drivers ("8.2.0"), "" where it says nothing; `windows` whether it says
    that it runs Windows, None where it does not say.
    """

    uuid: str
    name: str
    pool: str
    power_state: PowerState
    host: str | None
    scheduled_host: str | None
    memory_dynamic_min: int
    memory_dynamic_max: int
    memory_static_max: int
    memory_needed: int
    memory_actual: int
    vcpus: int
    vcpus_max: int
    vcpu_unrestricted: bool
    hvm: bool
    domain_type: str
    tools: Tools
    can_suspend: bool
    cant_suspend_reason: str
    boot_vendor: str
    boot_features: str
    tags: frozenset[str]
    disks: tuple[Disk, ...]
    networks: tuple[Network, ...]
    addresses: tuple[str, ...]
    blocked_operations: dict[str, str]
    operations: dict[str, str]
    pci: bool
    vgpu: bool
    usb: bool
    immobile: bool
    ha_protected: bool
    started_at: float | None
    workers: dict[str, str] = {}
    nested: bool = False
    hardware_version: int = 0
    tools_version: str = ""
    windows: bool | None = None


class Pool(msgspec.Struct, frozen=True):
    """A pool. `name` is its `label` in XAPI or, where it has none, its `configured` name.

    `upgrading` while a rolling upgrade runs. With high availability on, `ha_wanted` is how many lost hosts its plan
    should cover, `ha_covered` how many it does. `live_motion` and `storage_motion` tell whether its licence lets
    running guests, and disks that are in use, move.
    """

    uuid: str
    name: str
    label: str
    coordinator: str
    ha_enabled: bool
    upgrading: bool
    default_sr: str | None
    ha_wanted: int = 0
    ha_covered: int = 0
    ha_overcommitted: bool = False
    configured: str = ""
    live_motion: bool = True
    storage_motion: bool = True


class FeedState(StrEnum):
    """How far the live inventory of a pool can be believed."""

    LOADING = "loading"
    LIVE = "live"
    LOST = "lost"


class Alert(msgspec.Struct, frozen=True, gc=False):
    """A message of XAPI with priority 1 (critical) to 3 (warning). `at` in Unix seconds; `about` is a UUID.

    `name` is XAPI's code for it, `body` whatever text came with it: foreign, sometimes XML.
    """

    at: float
    name: str
    priority: int
    about: str
    body: str
    uuid: str = ""


class Member(msgspec.Struct, frozen=True):
    """A management address and whether it answers our own probe; `silent_since` in Unix seconds, None while it does.

    `age_s` is the time since the probe began that says so, in seconds.
    """

    address: str
    silent_since: float | None
    age_s: float = 0.0


class PoolView(msgspec.Struct, frozen=True):
    """One pool as the feed has it in memory. `age_s` is the time since the pool last answered, in seconds.

    `reason` says in words why the feed is not live. Before the first load the lists are empty and `pool` is None.
    `alerts` are the newest ones first, at most fifty; `members` are the addresses that were probed.
    """

    name: str
    state: FeedState
    age_s: float
    reason: str
    pool: Pool | None
    hosts: tuple[Host, ...]
    vms: tuple[Vm, ...]
    srs: tuple[Sr, ...]
    alerts: tuple[Alert, ...] = ()
    members: tuple[Member, ...] = ()
    networks: tuple[Network, ...] = ()
