"""How guests, hosts and pools are set: what each setting needs, and what it leaves behind."""

import base64

import pytest
from datacentre_client import Rpc

MIB = 1024 * 1024


@pytest.fixture
async def halted(rpc: Rpc) -> str:
    guest = await rpc.find("VM", "centos54")
    await rpc.call("VM.hard_shutdown", guest)
    return guest


async def test_processors_are_set_while_a_guest_is_halted(rpc: Rpc, halted: str) -> None:
    await rpc.call("VM.set_VCPUs_max", halted, 4)
    await rpc.call("VM.set_VCPUs_at_startup", halted, 3)
    assert await rpc.fail("VM.set_VCPUs_max", halted, 2) == ["INVALID_VALUE", "VCPUs_max", "2"]
    assert await rpc.fail("VM.set_VCPUs_at_startup", halted, 5) == ["INVALID_VALUE", "VCPUs_at_startup", "5"]
    assert (await rpc.fail("VM.set_VCPUs_number_live", halted, 2))[0] == "VM_BAD_POWER_STATE"
    await rpc.call("VM.start", halted, False, False)
    assert await rpc.fail("VM.set_VCPUs_max", halted, 8) == ["VM_BAD_POWER_STATE", halted, "halted", "running"]
    running = await rpc.find("VM", "web-local")
    await rpc.call("VM.set_VCPUs_number_live", running, 1)
    assert await rpc.call("VM_metrics.get_VCPUs_number", await rpc.call("VM.get_metrics", running)) == 1
    assert await rpc.fail("VM.set_VCPUs_number_live", running, 2) == ["INVALID_VALUE", "VCPUs_number", "2"]


async def test_memory_limits_are_set_one_by_one_and_stay_in_order(rpc: Rpc, halted: str) -> None:
    await rpc.call("VM.set_memory_static_max", halted, 4096 * MIB)
    await rpc.call("VM.set_memory_dynamic_max", halted, 2048 * MIB)
    assert await rpc.fail("VM.set_memory_static_max", halted, 1024 * MIB) == ["MEMORY_CONSTRAINT_VIOLATION_ORDER"]
    await rpc.call("VM.set_memory", halted, 768 * MIB)
    record = await rpc.call("VM.get_record", halted)
    limits = [record[f"memory_{name}"] for name in ("static_max", "dynamic_max", "dynamic_min")]
    assert limits == [768 * MIB] * 3
    await rpc.call("VM.start", halted, False, False)
    assert (await rpc.fail("VM.set_memory", halted, 512 * MIB))[0] == "VM_BAD_POWER_STATE"
    assert (await rpc.fail("VM.set_memory_static_max", halted, 512 * MIB))[0] == "VM_BAD_POWER_STATE"


async def test_what_a_guest_is_can_change_while_it_is_halted(rpc: Rpc, halted: str) -> None:
    await rpc.call("VM.set_domain_type", halted, "pv")
    assert await rpc.call("VM.get_HVM_boot_policy", halted) == ""
    await rpc.call("VM.set_has_vendor_device", halted, True)
    assert await rpc.fail("VM.set_bios_strings", halted, {}) == ["VM_BIOS_STRINGS_ALREADY_SET"]
    running = await rpc.find("VM", "web-local")
    assert (await rpc.fail("VM.set_domain_type", running, "pvh"))[0] == "VM_BAD_POWER_STATE"
    await rpc.call("VM.set_NVRAM", halted, {"EFI-variables": "x"})
    await rpc.call("VM.add_to_NVRAM", halted, "k", "v")
    assert await rpc.call("VM.get_NVRAM", halted) == {"EFI-variables": "x", "k": "v"}


async def test_a_guest_belongs_to_a_group_and_a_schedule(rpc: Rpc, halted: str) -> None:
    appliance = await rpc.call("VM_appliance.create", {"name_label": "web"})
    schedule = await rpc.call("VMSS.create", {"name_label": "nightly", "type": "snapshot", "frequency": "daily"})
    await rpc.call("VM.set_appliance", halted, appliance)
    await rpc.call("VM.set_snapshot_schedule", halted, schedule)
    assert await rpc.call("VM_appliance.get_VMs", appliance) == [halted]
    assert await rpc.call("VMSS.get_VMs", schedule) == [halted]
    assert await rpc.fail("VMSS.destroy", schedule) == ["VMSS_HAS_VM"]
    await rpc.call("VM.set_snapshot_schedule", halted, "OpaqueRef:NULL")
    await rpc.call("VMSS.destroy", schedule)
    await rpc.call("VM_appliance.destroy", appliance)
    assert await rpc.call("VM.get_appliance", halted) == "OpaqueRef:NULL"


