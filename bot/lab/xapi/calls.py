"""What a call is: its name, its parameters, who may make it, and the function behind it.

Modules under `rules` declare their calls with `declare`; `dispatch` finds and runs them.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.machine import Machine
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.schema.model import FieldType, parse_type
from bot.lab.xapi.sessions import ROLES, Session
from bot.lab.xapi.tasks import Runner
from bot.lab.xapi.values import NULL_REF, Value


@dataclass
class Context:
    """The circumstances of one call.

    Attributes:
        machine: The host that was addressed.
        task: The task of the call, or the null reference for a call without one.
        runner: The work behind that task.
        call: The call as the client named it, `Async.` included.
    """

    pool: Pool
    machine: Machine
    session: Session
    call: str
    task: str = NULL_REF
    runner: Runner | None = None

    def set_cancellable(self, *, cancellable: bool) -> None:
        """Says whether the task can be cancelled from here on."""
        if self.runner is not None:
            self.runner.cancellable = cancellable
        self.pool.tasks.write(self.task, allowed_operations=["cancel"] if cancellable else [])

    def set_progress(self, progress: float) -> None:
        """Shows progress on the task."""
        self.pool.tasks.write(self.task, progress=progress)


Handler = Callable[..., Awaitable[Value]]


@dataclass(frozen=True)
class Call:
    """One call of the API.

    Attributes:
        params: The types of its parameters after the session.
        optional: How many of the last ones may be left out; the handler has defaults for them.
        role: The weakest role that may make it.
        is_long: Whether it has an `Async.` form and a task of its own when called without.
        needs_session: False for login alone; such a call has no context session.
    """

    name: str
    params: tuple[FieldType, ...]
    handler: Handler
    role: str
    optional: int = 0
    is_long: bool = False
    needs_session: bool = True

    @property
    def is_change(self) -> bool:
        """Tells whether it may change something: shown in the list of calls."""
        _, _, message = self.name.partition(".")
        reading = ("get_", "assert_", "compute_", "from", "next", "register", "login", "list_", "maximise_")
        return not message.startswith(reading)


def declare(  # noqa: D417  the rest are as in Call
    name: str,
    params: str,
    handler: Handler,
    *,
    role: str = "read-only",
    optional: int = 0,
    is_long: bool = False,
    needs_session: bool = True,
) -> Call:
    """Returns a call.

    Args:
        name: `class.message`.
        params: Comma-separated types, for example `ref VM, ref host`.
        handler: Gets the context and the parameters.
    """
    types = tuple(parse_type(part) for part in params.split(",")) if params else ()
    return Call(name, types, handler, role, optional, is_long, needs_session)


def check_role(call: Call, session: Session) -> None:
    """Refuses a call that the session's role may not make.

    Raises:
        ApiError: `RBAC_PERMISSION_DENIED [permission, message]`; the message lists the roles that may.
    """
    enough = ROLES[ROLES.index(call.role) :]
    if session.account.role in enough:
        return
    listed = ", ".join(reversed(enough))
    raise ApiError(
        "RBAC_PERMISSION_DENIED",
        call.name.lower(),
        f"No permission in user session. (Roles with this permission: {listed})",
    )


def count_mismatch(call: Call, received: int) -> ApiError:
    """Returns the error for a wrong number of parameters; both numbers leave the session out."""
    return ApiError("MESSAGE_PARAMETER_COUNT_MISMATCH", call.name, str(len(call.params)), str(received))
