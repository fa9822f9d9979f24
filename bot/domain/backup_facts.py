"""What the backing up of a guest is judged by, and what its snapshots look like."""

from __future__ import annotations

import msgspec

from bot.domain.disk_moves import Image
from bot.domain.guest_facts import XapiVerdict
from bot.domain.inventory import Host, Pool, Vm


class Snapshot(msgspec.Struct, frozen=True):
    """A snapshot of a guest: UUID, name, and the UUIDs of its disks by their places in the guest (userdevice)."""

    uuid: str
    name: str
    disks: dict[str, str]


class BackupFacts(msgspec.Struct, frozen=True):
    """Everything that the backup of one guest is judged by, read directly at one moment.

    `images` are keyed by userdevice, as are `depths`: on how many layers each disk stands in its storage, -1 where that
    is not known. `servers` are the device-configs of its disks' SRs, by UUID of the SR. `valid` says, by operation,
    whether XAPI would let it begin. `own` tells that the bot itself runs inside it. `read_at` in Unix seconds.
    `merging` counts, by UUID of the SR, the images that its clean-up has still to merge, as the feed last had them.
    `xapi` is the version of each host's toolstack, by UUID of the host. `exported` names the guest's snapshots that are
    being exported just now, whoever does it.
    """

    pool: Pool
    vm: Vm
    host: Host | None
    hosts: tuple[Host, ...]
    images: dict[str, Image]
    depths: dict[str, int]
    servers: dict[str, dict[str, str]]
    valid: dict[str, XapiVerdict]
    own: bool
    read_at: float
    merging: dict[str, int] = {}
    xapi: dict[str, tuple[int, int]] = {}
    exported: tuple[str, ...] = ()


class Room(msgspec.Struct, frozen=True):
    """Room at the place of the archive, in bytes.

    `promised` is what backups under way will likely still take, and no part of what is `free`.
    """

    free: int
    total: int
    promised: int = 0


class Label(msgspec.Struct, frozen=True):
    """What a backup is catalogued under. Guest and pool are UUIDs with the names they had; `how` it was made.

    `kept_s` is for how many seconds it must be kept, None where only rules say; `keep` is the rule of its own by which
    it is kept, "" for that of the configuration.
    """

    guest: str
    name: str
    pool: str
    pool_name: str
    how: str
    job: int
    task: str
    who: str
    reason: str
    kept_s: float | None = None
    keep: str = ""
