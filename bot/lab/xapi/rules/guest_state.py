"""What changes on a guest's records when it starts, stops, sleeps or moves; kept consistent in one place."""

from typing import Final

from bot.lab.xapi.pool import Pool
from bot.lab.xapi.rules.consoles import hide_console, show_console
from bot.lab.xapi.rules.guest_operations import refresh_allowed
from bot.lab.xapi.rules.memory import compute_vm_overhead, rebalance
from bot.lab.xapi.values import NULL_REF, Value, new_uuid, now

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
    """Attaches or detaches all disks and interfaces."""
    for class_name, listed in (("VBD", "VBDs"), ("VIF", "VIFs")):
        for ref in pool.database.get("VM", vm, listed):
            pool.database.set(class_name, ref, currently_attached=attached)


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
    remembered: dict[str, Value] = {}
    if database.has("VM_guest_metrics", record["guest_metrics"]):
        metrics = database.record("VM_guest_metrics", record["guest_metrics"])
        remembered = {name: metrics[name] for name in _AGENT_FIELDS}
        database.delete("VM_guest_metrics", record["guest_metrics"])
    fresh = database.create("VM_guest_metrics", last_updated=now(), live=True)
    database.set(
        "VM",
        vm,
        guest_metrics=fresh,
        last_boot_CPU_flags={"vendor": info["vendor"], "features": features},
        last_booted_record="('struct')",
    )
    attach_devices(pool, vm, attached=True)
    database.set("VM_metrics", record["metrics"], start_time=now(), current_domain_type=record["domain_type"])
    run_on(pool, vm, host)
    if remembered:
        pool.tasks.spawn(_report_agent(pool, vm, fresh, remembered))


async def _report_agent(pool: Pool, vm: str, guest_metrics: str, remembered: dict[str, Value]) -> None:
    await pool.clock.sleep(AGENT_DELAY_S)
    if pool.database.has("VM_guest_metrics", guest_metrics):
        pool.database.set("VM_guest_metrics", guest_metrics, last_updated=now(), **remembered)
        refresh_allowed(pool, vm)


def halt(pool: Pool, vm: str) -> None:
    """Stops a guest: no host, no domain, nothing attached, no suspend image."""
    _leave_host(pool, vm, "Halted")
    attach_devices(pool, vm, attached=False)
    image: str = pool.database.get("VM", vm, "suspend_VDI")
    pool.database.set("VM", vm, suspend_VDI=NULL_REF)
    if pool.database.has("VDI", image):
        pool.database.delete("VDI", image)


def sleep_guest(pool: Pool, vm: str, storage: str) -> None:
    """Suspends a guest: its memory becomes an image in a storage repository; its disks stay attached."""
    size: int = pool.database.get("VM", vm, "memory_static_max")
    uuid = new_uuid()
    image = pool.database.create(
        "VDI",
        uuid=uuid,
        name_label="Suspend image",
        name_description="Suspend image",
        SR=storage,
        virtual_size=size,
        physical_utilisation=size,
        type="suspend",
        location=uuid,
        managed=True,
    )
    pool.database.set("VM", vm, suspend_VDI=image, last_booted_record="('struct')")
    _leave_host(pool, vm, "Suspended")


def wake_guest(pool: Pool, vm: str, host: str) -> None:
    """Resumes a suspended guest on a host; its image is gone after that."""
    image: str = pool.database.get("VM", vm, "suspend_VDI")
    pool.database.set("VM", vm, suspend_VDI=NULL_REF)
    if pool.database.has("VDI", image):
        pool.database.delete("VDI", image)
    attach_devices(pool, vm, attached=True)
    run_on(pool, vm, host)


def _leave_host(pool: Pool, vm: str, power_state: str) -> None:
    database = pool.database
    source: str = database.get("VM", vm, "resident_on")
    hide_console(database, vm)
    database.set("VM", vm, power_state=power_state, resident_on=NULL_REF, domid=-1, memory_target=0)
    database.set("VM_metrics", database.get("VM", vm, "metrics"), memory_actual=0)
    if source != NULL_REF:
        rebalance(database, source)
