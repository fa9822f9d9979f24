"""Reads of what a job of ours has left: by UUIDs that were stored, asked of the pool itself and never of the feed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec

from bot.domain.remains import LeftDisk, LeftNetwork, Remains
from bot.errors import NotFound
from bot.xen.classes import convert
from bot.xen.faults import NULL_REF, IfThere
from bot.xen.pool import LivePool, Reader
from bot.xen.reading import pool_of, read_hosts
from bot.xen.restoring import LiveRestoring
from bot.xen.restoring_parts import Guest, Network


class _Disk(msgspec.Struct, frozen=True, rename={"vbds": "VBDs", "sr": "SR"}):
    """A `VDI` with the fields that count here."""

    uuid: str = ""
    name_label: str = ""
    sr: str = NULL_REF
    virtual_size: int = 0
    vbds: tuple[str, ...] = ()
    current_operations: dict[str, str] = {}


async def remains(
    live: LivePool, restoring: LiveRestoring, vm: str, disks: Sequence[str], networks: str = ""
) -> Remains:
    """See `Facts.remains`."""
    reader = Reader(live)
    hosts = await read_hosts(live, reader, set())
    pool = pool_of(live, reader)
    record = await _guest(live, vm)
    own_vbds, own_vifs = (set(record.vbds), set(record.vifs)) if record is not None else (set(), set())
    found = await asyncio.gather(*(_disk(live, uuid, own_vbds) for uuid in disks))
    read = Remains(
        pool=pool,
        hosts=tuple(sorted(hosts.values(), key=lambda one: (one.name, one.uuid))),
        disks=tuple(one for one in found if one is not None),
        networks=tuple(await _networks(live, networks, own_vifs)),
    )
    if record is None:
        return read
    try:
        guest = await restoring.restored(pool.uuid, vm)
    except NotFound:
        return read
    return msgspec.structs.replace(
        read,
        guest=guest,
        snapshots=tuple([await _name(live, "VM", one) for one in record.snapshots]),
        started_at=await restoring.started_at(pool.uuid, vm),
    )


async def _guest(live: LivePool, vm: str) -> Guest | None:
    if vm:
        with IfThere():
            ref = await live.sessions.read("VM.get_by_uuid", vm)
            guest: Guest = convert(Guest, await live.sessions.read("VM.get_record", ref))
            return guest
    return None


async def _disk(live: LivePool, uuid: str, own: set[str]) -> LeftDisk | None:
    with IfThere():
        ref = await live.sessions.read("VDI.get_by_uuid", uuid)
        disk: _Disk = convert(_Disk, await live.sessions.read("VDI.get_record", ref))
        if await live.sessions.read("SR.get_content_type", disk.sr) == "iso":
            # An import gives a guest the image that is there, and makes none: it is nobody's leftover.
            return None
        return LeftDisk(
            uuid=disk.uuid,
            name=disk.name_label,
            sr=str(await live.sessions.read("SR.get_uuid", disk.sr)),
            size=disk.virtual_size,
            operations=tuple(sorted(disk.current_operations.values())),
            users=tuple([name for vbd in disk.vbds if vbd not in own async for name in _user(live, vbd)]),
        )
    return None


async def _user(live: LivePool, vbd: str) -> AsyncIterator[str]:
    with IfThere():
        yield await _name(live, "VM", str(await live.sessions.read("VBD.get_VM", vbd)))


async def _name(live: LivePool, kind: str, ref: str) -> str:
    with IfThere():
        return str(await live.sessions.read(f"{kind}.get_name_label", ref))
    return ""


async def _networks(live: LivePool, name: str, own: set[str]) -> list[LeftNetwork]:
    found = []
    for ref in await live.sessions.read("network.get_by_name_label", name) if name else ():
        with IfThere():
            network: Network = convert(Network, await live.sessions.read("network.get_record", ref))
            found.append(LeftNetwork(network.uuid, used=bool(network.pifs or set(network.vifs) - own)))
    return found
