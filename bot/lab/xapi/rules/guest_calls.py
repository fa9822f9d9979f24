"""Calls on guests that ask, and those that change limits."""

from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.rules.boot_check import assert_can_boot
from bot.lab.xapi.rules.guest_operations import check_operation, operate, refresh_allowed
from bot.lab.xapi.rules.memory import compute_overhead, compute_vm_overhead, rebalance
from bot.lab.xapi.rules.power import list_possible_hosts
from bot.lab.xapi.values import MIB, NULL_REF, Value


async def assert_can_boot_here(context: Context, self: str, host: str) -> str:
    """Raises the reason why a guest could not run on a host."""
    assert_can_boot(context.pool, self, host)
    return ""


async def get_possible_hosts(context: Context, vm: str) -> list[str]:
    """Returns the hosts where a guest could run, CPUs not compared."""
    return list_possible_hosts(context.pool, vm)


async def assert_operation_valid(context: Context, self: str, operation: str) -> str:
    """Raises the reason why an operation cannot begin on a guest now."""
    check_operation(context.pool, self, operation)
    return ""


async def update_allowed_operations(context: Context, self: str) -> str:
    """Computes the allowed operations again."""
    context.pool.database.record("VM", self)
    refresh_allowed(context.pool, self)
    return ""


async def compute_memory_overhead(context: Context, vm: str) -> int:
    """Returns what Xen needs beside the guest's memory, in bytes."""
    return compute_vm_overhead(context.pool.database, vm)


async def maximise_memory(context: Context, self: str, total: int, approximate: bool) -> int:  # noqa: FBT001  as on the wire
    """Returns the largest memory that fits, with its overhead, into `total` bytes; whole MiB."""
    record = context.pool.database.record("VM", self)
    vcpus = 64 if approximate else record["VCPUs_max"]

    def fits(size_mib: int) -> bool:
        overhead = compute_overhead(
            domain_type=record["domain_type"],
            static_max=size_mib * MIB,
            vcpus=vcpus,
            shadow_multiplier=record["HVM_shadow_multiplier"],
        )
        return size_mib * MIB + overhead <= total

    low, high = 0, max(0, total // MIB)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low * MIB


async def set_memory_dynamic_range(context: Context, self: str, least: int, most: int) -> str:
    """Changes between which limits a guest is ballooned, also while it runs."""
    async with operate(context, self, "changing_dynamic_range"):
        await set_limits(context, self, memory_dynamic_min=least, memory_dynamic_max=most)
    return ""


async def set_memory_static_range(context: Context, self: str, least: int, most: int) -> str:
    """Changes the outer limits of a halted guest."""
    async with operate(context, self, "changing_static_range"):
        await set_limits(context, self, memory_static_min=least, memory_static_max=most)
    return ""


async def set_memory_limits(
    context: Context, self: str, static_min: int, static_max: int, dynamic_min: int, dynamic_max: int
) -> str:
    """Changes all limits at once; the outer ones only of a halted guest."""
    async with operate(context, self, "changing_memory_limits"):
        record = context.pool.database.record("VM", self)
        outer = (record["memory_static_min"], record["memory_static_max"])
        if record["power_state"] != "Halted" and outer != (static_min, static_max):
            raise ApiError("VM_BAD_POWER_STATE", self, "halted", record["power_state"].lower())
        await set_limits(
            context,
            self,
            memory_static_min=static_min,
            memory_static_max=static_max,
            memory_dynamic_min=dynamic_min,
            memory_dynamic_max=dynamic_max,
        )
    return ""


async def set_limits(context: Context, vm: str, **limits: Value) -> None:
    """Changes memory limits, which must stay in order, and balloons the guests of the host anew."""
    pool, database = context.pool, context.pool.database
    merged = {**database.record("VM", vm), **limits}
    ordered = [merged[f"memory_{name}"] for name in ("static_min", "dynamic_min", "dynamic_max", "static_max")]
    if ordered != sorted(ordered):
        raise ApiError("MEMORY_CONSTRAINT_VIOLATION_ORDER")
    database.set("VM", vm, **limits)
    database.set("VM", vm, memory_overhead=compute_vm_overhead(database, vm))
    host: str = database.get("VM", vm, "resident_on")
    if host != NULL_REF:
        rebalance(database, host)
        await pool.clock.sleep(0.5)


CALLS: Final[tuple[Call, ...]] = (
    declare("VM.assert_can_boot_here", assert_can_boot_here),
    declare("VM.get_possible_hosts", get_possible_hosts),
    declare("VM.assert_operation_valid", assert_operation_valid),
    declare("VM.update_allowed_operations", update_allowed_operations),
    declare("VM.compute_memory_overhead", compute_memory_overhead),
    declare("VM.maximise_memory", maximise_memory),
    declare("VM.set_memory_dynamic_range", set_memory_dynamic_range),
    declare("VM.set_memory_static_range", set_memory_static_range),
    declare("VM.set_memory_limits", set_memory_limits),
)
