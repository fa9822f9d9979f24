"""Calls that change how a guest is configured: processors, memory, firmware, groups it belongs to."""

import ipaddress
from typing import Final

from bot.lab.xapi.calls import Call, Context, Handler, declare
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.rules.guest_calls import set_limits
from bot.lab.xapi.rules.guest_operations import check_operation, operate, refresh_allowed
from bot.lab.xapi.rules.memory import compute_vm_overhead
from bot.lab.xapi.values import NULL_REF, Value

_LEAST_SHADOW: Final = 1.0


async def set_vcpus_max(context: Context, self: str, value: int) -> str:
    """Says how many processors a halted guest may have."""
    check_operation(context.pool, self, "changing_VCPUs")
    at_startup = context.pool.database.get("VM", self, "VCPUs_at_startup")
    _check_processors(at_startup, value, "VCPUs_max", value)
    context.pool.database.set("VM", self, VCPUs_max=value)
    context.pool.database.set("VM", self, memory_overhead=compute_vm_overhead(context.pool.database, self))
    return ""


async def set_vcpus_at_startup(context: Context, self: str, value: int) -> str:
    """Says with how many processors a halted guest will start."""
    check_operation(context.pool, self, "changing_VCPUs")
    most = context.pool.database.get("VM", self, "VCPUs_max")
    _check_processors(value, most, "VCPUs_at_startup", value)
    context.pool.database.set("VM", self, VCPUs_at_startup=value)
    return ""


async def set_vcpus_live(context: Context, self: str, value: int) -> str:
    """Gives a running guest another number of processors, up to its most."""
    async with operate(context, self, "changing_VCPUs_live"):
        database = context.pool.database
        _check_processors(value, database.get("VM", self, "VCPUs_max"), "VCPUs_number", value)
        database.set("VM_metrics", database.get("VM", self, "metrics"), VCPUs_number=value)
        database.set("VM", self, VCPUs_at_startup=value)
    return ""


def _check_processors(least: int, most: int, name: str, value: int) -> None:
    if not 1 <= least <= most:
        raise ApiError("INVALID_VALUE", name, str(value))


def _set_limit(name: str, operation: str) -> Handler:
    async def set_limit(context: Context, self: str, value: int) -> str:
        check_operation(context.pool, self, operation)
        await set_limits(context, self, **{f"memory_{name}": value})
        return ""

    return set_limit


async def set_memory(context: Context, self: str, value: int) -> str:
    """Gives a halted guest a fixed memory: all limits but the least are this one."""
    async with operate(context, self, "changing_memory_limits"):
        record = context.pool.database.record("VM", self)
        if record["power_state"] != "Halted":
            raise ApiError("VM_BAD_POWER_STATE", self, "halted", record["power_state"].lower())
        least = min(value, record["memory_static_min"])
        await set_limits(
            context,
            self,
            memory_static_min=least,
            memory_static_max=value,
            memory_dynamic_min=value,
            memory_dynamic_max=value,
        )
    return ""


async def set_memory_target_live(context: Context, self: str, target: int) -> str:
    """Balloons a guest to one size, as older clients do: both dynamic limits become that."""
    async with operate(context, self, "changing_dynamic_range"):
        await set_limits(context, self, memory_dynamic_min=target, memory_dynamic_max=target)
    return ""


async def set_shadow_multiplier(context: Context, self: str, value: float) -> str:
    """Says how much more shadow memory a halted guest gets than it needs."""
    check_operation(context.pool, self, "changing_shadow_memory")
    _write_multiplier(context, self, value)
    return ""


async def set_shadow_multiplier_live(context: Context, self: str, value: float) -> str:
    """Gives a running guest more shadow memory."""
    record = context.pool.database.record("VM", self)
    if record["power_state"] != "Running":
        raise ApiError("VM_BAD_POWER_STATE", self, "running", record["power_state"].lower())
    _write_multiplier(context, self, value)
    return ""


def _write_multiplier(context: Context, vm: str, value: float) -> None:
    if value < _LEAST_SHADOW:
        raise ApiError("INVALID_VALUE", "HVM_shadow_multiplier", f"{value:g}")
    context.pool.database.set("VM", vm, HVM_shadow_multiplier=value)
    context.pool.database.set("VM", vm, memory_overhead=compute_vm_overhead(context.pool.database, vm))


async def set_bios_strings(context: Context, self: str, value: dict[str, str]) -> str:
    """Gives a halted guest the texts of its firmware, which it keeps for good."""
    record = context.pool.database.record("VM", self)
    if record["bios_strings"]:
        raise ApiError("VM_BIOS_STRINGS_ALREADY_SET")
    context.pool.database.set("VM", self, bios_strings=value)
    return ""


async def copy_bios_strings(context: Context, vm: str, host: str) -> str:
    """Gives a guest the texts of its host's firmware."""
    context.pool.database.row("VM", vm)
    return await set_bios_strings(context, vm, context.pool.database.get("host", host, "bios_strings"))


async def set_domain_type(context: Context, self: str, value: str) -> str:
    """Says how a halted guest is run."""
    record = context.pool.database.record("VM", self)
    if record["power_state"] != "Halted":
        raise ApiError("VM_BAD_POWER_STATE", self, "halted", record["power_state"].lower())
    policy = "" if value == "pv" else record["HVM_boot_policy"] or "BIOS order"
    context.pool.database.set("VM", self, domain_type=value, HVM_boot_policy=policy)
    return ""


async def set_has_vendor_device(context: Context, self: str, value: bool) -> str:  # noqa: FBT001  as on the wire
    """Says whether a halted guest has the device by which Windows finds its drivers."""
    record = context.pool.database.record("VM", self)
    if record["power_state"] != "Halted":
        raise ApiError("VM_BAD_POWER_STATE", self, "halted", record["power_state"].lower())
    context.pool.database.set("VM", self, has_vendor_device=value)
    return ""


