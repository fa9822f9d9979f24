"""Reads for plans that are about a whole host: what runs on it, read once for all of its guests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from bot.domain.guest_facts import LeavingFacts, Residents, XapiVerdict
from bot.domain.health import PlugFacts
from bot.domain.inventory import PowerState
from bot.domain.joining import JoinFacts
from bot.errors import CannotTell, NotFound, Unreachable, XapiFailure
from bot.xen import disk_facts, join_facts
from bot.xen.faults import known_as
from bot.xen.pool import Reader
from bot.xen.reading import host_in, may_move, may_run, pool_of, read_guest, read_hosts
from bot.xen.records import HostRecord, PbdRecord, VmRecord
from bot.xen.send_facts import SendingFacts

#: A status is not waited for: what a host does not tell at once is left out.
_LOAD_WITHIN_S: Final = 0.5


class HostFacts(SendingFacts):
    """The `Facts` port but for backups and restores."""

    async def leaving(self, host: str) -> LeavingFacts:
        """All facts for moving every guest of a host elsewhere. Raises NotFound, Unreachable, CannotTell, XapiFailure.

        The guests, and all hosts with their free memory, are read; how the other hosts are plugged to storage and
        networks is as the feed last had it.
        """
        pool, ref = self._locate("host", "host", host)
        reader = Reader(pool)
        hosts = await read_hosts(pool, reader, set(pool.model.tables.of(HostRecord)))
        here = host_in(hosts, ref, host)
        records = await _residents(reader, ref)
        movable, _ = await asyncio.gather(
            asyncio.gather(*(may_move(pool, each) for each in records)),
            asyncio.gather(*(read_guest(pool, reader, record, {ref}) for record in records.values())),
        )
        guests = []
        for record, verdict in zip(records.values(), movable, strict=True):
            guests.append(self._facts(pool, reader, record, hosts, verdict))
            # Each looks through the pool's guests once; others wait for their answers meanwhile.
            await asyncio.sleep(0)
        others = sorted((each for each in hosts.values() if each is not here), key=lambda each: (each.name, each.uuid))
        running = tuple(vm for vm in pool.model.inventory.vms if vm.power_state is PowerState.RUNNING)
        return LeavingFacts(pool_of(pool, reader), here, tuple(others), tuple(guests), running)

    async def verdicts(self, pairs: Sequence[tuple[str, str]]) -> tuple[XapiVerdict, ...]:
        """For each guest and host whether XAPI would let it run there. Raises as `leaving`."""
        refs = [(self._locate("VM", "guest", vm), self._locate("host", "host", host)[1]) for vm, host in pairs]
        return tuple(await asyncio.gather(*(may_run(pool, vm, host) for (pool, vm), host in refs)))

    async def plug(self, sr: str, host: str) -> PlugFacts:
        """The plug of an SR in a host. Raises NotFound, Unreachable, CannotTell, XapiFailure."""
        pool, sr_ref = self._locate("SR", "SR", sr)
        home, host_ref = self._locate("host", "host", host)
        if home is not pool:
            raise NotFound("SR", sr)
        reader = Reader(pool)
        hosts = await read_hosts(pool, reader, {host_ref})
        found = await disk_facts.storage(reader, sr_ref)
        if found is None:
            raise NotFound("SR", sr)
        storage, record = found
        plug = next(
            (one for one in reader.tables.of(PbdRecord).values() if one.host == host_ref and one.sr == sr_ref), None
        )
        return PlugFacts(
            pool=pool_of(pool, reader),
            sr=storage,
            host=host_in(hosts, host_ref, host),
            plug=plug.uuid if plug is not None else "",
            attached=plug is not None and plug.currently_attached,
            busy=tuple(sorted(record.current_operations.values())),
            read_at=self._clock(),
        )

    async def joining(self, host: str, pool: str) -> JoinFacts:
        """What decides whether a host can join a pool. Raises NotFound, Unreachable, CannotTell, XapiFailure."""
        home = next((pool for pool in self._pools if join_facts.lives_in(pool, host)), None)
        if home is None:
            home, _ = self._locate("host", "host", host)
        return await join_facts.joining(home, host, self._by_uuid(pool), self._clock())

    async def control_load(self, host: str) -> float | None:
        """The load of a host's control domain; None where it is not told within half a second."""
        pool, ref = self._locate("host", "host", host)
        try:
            async with asyncio.timeout(_LOAD_WITHIN_S):
                told = await pool.brief.read("host.query_data_source", ref, "loadavg")
        except (TimeoutError, Unreachable, CannotTell, XapiFailure):
            return None
        return float(told) if isinstance(told, float | int) else None

    async def residents(self, pool: str, host: str) -> Residents:
        """What runs on the host now, and whether it takes guests. Raises NotFound, Unreachable, XapiFailure."""
        reader = Reader(live := self._by_uuid(pool))
        with known_as("host", host):
            ref = await live.resolve("host", host)
        record = await reader.one(HostRecord, ref)
        if record is None:
            raise NotFound("host", host)
        guests = await _residents(reader, ref)
        return Residents(record.enabled, {guest.uuid: guest.name_label for guest in guests.values()})


async def _residents(reader: Reader, host: str) -> dict[str, VmRecord]:
    """The guests that a host just read names as its own, by reference, in order of names."""
    record = reader.tables.of(HostRecord)[host]
    read = await asyncio.gather(*(reader.one(VmRecord, each) for each in record.resident_vms))
    found = {ref: each for ref, each in zip(record.resident_vms, read, strict=True) if each is not None and each.guest}
    return dict(sorted(found.items(), key=lambda one: (one[1].name_label, one[1].uuid)))
