"""What the storage driver for NFS does on a host: finds the server, mounts, looks, writes; and how it fails.

Codes and texts are those of a real driver: it resolves the name (140), tries port 2049 (108), looks at what it was
told (101), asks for versions (72), mounts (73), and then finds out whether it may write (461, 88).
"""

import errno
import html
from typing import Final

from bot.lab.xapi.archive.ova import find_version
from bot.lab.xapi.calls import Context
from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import ApiError, driver_failure
from bot.lab.xapi.nfs import Export, NfsServer
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.nfs_mounts import wait_for_answer
from bot.lab.xapi.values import is_address

_CONNECT_S: Final = 2.0  # how long the driver tries to connect
_MOUNT_S: Final = 0.7
_DEFAULT_VERSION: Final = "3"
# Before it, the driver found out at the mount only that a server does not speak its version.
_LOOKS_AT_VERSIONS: Final = (25, 0)


async def find_server(context: Context, config: dict[str, str]) -> NfsServer:
    """Finds the server that a `device_config` names and tries its port; hangs while it answers nothing.

    Raises:
        ApiError: `SR_BACKEND_FAILURE_102` without a server, `_140` for a name that cannot be resolved, `_108` where
            nobody listens.
    """
    pool, name = context.pool, config.get("server", "")
    if not name:
        raise driver_failure(102, "The request is missing the server parameter")
    server = pool.outside.find_server(name)
    if server is None and not is_address(name):
        raise driver_failure(140, "Incorrect DNS name, unable to resolve.")
    if server is not None:
        await wait_for_answer(pool, server)
    if server is None or not server.runs_nfs:
        await pool.clock.sleep(_CONNECT_S if server is None else 0.0)
        raise driver_failure(108, "Unable to detect an NFS service on this target.")
    return server


async def probe(context: Context, host: str, config: dict[str, str]) -> str:
    """Looks from a host at what is on a server; returns the repositories found there as XML.

    Raises:
        ApiError: As `find_server` and `mount`; `SR_BACKEND_FAILURE_101` without a path, with the list of exports.
    """
    server = await find_server(context, config)
    check_path(server, config, tells_exports=True)
    export = await mount(context, host, server, config)
    found = "".join(_write_element("SR", {"UUID": uuid}) for uuid in export.repositories)
    if "probeversion" in config:
        versions = "".join(f"\n\t\t<Version>{version}</Version>" for version in _list_versions(server))
        found += f"\n\t<SupportedVersions>{versions}\n\t</SupportedVersions>"
    return _write_document("SRlist", found)


def check_path(server: NfsServer, config: dict[str, str], *, tells_exports: bool) -> None:
    """Refuses a `device_config` without a path.

    Raises:
        ApiError: `SR_BACKEND_FAILURE_101`; the third parameter has what the server exports, as XML, where it tells.
    """
    if config.get("serverpath"):
        return
    exports = _list_exports(server) if tells_exports else None
    told = ""
    if exports is not None:
        told = _write_document(
            "nfs-exports",
            "".join(
                _write_element("Export", {"Target": config["server"], "Path": path, "Accesslist": clients})
                for path, clients in exports
            ),
        )
    raise driver_failure(101, "The request is missing the serverpath parameter", told)


def _list_exports(server: NfsServer) -> list[tuple[str, str]] | None:
    """Returns paths and who may mount them; None when the server does not tell.

    What is asked first needs rpcbind; version 4 shows the first step below its root, and nothing of who may.
    """
    there = [one for one in server.exports if not one.is_missing]
    if server.runs_rpcbind:
        return [(one.path, ",".join(one.clients) or "*") for one in there]
    if "4" in server.versions:
        return [(top, "*") for top in dict.fromkeys(one.path.strip("/").split("/")[0] for one in there)]
    return None


def _list_versions(server: NfsServer) -> list[str]:
    """Returns the versions that a host learns of: version 3 through rpcbind alone."""
    return [version for version in server.versions if version == "4" or server.runs_rpcbind]


def _write_document(root: str, inner: str) -> str:
    body = f"<{root}>{inner}\n</{root}>" if inner else f"<{root}/>"
    return f'<?xml version="1.0" ?>\n{body}\n'


def _write_element(name: str, parts: dict[str, str]) -> str:
    inner = "".join(f"\n\t\t<{key}>{html.escape(text, quote=False)}</{key}>" for key, text in parts.items())
    return f"\n\t<{name}>{inner}\n\t</{name}>"


async def mount(context: Context, host: str, server: NfsServer, config: dict[str, str], *, below: str = "") -> Export:
    """Mounts what a `device_config` names on a host, or a directory below it; returns the export.

    Raises:
        ApiError: `SR_BACKEND_FAILURE_72` for the version, `_73` with the return code of the mount for the rest,
            `_1200` for a version that is none.
    """
    pool = context.pool
    version = _choose_version(pool, host, server, config)
    await pool.clock.sleep(_MOUNT_S)
    await wait_for_answer(pool, server)
    export = server.find_export(config["serverpath"])
    speaks = version[0] in server.versions and (version[0] != "3" or server.runs_rpcbind)
    machine = pool.machines.get(host, pool.coordinator)
    is_there = export is not None and (not below or below in export.repositories)
    if export is None or not speaks or not is_there or not export.admits(machine.name, machine.address):
        detail = f"mount failed on server `{config['server']}` with return code 32"
        raise driver_failure(73, f"NFS mount error [opterr={detail}]")
    return export


