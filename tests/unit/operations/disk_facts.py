"""Facts for moving disks: web-local on xenserver1 with two disks on local storage, to nfs-vhd; changed one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import migration_facts as world
import msgspec
from migration_facts import GIB, guest, host

from bot.domain.disk_moves import DiskMoveFacts, Image
from bot.domain.guest_facts import XapiVerdict
from bot.domain.inventory import Disk, PowerState, Vm

Change: TypeAlias = Callable[[DiskMoveFacts], DiskMoveFacts]
CAN = frozenset({"VDI_MIRROR", "VDI_SNAPSHOT"})
ROOT = Disk("0", cd=False, vdi="v-0", vdi_name="root", size=8 * GIB, sr=world.LOCAL)
DATA = Disk("2", cd=False, vdi="v-2", vdi_name="data", size=20 * GIB, sr=world.LOCAL)
CD = Disk("3", cd=True, vdi="iso-1", vdi_name="centos.iso", size=GIB, sr=world.LOCAL)


def read(*changes: Change) -> DiskMoveFacts:
    made = DiskMoveFacts(
        pool=world.POOL,
        vm=guest("web-local", disks=(ROOT, DATA, CD)),
        host=host(1),
        target=world.NFS,
        target_pool=world.POOL,
        images={"0": Image("v-0", used=2 * GIB), "2": Image("v-2", used=5 * GIB)},
        target_work=(),
        promised=300 * GIB,
        features={"nfs": CAN, "ext": CAN},
        movable=XapiVerdict(""),
        read_at=10_000.0,
    )
    for change in changes:
        made = change(made)
    return made


def where(**changes: Any) -> Change:
    """The facts with these fields."""
    return lambda facts: msgspec.structs.replace(facts, **changes)


def vm(**changes: Any) -> Change:
    """The guest with these fields."""
    return lambda facts: msgspec.structs.replace(facts, vm=msgspec.structs.replace(facts.vm, **changes))


def target(**changes: Any) -> Change:
    """The SR to move to with these fields."""
    return lambda facts: msgspec.structs.replace(facts, target=msgspec.structs.replace(facts.target, **changes))


def image(device: str, **changes: Any) -> Change:
    """One disk's image with these fields."""
    return lambda facts: msgspec.structs.replace(
        facts, images={**facts.images, device: msgspec.structs.replace(facts.images[device], **changes)}
    )


def moved(one: Vm, *devices: str) -> Vm:
    """The guest with these disks on nfs-vhd, each under a new UUID."""
    disks = (
        msgspec.structs.replace(disk, vdi=f"{disk.vdi}-new", sr=world.NFS) if disk.userdevice in devices else disk
        for disk in one.disks
    )
    return msgspec.structs.replace(one, disks=tuple(disks))


OBSTACLES = (
    vm(
        power_state=PowerState.RUNNING,
        operations={"snapshot": "Nightly"},
        blocked_operations={"migrate_send": "backup until six"},
    ),
    target(hosts=frozenset({"h-3"}), used=499 * GIB),
    image("0", tracked=True, resets=True, encrypted=True),
    image("2", shared=True, kind="redo_log", missing=True, operations=("snapshot",)),
    where(target_work=("forget",), movable=XapiVerdict("OPERATION_BLOCKED", ("web-local", "backup until six"))),
)
