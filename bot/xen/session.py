"""Sessions with one pool: a few threads, a session each, always with the coordinator.

Reads may be repeated and are. A changing call is sent once; only where XAPI says in so many words that it has not
looked at it is it sent a second time (`_change`). Everything above this file is asyncio; everything below it blocks.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import structlog
import XenAPI

from bot.errors import OutcomeUnknown, Unreachable
from bot.xen.faults import NOT_READY, failure, not_ready
from bot.xen.line import Line
from bot.xen.logins import Entry, Logins
from bot.xen.settings import HostSettings, PoolSettings
from bot.xen.transport import ANSWER_TIMEOUT_S, CallLost, Wire

THREADS: Final = 4

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class Sessions(Logins):
    """Everything that is asked of one pool by XML-RPC.

    Args:
        pool: The hosts that may be asked.
        password: Sent only to listed hosts that have shown the right certificate.
        name_of: Gives the display name of a reference, for failures.
        patience_s: How long a server may be silent.
        threads: How many questions may be under way at once.
    """

    def __init__(
        self,
        pool: PoolSettings,
        password: str,
        name_of: Callable[[str], str | None],
        *,
        patience_s: float = ANSWER_TIMEOUT_S,
        threads: int = THREADS,
    ) -> None:
        super().__init__(pool, password, patience_s)
        self._name_of = name_of
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=f"xen-{pool.name}")
        self._own = threading.local()
        self._guard = threading.Lock()
        self._lines: list[Line] = []
        self._owners: dict[str, str] = {}
        self._doubtful: set[str] = set()
        self._entries: set[Entry] = set()
        self._streams: dict[str, Entry] = {}

    async def join(self, address: str, into: Sessions) -> str:
        """Has the host of this pool join another, whose coordinator has that address; gives the task's reference.

        The call carries the other pool's password; it goes to a host that has shown the right certificate, and nowhere
        else. Raises as `change`.
        """
        return await self.change("Async.pool.join", address, into._pool.user, into._password)

    async def read(self, method: str, *args: object) -> Wire:
        """A call that may come twice, as one without effect; repeated when its answer was lost.

        Raises Unreachable, XapiFailure.
        """
        return await self._run(lambda: self._read(method, args))

    async def change(self, method: str, *args: object, headers: Mapping[str, str] | None = None) -> str:
        """A call that makes a task, sent at most once; gives the task's reference.

        Raises Unreachable when it certainly had no effect, OutcomeUnknown when its answer was lost, XapiFailure.
        """
        return await self._run(lambda: self._change(method, args, headers or {}))

    def released(self, task: str) -> None:
        """The task is finished: its session need not be kept for it."""
        with self._guard:
            self._owners.pop(task, None)
            entry = self._streams.pop(task, None)
        if entry is not None:
            self.leave(entry)

    async def enter_for(self, task: str) -> Entry:
        """Opens a session for the stream that this task stands for; `released` leaves it. Raises Unreachable."""
        entry = await self.enter()
        with self._guard:
            older = self._streams.get(task)
            self._streams[task] = entry
        if older is not None:
            self.leave(older)
        return entry

    async def enter(self) -> Entry:
        """Opens a session, such as for the live feed. Raises Unreachable."""

        def open_line() -> Entry:
            line = self._log_in()
            line.transport.close()
            entry = Entry(line.host, line.handle)
            with self._guard:
                self._entries.add(entry)
            return entry

        entering = asyncio.ensure_future(self._run(open_line))
        try:
            return await asyncio.shield(entering)
        except asyncio.CancelledError:
            # The thread logs in all the same.
            entering.add_done_callback(self._leave_late)
            raise

    def leave(self, entry: Entry) -> None:
        """Logs out a feed's session that is not used any more, some time soon; never raises, nobody waits for it."""
        with self._guard:
            self._entries.discard(entry)
        if not self._closing:
            self._threads.submit(self._log_out, entry)

    def _leave_late(self, entering: asyncio.Future[Entry]) -> None:
        if not entering.cancelled() and entering.exception() is None:
            self.leave(entering.result())

    async def close(self) -> None:
        """Ends all threads and connections, and logs out every session that owns no unfinished task."""
        self._closing = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._close)

    async def _run(self, work: Callable[[], _T]) -> _T:
        if self._closing:
            raise Unreachable(f"the connection to pool {self._pool.name} is closed")
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _read(self, method: str, args: tuple[object, ...]) -> Wire:
        lost = ""
        for _ in range(3):
            line = self._line()
            try:
                return line.call(method, *args)
            except CallLost as error:
                lost = f"{line.host.address} {error.reason}"
                timed_out = isinstance(error.__cause__, TimeoutError)
                if timed_out or not error.sent:
                    # This host may be gone and another one the coordinator: the next turn looks for it.
                    self._forget(line)
                if timed_out and error.sent:
                    break
            except XenAPI.Failure as refusal:
                lost = f"{line.host.address} refused the session"
                if not line.refused_session(refusal):
                    raise self._failure(line, refusal) from refusal
                self._forget(line)
        raise Unreachable(f"pool {self._pool.name} could not be asked: {lost}")

    def _change(self, method: str, args: tuple[object, ...], headers: Mapping[str, str]) -> str:
        for _ in range(2):
            line = self._line()
            try:
                with line.transport.headers(headers):
                    task = str(line.call(method, *args))
            except CallLost as error:
                text = f"{line.host.address} {error.reason}"
                if error.sent:
                    with self._guard:
                        self._doubtful.add(line.handle)
                    raise OutcomeUnknown(f"{method} was sent, then {text}", ended=error.ended) from error
                self._forget(line)
                raise Unreachable(f"{method} was not sent: {text}") from error
            except XenAPI.Failure as refusal:
                if not line.refused_session(refusal):
                    raise self._failure(line, refusal) from refusal
                # The one case of sending again. XAPI checks the session, and whether it is the coordinator at all,
                # before it looks at the call, and says which session it refused: this call had no effect.
                self._forget(line)
                continue
            with self._guard:
                self._owners[task] = line.handle
            return task
        raise Unreachable(f"{method} was not done: pool {self._pool.name} refused two sessions in a row")

    def _failure(self, line: Line, refusal: XenAPI.Failure) -> Exception:
        if refusal.details[0] in NOT_READY:
            self._forget(line)
            return not_ready(line.host.address, refusal.details)
        return failure(refusal.details, self._name_of)

    def _line(self) -> Line:
        line: Line | None = getattr(self._own, "line", None)
        if line is None:
            line = self._own.line = self._log_in()
            with self._guard:
                self._lines.append(line)
        return line

    def _forget(self, line: Line) -> None:
        line.transport.close()
        self._own.line = None
        with self._guard:
            self._lines.remove(line)

    def _close(self) -> None:
        with self._guard:
            lines = list(self._lines)
        for line in lines:
            if line.busy:
                line.transport.abort()
        self._threads.shutdown(wait=True)
        with self._guard:
            lines, self._lines = self._lines, []
            owned = [*self._owners.items(), *((task, entry.handle) for task, entry in self._streams.items())]
        # A session whose changing call got no answer may own a task that we have never heard of.
        keep = self._doubtful | {owner for task, owner in owned if self._unfinished(lines, task)}
        for line in lines:
            line.transport.close()
            self._entries.add(Entry(line.host, line.handle))
        silent: set[HostSettings] = set()
        for entry in self._entries:
            if entry.handle in keep:
                # XAPI keeps a session alive for its tasks; without it, they may fail. It goes 24 hours after the
                # last.
                _log.info("session_left_open", pool=self._pool.name, reason="it owns unfinished tasks")
            elif entry.host not in silent and not self._log_out(entry):
                silent.add(entry.host)

    def _unfinished(self, lines: list[Line], task: str) -> bool:
        try:
            return bool(lines) and lines[0].call("task.get_status", task) in {"pending", "cancelling"}
        except XenAPI.Failure:
            return False
        except CallLost:
            return True
