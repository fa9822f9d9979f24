"""A guest of experiment that shall go to xenserver2, a pool of its own, and what became of it; changed one by one."""

from __future__ import annotations

from typing import Any

import backup_world
import migration_facts as world
import msgspec
from migration_facts import GIB

from bot.domain.backup_facts import BackupFacts
from bot.domain.guest_facts import PowerFacts, XapiVerdict
from bot.domain.inventory import Host, Network, PowerState, Sr
from bot.domain.plan import Plan, Target
from bot.domain.policy import ApprovalSettings
from bot.domain.restores import Nic, Restored, RestoreFacts
from bot.domain.texts import plain
from bot.operations import move_by_backup, retire, roll_back
from bot.operations.checks import moving
from bot.operations.checks.backing import Place
from bot.operations.checks.meeting import Wish
from bot.operations.moved import Moved

MAC = "02:00:00:00:00:01"
LAN = Network("n-2", world.NETWORK.name, frozenset({"h-2"}), internal=False)
SSD = Sr("sr-2", "Local storage", "ext", shared=False, size=200 * GIB, used=20 * GIB, hosts=frozenset({"h-2"}))


def target(**changes: Any) -> Host:
    return world.host(2, pool="p-2", coordinator=True, cpu_vendor="AuthenticAMD", **changes)


def source(**changes: Any) -> Restored:
    """The guest as it is in its own pool."""
    made = Restored(
        uuid="vm-1",
        name="centos54",
        power_state=PowerState.RUNNING,
        host="h-1",
        affinity="",
        nics=(Nic("0", world.NETWORK.uuid, MAC),),
        disks={"0": "v-1"},
        sizes={"0": 8 * GIB},
        wakeful=(),
        operations=(),
        tools=True,
        kept_off=True,
    )
    return msgspec.structs.replace(made, **changes)


def kept(**changes: Any) -> Restored:
    """The guest once it was moved: off, with what it lost remembered."""
    lost = {"auto_poweron": "true", "ha": "restart"}
    return source(**{"power_state": PowerState.HALTED, "host": "", "remembered": lost, "tools": False, **changes})


def copy(**changes: Any) -> Restored:
    changed = {"uuid": "vm-9", "host": "h-2", "nics": (Nic("0", "n-2", MAC),), "disks": {"0": "v-9"}, **changes}
    return source(**changed)


def there(**changes: Any) -> RestoreFacts:
    made = RestoreFacts(
        pool=world.ALONE,
        hosts=(target(),),
        host=target(),
        sr=SSD,
        networks=(LAN,),
        xapi={"h-2": (24, 16)},
        needed=519 << 20,
        names=(),
        macs={},
        read_at=world.READ_AT,
    )
    return msgspec.structs.replace(made, **changes)


def read(*changes: backup_world.Change) -> BackupFacts:
    versions = backup_world.where(xapi={"h-1": (24, 16), "h-3": (24, 16)})
    return backup_world.read(versions, *changes)


def planned(
    of: BackupFacts | None = None,
    at: RestoreFacts | None = None,
    *,
    now: Restored | None = None,
    place: Place | None = None,
    strange: tuple[str, ...] = (),
) -> Plan:
    guest = of or read()
    running = guest.vm.power_state is PowerState.RUNNING
    wish = Wish(guest.vm.name, start=running, keep_mac=True, strange=strange)
    coming = moving.foreseen(guest, now or source())
    where = place or backup_world.place()
    return move_by_backup.decide(guest, coming, where, at or there(), wish, ApprovalSettings(), tools=running)


MOVED = Moved(
    job=7,
    source=Target("VM", "vm-1", "centos54"),
    copy="vm-9",
    here="p-1",
    there="p-2",
    host=Target("host", "h-2", "xenserver2"),
    disks=("v-9",),
    names={"p-1": "experiment", "p-2": "xenserver2", "h-1": "xenserver1", "h-2": "xenserver2"},
    ran=True,
    at=9_000.0,
    was=Target("host", "h-1", "xenserver1"),
)


def power(**changes: Any) -> PowerFacts:
    """Whether the source can be started."""
    off = world.guest(power_state=PowerState.HALTED, host=None)
    hosts = (world.host(1), world.host(3))
    verdicts = {host.uuid: XapiVerdict("") for host in hosts}
    made = PowerFacts(world.POOL, off, None, hosts, verdicts, {"start": XapiVerdict("")}, own=False, read_at=10_000.0)
    return msgspec.structs.replace(made, **changes)


def retiring(now: Restored | None = None, other: Restored | None = copy()) -> Plan:  # noqa: B008  frozen
    """The plan of retiring the source."""
    return retire.decide(MOVED, now or kept(), other, "centos54 (moved to xenserver2, kept until 2026-12-26)")


def rolling(now: Restored | None = None, other: Restored | None = copy()) -> Plan:  # noqa: B008  frozen
    """The plan of rolling the move back."""
    return roll_back.decide(MOVED, now or kept(), other, power())


def stops(plan: Plan) -> dict[str, str]:
    """What stops a plan, by key."""
    return {check.key: plain(check.fact) for check in plan.blocked}


def way(plan: Plan) -> list[tuple[str, str]]:
    """The steps of the way there, each with its pool."""
    return [(step.kind, step.pool) for step in plan.steps if not step.undoes]
