"""What a restore is judged by: the guest that comes, and the pool that shall take it."""

from __future__ import annotations

import msgspec

from bot.domain.inventory import Host, Network, Pool, Sr


class Coming(msgspec.Struct, frozen=True):
    """The guest that shall come, as its archive tells of it and under the name it shall have: all of it untrusted.

    `uuid` is what it had where it was backed up. Memory in bytes; `macs` in lower case.
    """

    uuid: str
    name: str
    macs: tuple[str, ...]
    memory_dynamic_min: int
    memory_static_max: int
    vcpus: int
    domain_type: str


class Holder(msgspec.Struct, frozen=True):
    """A guest that lives: its UUID, its name, the name of its pool, and whether it runs."""

    uuid: str
    name: str
    pool: str
    running: bool


class RestoreFacts(msgspec.Struct, frozen=True):
    """Everything that restoring a guest to one pool is judged by, read directly at one moment.

    `host` is where it shall run, None where XAPI may choose; `sr` takes all disks, None where none was named and the
    pool has no default. `xapi` is the version of each host's toolstack by UUID of the host, `needed` the bytes of
    memory that the guest takes from its host. `names` are the living guests of its name or its UUID, `macs` those, of
    any pool, that have one of its MAC addresses. `promised` are the bytes that all disks on the SR may grow to, -1
    where unknown. `read_at` in Unix seconds.
    """

    pool: Pool
    hosts: tuple[Host, ...]
    host: Host | None
    sr: Sr | None
    networks: tuple[Network, ...]
    xapi: dict[str, tuple[int, int]]
    needed: int
    names: tuple[Holder, ...]
    macs: dict[str, tuple[Holder, ...]]
    read_at: float
    promised: int = -1
