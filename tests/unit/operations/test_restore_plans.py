"""What a restore promises, and each thing that stops it or must be known before."""

from __future__ import annotations

from typing import Any

import migration_facts as world
import msgspec
import pytest
from restore_world import DMZ, GIB, LAN, MACS, NOW, SR, archived, facts

from bot.domain.backup import ArchivedDisk, ArchivedNic
from bot.domain.calls import Flag, Made, Ref
from bot.domain.catalogue import BackupState, Proof, Verification
from bot.domain.plan import Check, Grade, Plan, Risk, digest
from bot.domain.policy import ApprovalSettings
from bot.domain.restores import Holder, Nic, Readiness, Restored, RestoreFacts
from bot.domain.texts import plain
from bot.errors import NotFound
from bot.operations import rehearse, restore
from bot.operations.base import Seen
from bot.operations.checks.meeting import Wish
from bot.operations.network_words import mapping
from bot.operations.restore_steps import IMPORT, READY, REMOVE, START, readiness, step_of

SETTINGS = ApprovalSettings()
LIVING = Holder("vm-1", "web", "experiment", running=True)


def planned(found: RestoreFacts | None = None, *, of: Any = None, **wish: Any) -> Plan:
    return restore.decide(of or archived(), found or facts(), Wish(**{"name": "web", **wish}), SETTINGS)


def stops(plan: Plan) -> dict[str, str]:
    return {check.key: plain(check.fact) for check in plan.blocked}


def of(plan: Plan, key: str) -> Check:
    return next(check for check in plan.checks if check.key == key)


def ready(plan: Plan) -> Readiness:
    step = step_of(plan, READY)
    assert step is not None
    return readiness(step)


def test_what_nothing_stops_is_imported_made_ready_and_removed_only_where_that_fails() -> None:
    plan = planned()
    assert stops(plan) == {}
    assert [step.kind for step in plan.steps] == [IMPORT, READY, REMOVE]
    assert [step.unless_well for step in plan.steps] == [False, False, True]
    assert plan.steps[2].undoes == plan.steps[0].makes
    assert plan.risk is Risk.MEDIUM
    assert ready(plan) == Readiness("web", (Nic("0", "net-1", "", MACS[0]), Nic("1", "net-2", "", MACS[1]))), (
        "new addresses, and none of the old"
    )


def test_a_start_comes_behind_the_removal_so_that_its_failure_removes_nothing() -> None:
    plan = planned(facts(host=world.host(1)), start=True)
    assert [step.kind for step in plan.steps] == [IMPORT, READY, REMOVE, START]
    call = plan.steps[3].call
    assert (call.method, call.args[1]) == ("VM.start_on", Ref("host", "h-1"))
    assert isinstance(call.args[0], Made)
    assert planned(start=True).steps[3].call.method == "VM.start"


def test_what_may_be_removed_is_what_the_import_made_and_nothing_else() -> None:
    (remove,) = (step for step in planned().steps if step.kind == REMOVE)
    made = [one for one in remove.call.args if isinstance(one, Made)]
    assert [(one.kind, one.name) for one in made] == [("VM", "guest"), ("VDI", "disk 0"), ("VDI", "disk 3")]
    assert Flag(False) in remove.call.args, "a guest that somebody started is not shut down"


@pytest.mark.parametrize(
    "changes",
    [
        {"of": archived(sha256="b" * 64)},
        {"name": "web2"},
        {"keep_mac": True},
        {"start": True},
        {"networks": {"0": "net-2"}},
        {"found": facts(host=world.host(1))},
        {"found": facts(sr=msgspec.structs.replace(SR, uuid="sr-2"))},
    ],
    ids=["other bytes", "name", "addresses", "start", "network", "host", "storage"],
)
def test_whatever_is_promised_is_in_the_digest(changes: dict[str, Any]) -> None:
    found = changes.pop("found", None)
    assert digest(planned(found, **changes)) != digest(planned())


def test_living_guests_and_verdicts_are_not_in_the_digest() -> None:
    assert digest(planned(facts(names=(LIVING,)))) == digest(planned())


HURT = Verification(NOW, Proof.FULL, "U2", ("block 7 of disk 0",))
NEWER = {"h-1": (24, 15), "h-3": (24, 16)}


