"""Reads for restores: the pool that shall take a guest, and which living guests it would meet."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from typing import Final

from bot.domain.restores import Coming, Holder, RestoreFacts
from bot.errors import NotFound
from bot.operations.lookalike import folded
from bot.xen import build, disk_facts, memory
from bot.xen.backup_facts import BackupReads, toolstack
from bot.xen.classes import convert
from bot.xen.faults import NULL_REF
from bot.xen.pool import LivePool, Reader
from bot.xen.reading import host_in, pool_of, read_hosts
from bot.xen.records import HostRecord, NetworkRecord, SrRecord, VifRecord, VmRecord

#: Addresses come from an archive, which anybody may have written, and become part of a question to the pool.
_MAC: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


class RestoreReads(BackupReads):
    """The `Facts` port in full."""

    async def restore(self, guest: Coming, pool: str, host: str, sr: str) -> RestoreFacts:
        """All facts for restoring a guest to a pool; see `Facts.restore`.

        Which networks there are, and which guests of which name, is as the feed last had it; addresses are asked for.
        """
        live = self._by_uuid(pool)
        reader = Reader(live)
        host_ref = live.model.tables.ref("host", host) if host else None
        if host and host_ref is None:
            raise NotFound("host", host)
        hosts, holders = await asyncio.gather(
            read_hosts(live, reader, {host_ref} if host_ref is not None else set()),
            self._holders(live, guest),
        )
        own = pool_of(live, reader)
        wanted = sr or own.default_sr or ""
        sr_ref = live.model.tables.ref(SrRecord.cls, wanted) if wanted else None
        if sr and sr_ref is None:
            raise NotFound("SR", sr)
        storage = await disk_facts.storage(reader, sr_ref) if sr_ref is not None else None
        networks = live.model.tables.of(NetworkRecord).values()
        return RestoreFacts(
            pool=own,
            hosts=tuple(sorted(hosts.values(), key=lambda each: (each.name, each.uuid))),
            host=host_in(hosts, host_ref, host) if host_ref is not None else None,
            sr=storage[0] if storage is not None else None,
            networks=tuple(
                sorted(
                    (build.network(live.model.tables, each) for each in networks), key=lambda one: (one.name, one.uuid)
                )
            ),
            xapi={each.uuid: toolstack(each) for each in reader.tables.of(HostRecord).values()},
            needed=_needed(guest),
            names=tuple(self._named(guest)),
            macs=holders,
            read_at=self._clock(),
            promised=storage[1].virtual_allocation if storage is not None else -1,
        )

    async def _holders(self, live: LivePool, guest: Coming) -> dict[str, tuple[Holder, ...]]:
        """Who has which of the guest's addresses: by asking the pool, and in all pools as the feeds have it."""
        macs = sorted({mac for mac in guest.macs if _MAC.fullmatch(mac)})
        found: dict[str, dict[str, Holder]] = {mac: {} for mac in macs}
        if macs:
            for mac, holder in await holders_of(live, macs):
                found[mac][holder.uuid] = holder
            for mac, holder in (each for pool in self._pools for each in known_holders(pool)):
                if mac in found:
                    found[mac].setdefault(holder.uuid, holder)
        return {mac: tuple(holders.values()) for mac, holders in found.items() if holders}

    def _named(self, guest: Coming) -> Iterable[Holder]:
        wanted = folded(guest.name)
        for pool in self._pools:
            for vm in pool.model.inventory.vms:
                if vm.uuid == guest.uuid or folded(vm.name) == wanted:
                    yield Holder(vm.uuid, vm.name, pool.name, running=vm.host is not None)


async def holders_of(live: LivePool, macs: Sequence[str]) -> list[tuple[str, Holder]]:
    """Which guests of a pool have one of these addresses (in lower case), asked of the pool itself."""
    # The server compares as text, and keeps an address as it was written.
    spelled = [spelling for mac in macs for spelling in (mac, mac.upper())]
    query = " or ".join(f'field "MAC"="{one}"' for one in spelled)
    wire = await live.sessions.read("VIF.get_all_records_where", query)
    vifs: list[VifRecord] = [convert(VifRecord, record) for record in wire.values()]
    reader = Reader(live)
    await reader.some(VmRecord, {vif.vm for vif in vifs})
    found = [(vif.mac.lower(), reader.tables.get(VmRecord, vif.vm)) for vif in vifs]
    return [
        (mac, Holder(vm.uuid, vm.name_label, live.name, running=vm.resident_on != NULL_REF))
        for mac, vm in found
        if vm is not None and vm.guest
    ]


def known_holders(pool: LivePool) -> Iterable[tuple[str, Holder]]:
    """Addresses with the guests that have them; templates and snapshots wake nobody."""
    for vif in pool.model.tables.of(VifRecord).values():
        vm = pool.model.tables.get(VmRecord, vif.vm)
        if vm is not None and vm.guest:
            yield vif.mac.lower(), Holder(vm.uuid, vm.name_label, pool.name, running=vm.resident_on != NULL_REF)


def _needed(guest: Coming) -> int:
    return memory.needed(
        domain_type=guest.domain_type,
        dynamic_min=guest.memory_dynamic_min,
        static_max=guest.memory_static_max,
        vcpus=guest.vcpus,
    )
