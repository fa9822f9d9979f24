"""Which handler serves a path: as for calls the longest registered prefix decides."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from bot.lab.xapi.streams.exports import export
from bot.lab.xapi.streams.imports import import_guest
from bot.lab.xapi.streams.metadata import export_metadata, import_metadata
from bot.lab.xapi.streams.raw_disks import export_disk, import_disk
from bot.lab.xapi.streams.visit import Visit

Handler = Callable[[Visit], Awaitable[str]]
# `GET /export`, the name in permissions, and what serves it.
Served = tuple[str, str, Handler]

# Method and path, then the handler's name in permissions and what serves it.
_HANDLERS: Final[Mapping[tuple[str, str], tuple[str, Handler]]] = {
    ("GET", "/export"): ("get_export", export),
    ("GET", "/export_metadata"): ("get_export_metadata", export_metadata),
    ("GET", "/export_raw_vdi"): ("get_export_raw_vdi", export_disk),
    ("PUT", "/import_raw_vdi"): ("put_import_raw_vdi", import_disk),
    ("PUT", "/import_metadata"): ("put_import_metadata", import_metadata),
    ("PUT", "/import"): ("put_import", import_guest),
}
NAMES: Final = tuple(f"{method} {path}" for method, path in _HANDLERS)


def find_handler(method: str, path: str) -> Served | None:
    """Returns what serves a request."""
    fitting = [known for known in _HANDLERS if known[0] == method and path.startswith(known[1])]
    if not fitting:
        return None
    best = max(fitting, key=lambda known: len(known[1]))
    return f"{method} {best[1]}", *_HANDLERS[best]
