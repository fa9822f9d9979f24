"""Calls on storage as tasks of the pool that are waited for so long and no longer: a file server may never answer.

As a real server does: a call about an NFS server that hangs takes as long as the host's mount does, for minutes, and
so does one that is handed on to a host that has died. As a task it holds up no thread of ours, and can be given up.
"""

from __future__ import annotations

import asyncio
import html
import re
from functools import partial
from typing import Final

import structlog

from bot.errors import CannotTell, OutcomeUnknown, Unreachable, XapiFailure
from bot.operations.ports import TaskStatus
from bot.xen.faults import GONE, failure
from bot.xen.pool import LivePool
from bot.xen.tasks import UNFINISHED, record_of, status_of

_EVERY_S: Final = 1.0
_VALUE: Final = re.compile(r"\A\s*<value>\s*(?:<string>)?(.*?)(?:</string>)?\s*</value>\s*\Z", re.DOTALL)
#: Answers that were lost: everything that is called here may be called twice.
_TRIES: Final = 3

log = structlog.get_logger(__name__)


class NoAnswer(CannotTell):
    """The pool has not ended its work in time; it was asked to stop, and may go on for a while."""


async def finished(live: LivePool, method: str, *args: object, within_s: float) -> str:
    """Has the pool carry out `Async.<method>`, which may come twice; gives the result as text.

    Raises NoAnswer after so many seconds, Unreachable also where the pool has forgotten the task, and XapiFailure with
    every parameter as sent but for names.
    """
    try:
        async with asyncio.timeout(within_s):
            task = await _begun(live, method, args)
            try:
                return await _ended(live, method, task)
            finally:
                _let_go(live, task)
    except TimeoutError:
        raise NoAnswer(f"the pool gave no answer to {method} for {within_s:.0f} s") from None


#: Kept until they are done, as a task that nobody refers to may be collected.
_AWAY: Final[set[asyncio.Task[None]]] = set()


async def _begun(live: LivePool, method: str, args: tuple[object, ...]) -> str:
    for attempt in range(_TRIES):
        sending = asyncio.ensure_future(live.sessions.change(f"Async.{method}", *args))
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            # The thread sends it all the same, and what the pool then begins nobody waits for.
            sending.add_done_callback(partial(_begun_late, live))
            raise
        except OutcomeUnknown as lost:
            log.info("storage_call_lost", method=method, reason=str(lost), attempt=attempt)
    raise Unreachable(f"pool {live.name} gave no answer to {method}")


def _begun_late(live: LivePool, sending: asyncio.Future[str]) -> None:
    if not sending.cancelled() and sending.exception() is None:
        _let_go(live, sending.result())


def _let_go(live: LivePool, task: str) -> None:
    """Whoever stops us waits for it no longer; the pool is told in the background of one that still goes on."""
    live.sessions.released(task)
    tidying = asyncio.create_task(_put_away(live, task))
    _AWAY.add(tidying)
    tidying.add_done_callback(_AWAY.discard)


async def _ended(live: LivePool, method: str, task: str) -> str:
    while True:
        # Taken before looking, so that a change between the look and the wait is not slept through.
        rung = live.model.task_bell(task).heard()
        record = await record_of(live, task)
        if record is None:
            # It went with the coordinator's toolstack; of what it worked on that says nothing.
            raise Unreachable(f"pool {live.name} has forgotten what came of {method}")
        status = status_of(record)
        if status is TaskStatus.SUCCESS:
            return text_of(record.result)
        if status not in UNFINISHED:
            raise failure(record.error_info or ("TASK_CANCELLED",), live.name_of)
        await asyncio.wait({rung}, timeout=_EVERY_S)


async def _put_away(live: LivePool, task: str) -> None:
    """Removes a task that is over, and asks one that is not to stop; a pool that is silent keeps it for a day."""
    try:
        record = await record_of(live, task)
        if record is not None and status_of(record) in UNFINISHED:
            await live.sessions.read("task.cancel", task)
        elif record is not None:
            await live.sessions.read("task.destroy", task)
    except (Unreachable, CannotTell) as reason:
        log.info("storage_task_left", task=task, reason=str(reason))
    except XapiFailure as refusal:
        if refusal.code not in GONE:
            log.info("storage_task_left", task=task, reason=str(refusal))


def text_of(result: str) -> str:
    """The string in a task's result, which XAPI writes as a value of XML-RPC."""
    found = _VALUE.match(result)
    return html.unescape(found[1]) if found is not None else result
