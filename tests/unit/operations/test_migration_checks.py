"""Each check: when it stops a migration, what it says, and that it keeps quiet otherwise."""

from __future__ import annotations

import migration_facts as world
import msgspec
import pytest
from migration_facts import GIB, check, decided, facts, guest, host, text

from bot.domain.guest_facts import MigrationFacts, XapiVerdict
from bot.domain.inventory import Network, PowerState, Tools
from bot.domain.plan import Grade
from bot.domain.texts import plain
from bot.operations.cpu_features import missing, parse
from bot.operations.xapi_words import explain, known_codes


def disk(**changes: object) -> object:
    return msgspec.structs.replace(world.DISK, **changes)


def blocked_keys(read: MigrationFacts) -> list[str]:
    return [one.key for one in decided(read).blocked]


def test_nothing_stops_a_guest_that_fits() -> None:
    plan = decided(facts())
    assert {one.grade for one in plan.checks} == {Grade.OK}
    assert len({one.key for one in plan.checks}) == len(plan.checks)


def test_all_reasons_are_told_at_once_in_the_order_of_mending() -> None:
    vm = guest(disks=(disk(sr=world.LOCAL),), memory_needed=40 * GIB, pci=True)
    read = facts(vm, host(3, enabled=False))
    assert blocked_keys(read) == ["storage:0", "memory", "pci", "enabled"]


def test_every_no_comes_with_a_way_out() -> None:
    vm = guest(immobile=True, usb=True, vgpu=True, vcpus_max=99, blocked_operations={"pool_migrate": ""})
    plan = decided(facts(vm, host(3, live=False, operations=("evacuate",))))
    assert len(plan.blocked) == 7
    assert all(one.fix is not None and plain(one.fix).endswith(".") for one in plan.blocked)


def test_another_pool_stops_it_and_what_cannot_be_judged_is_left_out() -> None:
    plan = decided(world.other_pool())
    same = check(plan, "pool")
    assert same.grade is Grade.BLOCKED
    assert text(same).startswith("Another pool: ")
    assert "xenserver3" in text(same)
    keys = {one.key.partition(":")[0] for one in plan.checks}
    assert not keys & {"storage", "network", "memory", "version", "pcpus", "there", "xapi", "target-busy"}


def test_a_guest_alone_in_its_pool_is_offered_no_host() -> None:
    read = msgspec.structs.replace(world.other_pool(), pool_hosts=(host(1),))
    assert "no other host" in text(check(decided(read), "pool"))


def test_the_host_it_runs_on_is_no_target() -> None:
    read = facts(target=host(1), pool_hosts=(host(1), host(3)))
    assert (
        text(check(decided(read), "there"))
        == "Already there: centos54 already runs on xenserver1 | Choose another host: xenserver3."
    )


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (PowerState.HALTED, "Start"),
        (PowerState.SUSPENDED, "Resume"),
        (PowerState.PAUSED, "Unpause"),
        (PowerState.UNKNOWN, "Bring"),
    ],
)
def test_only_a_running_guest_moves(state: PowerState, word: str) -> None:
    found = check(decided(facts(guest(power_state=state, host=None))), "power")
    assert found.grade is Grade.BLOCKED
    assert found.fix is not None
    assert plain(found.fix).startswith(word)


def test_a_running_guest_on_no_known_host_cannot_be_judged() -> None:
    assert check(decided(facts(guest(host=None))), "power").grade is Grade.UNKNOWN


def test_work_of_others_on_the_guest_is_named() -> None:
    vm = guest(operations={"snapshot": "Nightly", "odd_op": "", "export": "x"}, workers={"export": "xenbot job 7"})
    busy = XapiVerdict("OTHER_OPERATION_IN_PROGRESS", ("VM", "centos54"))
    found = check(decided(facts(vm, movable=busy)), "busy")
    assert found.grade is Grade.BLOCKED
    assert plain(found.fact).startswith(
        "centos54 is busy: an export by xenbot job 7 (task “x”), odd_op, a snapshot (task “Nightly”)."
    )


def test_a_block_by_others_stops_it_and_our_own_does_not() -> None:
    theirs = facts(guest(blocked_operations={"pool_migrate": "backup by XO"}))
    assert "backup by XO" in text(check(decided(theirs), "blocked"))
    ours = facts(guest(blocked_operations={"pool_migrate": "xenbot job 12 until 14:00"}))
    assert not decided(ours).blocked
    else_blocked = facts(guest(blocked_operations={"destroy": "keep"}))
    assert not decided(else_blocked).blocked


