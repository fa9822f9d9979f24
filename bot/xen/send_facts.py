"""Reads for plans that move a guest together with its disks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from bot.domain.disk_moves import DiskMoveFacts, SendFacts
from bot.domain.guest_facts import XapiVerdict
from bot.domain.inventory import Network, Pool, Sr
from bot.errors import NotFound, XapiFailure
from bot.xen import build, disk_facts
from bot.xen.facts import LiveFacts
from bot.xen.pool import LivePool, Reader
from bot.xen.reading import asked, host_in, pool_of, read_hosts, read_placed
from bot.xen.receiving import receive
from bot.xen.records import NetworkRecord, PifRecord, SrRecord, VbdRecord, VdiRecord, VmRecord


class SendingFacts(LiveFacts):
    """What is asked about a guest that goes with its disks, and about disks that went."""

    async def sending(self, vm: str, host: str, goals: Mapping[str, str]) -> SendFacts:
        """All facts for moving a guest to a host, with disks by userdevice to SRs (UUIDs; "" for every other disk).

        Raises NotFound, Unreachable, CannotTell, XapiFailure.
        """
        pool, ref = self._locate("VM", "guest", vm)
        there, host_ref = self._locate("host", "host", host)
        if there is not pool:
            # No SR of another pool is a place for these disks, and there is nobody to ask.
            return SendFacts(await self.migration(vm, host), {}, (), (), None)
        reader = Reader(pool)
        (guest, hosts), movable, features, network = await asyncio.gather(
            read_placed(pool, reader, ref, vm, {host_ref}),
            asked(pool, "VM.assert_operation_valid", ref, "migrate_send"),
            disk_facts.drivers(pool),
            _way_in(pool, reader, host_ref),
        )
        target = host_in(hosts, host_ref, host)
        images = await disk_facts.images(pool, reader, guest)
        srs = [await self._storage(pool, reader, sr) for sr in sorted(set(goals.values()))]
        move = msgspec.structs.replace(self._facts(pool, reader, guest, hosts, movable), target=target)
        places = [disk.userdevice for disk in move.vm.disks if disk.vdi and not disk.cd]
        wanted = {place: goals.get(place, goals.get("", "")) for place in places}
        chosen = {place: sr for place, sr in wanted.items() if sr}
        askable = target.answers and all(home.uuid == move.pool.uuid for _, _, home in srs)
        # The question is passed on to the target, which would leave us waiting if it does not answer.
        xapi = await _verdict(pool, reader, guest, (ref, host_ref, network[1]), chosen) if askable else None
        return SendFacts(
            move=msgspec.structs.replace(move, xapi=xapi),
            goals=chosen,
            strange=tuple(sorted(goals.keys() - {"", *places})),
            parts=tuple(
                DiskMoveFacts(
                    pool=move.pool,
                    vm=move.vm,
                    host=move.source,
                    target=sr,
                    target_pool=home,
                    images=images,
                    target_work=tuple(sorted(record.current_operations.values())),
                    promised=record.virtual_allocation,
                    features=features,
                    movable=movable,
                    read_at=move.read_at,
                    arriving=target,
                )
                for sr, record, home in srs
            ),
            network=network[0],
        )

    async def _storage(self, pool: LivePool, reader: Reader, sr: str) -> tuple[Sr, SrRecord, Pool]:
        """The SR, which may be another pool's, and whose it is. Raises NotFound."""
        home, ref = self._locate("SR", "SR", sr)
        if home is not pool:
            reader = Reader(home)
            await read_hosts(home, reader, set())
        found = await disk_facts.storage(reader, ref)
        if found is None:
            raise NotFound("SR", sr)
        return *found, pool_of(home, reader)


async def _way_in(pool: LivePool, reader: Reader, host: str) -> tuple[Network | None, str]:
    """The network of a host's management interface, which it receives guests over, and its reference."""
    pif = await pool.sessions.read("host.get_management_interface", host)
    record = await reader.one(PifRecord, str(pif))
    network = await reader.one(NetworkRecord, record.network) if record is not None else None
    if record is None or network is None:
        return None, ""
    return build.network(reader.tables, network), record.network


async def _verdict(
    pool: LivePool, reader: Reader, guest: VmRecord, refs: tuple[str, str, str], chosen: dict[str, str]
) -> XapiVerdict | None:
    """XAPI's word on this very move; it wants to be told of every disk, those that stay included."""
    vm, host, network = refs
    if not network:
        return None
    tables, disks = reader.tables, {}
    for vbd in (tables.get(VbdRecord, each) for each in guest.vbds):
        vdi = tables.get(VdiRecord, vbd.vdi) if vbd is not None and vbd.type != "CD" and not vbd.empty else None
        if vbd is not None and vdi is not None:
            disks[vbd.vdi] = tables.ref("SR", chosen.get(vbd.userdevice, "")) or vdi.sr
    try:
        welcome = await receive(pool, host, network)
    except XapiFailure as failure:
        return XapiVerdict(failure.code, failure.params)
    try:
        return await asked(pool, "VM.assert_can_migrate", vm, welcome.wire, True, disks, {}, {})
    finally:
        welcome.end()
