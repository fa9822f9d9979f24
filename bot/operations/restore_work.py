"""The work of a restore that the bot does itself: the import, making the guest ready, and removing it again.

An import that was cut is undone by the pool. One that came through although it was not to, or nobody waited for it any
more, is found by the result of its task and removed.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from bot.domain.restores import Before, Came
from bot.domain.texts import Span, say
from bot.errors import CannotTell, Damaged, NotFound, Refused, StreamCut, TargetFailed, Unreachable, XapiFailure
from bot.operations.archive_ports import Library
from bot.operations.ports import Driver, TaskStatus
from bot.operations.restore_steps import (
    ASIDE,
    BACK,
    IMPORT,
    IMPORT_ONCE,
    MARK,
    READY,
    REMOVE,
    WATCH,
    archive_of,
    readiness,
    renamed,
)
from bot.operations.stream_ports import Flow, Phase, Restoring, Streams
from bot.operations.waiting import booted, task_end
from bot.operations.work import Errand, Reached, Worker

_PIECE: Final = 4 << 20
_STALLED_S: Final = 20.0
_LINGER_S: Final = 1.0


class RestoreWork:
    """The workers of a restore.

    Args:
        scheduled: The tags by which schedules find their guests.
        retry_s: How long to wait before a pool that does not answer is asked again.
        watch_s: For how long a rehearsed guest is watched whose tools do not answer: most boot in less.
        rest_s: How long a pool may take to end an import that was broken off.
        patience_s: How long a pool may be silent while a guest is kept off for an import to it.
    """

    def __init__(
        self,
        streams: Streams,
        driver: Driver,
        library: Library,
        restoring: Restoring,
        scheduled: Callable[[], Awaitable[frozenset[str]]],
        *,
        retry_s: float = 1.0,
        watch_s: float = 180.0,
        rest_s: float = 600.0,
        patience_s: float = 60.0,
    ) -> None:
        self._streams = streams
        self._driver = driver
        self._library = library
        self._restoring = restoring
        self._scheduled = scheduled
        self._retry_s = retry_s
        self._watch_s = watch_s
        self._rest_s = rest_s
        self._patience_s = patience_s

    def workers(self) -> dict[str, Worker]:
        """By the names that plans call them by."""
        return {
            IMPORT: Worker(self._import, self._clear, again=True),
            IMPORT_ONCE: Worker(self._import, self._clear),
            READY: Worker(self._ready, again=True, tasked=False),
            REMOVE: Worker(self._remove, again=True, tasked=False),
            ASIDE: Worker(self._aside, again=True, tasked=False),
            BACK: Worker(self._back, again=True, tasked=False),
            WATCH: Worker(self._watch, again=True, tasked=False),
        }

    # Import

    async def _import(self, errand: Errand) -> None:
        backup, sha256 = archive_of(errand.step)
        path = await self._library.path(backup)
        name = (await self._library.archived(backup)).contents.guest.name
        before = await self._restoring.before(errand.pool, name)
        # Whatever happens from here on, what the import makes can be told from what was there.
        await errand.note(msgspec.json.encode(before).decode())
        await self._send(errand, path, sha256)
        await self._marked(errand, before)

    async def _send(self, errand: Errand, path: Path, sha256: str) -> None:
        """Sends the archive and waits until the pool says that it is in; the file must be the one that was verified."""
        # A file server that is gone keeps this thread; those that everybody shares it must not have.
        reader = ThreadPoolExecutor(1, thread_name_prefix="restore-digest")
        stop = threading.Event()
        found = asyncio.wrap_future(reader.submit(path.stat))
        digest = asyncio.wrap_future(reader.submit(_digest, path, stop))
        # It ends with its work.
        reader.shutdown(wait=False)
        try:
            await self._streamed(errand, path, (await found).st_size)
            if await digest != sha256:
                raise Damaged("The archive is not the one that was backed up and verified: its SHA-256 is another.")
        except OSError as error:
            raise TargetFailed(
                f"The archive {path} cannot be read: {error.strerror}.", "Look at its folder."
            ) from error
        finally:
            stop.set()
            digest.add_done_callback(lambda done: done.cancelled() or done.exception())
            # Only a read from a dead disk takes longer, and nothing ends that.
            await asyncio.wait({digest}, timeout=_LINGER_S)

    async def _streamed(self, errand: Errand, path: Path, size: int) -> None:
        sr = errand.step.call.uuids("SR")[0]
        told = partial(_told, errand, size)
        cut: StreamCut | None = None
        try:
            await self._streams.send(errand.pool, sr, path, task=errand.task, progress=told)
        except StreamCut as broken:
            # Only the task tells what the pool made of it.
            cut = broken
        errand.tell(Reached(size, size, say("the pool is finishing the import")))
        # Where a guest is kept off for it, a pool that is silent for too long ends it.
        patience = self._patience_s if errand.step.call.method == IMPORT_ONCE else None
        view = await task_end(self._driver, errand, retry_s=self._retry_s, patience_s=patience)
        status, error = (view.status, view.error) if view is not None else (None, ())
        if status is TaskStatus.SUCCESS:
            return
        if cut is not None and error[:1] in {(), ("IMPORT_ERROR_PREMATURE_EOF",)}:
            raise cut
        raise XapiFailure(*_failure(status, error))

    async def _marked(self, errand: Errand, before: Before) -> None:
        """Gives what was imported the mark of the job. An archive of several guests is none of ours."""
        found = await self._restoring.arrived(errand.pool, errand.task, before)
        await self._note_came(errand, before, found)
        if len(found) != 1:
            raise Refused(
                f"The archive made {len(found)} guests instead of one.",
                "Choose another backup: what this one made is removed again.",
            )
        now = await self._restoring.restored(errand.pool, found[0])
        (wanted,) = errand.step.call.options
        # Storage may round a size up.
        if set(now.disks) != set(wanted) or any(now.sizes[place] < int(size) for place, size in wanted.items()):
            raise Refused(
                "The archive made other disks than its manifest says.",
                "Choose another backup: what this one made is removed again.",
            )
        await self._restoring.mark(errand.pool, found[0], _mark(errand), before)

    async def _note_came(self, errand: Errand, before: Before, found: Sequence[str]) -> Before:
        """Writes down what has come, with its disks: should it not go again, a person may have it removed by that."""
        came = dict(before.came)
        for vm in found:
            with contextlib.suppress(NotFound):
                its = tuple((await self._restoring.restored(errand.pool, vm)).disks.values())
                came.setdefault(vm, Came(its, await self._restoring.started_at(errand.pool, vm)))
        return await _noted(errand, before, came)

    async def _clear(self, errand: Errand) -> None:
        """What the import made though it did not go well, or nobody heard of it, goes again with its own disks."""
        before = msgspec.json.decode(errand.noted, type=Before) if errand.noted else None
        await self._at_rest(errand)
        found = await self._restoring.arrived(errand.pool, errand.task, before) if errand.task else ()
        if before is not None:
            before = await self._note_came(errand, before, found)
        for vm in found:
            if before is not None:
                # One that brought snapshots along goes with them, and one that cannot be marked goes all the same.
                with contextlib.suppress(Refused, XapiFailure):
                    await self._restoring.mark(errand.pool, vm, _mark(errand), before)
            await self._restoring.discard(errand.pool, vm, _mark(errand))
        if before is not None:
            # Nobody is offered the removal of what is gone.
            await _noted(errand, before, {vm: came for vm, came in before.came.items() if vm not in found})

    async def _at_rest(self, errand: Errand) -> None:
        """Waits while the pool still works on the import: once all data are in, nothing stops it any more."""
        until = time.monotonic() + self._rest_s
        while errand.task and time.monotonic() < until:
            view = await self._driver.task(errand.pool, errand.task)
            over = view is not None and view.status.over
            # One whose task the pool has forgotten may go on all the same: the guest then says so.
            if over or not self._restoring.importing(errand.pool, errand.task):
                return
            await asyncio.sleep(self._retry_s)

    # Before the first start, and back

    async def _ready(self, errand: Errand) -> None:
        vm = errand.step.call.uuids("VM")[0]
        tags = await self._scheduled()
        await self._restoring.prepare(errand.pool, vm, readiness(errand.step), _mark(errand), tags)

    async def _aside(self, errand: Errand) -> None:
        vm, _, later = renamed(errand.step)
        await self._restoring.set_aside(errand.pool, vm, later)

    async def _back(self, errand: Errand) -> None:
        vm, own, _ = renamed(errand.step)
        await self._restoring.bring_back(errand.pool, vm, own)

    async def _watch(self, errand: Errand) -> None:
        """Until the tools answer, the guest no longer runs, or it has been watched for long enough."""
        await booted(
            self._restoring,
            errand,
            within_s=self._watch_s,
            retry_s=self._retry_s,
            runs=say("it runs; waiting for its tools"),
            silent=say("the pool does not answer; watching again when it does"),
        )
        # By that a start of ours is known from a later one by somebody else; it is no part of what is rehearsed.
        with contextlib.suppress(Unreachable, CannotTell, XapiFailure):
            (vm,) = errand.step.call.uuids("VM")
            await errand.note(repr(await self._restoring.started_at(errand.pool, vm) or 0.0))

    async def _remove(self, errand: Errand) -> None:
        started = any(errand.step.call.flags)
        vm, disks = errand.step.call.uuids("VM")[0], errand.step.call.uuids("VDI")
        left = await self._restoring.remove(errand.pool, vm, disks, _mark(errand), running=started)
        if left:
            raise Refused(f"Not removed: {'; '.join(left)}.", "Look at it, and remove it where it is not needed.")


async def _noted(errand: Errand, before: Before, came: dict[str, Came]) -> Before:
    """What there was before, with what has come of it by now; written down where that is news."""
    now = msgspec.structs.replace(before, came=came)
    if now != before:
        await errand.note(msgspec.json.encode(now).decode())
    return now


def _mark(errand: Errand) -> str:
    return f"{MARK} {errand.nonce}"


def _digest(path: Path, stop: threading.Event) -> str:
    """SHA-256 (hex) of a file, read beside the stream and mostly from the same pages; "" when it was stopped."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(_PIECE))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            if stop.is_set():
                return ""
            digest.update(buffer[:count])
    return digest.hexdigest()


def _told(errand: Errand, size: int, flow: Flow) -> None:
    host = errand.names.get(flow.host, flow.host)
    phases = {
        Phase.CONNECTING: say("connecting to {host}", host=host),
        Phase.WAITING: say("waiting for {host}", host=host),
        Phase.FLOWING: say("sending to {host}", host=host),
        Phase.ENDING: say("{host} is finishing", host=host),
    }
    stalled = None
    if flow.last_byte_age >= _STALLED_S:
        whom = say("the file of the backup is not read") if flow.held_up else say("{host} takes nothing", host=host)
        stalled = say("{who} for {s}", who=whom, s=Span(flow.last_byte_age))
    errand.tell(Reached(min(flow.moved, size), size, phases[flow.phase], stalled))


def _failure(status: TaskStatus | None, error: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    if status is TaskStatus.CANCELLED:
        return "TASK_CANCELLED", ()
    if not error:
        return "IMPORT_ERROR", ("the pool no longer knows of the import",)
    return error[0], error[1:]
