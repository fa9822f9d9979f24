"""Calls of high availability: switching it, what the plan is worth, which guests it protects."""

from typing import Final

from bot.lab.xapi.calls import Call, Context, declare
from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.ha import assert_agile, count_failures, list_able, plan_exists, refresh_plan
from bot.lab.xapi.rules.memory import compute_free, compute_need
from bot.lab.xapi.rules.storage_space import add_disk, remove_disk
from bot.lab.xapi.values import Value, new_uuid

PRIORITIES: Final = ("", "restart", "best-effort")
_STATEFILE_BYTES: Final = 4 * 1024 * 1024
_ARMING_S: Final = 20.0
_FEWEST_HOSTS: Final = 2


async def enable_ha(context: Context, storage: list[str], configuration: dict[str, str]) -> str:
    """Arms high availability with a state file on shared storage.

    Raises:
        ApiError: `HA_IS_ENABLED`, `HA_TOO_FEW_HOSTS`, `HOST_OFFLINE [host]`, `REQUIRED_PIF_IS_UNPLUGGED [pif…]`,
            `CANNOT_CREATE_STATE_FILE`.
    """
    pool, database = context.pool, context.pool.database
    if database.get("pool", pool.ref, "ha_enabled"):
        raise ApiError("HA_IS_ENABLED")
    if database.count("host") < _FEWEST_HOSTS:
        raise ApiError("HA_TOO_FEW_HOSTS")
    for host, record in database.items("host"):
        if not database.get("host_metrics", record["metrics"], "live") or not _answers(pool, host):
            raise ApiError("HOST_OFFLINE", host)
    unplugged = [ref for ref, pif in database.items("PIF") if pif["management"] and not pif["currently_attached"]]
    if unplugged:
        raise ApiError("REQUIRED_PIF_IS_UNPLUGGED", *unplugged)
    usable = [one for one in storage or database.refs("SR") if _sees_everyone(database, one)]
    if not usable or (storage and len(usable) < len(storage)):
        raise ApiError("CANNOT_CREATE_STATE_FILE")
    await pool.clock.sleep(_ARMING_S)
    arm(pool, usable[0], configuration, uuid=new_uuid())
    return ""


def _answers(pool: Pool, host: str) -> bool:
    machine = pool.machines.get(host)
    return machine is not None and machine.is_reachable


def _sees_everyone(database: Database, storage: str) -> bool:
    record = database.record("SR", storage)
    plugged = [pbd for pbd in record["PBDs"] if database.get("PBD", pbd, "currently_attached")]
    return bool(record["shared"]) and len(plugged) == database.count("host")


def arm(pool: Pool, storage: str, configuration: dict[str, str], *, uuid: str) -> None:
    """Switches high availability on, with a state file on a storage repository that all hosts see."""
    statefile = add_disk(
        pool.database,
        storage,
        uuid=uuid,
        virtual_size=_STATEFILE_BYTES,
        used=_STATEFILE_BYTES,
        name_label="Statefile for HA",
        name_description="Used for storage heartbeating",
        type="ha_statefile",
        sharable=True,
    )
    pool.database.set(
        "pool",
        pool.ref,
        ha_enabled=True,
        ha_configuration={"timeout": "60", **configuration},
        ha_statefiles=[statefile],
    )
    refresh_plan(pool)


async def disable_ha(context: Context) -> str:
    """Disarms high availability and removes its state file."""
    pool, database = context.pool, context.pool.database
    record = database.record("pool", pool.ref)
    if not record["ha_enabled"]:
        raise ApiError("HA_NOT_ENABLED")
    statefiles = record["ha_statefiles"]
    database.set(
        "pool",
        pool.ref,
        ha_enabled=False,
        ha_statefiles=[],
        ha_configuration={},
        ha_plan_exists_for=0,
        ha_overcommitted=False,
    )
    for vdi in statefiles:
        if database.has("VDI", vdi):
            remove_disk(database, vdi)
    return ""


async def set_failures_to_tolerate(context: Context, self: str, failures: int) -> str:
    """Says how many hosts may fail; refused when no plan is worth that much.

    Raises:
        ApiError: `INVALID_VALUE` below zero, `HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN`.
    """
    pool, database = context.pool, context.pool.database
    record = database.record("pool", self)
    if failures < 0:
        raise ApiError("INVALID_VALUE", "ha_host_failures_to_tolerate", str(failures))
    if record["ha_enabled"] and not record["ha_allow_overcommit"] and not plan_exists(database, failures):
        raise ApiError("HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN")
    database.set("pool", self, ha_host_failures_to_tolerate=failures)
    refresh_plan(pool)
    return ""


