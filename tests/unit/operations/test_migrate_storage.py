"""A guest that goes with its disks: what is promised, when it is refused, how risky it is, and what a look says."""

from __future__ import annotations

import msgspec
import pytest
import send_facts as world
from migration_facts import ALONE, GIB, LOCAL, NFS, POOL, check, host, text
from send_facts import FAR, HALTED, Change, move, part, read, vm, where

from bot.domain.calls import DiskMap, Flag, Options, Reception, Ref
from bot.domain.disk_moves import DiskMoveFacts, Image, SendFacts
from bot.domain.guest_facts import PowerFacts, XapiVerdict
from bot.domain.inventory import PowerState, Vm
from bot.domain.plan import Grade, Plan, Risk, ceiling, digest, drift
from bot.domain.policy import ApprovalSettings
from bot.domain.texts import plain
from bot.errors import Refused
from bot.operations import migrate_storage
from bot.operations.base import NOBODY, Look, Seen
from bot.operations.discover import operations

OPERATION = migrate_storage.OPERATION


def planned(*changes: Change) -> Plan:
    return migrate_storage.decide(read(*changes), ApprovalSettings())


def stops(*changes: Change) -> list[str]:
    return [one.key.partition(":")[0] for one in planned(*changes).blocked]


def test_one_call_names_every_disk_and_whom_to_ask_but_holds_no_secret() -> None:
    plan = planned()
    assert not plan.blocked
    (step,) = plan.steps
    assert step.call.method == "VM.migrate_send"
    assert step.call.args == (
        Ref("VM", "vm-1"),
        Reception("h-3", "n-0"),
        Flag(True),
        DiskMap({"0": ("v-0", "sr-local3"), "2": ("v-2", "sr-local3")}),
        Options({}),
        Options({}),
    )
    assert {lock.text for lock in plan.locks} == {"VM:vm-1", "host:h-1", "host:h-3", "SR:sr-local1", "SR:sr-local3"}
    assert operations()["migrate-storage"] is OPERATION


def test_a_disk_that_stays_is_named_too_with_its_own_sr() -> None:
    root, data = read().move.vm.disks
    mixed = vm(disks=(msgspec.structs.replace(root, sr=NFS), data))
    plan = planned(mixed, where(goals={"2": FAR.uuid}))
    assert not plan.blocked
    (disks,) = [one for one in plan.steps[0].call.args if isinstance(one, DiskMap)]
    assert disks.places == {"0": ("v-0", "sr-nfs"), "2": ("v-2", "sr-local3")}
    assert "disk 2 → Local storage of xenserver3" in plain(plan.title)


