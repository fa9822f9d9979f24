"""Reads for adding and trying storage: direct ones, each bounded, since the server behind it may never answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from bot.domain.inventory import FeedState, Host
from bot.domain.storing import Defaults, Holder, NfsFacts, NfsPlace, Plugged, Probed, SrFacts, SrNow, Tried
from bot.errors import CannotTell, NotFound, Unreachable, XapiFailure
from bot.xen import disk_facts
from bot.xen.classes import convert
from bot.xen.faults import NULL_REF, IfThere
from bot.xen.pool import LivePool, Reader
from bot.xen.probing import holding, probed
from bot.xen.reading import pool_of, read_hosts
from bot.xen.records import HostRecord, PbdRecord, SrRecord, VbdRecord, VdiRecord, VmRecord

#: A mount that goes well takes a second or two; a person waits this long for the card.
PROBE_S: Final = 20.0
_HOLDER_S: Final = 8.0
#: On a disk that storage is tried with: the host that it is for, and how that host did.
FOR_HOST: Final = "xenbot-tries"
HOW: Final = "xenbot-tried"


class _Defaults(msgspec.Struct, frozen=True, rename={"disks": "default_SR"}):
    disks: str = NULL_REF
    suspend_image_SR: str = NULL_REF  # noqa: N815  as on the wire
    crash_dump_SR: str = NULL_REF  # noqa: N815  as on the wire


class Trial(msgspec.Struct, frozen=True, rename={"sr": "SR"}):
    """A `VDI` with what is needed of one that storage is tried with."""

    uuid: str = ""
    sr: str = NULL_REF
    is_a_snapshot: bool = False
    other_config: dict[str, str] = {}


class StorageFacts:
    """Implements `bot.operations.storage_ports.StorageReads`."""

    def __init__(
        self, pools: Sequence[LivePool], by_uuid: Callable[[str], LivePool], *, probe_s: float = PROBE_S
    ) -> None:
        self._pools = pools
        self._by_uuid = by_uuid
        self._probe_s = probe_s

    async def nfs(self, pool: str, place: NfsPlace) -> NfsFacts:
        """See `StorageReads.nfs`."""
        live = self._by_uuid(pool)
        reader = Reader(live)
        hosts = await read_hosts(live, reader, set())
        answering = {ref: host for ref, host in hosts.items() if is_up(host)}
        probes, defaults = await asyncio.gather(
            asyncio.gather(*(probed(live, ref, host, place, self._probe_s) for ref, host in answering.items())),
            _defaults(live),
        )
        holders, unsure = await self._holders(probes)
        return NfsFacts(
            pool=pool_of(live, reader),
            hosts=_in_order(hosts.values()),
            place=place,
            probes=tuple(sorted(probes, key=lambda one: (one.host.name, one.host.uuid))),
            holders=holders,
            unsure=unsure,
            names=frozenset(sr.name for sr in live.model.inventory.srs),
            listed=_listed(live, hosts.values()),
            defaults=defaults,
            users=_users(live, place.server),
        )

    async def trying(self, sr: str) -> SrFacts:
        """See `StorageReads.trying`."""
        live = next((one for one in self._pools if one.model.tables.ref("SR", sr) is not None), None)
        if live is None:
            raise NotFound("SR", sr)
        reader = Reader(live)
        hosts = await read_hosts(live, reader, set())
        found = await disk_facts.storage(reader, live.model.tables.ref("SR", sr) or "")
        if found is None:
            raise NotFound("SR", sr)
        storage, record = found
        plugs = reader.tables.of(PbdRecord).values()
        meant = set(hosts) if record.shared else {one.host for one in plugs}
        near = [host for host in hosts.values() if host.uuid in storage.hosts]
        return SrFacts(
            pool=pool_of(live, reader),
            sr=storage,
            content=record.content_type,
            hosts=_in_order(near),
            away=_in_order(host for ref, host in hosts.items() if ref in meant and host not in near),
            listed=_listed(live, near),
            features=(await disk_facts.drivers(live)).get(storage.type, frozenset()),
            busy=tuple(sorted(record.current_operations.values())),
        )

    async def now(self, pool: str, sr: str) -> SrNow | None:
        """See `StorageReads.now`."""
        live = self._by_uuid(pool)
        with IfThere():
            ref = await live.sessions.read("SR.get_by_uuid", sr)
            record: SrRecord = convert(SrRecord, await live.sessions.read("SR.get_record", ref))
            plugs = await asyncio.gather(*(live.sessions.read("PBD.get_record", one) for one in record.pbds))
            pbds, known = [convert(PbdRecord, one) for one in plugs], live.model.tables
            return SrNow(
                uuid=record.uuid,
                name=record.name_label,
                plugs=tuple(Plugged(known.uuid(HostRecord, one.host) or "", one.currently_attached) for one in pbds),
                defaults=await _defaults(live),
            )
        return None

    async def users(self, pool: str, sr: str) -> tuple[str, ...]:
        """See `StorageReads.users`."""
        live = self._by_uuid(pool)
        reader = Reader(live)
        with IfThere():
            held = await live.sessions.read("SR.get_VDIs", await live.sessions.read("SR.get_by_uuid", sr))
            disks = await reader.some(VdiRecord, set(held))
            vbds = await reader.some(VbdRecord, {ref for disk in disks for ref in disk.vbds})
            holders = await reader.some(VmRecord, {vbd.vm for vbd in vbds})
            return tuple(sorted({one.name_label for one in holders}))
        return ()

    async def named(self, pool: str, name: str) -> tuple[str, ...]:
        """See `StorageReads.named`."""
        live = self._by_uuid(pool)
        refs = await live.sessions.read("SR.get_by_name_label", name)
        return tuple([str(await live.sessions.read("SR.get_uuid", ref)) for ref in refs])

    async def tried(self, pool: str, sr: str, mark: str) -> tuple[Tried, ...] | None:
        """See `StorageReads.tried`."""
        found = [one for _, one in await trials(self._by_uuid(pool), sr, mark)]
        notes = [one.other_config[HOW] for one in found if HOW in one.other_config and not one.is_a_snapshot]
        return tuple(msgspec.json.decode(one, type=Tried) for one in notes) if found else None

    async def _holders(self, probes: Sequence[Probed]) -> tuple[tuple[Holder, ...], tuple[str, ...]]:
        """Which of all configured pools hold what was found, and which could not be asked."""
        wanted = sorted({uuid for one in probes for uuid in one.found})
        return await self.holders(wanted) if wanted else ((), ())

    async def holders(self, wanted: Sequence[str]) -> tuple[tuple[Holder, ...], tuple[str, ...]]:
        """See `StorageReads.holders`."""
        answers = await asyncio.gather(*(_held(live, wanted) for live in self._pools))
        holders = tuple(one for answer in answers if answer is not None for one in answer)
        unsure = tuple(live.name for live, answer in zip(self._pools, answers, strict=True) if answer is None)
        return holders, unsure


def is_up(host: Host) -> bool:
    """Whether a host can be expected to answer, by the pool's word and by our own probe."""
    return host.answers and bool(host.address)


