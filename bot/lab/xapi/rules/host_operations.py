"""Operations on a host: who holds one, which exclude each other, what `allowed_operations` shows."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bot.lab.xapi.calls import Context
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.turns import leave, mark, wait_for_turn

_EXCLUSIVE: Final = ("evacuate", "shutdown", "reboot", "apply_updates")
_SWITCHES: Final = ("enable", "disable")
_ARRIVING: Final = ("vm_migrate", "provision", "vm_resume", "vm_start")


def check_host_operation(pool: Pool, host: str, operation: str) -> None:
    """Refuses an operation on a host where an excluding one goes on.

    Raises:
        ApiError: `OTHER_OPERATION_IN_PROGRESS ["host", host, operation, task]`.
    """
    for task, other in pool.database.get("host", host, "current_operations").items():
        arrives = operation in _ARRIVING and other in _EXCLUSIVE
        is_blind = operation in _SWITCHES and other in {"shutdown", "reboot"}
        if arrives or is_blind or (operation in _EXCLUSIVE and (other in _ARRIVING or other in _EXCLUSIVE)):
            raise ApiError("OTHER_OPERATION_IN_PROGRESS", "host", host, other, task)


async def wait_for_host(context: Context, host: str, operation: str) -> None:
    """Waits in silence, up to two hours, until an operation may begin on a host; fails as `check_host_operation`."""
    await wait_for_turn(context, lambda: check_host_operation(context.pool, host, operation))


def hold_host(context: Context, host: str, operation: str) -> None:
    """Shows an operation on a host; somebody else takes it off."""
    pool = context.pool
    mark(pool, "host", host, context.task, operation)
    refresh_allowed_host(pool, host)


@contextmanager
def occupy_host(context: Context, host: str, operation: str) -> Iterator[None]:
    """Shows an operation on a host while it goes on; fails as `check_host_operation` does."""
    pool = context.pool
    check_host_operation(pool, host, operation)
    hold_host(context, host, operation)
    try:
        yield
    finally:
        leave(pool, "host", host, context.task)
        refresh_allowed_host(pool, host)


def refresh_allowed_host(pool: Pool, host: str) -> None:
    """Computes `allowed_operations` of a host again."""
    if not pool.database.has("host", host):
        return
    record = pool.database.record("host", host)
    is_live = pool.database.get("host_metrics", record["metrics"], "live")
    possible = ["vm_migrate", "provision", "vm_resume", "vm_start", "enable", "evacuate"] if is_live else []
    if is_live and not record["enabled"]:
        possible += ["shutdown", "reboot", "apply_updates"]
    if not is_live and record["power_on_mode"]:
        possible.append("power_on")
    allowed = []
    for operation in possible:
        try:
            check_host_operation(pool, host, operation)
        except ApiError:
            continue
        allowed.append(operation)
    pool.database.set("host", host, allowed_operations=allowed)
