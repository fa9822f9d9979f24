"""Guests that do not do as they are asked: they do not even acknowledge, or acknowledge and hang."""

from typing import Final, Literal

from bot.lab.xapi.calls import Context
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool, Temper

ACKNOWLEDGMENT_S: Final = 10.0
LONGEST_WAIT_S: Final = 1200.0


def set_temper(pool: Pool, vm: str, temper: Temper | None) -> None:
    """Says what a guest does from now on when it is asked to shut down, reboot or sleep; None for what it is asked."""
    if temper is None:
        pool.tempers.pop(vm, None)
    else:
        pool.tempers[vm] = temper


async def wait_for_guest(context: Context, vm: str, request: Literal["SHUTDOWN", "SUSPEND"]) -> None:
    """Asks a guest, and waits in vain for one that does not do it.

    Raises:
        ApiError: `VM_FAILED_…_ACKNOWLEDGMENT [vm]`, or `VM_…_TIMEOUT [vm, seconds]` after 20 minutes.
    """
    temper = context.pool.tempers.get(vm)
    if temper == "ignores":
        await context.pool.clock.sleep(ACKNOWLEDGMENT_S)
        raise ApiError(f"VM_FAILED_{request}_ACKNOWLEDGMENT", vm)
    if temper == "hangs":
        await context.pool.clock.sleep(LONGEST_WAIT_S)
        raise ApiError(f"VM_{request}_TIMEOUT", vm, f"{LONGEST_WAIT_S:.0f}")