async def compute_max(context: Context) -> int:
    """Returns how many hosts may fail."""
    return count_failures(context.pool.database)


async def compute_hypothetical_max(context: Context, priorities: dict[str, str]) -> int:
    """Returns how many hosts might fail if the guests had these priorities."""
    for vm in priorities:
        context.pool.database.record("VM", vm)
    return count_failures(context.pool.database, priorities)


async def failover_plan_exists(context: Context, failures: int) -> bool:
    """Tells whether so many hosts may fail."""
    return plan_exists(context.pool.database, failures)


async def compute_vm_failover_plan(context: Context, failed_hosts: list[str], failed_vms: list[str]) -> Value:
    """Returns for each guest where it would restart: `host`, or `error_code` where it cannot."""
    database = context.pool.database
    for host in failed_hosts:
        database.record("host", host)
    free = {host: compute_free(database, host) for host in list_able(database) if host not in failed_hosts}
    plan: dict[str, dict[str, str]] = {}
    for vm in sorted(failed_vms, key=lambda one: compute_need(database, one), reverse=True):
        best = max(free, key=free.__getitem__, default=None)
        if best is None or free[best] < compute_need(database, vm):
            plan[vm] = {"error_code": "HOST_NOT_ENOUGH_FREE_MEMORY"}
        else:
            free[best] -= compute_need(database, vm)
            plan[vm] = {"host": best}
    return plan


async def prevent_restarts_for(context: Context, seconds: int) -> str:
    """Holds restarts of guests back for so many seconds."""
    if not context.pool.database.get("pool", context.pool.ref, "ha_enabled"):
        raise ApiError("HA_NOT_ENABLED")
    context.pool.restarts_held_until = context.pool.clock.elapsed + seconds
    return ""


async def set_ha_restart_priority(context: Context, vm: str, priority: str) -> str:
    """Says whether a guest is protected; where high availability is on, the plan must bear it.

    Raises:
        ApiError: `INVALID_VALUE`, `HA_CONSTRAINT_VIOLATION_…` for a guest that is not agile,
            `HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN`.
    """
    pool, database = context.pool, context.pool.database
    record = database.record("VM", vm)
    if priority not in PRIORITIES:
        raise ApiError("INVALID_VALUE", "ha_restart_priority", priority)
    if priority == "restart" and record["ha_restart_priority"] != "restart":
        settings = database.record("pool", pool.ref)
        if settings["ha_enabled"]:
            assert_agile(database, vm)
            wished = {ref: one["ha_restart_priority"] for ref, one in database.items("VM")} | {vm: priority}
            if not settings["ha_allow_overcommit"] and not plan_exists(
                database, settings["ha_host_failures_to_tolerate"], wished
            ):
                raise ApiError("HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN")
    database.set("VM", vm, ha_restart_priority=priority, ha_always_run=priority == "restart" and _is_up(record))
    refresh_plan(pool)
    return ""


def _is_up(record: dict[str, Value]) -> bool:
    return record["power_state"] in {"Running", "Paused"}


async def set_ha_always_run(context: Context, vm: str, value: bool) -> str:  # noqa: FBT001  as on the wire
    """Says whether a guest ought to run."""
    context.pool.database.set("VM", vm, ha_always_run=value)
    refresh_plan(context.pool)
    return ""


async def assert_vm_agile(context: Context, vm: str) -> str:
    """Refuses a guest that could not start on every host."""
    assert_agile(context.pool.database, vm)
    return ""


CALLS: Final[tuple[Call, ...]] = (
    declare("pool.enable_ha", enable_ha),
    declare("pool.disable_ha", disable_ha),
    declare("pool.set_ha_host_failures_to_tolerate", set_failures_to_tolerate),
    declare("pool.ha_compute_max_host_failures_to_tolerate", compute_max),
    declare("pool.ha_compute_hypothetical_max_host_failures_to_tolerate", compute_hypothetical_max),
    declare("pool.ha_failover_plan_exists", failover_plan_exists),
    declare("pool.ha_compute_vm_failover_plan", compute_vm_failover_plan),
    declare("pool.ha_prevent_restarts_for", prevent_restarts_for),
    declare("VM.set_ha_restart_priority", set_ha_restart_priority),
    declare("VM.set_ha_always_run", set_ha_always_run),
    declare("VM.assert_agile", assert_vm_agile),
)
