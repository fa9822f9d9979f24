"""Moving disks while the guest runs: what is promised, when it is refused, what remains half-way, what a look says."""

from __future__ import annotations

import disk_facts as world
import msgspec
import pytest
from disk_facts import CD, Change, image, moved, read, target, vm, where
from migration_facts import ALONE, GIB, LOCAL, NFS, POOL, check, decided, facts, guest, host, text, web_local

from bot.domain.calls import Options, Ref
from bot.domain.disk_moves import DiskMoveFacts
from bot.domain.guest_facts import PowerFacts, XapiVerdict
from bot.domain.inventory import PowerState, Vm
from bot.domain.plan import Grade, Plan, Risk, ceiling, digest, drift
from bot.domain.policy import ApprovalRule, ApprovalSettings
from bot.domain.texts import plain
from bot.errors import Refused
from bot.operations import migrate, move_disks
from bot.operations.base import NOBODY, Look, Seen
from bot.operations.discover import operations


def planned(*changes: Change, devices: frozenset[str] = frozenset()) -> Plan:
    return move_disks.decide(read(*changes), ApprovalSettings(), devices)


def stops(*changes: Change) -> list[str]:
    return [one.key for one in planned(*changes).blocked]


def there(*devices: str) -> Change:
    return lambda now: msgspec.structs.replace(now, vm=moved(now.vm, *devices))


def test_one_step_for_each_disk_and_none_for_cds() -> None:
    plan = planned()
    assert plain(plan.title) == "Move disks 0, 2 of web-local to nfs-vhd"
    assert not plan.blocked
    assert [(step.kind, step.call.args) for step in plan.steps] == [
        ("VDI.pool_migrate:0", (Ref("VDI", "v-0"), Ref("SR", "sr-nfs"), Options({}))),
        ("VDI.pool_migrate:2", (Ref("VDI", "v-2"), Ref("SR", "sr-nfs"), Options({}))),
    ]
    assert {step.call.method for step in plan.steps} == {"VDI.pool_migrate"}
    assert plan.parallel == 1
    assert {lock.text for lock in plan.locks} == {"VM:vm-1", "host:h-1", "SR:sr-nfs", "SR:sr-local1"}
    assert operations()["move-disks"] is move_disks.OPERATION


def test_the_estimate_follows_from_what_is_on_the_disks() -> None:
    assert planned().estimate_s == pytest.approx(7 * GIB / 100e6)
    assert planned(image("2", layered=True)).estimate_s == pytest.approx(22 * GIB / 100e6)


def test_storage_that_moves_is_never_of_low_risk() -> None:
    plan = planned()
    assert plan.risk is Risk.MEDIUM
    assert "storage moves" in plain(plan.risk_reasons[0])
    assert planned(target(used=440 * GIB)).risk is Risk.MEDIUM
    assert planned(target(used=470 * GIB)).risk is Risk.HIGH
    assert "nfs-vhd keeps 4 % of its room free" in [plain(one) for one in planned(target(used=470 * GIB)).risk_reasons]
    assert planned(vm(tags=frozenset({"critical"}))).risk is Risk.HIGH
    ruled = ApprovalSettings(rules=(ApprovalRule(pool="experiment", approvers=1),))
    assert move_disks.decide(read(), ruled).approvers == 1


def test_a_disk_that_is_there_already_has_no_step_and_only_the_rest_is_planned() -> None:
    plan = planned(there("0"))
    assert [step.kind for step in plan.steps] == ["VDI.pool_migrate:2"]
    assert text(check(plan, "disk:0")) == "Disk: disk 0 (8 GiB) is on nfs-vhd already"
    everything = planned(there("0", "2"))
    assert [one.key for one in everything.blocked] == ["disks"]
    assert everything.steps == ()


def test_disks_may_be_named_and_one_that_is_not_there_is_told_with_those_that_are() -> None:
    assert [step.kind for step in planned(devices=frozenset({"2"})).steps] == ["VDI.pool_migrate:2"]
    unknown = planned(devices=frozenset({"2", "7"}))
    assert [text(one) for one in unknown.blocked] == ["Disks: web-local has no disk 7 | Name one of its disks: 0, 2."]
    assert stops(vm(disks=(CD,))) == ["disks"]


