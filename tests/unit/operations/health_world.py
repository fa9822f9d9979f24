"""A pool in good order, and a host that may join it; both to be broken field by field."""

from __future__ import annotations

from typing import Any

import migration_facts as world
import msgspec
from migration_facts import GIB, READ_AT, guest, host

from bot.domain.health import (
    Bond,
    Cable,
    ControlDomain,
    Expiry,
    HealthFacts,
    HostState,
    Paths,
    Plug,
    Snapshot,
    Store,
    Stuck,
)
from bot.domain.inventory import Alert, PowerState, Tools
from bot.domain.joining import JoinFacts, Side

DAY_S = 86_400.0


def state(number: int, **changes: Any) -> HostState:
    """A host in good order; fields of the host itself go under `host`."""
    own = {
        "guests": 4,
        "memory_free": 40 * GIB,
        "control_memory": 4 * GIB,
        "hvm_capable": True,
        **changes.pop("host", {}),
    }
    made = HostState(
        host=host(number, **own),
        build="cloud-24160",
        updates=frozenset({"u-1"}),
        guidances=(),
        behind=False,
        multipathing=False,
        boot_paths=(),
        certificates=(Expiry("server certificate", READ_AT + 300 * DAY_S),),
        licence=None,
        clock_ahead_s=0.2,
        clock_doubt_s=0.6,
        control=ControlDomain(8, 0.4, 2 * GIB),
    )
    return msgspec.structs.replace(made, **changes)


def store(**changes: Any) -> Store:
    made = Store(world.NFS, "user", 300 * GIB, 2, "root", 1, {}, 0)
    return msgspec.structs.replace(made, **changes)


def plug(number: int, **changes: Any) -> Plug:
    made = Plug(
        f"pbd-{number}", "sr-nfs", f"h-{number}", True, (("server", "nfsserver"), ("serverpath", "/home/test")), ()
    )
    return msgspec.structs.replace(made, **changes)


def cable(number: int, **changes: Any) -> Cable:
    made = Cable(f"h-{number}", "eth0", "Pool-wide network", True, True, True, True, "")
    return msgspec.structs.replace(made, **changes)


def healthy(**changes: Any) -> HealthFacts:
    """Two hosts, one shared storage, one guest: everything in order, unless changed."""
    made = HealthFacts(
        pool=world.POOL,
        hosts=(state(1), state(3)),
        plugs=(plug(1), plug(3)),
        stores=(store(),),
        cables=(cable(1), cable(3)),
        bonds=(),
        vms=(guest(hvm=True, domain_type="hvm"),),
        snapshots=(),
        stuck=(),
        held={},
        twins={},
        alerts=(),
        authorities=(),
        read_at=READ_AT,
        age_s=1.0,
    )
    return msgspec.structs.replace(made, **changes)


def bad_night() -> HealthFacts:
    """Something wrong in almost every row."""
    ill = state(
        3,
        host={"version": "8.2.1", "control_memory": GIB, "memory_free": 0, "hvm_capable": False},
        guidances=("reboot_host",),
        certificates=(Expiry("server certificate", READ_AT + 5 * DAY_S),),
        licence=Expiry("standard", READ_AT + 12 * DAY_S),
        clock_ahead_s=60.0,
        control=ControlDomain(8, 19.5, 30 << 20),
        boot_paths=(Paths("", 1, 2),),
    )
    silent = state(4, host={"silent_since": READ_AT - 120.0, "guests": 2}, clock_ahead_s=None, control=None)
    full = msgspec.structs.replace(world.NFS, used=465 * GIB)
    winxp = guest("winxp", uuid="vm-2", hvm=True, domain_type="hvm", tools=Tools.NONE, can_suspend=False)
    cd = msgspec.structs.replace(
        world.DISK, userdevice="3", cd=True, vdi="iso-1", vdi_name="centos.iso", vbd="vbd-3", sr=world.LOCAL
    )
    db1 = guest("db1", uuid="vm-3", memory_needed=48 * GIB, disks=(world.DISK, cd))
    paused = guest("ci1", uuid="vm-4", power_state=PowerState.PAUSED)
    return healthy(
        hosts=(state(1), ill, silent),
        plugs=(plug(1), plug(3, attached=False)),
        stores=(
            store(sr=full, promised=900 * GIB, deepest=22, waiting=11, orphans={"v-9": "old"}, orphans_size=8 * GIB),
        ),
        cables=(cable(1), cable(3, carrier=False), cable(3, device="eth1", carrier=False, bond="bond0")),
        bonds=(Bond("h-3", "bond0", 1, 2),),
        vms=(winxp, db1, paused),
        snapshots=(Snapshot("s-1", "before the upgrade", "db1", READ_AT - 40 * DAY_S),),
        stuck=(Stuck("VM", "vm-3", "db1", "snapshot"),),
        held={"v-7": "half copied"},
        twins={"02:00:00:00:00:01": ("db1", "winxp")},
        alerts=(Alert(READ_AT - 600, "VM_CRASHED", 2, "vm-2", "", "a-1"),),
        unheeded={"vm-3": "db1"},
    )


def side(number: int, **changes: Any) -> Side:
    """A pool of one host in good order."""
    own = host(number, pool=f"p-{number}", coordinator=True, hvm_capable=True, version="8.4.0", product="XenServer")
    own = msgspec.structs.replace(own, **changes.pop("host", {}))
    made = Side(
        pool=msgspec.structs.replace(world.ALONE, uuid=f"p-{number}", name=own.name, label="", coordinator=own.uuid),
        hosts=(own,),
        coordinator=own,
        software={
            "product_version": own.version,
            "build_number": "cloud-24160",
            "platform_version": own.platform_version,
            "db_schema": "5.780",
            "network_backend": "openvswitch",
        },
        editions=("standard",),
        api="2.21",
        auth=("", ""),
        guidances=(),
        updates={},
        pooling=True,
        clustered=False,
        cluster=None,
        addressed=("xenbr0",),
        small=False,
        updating=False,
        running=(),
        busy=(),
        shared=(),
        bonds=(),
        tunnels=0,
        sriovs=0,
        vlans=(),
        management=("eth0", -1, "IPv4"),
        controllers=(),
        purposes=frozenset(),
        drivers={"nfs": {"VDI_CREATE": 1}},
        authorities={},
        trusted={},
        verifies=True,
    )
    return msgspec.structs.replace(made, **changes)


def joins(joining: Side, **changes: Any) -> JoinFacts:
    """That host is to join the pool `experiment`."""
    pool = msgspec.structs.replace(
        side(1), pool=msgspec.structs.replace(world.POOL, coordinator="h-1"), shared=("nfs-vhd",), running=("centos54",)
    )
    return msgspec.structs.replace(JoinFacts(joining, pool, (), READ_AT), **changes)
