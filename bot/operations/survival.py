"""What a pool is like by memory, and whether it would survive the loss of a host: the what-if on every card.

Memory decides here as it does for XAPI: each guest counts with what a host must have free to take it. Storage, networks
and CPUs are not compared, so "survives" says no more than that the memory is there.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from bot.domain.guest_facts import MigrationFacts
from bot.domain.inventory import Host, Vm


@dataclass(frozen=True)
class Layout:
    """What each usable host could still give, and what the guests of each host need, smallest first; bytes by UUID.

    A host that takes no guests (disabled, silent) has no entry in `free`: nobody counts on it, nor on losing it.
    """

    free: Mapping[str, int]
    needs: Mapping[str, Sequence[int]]

    def moved(self, need: int, source: str, target: str) -> Layout:
        """The layout with one guest of that size elsewhere."""
        free = dict(self.free)
        for host, change in ((source, need), (target, -need)):
            if host in free:
                free[host] += change
        left, more = list(self.needs.get(source, ())), list(self.needs.get(target, ()))
        at = bisect_left(left, need)
        if left[at : at + 1] == [need]:
            del left[at]
        insort(more, need)
        return Layout(free, {**self.needs, source: left, target: more})

    @cached_property
    def frail(self) -> frozenset[str]:
        """The hosts whose loss the others could not make up for."""
        return frozenset(host for host in self.free if not self._holds(host))

    def _holds(self, lost: str) -> bool:
        needs = self.needs.get(lost, ())
        if not needs:
            return True
        room = [free for host, free in self.free.items() if host != lost]
        # Most pools are far from either edge; only the others are worth a try at packing.
        if not room or sum(needs) > sum(room) or needs[-1] > max(room):
            return False
        if sum(needs) <= max(room):
            return True
        return _spread(reversed(needs), room) or _packed(reversed(needs), room)


def leftover(guests: Iterable[Vm], room: Iterable[int]) -> list[Vm]:
    """The guests that find no place when the largest chooses first, each the roomiest host; room in bytes."""
    left = sorted(room)
    without = []
    for vm in sorted(guests, key=lambda one: (-one.memory_needed, one.name)):
        if not left or left[-1] < vm.memory_needed:
            without.append(vm)
        else:
            insort(left, left.pop() - vm.memory_needed)
    return without


def layout(facts: MigrationFacts, homes: Mapping[str, str]) -> Layout:
    """The pool of these facts with the guests of `homes` where they ran before other jobs of ours moved them."""
    hosts = [host for host in (*facts.pool_hosts, facts.target) if host.pool == facts.vm.pool]
    return layout_of(hosts, (facts.vm, *facts.neighbours), homes)


def layout_of(hosts: Iterable[Host], guests: Iterable[Vm], homes: Mapping[str, str]) -> Layout:
    """These hosts of one pool with its running guests, those of `homes` as in `layout`."""
    free = {host.uuid: host.memory_free for host in hosts if _takes_guests(host)}
    needs: dict[str, list[int]] = {}
    moved: list[tuple[int, str, str]] = []
    for vm in guests:
        if vm.host is None:
            continue
        need = max(vm.memory_needed, 0)
        needs.setdefault(vm.host, []).append(need)
        home = homes.get(vm.uuid)
        if home is None:
            continue
        # On its way a guest takes memory of both ends; afterwards of the one where it is.
        if vm.scheduled_host is not None and vm.scheduled_host != vm.host and vm.scheduled_host in free:
            free[vm.scheduled_host] += need
        if vm.host != home:
            moved.append((need, vm.host, home))
    for sizes in needs.values():
        sizes.sort()
    now = Layout(free, needs)
    for need, here, home in moved:
        now = now.moved(need, here, home)
    return now


def _takes_guests(host: Host) -> bool:
    return host.enabled and host.answers


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
        place = bisect_left(left, need)
        if place == len(left):
            return False
        insort(left, left.pop(place) - need)
    return True
