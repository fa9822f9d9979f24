"""NFS servers in worlds: those that a file describes, those that its storage implies, and what cannot be of them."""

from collections import Counter
from collections.abc import Iterator

from bot.lab.xapi.values import is_address
from bot.lab.xapi.world import World, WorldExport, WorldNfsServer, WorldStorage


def bare_path(path: str) -> str:
    """Returns the path of an export, or of storage on one, without a final slash; the root has no other name."""
    return path.rstrip("/") or "/"


def list_nfs_servers(world: World) -> list[WorldNfsServer]:
    """Returns every NFS server: those described, and one for each name that only storage of type nfs gives."""
    described = {key for server in world.nfs_servers for key in (server.name, server.address) if key}
    implied: dict[str, dict[str, int]] = {}
    for storage in world.storage:
        name, path = storage.device_config.get("server", ""), storage.device_config.get("serverpath", "")
        if storage.type == "nfs" and name and path and name not in described:
            sizes = implied.setdefault(name, {})
            sizes[path] = max(storage.size_gib, sizes.get(path, 0))
    return [
        *world.nfs_servers,
        *(
            WorldNfsServer(name=name, exports=tuple(WorldExport(path, size) for path, size in sizes.items()))
            for name, sizes in implied.items()
        ),
    ]


def check_nfs(world: World) -> Iterator[str]:
    """Returns a sentence for each thing about NFS servers that cannot be."""
    names = Counter(key for server in world.nfs_servers for key in {server.name, server.address} if key)
    for name, times in names.items():
        if times > 1:
            yield f"Two NFS servers are called {name!r}."
    servers = {key: server for server in world.nfs_servers for key in (server.name, server.address) if key}
    for server in world.nfs_servers:
        yield from _check_server(server)
    for storage in world.storage:
        if storage.type == "nfs" and storage.device_config.get("server") in servers:
            yield from _check_storage(storage, servers[storage.device_config["server"]])


def _check_server(server: WorldNfsServer) -> Iterator[str]:
    if not server.name.strip():
        yield "The name of an NFS server is empty."
    if not server.versions:
        yield f"NFS server {server.name!r} speaks no version."
    if server.address and not is_address(server.address):
        yield f"The address of NFS server {server.name!r} is none."
    for path, times in Counter(bare_path(export.path) for export in server.exports).items():
        if times > 1:
            yield f"NFS server {server.name!r} exports {path!r} twice."
    for export in server.exports:
        if not export.path.startswith("/"):
            yield f"NFS server {server.name!r} exports {export.path!r}, which is no path from the root."
    for name, times in Counter(one.name for export in server.exports for one in export.repositories).items():
        if times > 1:
            yield f"Two repositories on NFS server {server.name!r} are called {name!r}."


def _check_storage(storage: WorldStorage, server: WorldNfsServer) -> Iterator[str]:
    path = bare_path(storage.device_config.get("serverpath", ""))
    export = next((one for one in server.exports if bare_path(one.path) == path), None)
    if export is None:
        yield f"Storage {storage.name!r} is on {path!r}, which NFS server {server.name!r} does not export."
    elif export.size_gib != storage.size_gib:
        yield f"Storage {storage.name!r} has {storage.size_gib} GiB, the file system it is on {export.size_gib}."
