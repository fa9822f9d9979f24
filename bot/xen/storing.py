"""What is done to storage: plugs, names, what it is for, and the small disks that it is tried with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Final

import msgspec

from bot.domain.storing import Tried
from bot.domain.texts import clean
from bot.errors import Refused, XapiFailure
from bot.operations.work import beside
from bot.xen.classes import convert
from bot.xen.faults import IfThere
from bot.xen.pool import LivePool
from bot.xen.records import PbdRecord, SrRecord
from bot.xen.storage_facts import FOR_HOST, HOW, trials
from bot.xen.storage_tasks import NoAnswer, finished

#: A plug is a mount, and a host's mount gives up by itself within some minutes.
_PLUG_S: Final = 180.0
_DISK_S: Final = 60.0
_FREED_S: Final = 180.0
#: A disk that was written a moment ago is still being let go of.
_BUSY: Final = frozenset({"VDI_IN_USE", "OTHER_OPERATION_IN_PROGRESS", "SR_BACKEND_FAILURE_24"})
_BUSY_S: Final = 20.0


class LiveStoring:
    """Implements `bot.operations.storage_ports.Storing`."""

    def __init__(self, by_uuid: Callable[[str], LivePool]) -> None:
        self._by_uuid = by_uuid

    async def fit(self, pool: str, sr: str, config: dict[str, str]) -> None:
        """See `Storing.fit`."""
        live = self._by_uuid(pool)
        ref, plugs = await live.resolve("SR", sr), await self._plugs(live, sr)
        having = {one.host for one in plugs.values()}
        for host in await live.sessions.read("host.get_all"):
            if host in having:
                continue
            record = {"host": host, "SR": ref, "device_config": config, "other_config": {}}
            try:
                await live.sessions.read("PBD.create", record)
            except XapiFailure as refusal:
                # There already, as after an answer that was lost.
                if refusal.code != "PBD_EXISTS":
                    raise

    async def attach(self, pool: str, sr: str, host: str) -> None:
        """See `Storing.attach`."""
        live = self._by_uuid(pool)
        ref, where = await self._ref(live, sr), await live.resolve("host", host)
        if ref is None:
            return
        # The one plug that both name: with many hosts a storage has many, and each host is plugged by itself.
        there = set(await live.sessions.read("SR.get_PBDs", ref))
        for plug in await live.sessions.read("host.get_PBDs", where):
            if plug in there and not await live.sessions.read("PBD.get_currently_attached", plug):
                await finished(live, "PBD.plug", plug, within_s=_PLUG_S)

    async def scan(self, pool: str, sr: str) -> None:
        """See `Storing.scan`."""
        live = self._by_uuid(pool)
        await finished(live, "SR.scan", await live.resolve("SR", sr), within_s=_PLUG_S)

    async def detach(self, pool: str, sr: str) -> None:
        """See `Storing.detach`."""
        live = self._by_uuid(pool)
        plugs = await self._plugs(live, sr)
        held = [ref for ref, one in plugs.items() if one.currently_attached]
        await _each(held, lambda ref: finished(live, "PBD.unplug", ref, within_s=_PLUG_S))

    async def freed(self, pool: str, sr: str, names: AbstractSet[str]) -> None:
        """See `Storing.freed`.

        As a real server does: below each snapshot lies a hidden copy, which the driver's own garbage collection frees
        a minute or more after the last leaf is gone. Some servers do not delete storage before.
        """
        live, until = self._by_uuid(pool), time.monotonic() + _FREED_S
        ref = await self._ref(live, sr)
        if ref is None or not await self._only_hidden(live, ref, names):
            return
        try:
            # It starts with a look at what is there.
            await finished(live, "SR.scan", ref, within_s=_DISK_S)
        except (NoAnswer, XapiFailure):
            return
        while True:
            if not await self._only_hidden(live, ref, names) or time.monotonic() > until:
                return
            await asyncio.sleep(1.0)

    async def forget(self, pool: str, sr: str) -> None:
        """See `Storing.forget`."""
        await self._end(self._by_uuid(pool), sr, "SR.forget")

    async def destroy(self, pool: str, sr: str, names: AbstractSet[str]) -> None:
        """See `Storing.destroy`."""
        live = self._by_uuid(pool)
        ref = await self._ref(live, sr)
        if ref is None:
            return
        await self._only_hidden(live, ref, names)
        await self._end(live, sr, "SR.destroy")

    async def rename(self, pool: str, sr: str, name: str) -> None:
        """See `Storing.rename`."""
        live = self._by_uuid(pool)
        await live.sessions.read("SR.set_name_label", await live.resolve("SR", sr), name)

    async def prefer(self, pool: str, sr: str, *, suspend: bool, crash: bool) -> None:
        """See `Storing.prefer`."""
        live = self._by_uuid(pool)
        ours, there = await live.resolve("pool", pool), await live.resolve("SR", sr)
        await live.sessions.read("pool.set_default_SR", ours, there)
        if suspend:
            await live.sessions.read("pool.set_suspend_image_SR", ours, there)
        if crash:
            await live.sessions.read("pool.set_crash_dump_SR", ours, there)

    async def make_disk(self, pool: str, sr: str, host: str, name: str, size: int) -> str:
        """See `Storing.make_disk`."""
        live = self._by_uuid(pool)
        record = {
            "name_label": name,
            "name_description": "xenbot tries the storage with it",
            "SR": await live.resolve("SR", sr),
            "virtual_size": str(size),
            "type": "user",
            "sharable": False,
            "read_only": False,
            "other_config": {FOR_HOST: host},
            "xenstore_data": {},
            "sm_config": {},
            "tags": [],
        }
        ref = await finished(live, "VDI.create", record, within_s=_DISK_S)
        return str(await live.sessions.read("VDI.get_uuid", ref))

    async def snapshot(self, pool: str, vdi: str) -> str:
        """See `Storing.snapshot`."""
        live = self._by_uuid(pool)
        ref = await live.sessions.read("VDI.get_by_uuid", vdi)
        made = await self._once_free(live, "VDI.snapshot", ref, {})
        return str(await live.sessions.read("VDI.get_uuid", made))

    async def note(self, pool: str, vdi: str, tried: Tried) -> None:
        """See `Storing.note`."""
        live = self._by_uuid(pool)
        ref = await live.sessions.read("VDI.get_by_uuid", vdi)
        await live.keep("VDI", ref, HOW, msgspec.json.encode(tried).decode())

    async def disks(self, pool: str, sr: str, name: str) -> tuple[str, ...]:
        """See `Storing.disks`."""
        return tuple(one.uuid for _, one in await trials(self._by_uuid(pool), sr, name))

    async def remove_disks(self, pool: str, sr: str, name: str, *, only: AbstractSet[str] | None = None) -> None:
        """See `Storing.remove_disks`."""
        live = self._by_uuid(pool)
        if await self._ref(live, sr) is None:
            return
        tried: set[str] = set()
        # Work that was given up may have ended late, and a snapshot may have come of it meanwhile.
        while left := [
            (ref, one)
            for ref, one in await trials(live, sr, name)
            if ref not in tried and (only is None or one.uuid in only)
        ]:
            tried |= {ref for ref, _ in left}
            for snapshots in (True, False):
                await _each([ref for ref, one in left if one.is_a_snapshot is snapshots], partial(self._gone, live))

    async def _gone(self, live: LivePool, ref: str) -> None:
        with IfThere():
            await self._once_free(live, "VDI.destroy", ref)

    async def _once_free(self, live: LivePool, method: str, *args: object) -> str:
        until = time.monotonic() + _BUSY_S
        while True:
            try:
                return await finished(live, method, *args, within_s=_DISK_S)
            except XapiFailure as refusal:
                if refusal.code not in _BUSY or time.monotonic() > until:
                    raise
            await asyncio.sleep(1.0)

    async def _only_hidden(self, live: LivePool, ref: str, names: AbstractSet[str]) -> bool:
        """Whether the driver keeps anything there, which goes with the storage. Raises Refused as `Storing.destroy`."""
        now = await live.sessions.read("SR.get_name_label", ref)
        if now not in names:
            raise Refused(f"It is called “{clean(now)}” by now, so somebody else works with it.", "Look at it.")
        managed = []
        for disk in await live.sessions.read("SR.get_VDIs", ref):
            # What was hidden may just have been freed.
            with IfThere():
                managed.append(bool(await live.sessions.read("VDI.get_managed", disk)))
        if any(managed):
            n = f"{sum(managed)} disk{'s' if sum(managed) > 1 else ''}"
            raise Refused(f"It holds {n} by now, so it is not deleted.", "Look at what they are.")
        return bool(managed)

    async def _plugs(self, live: LivePool, sr: str) -> dict[str, PbdRecord]:
        ref = await self._ref(live, sr)
        if ref is None:
            return {}
        record: SrRecord = convert(SrRecord, await live.sessions.read("SR.get_record", ref))
        wire = await asyncio.gather(*(live.sessions.read("PBD.get_record", one) for one in record.pbds))
        return {one: convert(PbdRecord, each) for one, each in zip(record.pbds, wire, strict=True)}

    async def _end(self, live: LivePool, sr: str, method: str) -> None:
        ref = await self._ref(live, sr)
        if ref is None:
            return
        with IfThere():
            await finished(live, method, ref, within_s=_PLUG_S)

    async def _ref(self, live: LivePool, sr: str) -> str | None:
        """The reference, None where it is gone; not from the feed, which hears of what was just made a little later."""
        with IfThere():
            return str(await live.sessions.read("SR.get_by_uuid", sr))
        return None


async def _each(refs: Sequence[str], work: Callable[[str], Awaitable[object]]) -> None:
    """Does it with each of several objects, a few at a time.

    What the pool refuses keeps the others from nothing, and is raised at the end; silence ends all of it at once.
    """

    async def one(ref: str) -> XapiFailure | None:
        try:
            await work(ref)
        except XapiFailure as refusal:
            return refusal
        return None

    for refusal in await beside(refs, one):
        if refusal is not None:
            raise refusal
