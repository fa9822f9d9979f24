"""The work of a backup that the bot does itself: receiving an export, verified as it comes, and keeping it.

The end of a stream proves nothing. It counts when the archive was verified to its end, the pool calls the export a
success, and the file lies on disk under its name with its manifest.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from bot.domain.backup_facts import Label
from bot.domain.plan import Ref
from bot.domain.texts import Phrase, Span, say
from bot.errors import CannotTell, Damaged, StoreError, StreamCut, TargetFailed, Unreachable, XapiFailure
from bot.operations.archive_ports import Archives, Arrival, Catalogue
from bot.operations.backup_steps import EXPORT, EXPORT_IN_PLACE, how_of, manner_of, mark
from bot.operations.ports import Driver, TaskStatus, TaskView
from bot.operations.stream_ports import Flow, Phase, Streams
from bot.operations.work import Errand, Reached, Worker

log = structlog.get_logger()

#: So long nothing comes before the card says what is waited for.
STALLED_S: Final = 20.0
# A host that cut a stream names the reason in the task right then.
_REASON_S: Final = 5.0
# How often a backup is put into the catalogue at most.
_PUTS: Final = 5
_OVER: Final = {TaskStatus.SUCCESS, TaskStatus.FAILURE, TaskStatus.CANCELLED}
#: What XAPI says of an export whose receiver went away: that was us, so that our own reason is the true one.
_OURS: Final = {"CLIENT_ERROR", "TASK_CANCELLED", ""}
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
        self._streams = streams
        self._driver = driver
        self._archives = archives
        self._catalogue = catalogue
        self._retry_s = retry_s

    def workers(self) -> dict[str, Worker]:
        """By the names that plans call them by. A guest that is kept off for it is started before any second try."""
        return {
            EXPORT: Worker(self._receive, self._clear, again=True),
            EXPORT_IN_PLACE: Worker(self._receive, self._clear),
        }

    async def _receive(self, errand: Errand) -> None:
        guest = errand.step.lane
        try:
            arrival = await self._archives.receive(guest, mark(errand.nonce, guest))
        except TargetFailed:
            errand.spare()
            raise
        try:
            await self._fill(errand, arrival)
            await arrival.whole()
            await self._called_success(errand, arrival)
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

    async def _fill(self, errand: Errand, arrival: Arrival) -> None:
        sent = next(one.uuid for one in errand.step.call.args if isinstance(one, Ref))
        try:
            await self._streams.export(
                errand.pool,
                sent,
                arrival.sink,
                task=errand.task,
                compress=manner_of(errand.step).compress,
                progress=partial(_told, errand.tell, arrival),
            )
        except (StreamCut, Damaged) as cut:
            # What broke the stream the host says in the task; that a block is then not whole only follows from it.
            error = await self._reason(errand)
            if error[0] in _OURS:
                raise
            raise XapiFailure(error[0], error[1:]) from cut

    async def _reason(self, errand: Errand) -> tuple[str, ...]:
        """Why the pool says that the export failed; ("",) where it does not say so within a moment."""
        try:
            async with asyncio.timeout(_REASON_S):
                view = await self._ended(errand, lambda: None)
        except TimeoutError:
            return ("",)
        return view.error if view is not None and view.status is TaskStatus.FAILURE and view.error else ("",)

    async def _called_success(self, errand: Errand, arrival: Arrival) -> None:
        """Waits for the pool's own word on the export. Raises XapiFailure where that is no success, StreamCut."""

        def waits() -> None:
            done = Reached(
                arrival.covered, arrival.expected, say("verified"), say("Waiting for the pool's own verdict")
            )
            errand.tell(done)

        view = await self._ended(errand, waits)
        if view is None:
            raise StreamCut("The pool has lost the task of the export, so that nobody says whether it was whole.")
        if view.status is not TaskStatus.SUCCESS:
            code, *params = view.error or (view.status.value,)
            raise XapiFailure(code, params)

    async def _ended(self, errand: Errand, waits: Callable[[], None]) -> TaskView | None:
        seen: TaskView | None = None
        while True:
            try:
                view = await self._driver.wait(errand.pool, errand.task, seen=seen, at_most_s=self._retry_s)
            except (Unreachable, CannotTell):
                waits()
                await asyncio.sleep(self._retry_s)
                continue
            if view is None or view.status in _OVER:
                return view
            seen = view
            waits()

    async def _clear(self, errand: Errand) -> None:
        guest = errand.step.lane
        await self._archives.sweep(guest, mark(errand.nonce, guest))


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


def _told(tell: Callable[[Reached], None], arrival: Arrival, flow: Flow) -> None:
    phase, stalled = _words(flow, say("verified") if arrival.covered else say("receiving"))
    tell(Reached(arrival.covered, arrival.expected, phase, stalled))


def _words(flow: Flow, going: Phrase) -> tuple[Phrase, Phrase | None]:
    """What goes on, and what is waited for where nothing moves."""
    age, host = Span(flow.last_byte_age), flow.host
    stalled = flow.last_byte_age >= STALLED_S
    match flow.phase:
        case Phase.CONNECTING:
            phase = say("connecting to {host}", host=host)
            why = say("{host} has not answered for {age}", host=host, age=age)
        case Phase.WAITING:
            phase = say("waiting for {host} to begin", host=host)
            why = say("{host} has sent nothing for {age}: it waits for another operation to end", host=host, age=age)
        case Phase.FLOWING if flow.held_up:
            phase = going
            why = say("the archive's disk has taken nothing for {age}", age=age)
        case Phase.FLOWING:
            phase = going
            why = say("{host} has sent nothing for {age}: it is still reading zeros", host=host, age=age)
        case Phase.ENDING:
            phase = going
            why = say("{host} has not ended the stream for {age}", host=host, age=age)
    return phase, why if stalled else None


def _advised(it: Damaged) -> Damaged:
    """The same with what to do, where its short form does not say so."""
    brief = f"{it.brief} {_ADVICE}" if it.brief else ""
    return Damaged(it.message, block=it.block, disk=it.disk, offset=it.offset, brief=brief)
