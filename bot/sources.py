"""What plans are made from: the pools, the archive, and the catalogue of what is in it, as one."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from bot.config import Config
from bot.domain.disk_moves import SendFacts
from bot.domain.guest_facts import Backed, LeavingFacts, MigrationFacts, PowerFacts
from bot.domain.inventory import PowerState
from bot.domain.record import MOST_OF_A_GUEST
from bot.jobs.standing_plans import StandingPlans
from bot.operations import restore
from bot.operations.archive_ports import Archives, Catalogue, Library
from bot.operations.restore_steps import made_of
from bot.store import Store
from bot.xen import Pools, own_uuids


class Sources(Pools):
    """What plans are made from: the pools, the archive, and the catalogue of what is in it."""

    def __init__(self, config: Config, archives: Archives, library: Library, store: Store) -> None:
        super().__init__(config.pools, passwords=config.secrets.pool_passwords, own=own_uuids())
        self.archives = archives
        self.library = library
        self.catalogue: Catalogue = store
        self._store = store
        self.schedules = StandingPlans(store, self, config.backups.time_zone)
        self._asked = bool(config.approval.backup_days and config.backups.path)

    async def migration(self, vm: str, host: str) -> MigrationFacts:
        """See `Facts.migration`."""
        return await self._with_backups(await super().migration(vm, host))

    async def placements(self, vm: str) -> tuple[MigrationFacts, ...]:
        """See `Facts.placements`."""
        found = await super().placements(vm)
        backed = await self._backed(vm)
        return tuple(msgspec.structs.replace(one, backed_up=backed) for one in found)

    async def leaving(self, host: str) -> LeavingFacts:
        """See `Facts.leaving`."""
        found = await super().leaving(host)
        guests = [await self._with_backups(one) for one in found.guests]
        return msgspec.structs.replace(found, guests=tuple(guests))

    async def sending(self, vm: str, host: str, goals: Mapping[str, str]) -> SendFacts:
        """See `Facts.sending`."""
        found = await super().sending(vm, host, goals)
        return msgspec.structs.replace(found, move=await self._with_backups(found.move))

    async def power(self, vm: str, operations: tuple[str, ...], *, placing: bool = False) -> PowerFacts:
        """See `Facts.power`."""
        found = await super().power(vm, operations, placing=placing)
        return msgspec.structs.replace(found, origins=await self._origins(vm)) if placing else found

    async def _origins(self, vm: str) -> tuple[str, ...]:
        """The names of the running guests from whose backup a guest was restored."""
        jobs = await self._store.jobs(limit=MOST_OF_A_GUEST, target=vm)
        restores = [one for one in jobs if one.operation == restore.NAME]
        copied = {one.plan.targets[0].uuid for one in restores if vm in made_of(one.filled)} - {vm}
        guests = (guest for pool in self.pools() for guest in pool.vms) if copied else ()
        return tuple(one.name for one in guests if one.uuid in copied and one.power_state is PowerState.RUNNING)

    async def _with_backups(self, facts: MigrationFacts) -> MigrationFacts:
        return msgspec.structs.replace(facts, backed_up=await self._backed(facts.vm.uuid))

    async def _backed(self, vm: str) -> Backed:
        """What the catalogue knows of a guest; it is not asked where no rule goes by it."""
        if not self._asked:
            return Backed()
        whole = [one.at for one in await self.catalogue.backups(guest=vm) if one.good]
        return Backed(max(whole, default=None), asked=True)
