"""What a host does with storage on file servers by itself: it mounts it when it starts, and when it has joined."""

from typing import Final

from bot.lab.xapi.calls import Context
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.machine import Machine
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules import nfs_driver
from bot.lab.xapi.rules.storage_operations import refresh_storage
from bot.lab.xapi.sessions import SUPERUSER, Account, Session
from bot.lab.xapi.values import NULL_REF

_ITSELF: Final = Session(NULL_REF, Account(SUPERUSER, "", "pool-admin"), "", 0.0)


async def mount_again(pool: Pool, machine: Machine) -> None:
    """Mounts what a host had mounted before its power was cut; what fails is unplugged then, with an alert."""
    await _mount_all(pool, machine, attached=True)


async def mount_shared(pool: Pool, machine: Machine) -> None:
    """Mounts the storage of a pool on a host that has joined it; fails as `mount_again` does."""
    await _mount_all(pool, machine, attached=False)


async def _mount_all(pool: Pool, machine: Machine, *, attached: bool) -> None:
    database = pool.database
    for pbd in list(database.get("host", machine.ref, "PBDs")):
        # Somebody may have removed one while another was mounted.
        if database.has("PBD", pbd) and database.get("PBD", pbd, "currently_attached") == attached:
            await _mount(pool, machine, pbd)


async def _mount(pool: Pool, machine: Machine, pbd: str) -> None:
    database = pool.database
    record = database.record("PBD", pbd)
    if not nfs_driver.is_outside(database, record["device_config"], record["SR"]):
        return
    context = Context(pool, machine, _ITSELF, "PBD.plug")
    is_attached = True
    try:
        await nfs_driver.attach_any(context, machine.ref, record["device_config"], record["SR"])
    except ApiError:
        is_attached = False
    if not database.has("PBD", pbd) or not machine.is_alive:
        return
    database.set("PBD", pbd, currently_attached=is_attached)
    refresh_storage(pool, record["SR"])
    if not is_attached:
        pool.announce("PBD_PLUG_FAILED_ON_SERVER_START", cls="Host", ref=machine.ref, body="", priority=3)