@pytest.mark.parametrize(
    ("found", "of", "wish", "key", "words"),
    [
        (facts(), archived(state=BackupState.DAMAGED, verified=HURT), {}, "archive", "block 7 of disk 0"),
        (facts(), archived(state=BackupState.TRASHED), {}, "archive", "is in the trash"),
        (facts(xapi=NEWER), archived(), {}, "version", "written by toolstack 24.16, xenserver1 runs 24.15"),
        (facts(sr=None), archived(), {}, "storage", "no default one"),
        (facts(sr=msgspec.structs.replace(SR, type="iso")), archived(), {}, "storage", "holds CDs"),
        (facts(sr=msgspec.structs.replace(SR, hosts=frozenset())), archived(), {}, "storage", "no host that answers"),
        (
            facts(sr=msgspec.structs.replace(SR, hosts=frozenset({"h-3"})), host=world.host(1)),
            archived(),
            {},
            "storage",
            "nfs-vhd is not plugged on xenserver1",
        ),
        (facts(sr=msgspec.structs.replace(SR, used=98 * GIB)), archived(), {}, "room", "the disks need at least 3 GiB"),
        (
            facts(sr=msgspec.structs.replace(SR, type="lvm", used=90 * GIB)),
            archived(),
            {},
            "room",
            "the disks need at least 12 GiB",
        ),
        (facts(needed=1 << 50), archived(), {"start": True}, "host", "no host can run it now"),
        (
            facts(host=msgspec.structs.replace(world.host(1), enabled=False)),
            archived(),
            {"start": True},
            "host",
            "it is disabled",
        ),
        (facts(macs={MACS[0]: (LIVING,)}), archived(), {"keep_mac": True}, "mac:0", "runs with 02:00:00:00:00:01"),
        (
            facts(),
            archived(nics=(ArchivedNic("0", "xx", "", "lan"),)),
            {"keep_mac": True},
            "mac",
            "an address in the archive is none",
        ),
        (
            facts(),
            archived(nics=(ArchivedNic("0", MACS[0], "", "lan"), ArchivedNic("1", MACS[0], "", "lan"))),
            {"keep_mac": True},
            "mac",
            "stands there twice",
        ),
        (facts(networks=(LAN,)), archived(), {}, "network:1", "was on dmz, and experiment has no network of that name"),
        (
            facts(networks=(LAN, DMZ, msgspec.structs.replace(DMZ, uuid="net-9"))),
            archived(),
            {},
            "network:1",
            "several",
        ),
        (facts(host=world.host(3)), archived(), {}, "network:1", "which xenserver3 is not on"),
        (facts(), archived(), {"strange": ("lan=nowhere",)}, "network", "lan=nowhere does not name"),
        (facts(), archived(), {"name": "\u202e"}, "name", "no name that can be shown"),
        (facts(), archived(nics=(ArchivedNic("0; rm", MACS[0], "", "lan"),)), {}, "contents", "no server would write"),
        (
            facts(),
            archived(nics=tuple(ArchivedNic(str(n), MACS[0], "", "lan") for n in range(40))),
            {},
            "contents",
            "no server would write",
        ),
    ],
)
def test_each_thing_that_stops_a_restore_says_so_and_how_to_mend_it(
    found: RestoreFacts, of: Any, wish: dict[str, Any], key: str, words: str
) -> None:
    plan = planned(found, of=of, **wish)
    assert words in stops(plan)[key]
    assert all(check.fix for check in plan.blocked)


def test_a_living_guest_of_the_name_is_told_and_raises_the_risk_only_where_both_would_run() -> None:
    quiet = planned(facts(names=(LIVING,)))
    assert of(quiet, "name").grade is Grade.WARNING
    assert "nothing of it is changed" in plain(of(quiet, "name").fact)
    assert of(quiet, "name").fix is not None
    renamed = planned(facts(names=(LIVING,)), name="back")
    assert (of(renamed, "name").title, of(renamed, "name").fix) == ("The guest it was made from lives", None)
    assert quiet.risk is Risk.MEDIUM
    both = planned(facts(names=(LIVING,)), start=True)
    assert both.risk is Risk.HIGH
    assert "starts while web runs" in plain(both.risk_reasons[0])
    halted = msgspec.structs.replace(LIVING, running=False)
    assert planned(facts(names=(halted,)), start=True).risk is Risk.MEDIUM


def test_an_address_of_a_guest_that_does_not_run_is_a_warning_and_new_addresses_meet_nobody() -> None:
    halted = msgspec.structs.replace(LIVING, running=False)
    plan = planned(facts(macs={MACS[0]: (halted,)}), keep_mac=True)
    assert stops(plan) == {}
    assert of(plan, "mac:0").grade is Grade.WARNING
    assert [nic.mac for nic in ready(plan).nics] == list(MACS)
    assert stops(planned(facts(macs={MACS[0]: (LIVING,)}))) == {}
    for keep_mac in (False, True):
        assert "a mac_seed of its own" in plain(of(planned(keep_mac=keep_mac), "mac").fact)


def test_two_restores_with_the_same_addresses_exclude_each_other() -> None:
    assert "VM:vm-1" in {key.text for key in planned(keep_mac=True).locks}
    assert "VM:vm-1" not in {key.text for key in planned().locks}