async def test_addresses_an_interface_may_use_are_addresses(rpc: Rpc) -> None:
    vif = (await rpc.call("VM.get_VIFs", await rpc.find("VM", "centos54")))[0]
    await rpc.call("VIF.set_ipv4_allowed", vif, ["192.0.2.1"])
    await rpc.call("VIF.add_ipv4_allowed", vif, "192.0.2.2")
    await rpc.call("VIF.remove_ipv4_allowed", vif, "192.0.2.1")
    assert await rpc.call("VIF.get_ipv4_allowed", vif) == ["192.0.2.2"]
    refused = ["INVALID_IP_ADDRESS_SPECIFIED", "ipv6_allowed"]
    assert await rpc.fail("VIF.add_ipv6_allowed", vif, "192.0.2.2") == refused
    await rpc.call("VIF.configure_ipv4", vif, "Static", "192.0.2.7/24")
    assert await rpc.call("VIF.get_ipv4_addresses", vif) == ["192.0.2.7/24"]
    assert (await rpc.fail("VIF.configure_ipv4", vif, "Static", "here"))[0] == "INVALID_CIDR_ADDRESS_SPECIFIED"
    await rpc.call("VIF.configure_ipv4", vif, "None")
    assert await rpc.call("VIF.get_ipv4_addresses", vif) == []


async def test_a_proxy_keeps_its_password_as_a_secret(rpc: Rpc) -> None:
    pool = (await rpc.call("pool.get_all"))[0]
    before = set(await rpc.call("secret.get_all"))
    await rpc.call("pool.configure_repository_proxy", pool, "http://proxy.example", "ada", "hush")
    secret = await rpc.call("pool.get_repository_proxy_password", pool)
    assert await rpc.call("secret.get_value", secret) == "hush"
    refused = ["INVALID_REPOSITORY_PROXY_URL", "proxy"]
    assert await rpc.fail("pool.configure_repository_proxy", pool, "proxy", "", "") == refused
    half = ["pool.configure_repository_proxy", pool, "http://x", "ada", ""]
    assert await rpc.fail(*half) == ["INVALID_REPOSITORY_PROXY_CREDENTIAL"]
    await rpc.call("pool.disable_repository_proxy", pool)
    assert set(await rpc.call("secret.get_all")) == before


async def test_a_host_keeps_copies_on_storage_of_its_own(rpc: Rpc) -> None:
    host, shared = await rpc.find("host", "xenserver1"), await rpc.find("SR", "nfs-vhd")
    assert await rpc.fail("host.enable_local_storage_caching", host, shared) == ["SR_OPERATION_NOT_SUPPORTED", shared]
    pool = (await rpc.call("pool.get_all"))[0]
    await rpc.call("pool.enable_local_storage_caching", pool)
    local = await rpc.call("host.get_local_cache_sr", host)
    assert await rpc.call("SR.get_local_cache_enabled", local) is True
    await rpc.call("host.disable_local_storage_caching", host)
    assert await rpc.call("SR.get_local_cache_enabled", local) is False


async def test_a_display_changes_with_the_next_boot(rpc: Rpc) -> None:
    host = await rpc.find("host", "xenserver1")
    assert await rpc.call("host.enable_display", host) == "enabled"
    assert await rpc.call("host.disable_display", host) == "disable_on_reboot"
    assert await rpc.call("host.enable_display", host) == "enabled"


async def test_settings_of_the_whole_pool(rpc: Rpc) -> None:
    pool = (await rpc.call("pool.get_all"))[0]
    await rpc.call("pool.set_https_only", pool, True)
    for host in await rpc.call("host.get_all"):
        assert await rpc.call("host.get_https_only", host) is True
    await rpc.call("pool.enable_client_certificate_auth", pool, "client")
    assert await rpc.call("pool.get_client_certificate_auth_name", pool) == "client"
    await rpc.call("pool.disable_client_certificate_auth", pool)
    assert await rpc.call("pool.get_client_certificate_auth_enabled", pool) is False
    readiness = await rpc.call("pool.check_update_readiness", pool, False)
    assert readiness == {host: [] for host in await rpc.call("host.get_all")}
    main = await rpc.find("network", "Pool-wide network associated with eth0")
    assert await rpc.call("pool.management_reconfigure", main) == ""
    empty = await rpc.call("network.create", {"name_label": "empty", "other_config": {}})
    assert (await rpc.fail("pool.management_reconfigure", empty))[0] == "PIF_NOT_PRESENT"


