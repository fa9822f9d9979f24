"""Memory arithmetic: what a guest needs on a host, what a host has free, how guests are ballooned.

All sizes are bytes. The free memory that XAPI compares is not `host_metrics.memory_free`: it counts every guest at
its dynamic minimum, since a guest can be ballooned down to it.
"""

from bot.lab.xapi.database import Database
from bot.lab.xapi.values import MIB, NULL_REF


def compute_overhead(*, domain_type: str, static_max: int, vcpus: int, shadow_multiplier: float) -> int:
    """Returns what Xen needs beside the guest's own memory."""
    static_max_mib = -(-static_max // MIB)
    shadow = max(1, int(shadow_multiplier * -(-(256 * vcpus + 2 * static_max_mib) // 256)))
    fixed = 1 if domain_type == "pv" else 2
    return (fixed + shadow + -(-38 * vcpus // 256)) * MIB


def compute_need(database: Database, vm: str) -> int:
    """Returns what a guest needs to run on a host: its dynamic minimum and its overhead."""
    record = database.record("VM", vm)
    least: int = record["memory_dynamic_min"]
    return least + compute_vm_overhead(database, vm)


def compute_vm_overhead(database: Database, vm: str) -> int:
    """Returns the overhead of a guest as it is configured."""
    record = database.record("VM", vm)
    if record["is_control_domain"]:
        return 0
    return compute_overhead(
        domain_type=record["domain_type"],
        static_max=record["memory_static_max"],
        vcpus=record["VCPUs_max"],
        shadow_multiplier=record["HVM_shadow_multiplier"],
    )


def list_guests_counted(database: Database, host: str) -> list[str]:
    """Returns the guests whose memory counts on a host: resident or on the way there."""
    resident: list[str] = database.get("host", host, "resident_VMs")
    on_the_way = [
        ref
        for ref, record in database.items("VM")
        if record["scheduled_to_be_resident_on"] == host and ref not in resident
    ]
    return [*resident, *on_the_way]


def compute_free(database: Database, host: str) -> int:
    """Returns `host.compute_free_memory`, never below 0."""
    metrics = database.record("host_metrics", database.get("host", host, "metrics"))
    free: int = metrics["memory_total"] - database.get("host", host, "memory_overhead")
    for vm in list_guests_counted(database, host):
        record = database.record("VM", vm)
        free -= record["memory_dynamic_min"] + record["memory_overhead"]
    return max(0, free)


def rebalance(database: Database, host: str) -> None:
    """Balloons the guests of a host: all at their maximum where that fits, else alike between the limits."""
    metrics_ref = database.get("host", host, "metrics")
    total: int = database.get("host_metrics", metrics_ref, "memory_total")
    free = total - database.get("host", host, "memory_overhead")
    span = 0
    guests = list_guests_counted(database, host)
    for vm in guests:
        record = database.record("VM", vm)
        free -= record["memory_dynamic_min"] + record["memory_overhead"]
        span += record["memory_dynamic_max"] - record["memory_dynamic_min"]
    share = 1.0 if span <= free else max(0.0, free / span)
    used = database.get("host", host, "memory_overhead")
    for vm in guests:
        record = database.record("VM", vm)
        room = record["memory_dynamic_max"] - record["memory_dynamic_min"]
        target = record["memory_dynamic_min"] + int(room * share) // MIB * MIB
        used += target + record["memory_overhead"]
        if record["resident_on"] == host:
            database.set("VM", vm, memory_target=target)
            if record["metrics"] != NULL_REF:
                database.set("VM_metrics", record["metrics"], memory_actual=target)
    database.set("host_metrics", metrics_ref, memory_free=max(0, total - used))
