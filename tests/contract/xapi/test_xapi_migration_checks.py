"""`VM.pool_migrate`: what refuses it, in XAPI's order and with its parameters."""

from dataclasses import dataclass

import pytest
from datacentre_client import Rpc

from bot.lab.xapi import Datacentre

GIB = 1024**3


@pytest.mark.parametrize(
    ("guest", "code", "params"),
    [
        ("web-local", "VM_REQUIRES_SR", 2),
        ("winxp", "VM_LACKS_FEATURE", 1),
        ("sleeper", "VM_BAD_POWER_STATE", 3),
        ("db1", "HOST_NOT_ENOUGH_FREE_MEMORY", 2),
    ],
)
async def test_the_article_guests_are_refused_for_their_reason(rpc: Rpc, guest: str, code: str, params: int) -> None:
    vm, host = await rpc.find("VM", guest), await rpc.find("host", "xenserver3")
    error = await rpc.fail("VM.pool_migrate", vm, host, {})
    assert (error[0], len(error) - 1) == (code, params)
    task = await rpc.call("Async.VM.pool_migrate", vm, host, {})
    ended = await rpc.finish(task)
    assert (ended["status"], ended["error_info"], ended["progress"]) == ("failure", error, 1.0)


@dataclass
class Flaw:
    """Something that keeps winxp from moving: a field of an object, its bad value and the error it makes."""

    class_name: str
    ref: str
    field: str
    value: object
    error: list[str]
    good: object = None


async def put(datacentre: Datacentre, rpc: Rpc, flaw: Flaw, value: object) -> None:
    uuid = await rpc.call(f"{flaw.class_name}.get_uuid", flaw.ref)
    field = {"class": flaw.class_name, "uuid": uuid, "field": flaw.field}
    await datacentre.do({"do": "set", **field, "value": value})


async def find_plug(rpc: Rpc, host: str, storage: str) -> str:
    plugs = await rpc.call("host.get_PBDs", host)
    return next(iter([pbd for pbd in plugs if await rpc.call("PBD.get_SR", pbd) == storage]))


