"""Tasks as a client sees them: made, cancelled, destroyed, ended by hand."""

from typing import Final

from bot.lab.xapi.calls import Call, Context, check_permission, declare
from bot.lab.xapi.values import EPOCH


async def create(context: Context, label: str, description: str) -> str:
    """Makes a task of the client's own, pending until the client or a stream ends it."""
    return context.pool.tasks.create(label, description, host=context.machine.ref, session=context.session)


def check_owner(context: Context, task: str, permission: str) -> None:
    """Lets users touch their own tasks only, unless their role may touch any.

    Raises:
        ApiError: `HANDLE_INVALID`, or `RBAC_PERMISSION_DENIED` with the permission for any task.
    """
    context.pool.database.record("task", task)
    if not context.pool.tasks.is_owned_by(task, context.session.account.user):
        check_permission(context.session, permission, "pool-operator")


async def cancel(context: Context, task: str) -> str:
    """Records the wish to cancel; the work notices a moment later, or not at all."""
    check_owner(context, task, "task.cancel/any")
    context.pool.tasks.cancel(task)
    return ""


async def destroy(context: Context, self: str) -> str:
    """Removes a finished task at once, a pending one after its end; the work is not cancelled."""
    check_owner(context, self, "task.destroy/any")
    context.pool.tasks.destroy(self)
    return ""


async def set_status(context: Context, self: str, status: str) -> str:
    """Ends a task of the client's own."""
    check_owner(context, self, "task.destroy/any")
    is_over = status in {"success", "failure", "cancelled"}
    context.pool.database.set("task", self, finished=context.pool.clock.now() if is_over else EPOCH, status=status)
    if is_over:
        context.pool.tasks.note_end(self)
    return ""


async def set_progress(context: Context, self: str, progress: float) -> str:
    """Shows progress on a task of the client's own."""
    check_owner(context, self, "task.destroy/any")
    context.pool.database.set("task", self, progress=progress)
    return ""


async def set_result(context: Context, self: str, result: str) -> str:
    """Writes the result of a task of the client's own."""
    check_owner(context, self, "task.destroy/any")
    context.pool.database.set("task", self, result=result)
    return ""


async def set_error_info(context: Context, self: str, error_info: list[str]) -> str:
    """Writes the error of a task of the client's own."""
    check_owner(context, self, "task.destroy/any")
    context.pool.database.set("task", self, error_info=error_info)
    return ""


CALLS: Final[tuple[Call, ...]] = (
    declare("task.create", create),
    declare("task.cancel", cancel),
    declare("task.destroy", destroy),
    declare("task.set_status", set_status),
    declare("task.set_progress", set_progress),
    declare("task.set_result", set_result),
    declare("task.set_error_info", set_error_info),
)
