"""Joining a pool and being ejected from one."""

from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.machine import Machine
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.evacuation import list_guests
from bot.lab.xapi.rules.forgetting import forget_host
from bot.lab.xapi.rules.guest_operations import is_upgrading
from bot.lab.xapi.rules.half_joined import add_half_joined
from bot.lab.xapi.rules.join_checks import assert_certificates, check_join
from bot.lab.xapi.rules.membership import found_pool, move_in
from bot.lab.xapi.rules.reach import forward
from bot.lab.xapi.sessions import Account
from bot.lab.xapi.values import NULL_REF

_JOINING_S: Final = 8.0
_FUSE_S: Final = 0.5  # between the answer and the restart of the joining toolstack


async def join(context: Context, address: str, user: str, password: str) -> str:
    """Lets the addressed host join the pool of a coordinator; its toolstack restarts after the answer."""
    return await _join(context, address, user, password, force=False)


async def join_force(context: Context, address: str, user: str, password: str) -> str:
    """Joins where software or processors differ."""
    return await _join(context, address, user, password, force=True)


async def _join(context: Context, address: str, user: str, password: str, *, force: bool) -> str:
    here = context.pool
    if here.database.get("pool", here.ref, "restrictions").get("restrict_pooling") == "true":
        raise ApiError("LICENSE_DOES_NOT_SUPPORT_POOLING")
    there = await _log_in(context, address, user, password)
    check_join(here, there, force=force)
    machine = here.coordinator
    assert_certificates(here, there)
    uuid, name, edition = (here.database.get("host", machine.ref, field) for field in ("uuid", "name_label", "edition"))
    left_over = add_half_joined(there.database, uuid=uuid, name=name, edition=edition)
    # What fails from here on leaves the host half joined: nobody takes the record away.
    await here.clock.sleep(_JOINING_S)
    await here.faults.strike(context.call, "during")
    forget_host(there.database, left_over)
    there.tasks.spawn(_complete(here, there, machine))
    return ""


async def _log_in(context: Context, address: str, user: str, password: str) -> Pool:
    here = context.pool
    found = [(pool, one) for pool in here.peers for one in pool.machines.values() if one.address == address]
    if not found or not found[0][1].is_serving:
        raise ApiError("INTERNAL_ERROR", "Connection failed: connection refused.")
    there, machine = found[0]
    if machine.coordinator:
        raise ApiError("HOST_IS_SLAVE", machine.coordinator)
    account: Account | None = there.sessions.authenticate(user, password)
    if account is None:
        await here.clock.sleep(there.login_delay_s)
        raise ApiError("SESSION_AUTHENTICATION_FAILED", user, "Authentication failure")
    return there


async def _complete(here: Pool, there: Pool, machine: Machine) -> None:
    await here.clock.sleep(_FUSE_S)
    move_in(here, there, machine)
    await here.tasks.stop()


async def eject(context: Context, host: str) -> str:
    """Takes a host out of the pool: it comes back as a pool of its own, its local storage wiped.

    Raises:
        ApiError: `HA_IS_ENABLED`, `NOT_SUPPORTED_DURING_UPGRADE`, `OPERATION_NOT_ALLOWED` with a guest on it,
            `INTERNAL_ERROR` for the coordinator, `HOST_OFFLINE` / `CANNOT_CONTACT_HOST`.
    """
    pool, database = context.pool, context.pool.database
    record = database.record("pool", pool.ref)
    database.record("host", host)
    if record["ha_enabled"]:
        raise ApiError("HA_IS_ENABLED")
    if is_upgrading(pool):
        raise ApiError("NOT_SUPPORTED_DURING_UPGRADE")
    if record["master"] == host:
        raise ApiError("INTERNAL_ERROR", 'Failure("Pool.eject: cannot eject the pool master")')
    if list_guests(database, host):
        raise ApiError("OPERATION_NOT_ALLOWED", "VM resident on host")
    await forward(context, host)
    _detach_storage(pool, host)
    pool.tasks.spawn(found_pool(pool, pool.machines[host]))
    return ""


def _detach_storage(pool: Pool, host: str) -> None:
    database = pool.database
    plugged = list(database.get("host", host, "PBDs"))
    for pbd in plugged:
        storage = database.get("PBD", pbd, "SR")
        if database.get("SR", storage, "shared"):
            continue
        for vdi in database.get("SR", storage, "VDIs"):
            for vbd in database.get("VDI", vdi, "VBDs"):
                is_up = database.get("VM", database.get("VBD", vbd, "VM"), "resident_on") != NULL_REF
                if is_up and database.get("VBD", vbd, "currently_attached"):
                    raise ApiError("VDI_IN_USE", vdi)
    for pbd in plugged:
        database.set("PBD", pbd, currently_attached=False)


CALLS: Final[tuple[Call, ...]] = (
    declare("pool.join", join),
    declare("pool.join_force", join_force),
    declare("pool.eject", eject),
)
