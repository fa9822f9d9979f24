"""Reads for backups: a guest with its disks and what they stand on, its snapshots, and what is left of them."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec

from bot.domain.backup_facts import BackupFacts, Snapshot
from bot.errors import NotFound
from bot.xen import disk_facts, health_build
from bot.xen.classes import convert
from bot.xen.faults import IfThere, known_as
from bot.xen.host_facts import HostFacts
from bot.xen.pool import LivePool, Reader
from bot.xen.records import HostRecord, VbdRecord, VdiRecord, VmRecord

#: Storage drivers stop at some thirty layers; beyond that a chain is followed no further.
_DEEPEST: Final = 40


class _Layer(msgspec.Struct, frozen=True):
    """The fields of a `VDI` that say what it stands on."""

    sm_config: dict[str, str] = {}


class _Plug(msgspec.Struct, frozen=True):
    """The field of a `PBD` that says where its storage is."""

    device_config: dict[str, str] = {}


class BackupReads(HostFacts):
    """The `Facts` port but for restores."""

    async def backup(self, vm: str) -> BackupFacts:
        """All facts for backing up a guest. Raises NotFound, Unreachable, CannotTell, XapiFailure."""
        pool, ref = self._locate("VM", "guest", vm)
        read = await self.power(vm, ("snapshot", "clean_shutdown", "export"))
        reader = Reader(pool)
        record = await reader.one(VmRecord, ref)
        if record is None:
            raise NotFound("guest", vm)
        vbds = await reader.some(VbdRecord, set(record.vbds))
        disks = {vbd.userdevice: vbd.vdi for vbd in vbds if vbd.type != "CD" and not vbd.empty}
        images, depths, vdis = await asyncio.gather(
            disk_facts.images(pool, reader, record),
            asyncio.gather(*(_depth(pool, vdi) for vdi in disks.values())),
            reader.some(VdiRecord, set(disks.values())),
        )
        srs = sorted({vdi.sr for vdi in vdis})
        servers = await asyncio.gather(*(_server(pool, sr) for sr in srs))
        stores = health_build.stores(pool.model.tables, pool.model.inventory.srs)
        return BackupFacts(
            pool=read.pool,
            vm=read.vm,
            host=read.host,
            hosts=read.hosts,
            images=images,
            depths=dict(zip(disks, depths, strict=True)),
            servers=dict(servers),
            valid=read.valid,
            own=read.own,
            read_at=read.read_at,
            merging={one.sr.uuid: one.waiting for one in stores if one.sr.uuid in dict(servers)},
            xapi={each.uuid: toolstack(each) for each in pool.model.tables.of(HostRecord).values()},
            exported=tuple(
                sorted(
                    each.name_label
                    for each in pool.model.tables.of(VmRecord).values()
                    if each.snapshot_of == ref and "export" in each.current_operations.values()
                )
            ),
        )

    async def snapshots(self, pool: str, vm: str) -> tuple[Snapshot, ...]:
        """The snapshots of a guest. Raises NotFound when the guest is gone, Unreachable, XapiFailure."""
        live = self._by_uuid(pool)
        with known_as("guest", vm):
            refs: list[str] = await live.sessions.read("VM.get_snapshots", await live.resolve("VM", vm))
        reader = Reader(live)
        found = await reader.some(VmRecord, set(refs))
        vbds = await reader.some(VbdRecord, {vbd for each in found for vbd in each.vbds})
        await reader.some(VdiRecord, {vbd.vdi for vbd in vbds if vbd.type != "CD"})
        return tuple(_snapshot(reader, each) for each in found)

    async def exists(self, pool: str, kind: str, uuid: str) -> bool:
        """Whether an object of that class is there. Raises Unreachable, XapiFailure."""
        with IfThere():
            await self._by_uuid(pool).sessions.read(f"{kind}.get_by_uuid", uuid)
            return True
        return False


def toolstack(host: HostRecord) -> tuple[int, int]:
    """The version of a host's toolstack ("24.16"); 0.0 where it does not say."""
    major, _, minor = host.software_version.get("xapi", "").partition(".")
    minor = minor.partition(".")[0]
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else (0, 0)


def _snapshot(reader: Reader, record: VmRecord) -> Snapshot:
    vbds = [vbd for vbd in (reader.tables.get(VbdRecord, ref) for ref in record.vbds) if vbd is not None]
    disks = {vbd.userdevice: reader.tables.get(VdiRecord, vbd.vdi) for vbd in vbds if vbd.type != "CD"}
    return Snapshot(record.uuid, record.name_label, {at: vdi.uuid for at, vdi in disks.items() if vdi is not None})


async def _depth(pool: LivePool, ref: str) -> int:
    """On how many layers a disk stands: file-based and LVM storage name the one below in `sm_config`."""
    depth = 0
    with IfThere():
        layer = convert(_Layer, await pool.sessions.read("VDI.get_record", ref))
        while (below := layer.sm_config.get("vhd-parent")) and depth < _DEEPEST:
            depth += 1
            layer = convert(_Layer, await pool.sessions.read("VDI.get_record", await pool.resolve("VDI", below)))
        return depth
    return depth or -1


async def _server(pool: LivePool, ref: str) -> tuple[str, dict[str, str]]:
    """The UUID of an SR and the device-config of one of its plugs."""
    wire: dict[str, Any] = await pool.sessions.read("SR.get_record", ref)
    plugs = wire.get("PBDs") or []
    if not plugs:
        return wire["uuid"], {}
    plug: _Plug = convert(_Plug, await pool.sessions.read("PBD.get_record", plugs[0]))
    return wire["uuid"], plug.device_config
