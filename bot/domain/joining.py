"""What decides whether a host can join a pool: the facts of both sides, as values."""

from __future__ import annotations

import msgspec

from bot.domain.inventory import Host, Pool


class Side(msgspec.Struct, frozen=True):
    """One side of a join: a pool, which for the joining host is the one that it is alone in.

    `coordinator` stands for the side's versions and settings. `software` is its `software_version`, `edition` its
    licence, `api` its API version ("2.21"), `auth` the external authentication (type and service). Guests are named;
    `guidances` are what updates still ask of a host, by its name, `updates` the names by UUID of those that every host
    of a pool must have. `pooling` tells that the licence includes
    pools, `cluster` the device and VLAN that the cluster of its storage talks over, None where there is none, and
    `addressed` the devices of the coordinator that have an address. `vlans` are those beside that of the management
    interface, `management` the device, VLAN and kind of address of that interface, None where there is none. `drivers`
    are the features of each storage driver by type, with their versions. `purposes` are the purposes that its networks
    were given. `authorities` are those it trusts under a name, the fingerprint of each by that name; `trusted` the
    purposes, by the fingerprint, of certificates that it trusts without one: none where they are good for everything.
    `verifies` tells whether its hosts check each other's certificates, None where the server does not say.
    """

    pool: Pool
    hosts: tuple[Host, ...]
    coordinator: Host
    software: dict[str, str]
    edition: str
    api: str
    auth: tuple[str, str]
    guidances: dict[str, tuple[str, ...]]
    updates: dict[str, str]
    pooling: bool
    cluster: tuple[str, int] | None
    addressed: tuple[str, ...]
    small: bool
    working: tuple[str, ...]
    running: tuple[str, ...]
    busy: tuple[str, ...]
    shared: tuple[str, ...]
    bonds: tuple[str, ...]
    tunnels: int
    sriovs: int
    vlans: tuple[str, ...]
    management: tuple[str, int, str] | None
    controllers: tuple[str, ...]
    purposes: frozenset[str]
    drivers: dict[str, dict[str, int]]
    authorities: dict[str, str]
    trusted: dict[str, frozenset[str]]
    verifies: bool | None


class JoinFacts(msgspec.Struct, frozen=True):
    """Both sides of a join, read at one moment, `read_at` in Unix seconds.

    `restarting` are guests of the pool that booted with CPU features which the joining host lacks. `under_way` tells
    that the host works on a join already.
    """

    joining: Side
    pool: Side
    restarting: tuple[str, ...]
    read_at: float
    under_way: bool = False

    @property
    def is_member(self) -> bool:
        """Whether the host is a member of that pool already."""
        return self.joining.pool.uuid == self.pool.pool.uuid


class Membership(msgspec.Struct, frozen=True):
    """How far a host is a member of a pool.

    `whole` is False for one that joined only half-way: its record is there without an address, and whatever is asked of
    it hangs. `unplugged` are the shared storages that are not attached to it, names by UUID, in order of the names;
    `alone` tells that it still answers as a pool of its own, `joining` that it then works on a join.
    """

    known: bool
    whole: bool
    live: bool
    enabled: bool
    unplugged: dict[str, str]
    alone: bool
    joining: bool = False
