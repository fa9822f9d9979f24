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
    should cover, `ha_covered` how many it does.
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


class Whereabouts(msgspec.Struct, frozen=True):
    """Where a guest is at this moment, read directly from the pool.

    `silent_since` (Unix seconds) tells that its host does not answer our own probe: XAPI takes minutes to notice.
    """

    power_state: PowerState
    host: str | None
    scheduled_host: str | None
    operations: tuple[str, ...]
    tools: Tools
    addresses: tuple[str, ...]
    started_at: float | None = None
    silent_since: float | None = None


class XapiVerdict(msgspec.Struct, frozen=True):
    """XAPI's own answer to a question: `code` "" for yes; `params` with references replaced by names."""

    code: str
    params: tuple[str, ...] = ()


class Backed(msgspec.Struct, frozen=True):
    """When the newest backup of a guest was made that was found whole, in Unix seconds; None where there is none.

    `asked` tells that the bot makes backups at all and looked for them.
    """

    at: float | None = None
    asked: bool = False


class MigrationFacts(msgspec.Struct, frozen=True):
    """Everything a migration is judged by, read directly at one moment.

    `target` may stand in another pool than the guest; then `xapi` is None, since there is nobody to ask. `xapi` answers
    "can it run there" (VM.assert_can_boot_here), `movable` "can it be moved now" (VM.assert_operation_valid); None
    where XAPI was not asked. `read_at` in Unix seconds. `vm` holds the disks and networks. `pool_hosts` are all hosts
    of the guest's pool; `neighbours` its other running guests and `srs` its storage, both as the feed last had them:
    they serve advice and risk, never a yes. `backed_up` is what the catalogue of backups knows of the guest.
    """

    pool: Pool
    vm: Vm
    source: Host | None
    target: Host
    target_pool: Pool
    pool_hosts: tuple[Host, ...]
    xapi: XapiVerdict | None
    busy_hosts: dict[str, tuple[str, ...]]
    read_at: float
    movable: XapiVerdict | None = None
    neighbours: tuple[Vm, ...] = ()
    srs: tuple[Sr, ...] = ()
    backed_up: Backed = Backed()


class LeavingFacts(msgspec.Struct, frozen=True):
    """Everything that emptying a host is judged by, read directly at one moment.

    `others` are the other hosts of its pool, `guests` what runs on it: each with its own host as the target, to be
    judged against any of `others`. `running` are all running guests of the pool as the feed last had them: they serve
    risk, never a yes.
    """

    pool: Pool
    host: Host
    others: tuple[Host, ...]
    guests: tuple[MigrationFacts, ...]
    running: tuple[Vm, ...] = ()


class Residents(msgspec.Struct, frozen=True):
    """Whether a host takes guests, and the guests that run on it: names by UUID. Read directly."""

    enabled: bool
    guests: dict[str, str]


class PowerFacts(msgspec.Struct, frozen=True):
    """Everything that starting or stopping a guest is judged by, read directly at one moment.

    `verdicts` holds, by UUID of the host, whether XAPI would let the guest run there; `valid`, by operation, whether
    XAPI would let it begin. `own` says that the bot itself runs inside this guest; `auto_start` that XAPI starts it
    whenever its pool comes up (auto_poweron, of guest and pool). `twins` are the running guests of any pool that have
    all of its MAC addresses: name and pool by UUID, as the feeds last had it; `unseen` the pools that no feed has had
    yet, by name. `origins` are the names of the running guests from whose backup it was restored. `read_at` in Unix
    seconds.
    """

    pool: Pool
    vm: Vm
    host: Host | None
    hosts: tuple[Host, ...]
    verdicts: dict[str, XapiVerdict]
    valid: dict[str, XapiVerdict]
    own: bool
    read_at: float
    auto_start: bool = False
    twins: dict[str, tuple[str, str]] = {}
    unseen: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
