"""Guests that would disturb another one: those that run with all of its MAC addresses, as a copy of it does."""

from __future__ import annotations

from collections.abc import Iterable

from bot.domain.inventory import FeedState
from bot.xen.faults import NULL_REF
from bot.xen.pool import LivePool
from bot.xen.records import VifRecord, VmRecord


def unseen(pools: Iterable[LivePool]) -> tuple[str, ...]:
    """The names of the pools that were not read yet since the bot's start: nobody knows what runs there."""
    return tuple(pool.name for pool in pools if pool.pool is None)


def twins(pools: Iterable[LivePool], home: LivePool, guest: str) -> dict[str, tuple[str, str]]:
    """Names and pools, by UUID, of the running guests of any pool with all addresses of a guest (by reference).

    As the feeds last had it.
    """
    return _alike(pools, home, guest, running=True)


def asleep(pools: Iterable[LivePool], home: LivePool, guest: str) -> dict[str, tuple[str, str]]:
    """The same of guests that did not run when a pool that answers no more was last heard."""
    lost = (pool for pool in pools if pool is not home and pool.feed.state is FeedState.LOST)
    return _alike(lost, home, guest, running=False)


def _alike(pools: Iterable[LivePool], home: LivePool, guest: str, *, running: bool) -> dict[str, tuple[str, str]]:
    macs = {vif.mac.lower() for vif in home.model.tables.of(VifRecord).values() if vif.vm == guest}
    found: dict[str, tuple[str, str]] = {}
    for pool in pools if macs else ():
        tables = pool.model.tables
        held: dict[str, set[str]] = {}
        for vif in tables.of(VifRecord).values():
            if vif.mac.lower() in macs and not (pool is home and vif.vm == guest):
                held.setdefault(vif.vm, set()).add(vif.mac.lower())
        for ref in (ref for ref, own in held.items() if own == macs):
            vm = tables.get(VmRecord, ref)
            if vm is not None and vm.guest and (vm.resident_on != NULL_REF) is running:
                found[vm.uuid] = (vm.name_label, pool.name)
    return found
