"""Which guest the bot itself runs in, by what Xen tells the guest's kernel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

#: The hypervisor's own word comes first; the DMI table is readable by root only, and not there for PV guests.
SOURCES: Final = (Path("/sys/hypervisor/uuid"), Path("/sys/class/dmi/id/product_uuid"))
_CONTROL_DOMAIN: Final = UUID(int=0)


def own_uuids(sources: Sequence[Path] = SOURCES) -> frozenset[str]:
    """The UUIDs that the guest around this process may have in XAPI; empty outside Xen, and where nobody tells.

    Firmware may show the first three groups of a UUID with their bytes turned round, so both readings are given. On
    other hardware the DMI table names that machine, which is no guest of any pool.
    """
    found: set[str] = set()
    for source in sources:
        try:
            uuid = UUID(source.read_text(encoding="ascii").strip())
        except (OSError, ValueError):
            continue
        if uuid != _CONTROL_DOMAIN:
            found |= {str(uuid), str(UUID(bytes_le=uuid.bytes))}
    return frozenset(found)
