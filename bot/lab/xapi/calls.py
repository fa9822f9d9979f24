"""What a call is: a message of the model and the function behind it, and who may make it.

Modules under `rules` declare their calls with `declare`; `dispatch` finds and runs them.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.machine import Machine
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.schema.signatures import SIGNATURES, Signature
from bot.lab.xapi.sessions import ROLES, SUPERUSER, Session
from bot.lab.xapi.tasks import Runner
from bot.lab.xapi.values import NULL_REF, Value

# The order in which a refusal tells the roles that may.
_TOLD_ORDER: Final = (
    "read-only",
    "vm-power-admin",
    "vm-admin",
    "vm-operator",
    "client-cert",
    "pool-admin",
    "pool-operator",
)


@dataclass
class Context:
    """The circumstances of one call.

    Attributes:
        machine: The host that was addressed.
        task: The task of the call, or the null reference for a call without one.
        runner: The work behind that task.
        call: The call as the client named it, `Async.` included.
        is_child: The task is one of XAPI's own below that of the call, which alone can be cancelled.
    """

    pool: Pool
    machine: Machine
    session: Session
    call: str
    task: str = NULL_REF
    runner: Runner | None = None
    is_child: bool = False

    def set_cancellable(self, *, cancellable: bool) -> None:
        """Says whether the task can be cancelled from here on."""
        if self.is_child:
            return
        if self.runner is not None:
            self.runner.cancellable = cancellable
        self.pool.tasks.write(self.task, allowed_operations=["cancel"] if cancellable else [])

    def set_progress(self, progress: float) -> None:
        """Shows progress on the task."""
        self.pool.tasks.write(self.task, progress=progress)


Handler = Callable[..., Awaitable[Value]]


@dataclass(frozen=True)
class Call:
    """A message and the function that does what it says.

    Attributes:
        handler: Gets the context and the parameters; for those left out it has defaults.
    """

    signature: Signature
    handler: Handler

    @property
    def name(self) -> str:
        """Returns `class.message`."""
        return self.signature.name

    @property
    def is_change(self) -> bool:
        """Tells whether it may change something: shown in the list of calls."""
        reading = ("get_", "assert_", "compute_", "from", "next", "register", "login", "list_", "maximise_")
        return not self.signature.message.startswith(reading)


def declare(name: str, handler: Handler) -> Call:
    """Returns a call: its parameters, roles and forms are those of the model's tables.

    Args:
        name: `class.message`, as the tables have it.
        handler: The function that does it; gets the context and the parameters.
    """
    return Call(SIGNATURES[name], handler)


def check_role(signature: Signature, session: Session, arguments: list[Value]) -> None:
    """Refuses a call that the session's role may not make; the local superuser may make every call.

    Raises:
        ApiError: `RBAC_PERMISSION_DENIED [permission, message]`; the message lists the roles that may.
    """
    permission, role = signature.name.lower(), signature.role
    if signature.key_roles:
        key = next((key for key in signature.key_roles if fnmatchcase(arguments[1], key)), None)
        if key is not None:
            permission, role = f"{permission}/key:{key}", signature.key_roles[key]
    check_permission(session, permission, role, for_certificates=signature.for_certificates)


def check_permission(session: Session, permission: str, role: str, *, for_certificates: bool = False) -> None:
    """Refuses what a session's role does not permit; the local superuser may do everything.

    Args:
        session: Who asks.
        permission: What it is for.
        role: The weakest role that has it, or `local`.
        for_certificates: Whether a client that showed a certificate has it too.

    Raises:
        ApiError: `RBAC_PERMISSION_DENIED [permission, message]`; the message lists the roles that have it.
    """
    enough = () if role == "local" else ROLES[ROLES.index(role) :]
    if session.account.user == SUPERUSER or session.account.role in enough:
        return
    listed = {*enough, *(("client-cert",) if for_certificates else ())}
    raise ApiError(
        "RBAC_PERMISSION_DENIED",
        permission,
        "No permission in user session. "
        f"(Roles with this permission: {', '.join(role for role in _TOLD_ORDER if role in listed)})",
    )


def count_mismatch(signature: Signature, received: int) -> ApiError:
    """Returns the error for a wrong number of parameters; both numbers leave the session out.

    The expected number is that of the parameters which cannot be left out, also when too many came.
    """
    return ApiError("MESSAGE_PARAMETER_COUNT_MISMATCH", signature.name, str(signature.required), str(received))
