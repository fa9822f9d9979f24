"""What decides whether a host can join a pool: the facts of both sides, as values."""

from __future__ import annotations

import msgspec

from bot.domain.inventory import Host, Pool


class ClusterNetwork(msgspec.Struct, frozen=True):
    """The network that the cluster of a pool's storage talks over, which a new host has to be on with one address.

    `bridges` are those that an address on it is an address of: more than one where it is a bond. `vlan` is -1 without
    one, and where the pool is managed over it as well.
    """

    device: str
    vlan: int
    bridges: frozenset[str]


class Side(msgspec.Struct, frozen=True):
    """One side of a join: a pool, which for the joining host is the one that it is alone in.

    `coordinator` stands for the side's versions and settings. `software` is its `software_version`, `editions` the
    licences of its hosts, `api` its API version ("2.21"), `auth` the external authentication (type and service). Guests
    are named; `busy` are snapshots and templates as well. `guidances` are what updates still ask of the coordinator,
    `updates` the names by UUID of those that every host of a pool must have; `updating` tells that some are being
    applied. `pooling` tells that the licence includes pools, `small` that it lets no large one be, and `clustered` that
    a host is in a cluster. `cluster` is what a new host has to be on, None where nothing is asked of one; `addressed`
    has the bridge of each address of the coordinator. `vlans` are those beside that of the management interface,
    `management` the device, VLAN and kind of address of that interface, None where there is none. `drivers` are the
    features of each storage driver by type, with their versions. `purposes` are the purposes that its networks were
    given. `authorities` are those it trusts under a name, the fingerprint of each by that name; `trusted` the
    purposes, by the fingerprint, of certificates that it trusts without one: none where they are good for everything.
    `verifies` tells whether its hosts check each other's certificates, None where the server does not say.
    """

    pool: Pool
    hosts: tuple[Host, ...]
    coordinator: Host
    software: dict[str, str]
    editions: tuple[str, ...]
    api: str
    auth: tuple[str, str]
    guidances: tuple[str, ...]
    updates: dict[str, str]
    pooling: bool
    clustered: bool
    cluster: ClusterNetwork | None
    addressed: tuple[str, ...]
    small: bool
    updating: bool
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
