"""What moving, starting and stopping guests is judged by, and emptying hosts: facts that were read at one moment."""

from __future__ import annotations

import msgspec

from bot.domain.inventory import Host, Pool, PowerState, Sr, Tools, Vm


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
    all of its MAC addresses: name and pool by UUID, as the feeds last had it; `asleep` those that did not run when
    another pool, which answers no more, was last heard; `unseen` the pools that no feed has had yet, by name. `origins`
    are the names of the running guests from whose backup it was restored. `read_at` in Unix seconds.
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
    asleep: dict[str, tuple[str, str]] = {}
    unseen: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