@pytest.mark.parametrize(
    ("change", "key", "words"),
    [
        (vm(power_state=PowerState.HALTED, host=None), "power", "only disks of a running guest are moved | Start"),
        (vm(power_state=PowerState.SUSPENDED), "power", "web-local is suspended"),
        (vm(operations={"snapshot": "Nightly"}), "busy", "web-local is busy: a snapshot"),
        (
            vm(blocked_operations={"migrate_send": "until six"}),
            "blocked",
            "blocked on purpose: “until six”",
        ),
        (where(target_pool=ALONE), "pool", "disks move only inside a pool | Choose an SR of experiment"),
        (target(type="iso"), "target-type", "holds CDs or devices, not disks of guests"),
        (where(features={"nfs": frozenset({"VDI_CREATE"})}), "target-type", "cannot take a disk that is in use"),
        (target(hosts=frozenset({"h-3"})), "target-seen", "not plugged on xenserver1, where web-local runs | Plug"),
        (target(hosts=frozenset(), shared=False), "target-seen", "Choose an SR that xenserver1 sees"),
        (where(target_work=("forget",)), "target-busy", "nfs-vhd is being forgotten"),
        (target(used=497 * GIB), "room", "3 GiB free, the disks need at least 7 GiB | Make 4 GiB of room"),
        (target(type="lvmoiscsi", used=480 * GIB), "room", "20 GiB free, the disks need at least 28 GiB"),
        (image("0", tracked=True), "disk:0:cbt", "changed block tracking is on for disk 0 (8 GiB) | Switch"),
        (image("0", encrypted=True), "disk:0:encrypted", "is encrypted"),
        (image("2", resets=True), "disk:2:resets", "is reset at every boot"),
        (image("2", kind="redo_log"), "disk:2:kind", "holds state of XAPI (redo_log)"),
        (image("2", shared=True), "disk:2:shared", "is shared with other guests"),
        (image("2", missing=True), "disk:2:missing", "is missing on Local storage"),
        (image("2", operations=("snapshot",)), "disk:2:busy", "is being worked on: snapshot"),
        (where(images={"0": world.Image("v-0")}), "disk:2", "on storage that cannot be seen"),
        (where(host=host(1, silent_since=9_000.0)), "source-live", "has been silent"),
        (where(movable=XapiVerdict("VM_LACKS_FEATURE", ("web-local",))), "xapi-move", "no PV drivers"),
    ],
)
def test_what_stops_a_disk_is_told_with_its_fix(change: Change, key: str, words: str) -> None:
    plan = planned(change)
    (stopped,) = [one for one in plan.blocked if one.key == key]
    assert stopped.fix is not None
    assert words in text(stopped)


def test_a_driver_that_cannot_mirror_keeps_its_disks() -> None:
    assert stops(where(features={"nfs": world.CAN, "ext": frozenset({"VDI_MIRROR"})})) == [
        "disk:0:driver",
        "disk:2:driver",
    ]
    assert stops(where(features={"nfs": frozenset(), "ext": frozenset()})) == []


def test_our_word_and_xapis_are_told_as_one_and_never_as_a_disagreement() -> None:
    verdict = XapiVerdict("OPERATION_BLOCKED", ("web-local", "no"))
    refused = planned(vm(blocked_operations={"migrate_send": "no"}), where(movable=verdict))
    (stopped,) = refused.blocked
    assert "XAPI says the same (OPERATION_BLOCKED)" in text(stopped)
    halted = planned(vm(power_state=PowerState.HALTED, host=None), where(host=None))
    assert "disagrees" not in " ".join(text(one) for one in halted.checks)


def test_room_that_could_run_short_is_a_warning_and_overselling_is_told() -> None:
    tight = check(planned(target(used=480 * GIB)), "room")
    assert tight.grade is Grade.WARNING
    assert "20 GiB free, the disks may grow to 28 GiB" in text(tight)
    oversold = check(planned(where(promised=490 * GIB)), "room")
    assert oversold.grade is Grade.OK
    assert "all disks on it may then grow to 518 GiB of 500 GiB" in text(oversold)
    kept = check(planned(image("0", snapshots=2, snapshots_used=GIB)), "room")
    assert "may grow to 44 GiB, 2 snapshots included" in text(kept)
    assert check(planned(target(size=-1, used=-1)), "room").grade is Grade.UNKNOWN


