"""Calls that change who coordinates a pool, and the local sessions that work without a coordinator."""

from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.machine import Machine
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.reach import forward
from bot.lab.xapi.rules.toolstack import lose_memory, restart_soon, take_over
from bot.lab.xapi.values import Value, new_ref

_FUSE_S: Final = 0.5  # between the answer and the restarts


async def designate_new_master(context: Context, host: str) -> str:
    """Hands the coordinator's role over in order; every member must agree first.

    Raises:
        ApiError: `HA_IS_ENABLED`, or `HOST_OFFLINE` / `CANNOT_CONTACT_HOST` for a member that cannot be asked.
    """
    pool = context.pool
    pool.database.record("host", host)
    if pool.database.get("pool", pool.ref, "ha_enabled"):
        raise ApiError("HA_IS_ENABLED")
    machine = pool.machines.get(host)
    if machine is pool.coordinator:
        return ""
    for member in pool.database.refs("host"):
        await forward(context, member)
    if machine is not None:
        pool.tasks.spawn(_hand_over(pool, machine))
    return ""


async def _hand_over(pool: Pool, machine: Machine) -> None:
    await pool.clock.sleep(_FUSE_S)
    take_over(pool, machine, told=list(pool.machines.values()))


async def emergency_transition_to_master(context: Context) -> str:
    """Makes the addressed host the coordinator; the other members go on looking for the old one."""
    pool = context.pool
    if pool.database.get("pool", pool.ref, "ha_enabled"):
        raise ApiError("HA_IS_ENABLED")
    pool.tasks.spawn(_seize(pool, context.machine))
    return ""


async def _seize(pool: Pool, machine: Machine) -> None:
    await pool.clock.sleep(_FUSE_S)
    take_over(pool, machine, told=[])


async def emergency_reset_master(context: Context, address: str) -> str:
    """Tells the addressed host to follow another coordinator."""
    pool, machine = context.pool, context.machine
    if pool.coordinator is machine:
        lose_memory(pool)
    machine.coordinator = address
    pool.tasks.spawn(restart_soon(pool, machine))
    return ""


async def recover_slaves(context: Context) -> Value:
    """Tells every member that can be reached to follow this coordinator; returns those."""
    pool, recovered = context.pool, []
    for host, machine in pool.machines.items():
        if machine is not context.machine and machine.is_reachable and pool.database.has("host", host):
            machine.coordinator = context.machine.address
            pool.tasks.spawn(restart_soon(pool, machine))
            recovered.append(host)
    return recovered


async def slave_local_login_with_password(context: Context, user: str, password: str) -> str:
    """Opens a session of the addressed host itself; a wrong password is answered late."""
    pool = context.pool
    account = pool.sessions.authenticate(user, password)
    if account is None or not pool.sessions.is_superuser(account):
        await pool.clock.sleep(pool.login_delay_s)
        raise ApiError("SESSION_AUTHENTICATION_FAILED", user, "Authentication failure")
    session = new_ref()
    context.machine.local_sessions.add(session)
    return session


async def local_logout(context: Context) -> str:
    """Ends a session of the host itself."""
    context.machine.local_sessions.discard(context.session.ref)
    return ""


async def emergency_ha_disable(context: Context, _soft: bool = False) -> str:  # noqa: FBT001, FBT002  as on the wire
    """Disarms high availability on the addressed host alone."""
    pool = context.pool
    if not pool.database.get("pool", pool.ref, "ha_enabled"):
        raise ApiError("HA_NOT_ENABLED")
    return ""


CALLS: Final[tuple[Call, ...]] = (
    declare("pool.designate_new_master", designate_new_master),
    declare("pool.emergency_transition_to_master", emergency_transition_to_master),
    declare("pool.emergency_reset_master", emergency_reset_master),
    declare("pool.recover_slaves", recover_slaves),
    declare("session.slave_local_login_with_password", slave_local_login_with_password),
    declare("session.local_logout", local_logout),
    declare("host.emergency_ha_disable", emergency_ha_disable),
)