async def trials(live: LivePool, sr: str, mark: str) -> list[tuple[str, Trial]]:
    """The disks of exactly that name in a storage, with their references. Raises Unreachable, XapiFailure."""
    if not mark:
        # Disks without a name are people's own.
        return []
    found: list[tuple[str, Trial]] = []
    with IfThere():
        there = str(await live.sessions.read("SR.get_by_uuid", sr))
        for ref in await live.sessions.read("VDI.get_by_name_label", mark):
            with IfThere():
                record: Trial = convert(Trial, await live.sessions.read("VDI.get_record", ref))
                if record.sr == there:
                    found.append((str(ref), record))
    return found


async def _held(live: LivePool, wanted: Sequence[str]) -> list[Holder] | None:
    """Those of the storages (UUIDs) that a pool holds; None where it does not say so now."""
    if live.pool is None or live.feed.state is not FeedState.LIVE:
        return None
    found = []
    for uuid in wanted:
        try:
            held = await holding(live, live.pool, uuid, _HOLDER_S)
        except (Unreachable, CannotTell, XapiFailure):
            return None
        if held is not None:
            found.append(held)
    return found


async def _defaults(live: LivePool) -> Defaults:
    wire: dict[str, Any] = await live.sessions.read("pool.get_all_records")
    record: _Defaults = next((convert(_Defaults, one) for one in wire.values()), _Defaults())
    # Not from the feed, which hears of what was just made a little later. A reference to storage that is gone stays in
    # the pool's record, and counts as none.
    found = (record.disks, record.suspend_image_SR, record.crash_dump_SR)
    return Defaults(*await asyncio.gather(*(live.uuid_of("SR", ref) for ref in found)))


def _users(live: LivePool, server: str) -> frozenset[str]:
    """The hosts that have storage of this server attached, as far as it is called there as it is called here."""
    tables = live.model.tables
    there = {
        one.host
        for one in tables.of(PbdRecord).values()
        if one.currently_attached and one.device_config.get("server", "").casefold() == server.casefold()
    }
    return frozenset(uuid for ref in there if (uuid := tables.uuid(HostRecord, ref)))


def _listed(live: LivePool, hosts: Iterable[Host]) -> frozenset[str]:
    return frozenset(host.uuid for host in hosts if live.sessions.listed(host.address) is not None)


def _in_order(hosts: Iterable[Host]) -> tuple[Host, ...]:
    return tuple(sorted(hosts, key=lambda one: (one.name, one.uuid)))