def test_what_remains_after_a_step_is_what_a_new_plan_says_and_nothing_speaks_against_it() -> None:
    whole, agreed = planned(), ceiling(planned())
    rest = move_disks.OPERATION.rest(whole, frozenset({0}))
    now = planned(there("0"), devices=frozenset({"2"}))
    assert digest(rest) == digest(now)
    assert drift(rest, agreed, now) == ()
    assert drift(rest, agreed, planned(devices=frozenset({"2"}))) != ()


class Pool:
    """Direct reads that show this guest, and these facts."""

    def __init__(self, vm: Vm, facts: DiskMoveFacts | None = None) -> None:
        self.vm = vm
        self.facts = facts or read()

    async def power(self, _vm: str, _operations: tuple[str, ...], *, placing: bool = False) -> PowerFacts:
        assert not placing
        return PowerFacts(POOL, self.vm, host(1), (host(1),), {}, {}, own=False, read_at=1.0)

    async def disk_move(self, vm: str, sr: str) -> DiskMoveFacts:
        assert (vm, sr) == ("vm-1", "sr-nfs")
        return self.facts


async def test_asking_again_plans_only_what_is_left() -> None:
    again = await move_disks.OPERATION.replan(planned(), Pool(read().vm, read(there("0"))), ApprovalSettings(), NOBODY)
    assert [step.kind for step in again.steps] == ["VDI.pool_migrate:2"]


async def looked(now: Vm) -> Look:
    plan = planned()
    return await move_disks.OPERATION.look(plan, plan.steps[0], Pool(now))


@pytest.mark.parametrize(
    ("change", "seen", "headline"),
    [
        (there("0"), Seen.DONE, "Disk 0 of web-local is on nfs-vhd"),
        (there(), Seen.NOT_DONE, "Disk 0 of web-local is on Local storage"),
        (vm(operations={"migrate_send": ""}), Seen.GOING_ON, "Disk 0 of web-local is on its way to nfs-vhd"),
        (vm(disks=(CD,)), Seen.HARMED, "web-local has no disk 0 any more"),
        (
            vm(power_state=PowerState.HALTED, host=None),
            Seen.HARMED,
            "GUEST IS DOWN: web-local is halted, it ran before; Disk 0 of web-local is on Local storage",
        ),
    ],
)
async def test_a_look_finds_the_disk_by_its_place_in_the_guest(change: Change, seen: Seen, headline: str) -> None:
    look = await looked(read(change).vm)
    assert (look.seen, plain(look.headline)) == (seen, headline)


async def test_old_and_new_uuid_are_told_and_a_guest_that_went_down_meanwhile_too() -> None:
    down = read(there("0"), vm(power_state=PowerState.HALTED, host=None)).vm
    look = await looked(down)
    assert look.seen is Seen.DONE
    assert plain(look.headline).startswith("GUEST IS DOWN: web-local is halted, it ran before; Disk 0")
    assert "Looked at: disk 0 was v-0, it is v-0-new now" in [plain(one) for one in look.evidence]


async def test_the_sum_says_what_is_true_of_every_disk() -> None:
    sum_up = move_disks.OPERATION.sum_up
    assert sum_up is not None
    every = await sum_up(planned(), frozenset({0, 1}), Pool(read(there("0", "2")).vm))
    assert (every.seen, plain(every.headline)) == (Seen.DONE, "Disks 0, 2 of web-local are on nfs-vhd")
    assert [plain(one) for one in every.evidence] == [
        "Looked at: disk 0 was v-0, it is v-0-new now",
        "Looked at: disk 2 was v-2, it is v-2-new now",
        "web-local is running",
    ]
    half = await sum_up(planned(), frozenset({0}), Pool(read(there("0")).vm))
    assert half.seen is Seen.NOT_DONE
    assert plain(half.headline) == "1 of 2 disks of web-local are on nfs-vhd, not there: disk 2"


