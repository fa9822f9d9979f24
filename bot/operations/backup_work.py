"""The work of a backup that the bot does itself: receiving an export, verified as it comes, and keeping it.

The end of a stream proves nothing. It counts when the archive was verified to its end, the pool calls the export a
success, and the file lies on disk under its name with its manifest.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import structlog

from bot.domain.backup_facts import Label
from bot.domain.calls import Call, Ref
from bot.errors import Damaged, StoreError, TargetFailed, XapiFailure
from bot.operations.archive_ports import Archives, Arrival, Catalogue
from bot.operations.backup_steps import DESTROY_DISK, EXPORT, EXPORT_IN_PLACE, OTHERS, how_of, manner_of, mark
from bot.operations.exporting import Exporting
from bot.operations.ports import Driver, TaskStatus, TaskView
from bot.operations.stream_ports import Streams
from bot.operations.work import Errand, Worker

log = structlog.get_logger()

# How often a backup is put into the catalogue at most.
_PUTS: Final = 5
# How often a disk that is still in use is asked to be destroyed.
_PATIENT: Final = 120
_NOT_YET: Final = {"VDI_IN_USE", "OTHER_OPERATION_IN_PROGRESS"}
_GONE: Final = {"", "HANDLE_INVALID", "UUID_INVALID"}
#: What is to be done about an archive that did not come whole.
_ADVICE: Final = "Ask again; if the same place is wrong again, suspect the host, its disk or the network."


class BackupWork:
    """The workers of a backup.

    Args:
        retry_s: How long to wait before a pool that does not answer is asked again.
    """

    def __init__(
        self, streams: Streams, driver: Driver, archives: Archives, catalogue: Catalogue, *, retry_s: float = 1.0
    ) -> None:
        self._exporting = Exporting(streams, driver, retry_s=retry_s)
        self._retry_s = retry_s
        self._driver = driver
        self._archives = archives
        self._catalogue = catalogue

    def workers(self) -> dict[str, Worker]:
        """By the names that plans call them by. A guest that is kept off for it is started before any second try."""
        return {
            EXPORT: Worker(self._receive, self._clear, again=True),
            EXPORT_IN_PLACE: Worker(self._receive, self._clear),
            OTHERS: Worker(self._remove_others, again=True),
        }

    async def _remove_others(self, errand: Errand) -> None:
        """Destroys disks of a snapshot; one that is gone already is fine."""
        for disk in errand.step.call.uuids():
            await self._destroy(errand, disk)

    async def _destroy(self, errand: Errand, disk: str) -> None:
        for left in range(_PATIENT, -1, -1):
            error = await self._destroyed(errand, disk)
            if error[0] in _GONE:
                return
            if error[0] not in _NOT_YET or not left:
                raise XapiFailure(error[0], error[1:])
            # It is still being detached from the export.
            await asyncio.sleep(self._retry_s)

    async def _destroyed(self, errand: Errand, disk: str) -> tuple[str, ...]:
        """Why the pool did not destroy it; ("",) where it did."""
        try:
            call = Call(DESTROY_DISK, (Ref("VDI", disk),))
            task = await self._driver.begin(errand.pool, call, parent=errand.task, job=str(errand.job))
        except XapiFailure as failure:
            return failure.code, *failure.params
        seen: TaskView | None = None
        while seen is None or not seen.status.over:
            seen = await self._driver.wait(errand.pool, task, seen=seen, at_most_s=self._retry_s)
            if seen is None:
                # The look at the disk tells.
                return ("",)
        await self._driver.close_task(errand.pool, task)
        return ("",) if seen.status is TaskStatus.SUCCESS else seen.error or (seen.status.value,)

    async def _receive(self, errand: Errand) -> None:
        guest = errand.step.lane
        try:
            arrival = await self._archives.receive(guest, mark(errand.nonce, guest), errand.step.room)
        except (TargetFailed, asyncio.CancelledError):
            errand.spare()
            raise
        try:
            sent = errand.step.call.uuids()[0]
            await self._exporting.fill(errand, arrival, sent, manner_of(errand.step).compress)
            await arrival.whole()
            await self._exporting.called_success(errand, arrival)
            keeping = asyncio.create_task(self._keep(arrival, _label(errand, guest)))
            try:
                await asyncio.shield(keeping)
            except asyncio.CancelledError:
                # Too late to stop it: a backup that is there is in the catalogue too.
                await asyncio.wait({keeping})
                raise
        except Damaged as damaged:
            raise _advised(damaged) from damaged
        finally:
            # Why it failed is worth more than that it could not be removed either, which the clearing finds again.
            with contextlib.suppress(TargetFailed):
                await arrival.discard()

    async def _keep(self, arrival: Arrival, label: Label) -> None:
        backup = await arrival.commit(label)
        for _ in range(_PUTS - 1):
            try:
                await self._catalogue.keep_backup(backup)
            except StoreError as doubt:
                log.warning("backup_not_catalogued_yet", backup=backup.id, reason=str(doubt))
                await asyncio.sleep(self._retry_s)
            else:
                return
        # It is there whatever becomes of this: the catalogue is made anew from what is there once a day.
        await self._catalogue.keep_backup(backup)

    async def _clear(self, errand: Errand) -> None:
        guest = errand.step.lane
        await self._archives.sweep(guest, mark(errand.nonce, guest))
        kept = await self._archives.made(guest, mark(errand.nonce, guest))
        if kept is not None:
            # The disk failed after it had become a backup: it is one, and belongs into the catalogue.
            await self._catalogue.keep_backup(kept)


def _label(errand: Errand, guest: str) -> Label:
    manner = manner_of(errand.step)
    return Label(
        guest=guest,
        name=errand.names.get(guest, guest),
        pool=errand.pool,
        pool_name=errand.names.get(errand.pool, errand.pool),
        how=how_of(errand.step).value,
        job=errand.job,
        task=errand.task,
        who=errand.who,
        reason=errand.reason,
        kept_s=manner.kept_s,
        keep=manner.rule,
    )


def _advised(it: Damaged) -> Damaged:
    """The same with what to do, where its short form does not say so."""
    brief = f"{it.brief} {_ADVICE}" if it.brief else ""
    return Damaged(it.message, block=it.block, disk=it.disk, offset=it.offset, brief=brief)