def test_a_local_disk_is_named_with_its_size_and_storage() -> None:
    found = check(decided(world.web_local()), "storage:0")
    assert "disk 0 (8 GiB) is on Local storage of xenserver1" in text(found)
    assert "shared storage" in text(found)
    assert "XAPI says the same (VM_REQUIRES_SR)" in text(found)


def test_each_disk_is_judged_and_shared_storage_of_the_guest_is_offered() -> None:
    vm = guest(disks=(world.DISK, disk(userdevice="1", sr=world.LOCAL), disk(userdevice="2", sr=None)))
    plan = decided(facts(vm))
    assert [one.key for one in plan.blocked] == ["storage:1", "storage:2"]
    assert "move the disk to nfs-vhd (shared, 312 GiB free), which both hosts reach" in text(check(plan, "storage:1"))


def test_shared_storage_that_is_unplugged_on_the_target_is_to_be_plugged() -> None:
    sr = msgspec.structs.replace(world.NFS, hosts=frozenset({"h-1"}))
    found = check(decided(facts(guest(disks=(disk(sr=sr),)))), "storage:0")
    assert "Plug nfs-vhd on xenserver3" in text(found)


def test_an_iso_out_of_reach_is_to_be_ejected_and_an_empty_drive_is_fine() -> None:
    cd = disk(userdevice="3", cd=True, vdi_name="centos.iso", sr=world.LOCAL)
    found = check(decided(facts(guest(disks=(world.DISK, cd)))), "iso:3")
    assert "centos.iso" in text(found)
    assert "Eject" in text(found)
    assert "shared storage" in text(found)
    empty = disk(userdevice="3", cd=True, vdi="", sr=None)
    assert not decided(facts(guest(disks=(world.DISK, empty)))).blocked


def test_a_diskless_guest_needs_no_storage() -> None:
    assert check(decided(facts(guest(disks=()))), "storage").grade is Grade.OK


def test_cpu_vendors_are_not_mixed_and_features_then_not_compared() -> None:
    plan = decided(facts(target=host(3, cpu_vendor="AuthenticAMD")))
    assert [one.key for one in plan.blocked] == ["cpu-vendor"]
    assert "cpu-features" not in {one.key for one in plan.checks}


def test_missing_cpu_features_are_counted_and_named() -> None:
    vm = guest(boot_features="00000000-10000000-00000000-00000000-00000000-00000020")
    found = check(decided(facts(vm, host(3, features_pv="00000000-00000000"))), "cpu-features")
    assert found.grade is Grade.BLOCKED
    assert "lacks 2 of the CPU features centos54 was booted with, among them avx, avx2" in text(found)


def test_hvm_guests_are_compared_with_the_hvm_features() -> None:
    target = host(3, features_pv="00000000")
    assert not decided(facts(guest(hvm=True, domain_type="hvm"), target)).blocked
    assert blocked_keys(facts(guest(), target)) == ["cpu-features"]


def test_unknown_cpu_facts_are_told_not_guessed() -> None:
    assert check(decided(facts(guest(boot_features=""))), "cpu-features").grade is Grade.WARNING
    assert check(decided(facts(target=host(3, features_pv="x"))), "cpu-features").grade is Grade.BLOCKED
    assert check(decided(facts(guest(boot_vendor=""), host(3, cpu_vendor=""))), "cpu-vendor").grade is Grade.WARNING


def test_feature_sets_of_other_lengths_end_in_zeros() -> None:
    assert parse("zz") is None
    assert missing((1, 0), (1,)) == ([], 0)
    assert missing((1, 1), (1,)) == (["sse3"], 1)


@pytest.mark.parametrize(
    ("platform", "upgrading", "grade"),
    [
        ("3.4.0", False, Grade.OK),
        ("3.10.0", True, Grade.OK),
        ("3.2.1", False, Grade.WARNING),
        ("3.2.1", True, Grade.BLOCKED),
        ("", True, Grade.WARNING),
    ],
)
def test_versions_may_only_rise(platform: str, upgrading: bool, grade: Grade) -> None:  # noqa: FBT001  parametrised
    version = "8.2.1" if platform else ""
    read = facts(
        target=host(3, platform_version=platform, version=version),
        pool=msgspec.structs.replace(world.POOL, upgrading=upgrading),
    )
    assert check(decided(read), "version").grade is grade


def test_memory_is_judged_by_the_dynamic_minimum_and_says_how_to_fit() -> None:
    found = text(check(decided(world.db1()), "memory"))
    assert "Not enough memory: db1 needs 48.5 GiB (dynamic minimum 48 GiB + 410 MiB overhead)" in found
    assert "xenserver3 can give 21.5 GiB" in found
    assert "to 21.1 GiB or less" in found
    assert "at least 26.9 GiB off xenserver3" in found


