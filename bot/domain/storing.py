"""What decides whether shared storage can be added, and whether storage works on each host, as values."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from bot.domain.inventory import Host, Pool, Sr
from bot.domain.texts import Code

#: The size of the disk that storage is tried with: a few blocks of every kind of storage, and nothing anywhere.
TRIED_BYTES = 8 << 20


class NfsPlace(msgspec.Struct, frozen=True):
    """Where NFS storage lies: `path` "" where nobody said; `version` as a driver takes it ("4"), "" for its own."""

    server: str
    path: str
    version: str = ""

    @property
    def text(self) -> str:
        """As people write it; the server alone where nobody said which folder."""
        return f"{self.server}:{self.path}" if self.path else self.server

    @property
    def config(self) -> dict[str, str]:
        """The `device_config` of the driver `nfs`."""
        version = {"nfsversion": self.version} if self.version else {}
        return {"server": self.server, "serverpath": self.path, **version}

    @property
    def shown(self) -> Code:
        """For a card."""
        return Code(self.text)


class Export(msgspec.Struct, frozen=True):
    """A folder that an NFS server exports, and to whom, as it says itself ("*", addresses)."""

    path: str
    access: str


class Probed(msgspec.Struct, frozen=True):
    """What one host found where NFS storage shall lie.

    `code` and `params` are the failure that its driver answered with, "" where it could mount it; `waited_s` is after
    how many seconds without an answer it was given up. `found` are the UUIDs of the storage that lies there already.
    `exports` is what the server says it exports, asked for where the path was missing or could not be mounted; None
    where it was not asked or did not say.
    """

    host: Host
    code: str = ""
    params: tuple[str, ...] = ()
    waited_s: float | None = None
    found: tuple[str, ...] = ()
    exports: tuple[Export, ...] | None = None

    @property
    def well(self) -> bool:
        """Whether the host could mount it."""
        return not self.code and self.waited_s is None


class Holder(msgspec.Struct, frozen=True):
    """A pool that holds a storage: the UUID of that, the pool's UUID, and both names.

    `unplugged` are the hosts (UUIDs) of the pool that it is not attached to.
    """

    sr: str
    pool: str
    sr_name: str
    pool_name: str
    unplugged: tuple[str, ...] = ()


class Defaults(msgspec.Struct, frozen=True):
    """Which storage (UUID, "" for none) takes new disks, suspended guests and crash dumps of a pool."""

    disks: str
    suspend: str
    crash: str


class NfsFacts(msgspec.Struct, frozen=True):
    """What decides whether NFS storage can be added to a pool, read at one moment.

    `probes` has every host that lives; `holders` are the configured pools that hold storage which was found there,
    `unsure` the names of those that could not be asked. `names` are the names of the pool's storage, `listed` the hosts
    (UUIDs) whose addresses the configuration lists: no other is given a session. `users` are the hosts (UUIDs) that
    have other storage of that server attached.
    """

    pool: Pool
    hosts: tuple[Host, ...]
    place: NfsPlace
    probes: tuple[Probed, ...]
    holders: tuple[Holder, ...]
    unsure: tuple[str, ...]
    names: frozenset[str]
    listed: frozenset[str]
    defaults: Defaults
    users: frozenset[str] = frozenset()

    @property
    def found(self) -> tuple[str, ...]:
        """The UUIDs of the storage that any host saw there, in order."""
        return tuple(sorted({uuid for one in self.probes for uuid in one.found}))

    @property
    def exports(self) -> tuple[Export, ...] | None:
        """What the server exports, as the first host that was told tells it; None where nobody was."""
        return next((one.exports for one in self.probes if one.exports is not None), None)


class SrFacts(msgspec.Struct, frozen=True):
    """What decides whether a storage can be tried: its hosts, and what its driver can do.

    `content` is its `content_type`; `listed` are the hosts (UUIDs) whose addresses the configuration lists, since no
    other is given a session. `away` are hosts of the pool that should see it and do not.
    """

    pool: Pool
    sr: Sr
    content: str
    hosts: tuple[Host, ...]
    away: tuple[Host, ...]
    listed: frozenset[str]
    features: frozenset[str]
    busy: tuple[str, ...]


class Plugged(msgspec.Struct, frozen=True):
    """The plug of a storage in a host (UUID), and whether it is in."""

    host: str
    attached: bool


class SrNow(msgspec.Struct, frozen=True):
    """A storage as it is now, and what it is for in its pool."""

    uuid: str
    name: str
    plugs: tuple[Plugged, ...]
    defaults: Defaults

    @property
    def attached(self) -> frozenset[str]:
        """The hosts (UUIDs) that it is attached to."""
        return frozenset(one.host for one in self.plugs if one.attached)


class Wrong(StrEnum):
    """What can be wrong with a host's storage beside what XAPI has a code for."""

    MOVED = "moved"
    DIFFERS = "differs"
    SILENT = "silent"
    UNREACHED = "unreached"
    #: Nothing was tried there, since the server gave other hosts no answer.
    UNTRIED = "untried"


class Tried(msgspec.Struct, frozen=True):
    """How a host (UUID) did with a storage: seconds for writing and reading, and whether a snapshot was made.

    Where it did not go well, `code` and `params` are the failure, or `code` is one of the words of `Wrong`.
    """

    host: str
    wrote_s: float = 0.0
    read_s: float = 0.0
    snapshot: bool = False
    code: str = ""
    params: tuple[str, ...] = ()
