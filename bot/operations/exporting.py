"""Receiving the stream of an export, and the pool's own word on it: the end of a stream proves nothing by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from bot.domain.texts import Phrase, Size, Span, say
from bot.errors import CannotTell, Damaged, StreamCut, Unreachable, XapiFailure
from bot.operations.archive_ports import Filling
from bot.operations.ports import Driver, TaskStatus, TaskView
from bot.operations.stream_ports import Compression, Flow, Phase, Streams
from bot.operations.waiting import task_end
from bot.operations.work import Errand, Reached

#: So long nothing comes before the card says what is waited for.
STALLED_S: Final = 20.0
# A host that cut a stream names the reason in the task right then.
_REASON_S: Final = 5.0
#: What XAPI says of an export whose receiver went away: that was us, so that our own reason is the true one.
_OURS: Final = {"CLIENT_ERROR", "TASK_CANCELLED", ""}


class Exporting:
    """Exports a guest or a snapshot under the task of an errand.

    Args:
        retry_s: How long to wait before a pool that does not answer is asked again.
        patience_s: How long a pool may not answer before that is an error; None waits for as long as it takes.
        done: What the card says of the bytes that have come so far.
    """

    def __init__(
        self,
        streams: Streams,
        driver: Driver,
        *,
        retry_s: float = 1.0,
        patience_s: float | None = None,
        done: str = "verified",
    ) -> None:
        self._streams = streams
        self._driver = driver
        self._retry_s = retry_s
        self._patience_s = patience_s
        self._done = say(done)

    async def fill(self, errand: Errand, filling: Filling, vm: str, compress: Compression) -> None:
        """Receives the export of a guest or snapshot (UUID). Raises as `Streams.export`, with the pool's reason."""
        try:
            await self._streams.export(
                errand.pool,
                vm,
                filling.sink,
                task=errand.task,
                compress=compress,
                progress=partial(self._told, errand, filling),
            )
        except (StreamCut, Damaged) as cut:
            # What broke the stream the host says in the task; that a block is then not whole only follows from it.
            error = await self._reason(errand)
            if error[0] in _OURS:
                raise
            raise XapiFailure(error[0], error[1:]) from cut

    def _told(self, errand: Errand, filling: Filling, flow: Flow) -> None:
        going = self._done if filling.covered else say("receiving, {n} so far", n=Size(flow.moved))
        phase, stalled = _words(flow, errand.names.get(flow.host, flow.host), going)
        errand.tell(Reached(filling.covered, filling.expected, phase, stalled))

    async def called_success(self, errand: Errand, filling: Filling) -> None:
        """Waits for the pool's own word on the export. Raises XapiFailure where that is no success, StreamCut."""

        def waits() -> None:
            done = Reached(filling.covered, filling.expected, self._done, say("Waiting for the pool's own verdict"))
            errand.tell(done)

        view = await self._ended(errand, waits)
        if view is None:
            raise StreamCut("The pool has lost the task of the export, so that nobody says whether it was whole.")
        if view.status is not TaskStatus.SUCCESS:
            code, *params = view.error or (view.status.value,)
            raise XapiFailure(code, params)

    async def _reason(self, errand: Errand) -> tuple[str, ...]:
        """Why the pool says that the export failed; ("",) where it does not say so within a moment."""
        try:
            async with asyncio.timeout(_REASON_S):
                view = await self._ended(errand, lambda: None)
        except (TimeoutError, Unreachable, CannotTell):
            return ("",)
        return view.error if view is not None and view.status is TaskStatus.FAILURE and view.error else ("",)

    async def _ended(self, errand: Errand, waits: Callable[[], None]) -> TaskView | None:
        return await task_end(self._driver, errand, retry_s=self._retry_s, patience_s=self._patience_s, waits=waits)


def _words(flow: Flow, host: str, going: Phrase) -> tuple[Phrase, Phrase | None]:
    """What goes on, and what is waited for where nothing moves."""
    age = Span(flow.last_byte_age)
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