def _choose_version(pool: Pool, host: str, server: NfsServer, config: dict[str, str]) -> str:
    version = config.get("nfsversion") or _DEFAULT_VERSION
    if version != "3" and not version.startswith("4"):
        raise driver_failure(1200, "Invalid nfsversion.")
    offered = _list_versions(server)
    problem = ""
    if not offered:
        problem = f"Failed to read supported NFS version from server {config['server']}"
    elif "probeversion" in config:
        version = offered[0]
    elif version[0] not in offered and _looks_at_versions(pool, host):
        problem = f"Unsupported NFS version: {version}"
    if problem:
        raise driver_failure(72, f"Required NFS server version unsupported [opterr={problem}]")
    return version


def _looks_at_versions(pool: Pool, host: str) -> bool:
    known = host if pool.database.has("host", host) else pool.coordinator.ref
    software = pool.database.get("host", known, "software_version")
    return find_version(software) >= _LOOKS_AT_VERSIONS


def read_location(device_config: dict[str, str]) -> dict[str, str] | None:
    """Returns server and path of a library of images on an NFS server; None for one that is elsewhere."""
    server, colon, path = device_config.get("location", "").partition(":")
    if not colon or "/" in server or device_config.get("type", "nfs_iso") != "nfs_iso":
        return None
    return {"server": server, "serverpath": path, "nfsversion": device_config.get("nfsversion", "")}


async def mount_library(context: Context, host: str, device_config: dict[str, str]) -> None:
    """Mounts a library of images on a host; one that is not on an NFS server is there at once.

    Raises:
        ApiError: As `find_server`; `SR_BACKEND_FAILURE_72` for the version, `_222` for what else stops the mount.
    """
    config = read_location(device_config)
    if config is None:
        return
    server = await find_server(context, config)
    try:
        await mount(context, host, server, config)
    except ApiError as error:
        if error.code != "SR_BACKEND_FAILURE_73":
            raise
        detail = error.params[1].partition("[opterr=")[2]
        text = "Could not mount the directory specified in Device Configuration"
        raise driver_failure(222, f"{text} [opterr={detail}") from error


async def attach_any(context: Context, host: str, config: dict[str, str], storage: str) -> None:
    """Mounts whatever a repository needs of an NFS server; fails as `attach` and `mount_library`, for others never."""
    kind = context.pool.database.get("SR", storage, "type")
    if kind == "nfs":
        await attach(context, host, config, storage)
    elif kind == "iso":
        await mount_library(context, host, config)


def is_outside(database: Database, config: dict[str, str], storage: str) -> bool:
    """Tells whether a repository, or a library of images, is on an NFS server."""
    kind = database.get("SR", storage, "type")
    return kind == "nfs" or (kind == "iso" and read_location(config) is not None)


async def make(context: Context, host: str, config: dict[str, str], storage: str) -> None:
    """Makes the directory of a new repository.

    Raises:
        ApiError: As `probe`; `SR_BACKEND_FAILURE_461` on what is read-only, `_88` where the directory cannot be made.
    """
    server = await find_server(context, config)
    check_path(server, config, tells_exports=True)
    export = await mount(context, host, server, config)
    if not has_directory(context.pool, storage):
        return
    number = export.refusal or (errno.ENOSPC if export.is_full else 0)
    if number == errno.EROFS:
        detail = f"remote filesystem is read-only error is {number}"
        raise driver_failure(461, f"The file system for SR cannot be written to. [opterr={detail}]")
    if number:
        raise driver_failure(88, f"NFS SR creation error [opterr=remote directory creation error is {number}]")
    export.repositories[context.pool.database.get("SR", storage, "uuid")] = None


def has_directory(pool: Pool, storage: str) -> bool:
    """Tells whether a repository has a directory of its own, as all have that were not told to do without."""
    return bool(pool.database.get("SR", storage, "sm_config").get("nosubdir") != "true")


async def attach(context: Context, host: str, config: dict[str, str], storage: str) -> None:
    """Mounts a repository on a host and tries to write there.

    Raises:
        ApiError: As `find_server` and `mount`; `SR_BACKEND_FAILURE_461` where it cannot be written to.
    """
    pool = context.pool
    server = await find_server(context, config)
    check_path(server, config, tells_exports=False)
    below = pool.database.get("SR", storage, "uuid") if has_directory(pool, storage) else ""
    export = await mount(context, host, server, config, below=below)
    if export.refusal:
        raise driver_failure(461, "The file system for SR cannot be written to.")


async def remove(context: Context, host: str, config: dict[str, str], storage: str) -> None:
    """Removes the directory of a repository.

    Raises:
        ApiError: As `find_server` and `mount`; `SR_BACKEND_FAILURE_76` where nothing can be written.
    """
    server = await find_server(context, config)
    check_path(server, config, tells_exports=False)
    export = await mount(context, host, server, config)
    if export.refusal:
        raise driver_failure(76, "Failed to remove NFS mount point")
    export.repositories.pop(context.pool.database.get("SR", storage, "uuid"), None)
