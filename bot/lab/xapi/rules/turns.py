"""Who holds an object for an operation, and who waits for it in silence."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from bot.lab.xapi.calls import Context
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool

LONGEST_WAIT_S: Final = 2 * 3600.0


async def wait_for_turn(context: Context, check: Callable[[], None], *, longest_s: float = LONGEST_WAIT_S) -> None:
    """Waits in silence, up to two hours or `longest_s`, while a check says that another operation holds the object.

    While it waits only the pending task shows it; it is woken as soon as any operation ends.

    Raises:
        ApiError: What the check raises; `OTHER_OPERATION_IN_PROGRESS` after the long wait only.
    """
    pool = context.pool
    deadline = pool.clock.elapsed + longest_s
    while True:
        try:
            check()
        except ApiError as error:
            left = deadline - pool.clock.elapsed
            if error.code != "OTHER_OPERATION_IN_PROGRESS" or left <= 0:
                raise
            await pool.clock.wait(pool.released, left)
        else:
            return


def check_free(operations: Mapping[str, str], class_name: str, ref: str, joins: Callable[[str], bool]) -> None:
    """Raises `OTHER_OPERATION_IN_PROGRESS` unless what is to begin may join each operation that goes on."""
    for task, other in operations.items():
        if not joins(other):
            raise ApiError("OTHER_OPERATION_IN_PROGRESS", class_name, ref, other, task)


def mark(pool: Pool, class_name: str, ref: str, task: str, operation: str) -> None:
    """Shows a task's operation on an object."""
    running = pool.database.get(class_name, ref, "current_operations")
    pool.database.set(class_name, ref, current_operations={**running, task: operation})


def leave(pool: Pool, class_name: str, ref: str, task: str) -> None:
    """Takes a task's operation off an object and wakes those who wait for it."""
    if pool.database.has(class_name, ref):
        running = pool.database.get(class_name, ref, "current_operations")
        rest = {key: value for key, value in running.items() if key != task}
        pool.database.set(class_name, ref, current_operations=rest)
    pool.released.fire()


@asynccontextmanager
async def subtask(context: Context, label: str) -> AsyncIterator[Context]:
    """Gives a context whose task is a child of the call's own: it comes and goes, and everybody sees it.

    The work stays that of the call: cancelling the call's task ends both.
    """
    tasks = context.pool.tasks
    child = tasks.create(label, host=context.machine.ref, parent=context.task)
    try:
        yield replace(context, task=child, is_child=True)
    finally:
        tasks.remove(child)
