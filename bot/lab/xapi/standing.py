"""What a host answers before it looks at a call: it is booting, in emergency mode, or not the coordinator."""

from typing import Final

from bot.lab.xapi.errors import ApiError, EmergencyError
from bot.lab.xapi.machine import Machine, Toolstack
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.values import Value

# What works on any host, with a session of its own, whether it finds its coordinator or not.
LOCAL_CALLS: Final = frozenset(
    {
        "session.slave_local_login_with_password",
        "session.local_logout",
        "pool.emergency_transition_to_master",
        "pool.emergency_reset_master",
        "host.emergency_ha_disable",
        "host.shutdown_agent",
    }
)


def check_standing(pool: Pool, machine: Machine, name: str) -> None:
    """Refuses a call that a host cannot take.

    Raises:
        ApiError: `HOST_STILL_BOOTING`, or `HOST_IS_SLAVE [address of the coordinator]`.
        EmergencyError: The reason why the host cannot find its coordinator.
    """
    if machine.toolstack is Toolstack.BOOTING:
        raise ApiError("HOST_STILL_BOOTING")
    if name in LOCAL_CALLS:
        return
    if machine.emergency:
        raise EmergencyError(*machine.emergency)
    if machine.coordinator:
        raise ApiError("HOST_IS_SLAVE", machine.coordinator)
    if pool.coordinator is not machine:
        raise EmergencyError("HOST_STILL_BOOTING")


def has_local_session(machine: Machine, name: str, session: Value) -> bool:
    """Tells whether a call comes with a session of the host itself, and is one that takes such."""
    return name in LOCAL_CALLS and session in machine.local_sessions
