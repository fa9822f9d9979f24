"""Which operation may begin on a guest: power states, what goes on beside it, and the order of the checks."""

import pytest
from datacentre_client import Rpc, Until, guest_of
from storage_client import add_storage, list_disks, map_disks, receive

from bot.lab.xapi import Datacentre

HALTED, PAUSED, SUSPENDED, RUNNING = "halted", "paused", "suspended", "running"
ANY = {HALTED, PAUSED, SUSPENDED, RUNNING}
# Power states in which an operation of a guest may begin, as the reference of a real server has them.
TABLE = {
    operation: frozenset(states)
    for operations, states in (
        ("start start_on clone copy changing_static_range changing_VCPUs", {HALTED}),
        ("changing_NVRAM changing_shadow_memory make_into_template create_vtpm", {HALTED}),
        ("clean_shutdown clean_reboot suspend pause pool_migrate changing_VCPUs_live", {RUNNING}),
        ("unpause", {PAUSED}),
        ("resume resume_on", {SUSPENDED}),
        ("export destroy", {HALTED, SUSPENDED}),
        ("hard_reboot", {PAUSED, RUNNING}),
        ("hard_shutdown checkpoint", {PAUSED, SUSPENDED, RUNNING}),
        ("migrate_send", {HALTED, SUSPENDED, RUNNING}),
        ("changing_dynamic_range", {HALTED, RUNNING}),
        ("snapshot metadata_export power_state_reset", ANY),
    )
    for operation in operations.split()
}


@pytest.mark.parametrize("state", sorted(ANY))
async def test_every_operation_begins_in_its_power_states_only(rpc: Rpc, state: str) -> None:
    guest = await rpc.find("VM", "sleeper" if state == SUSPENDED else "centos54")
    if state == HALTED:
        await rpc.call("VM.clean_shutdown", guest)
    elif state == PAUSED:
        await rpc.call("VM.pause", guest)
    for operation, states in TABLE.items():
        if state in states:
            assert await rpc.call("VM.assert_operation_valid", guest, operation) == "", operation
        else:
            error = await rpc.fail("VM.assert_operation_valid", guest, operation)
            assert (error[0], error[1], error[3]) == ("VM_BAD_POWER_STATE", guest, state), operation
            assert set(error[2].split(", ")) == states, operation


@pytest.mark.parametrize(
    ("guest", "going_on", "joins"),
    [
        ("centos54", "snapshot", {"snapshot", "checkpoint", "hard_shutdown", "hard_reboot"}),
        ("centos54", "checkpoint", {"snapshot", "checkpoint", "hard_shutdown", "hard_reboot"}),
        ("centos54", "pool_migrate", {"hard_shutdown", "hard_reboot"}),
        ("centos54", "suspend", {"hard_shutdown", "hard_reboot"}),
        (
            "centos54",
            "migrate_send",
            {"hard_shutdown", "hard_reboot", "clean_shutdown", "clean_reboot", "metadata_export"},
        ),
        ("centos54", "hard_reboot", {"hard_shutdown"}),
        ("centos54", "hard_shutdown", set()),
        ("halted", "clone", {"clone", "copy", "export"}),
        ("halted", "export", {"clone", "copy", "export"}),
        ("halted", "start", set()),
    ],
)
async def test_what_may_begin_beside_an_operation(
    datacentre: Datacentre, rpc: Rpc, until: Until, guest: str, going_on: str, joins: set[str]
) -> None:
    name = "centos54"
    vm = await rpc.find("VM", name)
    if guest == "halted":
        await rpc.call("VM.clean_shutdown", vm)
    state = await rpc.call("VM.get_power_state", vm)
    await datacentre.do({"do": "occupy_guest", "guest": name, "operation": going_on, "seconds": 600})
    await until(lambda: guest_of(datacentre, name)["operation"] == going_on)
    [task] = await rpc.call("VM.get_current_operations", vm)
    for operation in (name for name, states in TABLE.items() if state.lower() in states):
        if operation in joins:
            assert await rpc.call("VM.assert_operation_valid", vm, operation) == "", operation
        else:
            error = await rpc.fail("VM.assert_operation_valid", vm, operation)
            assert error == ["OTHER_OPERATION_IN_PROGRESS", "VM", vm, going_on, task], operation
    listed = set(await rpc.call("VM.get_allowed_operations", vm))
    assert listed == {one for one in joins if state.lower() in TABLE[one]}


