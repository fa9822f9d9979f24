"""Type-ahead over the live inventory: the objects whose names hold what was typed so far, the likeliest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bot.domain.inventory import Host, PoolView
from bot.domain.message import Option
from bot.domain.texts import clean
from bot.domain.words import power_word
from bot.operations.lookalike import folded
from bot.operations.ports import Fleet

#: Slack takes no more options in one answer.
MOST = 100


def guests(fleet: Fleet, typed: str) -> tuple[Option, ...]:
    """Guests by name or UUID, with where they are."""
    return _likeliest(_guests(fleet.pools()), typed)


def hosts(fleet: Fleet, typed: str, guest: str = "") -> tuple[Option, ...]:
    """Hosts; with a guest (UUID) only the other hosts of its pool."""
    views: Iterable[PoolView] = fleet.pools()
    own = ""
    for view in fleet.pools():
        for vm in view.vms:
            if guest and vm.uuid == guest:
                views, own = [view], vm.host or ""
    return _likeliest((_host(host, view) for view in views for host in view.hosts if host.uuid != own), typed)


def pools(fleet: Fleet, typed: str) -> tuple[Option, ...]:
    """Pools that have been loaded."""
    known = (
        Option(clean(view.name), view.pool.uuid, f"{len(view.hosts)} hosts") for view in fleet.pools() if view.pool
    )
    return _likeliest(known, typed)


def _guests(views: Iterable[PoolView]) -> Iterator[Option]:
    for view in views:
        names = {host.uuid: clean(host.name) for host in view.hosts}
        for vm in view.vms:
            where = f"on {names[vm.host]}" if vm.host in names else power_word(vm.power_state)
            yield Option(clean(vm.name), vm.uuid, f"{where}, pool {clean(view.name)}")


def _host(host: Host, view: PoolView) -> Option:
    state = "silent" if host.silent_since is not None else "" if host.live and host.enabled else "not taking guests"
    note = ", ".join(filter(None, (f"pool {clean(view.name)}", f"{host.guests} guests", state)))
    return Option(clean(host.name), host.uuid, note)


def _likeliest(options: Iterable[Option], typed: str) -> tuple[Option, ...]:
    text = folded(typed.strip())
    ranked = []
    for option in options:
        name = folded(option.label)
        if name.startswith(text):
            rank = 0
        elif text in name:
            rank = 1
        elif option.value.startswith(text):
            rank = 2
        else:
            continue
        ranked.append((rank, name, option.value, option))
    return tuple(option for *_, option in sorted(ranked, key=lambda one: one[:3])[:MOST])
