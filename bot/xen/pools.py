"""All pools together: what the composition root holds, behind the ports of `bot.operations`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from bot.domain.backup_facts import BackupFacts, Snapshot
from bot.domain.calls import Call
from bot.domain.disk_moves import DiskMoveFacts, SendFacts
from bot.domain.guest_facts import LeavingFacts, MigrationFacts, PowerFacts, Residents, Whereabouts, XapiVerdict
from bot.domain.health import HealthFacts, PlugFacts
from bot.domain.inventory import FeedState, Host, Pool, PoolView, Sr, Vm
from bot.domain.joining import JoinFacts, Membership
from bot.domain.remains import Remains
from bot.domain.restores import Coming, Restored, RestoreFacts
from bot.errors import ConfigError, Unreachable
from bot.operations.ports import TaskView
from bot.xen.check import Finding, check
from bot.xen.fleet import LiveFleet
from bot.xen.health_facts import health
from bot.xen.members import LiveMembers
from bot.xen.pool import LivePool
from bot.xen.remains import remains
from bot.xen.restore_facts import RestoreReads
from bot.xen.restoring import LiveRestoring
from bot.xen.roster import Roster
from bot.xen.settings import PoolSettings, findings
from bot.xen.storage_facts import PROBE_S, StorageFacts
from bot.xen.storing import LiveStoring
from bot.xen.streams import LiveStreams
from bot.xen.streams_raw import LiveRawDisks
from bot.xen.tasks import LiveDriver


class Pools:
    """Every configured pool. Implements Fleet, Facts and Driver; other attributes are ports of their own.

    Args:
        settings: The `[[pools]]` of the configuration. Raises ConfigError when they cannot be used.
        passwords: By the pool's configured name.
        clock: Unix seconds.
        probe_every_s: How often every host's management address is probed.
        own: UUIDs that the guest the bot runs in may have; none where it runs outside.
        probe_nfs_s: After how long a host is given up that looks at an NFS server.
    """

    def __init__(
        self,
        settings: Sequence[PoolSettings],
        *,
        passwords: Mapping[str, str],
        clock: Callable[[], float] = time.time,
        probe_every_s: float = 15.0,
        own: frozenset[str] = frozenset(),
        probe_nfs_s: float = PROBE_S,
    ) -> None:
        problems = findings(settings)
        problems += [f"pool {pool.name} has no password." for pool in settings if pool.name not in passwords]
        if problems:
            raise ConfigError(problems)
        self._passwords = dict(passwords)
        self._own = own
        self._clock = clock
        self._pools = Roster([LivePool(pool, passwords[pool.name], clock, probe_every_s) for pool in settings])
        self._fleet = LiveFleet(self._pools)
        self._facts = RestoreReads(self._pools, self._live, clock, own)
        self._driver = LiveDriver(self._live, self._loaded)
        self.restoring = LiveRestoring(self._live, self._pools)
        self.streams = LiveStreams(self._live)
        self.members = LiveMembers(self._pools, self._live)
        self.storage = StorageFacts(self._pools, self._live, probe_s=probe_nfs_s)
        self.storing = LiveStoring(self._live)
        self.raw_disks = LiveRawDisks(self._live)

    def __repr__(self) -> str:
        return f"Pools({[pool.name for pool in self._pools.every]})"

    async def start(self) -> None:
        """Starts feeds and probes; a pool that is down is no error here."""
        for pool in self._pools.every:
            await pool.start()

    async def stop(self) -> None:
        """Stops all of it, and logs out every session that owns no unfinished task."""
        await asyncio.gather(*(pool.stop() for pool in self._pools.every))

    def ready(self) -> bool:
        """Whether at least one pool is fed."""
        return any(pool.view().state is FeedState.LIVE for pool in self._pools)

    async def changed(self) -> None:
        """Waits for any change of the inventory, or of how far it can be believed."""
        await asyncio.wait({pool.model.bell.heard() for pool in self._pools.every}, return_when=asyncio.FIRST_COMPLETED)

    async def check(self) -> list[Finding]:
        """Everything about logins, versions, roles and certificates of all listed hosts; needs no `start`."""
        found = await asyncio.gather(
            *(check(pool.settings, self._passwords[pool.name], self._own) for pool in self._pools.every)
        )
        return [finding for findings_ in found for finding in findings_]

    def pools(self) -> tuple[PoolView, ...]:
        """See `Fleet.pools`."""
        return self._fleet.pools()

    def pool(self, text: str) -> PoolView:
        """See `Fleet.pool`."""
        return self._fleet.pool(text)

    def vm(self, text: str) -> Vm:
        """See `Fleet.vm`."""
        return self._fleet.vm(text)

    def host(self, text: str) -> Host:
        """See `Fleet.host`."""
        return self._fleet.host(text)

    def sr(self, text: str) -> Sr:
        """See `Fleet.sr`."""
        return self._fleet.sr(text)

    async def migration(self, vm: str, host: str) -> MigrationFacts:
        """See `Facts.migration`."""
        return await self._facts.migration(vm, host)

    async def placements(self, vm: str) -> tuple[MigrationFacts, ...]:
        """See `Facts.placements`."""
        return await self._facts.placements(vm)

    async def power(self, vm: str, operations: tuple[str, ...], *, placing: bool = False) -> PowerFacts:
        """See `Facts.power`."""
        return await self._facts.power(vm, operations, placing=placing)

    async def disk_move(self, vm: str, sr: str) -> DiskMoveFacts:
        """See `Facts.disk_move`."""
        return await self._facts.disk_move(vm, sr)

    async def restore(self, guest: Coming, pool: str, host: str, sr: str) -> RestoreFacts:
        """See `Facts.restore`."""
        return await self._facts.restore(guest, pool, host, sr)

    async def backup(self, vm: str) -> BackupFacts:
        """See `Facts.backup`."""
        return await self._facts.backup(vm)

    async def snapshots(self, pool: str, vm: str) -> tuple[Snapshot, ...]:
        """See `Facts.snapshots`."""
        return await self._facts.snapshots(pool, vm)

    async def exists(self, pool: str, kind: str, uuid: str) -> bool:
        """See `Facts.exists`."""
        return await self._facts.exists(pool, kind, uuid)

    async def restored(self, pool: str, vm: str) -> Restored:
        """See `Facts.restored`."""
        return await self.restoring.restored(pool, vm)

    async def marked(self, pool: str, name: str) -> tuple[str, ...]:
        """See `Facts.marked`."""
        return await self.restoring.marked(pool, name)

    async def remains(self, pool: str, vm: str, disks: Sequence[str], networks: str = "") -> Remains:
        """See `Facts.remains`."""
        return await remains(self._live(pool), self.restoring, vm, disks, networks)

    async def sending(self, vm: str, host: str, goals: Mapping[str, str]) -> SendFacts:
        """See `Facts.sending`."""
        return await self._facts.sending(vm, host, goals)

    async def leaving(self, host: str) -> LeavingFacts:
        """See `Facts.leaving`."""
        return await self._facts.leaving(host)

    async def verdicts(self, pairs: Sequence[tuple[str, str]]) -> tuple[XapiVerdict, ...]:
        """See `Facts.verdicts`."""
        return await self._facts.verdicts(pairs)

    async def residents(self, pool: str, host: str) -> Residents:
        """See `Facts.residents`."""
        return await self._facts.residents(pool, host)

    async def joining(self, host: str, pool: str) -> JoinFacts:
        """See `Facts.joining`."""
        return await self._facts.joining(host, pool)

    async def membership(self, pool: str, host: str) -> Membership:
        """See `Facts.membership`."""
        return await self.members.looked_at(pool, host)

    async def control_load(self, host: str) -> float | None:
        """See `Facts.control_load`."""
        return await self._facts.control_load(host)

    async def health(self, pool: str) -> HealthFacts:
        """See `Facts.health`."""
        return await health(self._live(pool), self._clock)

    async def plug(self, sr: str, host: str) -> PlugFacts:
        """See `Facts.plug`."""
        return await self._facts.plug(sr, host)

    async def whereabouts(self, pool: str, vm: str) -> Whereabouts:
        """See `Facts.whereabouts`."""
        return await self._facts.whereabouts(pool, vm)

    def known(self, pool: str) -> Pool | None:
        """See `Driver.known`."""
        return self._driver.known(pool)

    def silent_s(self, pool: str) -> float:
        """See `Driver.silent_s`."""
        return self._driver.silent_s(pool)

    async def open_task(self, pool: str, label: str, description: str) -> str:
        """See `Driver.open_task`."""
        return await self._driver.open_task(pool, label, description)

    async def labelled(self, pool: str, nonce: str) -> tuple[str, ...]:
        """See `Driver.labelled`."""
        return await self._driver.labelled(pool, nonce)

    async def begin(self, pool: str, call: Call, *, parent: str, job: str) -> str:
        """See `Driver.begin`."""
        return await self._driver.begin(pool, call, parent=parent, job=job)

    async def task(self, pool: str, handle: str) -> TaskView | None:
        """See `Driver.task`."""
        return await self._driver.task(pool, handle)

    async def children(self, pool: str, parent: str) -> tuple[TaskView, ...] | None:
        """See `Driver.children`."""
        return await self._driver.children(pool, parent)

    async def wait(self, pool: str, handle: str, *, seen: TaskView | None, at_most_s: float) -> TaskView | None:
        """See `Driver.wait`."""
        return await self._driver.wait(pool, handle, seen=seen, at_most_s=at_most_s)

    async def cancel(self, pool: str, handle: str) -> bool:
        """See `Driver.cancel`."""
        return await self._driver.cancel(pool, handle)

    async def close_task(self, pool: str, handle: str) -> None:
        """See `Driver.close_task`."""
        await self._driver.close_task(pool, handle)

    def _loaded(self, uuid: str) -> LivePool | None:
        return next((live for live in self._pools if live.pool is not None and live.pool.uuid == uuid), None)

    def _live(self, uuid: str) -> LivePool:
        found = self._loaded(uuid)
        if found is None:
            raise Unreachable(f"no pool with UUID {uuid} has been loaded yet")
        return found