@pytest.mark.parametrize("method", ["clean_shutdown", "clean_reboot", "pool_migrate", "suspend"])
async def test_a_hard_shutdown_ends_what_it_overtakes(
    datacentre: Datacentre, rpc: Rpc, until: Until, method: str
) -> None:
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    await datacentre.do({"do": "pause_tasks", "at": 0.4})
    arguments = [host, {}] if method == "pool_migrate" else []
    task = await rpc.call(f"Async.VM.{method}", guest, *arguments)
    await until(lambda: guest_of(datacentre, "centos54")["operation"] == method)
    stopping = await rpc.call("Async.VM.hard_shutdown", guest)
    ended = await rpc.finish(task)
    assert (ended["status"], ended["error_info"]) == ("cancelled", [])
    [mark] = ended["current_operations"]
    assert mark.startswith("DummyRef:|")
    await datacentre.do({"do": "release_tasks"})
    assert (await rpc.finish(stopping))["status"] == "success"
    record = await rpc.call("VM.get_record", guest)
    assert (record["power_state"], record["current_operations"]) == ("Halted", {})
    assert record["suspend_VDI"] == "OpaqueRef:NULL"


async def test_devices_are_attached_before_the_guest_has_a_domain(
    datacentre: Datacentre, rpc: Rpc, until: Until
) -> None:
    guest = await rpc.find("VM", "centos54")
    await rpc.call("VM.hard_shutdown", guest)
    await datacentre.do({"do": "hold_tasks"})
    task = await rpc.call("Async.VM.start", guest, False, False)
    await until(lambda: guest_of(datacentre, "centos54")["progress"] == pytest.approx(1 / 3))
    record = await rpc.call("VM.get_record", guest)
    assert (record["power_state"], record["domid"], record["guest_metrics"]) == ("Halted", -1, "OpaqueRef:NULL")
    for class_name, refs in (("VBD", record["VBDs"]), ("VIF", record["VIFs"])):
        for ref in refs:
            device = await rpc.call(f"{class_name}.get_record", ref)
            assert (device["currently_attached"], device["current_operations"]) == (True, {task: "attach"})
            assert device["allowed_operations"] == []
    await datacentre.do({"do": "release_tasks"})
    assert (await rpc.finish(task))["status"] == "success"


async def test_a_cancelled_start_leaves_the_guest_halted_and_its_agent_known(
    datacentre: Datacentre, rpc: Rpc, until: Until
) -> None:
    guest = await rpc.find("VM", "centos54")
    await rpc.call("VM.hard_shutdown", guest)
    await datacentre.do({"do": "hold_tasks"})
    task = await rpc.call("Async.VM.start", guest, False, False)
    await until(lambda: guest_of(datacentre, "centos54")["progress"] == pytest.approx(1 / 3))
    await rpc.call("task.cancel", task)
    assert (await rpc.finish(task))["status"] == "cancelled"
    record = await rpc.call("VM.get_record", guest)
    assert (record["power_state"], record["scheduled_to_be_resident_on"]) == ("Halted", "OpaqueRef:NULL")
    assert not any([await rpc.call("VBD.get_currently_attached", vbd) for vbd in record["VBDs"]])
    await datacentre.do({"do": "release_tasks"})
    await rpc.call("VM.start", guest, False, False)
    await datacentre.do({"do": "set_speed", "speed": 500})
    await until(lambda: guest_of(datacentre, "centos54")["tools"])


