"""NFS servers as they are, whatever the pools believe: what runs there, what they export, and what lies on it.

The switches of a person or a test set these; `rules.nfs_driver` meets them as the storage driver of a real host does.
"""

import errno
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from bot.lab.xapi.clock import Signal
from bot.lab.xapi.values import GIB, Value, stable_uuid
from bot.lab.xapi.world import World, WorldNfsServer
from bot.lab.xapi.world_storage import bare_path, list_nfs_servers


@dataclass
class Export:
    """A directory that an NFS server gives to clients.

    Attributes:
        path: As clients name it.
        size: Bytes of the file system below it.
        clients: Names, addresses and networks of those that may mount it; none for everybody.
        read_only: Whether nobody may write.
        root_squash: Whether the superuser of a client is nobody there, who may not write.
        is_missing: Whether the server does not export it now.
        is_full: Whether others have filled the file system.
        foreign: Bytes that are no disks of repositories.
        repositories: UUIDs of the repositories that have a directory there, in the order in which they were made.
    """

    path: str
    size: int
    clients: tuple[str, ...] = ()
    read_only: bool = False
    root_squash: bool = False
    is_missing: bool = False
    is_full: bool = False
    foreign: int = 0
    repositories: dict[str, None] = field(default_factory=dict)

    @property
    def refusal(self) -> int:
        """Returns the number of the error that whoever writes there gets from the system, or 0."""
        if self.read_only:
            return errno.EROFS
        return errno.EACCES if self.root_squash else 0

    def admits(self, name: str, address: str) -> bool:
        """Tells whether a client may mount it."""
        return not self.clients or any(_means(client, name, address) for client in self.clients)


def _means(client: str, name: str, address: str) -> bool:
    if client in {"*", name, address}:
        return True
    try:
        return ip_address(address) in ip_network(client, strict=False)
    except ValueError:  # a name of somebody else
        return False


@dataclass
class NfsServer:
    """An NFS server.

    Attributes:
        name: Its name, which hosts can resolve or cannot.
        address: Its address, which is always understood.
        versions: Versions of the protocol that it speaks: `3`, `4`.
        runs_rpcbind: Whether it tells on which ports its services are; version 3 cannot be mounted without.
        runs_nfs: Whether anybody listens on port 2049.
        is_known: Whether hosts can resolve its name.
        is_hung: Whether it takes connections and answers nothing.
        is_slow: Whether everything takes many times as long.
        turned: Fires when somebody turns one of its switches.
    """

    name: str
    address: str
    versions: tuple[str, ...]
    exports: list[Export]
    runs_rpcbind: bool = True
    runs_nfs: bool = True
    is_known: bool = True
    is_hung: bool = False
    is_slow: bool = False
    turned: Signal = field(default_factory=Signal)

    def find_export(self, path: str) -> Export | None:
        """Returns what the server exports under a path now."""
        wanted = bare_path(path)
        return next((one for one in self.exports if one.path == wanted and not one.is_missing), None)

    def describe(self) -> dict[str, Value]:
        """Returns it for the state of the datacentre."""
        return {
            "name": self.name,
            "address": self.address,
            "versions": list(self.versions),
            "rpcbind": "running" if self.runs_rpcbind else "stopped",
            "nfs": "running" if self.runs_nfs else "stopped",
            "known": self.is_known,
            "gone": self.is_hung,
            "speed": "slow" if self.is_slow else "normal",
            "exports": [
                {
                    "path": one.path,
                    "size": one.size,
                    "clients": list(one.clients),
                    "there": not one.is_missing,
                    "read_only": one.read_only,
                    "root_squash": one.root_squash,
                    "full": one.is_full,
                    "repositories": list(one.repositories),
                }
                for one in self.exports
            ],
        }


@dataclass
class Outside:
    """What is outside the records of every pool, and there for all of them.

    Attributes:
        nfs_servers: By name.
        disks: Disks whose records were removed and whose data are still there, by UUID: the UUID of the repository
            and the fields.
        deleted: UUIDs of disks that somebody deleted: other pools with a record of one lose it at their next scan.
        sizes: Bytes of the repositories that were removed and can be introduced again, by UUID.
    """

    nfs_servers: dict[str, NfsServer] = field(default_factory=dict)
    disks: dict[str, tuple[str, dict[str, Value]]] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    sizes: dict[str, int] = field(default_factory=dict)

    def find_server(self, text: str) -> NfsServer | None:
        """Returns the NFS server of a name, if that can be resolved, or of an address."""
        for server in self.nfs_servers.values():
            if text == server.address or (text.lower() == server.name.lower() and server.is_known):
                return server
        return None

    def find_export(self, config: dict[str, str]) -> tuple[NfsServer, Export] | None:
        """Returns where the `device_config` of a mounted repository leads, whether it is exported now or not."""
        for server in self.nfs_servers.values():
            if config.get("server", "").lower() in {server.name.lower(), server.address}:
                wanted = bare_path(config.get("serverpath", ""))
                return next(((server, one) for one in server.exports if one.path == wanted), None)
        return None


def make_outside(world: World) -> Outside:
    """Returns the NFS servers of a world, all of them well."""
    servers = list_nfs_servers(world)
    return Outside(
        {server.name: _make_server(server) for server in servers},
        dict(disk for server in servers for disk in _list_disks(server)),
    )


def _make_server(server: WorldNfsServer) -> NfsServer:
    exports = [
        Export(
            bare_path(one.path),
            one.size_gib * GIB,
            clients=one.clients,
            read_only=one.read_only,
            root_squash=one.root_squash,
        )
        for one in server.exports
    ]
    made = NfsServer(server.name, server.address, server.versions, exports)
    for export, described in zip(exports, server.exports, strict=True):
        export.repositories = {name_repository(server.name, one.name): None for one in described.repositories}
    return made


def name_repository(server: str, name: str) -> str:
    """Returns the UUID of a repository that a world puts on a server."""
    return stable_uuid("repository", server, name)


def _list_disks(server: WorldNfsServer) -> Iterator[tuple[str, tuple[str, dict[str, Value]]]]:
    """Returns the disks of the repositories that a world puts on a server, as `Outside.disks` has them."""
    for repository in (one for export in server.exports for one in export.repositories):
        for number, size in enumerate(repository.disks_gib):
            uuid = stable_uuid("VDI", server.name, repository.name, str(number))
            fields = {
                "uuid": uuid,
                "virtual_size": size * GIB,
                "used": size * GIB // 4,
                "type": "user",
                "sm_config": {"vdi_type": "vhd"},
                "managed": True,
                "read_only": False,
            }
            yield uuid, (name_repository(server.name, repository.name), fields)
