"""Facts for backing guests up: centos54 on xenserver1 with its disk on nfs-vhd; changed one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import migration_facts as world
import msgspec
from migration_facts import GIB, guest, host

from bot.domain.backup_facts import BackupFacts, Room
from bot.domain.catalogue import Backup, Proof, Verification
from bot.domain.disk_moves import Image
from bot.domain.guest_facts import XapiVerdict
from bot.domain.inventory import PowerState, Vm
from bot.domain.plan import Plan
from bot.domain.policy import ApprovalSettings
from bot.operations import backup
from bot.operations.backup_steps import Manner
from bot.operations.checks.backing import How, Place

Change: TypeAlias = Callable[[BackupFacts], BackupFacts]
DAY = 86_400.0
NOW = 100 * DAY


def read(*changes: Change, of: Vm | None = None) -> BackupFacts:
    made = BackupFacts(
        pool=world.POOL,
        vm=of or guest(),
        host=host(1),
        hosts=(host(1), host(3)),
        images={"0": Image("v-1", used=2 * GIB)},
        depths={"0": 1},
        servers={"sr-nfs": {"server": "nfsserver", "serverpath": "/home/test"}},
        valid={"snapshot": XapiVerdict(""), "clean_shutdown": XapiVerdict(""), "export": XapiVerdict("")},
        own=False,
        read_at=NOW,
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


def on(**changes: Any) -> Change:
    """The guest's disk on nfs-vhd with these fields."""
    disk = msgspec.structs.replace(world.DISK, sr=msgspec.structs.replace(world.NFS, **changes))
    return vm(disks=(disk,))


def image(**changes: Any) -> Change:
    """The image of its disk with these fields."""
    return where(images={"0": msgspec.structs.replace(Image("v-1", used=2 * GIB), **changes)})


def earlier(days: float, size: int, took: float = 60.0, guest_uuid: str = "vm-1") -> Backup:
    """A good backup of so many days ago."""
    at = NOW - days * DAY
    look = Verification(at + took, Proof.STREAM, "operator")
    identity = f"20261126-020000-{int(days * 10):04x}"
    return Backup(identity, guest_uuid, "centos54", "p-1", "experiment", at, size, "9f2c" * 16, 7, "operator", look)


def place(free: int = 300 * GIB, *backups: Backup, same: frozenset[str] = frozenset()) -> Place:
    return Place(Room(free, 500 * GIB), same=same, earlier=backups)


def decided(
    *reads: BackupFacts,
    how: How = How.WARM,
    manner: Manner | None = None,
    there: Place | None = None,
    approval: ApprovalSettings | None = None,
) -> Plan:
    """The plan for these guests, each of them backed up so."""
    those = {one.vm.uuid: one for one in reads}
    hows = {one: How.HALTED if those[one].vm.power_state is PowerState.HALTED else how for one in those}
    manner = manner or Manner(cold=how.stops)
    return backup.decide(those, hows, manner, there or place(), approval or ApprovalSettings())


SECOND = guest("web2", uuid="vm-2", host="h-3", power_state=PowerState.HALTED)
OBSTACLES = (
    vm(
        power_state=PowerState.SUSPENDED,
        operations={"snapshot": "[XO] Nightly"},
        workers={"snapshot": "Xen Orchestra"},
        blocked_operations={"snapshot": "quiesced by hand"},
        usb=True,
    ),
    on(used=500 * GIB, hosts=frozenset({"h-9"})),
    image(missing=True, resets=True),
    where(depths={"0": 30}, valid={"snapshot": XapiVerdict("LICENCE_RESTRICTION", ("VMSS",))}),
)
