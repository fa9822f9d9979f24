"""What else can stop a migration: storage with its way out, memory with who would make room, and XAPI's own word."""

from __future__ import annotations

import json
import re
from pathlib import Path

import migration_facts as world
import msgspec
import pytest
from migration_facts import GIB, check, decided, facts, guest, host, text

from bot.domain.guest_facts import MigrationFacts, XapiVerdict
from bot.domain.inventory import Disk, Network, Pool, Sr
from bot.domain.plan import Grade
from bot.domain.texts import plain
from bot.operations.checks.verdict import foreseen
from bot.operations.xapi_words import explain, known_codes

REFERENCE = Path(__file__).parents[4] / "shared" / "reference" / "xapi.md"
INSIDE = Network("n-9", "inside", frozenset(), internal=True)


def disk(**changes: object) -> Disk:
    return msgspec.structs.replace(world.DISK, **changes)


def pool(**changes: object) -> Pool:
    return msgspec.structs.replace(world.POOL, **changes)


def blocked_keys(read: MigrationFacts) -> list[str]:
    return [one.key for one in decided(read).blocked]


def sr(name: str, free: int, **changes: object) -> Sr:
    return msgspec.structs.replace(world.NFS, uuid=name, name=name, size=900 * GIB, used=900 * GIB - free, **changes)


def test_the_way_out_of_local_storage_names_what_both_hosts_reach_with_its_free_space() -> None:
    elsewhere = sr("far", 800 * GIB, hosts=frozenset({"h-3"}))
    library = sr("isos", 800 * GIB, type="iso")
    srs = (world.LOCAL, world.NFS, sr("san", 400 * GIB), sr("full", GIB), elsewhere, library)
    found = check(decided(msgspec.structs.replace(world.web_local(), srs=srs)), "storage:0")
    assert found.fix is not None
    assert plain(found.fix) == (
        "First move the disk to san (shared, 400 GiB free), nfs-vhd (shared, 312 GiB free), which both hosts reach "
        "(8 GiB at most, about 86 s; the guest keeps running); or migrate with storage to far (shared; 8 GiB at most, "
        "about 86 s; riskier: all moves in one step)."
    )


def test_shared_storage_without_room_for_the_disk_is_no_way_out() -> None:
    found = check(decided(msgspec.structs.replace(world.web_local(), srs=(world.LOCAL, sr("full", GIB)))), "storage:0")
    assert "make room on shared storage: the disk needs 8 GiB" in text(found)
    assert "full (shared, 1 GiB free)" in text(found)
    nothing = check(decided(msgspec.structs.replace(world.web_local(), srs=(world.LOCAL,))), "storage:0")
    assert "they have none in common now" in text(nothing)


@pytest.mark.parametrize(
    ("sizes", "named"),
    [
        ((4, 30, 40), "(guest30 30 GiB would do)"),
        ((16, 16, 4), "(guest16 16 GiB, guest16 16 GiB would do)"),
        ((4, 4), ""),
    ],
)
def test_whose_leaving_would_make_room_is_named(sizes: tuple[int, ...], named: str) -> None:
    there = tuple(
        guest(f"guest{size}", uuid=f"vm-{place}", host="h-3", memory_needed=size * GIB)
        for place, size in enumerate(sizes, 10)
    )
    elsewhere = guest("far", uuid="vm-99", host="h-1", memory_needed=64 * GIB)
    pinned = guest("pinned", uuid="vm-98", host="h-3", memory_needed=28 * GIB, immobile=True)
    blank = world.db1()
    hosts = (host(1, memory_free=40 * GIB), host(3))
    read = msgspec.structs.replace(blank, neighbours=(*there, elsewhere, pinned), pool_hosts=hosts)
    said = text(check(decided(read), "memory"))
    assert (named in said) if named else ("would do" not in said)
    assert "pinned" not in said


def test_a_guest_that_has_nowhere_to_go_is_no_way_to_make_room() -> None:
    big = guest("big", uuid="vm-10", host="h-3", memory_needed=30 * GIB)
    read = msgspec.structs.replace(world.db1(), neighbours=(big,), pool_hosts=(host(3), host(1, memory_free=29 * GIB)))
    assert "would do" not in text(check(decided(read), "memory"))
    wide = msgspec.structs.replace(read, pool_hosts=(host(3), host(1, memory_free=30 * GIB)))
    assert "(big 30 GiB would do)" in text(check(decided(wide), "memory"))


def test_the_figure_that_other_tools_call_free_memory_is_told_beside_ours() -> None:
    read = msgspec.structs.replace(world.db1(), target=host(3, memory_idle=26 * GIB))
    assert "“Free memory” of 26 GiB in other tools is what is idle now" in text(check(decided(read), "memory"))


def test_an_internal_network_is_only_where_its_guests_run() -> None:
    vm = guest(networks=(INSIDE,))
    alone = facts(vm)
    assert blocked_keys(alone) == ["network:n-9"]
    there = facts(vm, neighbours=(guest("peer", uuid="vm-2", host="h-3", networks=(INSIDE,)),))
    assert blocked_keys(there) == []


