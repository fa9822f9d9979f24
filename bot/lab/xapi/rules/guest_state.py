"""What changes on a guest's records when it starts, stops, sleeps or moves; kept consistent in one place."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bot.lab.xapi.database import Database
from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.consoles import hide_console, show_console
from bot.lab.xapi.rules.guest_operations import refresh_allowed
from bot.lab.xapi.rules.memory import compute_vm_overhead, rebalance
from bot.lab.xapi.rules.storage_operations import refresh_devices
from bot.lab.xapi.rules.suspend_image import lose_image
from bot.lab.xapi.rules.turns import leave, mark
from bot.lab.xapi.values import NULL_REF

AGENT_DELAY_S: Final = 20.0  # after a boot the agent is silent for a while: "no tools" is normal then
_AGENT_FIELDS: Final = (
    "os_version",
    "PV_drivers_version",
    "PV_drivers_up_to_date",
    "PV_drivers_detected",
    "networks",
    "other",
    "can_use_hotplug_vbd",
    "can_use_hotplug_vif",
)


def attach_devices(pool: Pool, vm: str, *, attached: bool) -> None:
    """Attaches or detaches all disks and interfaces, but no disk that something else writes to."""
    database = pool.database
    refused = set(list_refused(database, vm)) if attached else set()
    for vbd in database.get("VM", vm, "VBDs"):
        database.set("VBD", vbd, currently_attached=attached and vbd not in refused)
    for vif in database.get("VM", vm, "VIFs"):
        database.set("VIF", vif, currently_attached=attached)
    refresh_devices(pool, vm)


def list_refused(database: Database, vm: str) -> list[str]:
    """Returns the VBDs of a guest that cannot be attached: something else writes to their disk."""
    refused = []
    own: set[str] = set()
    for vbd in database.get("VM", vm, "VBDs"):
        record = database.record("VBD", vbd)
        if record["mode"] == "RO" or not database.has("VDI", record["VDI"]):
            continue
        others = [
            database.record("VBD", other)
            for other in database.get("VDI", record["VDI"], "VBDs")
            if database.get("VBD", other, "VM") != vm
        ]
        is_taken = any(other["currently_attached"] and other["mode"] == "RW" for other in others)
        if (is_taken or record["VDI"] in own) and not database.get("VDI", record["VDI"], "sharable"):
            refused.append(vbd)
        own.add(record["VDI"])
    return refused


@contextmanager
def attaching(pool: Pool, vm: str, task: str) -> Iterator[None]:
    """Shows that the devices of a guest are being attached, before it has a domain."""
    devices = [
        (class_name, ref)
        for class_name, listed in (("VBD", "VBDs"), ("VIF", "VIFs"))
        for ref in pool.database.get("VM", vm, listed)
    ]
    for class_name, ref in devices:
        mark(pool, class_name, ref, task, "attach")
    refresh_devices(pool, vm)
    try:
        yield
    finally:
        for class_name, ref in devices:
            leave(pool, class_name, ref, task)
        if pool.database.has("VM", vm):
            refresh_devices(pool, vm)


def run_on(pool: Pool, vm: str, host: str) -> None:
    """Lets a guest run on a host, in a new domain."""
    database = pool.database
    source: str = database.get("VM", vm, "resident_on")
    domid = 1 + max(record["domid"] for _, record in database.items("VM"))
    database.set(
        "VM",
        vm,
        power_state="Running",
        resident_on=host,
        domid=domid,
        scheduled_to_be_resident_on=NULL_REF,
        memory_overhead=compute_vm_overhead(database, vm),
    )
    show_console(database, vm)
    for ref in {source, host} - {NULL_REF}:
        rebalance(database, ref)


def boot_on(pool: Pool, vm: str, host: str) -> None:
    """Starts a guest on a host; its agent reports after a while, if it had one before."""
    database = pool.database
    record = database.record("VM", vm)
    info: dict[str, str] = database.get("host", host, "cpu_info")
    features = info["features_pv_host" if record["domain_type"] == "pv" else "features_hvm_host"]
    forget_agent(pool, vm)
    fresh = database.create("VM_guest_metrics", last_updated=pool.clock.now(), live=True)
    database.set(
        "VM",
        vm,
        guest_metrics=fresh,
        last_boot_CPU_flags={"vendor": info["vendor"], "features": features},
        last_booted_record="('struct')",
    )
    attach_devices(pool, vm, attached=True)
    database.set(
        "VM_metrics",
        record["metrics"],
        start_time=pool.clock.now(),
        current_domain_type=record["domain_type"],
        hvm=record["domain_type"] == "hvm",
        VCPUs_number=record["VCPUs_at_startup"],
    )
    run_on(pool, vm, host)
    refresh_devices(pool, vm)
    if vm in pool.agents:
        pool.tasks.spawn(_report_agent(pool, vm, fresh))


def forget_agent(pool: Pool, vm: str) -> None:
    """Removes what a guest's agent reported, as a start does at once; the agent will tell it again after a while."""
    database = pool.database
    reported: str = database.get("VM", vm, "guest_metrics")
    if database.has("VM_guest_metrics", reported):
        metrics = database.record("VM_guest_metrics", reported)
        pool.agents.setdefault(vm, {name: metrics[name] for name in _AGENT_FIELDS})
        database.set("VM", vm, guest_metrics=NULL_REF)
        database.delete("VM_guest_metrics", reported)


async def _report_agent(pool: Pool, vm: str, guest_metrics: str) -> None:
    await pool.clock.sleep(AGENT_DELAY_S)
    if pool.database.has("VM_guest_metrics", guest_metrics):
        pool.database.set("VM_guest_metrics", guest_metrics, last_updated=pool.clock.now(), **pool.agents.pop(vm))
        refresh_allowed(pool, vm)


def halt(pool: Pool, vm: str) -> None:
    """Stops a guest: no host, no domain, nothing attached, no suspend image."""
    _leave_host(pool, vm, "Halted")
    pool.database.set("VM", vm, memory_target=0)
    attach_devices(pool, vm, attached=False)
    lose_image(pool, pool.database.get("VM", vm, "suspend_VDI"))


def reset_state(pool: Pool, vm: str) -> None:
    """Calls a guest halted, without stopping anything; a suspend image stays behind, without an owner."""
    pool.database.set("VM", vm, suspend_VDI=NULL_REF, scheduled_to_be_resident_on=NULL_REF)
    halt(pool, vm)


def sleep_guest(pool: Pool, vm: str) -> None:
    """Suspends a guest whose memory is in its image; its disks stay attached."""
    pool.database.set("VM", vm, last_booted_record="('struct')")
    _leave_host(pool, vm, "Suspended")
    refresh_devices(pool, vm)


def _leave_host(pool: Pool, vm: str, power_state: str) -> None:
    database = pool.database
    source: str = database.get("VM", vm, "resident_on")
    hide_console(database, vm)
    database.set("VM", vm, power_state=power_state, resident_on=NULL_REF, domid=-1)
    metrics: str = database.get("VM", vm, "metrics")
    database.set("VM_metrics", metrics, memory_actual=0)
    if power_state == "Halted":
        database.set("VM_metrics", metrics, VCPUs_number=0, hvm=False, current_domain_type="unspecified")
    if source != NULL_REF:
        rebalance(database, source)
