"""Reads for moving disks: what is on a guest's disks, and what the pool's storage drivers can do."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from bot.domain.disk_moves import Image
from bot.domain.inventory import Sr
from bot.xen import build
from bot.xen.classes import convert
from bot.xen.faults import IfThere
from bot.xen.pool import LivePool, Reader
from bot.xen.records import PbdRecord, SrRecord, VbdRecord, VmRecord


class _Details(msgspec.Struct, frozen=True, rename={"vbds": "VBDs"}):
    """A `VDI` with the fields that only its moving depends on; the feed does without them."""

    uuid: str = ""
    type: str = ""
    vbds: tuple[str, ...] = ()
    physical_utilisation: int = -1
    snapshots: tuple[str, ...] = ()
    sharable: bool = False
    read_only: bool = False
    missing: bool = False
    on_boot: str = ""
    cbt_enabled: bool = False
    sm_config: dict[str, str] = {}
    current_operations: dict[str, str] = {}


class _Driver(msgspec.Struct, frozen=True):
    """A storage driver (`SM`). Servers that know no versions of features list them as capabilities only."""

    type: str = ""
    features: dict[str, int] = {}
    capabilities: tuple[str, ...] = ()


async def images(pool: LivePool, reader: Reader, vm: VmRecord) -> dict[str, Image]:
    """The guest's disks by userdevice, CDs and empty drives left out; its VBDs were read before.

    Raises Unreachable, XapiFailure.
    """
    vbds = [vbd for vbd in (reader.tables.get(VbdRecord, ref) for ref in vm.vbds) if vbd is not None]
    disks = [vbd for vbd in vbds if vbd.type != "CD" and not vbd.empty]
    read = await asyncio.gather(*(_image(pool, vbd.vdi) for vbd in disks))
    return {vbd.userdevice: image for vbd, image in zip(disks, read, strict=True) if image is not None}


async def drivers(pool: LivePool) -> dict[str, frozenset[str]]:
    """What each storage driver of the pool can do, by type of SR. Raises Unreachable, XapiFailure."""
    wire: dict[str, Any] = await pool.sessions.read("SM.get_all_records")
    found = [convert(_Driver, record) for record in wire.values()]
    return {one.type: frozenset(one.features) | frozenset(one.capabilities) for one in found}


async def storage(reader: Reader, ref: str) -> tuple[Sr, SrRecord] | None:
    """The SR with its plugs, and its record; None when it is gone. The pool's hosts were read before."""
    record = await reader.one(SrRecord, ref)
    if record is None:
        return None
    await reader.some(PbdRecord, set(record.pbds))
    return build.sr(reader.tables, record), record


async def _image(pool: LivePool, ref: str) -> Image | None:
    details = await _details(pool, ref)
    if details is None:
        return None
    older = [one for one in await asyncio.gather(*(_details(pool, each) for each in details.snapshots)) if one]
    return Image(
        vdi=details.uuid,
        kind=details.type,
        used=details.physical_utilisation if details.physical_utilisation > 0 else -1,
        layered=bool(details.snapshots) or "vhd-parent" in details.sm_config,
        tracked=details.cbt_enabled,
        encrypted="key_hash" in details.sm_config,
        resets=details.on_boot == "reset",
        read_only=details.read_only,
        shared=details.sharable or len(details.vbds) > 1,
        missing=details.missing,
        operations=tuple(sorted(details.current_operations.values())),
        snapshots=len(older),
        snapshots_used=sum(max(0, one.physical_utilisation) for one in older),
    )


async def _details(pool: LivePool, ref: str) -> _Details | None:
    with IfThere():
        details: _Details = convert(_Details, await pool.sessions.read("VDI.get_record", ref))
        return details
    return None
