"""Which operation may begin on a guest, in XAPI's order of checks; who waits; what `allowed_operations` shows."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from bot.lab.xapi.calls import Context
from bot.lab.xapi.database import Database
from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.turns import LONGEST_WAIT_S, check_free, leave, mark, wait_for_turn
from bot.lab.xapi.values import Value

_ANY: Final = ("Halted", "Paused", "Suspended", "Running")

# Power states in which an operation may begin, in the order that the error lists them.
STATES: Final[Mapping[str, tuple[str, ...]]] = {
    "snapshot": _ANY,
    "metadata_export": _ANY,
    "revert": _ANY,
    "reverting": _ANY,
    "power_state_reset": _ANY,
    "clone": ("Halted",),
    "copy": ("Halted",),
    "provision": ("Halted",),
    "checkpoint": ("Paused", "Suspended", "Running"),
    "start": ("Halted",),
    "start_on": ("Halted",),
    "pause": ("Running",),
    "unpause": ("Paused",),
    "clean_shutdown": ("Running",),
    "clean_reboot": ("Running",),
    "hard_shutdown": ("Paused", "Suspended", "Running"),
    "hard_reboot": ("Paused", "Running"),
    "suspend": ("Running",),
    "resume": ("Suspended",),
    "resume_on": ("Suspended",),
    "pool_migrate": ("Running",),
    "migrate_send": ("Halted", "Suspended", "Running"),
    "changing_dynamic_range": ("Halted", "Running"),
    "changing_static_range": ("Halted",),
    "changing_memory_limits": ("Halted", "Running"),
    "changing_shadow_memory": ("Halted",),
    "changing_NVRAM": ("Halted",),
    "changing_VCPUs": ("Halted",),
    "changing_VCPUs_live": ("Running",),
    "make_into_template": ("Halted",),
    "create_vtpm": ("Halted",),
    "export": ("Halted", "Suspended"),
    "destroy": ("Halted", "Suspended"),
}
# The same of operations that no list shows.
_STATES_BESIDE: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("get_boot_record", "query_services", "assert_operation_valid", "update_allowed_operations"), _ANY),
    **dict.fromkeys(("send_sysrq", "send_trigger", "call_plugin", "data_source_op"), ("Running",)),
    **dict.fromkeys(("changing_memory_live", "awaiting_memory_live", "changing_shadow_memory_live"), ("Running",)),
    "snapshot_with_quiesce": ("Running",),
    "shutdown": ("Paused", "Suspended", "Running"),
    "create_template": ("Halted",),
    "csvm": ("Suspended",),
    "import": (),  # of a file, which is in no power state
}
# What a real server leaves out of `allowed_operations`, though it accepts it.
_UNLISTED: Final = frozenset({"reverting", "power_state_reset", "changing_memory_limits", "changing_VCPUs"})
# Operations that may go on together; everything else waits for its turn.
_TOGETHER: Final = (
    frozenset({"clone", "copy", "export"}),
    frozenset({"snapshot", "checkpoint"}),
)
_DURING_MIGRATE_SEND: Final = frozenset({"clean_shutdown", "clean_reboot", "metadata_export"})
_FOR_SNAPSHOTS: Final = frozenset(
    {"revert", "clone", "copy", "export", "destroy", "metadata_export", "hard_shutdown", "power_state_reset"}
)
_FOR_TEMPLATES: Final = frozenset(
    {"clone", "copy", "provision", "export", "destroy", "metadata_export", "power_state_reset"}
    | {name for name in STATES if name.startswith("changing_")}
)
_NEED_FEATURE: Final = {
    "pool_migrate": "feature-suspend",
    "suspend": "feature-suspend",
    "checkpoint": "feature-suspend",
    "migrate_send": "feature-suspend",
    "clean_shutdown": "feature-shutdown",
    "clean_reboot": "feature-shutdown",
    "changing_VCPUs_live": "feature-vcpu-hotplug",
}
# What hard_shutdown ends by itself.
_OVERTAKEN: Final = frozenset(
    {"clean_shutdown", "clean_reboot", "hard_reboot", "pool_migrate", "suspend", "call_plugin"}
)
_OF_CONTROL_DOMAINS: Final = frozenset(
    {"data_source_op", "changing_memory_live", "awaiting_memory_live", "metadata_export", "changing_dynamic_range"}
)
_REFUSED_DURING_UPGRADE: Final = frozenset(
    {"clone", "copy", "provision", "snapshot", "checkpoint", "revert", "reverting"}
)


def check_operation(pool: Pool, vm: str, operation: str, *, force: bool = False) -> None:
    """Raises the first reason why an operation cannot begin on a guest now.

    Raises:
        ApiError: With `OTHER_OPERATION_IN_PROGRESS` the caller may wait for its turn; all others are final.
    """
    record = pool.database.record("VM", vm)
    if operation in record["blocked_operations"]:
        raise ApiError("OPERATION_BLOCKED", vm, record["blocked_operations"][operation])
    wanted = STATES[operation] if operation in STATES else _STATES_BESIDE[operation]
    if record["is_a_snapshot"] and operation in {"clone", "copy"}:
        wanted = ("Halted", "Suspended")
    if record["power_state"] not in wanted:
        expected = ", ".join(wanted).lower()
        raise ApiError("VM_BAD_POWER_STATE", vm, expected, record["power_state"].lower())
    check_free(record["current_operations"], "VM", vm, lambda other: _may_join(operation, other))
    if record["is_a_snapshot"] and operation not in _FOR_SNAPSHOTS:
        raise ApiError("VM_IS_SNAPSHOT", vm, operation)
    if record["is_a_template"] and not record["is_a_snapshot"] and operation not in _FOR_TEMPLATES:
        raise ApiError("VM_IS_TEMPLATE", vm, operation)
    if operation == "revert" and not record["is_a_snapshot"]:
        raise ApiError("REVERT_ONLY_ALLOWED_ON_SNAPSHOT")
    if operation == "provision" and not record["is_a_template"]:
        raise ApiError("PROVISION_ONLY_ALLOWED_ON_TEMPLATE")
    _check_mobility(record, vm, operation, force=force)
    _check_guest(pool.database, record, vm, operation, force=force)
    _check_devices(pool.database, record, vm, operation)
    if operation in _REFUSED_DURING_UPGRADE and is_upgrading(pool):
        raise ApiError("NOT_SUPPORTED_DURING_UPGRADE")


def is_upgrading(pool: Pool) -> bool:
    """Tells whether a rolling upgrade of the pool goes on."""
    return "rolling_upgrade_in_progress" in pool.database.get("pool", pool.ref, "other_config")


def _may_join(operation: str, other: str) -> bool:
    if operation == "hard_shutdown":
        return other != "hard_shutdown"
    if operation == "hard_reboot":
        return other not in {"hard_shutdown", "hard_reboot"}
    if other == "migrate_send":
        return operation in _DURING_MIGRATE_SEND
    return any({operation, other} <= group for group in _TOGETHER)


def _check_mobility(record: dict[str, Value], vm: str, operation: str, *, force: bool) -> None:
    moves = operation in {"pool_migrate", "suspend", "checkpoint", "migrate_send"}
    platform = record["platform"]
    if moves and not force and "true" in {platform.get("nomigrate"), platform.get("nested-virt")}:
        raise ApiError("VM_IS_IMMOBILE", vm)
    if record["is_control_domain"] and operation not in _OF_CONTROL_DOMAINS:
        raise ApiError("OPERATION_NOT_ALLOWED", "Operations on domain 0 are not allowed")


def _check_guest(database: Database, record: dict[str, Value], vm: str, operation: str, *, force: bool) -> None:
    feature = _NEED_FEATURE.get(operation)
    if feature is None or record["power_state"] != "Running":
        return
    metrics = record["guest_metrics"]
    reported: dict[str, Value] = (
        database.record("VM_guest_metrics", metrics)
        if database.has("VM_guest_metrics", metrics)
        else {"other": {}, "PV_drivers_version": {}}
    )
    reason = reported["other"].get("data-cant-suspend-reason")
    if reason and feature == "feature-suspend":
        raise ApiError("VM_NON_SUSPENDABLE", vm, reason)
    is_able = bool(reported["PV_drivers_version"]) or reported["other"].get(feature) == "1"
    if record["domain_type"] == "hvm" and not is_able and not force:
        raise ApiError("VM_LACKS_FEATURE", vm)


def _check_devices(database: Database, record: dict[str, Value], vm: str, operation: str) -> None:
    if operation in {"suspend", "checkpoint", "snapshot", "pool_migrate"}:
        for vbd in record["VBDs"]:
            vdi = database.get("VBD", vbd, "VDI")
            if not database.has("VDI", vdi):
                continue
            disk = database.record("VDI", vdi)
            if disk["on_boot"] == "reset" and (disk["allow_caching"] or operation != "pool_migrate"):
                raise ApiError("VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION")
    if operation in {"pool_migrate", "suspend", "checkpoint", "migrate_send"} and record["power_state"] == "Running":
        if record["attached_PCIs"]:
            raise ApiError("VM_HAS_PCI_ATTACHED", vm)
        if record["VGPUs"]:
            raise ApiError("VM_HAS_VGPU", vm)
    if operation in {"pool_migrate", "suspend", "checkpoint", "snapshot", "migrate_send"} and record["VUSBs"]:
        raise ApiError("VM_HAS_VUSBS", vm)


def refresh_allowed(pool: Pool, vm: str) -> None:
    """Computes `allowed_operations` again; advisory, with the strict rules."""
    if not pool.database.has("VM", vm):
        return
    allowed = []
    for operation in STATES:
        if operation in _UNLISTED:
            continue
        try:
            check_operation(pool, vm, operation)
        except ApiError:
            continue
        allowed.append(operation)
    pool.database.set("VM", vm, allowed_operations=allowed)


@asynccontextmanager
async def operate(
    context: Context, vm: str, operation: str, *, force: bool = False, longest_s: float = LONGEST_WAIT_S
) -> AsyncIterator[None]:
    """Holds a guest for an operation; waits in silence, for `longest_s` at most, while another one holds it.

    While it waits only the pending task shows it. `force` makes the checks of the guest's features lenient.

    Raises:
        ApiError: As `check_operation`; `OTHER_OPERATION_IN_PROGRESS` after the long wait.
    """
    pool = context.pool
    await wait_for_turn(context, lambda: check_operation(pool, vm, operation, force=force), longest_s=longest_s)
    if operation == "hard_shutdown":
        overtake(pool, vm)
    mark(pool, "VM", vm, context.task, operation)
    refresh_allowed(pool, vm)
    try:
        yield
    finally:
        leave(pool, "VM", vm, context.task)
        refresh_allowed(pool, vm)


def overtake(pool: Pool, vm: str) -> None:
    """Cancels what a hard shutdown does not wait for, as `task.cancel` would, even where that is too late."""
    for task, operation in pool.database.get("VM", vm, "current_operations").items():
        runner = pool.tasks.find_runner(task)
        if operation not in _OVERTAKEN or runner is None:
            continue
        if pool.database.has("task", task):
            pool.tasks.cancel(task, force=True)
        else:  # the toolstack has restarted meanwhile: nobody knows the work any more
            runner.interrupt(None)
