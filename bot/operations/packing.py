"""Which guest goes to which host when many leave at once, by what each host can still give."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from bot.domain.guest_facts import LeavingFacts, MigrationFacts
from bot.domain.inventory import Host
from bot.domain.plan import Check, Grade
from bot.operations import migrate

# XAPI is asked about the host that was chosen, not about all of them.
_NOT_ASKED = "xapi"


class Way(msgspec.Struct, frozen=True):
    """Where one guest goes: the facts of that move as they are when its turn comes, and its checks.

    For a guest that can go nowhere these are of the host that comes closest.
    """

    facts: MigrationFacts
    checks: tuple[Check, ...]

    @property
    def open(self) -> bool:
        """Whether nothing stops it."""
        return all(check.grade is not Grade.BLOCKED for check in self.checks)


class _Guest(msgspec.Struct, frozen=True):
    facts: MigrationFacts
    able: tuple[str, ...]
    closest: str


async def ways(leaving: LeavingFacts) -> tuple[Way, ...]:
    """A way for each guest, the biggest first: each to a host that can take it by all checks and has room for it yet.

    The roomiest host takes the next guest; where that leaves some behind, the tightest one that has room is tried.
    """
    hosts = {host.uuid: host for host in leaving.others}
    guests = [await _guest(one, hosts) for one in leaving.guests]
    guests.sort(key=lambda one: (-one.facts.vm.memory_needed, one.facts.vm.name, one.facts.vm.uuid))
    tries = [_assigned(guests, hosts, tight=False)]
    if None in tries[0]:
        tries.append(_assigned(guests, hosts, tight=True))
    best = min(tries, key=lambda one: one.count(None))
    free = {host.uuid: host.memory_free for host in leaving.others}
    found: list[Way] = []
    for one, to in zip(guests, best, strict=True):
        target = to or (min(one.able, key=lambda host: -free[host]) if one.able else one.closest)
        found.append(way(towards(one.facts, hosts[target], free[target])))
        if to is not None:
            free[to] -= max(one.facts.vm.memory_needed, 0)
    return tuple(found)


def towards(facts: MigrationFacts, host: Host, free: int) -> MigrationFacts:
    """The facts of moving that guest to that host once it has only so many bytes to give."""
    return msgspec.structs.replace(facts, target=msgspec.structs.replace(host, memory_free=max(free, 0)), xapi=None)


def way(facts: MigrationFacts) -> Way:
    """The move judged as any migration is; where XAPI was not asked about the host, that is not held against it."""
    checks = migrate.checks_of(facts)
    return Way(facts, tuple(check for check in checks if facts.xapi is not None or check.key != _NOT_ASKED))


async def _guest(facts: MigrationFacts, hosts: Mapping[str, Host]) -> _Guest:
    stops: dict[str, int] = {}
    for uuid, host in hosts.items():
        checks = way(towards(facts, host, host.memory_free)).checks
        stops[uuid] = sum(check.grade is Grade.BLOCKED and check.key != "memory" for check in checks)
    # A large pool takes a while to judge, and others wait for their answers meanwhile.
    await asyncio.sleep(0)
    able = tuple(uuid for uuid, count in stops.items() if count == 0)
    return _Guest(facts, able, min(stops, key=lambda uuid: (stops[uuid], hosts[uuid].name)))


def _assigned(guests: Sequence[_Guest], hosts: Mapping[str, Host], *, tight: bool) -> list[str | None]:
    free = {uuid: host.memory_free for uuid, host in hosts.items()}
    found: list[str | None] = []
    for one in guests:
        need = max(one.facts.vm.memory_needed, 0)
        room = [uuid for uuid in one.able if free[uuid] >= need]
        to = min(room, key=lambda uuid: (free[uuid] if tight else -free[uuid], hosts[uuid].name), default=None)
        if to is not None:
            free[to] -= need
        found.append(to)
    return found