async def set_appliance(context: Context, self: str, value: str) -> str:
    """Puts a guest into a group that starts and stops together, or out of it."""
    database = context.pool.database
    record = database.record("VM", self)
    if value != NULL_REF:
        database.row("VM_appliance", value)
        if record["is_control_domain"]:
            raise ApiError("OPERATION_NOT_ALLOWED", "Control domains cannot be assigned to appliances.")
        if database.has("VMPP", record["protection_policy"]):
            raise ApiError("VM_ASSIGNED_TO_PROTECTION_POLICY", self, record["protection_policy"])
    database.set("VM", self, appliance=value)
    return ""


async def set_snapshot_schedule(context: Context, self: str, value: str) -> str:
    """Lets a schedule take snapshots of a guest, or no longer."""
    context.pool.database.row("VM", self)
    if value != NULL_REF:
        context.pool.database.row("VMSS", value)
    context.pool.database.set("VM", self, snapshot_schedule=value)
    return ""


async def set_suspend_vdi(context: Context, self: str, value: str) -> str:
    """Gives a sleeping guest another image to wake from."""
    database = context.pool.database
    record = database.record("VM", self)
    if record["power_state"] != "Suspended":
        raise ApiError("VM_BAD_POWER_STATE", self, "suspended", record["power_state"].lower())
    database.row("VDI", value)
    database.set("VM", self, suspend_VDI=value)
    return ""


async def add_vcpus_params_live(context: Context, self: str, key: str, value: str) -> str:
    """Changes how the processors of a running guest are scheduled."""
    database = context.pool.database
    record = database.record("VM", self)
    if record["power_state"] != "Running":
        raise ApiError("VM_BAD_POWER_STATE", self, "running", record["power_state"].lower())
    if key not in {"weight", "cap"} or not value.isdecimal():
        raise ApiError("INVALID_VALUE", key, value)
    database.set("VM", self, VCPUs_params={**record["VCPUs_params"], key: value})
    return ""


async def restart_device_models(context: Context, self: str) -> str:
    """Gives a running guest a fresh device model; it does not notice."""
    record = context.pool.database.record("VM", self)
    if record["power_state"] != "Running":
        raise ApiError("VM_BAD_POWER_STATE", self, "running", record["power_state"].lower())
    refresh_allowed(context.pool, self)
    return ""


def _change_allowed(name: str, verb: str) -> Handler:
    version = ipaddress.IPv4Address if name == "ipv4_allowed" else ipaddress.IPv6Address

    async def change(context: Context, self: str, value: Value) -> str:
        old: list[str] = context.pool.database.get("VIF", self, name)
        given = value if verb == "set" else [value]
        for address in given:
            try:
                version(address)
            except ValueError:
                raise ApiError("INVALID_IP_ADDRESS_SPECIFIED", name) from None
        rest = [] if verb == "set" else [other for other in old if other not in given]
        context.pool.database.set("VIF", self, **{name: rest if verb == "remove" else [*rest, *given]})
        return ""

    return change


def _configure(family: str) -> Handler:
    interface = ipaddress.IPv4Interface if family == "ipv4" else ipaddress.IPv6Interface

    async def configure(context: Context, self: str, mode: str, address: str = "", gateway: str = "") -> str:
        context.pool.database.row("VIF", self)
        if mode == "Static":
            try:
                interface(address)
            except ValueError:
                raise ApiError("INVALID_CIDR_ADDRESS_SPECIFIED", "address") from None
        values = {f"{family}_configuration_mode": mode, f"{family}_addresses": [address] if mode == "Static" else []}
        context.pool.database.set("VIF", self, **values, **{f"{family}_gateway": gateway if mode == "Static" else ""})
        return ""

    return configure


_VERBS: Final = ("set", "add", "remove")
CALLS: Final[tuple[Call, ...]] = (
    declare("VM.set_VCPUs_max", set_vcpus_max),
    declare("VM.set_VCPUs_at_startup", set_vcpus_at_startup),
    declare("VM.set_VCPUs_number_live", set_vcpus_live),
    declare("VM.set_memory", set_memory),
    declare("VM.set_memory_target_live", set_memory_target_live),
    declare("VM.set_memory_static_min", _set_limit("static_min", "changing_static_range")),
    declare("VM.set_memory_static_max", _set_limit("static_max", "changing_static_range")),
    declare("VM.set_memory_dynamic_min", _set_limit("dynamic_min", "changing_dynamic_range")),
    declare("VM.set_memory_dynamic_max", _set_limit("dynamic_max", "changing_dynamic_range")),
    declare("VM.set_HVM_shadow_multiplier", set_shadow_multiplier),
    declare("VM.set_shadow_multiplier_live", set_shadow_multiplier_live),
    declare("VM.set_bios_strings", set_bios_strings),
    declare("VM.copy_bios_strings", copy_bios_strings),
    declare("VM.set_domain_type", set_domain_type),
    declare("VM.set_has_vendor_device", set_has_vendor_device),
    declare("VM.set_appliance", set_appliance),
    declare("VM.set_snapshot_schedule", set_snapshot_schedule),
    declare("VM.set_suspend_VDI", set_suspend_vdi),
    declare("VM.add_to_VCPUs_params_live", add_vcpus_params_live),
    declare("VM.restart_device_models", restart_device_models),
    *(
        declare(f"VIF.{verb}_{name}", _change_allowed(name, verb))
        for name in ("ipv4_allowed", "ipv6_allowed")
        for verb in _VERBS
    ),
    *(declare(f"VIF.configure_{family}", _configure(family)) for family in ("ipv4", "ipv6")),
)