def test_what_was_never_verified_or_has_no_disk_is_told_and_saved_memory_is_refused() -> None:
    assert of(planned(of=archived(verified=None)), "archive").grade is Grade.WARNING
    bare = archived()
    bare = msgspec.structs.replace(bare, contents=msgspec.structs.replace(bare.contents, disks=()))
    assert of(planned(of=bare), "contents").grade is Grade.WARNING
    asleep = archived()
    memory = ArchivedDisk("", "memory", "vdi-m", GIB, GIB)
    contents = msgspec.structs.replace(asleep.contents, disks=(*asleep.contents.disks, memory))
    plan = planned(of=msgspec.structs.replace(asleep, contents=contents))
    assert "has no place in the guest" in stops(plan)["contents"]
    twice = msgspec.structs.replace(asleep.contents, disks=(asleep.contents.disks[0],) * 2)
    assert "contents" in stops(planned(of=msgspec.structs.replace(asleep, contents=twice)))


def test_a_rehearsal_has_no_network_card_and_removes_everything_whatever_happens() -> None:
    wish = Wish("web (rehearsal)", start=True, rehearsal=True)
    plan = rehearse.decide(archived(), facts(networks=()), wish, SETTINGS)
    assert stops(plan) == {}
    assert ready(plan) == Readiness("web (rehearsal)", ())
    *_, last = plan.steps
    assert (last.kind, last.undoes, last.unless_well) == (REMOVE, "guest", False)
    assert Flag(True) in last.call.args


async def test_a_rehearsal_proves_a_backup_only_where_its_guest_was_watched_to_the_end() -> None:
    class Gone:
        async def restored(self, _pool: str, vm: str) -> Restored:
            raise NotFound("guest", vm)

    plan = rehearse.decide(
        archived(), facts(networks=()), Wish("web (rehearsal)", start=True, rehearsal=True), SETTINGS
    )
    assert rehearse.OPERATION.sum_up is not None
    every = frozenset(range(len(plan.steps)))
    for done, says in ((every, "web can be restored from"), (every - {3}, "Nothing is proved of")):
        look = await rehearse.OPERATION.sum_up(plan, done, Gone())  # type: ignore[arg-type]  # as much as is asked
        assert says in plain(look.headline)
        assert (look.seen is Seen.DONE) is (done == every)


NICS = archived().contents.guest.nics


@pytest.mark.parametrize(
    ("text", "found", "strange"),
    [
        ("", {}, ()),
        ("dmz", {"0": "net-2", "1": "net-2"}, ()),
        ("net-2", {"0": "net-2", "1": "net-2"}, ()),
        ("lan=dmz", {"0": "net-2"}, ()),
        ("LAN = ＤＭＺ, 1=lan", {"0": "net-2", "1": "net-1"}, ()),
        ('"lan"="dmz"', {"0": "net-2"}, ()),
        ("02:00:00:00:00:02=lan", {"1": "net-1"}, ()),
        ("lan=nowhere", {}, ("lan=nowhere",)),
        ("7=lan、1=lan", {"1": "net-1"}, ("7=lan",)),
    ],
)
def test_networks_are_named_for_one_card_or_for_all(text: str, found: dict[str, str], strange: tuple[str, ...]) -> None:
    assert mapping(text, NICS, (LAN, DMZ)) == (found, strange)


def test_a_network_with_an_equals_sign_or_a_comma_in_its_name_is_found() -> None:
    odd = msgspec.structs.replace(LAN, uuid="odd", name="a=b, c")
    assert mapping("a=b, c", NICS, (odd,)) == ({"0": "odd", "1": "odd"}, ())
    equal = msgspec.structs.replace(LAN, uuid="odd", name="x=y")
    assert mapping("0=x=y", NICS, (equal,)) == ({"0": "odd"}, ())


def test_a_hostile_name_keeps_its_letters_and_loses_what_no_call_can_carry() -> None:
    assert restore.usable_name("../../etc\n\x00\ud800日本語 <b>") == "../../etc日本語 <b>"


def test_hardware_of_the_host_of_before_is_told_of() -> None:
    backup = archived()
    assert not {"pci", "vgpu"} & {check.key for check in planned().checks}
    guest = msgspec.structs.replace(backup.contents.guest, pci="0/0000:04:00.0", vgpus=1)
    contents = msgspec.structs.replace(backup.contents, guest=guest)
    plan = planned(of=msgspec.structs.replace(backup, contents=contents))
    assert stops(plan) == {}
    assert of(plan, "pci").grade is of(plan, "vgpu").grade is Grade.WARNING
    assert "0/0000:04:00.0" in plain(of(plan, "pci").fact)
    assert plain(of(plan, "vgpu").fact) == "it has 1 virtual GPU, and starts only on a host with a GPU of that kind"


def test_the_plan_tells_when_the_backup_was_found_whole_where_it_goes_and_to_which_networks() -> None:
    told = [plain(line) for line in planned(facts(host=world.host(1))).after]
    assert "; last found whole " in told[0]
    assert told[0].endswith(": every block, as it was made")
    assert "To pool experiment: xenserver1" in told
    assert "Network cards: 0 to lan, 1 to dmz" in told
    other = [plain(line) for line in planned(facts(networks=(LAN,)), of=archived(verified=None)).after]
    assert other[0].endswith("; not found whole so far")
    assert "To pool experiment: XAPI chooses the host" in other
    assert "Network cards: 0 to lan, 1 to none yet" in other
