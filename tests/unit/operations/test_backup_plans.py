"""What `/xen backup` plans, and what it refuses with which reason."""

from __future__ import annotations

import backup_world as backups
import msgspec
import pytest
from backup_world import DAY, NOW, decided, earlier, place, read, where
from migration_facts import GIB, check, text

from bot.domain.backup_facts import Room
from bot.domain.calls import Made, Marked
from bot.domain.guest_facts import XapiVerdict
from bot.domain.inventory import PowerState
from bot.domain.plan import Grade, Plan, Risk, digest
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import plain
from bot.operations.backup_steps import OTHERS, Manner, export_of, manner_of, options_of
from bot.operations.backup_words import full_at
from bot.operations.checks.backing import How, Place
from bot.operations.stream_ports import Compression


def kinds(plan: Plan) -> list[str]:
    return [step.kind for step in plan.steps]


def blocked(plan: Plan) -> dict[str, str]:
    return {one.key.partition(":")[0]: text(one) for one in plan.blocked}


def test_a_running_guest_is_backed_up_by_a_snapshot_that_is_taken_back_with_its_disks() -> None:
    plan = decided(read())
    assert kinds(plan) == ["VM.snapshot", "backup", "VM.destroy", "VDI.destroy", OTHERS]
    assert not plan.blocked
    assert plan.risk is Risk.LOW
    snapshot, export, destroy, disk, others = plan.steps
    assert snapshot.makes
    assert {step.undoes for step in (destroy, disk, others)} == {snapshot.makes}
    assert others.unless_well
    assert Marked("xenbot backup") in snapshot.call.args
    assert export.call.own
    assert export.call.args[0] == Made("VM", "snapshot vm-1")
    assert {step.lane for step in plan.steps} == {"vm-1"}


def test_cold_starts_the_guest_again_before_the_export_and_in_place_after_it() -> None:
    cold, in_place = decided(read(), how=How.COLD), decided(read(), how=How.IN_PLACE)
    assert kinds(cold)[:4] == ["VM.clean_shutdown", "VM.snapshot", "VM.start", "backup"]
    assert kinds(in_place) == ["VM.clean_shutdown", "backup-in-place", "VM.start"]
    for plan in (cold, in_place):
        start = next(step for step in plan.steps if step.kind == "VM.start")
        assert start.undoes == plan.steps[0].makes
    assert (cold.risk, in_place.risk) == (Risk.MEDIUM, Risk.HIGH)
    assert "off for the whole export, up to" in plain(in_place.risk_reasons[0])


def test_a_tag_makes_an_outage_riskier_and_a_snapshot_not() -> None:
    tagged, approval = read(backups.vm(tags=frozenset({"critical"}))), ApprovalSettings()
    assert decided(tagged, approval=approval).risk is Risk.LOW
    assert decided(tagged, how=How.COLD, approval=approval).risk is Risk.HIGH
    assert decided(tagged, how=How.IN_PLACE, approval=approval).risk is Risk.CRITICAL


def test_a_halted_guest_is_exported_as_it_is() -> None:
    plan = decided(read(of=backups.SECOND))
    assert kinds(plan) == ["backup"]
    assert any("cannot be started until" in plain(line) for line in plan.after)


def test_what_was_asked_for_is_in_the_digest_and_read_back() -> None:
    manner = Manner(cold=False, compress=Compression.GZIP, kept_s=30 * DAY)
    plan, other = decided(read(), manner=manner), decided(read())
    export = export_of(plan.steps, "vm-1")
    assert export is not None
    assert manner_of(export) == manner
    assert options_of(export)["how"] == How.WARM.value
    assert digest(plan) != digest(other)


def test_each_guest_takes_a_place_at_its_host_in_its_pool_and_towards_the_archive() -> None:
    for how in (How.WARM, How.COLD, How.IN_PLACE):
        first, *others = decided(read(), how=how).steps
        assert {key.kind for key in first.holds} == {"host", "pool", "archive"}
        assert not [step for step in others if step.holds], "kept to the end of its lane"


def test_a_name_is_not_in_the_digest() -> None:
    assert digest(decided(read())) == digest(decided(read(backups.vm(name="../../etc\n*bold*" + "x" * 300))))


@pytest.mark.parametrize(
    ("state", "says"),
    [(PowerState.SUSPENDED, "its saved memory would not be in the backup"), (PowerState.PAUSED, "is paused")],
)
def test_a_guest_that_is_neither_running_nor_halted_is_refused(state: PowerState, says: str) -> None:
    assert says in blocked(decided(read(backups.vm(power_state=state))))["power"]


def test_a_guest_without_a_disk_is_refused() -> None:
    assert "no disk" in blocked(decided(read(backups.vm(disks=()), where(images={}, depths={}))))["disks"]


def test_a_guest_that_somebody_works_on_is_refused_and_named() -> None:
    busy = backups.vm(operations={"pool_migrate": ""}, workers={"pool_migrate": "xenbot job 7"})
    assert "a migration by xenbot job 7" in blocked(decided(read(busy)))["busy"]


def test_an_archive_that_is_too_small_is_refused_and_one_that_may_be_is_told() -> None:
    assert "2 GiB are needed at least, 1 GiB are free" in blocked(decided(read(), there=place(GIB)))["archive"]
    told = check(decided(read(), there=place(5 * GIB)), "archive")
    assert told.grade is Grade.WARNING
    assert "should its disks be full, 8 GiB come" in text(told)
    known = check(decided(read(), there=place(5 * GIB, earlier(1, 3 * GIB))), "archive")
    assert known.grade is Grade.OK, "an earlier backup says how much comes"
    assert "archive" in blocked(decided(read(), there=place(2 * GIB, earlier(1, 3 * GIB))))


