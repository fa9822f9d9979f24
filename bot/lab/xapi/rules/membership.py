"""How a host changes its pool: its records move, its machine follows another coordinator or none."""

from collections.abc import Mapping, Sequence
from typing import Final

from bot.lab.xapi.database import Database
from bot.lab.xapi.machine import Machine
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.population import level_cpus
from bot.lab.xapi.rules.forgetting import forget_host
from bot.lab.xapi.rules.guest_operations import refresh_allowed
from bot.lab.xapi.rules.host_operations import refresh_allowed_host
from bot.lab.xapi.rules.mounting import mount_shared
from bot.lab.xapi.rules.nfs_driver import is_outside
from bot.lab.xapi.rules.storage_operations import refresh_storage
from bot.lab.xapi.rules.toolstack import keep_looking_for_coordinator, lose_work_of, restart_toolstack
from bot.lab.xapi.schema.model import CLASSES, FieldType
from bot.lab.xapi.sessions import Sessions
from bot.lab.xapi.tasks import Tasks
from bot.lab.xapi.transplant import transplant
from bot.lab.xapi.values import NULL_REF, Value, new_uuid

# What a pool has once, or in its coordinator's memory: it stays behind.
_OF_THE_POOL: Final = frozenset({"pool", "session", "task", "message", "user", "secret", "SM", "subject", "blob"})
_REBOOT_S: Final = 150.0
_FUSE_S: Final = 0.5  # between the answer and the reboot


def move_in(here: Pool, there: Pool, machine: Machine) -> None:
    """Moves the only host of a pool into another, with its guests and its storage; its old pool is no more."""
    old = machine.ref
    known = {
        **_match(here.database, there.database, "network", ("bridge",)),
        # What both trust alike is trusted once; what a host itself shows is no other's.
        **_match(here.database, there.database, "Certificate", ("type", "name", "fingerprint", "purpose")),
    }
    wanted = {
        class_name: [ref for ref in here.database.refs(class_name) if ref not in known]
        for class_name in CLASSES
        if class_name not in _OF_THE_POOL
    }
    transplant(here.database, there.database, wanted, known)
    here.sessions.close_all()
    here.tasks.lose_all()
    here.peers.remove(here)
    del here.machines[old]
    machine.ref, machine.coordinator, machine.enables_itself = known[old], there.coordinator.address, True
    there.machines[machine.ref] = machine
    database = there.database
    database.set("host", machine.ref, enabled=False, current_operations={})
    # It is live from its first sign of life as a member.
    database.set("host_metrics", database.get("host", machine.ref, "metrics"), live=False)
    _see_shared_storage(database, machine.ref)
    database.set("pool", there.ref, cpu_info=level_cpus(database))
    for ref in wanted["VM"]:
        refresh_allowed(there, known[ref])
    for ref in wanted["SR"]:
        refresh_storage(there, known[ref])
    refresh_allowed_host(there, machine.ref)
    there.tasks.spawn(keep_looking_for_coordinator(there, machine))
    there.tasks.spawn(mount_shared(there, machine))
    restart_toolstack(there, machine)


def _match(source: Database, target: Database, class_name: str, fields: Sequence[str]) -> dict[str, str]:
    """Returns which records of the source are called what in the target: those whose fields have the same values."""
    there = {_key(record, fields): ref for ref, record in target.items(class_name)}
    return {
        ref: there[_key(record, fields)] for ref, record in source.items(class_name) if _key(record, fields) in there
    }


def _key(record: Mapping[str, Value], fields: Sequence[str]) -> tuple[Value, ...]:
    return tuple(frozenset(record[name]) if isinstance(record[name], list) else record[name] for name in fields)


def _see_shared_storage(database: Database, host: str) -> None:
    for storage in database.refs("SR"):
        others = database.get("SR", storage, "PBDs")
        if database.get("SR", storage, "shared") and others:
            config = dict(database.get("PBD", others[0], "device_config"))
            is_there = not is_outside(database, config, storage)  # what must be mounted is tried first
            database.create("PBD", host=host, SR=storage, device_config=config, currently_attached=is_there)


