"""Puts a pool together from its records: machines, accounts, what works on it."""

from bot.lab.xapi.archive.content import Contents
from bot.lab.xapi.clock import Clock, Gate
from bot.lab.xapi.faults import Faults
from bot.lab.xapi.machine import Machine
from bot.lab.xapi.nfs import Outside
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.population import Populated
from bot.lab.xapi.rules.guest_operations import refresh_allowed
from bot.lab.xapi.rules.ha_calls import arm
from bot.lab.xapi.rules.host_operations import refresh_allowed_host
from bot.lab.xapi.rules.nfs_mounts import find_export
from bot.lab.xapi.rules.storage_operations import refresh_devices, refresh_storage
from bot.lab.xapi.sessions import ROLES, SUPERUSER, Account, Sessions
from bot.lab.xapi.tasks import Tasks
from bot.lab.xapi.values import stable_uuid
from bot.lab.xapi.world import STORED_MIB


def make_accounts(password: str) -> tuple[Account, ...]:
    """Returns who may log in: the superuser, and one account per role, named as the role."""
    return (
        Account(SUPERUSER, password, "pool-admin"),
        *(Account(role, password, role) for role in ROLES),
    )


def make_pool(
    populated: Populated,
    *,
    clock: Clock,
    gate: Gate,
    faults: Faults,
    contents: Contents,
    outside: Outside,
    password: str,
) -> Pool:
    """Returns a pool that works, with every machine up."""
    database = populated.database
    coordinator = database.get("pool", database.refs("pool")[0], "master")
    machines = {
        ref: Machine(
            name,
            database.get("host", ref, "address"),
            ref,
            coordinator="" if ref == coordinator else database.get("host", coordinator, "address"),
            enables_itself=database.get("host", ref, "enabled"),
        )
        for name, ref in populated.hosts.items()
    }
    pool = Pool(
        name=populated.name,
        database=database,
        clock=clock,
        gate=gate,
        faults=faults,
        sessions=Sessions(database, clock, make_accounts(password)),
        tasks=Tasks(database, clock),
        machines=machines,
        contents=contents,
        outside=outside,
    )
    for ref, record in database.items("SR"):
        if (found := find_export(pool, ref)) is not None:
            found[1].repositories[record["uuid"]] = None
    for vdi, record in database.items("VDI"):
        contents.plant(record["uuid"], record["virtual_size"], populated.stored.get(vdi, STORED_MIB))
    if populated.ha is not None:
        database.set("pool", pool.ref, ha_host_failures_to_tolerate=populated.ha.failures)
        arm(pool, populated.storage[populated.ha.storage], {}, uuid=stable_uuid("statefile", populated.name))
    for ref in database.refs("VM"):
        refresh_allowed(pool, ref)
        refresh_devices(pool, ref)
    for ref in database.refs("SR"):
        refresh_storage(pool, ref)
    for ref in database.refs("host"):
        refresh_allowed_host(pool, ref)
    return pool
