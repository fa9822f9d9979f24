"""Facts of a small world like the lab's, to be changed one by one."""

from __future__ import annotations

from typing import Any

import msgspec
from small_objects import a_guest, a_host

from bot.domain.guest_facts import MigrationFacts, XapiVerdict
from bot.domain.inventory import Disk, Host, Network, Pool, Sr, Tools, Vm
from bot.domain.plan import Check, Plan
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import plain
from bot.operations import migrate

MIB, GIB = 1 << 20, 1 << 30
READ_AT = 10_000.0
FEATURES = "1fcbfbff-f7fa3223-2d93fbff-00000023-00000001-000007ab"

POOL = Pool("p-1", "experiment", "experiment", "h-1", ha_enabled=False, upgrading=False, default_sr="sr-nfs")
ALONE = Pool("p-2", "xenserver2", "", "h-2", ha_enabled=False, upgrading=False, default_sr=None)
NFS = Sr("sr-nfs", "nfs-vhd", "nfs", shared=True, size=500 * GIB, used=188 * GIB, hosts=frozenset({"h-1", "h-3"}))
LOCAL = Sr("sr-local1", "Local storage", "ext", shared=False, size=90 * GIB, used=9 * GIB, hosts=frozenset({"h-1"}))
NETWORK = Network("n-1", "Pool-wide network", frozenset({"h-1", "h-3"}), internal=False)
DISK = Disk("0", cd=False, vdi="v-1", vdi_name="root", size=8 * GIB, sr=NFS)


def host(number: int, **changes: Any) -> Host:
    made = a_host(
        number,
        memory_free=21 * GIB + 600 * MIB,
        cpu_model="Intel Xeon E5520",
        cpu_count=16,
        features_hvm=FEATURES,
        features_pv=FEATURES,
    )
    return msgspec.structs.replace(made, **changes)


def guest(name: str = "centos54", **changes: Any) -> Vm:
    made = a_guest(
        "vm-1",
        name,
        memory_dynamic_min=512 * MIB,
        memory_dynamic_max=512 * MIB,
        memory_static_max=512 * MIB,
        memory_needed=519 * MIB,
        memory_actual=512 * MIB,
        vcpus=1,
        vcpus_max=1,
        hvm=False,
        domain_type="pv",
        boot_features=FEATURES,
        disks=(DISK,),
        networks=(NETWORK,),
        addresses=("192.0.2.15",),
        started_at=1_000.0,
    )
    return msgspec.structs.replace(made, **changes)


def facts(vm: Vm | None = None, target: Host | None = None, **changes: Any) -> MigrationFacts:
    """centos54 on xenserver1, to xenserver3: everything fits, unless changed."""
    vm, target, source = vm or guest(), target or host(3), host(1)
    made = MigrationFacts(
        pool=POOL,
        vm=vm,
        source=source if vm.host else None,
        target=target,
        target_pool=POOL,
        pool_hosts=(source, target),
        xapi=XapiVerdict(""),
        busy_hosts={},
        read_at=READ_AT,
        movable=XapiVerdict(""),
        srs=(NFS, LOCAL),
    )
    return msgspec.structs.replace(made, **changes)


def decided(read: MigrationFacts) -> Plan:
    return migrate.decide(read, ApprovalSettings())


def check(plan: Plan, key: str) -> Check:
    found = [one for one in plan.checks if one.key == key]
    assert len(found) == 1, [one.key for one in plan.checks]
    return found[0]


def text(one: Check) -> str:
    return f"{one.title}: {plain(one.fact)}" + (" | " + plain(one.fix) if one.fix is not None else "")


def web_local() -> MigrationFacts:
    vm = guest("web-local", disks=(msgspec.structs.replace(DISK, sr=LOCAL),))
    return facts(vm, xapi=XapiVerdict("VM_REQUIRES_SR", ("web-local", "Local storage")))


def db1() -> MigrationFacts:
    needed = 48 * GIB + 410 * MIB
    vm = guest(
        "db1",
        tags=frozenset({"critical"}),
        hvm=True,
        domain_type="hvm",
        memory_dynamic_min=48 * GIB,
        memory_dynamic_max=48 * GIB,
        memory_static_max=48 * GIB,
        memory_actual=48 * GIB,
        memory_needed=needed,
    )
    free = 21 * GIB + 600 * MIB
    return facts(vm, xapi=XapiVerdict("HOST_NOT_ENOUGH_FREE_MEMORY", (str(needed), str(free))))


def other_pool() -> MigrationFacts:
    target = host(
        2, pool="p-2", cpu_vendor="AuthenticAMD", cpu_model="AMD Opteron 6172", features_hvm="178bfbff-00802009"
    )
    target = msgspec.structs.replace(target, features_pv=target.features_hvm)
    return facts(target=target, target_pool=ALONE, pool_hosts=(host(1), host(3)), xapi=None)


def winxp() -> MigrationFacts:
    vm = guest("winxp", hvm=True, domain_type="hvm", tools=Tools.NONE, can_suspend=False, addresses=())
    return facts(vm, movable=XapiVerdict("VM_LACKS_FEATURE", ("winxp",)))
