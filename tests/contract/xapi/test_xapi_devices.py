"""Disks, drives and interfaces of guests: made, plugged, unplugged, media inserted and ejected."""

from datacentre_client import Rpc, guest_of
from storage_client import GIB, NETWORK, NULL, add_storage, find_local, list_disks

from bot.lab.xapi import Datacentre


def make_vbd(guest: str, disk: str, **fields: object) -> dict[str, object]:
    return {
        "VM": guest,
        "VDI": disk,
        "userdevice": "autodetect",
        "bootable": False,
        "mode": "RW",
        "type": "Disk",
        "empty": False,
        "other_config": {},
        "qos_algorithm_type": "",
        "qos_algorithm_params": {},
        **fields,
    }


async def add_disk(rpc: Rpc, storage: str) -> str:
    fields = {
        "name_label": "more",
        "SR": storage,
        "virtual_size": str(GIB),
        "type": "user",
        "sharable": False,
        "read_only": False,
        "other_config": {},
    }
    return str(await rpc.call("VDI.create", fields))


async def find_drive(rpc: Rpc, guest: str) -> str:
    for vbd in await rpc.call("VM.get_VBDs", guest):
        if await rpc.call("VBD.get_type", vbd) == "CD":
            return str(vbd)
    raise AssertionError(guest)


