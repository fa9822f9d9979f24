"""Guests as records: clones, copies, templates, and what deletion leaves behind."""

from datacentre_client import Rpc, guest_of
from storage_client import GIB, list_disks

from bot.lab.xapi import Datacentre


async def test_a_clone_shares_the_data_and_has_addresses_of_its_own(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    assert (await rpc.fail("VM.clone", guest, "second"))[0] == "VM_BAD_POWER_STATE"
    await rpc.call("VM.clean_shutdown", guest)
    clone = await rpc.call("VM.clone", guest, "second")
    [old], [new] = await list_disks(rpc, guest), await list_disks(rpc, clone)
    parents = [(await rpc.call("VDI.get_sm_config", vdi))["vhd-parent"] for vdi in (old, new)]
    assert parents[0] == parents[1]
    macs = [[await rpc.call("VIF.get_MAC", vif) for vif in await rpc.call("VM.get_VIFs", vm)] for vm in (guest, clone)]
    assert macs[0] != macs[1]
    assert await rpc.call("VM.start", clone, False, False) == ""


async def test_a_copy_carries_all_data_to_another_repository(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "set_speed", "speed": 500})
    guest = await rpc.find("VM", "centos54")
    await rpc.call("VM.clean_shutdown", guest)
    storages = await rpc.call("SR.get_by_name_label", "Local storage")
    copy = await rpc.call("VM.copy", guest, "copy", storages[0])
    [disk] = await list_disks(rpc, copy)
    record = await rpc.call("VDI.get_record", disk)
    assert record["SR"] == storages[0]
    assert "vhd-parent" not in record["sm_config"]
    assert record["physical_utilisation"] == 2 * GIB


async def test_an_unplugged_repository_leaves_no_host_for_snapshots_and_clones(
    datacentre: Datacentre, rpc: Rpc
) -> None:
    guest = await rpc.find("VM", "centos54")
    await rpc.call("VM.hard_shutdown", guest)
    for host in ("xenserver1", "xenserver3"):
        await datacentre.do({"do": "unplug_pbd", "sr": "nfs-vhd", "host": host})
    assert await rpc.fail("VM.snapshot", guest, "snap") == ["NO_HOSTS_AVAILABLE"]
    assert await rpc.fail("VM.clone", guest, "clone") == ["NO_HOSTS_AVAILABLE"]


async def test_a_template_becomes_a_guest_by_clone_and_provision(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    assert await rpc.fail("VM.set_is_a_template", guest, True) == ["VM_BAD_POWER_STATE", guest, "halted", "running"]
    await rpc.call("VM.hard_shutdown", guest)
    assert await rpc.fail("VM.provision", guest) == ["PROVISION_ONLY_ALLOWED_ON_TEMPLATE"]
    await rpc.call("VM.set_is_a_template", guest, True)
    assert await rpc.fail("VM.start", guest, False, False) == ["VM_IS_TEMPLATE", guest, "start"]
    clone = await rpc.call("VM.clone", guest, "from template")
    assert await rpc.call("VM.get_is_a_template", clone) is True
    await rpc.call("VM.provision", clone)
    assert await rpc.call("VM.get_is_a_template", clone) is False
    assert await rpc.call("VM.start", clone, False, False) == ""


async def test_destroying_a_guest_leaves_every_disk(datacentre: Datacentre, rpc: Rpc) -> None:
    sleeper = await rpc.find("VM", "sleeper")
    image, [disk] = await rpc.call("VM.get_suspend_VDI", sleeper), await list_disks(rpc, sleeper)
    await rpc.call("VM.destroy", sleeper)
    assert await rpc.call("VDI.get_type", image) == "suspend"
    assert await rpc.call("VDI.get_VBDs", disk) == []
    assert "sleeper" not in {guest["name"] for guest in datacentre.state()["guests"]}


async def test_a_default_template_stays(datacentre: Datacentre, rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    await rpc.call("VM.hard_shutdown", guest)
    await rpc.call("VM.add_to_other_config", guest, "default_template", "true")
    assert await rpc.fail("VM.destroy", guest) == ["VM_CANNOT_DELETE_DEFAULT_TEMPLATE", guest]
    assert guest_of(datacentre, "centos54")["power_state"] == "Halted"
