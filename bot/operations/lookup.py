"""Type-ahead over the live inventory: the objects whose names hold what was typed so far, the likeliest first."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from bot.domain.catalogue import Backup, BackupState
from bot.domain.inventory import Host, Network, PoolView, Sr, Vm
from bot.domain.message import Option
from bot.domain.texts import clean, plain, say, size, span
from bot.domain.words import counted, power_word
from bot.operations.lookalike import folded
from bot.operations.ports import Fleet
from bot.operations.space import free_on, holds_disks

#: Slack takes no more options in one answer.
MOST = 100
# Two of them, the start of a UUID and what stands between fit a label.
_PART = 30


class _Found(NamedTuple):
    name: str
    uuid: str
    where: Callable[[], str]


def guests(fleet: Fleet, typed: str) -> tuple[Option, ...]:
    """Guests by name or UUID, with where they are."""
    return _likeliest((found for view in fleet.pools() for found in _guests(view)), typed)


def hosts(fleet: Fleet, typed: str, guest: str = "") -> tuple[Option, ...]:
    """Hosts; with a guest (UUID) only the other hosts of its pool."""
    views: Iterable[PoolView] = fleet.pools()
    own = ""
    for view in fleet.pools():
        for vm in view.vms:
            if guest and vm.uuid == guest:
                views, own = [view], vm.host or ""
    return _likeliest((_host(host, view) for view in views for host in view.hosts if host.uuid != own), typed)


def srs(fleet: Fleet, typed: str, guest: str = "", seen_by: str | None = None) -> tuple[Option, ...]:
    """SRs that hold disks; with a guest (UUID) only those its pool has, or its own host sees while it runs.

    Where it goes to another host it is that one, `seen_by` (UUID, "" for any host), that must see them.
    """
    views: Iterable[PoolView] = fleet.pools()
    own = ""
    for view in fleet.pools():
        for vm in view.vms:
            if guest and vm.uuid == guest:
                views, own = [view], vm.host or ""
    own = own if seen_by is None else seen_by
    return _likeliest(
        (_sr(sr, view) for view in views for sr in view.srs if holds_disks(sr) and (not own or own in sr.hosts)), typed
    )


def pools(fleet: Fleet, typed: str) -> tuple[Option, ...]:
    """Pools that have been loaded."""
    return _likeliest((_pool(view, view.pool.uuid) for view in fleet.pools() if view.pool is not None), typed)


def networks(fleet: Fleet, typed: str, host: str = "") -> tuple[Option, ...]:
    """Networks; with a host (UUID) only those of its pool."""
    views = [view for view in fleet.pools() if not host or any(one.uuid == host for one in view.hosts)]
    return _likeliest((_network(network, view) for view in views for network in view.networks), typed)


def backups(known: Sequence[Backup], typed: str, now: float) -> tuple[Option, ...]:
    """Backups by the guest's name or by id, the newest of each guest first."""
    text = folded(typed.strip())
    fit = [one for one in known if text in folded(one.name) or one.id.startswith(text)]
    fit.sort(key=lambda one: -one.at)
    fit.sort(key=lambda one: (not folded(one.name).startswith(text), folded(one.name), one.guest))
    return tuple(Option(clean(one.name), one.id, _made(one, now)) for one in fit[:MOST])


def _made(one: Backup, now: float) -> str:
    state = "found whole" if one.good else one.state.value if one.state is not BackupState.WHOLE else "never verified"
    return f"{span(max(0.0, now - one.at))} old, {size(one.size)}, {state}"


def _network(network: Network, view: PoolView) -> _Found:
    def where() -> str:
        reach = (
            "internal"
            if network.internal
            else plain(say("on {hosts}", hosts=counted(len(network.hosts), "host", "hosts")))
        )
        return f"{reach}, pool {clean(view.name)}"

    return _Found(network.name, network.uuid, where)


def _pool(view: PoolView, uuid: str) -> _Found:
    return _Found(view.name, uuid, lambda: f"{len(view.hosts)} hosts")


def _guests(view: PoolView) -> Iterator[_Found]:
    names = {host.uuid: host.name for host in view.hosts}
    for vm in view.vms:
        yield _Found(vm.name, vm.uuid, partial(_where, vm, names, view.name))


def _where(vm: Vm, names: Mapping[str, str], pool: str) -> str:
    host = names.get(vm.host or "")
    place = f"on {clean(host)}" if host is not None else power_word(vm.power_state)
    return f"{place}, pool {clean(pool)}"


def _host(host: Host, view: PoolView) -> _Found:
    def where() -> str:
        state = "silent" if host.silent_since is not None else "" if host.live and host.enabled else "not taking guests"
        return ", ".join(filter(None, (f"pool {clean(view.name)}", f"{host.guests} guests", state)))

    return _Found(host.name, host.uuid, where)


def _sr(sr: Sr, view: PoolView) -> _Found:
    def where() -> str:
        free = f"{size(left)} free" if (left := free_on(sr)) is not None else "free space unknown"
        return f"{'shared' if sr.shared else 'local'}, {free}, pool {clean(view.name)}"

    return _Found(sr.name, sr.uuid, where)


def _likeliest(found: Iterable[_Found], typed: str) -> tuple[Option, ...]:
    """The first hundred: names that begin so, names that hold it, UUIDs that begin so; only these are described."""
    text = folded(typed.strip())
    ranked = ((rank, folded(one.name), one) for one in found if (rank := _rank(one, text)) is not None)
    best = heapq.nsmallest(MOST, ranked, key=lambda each: (each[0], each[1], each[2].uuid))
    shared = Counter(name for _, name, _ in best)
    return tuple(_option(one, shared=shared[name] > 1) for _, name, one in best)


def _option(one: _Found, *, shared: bool) -> Option:
    """One choice; where others go by the name too the label itself says which, since only it is seen once chosen."""
    where = one.where()
    if not shared:
        return Option(clean(one.name), one.uuid, where)
    return Option(f"{clean(one.name, limit=_PART)} · {clean(where, limit=_PART)} · {one.uuid[:8]}", one.uuid, where)


def _rank(one: _Found, text: str) -> int | None:
    name = folded(one.name)
    if name.startswith(text):
        return 0
    if text in name:
        return 1
    return 2 if one.uuid.startswith(text) else None
