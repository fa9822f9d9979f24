"""Tasks of one pool: their records, and the work behind them.

A record can vanish while its work goes on (the coordinator restarts, the record is collected), so everything here
writes to a record only while it exists.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from bot.lab.xapi.clock import Clock
from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.sessions import Session
from bot.lab.xapi.values import EPOCH, NULL_REF, Value, new_uuid
from bot.lab.xapi.wire.xml_values import encode_value

FINISHED_KEPT_S: Final = 65 * 60.0
PENDING_KEPT_S: Final = 24 * 3600.0
TASKS_KEPT: Final = 200
_DOOMED: Final = "task"  # the key under which a real server marks a pending task that is to be destroyed
# A cancelled migration was seen to end about a tenth of a second after the call, with no more operations before that.
_NOTICED_AFTER_S: Final = 0.04
_ENDED_AFTER_S: Final = 0.06


@dataclass(slots=True)
class Runner:
    """Work behind a task.

    Attributes:
        cancellable: Whether `task.cancel` reaches the work now.
        completes: Whether the end of the work is the end of the task.
        detached: The work belongs to another daemon and goes on when the coordinator's toolstack restarts.
        machines: References of the hosts that do the work; the death of one ends it.
        reason: Why the work was interrupted; None with `is_cancelled` means by `task.cancel`.
    """

    task: str
    session: str
    operation: str
    cancellable: bool = True
    completes: bool = True
    detached: bool = False
    machines: set[str] = field(default_factory=set)
    reason: ApiError | None = None
    is_cancelled: bool = False
    work: "asyncio.Task[Value] | None" = None

    def interrupt(self, reason: ApiError | None) -> None:
        """Ends the work where it stands; its clean-up still runs."""
        if self.work is not None and not self.work.done() and not self.is_cancelled:
            self.reason, self.is_cancelled = reason, True
            self.work.cancel()


def report_failure(work: "asyncio.Task[Any]") -> None:
    """Tells the event loop, which logs it, that work failed while nobody waited for it; for `add_done_callback`."""
    if not work.cancelled() and (error := work.exception()) is not None:
        context = {"message": "Work of the lab failed", "exception": error, "task": work}
        work.get_loop().call_exception_handler(context)


class Tasks:
    """The tasks of a pool.

    Args:
        database: Where the task records live.
        clock: Simulated time, for collection.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._runners: dict[str, Runner] = {}
        self._works: set[asyncio.Task[Value]] = set()
        self._finished_at: dict[str, float] = {}
        self._created_at: dict[str, float] = {}
        self._seen_progress: dict[str, float] = {}
        self._owners: dict[str, Session] = {}

    def create(
        self,
        label: str,
        description: str = "",
        *,
        host: str,
        parent: str = NULL_REF,
        other_config: dict[str, str] | None = None,
        session: Session | None = None,
    ) -> str:
        """Makes a pending task.

        Args:
            label: Its name, for calls that of the call.
            description: More about it.
            host: Where it is.
            parent: One that does not exist is stored as given, as a real server does.
            other_config: What request headers put into it.
            session: Whose it is; None for the server's own.
        """
        task = self._database.create(
            "task",
            name_label=label,
            name_description=description,
            created=self._clock.now(),
            finished=EPOCH,
            status="pending",
            resident_on=host,
            subtask_of=NULL_REF if parent.startswith("DummyRef:") else parent,
            other_config=dict(other_config or {}),
        )
        self._created_at[task] = self._clock.elapsed
        if session is not None:
            self._owners[task] = session
            self._show(session.ref, task, belongs=True)
        return task

    def _show(self, session: str, task: str, *, belongs: bool) -> None:
        """Lists a task in its session, or no longer."""
        if self._database.has("session", session):
            others = [one for one in self._database.get("session", session, "tasks") if one != task]
            self._database.set("session", session, tasks=[*others, task] if belongs else others)

    def is_owned_by(self, task: str, user: str) -> bool:
        """Tells whether a task was made by a call of that user."""
        owner = self._owners.get(task)
        return owner is not None and owner.account.user == user

    def list_busy_sessions(self) -> set[str]:
        """Returns the sessions that unfinished tasks belong to."""
        unfinished = {task for task, record in self._database.items("task") if record["status"] == "pending"}
        running = {runner.session for runner in self._runners.values()}
        return running | {owner.ref for task, owner in self._owners.items() if task in unfinished}

    def start(self, runner: Runner, work: Callable[[], Awaitable[Value]]) -> "asyncio.Task[Value]":
        """Starts work behind a task; its outcome is the asyncio task's, and is written to the task it completes."""
        self._runners[runner.task] = runner
        runner.work = asyncio.create_task(self._run(runner, work), name=runner.operation)
        self._works.add(runner.work)
        runner.work.add_done_callback(functools.partial(self._conclude, runner))
        return runner.work

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Runs something beside the tasks, such as a guest that goes on booting, until `stop`."""
        running = asyncio.create_task(work)
        self._works.add(running)
        running.add_done_callback(self._works.discard)
        running.add_done_callback(report_failure)

    def _conclude(self, runner: Runner, work: "asyncio.Task[Value]") -> None:
        """Retrieves how work ended: its task tells a refusal, and a mistake of the lab's own as a real server's."""
        self._works.discard(work)
        error = None if work.cancelled() else work.exception()
        if error is not None and not isinstance(error, ApiError):
            self._end(runner, error_info=["INTERNAL_ERROR", repr(error)], status="failure")
            report_failure(work)

    async def _run(self, runner: Runner, work: Callable[[], Awaitable[Value]]) -> Value:
        try:
            value = await work()
        except ApiError as error:
            self._end(runner, error_info=error.description, status="failure")
            raise
        except asyncio.CancelledError:
            if not runner.is_cancelled:
                raise  # the datacentre stops
            if runner.reason is not None:
                self._end(runner, error_info=runner.reason.description, status="failure")
                raise runner.reason from None
            self._end(runner, status="cancelled")
            raise ApiError("TASK_CANCELLED", runner.task) from None
        else:
            # What comes in and goes out over plain HTTP may have no result at all.
            self._end(runner, result="" if value is None else encode_value(value), status="success")
            return value
        finally:
            self._runners.pop(runner.task, None)

    def write(self, task: str, **values: Value) -> None:
        """Writes fields of a task when its record still exists."""
        if self._database.has("task", task):
            self._database.set("task", task, **values)

    def _end(self, runner: Runner, **values: Value) -> None:
        """Ends a task; `status` is written last, as a real server does, and progress is 1.0 however it ended."""
        if runner.completes:
            self.write(runner.task, allowed_operations=[], finished=self._clock.now(), progress=1.0, **values)
            self.note_end(runner.task)

    def note_end(self, task: str) -> None:
        """Starts the time after which a finished task is collected."""
        self._finished_at[task] = self._clock.elapsed

    def remove(self, task: str) -> None:
        """Removes a record."""
        if self._database.has("task", task):
            self._database.delete("task", task)
        if owner := self._owners.pop(task, None):
            self._show(owner.ref, task, belongs=False)
        for noted in (self._finished_at, self._created_at, self._seen_progress):
            noted.pop(task, None)

    def destroy(self, task: str) -> None:
        """Removes a finished task at once; a pending one is marked, and collected after its end."""
        if self._database.get("task", task, "status") == "pending":
            marks = self._database.get("task", task, "current_operations")
            self._database.set("task", task, current_operations={**marks, _DOOMED: "destroy"})
        else:
            self.remove(task)

    def cancel(self, task: str, *, force: bool = False) -> None:
        """Records the wish; work that can be cancelled ends a moment later, nothing else happens.

        Args:
            task: The task.
            force: Whether the work ends even where it cannot be cancelled.
        """
        marks = {**self._database.get("task", task, "current_operations")}
        marks[f"DummyRef:|{new_uuid()}|task.cancel"] = "cancel"
        self._database.set("task", task, current_operations=marks)
        runner = self._runners.get(task)
        if runner is not None and (force or runner.cancellable):
            self.spawn(self._cancel_runner(runner, force=force))

    async def _cancel_runner(self, runner: Runner, *, force: bool) -> None:
        await self._clock.sleep(_NOTICED_AFTER_S)
        if force or runner.cancellable:
            self.write(runner.task, allowed_operations=[])
            await self._clock.sleep(_ENDED_AFTER_S)
        if force or runner.cancellable:  # it may have gone too far meanwhile
            runner.interrupt(None)

    def find_runner(self, task: str) -> Runner | None:
        """Returns the work behind a task, while it runs."""
        return self._runners.get(task)

    def list_runners(self) -> list[Runner]:
        """Returns all work that runs, also that whose record has vanished."""
        return list(self._runners.values())

    def collect(self) -> None:
        """Removes old tasks as XAPI does every 30 seconds; fewer are kept when there are more than 200.

        A pending task goes when it is older than a day and has made no progress since the last time.
        """
        elapsed = self._clock.elapsed
        for task, finished_at in list(self._finished_at.items()):
            marks = self._database.get("task", task, "current_operations") if self._database.has("task", task) else {}
            if elapsed - finished_at > FINISHED_KEPT_S or _DOOMED in marks:
                self.remove(task)
        for task in sorted(self._finished_at, key=self._finished_at.__getitem__):
            if self._database.count("task") <= TASKS_KEPT:
                break
            self.remove(task)
        for task, record in list(self._database.items("task")):
            if record["status"] == "pending":
                is_old = elapsed - self._created_at.get(task, elapsed) > PENDING_KEPT_S
                if is_old and self._seen_progress.get(task) == record["progress"]:
                    self.remove(task)
                else:
                    self._seen_progress[task] = record["progress"]

    def lose_all(self) -> None:
        """Forgets all records, as a restart of the coordinator's toolstack does; detached work goes on."""
        for runner in self.list_runners():
            if not runner.detached:
                runner.interrupt(ApiError("INTERNAL_ERROR", "the toolstack restarts"))
        for task in self._database.refs("task"):
            self.remove(task)

    async def stop(self) -> None:
        """Ends all work for good."""
        for work in list(self._works):
            work.cancel()
        await asyncio.gather(*self._works, return_exceptions=True)