def test_guests_are_counted_together() -> None:
    plan = decided(read(), read(of=backups.SECOND), there=place(3 * GIB))
    assert "4 GiB are needed at least" in blocked(plan)["archive"]


def test_a_place_that_cannot_be_used_says_what_to_do() -> None:
    there = Place(None, ("Nothing is mounted at /srv/backups.", "Mount it."))
    refused = check(decided(read(), there=there), "archive")
    assert text(refused) == "Room in the archive: Nothing is mounted at /srv/backups. | Mount it."


@pytest.mark.parametrize(
    ("kind", "free", "grade"),
    [
        ("nfs", GIB // 16, Grade.BLOCKED),
        ("nfs", GIB, Grade.WARNING),
        ("nfs", 8 * GIB, Grade.OK),
        ("lvm", 7 * GIB, Grade.BLOCKED),
        ("lvm", 9 * GIB, Grade.OK),
    ],
)
def test_room_for_the_snapshot_depends_on_what_the_storage_sets_aside(kind: str, free: int, grade: Grade) -> None:
    plan = decided(read(backups.on(type=kind, used=500 * GIB - free)))
    assert check(plan, "snapshot-room:sr-nfs").grade is grade


def test_layers_are_warned_of_before_the_storage_refuses() -> None:
    assert check(decided(read(where(depths={"0": 20}))), "chain").grade is Grade.WARNING
    assert check(decided(read(where(depths={"0": 29}))), "chain").grade is Grade.BLOCKED
    assert check(decided(read(where(depths={"0": -1}))), "chain").grade is Grade.OK


def test_images_that_wait_to_be_merged_are_told_where_they_are_many() -> None:
    told = check(decided(read(where(merging={"sr-nfs": 8}))), "merging:sr-nfs")
    assert told.grade is Grade.WARNING
    assert "8 images on nfs-vhd still wait to be merged" in text(told)
    few = decided(read(where(merging={"sr-nfs": 7, "sr-other": 90})))
    assert not [one for one in few.checks if one.key.startswith("merging")]


def test_a_backup_by_another_tool_is_told_and_stops_nothing() -> None:
    told = check(decided(read(where(exported=("[XO Backup Nightly] centos54",)))), "exported")
    assert told.grade is Grade.WARNING
    assert "another backup of centos54 is under way: its snapshot “[XO Backup Nightly] centos54” is exported" in text(
        told
    )
    assert not [one for one in decided(read()).checks if one.key == "exported"]


def test_a_file_server_that_holds_the_disks_too_is_called_what_it_is() -> None:
    told = check(decided(read(), there=place(same=frozenset({"sr-nfs"}))), "independent")
    assert told.grade is Grade.WARNING
    assert "same file server as nfs-vhd" in text(told)


def test_the_limit_of_a_day_is_told_ahead_of_time() -> None:
    slow = place(300 * GIB, earlier(2, 2 * GIB, took=1.2 * DAY))
    assert "XAPI ends any task after 24 h" in blocked(decided(read(), there=slow))["time"]
    assert (
        check(decided(read(), there=place(300 * GIB, earlier(2, 2 * GIB, took=0.9 * DAY))), "time").grade
        is Grade.WARNING
    )
    assert decided(read(), there=place(300 * GIB, earlier(2, 2 * GIB, took=77))).estimate_s == 77


def test_room_that_backups_under_way_will_take_is_no_room() -> None:
    there = msgspec.structs.replace(place(), room=Room(GIB, 500 * GIB, promised=4 * GIB))
    said = blocked(decided(read(), there=there))["archive"]
    assert "2 GiB are needed at least, 1 GiB are free besides 4 GiB for backups under way" in said


def test_the_date_on_which_the_archive_is_full_follows_from_the_last_weeks() -> None:
    there = place(20 * GIB, *(earlier(day, GIB) for day in range(1, 11)))
    full = full_at(there, 0, NOW)
    assert full is not None
    assert 19 * DAY < full - NOW < 21 * DAY
    assert full_at(place(20 * GIB), 0, NOW) is None
    assert any("it is full on" in plain(line) for line in decided(read(), there=there).after)


def test_every_obstacle_is_named_at_once() -> None:
    found = set(blocked(decided(read(*backups.OBSTACLES), there=place(GIB))))
    assert found == {
        "archive",
        "power",
        "busy",
        "blocked-backup",
        "visible",
        "images",
        "resets",
        "usb",
        "chain",
        "snapshot-room",
        "xapi",
    }


def test_one_guest_of_several_that_cannot_is_named_and_stops_the_plan() -> None:
    bad = read(backups.vm(uuid="vm-2", name="web2", power_state=PowerState.SUSPENDED))
    plan = decided(read(), bad)
    assert [one.key for one in plan.blocked] == ["power:vm-2"]
    assert [one.title for one in plan.blocked] == ["web2: Power state"]
    assert check(plan, "guest:vm-1").grade is Grade.OK


def test_a_verdict_of_xapi_on_a_running_export_is_no_reason_against_a_snapshot() -> None:
    facts = read()
    running = {**facts.valid, "export": XapiVerdict("VM_BAD_POWER_STATE", ("centos54", "halted", "running"))}
    assert not decided(msgspec.structs.replace(facts, valid=running)).blocked
