"""`VM.pool_migrate`: checks and their order, what is seen meanwhile, the end."""

import asyncio
import itertools
from dataclasses import dataclass

import pytest
from datacentre_client import Rpc, Until, guest_of, host_of

from bot.lab.xapi import Datacentre

NULL = "OpaqueRef:NULL"
GIB = 1024**3


async def start_move(rpc: Rpc, name: str, host: str = "xenserver3") -> tuple[str, str, str]:
    """Starts a migration; returns guest, host and task."""
    guest, target = await rpc.find("VM", name), await rpc.find("host", host)
    return guest, target, await rpc.call("Async.VM.pool_migrate", guest, target, {"live": "true"})


async def test_a_guest_moves_while_it_runs(datacentre: Datacentre, rpc: Rpc, until: Until) -> None:
    await datacentre.do({"do": "pause_tasks", "at": 0.4})
    guest, target, task = await start_move(rpc, "centos54")
    await until(lambda: guest_of(datacentre, "centos54")["progress"] == 0.4)

    record = await rpc.call("VM.get_record", guest)
    source = await rpc.find("host", "xenserver1")
    assert record["current_operations"] == {task: "pool_migrate"}
    assert sorted(record["allowed_operations"]) == ["hard_reboot", "hard_shutdown"]
    assert record["scheduled_to_be_resident_on"] == target
    assert (record["resident_on"], record["power_state"]) == (source, "Running")
    host = await rpc.call("host.get_record", target)
    assert host["current_operations"] == {task: "vm_migrate"}
    assert "evacuate" not in host["allowed_operations"]
    assert (await rpc.call("task.get_record", task))["allowed_operations"] == ["cancel"]
    truth = guest_of(datacentre, "centos54")
    assert (truth["operation"], truth["target"]) == (
        "pool_migrate",
        host_of(datacentre, "xenserver3")["uuid"],
    )

    await datacentre.do({"do": "release_tasks"})
    ended = await rpc.finish(task)
    assert (ended["status"], ended["progress"], ended["result"]) == ("success", 1.0, "<value></value>")
    after = await rpc.call("VM.get_record", guest)
    assert after["resident_on"] == target
    assert after["domid"] > record["domid"]
    assert (after["scheduled_to_be_resident_on"], after["current_operations"]) == (NULL, {})
    assert "pool_migrate" in after["allowed_operations"]
    assert (await rpc.call("host.get_record", target))["current_operations"] == {}
    assert guest in (await rpc.call("host.get_resident_VMs", target))
    message = next(iter((await rpc.call("message.get_all_records")).values()))
    assert (message["name"], message["priority"], message["cls"]) == ("VM_MIGRATED", 5, "VM")


async def test_progress_is_uneven_and_falls_once(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "set_speed", "speed": 4})
    _, _, task = await start_move(rpc, "centos54")
    seen, token, status = [], "", "pending"
    while status == "pending":
        answer = await rpc.call("event.from", [f"task/{task}"], token, 10.0)
        token = answer["token"]
        for event in answer["events"]:
            status = event["snapshot"]["status"]
            seen.append(event["snapshot"]["progress"])
    steps = [after - before for before, after in itertools.pairwise(seen)]
    assert len([step for step in steps if step < 0]) == 1
    assert len({round(step, 6) for step in steps if step > 0}) > 2
    assert status == "success"


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
        Flaw("host_metrics", metrics, "memory_total", 17 * GIB, ["HOST_NOT_ENOUGH_FREE_MEMORY"]),
        Flaw("VM", vm, "VCPUs_max", 64, ["HOST_NOT_ENOUGH_PCPUS", "64", "32"]),
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


async def test_db1_moves_once_its_memory_fits(datacentre: Datacentre, rpc: Rpc) -> None:
    vm, host = await rpc.find("VM", "db1"), await rpc.find("host", "xenserver3")
    assert (await rpc.fail("VM.assert_can_boot_here", vm, host))[0] == "HOST_NOT_ENOUGH_FREE_MEMORY"
    await datacentre.do({"do": "set_speed", "speed": 1000})
    await rpc.call("VM.set_memory_dynamic_range", vm, 8 * GIB, 48 * GIB)
    assert await rpc.call("VM.assert_can_boot_here", vm, host) == ""
    assert await rpc.call("VM.pool_migrate", vm, host, {}) == ""
    assert await rpc.call("VM.get_resident_on", vm) == host
    assert 8 * GIB <= await rpc.call("VM.get_memory_target", vm) < 48 * GIB


async def test_two_migrations_to_one_host_reserve_memory_at_once(datacentre: Datacentre, rpc: Rpc) -> None:
    await datacentre.do({"do": "hold_tasks"})
    host = await rpc.find("host", "xenserver3")
    before = await rpc.call("host.compute_free_memory", host)
    guest, _, first = await start_move(rpc, "日本語サーバー")
    _, _, second = await start_move(rpc, "centos54")
    await rpc.call("event.from", ["task"], "", 0.0)
    taken = before - await rpc.call("host.compute_free_memory", host)
    assert taken == (1024 + 12 + 512 + 8) * 1024**2
    await datacentre.do({"do": "release_tasks"})
    assert (await rpc.finish(first))["status"] == (await rpc.finish(second))["status"] == "success"
    assert await rpc.call("VM.get_resident_on", guest) == host


