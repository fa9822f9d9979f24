"""Makes the records of one guest: the VM, its disks and interface, and what was measured of it."""

from typing import Final

from bot.lab.xapi.database import Database
from bot.lab.xapi.rules.consoles import show_console
from bot.lab.xapi.rules.memory import compute_vm_overhead
from bot.lab.xapi.rules.storage_space import add_disk, is_thick
from bot.lab.xapi.values import EPOCH, GIB, MIB, NULL_REF, Value, past, stable_uuid
from bot.lab.xapi.world import WorldGuest, WorldHost, WorldMemory

# Guests of a world have been up for a while, so that tools that say nothing are missing and not merely late.
_UP_DAYS: Final = 12
_TOOLS: Final = {"major": "9", "minor": "4", "micro": "0", "build": "1"}
_FEATURES: Final = {
    "feature-shutdown": "1",
    "feature-reboot": "1",
    "feature-suspend": "1",
    "feature-poweroff": "1",
    "feature-vcpu-hotplug": "1",
    "platform-feature-multiprocessor-suspend": "1",
}


def add_dom0(database: Database, host: str, settings: WorldHost) -> None:
    """Makes the control domain of a host, which is a running VM and counts as resident."""
    memory = settings.dom0_memory_mib * MIB
    metrics = database.create(
        "VM_metrics", memory_actual=memory, VCPUs_number=8, start_time=past(), last_updated=past()
    )
    ref = database.create(
        "VM",
        uuid=stable_uuid("dom0", settings.name),
        name_label=f"Control domain on host: {settings.name}",
        name_description="The domain which manages physical devices and manages other domains",
        power_state="Running",
        is_control_domain=True,
        resident_on=host,
        domid=0,
        memory_static_max=memory,
        memory_dynamic_max=memory,
        memory_dynamic_min=memory,
        memory_static_min=memory,
        memory_target=memory,
        VCPUs_max=8,
        VCPUs_at_startup=8,
        domain_type="pv",
        metrics=metrics,
        actions_after_shutdown="destroy",
        actions_after_reboot="destroy",
        actions_after_crash="destroy",
        affinity=host,
    )
    database.set("host", host, control_domain=ref)
    show_console(database, ref, uuid=stable_uuid("console", settings.name))