async def found_pool(pool: Pool, machine: Machine) -> None:
    """Makes an ejected host the only one of a new pool and reboots it; what was only there is gone here."""
    await pool.clock.sleep(_FUSE_S)
    old = machine.ref
    lose_work_of(pool, machine)
    database, known = _carry_off(pool.database, old)
    new = Pool(
        name=machine.name,
        database=database,
        clock=pool.clock,
        gate=pool.gate,
        faults=pool.faults,
        sessions=Sessions(database, pool.clock, pool.sessions.accounts),
        tasks=Tasks(database, pool.clock),
        machines={known[old]: machine},
        contents=pool.contents,
        outside=pool.outside,
        peers=pool.peers,
        adopt=pool.adopt,
        login_delay_s=pool.login_delay_s,
    )
    forget_host(pool.database, old)
    del pool.machines[old]
    pool.database.set("pool", pool.ref, cpu_info=level_cpus(pool.database))
    machine.ref, machine.coordinator, machine.emergency = known[old], "", ()
    machine.is_alive = False
    refresh_allowed_host(new, machine.ref)
    pool.peers.append(new)
    pool.adopt(new)
    await machine.door.close()
    await pool.clock.sleep(_REBOOT_S)
    await machine.door.open()
    machine.is_alive = True
    restart_toolstack(new, machine)


def _undo_bond(database: Database, bond: str) -> None:
    """Has a host reached over the first card of a bond alone, as a fresh installation is."""
    master, first = database.get("Bond", bond, "master"), database.get("Bond", bond, "primary_slave")
    kept = ("network", "management", "ip_configuration_mode", "IP", "netmask", "gateway", "DNS")
    database.set("PIF", first, **{name: database.get("PIF", master, name) for name in kept})
    for part in database.get("Bond", bond, "slaves"):
        database.set("PIF", part, bond_slave_of=NULL_REF)
    database.delete("Bond", bond)
    database.delete("PIF", master)


def _carry_off(source: Database, host: str) -> tuple[Database, dict[str, str]]:
    """Returns the records of a fresh installation on a host, and what those it kept are called there."""
    target, known = Database(), dict[str, str]()
    of_host = FieldType("ref", "host")
    wanted = {
        class_name: [ref for ref, record in source.items(class_name) if record["host"] == host]
        for class_name, kind in CLASSES.items()
        if class_name != "PBD" and kind.fields.get("host") and kind.fields["host"].type == of_host
    }
    record = source.record("host", host)
    control = record["control_domain"]
    wanted |= {
        "host": [host],
        "host_metrics": [record["metrics"]],
        "VM": [control],
        "VM_metrics": [source.get("VM", control, "metrics")],
        "PIF_metrics": [source.get("PIF", pif, "metrics") for pif in record["PIFs"]],
        "network": source.refs("network"),
        "SM": source.refs("SM"),
        "user": source.refs("user"),
        "pool": source.refs("pool"),
    }
    wanted["Bond"] = [bond for pif in record["PIFs"] for bond in source.get("PIF", pif, "bond_master_of")]
    transplant(source, target, wanted, known)
    for bond in wanted["Bond"]:
        _undo_bond(target, known[bond])
    here = known[host]
    local = target.create(
        "SR", name_label="Local storage", type="ext", content_type="user", physical_size=_find_size(source, host)
    )
    target.create("PBD", host=here, SR=local, device_config={"device": "/dev/sda3"}, currently_attached=True)
    target.set("host", here, enabled=True, current_operations={}, resident_VMs=[known[control]])
    target.set(
        "pool",
        target.refs("pool")[0],
        uuid=new_uuid(),
        name_label="",
        master=here,
        default_SR=local,
        suspend_image_SR=local,
        cpu_info=level_cpus(target),
        current_operations={},
        telemetry_uuid=NULL_REF,
    )
    return target, known


def _find_size(database: Database, host: str) -> int:
    for pbd in database.get("host", host, "PBDs"):
        storage = database.record("SR", database.get("PBD", pbd, "SR"))
        if not storage["shared"]:
            size: int = storage["physical_size"]
            return size
    return 0
