"""Facts of a host that is to be emptied: three hosts, and guests on the first."""

from __future__ import annotations

from typing import Any

import migration_facts as world
import msgspec
from migration_facts import GIB, facts, guest, host

from bot.domain.guest_facts import LeavingFacts, MigrationFacts, Residents, Whereabouts, XapiVerdict
from bot.domain.inventory import Host, Vm
from bot.errors import NotFound

ALL = frozenset({"h-1", "h-3", "h-4"})
NETWORK = msgspec.structs.replace(world.NETWORK, hosts=ALL)
ROOT = msgspec.structs.replace(world.DISK, sr=msgspec.structs.replace(world.NFS, hosts=ALL))


def running(name: str, gib: int = 1, **changes: Any) -> Vm:
    """A guest that may go anywhere, unless changed."""
    made = {"uuid": f"vm-{name}", "memory_needed": gib * GIB, "networks": (NETWORK,), "disks": (ROOT,)}
    return guest(name, **{**made, "memory_actual": gib * GIB, **changes})


GUESTS = (running("web1", 8), running("web2", 4), running("web3", 2))
LOCAL = running("web-local", disks=(msgspec.structs.replace(world.DISK, sr=world.LOCAL),))


def leaving(*guests: Vm, others: tuple[Host, ...] = (), **changes: Any) -> LeavingFacts:
    """What is read of xenserver1."""
    here = host(1, **changes)
    others = others or (host(3, memory_free=20 * GIB), host(4, memory_free=16 * GIB))
    read = [
        facts(
            vm,
            here,
            source=here,
            pool_hosts=(here, *others),
            xapi=None,
            neighbours=tuple(one for one in guests if one is not vm),
        )
        for vm in guests
    ]
    return LeavingFacts(world.POOL, here, others, tuple(read))


class Reads:
    """The direct reads of such a pool; each attribute may be changed between two plans."""

    def __init__(self, read: LeavingFacts) -> None:
        self.read = read
        self.refused: dict[str, XapiVerdict] = {}
        self.elsewhere: dict[str, Whereabouts] = {}
        self.away: dict[str, MigrationFacts] = {}
        self.asked = 0

    async def leaving(self, host: str) -> LeavingFacts:
        assert host == self.read.host.uuid
        return self.read

    async def verdicts(self, pairs: list[tuple[str, str]]) -> tuple[XapiVerdict, ...]:
        self.asked += len(pairs)
        return tuple(self.refused.get(vm, XapiVerdict("")) for vm, _ in pairs)

    async def migration(self, vm: str, host: str) -> MigrationFacts:
        if vm in self.away:
            return self.away[vm]
        found = next((one for one in self.read.guests if one.vm.uuid == vm), None)
        if found is None:
            raise NotFound("guest", vm)
        target = next(one for one in self.read.others if one.uuid == host)
        return msgspec.structs.replace(found, target=target, xapi=XapiVerdict(""))

    async def residents(self, pool: str, host: str) -> Residents:
        assert pool == self.read.pool.uuid
        return Residents(self.read.host.enabled, {one.vm.uuid: one.vm.name for one in self.read.guests})

    async def whereabouts(self, pool: str, vm: str) -> Whereabouts:
        assert pool == self.read.pool.uuid
        return self.elsewhere[vm]