async def list_flaws(rpc: Rpc, vm: str, host: str) -> list[Flaw]:
    pool = (await rpc.call("pool.get_all"))[0]
    metrics = await rpc.call("host.get_metrics", host)
    tools = await rpc.call("VM.get_guest_metrics", vm)
    info = await rpc.call("host.get_cpu_info", host)
    software = await rpc.call("host.get_software_version", host)
    disk = (await rpc.call("VM.get_VBDs", vm))[0]
    vdi = await rpc.call("VBD.get_VDI", disk)
    storage = await rpc.call("VDI.get_SR", vdi)
    plug = await find_plug(rpc, host, storage)
    platform = "VM_HOST_INCOMPATIBLE_VIRTUAL_HARDWARE_PLATFORM_VERSION"
    vendor = "VM last booted on a host which had a CPU from a different vendor."
    return [
        Flaw(
            "host",
            host,
            "cpu_info",
            {**info, "vendor": "AuthenticAMD"},
            ["VM_INCOMPATIBLE_WITH_THIS_HOST", vm, host, vendor],
        ),
        Flaw("VM", vm, "blocked_operations", {"pool_migrate": "why"}, ["OPERATION_BLOCKED", vm, "why"]),
        Flaw("VM", vm, "power_state", "Paused", ["VM_BAD_POWER_STATE", vm, "running", "paused"]),
        Flaw("VM", vm, "is_a_snapshot", True, ["VM_IS_SNAPSHOT", vm, "pool_migrate"]),
        Flaw("VM", vm, "is_a_template", True, ["VM_IS_TEMPLATE", vm, "pool_migrate"]),
        Flaw("VM", vm, "platform", {"nomigrate": "true"}, ["VM_IS_IMMOBILE", vm]),
        Flaw(
            "VM_guest_metrics",
            tools,
            "other",
            {"data-cant-suspend-reason": "busy"},
            ["VM_NON_SUSPENDABLE", vm, "busy"],
        ),
        Flaw("VM_guest_metrics", tools, "PV_drivers_version", {}, ["VM_LACKS_FEATURE", vm], {"major": "9"}),
        Flaw("VM", vm, "attached_PCIs", ["OpaqueRef:pci"], ["VM_HAS_PCI_ATTACHED", vm]),
        Flaw("VM", vm, "VGPUs", ["OpaqueRef:vgpu"], ["VM_HAS_VGPU", vm]),
        Flaw("VM", vm, "VUSBs", ["OpaqueRef:vusb"], ["VM_HAS_VUSBS", vm]),
        Flaw(
            "pool",
            pool,
            "other_config",
            {"rolling_upgrade_in_progress": "true"},
            ["NOT_SUPPORTED_DURING_UPGRADE"],
        ),
        Flaw("host_metrics", metrics, "live", False, ["HOST_NOT_LIVE"]),
        Flaw("host", host, "enabled", False, ["HOST_DISABLED", host]),
        Flaw("host", host, "virtual_hardware_platform_versions", [0], [platform, host, "[0]", vm, "2"]),
        Flaw("PBD", plug, "currently_attached", False, ["VM_REQUIRES_SR", vm, storage]),
        Flaw("host", host, "chipset_info", {"iommu": "false"}, ["VM_REQUIRES_IOMMU", host]),
        Flaw("VM", vm, "other_config", {"pci": "0/0000:02:00.0"}, []),
        Flaw("host_metrics", metrics, "memory_total", 17 * GIB, ["HOST_NOT_ENOUGH_FREE_MEMORY"]),
        Flaw("VM", vm, "VCPUs_max", 64, ["HOST_NOT_ENOUGH_PCPUS", "64", "32"]),
        Flaw("pool", pool, "restrictions", {"restrict_xen_motion": "true"}, ["LICENCE_RESTRICTION", "Xen_motion"]),
        Flaw(
            "host",
            host,
            "software_version",
            {**software, "platform_version": "1.0.0"},
            [],
        ),
    ]


async def test_every_check_stands_before_the_next(datacentre: Datacentre, rpc: Rpc) -> None:
    """Breaks everything at once, then mends one thing after the other: the errors come in XAPI's order."""
    vm, host = await rpc.find("VM", "winxp"), await rpc.find("host", "xenserver3")
    flaws = await list_flaws(rpc, vm, host)
    for flaw in flaws:
        flaw.good = flaw.good or await rpc.call(f"{flaw.class_name}.get_{flaw.field}", flaw.ref)
        await put(datacentre, rpc, flaw, flaw.value)
    for flaw in flaws:
        if flaw.error:
            error = await rpc.fail("VM.pool_migrate", vm, host, {})
            assert error[: len(flaw.error)] == flaw.error
        await put(datacentre, rpc, flaw, flaw.good)
    assert await rpc.call("VM.pool_migrate", vm, host, {}) == ""


@pytest.mark.parametrize(
    ("features", "reason"),
    [
        ("", "Host does not have new leveling feature keys - not comparing VM's flags"),
        ("00000001", "VM last booted on a CPU with features this host's CPU does not have."),
    ],
)
async def test_a_host_with_fewer_cpu_features_is_refused_even_before_its_state(
    datacentre: Datacentre, rpc: Rpc, features: str, reason: str
) -> None:
    vm, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    info = await rpc.call("host.get_cpu_info", host)
    await put(datacentre, rpc, Flaw("host", host, "cpu_info", None, []), {**info, "features_hvm": features})
    await rpc.call("host.disable", host)
    assert await rpc.fail("VM.pool_migrate", vm, host, {}) == [
        "VM_INCOMPATIBLE_WITH_THIS_HOST",
        vm,
        host,
        reason,
    ]
    assert await rpc.fail("VM.assert_can_boot_here", vm, host) == ["HOST_DISABLED", host]


