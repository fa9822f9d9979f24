"""What the moving of disks to another storage repository is judged by."""

from __future__ import annotations

import msgspec

from bot.domain.guest_facts import MigrationFacts, XapiVerdict
from bot.domain.inventory import Host, Network, Pool, Sr, Vm


class Image(msgspec.Struct, frozen=True):
    """What is known of a disk beyond its place in a guest. Sizes in bytes.

    `kind` is XAPI's type of the disk ("user", "redo_log", ...). `used` is what it takes up on its SR by itself, -1
    where that is not known; `layered` tells that it stands on older layers, whose content comes along. `tracked` tells
    that changed block tracking is on, `resets` that it is thrown back at each boot, `shared` that more than this one
    guest may write to it. `snapshots` of it follow it; together they take up `snapshots_used`.
    """

    vdi: str
    kind: str = "user"
    used: int = -1
    layered: bool = False
    tracked: bool = False
    encrypted: bool = False
    resets: bool = False
    read_only: bool = False
    shared: bool = False
    missing: bool = False
    operations: tuple[str, ...] = ()
    snapshots: int = 0
    snapshots_used: int = 0


class DiskMoveFacts(msgspec.Struct, frozen=True):
    """Everything that moving a guest's disks to one SR is judged by, read directly at one moment.

    `target` may belong to another pool than the guest (`target_pool`). `images` are keyed by userdevice. `target_work`
    are the operations under way on the target, `promised` the bytes that all its disks together may grow to (-1 where
    unknown). `features` are what the pool's storage drivers can do, by type of SR; a type that is not in it says
    nothing. `movable` answers "can its storage be moved now" (VM.assert_operation_valid). `read_at` in Unix seconds.
    """

    pool: Pool
    vm: Vm
    host: Host | None
    target: Sr
    target_pool: Pool
    images: dict[str, Image]
    target_work: tuple[str, ...]
    promised: int
    features: dict[str, frozenset[str]]
    movable: XapiVerdict
    read_at: float
    arriving: Host | None = None


class SendFacts(msgspec.Struct, frozen=True):
    """Everything that moving a guest to another host together with disks is judged by, read at one moment.

    `move` is what any migration is judged by; its `movable` and `xapi` are about this very move: can a migration with
    storage begin (VM.assert_operation_valid), and would XAPI do this one (VM.assert_can_migrate). `goals` says by
    userdevice to which SR (UUID) a disk goes, for every disk that was asked for, also those that are there already;
    `strange` are places that were asked for and hold no disk. `parts` are the disks by target SR, each with all of the
    guest's images. `network` is what the data go over, the target's management network; None where it has none.
    """

    move: MigrationFacts
    goals: dict[str, str]
    strange: tuple[str, ...]
    parts: tuple[DiskMoveFacts, ...]
    network: Network | None