@pytest.mark.parametrize(
    ("changes", "key", "says"),
    [
        ({"nested": True}, "nested", "may run guests of its own"),
        ({"immobile": True}, "immobile", "nomigrate"),
        ({"hardware_version": 3}, "hardware", "virtual hardware version 3, xenserver3 offers 0, 1, 2"),
        ({"disks": (disk(resets=True),)}, "resets", "disk 0 of centos54 is reset at every boot"),
        ({"networks": (Network("n", "fast", frozenset({"h-1", "h-3"}), internal=False, sriov=True),)}, "pci", "SR-IOV"),
        ({"memory_dynamic_max": GIB, "memory_static_max": GIB // 2}, "limits", "contradict each other"),
    ],
)
def test_what_ties_a_guest_to_its_host_is_named(changes: dict[str, object], key: str, says: str) -> None:
    plan = decided(facts(guest(**changes), host(3, hardware_versions=(0, 1, 2))))
    assert [one.key for one in plan.blocked] == [key]
    assert says in text(plan.blocked[0])


def test_a_host_that_runs_no_hvm_guests_takes_none() -> None:
    firmware = host(3, hvm_capable=False)
    plan = decided(facts(guest(hvm=True, domain_type="hvm"), firmware, xapi=XapiVerdict("VM_HVM_REQUIRED", ("c",))))
    assert [one.key for one in plan.blocked] == ["hvm"]
    assert "centos54 needs hardware virtualisation, which xenserver3 does not have" in text(plan.blocked[0])
    assert "XAPI says the same (VM_HVM_REQUIRED)" in text(plan.blocked[0])
    assert blocked_keys(facts(guest(domain_type="pvh"), firmware)) == ["hvm"]
    assert blocked_keys(facts(guest(), firmware)) == []
    assert blocked_keys(facts(guest(hvm=True), host(3, hvm_capable=None))) == []


def test_a_licence_without_live_migration_stops_every_move_and_xapi_does_not_tell_before() -> None:
    read = facts(pool=pool(live_motion=False))
    (stopped,) = decided(read).blocked
    assert stopped.key == "licence"
    assert "the licence of experiment does not include live migration" in text(stopped)
    assert "disagrees" not in text(stopped)
    assert "A check before the move looks for this" in plain(foreseen(decided(facts()), "LICENCE_RESTRICTION"))


def test_where_the_licence_lets_no_disk_move_none_is_offered_to_be_moved() -> None:
    plan = decided(msgspec.structs.replace(world.web_local(), pool=pool(storage_motion=False)))
    assert [one.key for one in plan.blocked] == ["storage:0"]
    assert "First shut web-local down and copy the disk" in text(plan.blocked[0])
    assert plan.ways == ()


@pytest.mark.parametrize(
    ("changes", "old"),
    [
        ({"version": "8.2.0"}, False),
        ({"version": "8.1.0"}, True),
        ({"version": "7.1.2"}, True),
        ({"version": "", "platform_version": "3.2.1"}, False),
        ({"version": "", "platform_version": "2.9.0"}, True),
        ({"version": "", "platform_version": ""}, False),
        ({"version": "10.0.0"}, False),
    ],
)
def test_pools_older_than_8_2_are_looked_at_but_not_changed(changes: dict[str, object], *, old: bool) -> None:
    found = check(decided(facts(target=host(3, **changes), source=host(1, **changes))), "supported")
    assert (found.grade is Grade.BLOCKED) is old


def test_tools_that_may_still_report_are_not_called_missing() -> None:
    booted = guest(hvm=True, domain_type="hvm", can_suspend=False, tools=world.Tools.NONE, started_at=9_980.0)
    found = check(decided(facts(booted, movable=XapiVerdict("VM_LACKS_FEATURE", ("centos54",)))), "tools")
    assert "was booted 20 s ago, and its tools have not reported yet" in text(found)
    assert "Ask again in a minute" in text(found)
    paravirtual = decided(facts(guest(tools=world.Tools.NONE, started_at=9_980.0)))
    assert (paravirtual.blocked, paravirtual.risk.value) == ((), "low")


def test_from_a_silent_host_nothing_is_moved() -> None:
    plan = decided(facts(source=host(1, silent_since=5.0)))
    assert [one.key for one in plan.blocked] == ["source-live"]
    assert "must not be started elsewhere" in text(plan.blocked[0])


def test_a_plan_of_high_availability_with_gaps_is_a_warning() -> None:
    weak = pool(ha_enabled=True, ha_wanted=2, ha_covered=1)
    found = check(decided(facts(guest(ha_protected=True), pool=weak)), "ha")
    assert found.grade is Grade.WARNING
    assert "centos54 is protected; the plan of experiment covers the loss of 1 host, 2 wanted" in text(found)
    good = pool(ha_enabled=True, ha_wanted=1, ha_covered=1)
    assert check(decided(facts(pool=good)), "ha").grade is Grade.OK


def test_both_questions_to_xapi_confirm_our_own_findings() -> None:
    read = msgspec.structs.replace(
        world.winxp(), xapi=XapiVerdict("VM_REQUIRES_SR", ("winxp", "Local storage")), movable=world.winxp().movable
    )
    vm = msgspec.structs.replace(read.vm, disks=(disk(sr=world.LOCAL),))
    plan = decided(msgspec.structs.replace(read, vm=vm))
    assert [one.key for one in plan.blocked] == ["storage:0", "tools"]
    assert "XAPI says the same (VM_REQUIRES_SR)" in text(plan.blocked[0])
    assert "XAPI says the same (VM_LACKS_FEATURE)" in text(plan.blocked[1])


def test_where_xapi_was_asked_and_sees_nothing_the_disagreement_is_told() -> None:
    local = guest(disks=(disk(sr=world.LOCAL),))
    agreed = decided(facts(local, xapi=XapiVerdict("HOST_DISABLED", ("xenserver3",))))
    assert "disagrees" not in text(check(agreed, "storage:0")), "XAPI stopped before it came to storage"
    for code in ("", "HOST_NOT_ENOUGH_PCPUS"):
        plan = decided(facts(local, xapi=XapiVerdict(code, ("20", "16") if code else ())))
        assert "XAPI disagrees: it was asked and does not object to this" in text(check(plan, "storage:0"))


def test_a_no_of_xapi_where_we_see_nothing_says_so_and_stops_the_plan() -> None:
    plan = decided(facts(movable=XapiVerdict("VM_HAS_VGPU", ("centos54",)), xapi=XapiVerdict("ODD_CODE", ("a",))))
    assert [one.key for one in plan.blocked] == ["xapi-move", "xapi"]
    assert "Our own check of this found nothing" in text(plan.blocked[0])
    assert "ODD_CODE (a)" in text(plan.blocked[1])


def test_our_own_block_is_no_refusal_of_xapi() -> None:
    vm = guest(blocked_operations={"pool_migrate": "xenbot job 12 until 14:00"})
    read = facts(vm, movable=XapiVerdict("OPERATION_BLOCKED", ("centos54", "xenbot job 12 until 14:00")))
    assert not decided(read).blocked


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference of XAPI is not beside this checkout")
def test_every_error_of_a_migration_has_a_sentence_of_ours() -> None:
    chapter = REFERENCE.read_text(encoding="utf-8").partition("## 6. Migration")[2].partition("\n## 7.")[0]
    codes = set(re.findall(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b", chapter)) - {"SR_BACKEND_FAILURE_"}
    assert len(codes) > 40
    assert not codes - known_codes()


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference of XAPI is not beside this checkout")
def test_every_error_of_a_join_has_a_sentence_of_ours() -> None:
    chapter = REFERENCE.read_text(encoding="utf-8").partition("### 7.1 ")[2].partition("\n### 7.2")[0]
    told = set(re.findall(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b", chapter))
    declared = json.loads((REFERENCE.parent / "xapi-datamodel.json").read_text(encoding="utf-8"))["errors"]
    codes = told | {code for code in declared if "JOINING_" in code}
    assert len(codes) > 40
    assert not codes - known_codes()


def test_words_of_storage_migration_name_what_matters() -> None:
    assert plain(explain("VM_MIGRATE_FAILED", ["u", "s", "d", "link lost"])) == "the migration broke off: link lost"
    assert "3" in plain(explain("TOO_MANY_STORAGE_MIGRATES", ["3"]))
    assert plain(explain("VM_BAD_POWER_STATE", ["db1", "running", "halted"])) == "db1 is halted, it must be running"
    assert plain(explain("VM_BAD_POWER_STATE", ["db1", "Running", "Halted"])).startswith("db1 went down on the way")


@pytest.mark.parametrize(
    ("printed", "meaning"),
    [
        ("xenopsd internal error: End_of_file", "the other side went away in the middle of the work"),
        (
            'xenopsd internal error: Domain.Emu_manager_failure("Received error from emu-manager: xenguest")',
            "the memory of the guest could not be sent or taken in",
        ),
        ('xenopsd internal error: Xenops_migrate.Remote_failed("…")', "the other host could not take the guest in"),
        ("Object with type VM and id x does not exist in xenopsd", "the host does not know the guest any more"),
        ("xenopsd internal error: Something_new(3)", "the host's domain manager failed with Something_new(3)"),
        ("Not_found", "XAPI had an internal error: Not_found"),
    ],
)
def test_an_internal_error_is_told_in_words_with_what_the_server_printed(printed: str, meaning: str) -> None:
    told = plain(explain("INTERNAL_ERROR", [printed]))
    assert told.startswith(meaning)
    assert printed.removeprefix("xenopsd internal error: ") in told
