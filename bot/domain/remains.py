"""What a job of ours has left at a pool, as it is there now, with all that would show that somebody else uses it."""

from __future__ import annotations

import msgspec

from bot.domain.inventory import Host, Pool
from bot.domain.restores import Restored


class Lying(msgspec.Struct, frozen=True):
    """Something at a pool that a job of ours may have left: class, UUID, its name now, and the bytes of its disks."""

    kind: str
    uuid: str
    name: str
    size: int = 0


class LeftDisk(msgspec.Struct, frozen=True):
    """A disk as just read: its name, its SR (UUID), its bytes, and what goes on at it.

    `users` are the names of the guests that it is attached to, but for the one it was left with.
    """

    uuid: str
    name: str
    sr: str
    size: int
    operations: tuple[str, ...] = ()
    users: tuple[str, ...] = ()


class LeftNetwork(msgspec.Struct, frozen=True):
    """A network as just read; `used` tells that a guest or a host is on it, but for the guest it was left with."""

    uuid: str
    used: bool


class Remains(msgspec.Struct, frozen=True):
    """What is there of what a job left, read directly at one moment.

    `guest` is None where it is gone or none was asked for; `snapshots` are the names of those taken of it, `started_at`
    (Unix seconds) when it was started last, None for never. `disks` are those of the disks asked for that are there,
    `networks` those that bear the name asked for.
    """

    pool: Pool
    hosts: tuple[Host, ...]
    guest: Restored | None = None
    snapshots: tuple[str, ...] = ()
    started_at: float | None = None
    disks: tuple[LeftDisk, ...] = ()
    networks: tuple[LeftNetwork, ...] = ()
