"""`host.migrate_receive`, and where its answer leads: the receiving side of a migration with storage."""

from dataclasses import dataclass
from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.licence import assert_licensed
from bot.lab.xapi.rules.reach import forward


@dataclass(frozen=True)
class Destination:
    """Where a guest is to go.

    Attributes:
        pool: The pool of the host, which may be another one.
        host: The host.
        is_here: Whether it is the guest's own pool.
    """

    pool: Pool
    host: str
    is_here: bool


async def migrate_receive(context: Context, host: str, network: str, options: dict[str, str]) -> dict[str, str]:
    """Opens the receiving side: addresses on a network, and a session that must live until the end."""
    del options
    database = context.pool.database
    database.record("host", host)
    database.record("network", network)
    assert_licensed(context.pool, "Storage_motion")
    address = find_address(database, host, network)
    await forward(context, host)
    session = context.pool.sessions.open(context.session.account, "migrate_receive", host)
    return {
        "host": host,
        "SM": f"http://{address}/services/SM?session_id={session}",
        "xenops": f"http://{address}/services/xenops?session_id={session}",
        "master": f"http://{context.pool.coordinator.address}",
        "session_id": session,
    }


def find_address(database: Database, host: str, network: str) -> str:
    """Returns the address of a host on a network.

    Raises:
        ApiError: `HOST_CANNOT_ATTACH_NETWORK`, `PIF_HAS_NO_NETWORK_CONFIGURATION` or `INTERFACE_HAS_NO_IP`.
    """
    for pif in database.get("host", host, "PIFs"):
        record = database.record("PIF", pif)
        if record["network"] == network:
            if record["ip_configuration_mode"] == "None":
                raise ApiError("PIF_HAS_NO_NETWORK_CONFIGURATION", pif)
            if not record["IP"]:
                raise ApiError("INTERFACE_HAS_NO_IP", pif)
            address: str = record["IP"]
            return address
    raise ApiError("HOST_CANNOT_ATTACH_NETWORK", host, network)


def find_destination(pool: Pool, dest: dict[str, str]) -> Destination:
    """Returns where the answer of `migrate_receive` leads.

    Raises:
        ApiError: `SESSION_INVALID` when its session is gone, `CANNOT_CONTACT_HOST` for an address of no pool.
    """
    missing = {"host", "SM", "xenops", "master", "session_id"} - dest.keys()
    if missing:
        raise ApiError("INTERNAL_ERROR", "Not_found")
    master = dest["master"].removeprefix("http://").removeprefix("https://").strip("/")
    there = next((one for one in pool.peers if one.coordinator.address == master), None)
    if there is None or not there.coordinator.is_serving:
        raise ApiError("CANNOT_CONTACT_HOST", master)
    there.sessions.find(dest["session_id"])
    there.database.record("host", dest["host"])
    return Destination(there, dest["host"], there is pool)


CALLS: Final[tuple[Call, ...]] = (declare("host.migrate_receive", migrate_receive),)
