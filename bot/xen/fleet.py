"""Looking things up over all pools, in memory: the `Fleet` port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from bot.domain.inventory import FeedState, Host, PoolView, PowerState, Sr, Vm
from bot.errors import NotFound
from bot.xen.model import Inventory
from bot.xen.names import Named, Names
from bot.xen.pool import LivePool

_T = TypeVar("_T")


class LiveFleet:
    """Look-ups in the newest inventories; the indexes are made when first needed after a change."""

    def __init__(self, pools: Sequence[LivePool]) -> None:
        self._pools = pools
        self._of: tuple[Inventory, ...] = ()
        self._guests: Names[Vm] | None = None
        self._hosts: Names[Host] | None = None
        self._srs: Names[Sr] | None = None

    def pools(self) -> tuple[PoolView, ...]:
        """Every configured pool, in the configured order."""
        return tuple(pool.view() for pool in self._pools)

    def pool(self, text: str) -> PoolView:
        """The pool of that name (in the configuration or in XAPI) or UUID. Raises NotFound, Ambiguous."""
        named = []
        for view in self.pools():
            names = [view.name]
            if view.pool is not None and view.pool.label:
                names.append(view.pool.label)
            uuid = view.pool.uuid if view.pool is not None else ""
            named.append(Named(uuid, tuple(names), f"{len(view.hosts)} hosts", view))
        return self._find(Names("pool", named), text)

    def vm(self, text: str) -> Vm:
        """The guest meant. Raises NotFound, Ambiguous."""
        self._refresh()
        if self._guests is None:
            self._guests = Names("guest", self._named_guests())
        return self._find(self._guests, text)

    def host(self, text: str) -> Host:
        """The host meant. Raises NotFound, Ambiguous."""
        self._refresh()
        if self._hosts is None:
            self._hosts = Names(
                "host",
                (
                    Named(host.uuid, (host.name, host.address), f"in pool {pool.name}", host)
                    for pool in self._pools
                    for host in pool.model.inventory.hosts
                    # One that joined only half-way is there twice, and here nothing can be done with it.
                    if not host.half_joined
                ),
            )
        return self._find(self._hosts, text)

    def sr(self, text: str) -> Sr:
        """The storage repository meant. Raises NotFound, Ambiguous."""
        self._refresh()
        if self._srs is None:
            self._srs = Names("SR", self._named_srs())
        return self._find(self._srs, text)

    def _refresh(self) -> None:
        newest = tuple(pool.model.inventory for pool in self._pools)
        if len(newest) != len(self._of) or any(new is not old for new, old in zip(newest, self._of, strict=True)):
            self._of = newest
            self._guests = self._hosts = self._srs = None

    def _named_guests(self) -> list[Named[Vm]]:
        named = []
        for pool in self._pools:
            inventory = pool.model.inventory
            hosts = {host.uuid: host.name for host in inventory.hosts}
            for vm in inventory.vms:
                where = f"on {hosts[vm.host]}" if vm.host in hosts else _STATES.get(vm.power_state, "not running")
                named.append(Named(vm.uuid, (vm.name,), f"{where}, pool {pool.name}", vm))
        return named

    def _named_srs(self) -> list[Named[Sr]]:
        named = []
        for pool in self._pools:
            inventory = pool.model.inventory
            hosts = {host.uuid: host.name for host in inventory.hosts}
            for sr in inventory.srs:
                plugged = sorted(hosts[uuid] for uuid in sr.hosts if uuid in hosts)
                where = "shared" if sr.shared else f"on {plugged[0]}" if plugged else "not plugged"
                named.append(Named(sr.uuid, (sr.name,), f"{where}, pool {pool.name}", sr))
        return named

    def _find(self, names: Names[_T], text: str) -> _T:
        try:
            return names.find(text)
        except NotFound as error:
            missing = [pool.name for pool in self._pools if pool.view().state is FeedState.LOADING]
            if missing:
                error.fix = f"Not loaded yet: {', '.join(missing)}. It may be there."
            raise


_STATES = {PowerState.SUSPENDED: "suspended", PowerState.HALTED: "halted"}
