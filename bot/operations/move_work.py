"""The work of a move by backup that the bot does itself: comparing the copy with the backup, and watching it boot."""

from __future__ import annotations

from bot.domain.texts import say
from bot.errors import Refused
from bot.operations.archive_ports import Library
from bot.operations.exporting import Exporting
from bot.operations.move_by_backup_steps import COMPARE, WATCH
from bot.operations.ports import Driver
from bot.operations.retire import HAND_OVER, HAND_TAGS, TAKE_TAGS
from bot.operations.stream_ports import Compression, Restoring, Streams
from bot.operations.waiting import booted
from bot.operations.work import Errand, Worker


class MoveWork:
    """The workers of a move by backup.

    Args:
        watch_s: For how long a copy is waited for whose tools must answer.
        quiet_s: For how long one is watched that has no tools.
        retry_s: How long to wait before it is looked at again.
        patience_s: How long its pool may be silent while the guest is kept off.
    """

    def __init__(
        self,
        streams: Streams,
        driver: Driver,
        library: Library,
        restoring: Restoring,
        *,
        watch_s: float = 300.0,
        quiet_s: float = 60.0,
        retry_s: float = 1.0,
        patience_s: float = 60.0,
    ) -> None:
        self._exporting = Exporting(streams, driver, retry_s=retry_s, patience_s=patience_s, done="compared")
        self._library = library
        self._restoring = restoring
        self._watch_s = watch_s
        self._quiet_s = quiet_s
        self._retry_s = retry_s

    def workers(self) -> dict[str, Worker]:
        """By the names that plans call them by. What takes long is not begun again while a guest is kept off for it."""
        return {
            COMPARE: Worker(self._compare),
            WATCH: Worker(self._watch, again=True, tasked=False),
            HAND_OVER: Worker(self._hand_over, again=True, tasked=False),
            HAND_TAGS: Worker(self._hand_tags, again=True, tasked=False),
            TAKE_TAGS: Worker(self._take_tags, again=True, tasked=False),
        }

    async def _compare(self, errand: Errand) -> None:
        """Reads the copy back by an export of its own, and keeps nothing of it but that its disks are the same."""
        vm, backup = errand.step.call.uuids("VM")[0], errand.step.call.uuids("backup")[0]
        comparison = await self._library.compare(backup)
        try:
            await self._exporting.fill(errand, comparison, vm, Compression.ZSTD)
            blocks = await comparison.same()
            await self._exporting.called_success(errand, comparison)
        finally:
            await comparison.discard()
        await self._restoring.note_compared(errand.pool, vm, f"{backup} {blocks}")

    async def _watch(self, errand: Errand) -> None:
        """Until the tools answer or the copy no longer runs; one without tools for a while."""
        wanted = any(errand.step.call.flags)
        longest = self._watch_s if wanted else self._quiet_s
        seen = await booted(
            self._restoring,
            errand,
            within_s=longest,
            retry_s=self._retry_s,
            runs=say("it runs; waiting for its tools" if wanted else "it runs; watched for a while"),
            silent=say("its pool does not answer; looking again"),
        )
        if wanted and not seen:
            raise Refused(f"Its tools did not answer within {longest:.0f} s, as they did before the move.")

    async def _hand_over(self, errand: Errand) -> None:
        value = errand.step.call.texts[0]
        await self._restoring.start_with_host(errand.pool, errand.step.call.uuids("VM")[0], value)

    async def _hand_tags(self, errand: Errand) -> None:
        await self._restoring.add_tags(errand.pool, errand.step.call.uuids("VM")[0], _tags(errand))

    async def _take_tags(self, errand: Errand) -> None:
        await self._restoring.take_tags(errand.pool, errand.step.call.uuids("VM")[0], _tags(errand))


def _tags(errand: Errand) -> frozenset[str]:
    return frozenset(errand.step.call.options[0])
