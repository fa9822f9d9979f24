"""What the engine does to a pool: the `Driver` port. Long work is a task of the pool, which outlives us.

Facts of XAPI it rests on: the header `subtask-of` makes a call's task a child of another, found again through the
parent even when the connection died right after sending; `task.destroy` of a pending task leaves it; tasks vanish
with the coordinator's toolstack although their work may go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from bot.domain.calls import Argument, Call, DiskMap, Flag, Made, Marked, Options, Reception, Ref, Rest, Text
from bot.domain.inventory import Pool
from bot.errors import OutcomeUnknown, Unreachable, XapiFailure
from bot.operations.ports import TaskStatus, TaskView
from bot.xen.classes import convert
from bot.xen.faults import GONE, NULL_REF, IfThere, named_params
from bot.xen.pool import LivePool
from bot.xen.receiving import Welcome, receive
from bot.xen.records import TaskRecord
from bot.xen.transport import Wire
from bot.xen.work import JOB_HEADER

#: The feed wakes us; this is how long a dead feed may delay the news.
POLL_AT_LEAST_EVERY_S: Final = 3.0
#: A task that stands so goes on.
UNFINISHED: Final = frozenset({TaskStatus.PENDING, TaskStatus.CANCELLING})


class LiveDriver:
    """Begins calls as tasks, and finds, reads, awaits, cancels and removes tasks."""

    def __init__(self, by_uuid: Callable[[str], LivePool], known: Callable[[str], LivePool | None]) -> None:
        self._by_uuid = by_uuid
        self._known = known
        self._held: dict[str, list[Welcome]] = {}

    def known(self, pool: str) -> Pool | None:
        """The pool, if the feed has loaded it."""
        live = self._known(pool)
        return live.pool if live is not None else None

    def silent_s(self, pool: str) -> float:
        """See `Driver.silent_s`."""
        live = self._known(pool)
        return live.feed.age_s if live is not None else float("inf")

    async def open_task(self, pool: str, label: str, description: str) -> str:
        """Makes a parent task. Raises Unreachable, OutcomeUnknown, XapiFailure."""
        return await self._by_uuid(pool).sessions.change("task.create", label, description)

    async def labelled(self, pool: str, nonce: str) -> tuple[str, ...]:
        """The handles of the tasks of `open_task` whose label ends with `nonce`. Raises Unreachable, XapiFailure."""
        if not nonce:
            return ()
        # Read in full and compared here: a label holds foreign names, which have no place in a query.
        wire = await self._by_uuid(pool).sessions.read("task.get_all_records")
        return tuple(
            handle
            for handle, one in wire.items()
            if one.get("name_label", "").endswith(nonce) and one.get("subtask_of", NULL_REF) == NULL_REF
        )

    async def begin(self, pool: str, call: Call, *, parent: str, job: str) -> str:
        """Sends `Async.<call>` at most once. Raises Unreachable, OutcomeUnknown, XapiFailure."""
        live = self._by_uuid(pool)
        opened: list[Welcome] = []
        try:
            args = [await _argument(live, argument, opened) for argument in call.args]
            headers = {"subtask-of": parent, JOB_HEADER: job}
            task = await live.sessions.change(f"Async.{call.method}", *args, headers=headers)
        except (Unreachable, XapiFailure):
            for welcome in opened:
                welcome.end()
            raise
        except OutcomeUnknown:
            self._hold(parent, opened)
            raise
        self._hold(parent, opened)
        return task

    def _hold(self, parent: str, opened: Sequence[Welcome]) -> None:
        """Keeps the sessions that a call needs until its parent is closed; one that is forgotten ends by itself."""
        if opened:
            self._held.setdefault(parent, []).extend(opened)

    async def task(self, pool: str, handle: str) -> TaskView | None:
        """The task as it is now; None when the pool no longer has it. Raises Unreachable, XapiFailure."""
        live = self._by_uuid(pool)
        record = await record_of(live, handle)
        if record is None:
            live.sessions.released(handle)
            return None
        return _view(live, handle, record)

    async def children(self, pool: str, parent: str) -> tuple[TaskView, ...] | None:
        """The calls made under a parent; None when the parent is gone and no child of it is known either.

        Asked in both directions: `subtask_of` is only text to XAPI and outlives a parent that vanished.
        """
        live = self._by_uuid(pool)
        record = await record_of(live, parent)
        found: dict[str, TaskRecord] = {}
        marked = await live.sessions.read(
            "task.get_all_records_where", f'field "subtask_of"="{parent.replace(chr(34), "")}"'
        )
        for ref, wire in marked.items():
            found[ref] = convert(TaskRecord, wire)
        for ref in record.subtasks if record is not None else ():
            child = found.get(ref) or await record_of(live, ref)
            if child is not None:
                found[ref] = child
        if record is None and not found:
            return None
        return tuple(_view(live, ref, child) for ref, child in found.items())

    async def wait(self, pool: str, handle: str, *, seen: TaskView | None, at_most_s: float) -> TaskView | None:
        """Waits until the task differs from `seen` or the time is over. Raises Unreachable, XapiFailure."""
        live = self._by_uuid(pool)
        loop = asyncio.get_running_loop()
        until = loop.time() + at_most_s
        while True:
            # The bell is taken before looking, so that a change between the look and the wait is not slept through.
            rung = live.model.task_bell(handle).heard()
            now = await self.task(pool, handle)
            left = until - loop.time()
            if now != seen or left <= 0:
                return now
            await asyncio.wait({rung}, timeout=min(left, POLL_AT_LEAST_EVERY_S))

    async def cancel(self, pool: str, handle: str) -> bool:
        """Asks the pool to stop the task; False when it cannot be or is over. Raises Unreachable, XapiFailure."""
        live = self._by_uuid(pool)
        record = await record_of(live, handle)
        if record is None or status_of(record) not in UNFINISHED:
            return False
        try:
            # Asking again does no harm, so that a lost answer may be repeated like that of a read.
            await live.sessions.read("task.cancel", handle)
        except XapiFailure as failure:
            if failure.code in {"OPERATION_NOT_ALLOWED", *GONE}:
                return False
            raise
        return True

    async def close_task(self, pool: str, handle: str) -> None:
        """Removes a finished task, or our parent. Raises Unreachable, XapiFailure."""
        live = self._by_uuid(pool)
        record = await record_of(live, handle)
        with IfThere():
            if record is not None:
                if status_of(record) in UNFINISHED and record.subtask_of == NULL_REF:
                    # Nothing ever finishes a parent, and a pending task stays after `task.destroy`. A call's own task
                    # has a parent and is left alone: only the pool may say that it is done.
                    await live.sessions.read("task.set_status", handle, TaskStatus.SUCCESS.value)
                await live.sessions.read("task.destroy", handle)
        live.sessions.released(handle)
        for welcome in self._held.pop(handle, ()):
            welcome.end()


async def _argument(live: LivePool, argument: Argument, opened: list[Welcome]) -> str | bool | dict[str, str]:
    match argument:
        case Ref(kind, uuid):
            return await live.resolve(kind, uuid)
        case Text(value) | Flag(value):
            return value
        case Options(values):
            return dict(values)
        case Made() | Marked() | Rest():
            raise ValueError(f"{argument} is to be filled in before the call is made")

        case DiskMap(places):
            pairs = places.values()
            return {await live.resolve("VDI", vdi): await live.resolve("SR", sr) for vdi, sr in pairs}
        case Reception(host, network):
            welcome = await receive(live, await live.resolve("host", host), await live.resolve("network", network))
            opened.append(welcome)
            return welcome.wire


async def record_of(live: LivePool, handle: str) -> TaskRecord | None:
    """A task by its reference; None when the pool no longer has it. Raises Unreachable, XapiFailure."""
    wire: Wire = None
    with IfThere():
        wire = await live.sessions.read("task.get_record", handle)
    if wire is None:
        return None
    try:
        record: TaskRecord = convert(TaskRecord, wire)
    except msgspec.ValidationError as error:
        raise Unreachable(f"pool {live.name} gave a task record that cannot be read: {error}") from error
    return record


def status_of(record: TaskRecord) -> TaskStatus:
    """How a task stands."""
    try:
        return TaskStatus(record.status)
    except ValueError:
        # A status of a newer server: certainly not one of the final ones we know.
        return TaskStatus.PENDING


def _view(live: LivePool, handle: str, record: TaskRecord) -> TaskView:
    status = status_of(record)
    if status not in UNFINISHED:
        live.sessions.released(handle)
    code, *params = record.error_info or ("",)
    return TaskView(
        handle=handle,
        status=status,
        progress=record.progress,
        error=(code, *named_params(code, params, live.name_of)) if code else (),
        label=record.name_label,
        can_cancel="cancel" in record.allowed_operations,
    )