async def test_a_second_operation_waits_in_silence_and_goes_on_at_the_end(
    datacentre: Datacentre, rpc: Rpc, until: Until
) -> None:
    await datacentre.do({"do": "pause_tasks", "at": 0.4})
    guest, target, moving = await start_move(rpc, "centos54")
    await until(lambda: guest_of(datacentre, "centos54")["progress"] == 0.4)
    waiting = await rpc.call("Async.VM.clean_shutdown", guest)
    await until(lambda: any(task["name"] == "Async.VM.clean_shutdown" for task in datacentre.state()["tasks"]))
    record = await rpc.call("task.get_record", waiting)
    assert (record["status"], record["progress"], record["allowed_operations"]) == (
        "pending",
        0.0,
        ["cancel"],
    )
    assert await rpc.call("VM.get_current_operations", guest) == {moving: "pool_migrate"}
    await datacentre.do({"do": "release_tasks"})
    assert (await rpc.finish(moving))["status"] == "success"
    assert (await rpc.finish(waiting))["status"] == "success"
    assert guest_of(datacentre, "centos54")["power_state"] == "Halted"
    assert target != NULL


async def test_cancel_leaves_the_guest_where_it_was(datacentre: Datacentre, rpc: Rpc, until: Until) -> None:
    await datacentre.do({"do": "pause_tasks", "at": 0.4})
    guest, _, task = await start_move(rpc, "centos54")
    await until(lambda: guest_of(datacentre, "centos54")["progress"] == 0.4)
    domid = await rpc.call("VM.get_domid", guest)
    assert await rpc.call("task.cancel", task) == ""
    ended = await rpc.finish(task)
    assert (ended["status"], ended["error_info"], ended["progress"]) == ("cancelled", [], 1.0)
    [(key, operation)] = ended["current_operations"].items()
    assert key.startswith("DummyRef:|")
    assert key.endswith("|task.cancel")
    assert operation == "cancel"
    record = await rpc.call("VM.get_record", guest)
    assert (record["power_state"], record["domid"], record["current_operations"]) == ("Running", domid, {})
    assert record["resident_on"] == await rpc.find("host", "xenserver1")
    assert record["scheduled_to_be_resident_on"] == NULL


async def test_a_hard_shutdown_overtakes_a_migration(datacentre: Datacentre, rpc: Rpc, until: Until) -> None:
    await datacentre.do({"do": "pause_tasks", "at": 0.4})
    guest, _, moving = await start_move(rpc, "centos54")
    await until(lambda: guest_of(datacentre, "centos54")["progress"] == 0.4)
    stopping = await rpc.call("Async.VM.hard_shutdown", guest)
    assert (await rpc.finish(moving))["status"] == "cancelled"
    await datacentre.do({"do": "release_tasks"})
    assert (await rpc.finish(stopping))["status"] == "success"
    record = await rpc.call("VM.get_record", guest)
    assert (record["power_state"], record["resident_on"], record["domid"]) == ("Halted", NULL, -1)


async def test_a_localhost_migration_changes_the_domain_only(rpc: Rpc) -> None:
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver1")
    await rpc.call("host.disable", host)
    domid = await rpc.call("VM.get_domid", guest)
    assert await rpc.call("VM.pool_migrate", guest, host, {}) == ""
    assert await rpc.call("VM.get_resident_on", guest) == host
    assert await rpc.call("VM.get_domid", guest) != domid


async def test_possible_hosts_leave_out_those_that_would_refuse(rpc: Rpc) -> None:
    first, third = await rpc.find("host", "xenserver1"), await rpc.find("host", "xenserver3")
    possible = await rpc.call("VM.get_possible_hosts", await rpc.find("VM", "centos54"))
    assert set(possible) == {first, third}
    assert await rpc.call("VM.get_possible_hosts", await rpc.find("VM", "web-local")) == [first]
    await rpc.call("host.disable", third)
    assert await rpc.call("VM.get_possible_hosts", await rpc.find("VM", "centos54")) == [first]


async def test_a_call_goes_on_when_its_client_is_gone(datacentre: Datacentre, rpc: Rpc, until: Until) -> None:
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    await datacentre.do({"do": "pause_tasks", "at": 0.4})
    waiting = asyncio.create_task(rpc.call("VM.pool_migrate", guest, host, {}))
    await until(lambda: guest_of(datacentre, "centos54")["progress"] == 0.4)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await datacentre.do({"do": "release_tasks"})
    uuid = host_of(datacentre, "xenserver3")["uuid"]
    await until(lambda: guest_of(datacentre, "centos54")["host"] == uuid)
    await until(lambda: datacentre.state()["tasks"] == [])
