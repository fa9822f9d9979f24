"""Turns the switches of NFS servers, and shows in the records of repositories what hosts see of it at once."""

from bot.lab.xapi.meddling import SwitchNfs
from bot.lab.xapi.nfs import Export, NfsServer, Outside
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.nfs_mounts import find_export
from bot.lab.xapi.rules.storage_figures import count_used


def turn(pools: list[Pool], outside: Outside, control: SwitchNfs) -> None:
    """Does what a request says.

    Args:
        pools: All pools.
        outside: The servers.
        control: The request.

    Raises:
        ValueError: There is no such server or export.
    """
    server = outside.nfs_servers.get(control.server)
    if server is None:
        raise ValueError(f"There is no NFS server {control.server!r}.")
    exports = [one for one in server.exports if control.path in {"", one.path}]
    if not exports:
        raise ValueError(f"NFS server {server.name!r} has no export {control.path!r}.")
    _turn_server(server, control)
    for export in exports:
        _turn_export(export, control)
        if control.full is not None:
            _show_use(pools, export)
    server.turned.fire()


def _turn_server(server: NfsServer, control: SwitchNfs) -> None:
    if control.rpcbind is not None:
        server.runs_rpcbind = control.rpcbind == "running"
    if control.nfs is not None:
        server.runs_nfs = control.nfs == "running"
    if control.address is not None:
        server.is_known = control.address == "known"
    if control.gone is not None:
        server.is_hung = control.gone
    if control.speed is not None:
        server.is_slow = control.speed == "slow"


def _turn_export(export: Export, control: SwitchNfs) -> None:
    if control.export is not None:
        export.is_missing = control.export == "missing"
    if control.root_squash is not None:
        export.root_squash = control.root_squash
    if control.read_only is not None:
        export.read_only = control.read_only
    if control.full is not None:
        export.is_full = control.full
    if control.clients is not None:
        export.clients = tuple(control.clients)


def _show_use(pools: list[Pool], export: Export) -> None:
    """Lets a file system that is full refuse what is made there, without a scan before."""
    for pool in pools:
        for storage in pool.database.refs("SR"):
            found = find_export(pool, storage)
            if found is not None and found[1] is export:
                size = pool.database.get("SR", storage, "physical_size")
                used = max(0, min(size, count_used(pool, export)))
                pool.database.set("SR", storage, physical_utilisation=used)
