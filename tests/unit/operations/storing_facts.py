"""Facts for adding NFS storage to the small world of the other tests, to be changed one by one."""

from __future__ import annotations

from typing import Any

import msgspec
from migration_facts import POOL, host

from bot.domain.plan import Plan
from bot.domain.policy import ApprovalSettings
from bot.domain.storing import Defaults, Export, Holder, NfsFacts, NfsPlace, Probed
from bot.domain.texts import plain
from bot.operations import sr_add
from bot.operations.sr_add_checks import Wish

FIRST, THIRD = host(1), host(3)
PLACE = NfsPlace("nfsserver", "/home/vms")
LISTED = (Export("/home/test", "*"), Export("/home/vms", "192.0.2.1"))
FOUND = "6a1e1d0c-1111-4222-8333-444455556666"
MOUNT_32 = ("", "NFS mount error [opterr=mount failed on server `nfsserver` with return code 32]", "")
NOT_GRANTED = {"code": "SR_BACKEND_FAILURE_73", "params": MOUNT_32}


def well(**changes: Any) -> tuple[Probed, ...]:
    return tuple(Probed(one, **changes) for one in (FIRST, THIRD))


def facts(*probes: Probed, **changes: Any) -> NfsFacts:
    made = NfsFacts(
        pool=POOL,
        hosts=(FIRST, THIRD),
        place=PLACE,
        probes=probes or well(),
        holders=(),
        unsure=(),
        names=frozenset({"nfs-vhd", "Local storage"}),
        listed=frozenset({"h-1", "h-3"}),
        defaults=Defaults("sr-nfs", "", "sr-nfs"),
    )
    return msgspec.structs.replace(made, **changes)


def found(*holders: Holder, **changes: Any) -> NfsFacts:
    return facts(*well(found=(FOUND,)), holders=holders, **changes)


def decided(read: NfsFacts, **wish: Any) -> Plan:
    return sr_add.decide(read, Wish(**{"name": "nfs-vms", **wish}), ApprovalSettings())


def told(plan: Plan) -> str:
    """What stops it, and what mends that."""
    return " ".join(f"{plain(one.fact)}. {plain(one.fix)}" for one in plan.blocked if one.fix is not None)