def test_the_digest_changes_with_every_thing_that_was_agreed_to() -> None:
    other = host(3, uuid="h-4", name="xenserver4")
    changed = [
        planned(move(target=other)),
        planned(where(goals={"0": FAR.uuid})),
        planned(where(network=msgspec.structs.replace(world.MANAGEMENT, uuid="n-7"))),
        planned(*HALTED),
    ]
    assert len({digest(one) for one in (planned(), *changed)}) == 5


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        ([vm(power_state=PowerState.SUSPENDED)], "power", "its saved memory would have to go along | Resume"),
        ([vm(power_state=PowerState.PAUSED)], "power", "Unpause web-local first"),
        ([vm(host="h-3"), move(source=host(3))], "there", "To move its disks alone use /xen move-disks vm-1"),
        ([move(pool=msgspec.structs.replace(POOL, storage_motion=False))], "licence", "moving disks that are in use"),
        ([where(strange=("7",))], "disks", "web-local has no disk 7 | Name one of its disks: 0, 2."),
        ([where(network=None)], "transfer", "names no management interface"),
        ([move(source=host(1, silent_since=9_000.0))], "source-live", "has been silent"),
        ([move(target=host(3, silent_since=9_000.0))], "live", "has been silent"),
        ([move(target=host(3, memory_free=GIB // 4))], "memory", "xenserver3 can give 256 MiB"),
        ([part(target=msgspec.structs.replace(FAR, used=88 * GIB))], "room", "the disks need at least 8 GiB"),
        ([part(target_pool=ALONE)], "pool", "disks move only inside a pool"),
        ([where(goals={"0": FAR.uuid})], "storage", "disk 2 (20 GiB) is on Local storage of xenserver1"),
        ([*HALTED, move(pool_hosts=(host(3),))], "giver", "no host that answers has the storage of all its disks"),
        ([move(xapi=XapiVerdict("LICENCE_RESTRICTION", ("Storage_motion",)))], "xapi", "the licence does not include"),
    ],
)
def test_what_stops_it_is_told_with_its_fix(changes: list[Change], key: str, words: str) -> None:
    found = [one for one in planned(*changes).blocked if one.key.partition(":")[0] == key]
    assert found, stops(*changes)
    assert found[0].fix is not None
    assert words in text(found[0])


def test_a_disk_on_storage_that_cannot_be_seen_is_not_taken_for_one_that_has_arrived() -> None:
    root, data = read().move.vm.disks
    lost = vm(disks=(msgspec.structs.replace(root, sr=None),))
    assert "disk" in stops(lost, where(goals={"0": FAR.uuid}))
    assert "disks" not in stops(lost, where(goals={"0": FAR.uuid}))
    assert data.sr is LOCAL


def test_a_host_of_another_pool_is_no_target_and_the_way_there_is_named() -> None:
    far = host(2, pool="p-2", uuid="h-2")
    plan = planned(move(target=far, target_pool=ALONE, xapi=None), where(parts=(), goals={}, network=None))
    (stopped,) = plan.blocked
    assert "only by a backup and a restore of it there: /xen move-by-backup" in text(stopped)


def test_a_halted_guest_needs_neither_memory_nor_tools_there() -> None:
    plan = planned(*HALTED, move(target=host(3, memory_free=0), source=None))
    assert not plan.blocked
    assert {"memory", "tools", "cpu-vendor"}.isdisjoint(one.key for one in plan.checks)
    assert not any("no guest tools" in plain(reason) for reason in plan.risk_reasons)


def test_what_xapi_could_not_be_asked_is_waited_for_and_not_taken_for_a_yes() -> None:
    assert [one.key for one in planned(move(xapi=None)).unclear] == ["xapi"]
    assert check(planned(), "xapi").grade is Grade.OK


def test_storage_that_moves_is_never_of_low_risk_and_more_makes_it_riskier() -> None:
    assert planned().risk is Risk.MEDIUM
    assert planned(part(target=msgspec.structs.replace(FAR, used=75 * GIB))).risk is Risk.HIGH
    assert planned(vm(tags=frozenset({"critical"}))).risk is Risk.HIGH
    guarded = msgspec.structs.replace(POOL, ha_enabled=True, ha_wanted=1, ha_covered=1)
    plan = planned(vm(ha_protected=True), move(pool=guarded), part(pool=guarded))
    reasons = [plain(reason) for reason in plan.risk_reasons]
    assert "Local storage is not shared, so high availability could not restart web-local on another host" in reasons
    assert plan.risk is Risk.HIGH


def test_the_snapshots_of_a_disk_take_their_room_too() -> None:
    assert "may grow to 36 GiB, 1 snapshot included" in text(check(planned(), "room:sr-local3"))
    assert "its snapshots follow it" in " ".join(plain(line) for line in planned().after)


class Reads:
    """Direct reads of the guest as it is now."""

    def __init__(self, now: Vm, left: frozenset[str] = frozenset()) -> None:
        self.now = now
        self.left = left
        self.host = host(1)
        self.asked: tuple[str, str, dict[str, str]] | None = None

    async def power(self, _vm: str, _operations: tuple[str, ...], *, placing: bool = False) -> PowerFacts:
        assert not placing
        return PowerFacts(POOL, self.now, self.host, (host(1),), {}, {}, own=False, read_at=1.0)

    async def exists(self, _pool: str, kind: str, uuid: str) -> bool:
        assert kind == "VDI"
        return uuid in self.left

    async def sending(self, vm: str, host: str, goals: dict[str, str]) -> SendFacts:
        self.asked = (vm, host, dict(goals))
        return read()

    async def disk_move(self, _vm: str, _sr: str) -> DiskMoveFacts:
        return msgspec.structs.replace(read().parts[0], target=LOCAL)


def now(*there: str, **changes: object) -> Vm:
    """The guest with these disks on the storage of xenserver3, each under a new UUID."""
    disks = (
        msgspec.structs.replace(disk, vdi=f"{disk.vdi}-new", sr=FAR) if disk.userdevice in there else disk
        for disk in read().move.vm.disks
    )
    return msgspec.structs.replace(read().move.vm, disks=tuple(disks), **changes)


@pytest.mark.parametrize(
    ("found", "seen", "headline"),
    [
        (
            now("0", "2", host="h-3"),
            Seen.DONE,
            "web-local now runs on xenserver3; disks 0, 2 are on Local storage of xenserver3",
        ),
        (now(), Seen.NOT_DONE, "web-local still runs on xenserver1; disks 0, 2 are on Local storage of xenserver1"),
        (now(operations={"migrate_send": ""}), Seen.GOING_ON, "web-local is on its way to xenserver3 with its disks"),
        (now("0", "2", scheduled_host="h-3"), Seen.GOING_ON, "web-local is on its way to xenserver3"),
        (
            now("2", host="h-3"),
            Seen.HARMED,
            (
                "web-local now runs on xenserver3; disk 0 is on Local storage of xenserver1, "
                "disk 2 is on Local storage of xenserver3"
            ),
        ),
        (
            now("0", "2", power_state=PowerState.HALTED, host=None),
            Seen.HARMED,
            "GUEST IS DOWN: web-local is halted, it ran before; disks 0, 2 are on Local storage of xenserver3",
        ),
    ],
)
async def test_a_look_goes_by_host_power_state_and_the_place_of_every_disk(
    found: Vm, seen: Seen, headline: str
) -> None:
    look = await looked(planned(), Reads(found))
    assert (look.seen, plain(look.headline)) == (seen, headline)


async def looked(plan: Plan, reads: Reads) -> Look:
    return await OPERATION.look(plan, plan.steps[0], reads)


async def test_a_host_that_fell_silent_or_a_reboot_is_told_where_the_guest_did_not_arrive() -> None:
    reads = Reads(now())
    reads.host = host(1, silent_since=9_000.0)
    look = await looked(planned(), reads)
    assert plain(look.headline).startswith("nobody knows whether web-local runs: xenserver1 is silent; disks 0, 2 are")
    again = await looked(planned(), Reads(now(started_at=2_000.0)))
    assert "web-local was rebooted at" in plain(again.headline)


async def test_an_old_disk_that_xapi_left_behind_is_named_since_nobody_else_would() -> None:
    look = await looked(planned(), Reads(now("0", "2", host="h-3"), frozenset({"v-2"})))
    assert look.seen is Seen.DONE
    told = [plain(line) for line in look.evidence]
    assert "Looked at: disk 2 was v-2, it is v-2-new now" in told
    assert "The old disk 2 (v-2) was still on Local storage: should it stay, it takes up room there" in " ".join(told)


async def test_a_halted_guest_is_done_with_when_its_disks_are_there_and_it_is_off_as_before() -> None:
    plan = planned(*HALTED)
    off = {"power_state": PowerState.HALTED, "host": None}
    assert (await looked(plan, Reads(now("0", "2", **off)))).seen is Seen.DONE
    assert (await looked(plan, Reads(now("0", **off)))).seen is Seen.NOT_DONE
    assert (await looked(plan, Reads(now("0", "2")))).seen is Seen.HARMED


async def test_the_way_back_takes_every_disk_to_where_it_was_and_numbers_do_not_raise_its_risk() -> None:
    assert OPERATION.reverse is not None
    reads = Reads(now())
    back = await OPERATION.reverse(planned(), reads, ApprovalSettings())
    assert reads.asked == ("vm-1", "h-1", {"0": "sr-local1", "2": "sr-local1"})
    assert back.back
    full = read(part(target=msgspec.structs.replace(FAR, used=75 * GIB)))
    assert migrate_storage.decide(full, ApprovalSettings(), back=True).risk is Risk.MEDIUM
    await OPERATION.reverse(planned(*HALTED), reads, ApprovalSettings())
    assert reads.asked[1] == "h-1"
    nowhere = Reads(now())
    nowhere.disk_move = lambda _vm, _sr: _unplugged()  # type: ignore[method-assign]
    with pytest.raises(Refused):
        await OPERATION.reverse(planned(*HALTED), nowhere, ApprovalSettings())


async def _unplugged() -> DiskMoveFacts:
    return msgspec.structs.replace(read().parts[0], target=msgspec.structs.replace(LOCAL, hosts=frozenset()))


async def test_planned_again_it_asks_for_the_same_disks_and_a_disk_that_moved_meanwhile_voids_it() -> None:
    reads, plan = Reads(now()), planned(where(goals={"0": FAR.uuid}))
    await OPERATION.replan(plan, reads, ApprovalSettings(), NOBODY)
    assert reads.asked == ("vm-1", "h-3", {"0": "sr-local3"})
    moved = migrate_storage.decide(read(vm(disks=now("0").disks)), ApprovalSettings())
    told = [plain(line) for line in drift(planned(), ceiling(planned()), moved)]
    assert "the disks of web-local are no longer where they were" in told


def test_disks_for_several_srs_are_judged_sr_by_sr() -> None:
    first = read().parts[0]
    second = msgspec.structs.replace(first, target=NFS)
    plan = planned(where(goals={"0": FAR.uuid, "2": NFS.uuid}, parts=(first, second)))
    assert not plan.blocked
    assert {"room:sr-local3", "room:sr-nfs"} <= {one.key for one in plan.checks}
    assert "disk 0 → Local storage of xenserver3, disk 2 → nfs-vhd" in plain(plan.title)
    tracked = {"0": Image("v-0", tracked=True), "2": Image("v-2")}
    assert stops(where(parts=(msgspec.structs.replace(first, images=tracked),))) == ["disk"]
