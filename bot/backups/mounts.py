"""On which file server a folder lies, and whether an SR lies on the same."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

_NETWORK: Final = re.compile(r"nfs\d?|cifs|smb\d?")
_OCTAL: Final = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Mount:
    """A line of `/proc/self/mounts`: what is mounted where, the kind of file system, and its options."""

    source: str
    point: str
    kind: str
    options: tuple[str, ...]

    def servers(self) -> frozenset[str]:
        """Names and addresses of the server it comes from; empty for a local one."""
        if not _NETWORK.fullmatch(self.kind):
            return frozenset()
        addresses = (one.partition("=")[2] for one in self.options if one.startswith("addr="))
        return frozenset(filter(None, (server_of(self.source), *map(_plain, addresses))))


def read_mounts() -> str:
    """Returns the mounts of this machine; "" where it has no such list."""
    try:
        return Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def mount_of(path: str, mounts: str) -> Mount | None:
    """Returns the mount that holds an absolute path without links, from a text as `/proc/self/mounts` has it."""
    best: Mount | None = None
    for line in mounts.splitlines():
        fields = [_OCTAL.sub(lambda match: chr(int(match[1], 8)), field) for field in line.split(" ")]
        if len(fields) < 4:
            continue
        mount = Mount(fields[0], fields[1], fields[2], tuple(fields[3].split(",")))
        # Of two mounts on one place the later one is seen.
        if PurePosixPath(path).is_relative_to(mount.point) and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best


def shares_server(mount: Mount, device_config: Mapping[str, str]) -> bool:
    """Whether an SR with this device-config lies on the server that the mount comes from.

    NFS SRs name it in `server`, ISO libraries in `location` (`server:/path` or `//server/share`). Names are compared
    as they are written, and as addresses where they are some: that two names mean one server cannot be seen here.
    """
    theirs = {_plain(device_config.get("server", "")), server_of(device_config.get("location", ""))}
    # SMB SRs write the share into `server` too.
    theirs.add(server_of(device_config.get("server", "")))
    return bool((theirs - {""}) & mount.servers())


def server_of(source: str) -> str:
    """Returns the server in `server:/path`, `[address]:/path` or `//server/share` (with either slash); else ""."""
    text = source.strip().replace("\\", "/")
    if text.startswith("//"):
        return _plain(text[2:].partition("/")[0])
    host, colon, path = text.rpartition(":/")
    return _plain(host) if colon and (path or host) else ""


def _plain(server: str) -> str:
    text = server.strip().removeprefix("[").removesuffix("]").rstrip(".").casefold()
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text
