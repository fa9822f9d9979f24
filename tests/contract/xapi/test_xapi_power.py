"""Starting, stopping, suspending and resuming guests."""

import pytest
from datacentre_client import Rpc, Until, guest_of, host_of

from bot.lab.xapi import Datacentre

NULL = "OpaqueRef:NULL"


async def test_a_guest_stops_starts_and_gets_its_tools_back(datacentre: Datacentre, rpc: Rpc, until: Until) -> None:
    guest = await rpc.find("VM", "centos54")
    assert await rpc.call("VM.clean_shutdown", guest) == ""
    record = await rpc.call("VM.get_record", guest)
    assert (record["power_state"], record["resident_on"], record["domid"]) == ("Halted", NULL, -1)
    assert not any([await rpc.call("VBD.get_currently_attached", vbd) for vbd in record["VBDs"]])
    assert {"start", "start_on", "clone", "export"} <= set(record["allowed_operations"])
    assert await rpc.call("VM.start", guest, False, False) == ""
    record = await rpc.call("VM.get_record", guest)
    assert (record["power_state"], record["scheduled_to_be_resident_on"]) == ("Running", NULL)
    assert await rpc.call("VM_guest_metrics.get_PV_drivers_version", record["guest_metrics"]) == {}
    await datacentre.do({"do": "set_speed", "speed": 500})
    await until(lambda: guest_of(datacentre, "centos54")["tools"])
    messages = (await rpc.call("message.get_all_records")).values()
    assert [message["name"] for message in messages] == ["VM_SHUTDOWN", "VM_STARTED"]


async def test_start_says_only_that_no_host_will_do_but_start_on_says_why(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    await rpc.call("VM.hard_shutdown", guest)
    first, third = await rpc.find("host", "xenserver1"), await rpc.find("host", "xenserver3")
    for host in (first, third):
        await rpc.call("host.disable", host)
    assert await rpc.fail("VM.start", guest, False, False) == ["NO_HOSTS_AVAILABLE"]
    assert await rpc.fail("VM.start_on", guest, third, False, False) == ["HOST_DISABLED", third]
    assert await rpc.fail("VM.assert_can_boot_here", guest, "OpaqueRef:x") == ["HOST_NOT_LIVE"]
    await rpc.call("host.enable", third)
    assert await rpc.call("VM.start_on", guest, third, False, False) == ""
    assert await rpc.call("VM.get_resident_on", guest) == third


@pytest.mark.parametrize(
    ("operation", "arguments", "guest", "expected", "actual"),
    [
        ("start", [False, False], "centos54", "halted", "running"),
        ("resume", [False, False], "centos54", "suspended", "running"),
        ("clean_shutdown", [], "sleeper", "running", "suspended"),
        ("unpause", [], "centos54", "paused", "running"),
    ],
)
async def test_the_wrong_power_state_is_named(
    rpc: Rpc, operation: str, arguments: list[bool], guest: str, expected: str, actual: str
) -> None:
    vm = await rpc.find("VM", guest)
    assert await rpc.fail(f"VM.{operation}", vm, *arguments) == ["VM_BAD_POWER_STATE", vm, expected, actual]


async def test_hard_shutdown_of_a_halted_guest_lists_all_states_that_would_do(rpc: Rpc) -> None:
    vm = await rpc.find("VM", "centos54")
    await rpc.call("VM.hard_shutdown", vm)
    expected = ["VM_BAD_POWER_STATE", vm, "paused, suspended, running", "halted"]
    assert await rpc.fail("VM.hard_shutdown", vm) == expected


async def test_a_guest_sleeps_and_wakes(rpc: Rpc) -> None:
    guest, third = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    assert await rpc.call("VM.suspend", guest) == ""
    record = await rpc.call("VM.get_record", guest)
    assert (record["power_state"], record["resident_on"]) == ("Suspended", NULL)
    image = await rpc.call("VDI.get_record", record["suspend_VDI"])
    assert (image["type"], image["name_label"]) == ("suspend", "Suspend image")
    assert await rpc.call("VM.resume_on", guest, third, False, False) == ""
    record = await rpc.call("VM.get_record", guest)
    assert (record["power_state"], record["resident_on"], record["suspend_VDI"]) == ("Running", third, NULL)


async def test_hard_shutdown_of_a_sleeping_guest_deletes_its_image(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "sleeper")
    image = await rpc.call("VM.get_suspend_VDI", guest)
    assert await rpc.call("VM.hard_shutdown", guest) == ""
    assert await rpc.fail("VDI.get_record", image) == ["HANDLE_INVALID", "VDI", image]


async def test_a_reboot_keeps_the_host_and_changes_the_domain(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    before = await rpc.call("VM.get_record", guest)
    assert await rpc.call("VM.clean_reboot", guest) == ""
    after = await rpc.call("VM.get_record", guest)
    assert after["resident_on"] == before["resident_on"]
    assert after["domid"] != before["domid"]


async def test_without_tools_a_clean_shutdown_is_refused_and_shutdown_turns_hard(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "winxp")
    assert await rpc.fail("VM.clean_shutdown", guest) == ["VM_LACKS_FEATURE", guest]
    assert await rpc.call("VM.shutdown", guest) == ""
    assert await rpc.call("VM.get_power_state", guest) == "Halted"


async def test_a_paused_guest_does_not_move(rpc: Rpc) -> None:
    guest, host = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    assert await rpc.call("VM.pause", guest) == ""
    assert await rpc.fail("VM.pool_migrate", guest, host, {}) == [
        "VM_BAD_POWER_STATE",
        guest,
        "running",
        "paused",
    ]
    assert await rpc.call("VM.unpause", guest) == ""
    assert await rpc.call("VM.pool_migrate", guest, host, {}) == ""


async def test_a_disabled_host_takes_no_guests_but_keeps_its_own(datacentre: Datacentre, rpc: Rpc) -> None:
    guest, third = await rpc.find("VM", "centos54"), await rpc.find("host", "xenserver3")
    assert await rpc.call("host.disable", third) == ""
    assert host_of(datacentre, "xenserver3")["enabled"] is False
    assert await rpc.fail("VM.pool_migrate", guest, third, {}) == ["HOST_DISABLED", third]
    twins = [one for one in datacentre.state()["guests"] if one["name"] == "twin"]
    assert [twin["power_state"] for twin in twins] == ["Running", "Running"]


async def test_memory_limits_must_be_in_order(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    error = await rpc.fail("VM.set_memory_dynamic_range", guest, 512 * 1024**2, 256 * 1024**2)
    assert error == ["MEMORY_CONSTRAINT_VIOLATION_ORDER"]


async def test_maximise_memory_fits_with_its_overhead(rpc: Rpc) -> None:
    guest = await rpc.find("VM", "centos54")
    total = 4 * 1024**3
    best = await rpc.call("VM.maximise_memory", guest, total, False)
    assert best % 1024**2 == 0
    assert 0.98 * total < best < total
