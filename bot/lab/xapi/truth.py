"""The state of the datacentre for people and tests: what is true, whatever XAPI believes."""

import re
from typing import Final

from bot.lab.xapi import breakage
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.values import NULL_REF, Value

# Types of storage that hosts of several pools can reach.
_ON_SERVERS: Final = frozenset({"nfs", "smb", "lvmoiscsi", "lvmohba"})


def describe_pools(pools: list[Pool]) -> dict[str, Value]:
    """Returns pools, hosts, guests, storage and tasks of all pools."""
    return {
        "pools": [_describe_pool(pool) for pool in pools],
        # A host that joined only half-way is a record without a machine: its machine is a pool of its own.
        "hosts": [_describe_host(pool, ref) for pool in pools for ref in _list_hosts(pool)],
        "guests": [_describe_guest(pool, ref) for pool in pools for ref in _list_guests(pool)],
        "srs": [_describe_storage(pool, ref) for pool in pools for ref in pool.database.refs("SR")],
        "tasks": [_describe_task(pool, ref) for pool in pools for ref in pool.database.refs("task")],
        "dangers": list_dangers(pools),
    }


def list_dangers(pools: list[Pool]) -> list[str]:
    """Returns a sentence for each thing that works and should not be: it destroys data sooner or later."""
    attached: dict[str, list[tuple[str, str]]] = {}
    for pool in pools:
        for _, record in pool.database.items("SR"):
            if record["type"] in _ON_SERVERS and _list_attached(pool, record["PBDs"]):
                attached.setdefault(record["uuid"], []).append((record["name_label"], pool.name))
    return [
        f"Storage {found[0][0]!r} ({uuid}) is attached by the pools {' and '.join(name for _, name in found)}: "
        "the coordinator of each coalesces disks there and deletes what it does not know."
        for uuid, found in attached.items()
        if len(found) > 1
    ]


def _list_hosts(pool: Pool) -> list[str]:
    """Returns the hosts that have a machine by name: records come by last change, which would move them about."""
    present = [ref for ref in pool.database.refs("host") if ref in pool.machines]
    return sorted(present, key=lambda ref: (_split_numbers(pool.machines[ref].name), ref))


def _split_numbers(name: str) -> list[tuple[int, str]]:
    """Returns what sorts a name as people count: host2 before host10."""
    return [(int(digits or 0), words) for words, digits in re.findall(r"(\D*)([0-9]*)", name)]


def _list_guests(pool: Pool) -> list[str]:
    return sorted(
        (
            ref
            for ref, record in pool.database.items("VM")
            if not record["is_control_domain"] and not record["is_a_template"] and not record["is_a_snapshot"]
        ),
        key=lambda ref: (pool.database.get("VM", ref, "name_label"), ref),
    )


def _describe_pool(pool: Pool) -> dict[str, Value]:
    record = pool.database.record("pool", pool.ref)
    return {
        "uuid": record["uuid"],
        "name": record["name_label"],
        "coordinator": pool.coordinator.name,
        "hosts": [machine.name for machine in pool.machines.values()],
        "srs": [pool.database.get("SR", ref, "name_label") for ref in pool.database.refs("SR")],
    }


def _describe_host(pool: Pool, ref: str) -> dict[str, Value]:
    database, machine = pool.database, pool.machines[ref]
    record = database.record("host", ref)
    metrics = database.record("host_metrics", record["metrics"])
    return {
        "uuid": record["uuid"],
        "name": machine.name,
        "address": record["address"],
        "pool": database.get("pool", pool.ref, "uuid"),
        "coordinator": pool.coordinator is machine,
        "enabled": record["enabled"],
        "live": metrics["live"],
        "silent": not machine.is_serving,
        "alive": machine.is_alive,
        "cut": machine.is_cut,
        "emergency": list(machine.emergency),
        "memory_total": metrics["memory_total"],
        "memory_free": metrics["memory_free"],
        "cpu_vendor": record["cpu_info"]["vendor"],
        **breakage.describe(pool, ref),
        "version": f"{record['software_version']['product_brand']} {record['software_version']['product_version']}",
    }


def _describe_guest(pool: Pool, ref: str) -> dict[str, Value]:
    database = pool.database
    record = database.record("VM", ref)
    task, operation = next(iter(record["current_operations"].items()), (NULL_REF, None))
    reported = record["guest_metrics"]
    return {
        "uuid": record["uuid"],
        "name": record["name_label"],
        "pool": database.get("pool", pool.ref, "uuid"),
        "host": _find_uuid(pool, record["resident_on"]),
        "power_state": record["power_state"],
        "memory": record["memory_dynamic_max"],
        "tools": database.has("VM_guest_metrics", reported)
        and bool(database.get("VM_guest_metrics", reported, "PV_drivers_version")),
        "tags": record["tags"],
        "operation": operation,
        "target": _find_uuid(pool, record["scheduled_to_be_resident_on"]),
        "progress": database.get("task", task, "progress") if database.has("task", task) else None,
        "bound": _is_bound(pool, record["VBDs"]),
    }


def _is_bound(pool: Pool, drives: list[str]) -> bool:
    """Tells whether a disk lies on storage of one host, so that the guest cannot move without it."""
    database = pool.database
    disks = [database.get("VBD", drive, "VDI") for drive in drives if database.get("VBD", drive, "type") == "Disk"]
    repositories = [database.get("VDI", disk, "SR") for disk in disks if database.has("VDI", disk)]
    return any(not database.get("SR", sr, "shared") for sr in repositories)


def _find_uuid(pool: Pool, host: str) -> str | None:
    return pool.database.get("host", host, "uuid") if pool.database.has("host", host) else None


def _describe_storage(pool: Pool, ref: str) -> dict[str, Value]:
    record = pool.database.record("SR", ref)
    return {
        "uuid": record["uuid"],
        "name": record["name_label"],
        "pool": pool.database.get("pool", pool.ref, "uuid"),
        "type": record["type"],
        "shared": record["shared"],
        "content": record["content_type"],
        "hosts": [_find_uuid(pool, host) for host in _list_attached(pool, record["PBDs"])],
        "size": record["physical_size"],
        "free": record["physical_size"] - record["physical_utilisation"],
    }


def _list_attached(pool: Pool, plugs: list[str]) -> list[str]:
    attached = [plug for plug in plugs if pool.database.get("PBD", plug, "currently_attached")]
    return [pool.database.get("PBD", plug, "host") for plug in attached]


def _describe_task(pool: Pool, ref: str) -> dict[str, Value]:
    record = pool.database.record("task", ref)
    parent = record["subtask_of"]
    database = pool.database
    return {
        "uuid": record["uuid"],
        "name": record["name_label"],
        "status": record["status"],
        "progress": record["progress"],
        "subtask_of": database.get("task", parent, "uuid") if database.has("task", parent) else None,
    }