def add_guest(
    database: Database,
    guest: WorldGuest,
    *,
    uuid: str,
    host: str,
    network: str,
    storage: dict[str, str],
    suspend_storage: str,
    stored: dict[str, int],
) -> str:
    """Makes a guest with its disks and interface; returns it, and notes in `stored` how full its disks are."""
    half = max(1, guest.memory_mib // 2)
    limits = guest.memory or WorldMemory(half, guest.memory_mib, guest.memory_mib, guest.memory_mib)
    is_up = guest.state in {"Running", "Paused"}
    cpu: dict[str, str] = database.get("host", host, "cpu_info")
    features = cpu["features_pv_host" if guest.domain_type == "pv" else "features_hvm_host"]
    metrics = database.create(
        "VM_metrics",
        uuid=stable_uuid("VM_metrics", uuid),
        memory_actual=limits.dynamic_max * MIB if is_up else 0,
        VCPUs_number=guest.vcpus,
        start_time=past(_UP_DAYS) if is_up else EPOCH,
        last_updated=past(),
        hvm=guest.domain_type == "hvm",
        current_domain_type=guest.domain_type,
    )
    ref = database.create(
        "VM",
        uuid=uuid,
        name_label=guest.name,
        name_description=guest.description,
        power_state=guest.state,
        user_version=1,
        resident_on=host if is_up else NULL_REF,
        memory_static_min=limits.static_min * MIB,
        memory_dynamic_min=limits.dynamic_min * MIB,
        memory_dynamic_max=limits.dynamic_max * MIB,
        memory_static_max=limits.static_max * MIB,
        memory_target=limits.dynamic_max * MIB if is_up else 0,
        VCPUs_max=guest.vcpus,
        VCPUs_at_startup=guest.vcpus,
        actions_after_shutdown="destroy",
        actions_after_reboot="restart",
        actions_after_crash="restart",
        HVM_boot_policy="" if guest.domain_type == "pv" else "BIOS order",
        HVM_boot_params={} if guest.domain_type == "pv" else {"order": "dc"},
        platform={"timeoffset": "0", "device-model": "qemu-upstream-compat", "nx": "true", "acpi": "1"},
        other_config={"mac_seed": stable_uuid("mac_seed", uuid)},
        domid=database.count("VM") if is_up else -1,
        last_boot_CPU_flags=({} if guest.state == "Halted" else {"vendor": cpu["vendor"], "features": features}),
        last_booted_record="('struct')" if guest.state == "Suspended" else "",
        metrics=metrics,
        tags=list(guest.tags),
        blocked_operations=dict(guest.blocked),
        ha_restart_priority=guest.ha_restart_priority,
        ha_always_run=is_up and guest.ha_restart_priority == "restart",
        bios_strings={"bios-vendor": "Xen", "system-manufacturer": "Xen", "system-product-name": "HVM domU"},
        generation_id="6154929670309127741:7974907980498962572",
        hardware_platform_version=2,
        has_vendor_device=False,
        domain_type=guest.domain_type,
    )
    database.set("VM", ref, memory_overhead=compute_vm_overhead(database, ref))
    # A guest that is down keeps what its agent told last.
    database.set("VM", ref, guest_metrics=make_guest_metrics(database, ref, guest))
    if is_up:
        show_console(database, ref, uuid=stable_uuid("console", uuid))
    _add_disks(database, ref, guest, storage, stored)
    _add_interface(database, ref, guest, network)
    if guest.state == "Suspended":
        _add_suspend_image(database, ref, suspend_storage, limits.dynamic_max * MIB)
    return ref


def make_guest_metrics(database: Database, vm: str, guest: WorldGuest) -> str:
    """Makes what the guest's agent reports; without tools there is a record that says so."""
    values: dict[str, Value] = {"last_updated": past(), "live": True}
    if guest.tools:
        values |= {
            "os_version": {"name": guest.os, "distro": guest.os.split()[0].lower(), "uname": "", "major": "7"},
            "PV_drivers_version": dict(_TOOLS),
            "PV_drivers_up_to_date": True,
            "PV_drivers_detected": True,
            "other": dict(_FEATURES),
            "can_use_hotplug_vbd": "yes",
            "can_use_hotplug_vif": "yes",
        }
        if guest.address:
            address = f"192.0.2.{guest.address}"
            values["networks"] = {"0/ip": address, "0/ipv4/0": address}
    uuid = stable_uuid("VM_guest_metrics", database.get("VM", vm, "uuid"))
    return database.create("VM_guest_metrics", uuid=uuid, **values)


def _add_disks(database: Database, vm: str, guest: WorldGuest, storage: dict[str, str], stored: dict[str, int]) -> None:
    uuid: str = database.get("VM", vm, "uuid")
    is_attached = guest.state != "Halted"
    for position, disk in enumerate(guest.disks):
        number = str(position if position < 3 else position + 1)  # the CD drive is number 3
        size = disk.size_gib * GIB
        vdi_uuid = stable_uuid("VDI", uuid, number)
        repository = storage[disk.storage]
        vdi = add_disk(
            database,
            repository,
            uuid=vdi_uuid,
            name_label=f"{guest.name} {number}",
            virtual_size=size,
            used=size if is_thick(database, repository) else size // 4,
        )
        stored[vdi] = disk.stored_mib
        database.create(
            "VBD",
            uuid=stable_uuid("VBD", uuid, number),
            VM=vm,
            VDI=vdi,
            device=f"xvd{chr(ord('a') + int(number))}",
            userdevice=number,
            bootable=position == 0,
            mode="RW",
            type="Disk",
            currently_attached=is_attached,
            other_config={"owner": ""},
        )
    database.create(
        "VBD",
        uuid=stable_uuid("VBD", uuid, "cd"),
        VM=vm,
        device="xvdd",
        userdevice="3",
        mode="RO",
        type="CD",
        empty=True,
        currently_attached=is_attached,
    )


def _add_interface(database: Database, vm: str, guest: WorldGuest, network: str) -> None:
    uuid: str = database.get("VM", vm, "uuid")
    seed = stable_uuid("MAC", uuid).replace("-", "")
    database.create(
        "VIF",
        uuid=stable_uuid("VIF", uuid),
        device="0",
        network=network,
        VM=vm,
        MAC=":".join(["02", *(seed[index : index + 2] for index in range(0, 10, 2))]),
        MAC_autogenerated=True,
        MTU=1500,
        currently_attached=guest.state != "Halted",
    )


def _add_suspend_image(database: Database, vm: str, storage: str, size: int) -> None:
    uuid = stable_uuid("suspend", database.get("VM", vm, "uuid"))
    image = add_disk(
        database,
        storage,
        uuid=uuid,
        name_label="Suspend image",
        name_description="Suspend image",
        virtual_size=size,
        used=size,
        type="suspend",
    )
    database.set("VM", vm, suspend_VDI=image, suspend_SR=storage)