async def test_an_appliance_starts_and_stops_its_guests(rpc: Rpc) -> None:
    guests = [await rpc.find("VM", name) for name in ("centos54", "web-local")]
    appliance = await rpc.call("VM_appliance.create", {"name_label": "web"})
    for guest in guests:
        await rpc.call("VM.set_appliance", guest, appliance)
    await rpc.call("VM_appliance.clean_shutdown", appliance)
    assert [await rpc.call("VM.get_power_state", guest) for guest in guests] == ["Halted"] * 2
    await rpc.call("VM.add_to_blocked_operations", guests[0], "start", "no")
    refused = ["OPERATION_PARTIALLY_FAILED", "VM_appliance.start"]
    assert await rpc.fail("VM_appliance.start", appliance, False) == refused
    assert [await rpc.call("VM.get_power_state", guest) for guest in guests] == ["Halted", "Running"]
    await rpc.call("VM_appliance.hard_shutdown", appliance)
    assert await rpc.call("VM.get_power_state", guests[1]) == "Halted"


async def test_a_schedule_takes_snapshots_of_its_guests(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    schedule = await rpc.call("VMSS.create", {"name_label": "nightly", "type": "snapshot", "frequency": "daily"})
    await rpc.call("VM.set_snapshot_schedule", guest, schedule)
    stamp = await rpc.call("VMSS.snapshot_now", schedule)
    snapshot = (await rpc.call("VM.get_snapshots", guest))[0]
    record = await rpc.call("VM.get_record", snapshot)
    assert (record["name_label"], record["is_vmss_snapshot"]) == (f"nightly-{stamp}", True)
    assert await rpc.call("VMSS.get_last_run_time", schedule) != "19700101T00:00:00Z"


async def test_changed_blocks_are_told_of_disks_that_are_tracked(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    drives = await rpc.call("VM.get_VBDs", guest)
    disks = [await rpc.call("VBD.get_VDI", drive) for drive in drives]
    disk = next(vdi for vdi in disks if vdi != "OpaqueRef:NULL")
    before = await rpc.call("VDI.snapshot", disk, {})
    assert await rpc.fail("VDI.list_changed_blocks", before, disk) == ["VDI_NO_CBT_METADATA", before]
    assert (await rpc.fail("VDI.enable_cbt", before))[0] == "OPERATION_NOT_ALLOWED"
    await rpc.call("VDI.enable_cbt", disk)
    kept = await rpc.call("VDI.snapshot", disk, {})
    bits = base64.b64decode(await rpc.call("VDI.list_changed_blocks", kept, disk))
    assert len(bits) * 8 * 64 * 1024 == await rpc.call("VDI.get_virtual_size", disk)
    assert not any(bits)
    await rpc.call("VDI.data_destroy", kept)
    assert await rpc.call("VDI.get_type", kept) == "cbt_metadata"
    assert (await rpc.fail("VDI.data_destroy", disk))[0] == "OPERATION_NOT_ALLOWED"
    await rpc.call("VDI.disable_cbt", disk)


async def test_a_disk_is_read_over_networks_that_are_meant_for_it(rpc: Rpc) -> None:
    snapshot = await rpc.call("VM.snapshot", await rpc.find("VM", "centos54"), "backup")
    drives = [await rpc.call("VBD.get_record", drive) for drive in await rpc.call("VM.get_VBDs", snapshot)]
    disk = next(drive["VDI"] for drive in drives if drive["type"] == "Disk")
    assert await rpc.call("VDI.get_nbd_info", disk) == []
    network = await rpc.find("network", "Pool-wide network associated with eth0")
    await rpc.call("network.add_purpose", network, "nbd")
    found = {info["subject"]: info for info in await rpc.call("VDI.get_nbd_info", disk)}
    assert found.keys() == {"xenserver1", "xenserver3"}
    for name, info in found.items():
        host = await rpc.find("host", name)
        assert info["cert"] == await rpc.call("host.get_server_certificate", host)
        assert (info["address"], info["port"]) == (await rpc.call("host.get_address", host), 10809)
        assert info["exportname"].startswith("/" + await rpc.call("VDI.get_uuid", disk))