async def test_a_guest_found_halted_is_the_headline_though_every_disk_arrived() -> None:
    sum_up = move_disks.OPERATION.sum_up
    assert sum_up is not None
    down = read(there("0", "2"), vm(power_state=PowerState.HALTED, host=None)).vm
    look = await sum_up(planned(), frozenset({0, 1}), Pool(down))
    assert look.seen is Seen.HARMED
    assert plain(look.headline) == (
        "GUEST IS DOWN: web-local is halted, it ran before; Disks 0, 2 of web-local are on nfs-vhd"
    )


class Shelves:
    """Direct reads of a guest whose disks are on nfs-vhd now, for moving them to any SR."""

    async def disk_move(self, _vm: str, sr: str) -> DiskMoveFacts:
        return read(there("0", "2"), where(target=LOCAL if sr == "sr-local1" else NFS))


async def test_the_way_back_leads_each_disk_to_where_it_was_and_numbers_do_not_raise_its_risk() -> None:
    assert move_disks.OPERATION.reverse is not None
    back = await move_disks.OPERATION.reverse(planned(), Shelves(), ApprovalSettings())
    assert plain(back.title) == "Move disks 0, 2 of web-local to Local storage"
    assert (back.back, back.risk, back.blocked) == (True, Risk.MEDIUM, ())
    full = read(there("0", "2"), where(target=msgspec.structs.replace(LOCAL, used=76 * GIB)))
    assert move_disks.decide(full, ApprovalSettings()).risk is Risk.HIGH
    assert move_disks.decide(full, ApprovalSettings(), back=True).risk is Risk.MEDIUM


async def test_disks_of_several_srs_are_asked_back_one_sr_at_a_time() -> None:
    far = msgspec.structs.replace(LOCAL, uuid="sr-far", name="far")
    mixed = vm(disks=(world.ROOT, msgspec.structs.replace(world.DATA, sr=far), CD))
    assert move_disks.OPERATION.reverse is not None
    with pytest.raises(Refused) as refusal:
        await move_disks.OPERATION.reverse(planned(mixed), Shelves(), ApprovalSettings())
    assert "move-disks vm-1 disk 2 to sr-far" in refusal.value.fix
    assert "move-disks vm-1 disk 0 to sr-local1" in refusal.value.fix


def instead(plan: Plan) -> list[tuple[str, str]]:
    assert migrate.OPERATION.instead is not None
    return [(button.label, button.target) for button in migrate.OPERATION.instead(plan)]


def test_a_migration_that_local_storage_stops_offers_to_move_what_is_in_the_way() -> None:
    plan = decided(web_local())
    assert instead(plan) == [
        ("Plan: move disk", "move-disks vm-1 disk 0 to sr-nfs"),
        ("Plan: migrate with storage", "migrate vm-1 to h-3 disk 0 sr sr-nfs"),
        ("Other hosts", "why vm-1"),
    ]
    assert [plain(way.says) for way in plan.ways] == [
        "Plan: move disk 0 of web-local to nfs-vhd, 8 GiB at most, about 86 s",
        "Plan: migrate to xenserver3 with disk 0 of web-local to nfs-vhd, 8 GiB at most, about 86 s",
    ]


def test_only_disks_in_the_way_are_offered_to_be_moved_and_only_where_they_would_fit() -> None:
    second = msgspec.structs.replace(world.DATA, sr=LOCAL)
    mixed = guest("web-local", disks=(msgspec.structs.replace(world.ROOT, sr=NFS), second))
    assert instead(decided(facts(mixed)))[0] == ("Plan: move disk", "move-disks vm-1 disk 2 to sr-nfs")
    both = guest("web-local", disks=(world.ROOT, second))
    assert instead(decided(facts(both)))[0] == ("Plan: move disks", "move-disks vm-1 disk 0,2 to sr-nfs")
    full = msgspec.structs.replace(NFS, used=499 * GIB)
    assert instead(decided(facts(both, srs=(full, LOCAL)))) == [("Other hosts", "why vm-1")]
    halted = guest("web-local", disks=(world.ROOT,), power_state=PowerState.HALTED, host=None)
    assert instead(decided(facts(halted)))[0][0] == "Plan: start"
