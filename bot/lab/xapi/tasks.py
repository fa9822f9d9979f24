"""Tasks of one pool: their records, and the work behind them.

A record can vanish while its work goes on (the coordinator restarts, the record is collected), so everything here
writes to a record only while it exists.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Final

from bot.lab.xapi.clock import Clock
from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.values import EPOCH, NULL_REF, Value, new_uuid, now
from bot.lab.xapi.wire.xml_values import encode_value

FINISHED_KEPT_S: Final = 65 * 60.0
PENDING_KEPT_S: Final = 24 * 3600.0
TASKS_KEPT: Final = 200
_NOTICED_AFTER_S: Final = 0.07  # a cancelled migration was seen to end about this long after the call


@dataclass(slots=True)
class Runner:
    """Work behind a task.

    Attributes:
        cancellable: Whether `task.cancel` reaches the work now.
        detached: The work belongs to another daemon and goes on when the coordinator's toolstack restarts.
        machines: References of the hosts that do the work; the death of one ends it.
        reason: Why the work was interrupted; None with `is_cancelled` means by `task.cancel`.
    """

    task: str
    session: str
    operation: str
    cancellable: bool = True
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
        self._seen_progress: dict[str, tuple[float, float]] = {}
        self._doomed: set[str] = set()

    def create(
        self,
        label: str,
        description: str = "",
        *,
        host: str,
        parent: str = NULL_REF,
        other_config: dict[str, str] | None = None,
    ) -> str:
        """Makes a pending task; a parent that does not exist is stored as given, as a real server does."""
        return self._database.create(
            "task",
            name_label=label,
            name_description=description,
            created=now(),
            finished=EPOCH,
            status="pending",
            resident_on=host,
            subtask_of=NULL_REF if parent.startswith("DummyRef:") else parent,
            other_config=dict(other_config or {}),
        )

    def start(self, runner: Runner, work: Callable[[], Awaitable[Value]]) -> "asyncio.Task[Value]":
        """Starts work behind a task; its outcome is written to the task and is the asyncio task's as well."""
        self._runners[runner.task] = runner
        runner.work = asyncio.create_task(self._run(runner, work), name=runner.operation)
        self._works.add(runner.work)
        runner.work.add_done_callback(self._forget)
        return runner.work

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Runs something beside the tasks, such as a guest that goes on booting, until `stop`."""
        running = asyncio.create_task(work)
        self._works.add(running)
        running.add_done_callback(self._forget)

    def _forget(self, work: "asyncio.Task[Value]") -> None:
        self._works.discard(work)
        if not work.cancelled():
            work.exception()  # retrieved here: the task record tells it, nobody else may be listening

    async def _run(self, runner: Runner, work: Callable[[], Awaitable[Value]]) -> Value:
        try:
            value = await work()
        except ApiError as error:
            self.fail(runner.task, error.description)
            raise
        except asyncio.CancelledError:
            if not runner.is_cancelled:
                raise  # the datacentre stops
            if runner.reason is not None:
                self.fail(runner.task, runner.reason.description)
                raise runner.reason from None
            self.cancelled(runner.task)
            raise ApiError("TASK_CANCELLED", runner.task) from None
        else:
            self.succeed(runner.task, encode_value(value))
            return value
        finally:
            self._runners.pop(runner.task, None)

    def write(self, task: str, **values: Value) -> None:
        """Writes fields of a task when its record still exists."""
        if self._database.has("task", task):
            self._database.set("task", task, **values)

    def succeed(self, task: str, result: str) -> None:
        """Ends a task well; `status` is written last, as a real server does."""
        self._finish(task, result=result, status="success")

    def fail(self, task: str, error: list[str]) -> None:
        """Ends a task with an error; its progress becomes 1.0 too."""
        self._finish(task, error_info=error, status="failure")

    def cancelled(self, task: str) -> None:
        """Ends a task as cancelled, with an empty error."""
        self._finish(task, status="cancelled")

    def _finish(self, task: str, **values: Value) -> None:
        self.write(task, allowed_operations=[], finished=now(), progress=1.0, **values)
        self.note_end(task)

    def note_end(self, task: str) -> None:
        """Starts the time after which a finished task is collected; one destroyed before goes now."""
        self._finished_at[task] = self._clock.elapsed
        if task in self._doomed:
            self.remove(task)

    def remove(self, task: str) -> None:
        """Removes a record."""
        if self._database.has("task", task):
            self._database.delete("task", task)
        self._finished_at.pop(task, None)
        self._seen_progress.pop(task, None)
        self._doomed.discard(task)

    def destroy(self, task: str) -> None:
        """Removes a finished task at once; a pending one when it has ended."""
        if self._database.get("task", task, "status") == "pending":
            self._doomed.add(task)
        else:
            self.remove(task)

    def cancel(self, task: str) -> None:
        """Records the wish; work that can be cancelled ends a moment later, nothing else happens."""
        marks = {**self._database.get("task", task, "current_operations")}
        marks[f"DummyRef:|{new_uuid()}|task.cancel"] = "cancel"
        self._database.set("task", task, current_operations=marks)
        runner = self._runners.get(task)
        if runner is not None and runner.cancellable:
            asyncio.get_running_loop().call_later(_NOTICED_AFTER_S, self._cancel_runner, runner)

    @staticmethod
    def _cancel_runner(runner: Runner) -> None:
        if runner.cancellable:
            runner.interrupt(None)

    def find_runner(self, task: str) -> Runner | None:
        """Returns the work behind a task, while it runs."""
        return self._runners.get(task)

    def list_runners(self) -> list[Runner]:
        """Returns all work that runs, also that whose record has vanished."""
        return list(self._runners.values())

    def collect(self) -> None:
        """Removes old tasks as XAPI does every 30 seconds; fewer are kept when there are more than 200."""
        elapsed = self._clock.elapsed
        for task, finished_at in list(self._finished_at.items()):
            if elapsed - finished_at > FINISHED_KEPT_S:
                self.remove(task)
        for task in sorted(self._finished_at, key=self._finished_at.__getitem__):
            if self._database.count("task") <= TASKS_KEPT:
                break
            self.remove(task)
        for task, record in list(self._database.items("task")):
            if record["status"] == "pending":
                since, progress = self._seen_progress.get(task, (elapsed, record["progress"]))
                if progress != record["progress"]:
                    since = elapsed
                self._seen_progress[task] = (since, record["progress"])
                if elapsed - since > PENDING_KEPT_S:
                    self.remove(task)

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
