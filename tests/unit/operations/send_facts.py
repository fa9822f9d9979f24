"""Facts for a guest that goes to xenserver3 with its disks: two of them, to the local storage there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import disk_facts
import migration_facts as world
import msgspec
from migration_facts import GIB, guest, host

from bot.domain.disk_moves import DiskMoveFacts, Image, SendFacts
from bot.domain.guest_facts import XapiVerdict
from bot.domain.inventory import PowerState, Sr

Change: TypeAlias = Callable[[SendFacts], SendFacts]
FAR = Sr("sr-local3", "Local storage", "ext", shared=False, size=90 * GIB, used=9 * GIB, hosts=frozenset({"h-3"}))
MANAGEMENT = msgspec.structs.replace(world.NETWORK, uuid="n-0", name="Management")


def read(*changes: Change) -> SendFacts:
    vm = guest("web-local", disks=(disk_facts.ROOT, disk_facts.DATA))
    move = world.facts(vm, srs=(world.NFS, world.LOCAL, FAR))
    part = DiskMoveFacts(
        pool=move.pool,
        vm=vm,
        host=move.source,
        target=FAR,
        target_pool=move.pool,
        images={"0": Image("v-0", used=2 * GIB, snapshots=1, snapshots_used=GIB), "2": Image("v-2", used=5 * GIB)},
        target_work=(),
        promised=30 * GIB,
        features={"nfs": disk_facts.CAN, "ext": disk_facts.CAN},
        movable=XapiVerdict(""),
        read_at=move.read_at,
        arriving=move.target,
    )
    made = SendFacts(move, {"0": FAR.uuid, "2": FAR.uuid}, (), (part,), MANAGEMENT)
    for change in changes:
        made = change(made)
    return made


def where(**changes: Any) -> Change:
    """The facts with these fields."""
    return lambda facts: msgspec.structs.replace(facts, **changes)


def move(**changes: Any) -> Change:
    """What any migration is judged by, with these fields."""
    return lambda facts: msgspec.structs.replace(facts, move=msgspec.structs.replace(facts.move, **changes))


def part(**changes: Any) -> Change:
    """The SR that the disks go to, and what is on them, with these fields."""
    return lambda facts: msgspec.structs.replace(
        facts, parts=tuple(msgspec.structs.replace(one, **changes) for one in facts.parts)
    )


def vm(**changes: Any) -> Change:
    """The guest with these fields."""

    def changed(facts: SendFacts) -> SendFacts:
        made = msgspec.structs.replace(facts.move.vm, **changes)
        return part(vm=made)(move(vm=made)(facts))

    return changed


HALTED = (vm(power_state=PowerState.HALTED, host=None), move(source=None), part(host=None))
OBSTACLES = (
    vm(
        memory_needed=40 * GIB,
        immobile=True,
        operations={"snapshot": "Nightly"},
        blocked_operations={"migrate_send": "backup until six"},
    ),
    move(
        target=host(3, enabled=False, operations=("evacuate",)),
        movable=XapiVerdict("OPERATION_BLOCKED", ("web-local", "backup until six")),
        xapi=XapiVerdict("OPERATION_BLOCKED", ("web-local", "backup until six")),
    ),
    part(
        target=msgspec.structs.replace(FAR, used=89 * GIB, hosts=frozenset()),
        images={"0": Image("v-0", used=2 * GIB, tracked=True), "2": Image("v-2", used=5 * GIB, shared=True)},
    ),
    where(network=None),
)
