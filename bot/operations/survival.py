"""What a pool is like by memory, and whether it would survive the loss of a host: the what-if on every card.

Memory decides here as it does for XAPI: each guest counts with what a host must have free to take it. Storage, networks
and CPUs are not compared, so "survives" says no more than that the memory is there.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from bot.domain.inventory import Host, MigrationFacts


@dataclass(frozen=True)
class Layout:
    """Which running guest is where, and what each usable host could still give; UUIDs and bytes."""

    free: Mapping[str, int]
    at: Mapping[str, str]
    needs: Mapping[str, int]

    def moved(self, vm: str, to: str) -> Layout:
        """The layout with one guest elsewhere; a host that takes none (disabled, silent) gains and loses nothing."""
        free = dict(self.free)
        for host, change in ((self.at.get(vm, ""), self.needs[vm]), (to, -self.needs[vm])):
            if host in free:
                free[host] += change
        return replace(self, free=free, at={**self.at, vm: to})

    def frail(self) -> frozenset[str]:
        """The hosts whose loss the others could not make up for."""
        guests: dict[str, list[int]] = {}
        for vm, host in self.at.items():
            guests.setdefault(host, []).append(self.needs[vm])
        return frozenset(host for host in self.free if not self._holds(host, guests.get(host, [])))

    def _holds(self, lost: str, needs: list[int]) -> bool:
        room = [free for host, free in self.free.items() if host != lost]
        ordered = sorted(needs, reverse=True)
        return _spread(ordered, room) or _packed(ordered, room)


def layout(facts: MigrationFacts, homes: Mapping[str, str]) -> Layout:
    """The pool of these facts with the guests of `homes` where they ran before other jobs of ours moved them."""
    hosts = {host.uuid: host for host in (*facts.pool_hosts, facts.target) if host.pool == facts.vm.pool}
    free = {uuid: host.memory_free for uuid, host in hosts.items() if _takes_guests(host)}
    running = [vm for vm in (facts.vm, *facts.neighbours) if vm.host is not None]
    now = Layout(
        free, {vm.uuid: vm.host or "" for vm in running}, {vm.uuid: max(vm.memory_needed, 0) for vm in running}
    )
    for vm in facts.neighbours:
        home = homes.get(vm.uuid)
        if home is None or vm.host is None:
            continue
        # On its way a guest takes memory of both ends; afterwards of the one where it is.
        if vm.scheduled_host not in {None, vm.host} and vm.scheduled_host in now.free:
            now = replace(now, free={**now.free, vm.scheduled_host: now.free[vm.scheduled_host] + now.needs[vm.uuid]})
        if vm.host != home:
            now = now.moved(vm.uuid, home)
    return now


def _takes_guests(host: Host) -> bool:
    return host.enabled and host.live and host.silent_since is None


def _spread(needs: Iterable[int], room: Iterable[int]) -> bool:
    """The largest guest to the roomiest host, again and again."""
    heap = [-free for free in room]
    heapq.heapify(heap)
    for need in needs:
        if not heap or -heap[0] < need:
            return False
        heapq.heapreplace(heap, heap[0] + need)
    return True


def _packed(needs: Iterable[int], room: Iterable[int]) -> bool:
    """The largest guest to the tightest host that takes it: finds some fits that spreading misses."""
    left = sorted(room)
    for need in needs:
        place = next((index for index, free in enumerate(left) if free >= need), None)
        if place is None:
            return False
        left[place] -= need
        left.sort()
    return True