def test_a_host_with_room_is_named() -> None:
    read = msgspec.structs.replace(world.db1(), pool_hosts=(host(1), host(3), host(5, memory_free=60 * GIB)))
    assert "xenserver5" in text(check(decided(read), "memory"))


def test_memory_that_fits_exactly_fits() -> None:
    read = facts(guest(memory_needed=GIB), host(3, memory_free=GIB))
    assert check(decided(read), "memory").grade is Grade.OK
    read = facts(guest(memory_needed=GIB + 1), host(3, memory_free=GIB))
    assert check(decided(read), "memory").grade is Grade.BLOCKED


def test_vcpus_need_as_many_cpus_unless_unrestricted() -> None:
    assert blocked_keys(facts(guest(vcpus_max=17))) == ["pcpus"]
    assert blocked_keys(facts(guest(vcpus_max=17, vcpu_unrestricted=True))) == []


def test_a_network_the_target_lacks_is_named() -> None:
    lacking = Network("n-2", "dmz", frozenset({"h-1"}), internal=False)
    vouched = Network("n-3", "inside", frozenset(), internal=True, assumed_shared=True)
    plan = decided(facts(guest(networks=(world.NETWORK, lacking, vouched))))
    assert [one.key for one in plan.blocked] == ["network:n-2"]
    assert "xenserver3 has no interface on dmz" in text(plan.blocked[0])


def test_an_hvm_guest_without_drivers_cannot_move_live() -> None:
    found = check(decided(world.winxp()), "tools")
    assert found.grade is Grade.BLOCKED
    assert "no guest tools and no PV drivers" in text(found)
    assert not decided(facts(guest(tools=Tools.NONE))).blocked
    suspendable = guest(hvm=True, tools=Tools.NO_AGENT, can_suspend=True)
    assert not decided(facts(suspendable)).blocked


def test_the_guests_own_no_is_passed_on() -> None:
    found = check(decided(facts(guest(cant_suspend_reason="<b>hibernating</b>"))), "tools")
    assert "“<b>hibernating</b>”" in text(found)


def test_a_silent_host_is_not_taken_for_live() -> None:
    found = check(decided(facts(target=host(3, silent_since=5.0))), "live")
    assert found.grade is Grade.BLOCKED
    assert "though XAPI still says live" in text(found)


@pytest.mark.parametrize("operation", ["evacuate", "reboot", "shutdown"])
def test_a_host_about_to_leave_takes_no_guest(operation: str) -> None:
    assert blocked_keys(facts(busy_hosts={"h-3": (operation,)})) == ["target-busy"]
    assert blocked_keys(facts(busy_hosts={"h-1": (operation,)})) == []


def test_updates_on_the_target_are_a_warning() -> None:
    assert check(decided(facts(target=host(3, operations=("apply_updates",)))), "target-busy").grade is Grade.WARNING


def test_high_availability_is_noted_where_it_guards_the_guest() -> None:
    guarded = facts(guest(ha_protected=True), pool=msgspec.structs.replace(world.POOL, ha_enabled=True))
    assert check(decided(guarded), "ha").grade is Grade.OK
    assert "ha" not in {one.key for one in decided(facts(guest(ha_protected=True))).checks}


def test_a_no_of_xapi_alone_stops_it_in_our_words() -> None:
    read = facts(xapi=XapiVerdict("HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN"))
    found = check(decided(read), "xapi")
    assert found.grade is Grade.BLOCKED
    assert "high availability" in text(found)


def test_a_no_of_xapi_that_we_do_not_see_is_not_folded_away() -> None:
    read = facts(xapi=XapiVerdict("VM_REQUIRES_SR", ("centos54", "nfs-vhd")))
    assert blocked_keys(read) == ["xapi"]
    assert "nfs-vhd is not connected on that host (VM_REQUIRES_SR)" in text(check(decided(read), "xapi"))


def test_an_unknown_code_is_shown_as_sent() -> None:
    read = facts(xapi=XapiVerdict("NEW_CODE", ("a", "b")))
    assert "NEW_CODE (a, b)" in text(check(decided(read), "xapi"))


def test_an_unasked_xapi_is_unknown() -> None:
    assert check(decided(facts(xapi=None)), "xapi").grade is Grade.UNKNOWN


def test_every_code_has_words_for_few_many_and_odd_parameters() -> None:
    for code in [*known_codes(), "SR_BACKEND_FAILURE_73", "", "WHAT_EVER"]:
        for params in ([], ["a"], ["9" * 40] * 5, ["{x}", "٣", "", "d", "e", "f"]):
            assert isinstance(plain(explain(code, params)), str)
    assert plain(explain("HOST_NOT_ENOUGH_FREE_MEMORY", ["1073741824", "0"])).endswith("1 GiB needed, 0 B available")