async def test_a_disk_is_plugged_into_a_running_guest_and_out_of_it(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    disk = await add_disk(rpc, await rpc.find("SR", "nfs-vhd"))
    vbd = await rpc.call("VBD.create", make_vbd(guest, disk))
    assert await rpc.call("VBD.get_userdevice", vbd) == "1"
    assert "plug" in await rpc.call("VBD.get_allowed_operations", vbd)
    assert await rpc.fail("VBD.unplug", vbd) == ["DEVICE_ALREADY_DETACHED", vbd]
    await rpc.call("VBD.plug", vbd)
    record = await rpc.call("VBD.get_record", vbd)
    assert (record["currently_attached"], record["device"]) == (True, "xvdb")
    assert set(record["allowed_operations"]) == {"attach", "unpause", "unplug", "unplug_force", "pause"}
    assert await rpc.fail("VBD.plug", vbd) == ["DEVICE_ALREADY_ATTACHED", vbd]
    assert (await rpc.fail("VBD.destroy", vbd))[0] == "OPERATION_NOT_ALLOWED"
    await rpc.call("VBD.unplug", vbd)
    await rpc.call("VBD.destroy", vbd)
    assert await rpc.call("VDI.get_VBDs", disk) == []


async def test_a_position_holds_one_device(rpc: Rpc) -> None:
    guest, disk = await rpc.find("VM", "centos54"), await add_disk(rpc, await rpc.find("SR", "nfs-vhd"))
    assert await rpc.fail("VBD.create", make_vbd(guest, disk, userdevice="0")) == ["DEVICE_ALREADY_EXISTS", "0"]
    assert await rpc.fail("VBD.create", make_vbd(guest, disk, userdevice="x")) == ["INVALID_DEVICE", "x"]
    assert "0" not in await rpc.call("VM.get_allowed_VBD_devices", guest)


async def test_a_disk_is_written_to_by_one_guest(rpc: Rpc) -> None:
    [disk] = await list_disks(rpc, await rpc.find("VM", "centos54"))
    vbd = await rpc.call("VBD.create", make_vbd(await rpc.find("VM", "web-local"), disk))
    assert await rpc.fail("VBD.plug", vbd) == ["VDI_IN_USE", disk, "attach"]


async def test_a_guest_does_not_start_while_another_one_writes_to_its_disk(rpc: Rpc) -> None:
    first, second = await rpc.find("VM", "centos54"), await rpc.find("VM", "web-local")
    [disk] = await list_disks(rpc, first)
    await rpc.call("VM.hard_shutdown", second)
    await rpc.call("VBD.create", make_vbd(second, disk))
    assert await rpc.fail("VM.start", second, False, False) == ["VDI_NOT_AVAILABLE", disk]
    await rpc.call("VM.hard_shutdown", first)
    assert await rpc.call("VM.start", second, False, False) == ""


async def test_a_disk_that_the_guests_host_does_not_see_is_not_plugged(rpc: Rpc) -> None:
    storage = await find_local(rpc, "xenserver3")
    vbd = await rpc.call("VBD.create", make_vbd(await rpc.find("VM", "centos54"), await add_disk(rpc, storage)))
    assert await rpc.fail("VBD.plug", vbd) == ["SR_NOT_ATTACHED", storage]


async def test_without_drivers_nothing_is_plugged(rpc: Rpc) -> None:
    guest, disk = await rpc.find("VM", "winxp"), await add_disk(rpc, await rpc.find("SR", "nfs-vhd"))
    vbd = await rpc.call("VBD.create", make_vbd(guest, disk))
    assert await rpc.fail("VBD.plug", vbd) == ["VM_MISSING_PV_DRIVERS", guest]


async def test_an_image_in_the_drive_keeps_a_guest_on_its_host_until_it_is_ejected(
    datacentre: Datacentre, rpc: Rpc
) -> None:
    guest, third = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    images = await add_storage(rpc, "images", "iso", host="xenserver1")
    image, drive = (await rpc.call("SR.get_VDIs", images))[0], await find_drive(rpc, guest)
    [disk] = await list_disks(rpc, guest)
    assert await rpc.fail("VBD.eject", drive) == ["VBD_IS_EMPTY", drive]
    assert await rpc.fail("VBD.insert", drive, disk) == ["VDI_IS_NOT_ISO", disk, "user"]
    assert "insert" in await rpc.call("VBD.get_allowed_operations", drive)
    await rpc.call("VBD.insert", drive, image)
    assert "eject" in await rpc.call("VBD.get_allowed_operations", drive)
    assert await rpc.fail("VBD.insert", drive, image) == ["VBD_NOT_EMPTY", drive]
    assert await rpc.fail("VM.pool_migrate", guest, third, {}) == ["VM_REQUIRES_SR", guest, images]
    await rpc.call("VBD.eject", drive)
    assert (await rpc.call("VBD.get_VDI", drive), await rpc.call("VBD.get_empty", drive)) == (NULL, True)
    assert await rpc.call("VM.pool_migrate", guest, third, {}) == ""
    assert guest_of(datacentre, "centos54")["power_state"] == "Running"


async def test_a_disk_is_no_drive(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    [vbd] = [one for one in await rpc.call("VM.get_VBDs", guest) if await rpc.call("VBD.get_type", one) == "Disk"]
    assert await rpc.fail("VBD.eject", vbd) == ["VBD_NOT_REMOVABLE_MEDIA", vbd]
    assert await rpc.fail("VBD.create", make_vbd(guest, NULL, type="CD", empty=True)) == ["VBD_CDS_MUST_BE_READONLY"]


async def test_an_interface_comes_moves_and_goes(rpc: Rpc) -> None:
    guest, network = await rpc.find("VM", "centos54"), await rpc.find("network", NETWORK)
    fields = {
        "device": "1",
        "network": network,
        "VM": guest,
        "MAC": "",
        "MTU": "1500",
        "other_config": {},
        "qos_algorithm_type": "",
        "qos_algorithm_params": {},
    }
    vif = await rpc.call("VIF.create", fields)
    record = await rpc.call("VIF.get_record", vif)
    assert record["MAC_autogenerated"] is True
    assert len(record["MAC"].split(":")) == 6
    assert set(record["allowed_operations"]) == {"attach", "plug"}
    assert await rpc.fail("VIF.create", fields) == ["DEVICE_ALREADY_EXISTS", "1"]
    assert await rpc.fail("VIF.create", {**fields, "device": "2", "MAC": "nonsense"}) == ["MAC_INVALID", "nonsense"]
    await rpc.call("VIF.plug", vif)
    assert set(await rpc.call("VIF.get_allowed_operations", vif)) == {"attach", "unplug"}
    assert (await rpc.fail("VIF.destroy", vif))[0] == "OPERATION_NOT_ALLOWED"
    await rpc.call("VIF.unplug", vif)
    other = next(ref for ref in await rpc.call("network.get_all") if ref != network)
    await rpc.call("VIF.move", vif, other)
    assert await rpc.call("VIF.get_network", vif) == other
    await rpc.call("VIF.destroy", vif)


async def test_a_guest_that_is_down_has_its_devices_at_the_next_start(rpc: Rpc) -> None:
    guest, disk = await rpc.find("VM", "centos54"), await add_disk(rpc, await rpc.find("SR", "nfs-vhd"))
    await rpc.call("VM.hard_shutdown", guest)
    vbd = await rpc.call("VBD.create", make_vbd(guest, disk))
    assert await rpc.fail("VBD.plug", vbd) == ["VM_BAD_POWER_STATE", guest, "running", "halted"]
    await rpc.call("VM.start", guest, False, False)
    assert await rpc.call("VBD.get_currently_attached", vbd) is True


async def test_a_guest_is_made_from_nothing_and_starts(rpc: Rpc) -> None:
    [template] = await rpc.call("VM.get_by_name_label", "centos54")
    known = await rpc.call("VM.get_record", template)
    names = [
        "user_version",
        "is_a_template",
        "affinity",
        "memory_static_max",
        "memory_dynamic_max",
        "memory_dynamic_min",
        "memory_static_min",
        "VCPUs_params",
        "VCPUs_max",
        "VCPUs_at_startup",
        "actions_after_shutdown",
        "actions_after_reboot",
        "actions_after_crash",
        "PV_bootloader",
        "PV_kernel",
        "PV_ramdisk",
        "PV_args",
        "PV_bootloader_args",
        "PV_legacy_args",
        "HVM_boot_policy",
        "HVM_boot_params",
        "platform",
        "PCI_bus",
        "other_config",
        "recommendations",
    ]
    fields = {name: known[name] for name in names} | {"name_label": "fresh", "other_config": {}}
    guest = await rpc.call("VM.create", fields)
    record = await rpc.call("VM.get_record", guest)
    assert (record["power_state"], record["domid"], record["domain_type"]) == ("Halted", -1, "hvm")
    assert record["other_config"]["mac_seed"]
    assert {"start", "start_on", "destroy", "clone"} <= set(record["allowed_operations"])
    await rpc.call("VM.start", guest, False, False)
    assert await rpc.call("VM.get_power_state", guest) == "Running"