async def test_force_skips_cpus_and_is_lenient_with_features(rpc: Rpc) -> None:
    vm, host = await rpc.find("VM", "winxp"), await rpc.find("host", "xenserver3")
    assert (await rpc.fail("VM.pool_migrate", vm, host, {"force": "yes"}))[0] == "VM_LACKS_FEATURE"
    assert await rpc.call("VM.pool_migrate", vm, host, {"force": "true"}) == ""
    assert await rpc.call("VM.get_resident_on", vm) == host


async def test_a_dangling_host_or_guest_is_a_bad_handle(rpc: Rpc) -> None:
    vm, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    assert await rpc.fail("VM.pool_migrate", vm, "OpaqueRef:x", {}) == [
        "HANDLE_INVALID",
        "host",
        "OpaqueRef:x",
    ]
    assert await rpc.fail("VM.pool_migrate", "OpaqueRef:x", host, {}) == [
        "HANDLE_INVALID",
        "VM",
        "OpaqueRef:x",
    ]
    assert await rpc.fail("VM.pool_migrate", vm, host, {"network": "OpaqueRef:x"}) == [
        "PIF_NOT_PRESENT",
        host,
        "OpaqueRef:x",
    ]


async def test_a_usb_device_that_is_not_plugged_into_a_host_keeps_a_guest_away(
    datacentre: Datacentre, rpc: Rpc
) -> None:
    vm, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    await put(datacentre, rpc, Flaw("VM", vm, "VUSBs", None, []), ["OpaqueRef:vusb"])
    text = f"VUSB OpaqueRef:vusb is not available on Host {host}"
    assert await rpc.fail("VM.assert_can_boot_here", vm, host) == ["OPERATION_NOT_ALLOWED", text]
    assert await rpc.call("VM.assert_can_boot_here", vm, await rpc.find("host", "xenserver1")) == ""


async def test_an_edition_without_storage_migration_refuses_all_its_calls(datacentre: Datacentre, rpc: Rpc) -> None:
    vm, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    pool = (await rpc.call("pool.get_all"))[0]
    network = next(iter([pif for pif in await rpc.call("host.get_PIFs", host) if await rpc.call("PIF.get_IP", pif)]))
    network = await rpc.call("PIF.get_network", network)
    dest = await rpc.call("host.migrate_receive", host, network, {})
    disk = await rpc.call("VBD.get_VDI", (await rpc.call("VM.get_VBDs", vm))[0])
    storage = await rpc.call("VDI.get_SR", disk)
    await put(datacentre, rpc, Flaw("pool", pool, "restrictions", None, []), {"restrict_storage_xen_motion": "true"})
    refused = ["LICENCE_RESTRICTION", "Storage_motion"]
    assert await rpc.fail("host.migrate_receive", host, network, {}) == refused
    assert await rpc.fail("VM.migrate_send", vm, dest, True, {}, {}, {}) == refused
    assert await rpc.fail("VM.assert_can_migrate", vm, dest, True, {}, {}, {}) == refused
    assert await rpc.fail("VDI.pool_migrate", disk, storage, {}) == refused
    assert await rpc.call("VM.pool_migrate", vm, host, {}) == ""


async def test_a_move_to_a_host_that_was_cut_off_hangs_before_it_fails(datacentre: Datacentre, rpc: Rpc) -> None:
    vm, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    await datacentre.do({"do": "stop_clock"})
    await datacentre.do({"do": "cut_network", "host": "xenserver3"})
    task = await rpc.call("Async.VM.pool_migrate", vm, host, {})
    await datacentre.do({"do": "advance", "seconds": 120})
    record = await rpc.call("task.get_record", task)
    assert (record["status"], record["allowed_operations"]) == ("pending", ["cancel"])
    assert await rpc.call("VM.get_scheduled_to_be_resident_on", vm) == host
    await datacentre.do({"do": "advance", "seconds": 10})
    assert await rpc.call("task.get_error_info", task) == ["CANNOT_CONTACT_HOST", host]
    assert await rpc.call("VM.get_current_operations", vm) == {}
    assert await rpc.call("VM.get_scheduled_to_be_resident_on", vm) == "OpaqueRef:NULL"
