"""What the health of a pool is judged by, as values: UUIDs and names, no references."""

from __future__ import annotations

import msgspec

from bot.domain.inventory import Alert, Host, Pool, Sr, Vm
from bot.domain.plan import Grade
from bot.domain.remains import Lying
from bot.domain.texts import Phrase


class Paths(msgspec.Struct, frozen=True):
    """Paths to one device behind several cables: how many work of how many there have been."""

    device: str
    up: int
    most: int


class Expiry(msgspec.Struct, frozen=True):
    """Until when a certificate or a licence is good, in Unix seconds."""

    what: str
    at: float


class ControlDomain(msgspec.Struct, frozen=True):
    """How busy a control domain (dom0) is: its `load`, and what is `free` of its memory in bytes.

    Each is None where the server measures no such thing. `processors` is how many it has, 0 where unknown.
    """

    processors: int
    load: float | None = None
    free: int | None = None


class HostState(msgspec.Struct, frozen=True):
    """A host with what only its health is judged by.

    `build` tells apart builds of one version. `updates` are the UUIDs of the updates it has, for servers that know
    such; `guidances` what has to be done to it for updates to take effect; `behind` tells that it lacks updates that
    the pool knows of, None where what the server says of it is not understood. `clock_ahead_s` is how far its clock is
    ahead of ours and `clock_doubt_s` how wrong that may be; None where it was not measured. `boot_paths` are those to
    the disk it starts from. `control` is None where the host did not tell it in time.
    """

    host: Host
    build: str
    updates: frozenset[str]
    guidances: tuple[str, ...]
    behind: bool | None
    multipathing: bool
    boot_paths: tuple[Paths, ...]
    certificates: tuple[Expiry, ...]
    licence: Expiry | None
    clock_ahead_s: float | None = None
    clock_doubt_s: float = 0.0
    control: ControlDomain | None = None


class Plug(msgspec.Struct, frozen=True):
    """A PBD: an SR's plug in a host. `settings` are its device settings without any secret."""

    uuid: str
    sr: str
    host: str
    attached: bool
    settings: tuple[tuple[str, str], ...]
    paths: tuple[Paths, ...]


class Store(msgspec.Struct, frozen=True):
    """An SR with what is on it.

    `promised` is the sum of its disks' virtual sizes in bytes, -1 where unknown. `deepest` is the longest chain of
    images of a disk and `deepest_disk` the name of that disk. `waiting` are base images with one child only, which the
    storage's clean-up has still to merge. `orphans` are disks that no guest, snapshot or template uses, by UUID.
    """

    sr: Sr
    content: str
    promised: int
    deepest: int
    deepest_disk: str
    waiting: int
    orphans: dict[str, str]
    orphans_size: int


class Cable(msgspec.Struct, frozen=True):
    """A network card of a host. `used` tells that something depends on it: management, an address, a guest's network.

    `bond` is the device that it is a part of, "" for none. `carrier` is None where the server does not say.
    """

    host: str
    device: str
    network: str
    management: bool
    used: bool
    attached: bool
    carrier: bool | None
    bond: str


class Bond(msgspec.Struct, frozen=True):
    """Several cards as one."""

    host: str
    device: str
    up: int
    parts: int


class Snapshot(msgspec.Struct, frozen=True):
    """A snapshot of a guest; `guest` is "" where the guest is gone. `taken_at` in Unix seconds, None where unknown.

    `size` are the bytes of its disks.
    """

    uuid: str
    name: str
    guest: str
    taken_at: float | None
    size: int = 0


class Stuck(msgspec.Struct, frozen=True):
    """An operation that an object claims to be under, though no task of the pool does it."""

    kind: str
    uuid: str
    name: str
    operation: str


class HealthFacts(msgspec.Struct, frozen=True):
    """Everything that the health of a pool is judged by, of one moment: from the live feed and the hosts' own answers.

    `held` are disks attached to a control domain, by UUID; `unheeded` the guests whose mark to start with the pool has
    no effect, by UUID; `twins` the guests that share a MAC address. `half_joined` are no members yet, or never became
    any; they are not among the `hosts`. `lying` are templates, and whatever else jobs of ours may have left. `read_at`
    in Unix seconds, `age_s` of the feed's facts.
    """

    pool: Pool
    hosts: tuple[HostState, ...]
    plugs: tuple[Plug, ...]
    stores: tuple[Store, ...]
    cables: tuple[Cable, ...]
    bonds: tuple[Bond, ...]
    vms: tuple[Vm, ...]
    snapshots: tuple[Snapshot, ...]
    stuck: tuple[Stuck, ...]
    held: dict[str, str]
    twins: dict[str, tuple[str, ...]]
    alerts: tuple[Alert, ...]
    authorities: tuple[Expiry, ...]
    read_at: float
    age_s: float
    half_joined: tuple[Host, ...] = ()
    unheeded: dict[str, str] = {}
    lying: tuple[Lying, ...] = ()


class PlugFacts(msgspec.Struct, frozen=True):
    """An SR, a host of its pool, and the plug between them, read directly; `plug` is "" where there is none.

    `busy` are the operations that go on at the SR. `read_at` in Unix seconds.
    """

    pool: Pool
    sr: Sr
    host: Host
    plug: str
    attached: bool
    busy: tuple[str, ...]
    read_at: float


class Finding(msgspec.Struct, frozen=True):
    """One thing that a check found wrong: what it says of it, and how grave it is."""

    says: Phrase
    grade: Grade


class Checkup(msgspec.Struct, frozen=True):
    """What an earlier check of a pool found: `at` in Unix seconds, the findings by their lasting names."""

    at: float
    items: dict[str, Finding]
