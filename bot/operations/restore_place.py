"""To which pool a restore goes: that of the host or the storage that were named, else the one the guest came from."""

from __future__ import annotations

from bot.domain.catalogue import Backup
from bot.domain.inventory import Host, PoolView, Sr
from bot.domain.texts import clean
from bot.errors import CannotTell, Refused
from bot.operations.ports import Fleet
from bot.operations.space import free_on, holds_disks


def pool_for(backup: Backup, host: Host | None, sr: Sr | None, fleet: Fleet) -> PoolView:
    """The pool. Raises Refused where host and storage are of different pools, or none of the bot's is meant.

    Raises CannotTell while it has not been loaded.
    """
    views = fleet.pools()
    at_host = next((view for view in views if host is not None and _has(view, host.pool)), None)
    at_sr = next((view for view in views if sr is not None and sr.uuid in {one.uuid for one in view.srs}), None)
    if at_host is not None and at_sr is not None and at_host.name != at_sr.name:
        raise Refused(
            f"“{clean(at_host.name)}” is the pool of that host, “{clean(at_sr.name)}” that of that SR.",
            "Name a host and an SR of one pool.",
        )
    found = at_host or at_sr or next((view for view in views if _has(view, backup.pool)), None)
    if found is not None:
        return found
    loading = [view.name for view in views if view.pool is None]
    if loading:
        raise CannotTell(f"pool {', '.join(loading)} has not been loaded")
    raise Refused(
        f"The backup is of pool “{clean(backup.pool_name)}”, which is none of mine."
        if backup.pool_name
        else "The backup came from elsewhere, so that no pool is its own.",
        "Name a host or an SR to restore to: `on <host>`, `sr <sr>`.",
    )


def storage_for(host: Host, fleet: Fleet) -> str:
    """The SR (UUID) for disks that come to a host: its pool's default where the host sees it, else the roomiest.

    "" where it sees none.
    """
    view = next((view for view in fleet.pools() if _has(view, host.pool)), None)
    if view is None or view.pool is None:
        return ""
    seen = [sr for sr in view.srs if host.uuid in sr.hosts and holds_disks(sr)]
    default = view.pool.default_sr
    seen.sort(key=lambda sr: (sr.uuid != default, -(free_on(sr) or 0), sr.name))
    return seen[0].uuid if seen else ""


def _has(view: PoolView, uuid: str) -> bool:
    return view.pool is not None and view.pool.uuid == uuid
