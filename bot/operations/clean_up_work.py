"""The work of removing what a job of ours left: looked at once more right before, and left where somebody uses it."""

from __future__ import annotations

from bot.domain.texts import many, plain
from bot.errors import Refused
from bot.operations import clean_up_storage
from bot.operations.clean_up_left import DISKS, GUEST, claims, claims_on_disks, disks_of, guest_of
from bot.operations.leavings import LeftStorage
from bot.operations.ports import Facts
from bot.operations.storage_ports import Storing
from bot.operations.stream_ports import Restoring
from bot.operations.work import Errand, Worker


class CleanUpWork:
    """The workers of a clean-up. All may be begun again: what is gone by then is gone."""

    def __init__(self, facts: Facts, restoring: Restoring, storing: Storing) -> None:
        self._facts = facts
        self._restoring = restoring
        self._storing = storing

    def workers(self) -> dict[str, Worker]:
        """By the names that plans call them by."""
        return {
            GUEST: Worker(self._guest, again=True, tasked=False),
            DISKS: Worker(self._disks, again=True, tasked=False),
            clean_up_storage.STORAGE: Worker(self._storage, again=True, tasked=False),
        }

    async def _guest(self, errand: Errand) -> None:
        left = guest_of(errand.step, errand.pool)
        now = await self._facts.remains(errand.pool, left.uuid, left.disks, left.mark)
        why = claims(left, now)
        if why:
            raise Refused(f"It is left as it is: {plain(many(why))}.", "Remove it yourself if nobody needs it.")
        # Disks first, then the guest: what is left of one that was broken off is still known by the guest.
        kept = await self._restoring.remove(errand.pool, left.uuid, left.disks, left.mark, running=False)
        if kept:
            raise Refused(f"Not removed: {'; '.join(kept)}.", "Look at it, and remove it where it is not needed.")

    async def _disks(self, errand: Errand) -> None:
        left = disks_of(errand.step, errand.pool)
        now = await self._facts.remains(errand.pool, "", left.disks)
        claimed = claims_on_disks(left, now.disks)
        free = frozenset(left.disks) - set(claimed)
        await self._storing.remove_disks(errand.pool, left.sr, left.mark, only=free)
        if claimed:
            why = plain(many(list(claimed.values())))
            raise Refused(f"Not all are removed: {why}.", "Remove them yourself if nobody needs them.")

    async def _storage(self, errand: Errand) -> None:
        left = clean_up_storage.storage_of(errand.step, errand.pool)
        if not left.made:
            await self._let_go(left)
            return
        why = clean_up_storage.claims(left, await self._facts.remains(errand.pool, "", left.disks))
        if why:
            raise Refused(f"It is left as it is: {plain(many(why))}.", "Remove it yourself if nobody needs it.")
        names = frozenset({left.mark})
        await self._storing.remove_disks(errand.pool, left.sr, left.mark, only=frozenset(left.disks))
        # Both refuse storage in which a disk is left, or that somebody has named otherwise.
        await self._storing.freed(errand.pool, left.sr, names)
        await self._storing.detach(errand.pool, left.sr)
        await self._storing.destroy(errand.pool, left.sr, names)

    async def _let_go(self, left: LeftStorage) -> None:
        """Storage that was there before: nothing of it is deleted but the disks that the job has made in it."""
        why = await clean_up_storage.kept(left, self._facts)
        if why is not None:
            raise Refused(f"{plain(why)}.", "Look at it, and unplug it where nobody needs it.")
        await self._storing.remove_disks(left.pool, left.sr, left.mark, only=frozenset(left.disks))
        await self._storing.detach(left.pool, left.sr)
        await self._storing.forget(left.pool, left.sr)