@pytest.mark.parametrize("dead", ["xenserver1", "xenserver3"])
async def test_a_host_that_dies_takes_the_move_of_a_guest_and_its_disks_with_it(
    datacentre: Datacentre, rpc: Rpc, until: Until, dead: str
) -> None:
    target = await add_storage(rpc, "second")
    name = "centos54"
    guest = await rpc.find("VM", name)
    if dead == "xenserver1":  # the guest moves away from the member, which is not the coordinator
        await rpc.call("VM.pool_migrate", guest, await rpc.find("host", "xenserver3"), {})
    goal = "xenserver1" if dead == "xenserver1" else "xenserver3"
    dest, disks = await receive(rpc, goal), await map_disks(rpc, guest, target)
    before = await list_disks(rpc, guest)
    await datacentre.do({"do": "pause_tasks", "at": 0.5})
    task = await rpc.call("Async.VM.migrate_send", guest, dest, True, disks, {}, {})
    await until(lambda: (guest_of(datacentre, name)["progress"] or 0) >= 0.45)
    await datacentre.do({"do": "kill_host", "host": "xenserver3"})
    ended = await rpc.finish(task)
    assert ended["status"] == "failure"
    assert await rpc.call("SR.get_VDIs", target) == []
    assert await list_disks(rpc, guest) == before
    assert await rpc.call("VM.get_current_operations", guest) == {}


@pytest.mark.parametrize(
    ("operation", "states"),
    [
        ("data_source_op", "running"),
        ("call_plugin", "running"),
        ("shutdown", "paused, suspended, running"),
        ("create_template", "halted"),
        ("csvm", "suspended"),
        ("import", ""),
    ],
)
async def test_operations_that_no_list_shows_have_their_power_states_too(rpc: Rpc, operation: str, states: str) -> None:
    for name, state in (("centos54", "running"), ("sleeper", "suspended")):
        guest = await rpc.find("VM", name)
        if state in states:
            assert await rpc.call("VM.assert_operation_valid", guest, operation) == ""
        else:
            expected = ["VM_BAD_POWER_STATE", guest, states, state]
            assert await rpc.fail("VM.assert_operation_valid", guest, operation) == expected
        assert operation not in await rpc.call("VM.get_allowed_operations", guest)


async def test_a_host_measures_its_control_domain_and_a_name_that_nothing_is_measured_under_is_unknown(
    rpc: Rpc,
) -> None:
    up, asleep = await rpc.find("VM", "centos54"), await rpc.find("VM", "sleeper")
    host, storage = await rpc.find("host", "xenserver1"), (await rpc.call("SR.get_all"))[0]
    for method in ("query_data_source", "record_data_source"):
        error = await rpc.fail(f"VM.{method}", asleep, "cpu0")
        assert error == ["VM_BAD_POWER_STATE", asleep, "running", "suspended"]
        for class_name, ref in (("VM", up), ("host", host), ("SR", storage)):
            assert await rpc.fail(f"{class_name}.{method}", ref, "cpu0") == ["INTERNAL_ERROR", "Not_found"]
    for class_name, ref in (("VM", up), ("SR", storage)):
        assert await rpc.call(f"{class_name}.get_data_sources", ref) == []
    (load,) = await rpc.call("host.get_data_sources", host)
    assert load["name_label"] == "loadavg"
    assert await rpc.call("host.query_data_source", host, "loadavg") == load["value"] > 0
    dom0 = await rpc.call("host.get_control_domain", host)
    (free,) = await rpc.call("VM.get_data_sources", dom0)
    assert (free["name_label"], free["units"]) == ("memory_internal_free", "KiB")
    assert await rpc.call("VM.query_data_source", dom0, "memory_internal_free") == free["value"] > 0
    assert await rpc.fail("VM.clean_shutdown", dom0) == [
        "OPERATION_NOT_ALLOWED",
        "Operations on domain 0 are not allowed",
    ]
    for class_name, ref in (("VM", up), ("host", host), ("SR", storage)):
        assert await rpc.call(f"{class_name}.forget_data_source_archives", ref, "cpu0") == ""


async def test_settings_that_hosts_keep_for_themselves(rpc: Rpc) -> None:
    host = await rpc.find("host", "xenserver1")
    assert await rpc.call("host.get_sched_gran", host) == "cpu"
    assert await rpc.call("host.set_sched_gran", host, "core") == ""
    assert await rpc.call("host.get_sched_gran", host) == "core"
    assert await rpc.call("host.get_sched_gran", await rpc.find("host", "xenserver3")) == "cpu"
    for method, verifies in (("disable", False), ("reenable", True)):
        assert await rpc.call(f"host.emergency_{method}_tls_verification") == ""
        assert await rpc.call("host.get_tls_verification_enabled", host) is verifies
    assert await rpc.call("host.emergency_clear_mandatory_guidance") == ""
    assert await rpc.call("host.get_pending_guidances", host) == []
