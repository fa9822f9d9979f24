"""Plans for adding NFS storage: what each host found, as sentences with fixes; what lies there; what it is for."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from migration_facts import host
from storing_facts import (
    FIRST,
    FOUND,
    LISTED,
    MOUNT_32,
    NOT_GRANTED,
    PLACE,
    THIRD,
    decided,
    facts,
    found,
    told,
    well,
)

from bot.domain.calls import Made, Marked, Ref
from bot.domain.plan import Grade, Risk, digest
from bot.domain.storing import Defaults, Export, Holder, NfsPlace, Probed
from bot.domain.texts import plain
from bot.errors import NotUnderstood
from bot.operations import storage_words
from bot.operations.sr_add import asked
from bot.operations.sr_add_words import place_of
from bot.operations.xapi_words import explain

REFERENCE = Path(__file__).parents[4] / "shared" / "reference" / "xapi.md"
OWN = Holder(FOUND, "p-1", "nfs-old", "experiment")
OTHER = Holder(FOUND, "p-2", "nfs-old", "xenserver2")


def failed(number: int, *hosts: int, text: str = "The driver says so", **more: object) -> list[Probed]:
    return [
        Probed(one, f"SR_BACKEND_FAILURE_{number}", ("", text, ""), **more)
        for one in (FIRST, THIRD)
        if not hosts or one in [host(each) for each in hosts]
    ]


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference of XAPI is not beside this checkout")
def test_every_code_of_a_driver_has_a_sentence_and_a_fix() -> None:
    chapter = REFERENCE.read_text(encoding="utf-8").partition("## 8. Shared storage")[2].partition("\n## 9.")[0]
    rows = " ".join(re.findall(r"^\| ([0-9, ]+) \|", chapter, re.MULTILINE))
    numbers = {int(one) for one in re.findall(r"\d+", rows)} | {180, 181, 96, 107, 68, 70, 83, 141, 142, 67, 97, 99}
    assert len(numbers) > 35
    assert not numbers - storage_words.numbers()


@pytest.mark.parametrize("number", sorted(storage_words.numbers()))
def test_each_code_is_told_with_its_number_and_what_mends_it(number: int) -> None:
    plan = decided(facts(*failed(number)))
    (check,) = plan.blocked
    assert f"(SR_BACKEND_FAILURE_{number})" in plain(check.fact)
    assert check.fix is not None
    assert len(plain(check.fix)) > 8
    assert not re.search(r"\{[a-z]+\}", told(plan))
    code = f"SR_BACKEND_FAILURE_{number}"
    assert plain(explain(code, ["", "The driver says so", ""])).endswith(f"({code}: The driver says so)")


@pytest.mark.parametrize(
    ("number", "meaning", "fix"),
    [
        (72, "offers no NFS 3: as a rule its rpcbind (port 111) is stopped", "version 4"),
        (108, "no NFS service answers on nfsserver (port 2049)", "systemctl start rpcbind nfs-server"),
        (140, "the name nfsserver cannot be resolved there", "DNS"),
        (461, "can be mounted but not written", "rw,no_root_squash"),
        (88, "no folder for new storage could be made on nfsserver", "no_root_squash"),
        (44, "not enough space", "Free space"),
        (202, "the driver failed in a way of its own: The driver says so", "/var/log/SMlog"),
    ],
)
def test_what_a_code_means_comes_before_its_number(number: int, meaning: str, fix: str) -> None:
    text = told(decided(facts(*failed(number))))
    assert meaning in text
    assert fix in text
    assert text.startswith("no host can: ")


def test_one_host_that_cannot_is_named_beside_those_that_can() -> None:
    plan = decided(facts(well()[0], Probed(THIRD, **NOT_GRANTED)))
    assert told(plan).startswith("xenserver3 cannot, xenserver1 can: ")
    assert [one.key for one in plan.blocked] == ["mount:SR_BACKEND_FAILURE_73"]
    assert "see whom it lets in (exportfs -v)" in told(plan)
    assert "rpcbind" not in told(plan), "what serves one host runs"


def test_a_mount_that_returned_32_is_put_down_to_rpcbind_where_the_server_lists_nothing() -> None:
    text = told(decided(facts(*(Probed(one, **NOT_GRANTED) for one in (FIRST, THIRD)))))
    assert "as a rule its rpcbind (port 111) is stopped (SR_BACKEND_FAILURE_73, mount returned 32)" in text
    assert "On nfsserver: systemctl start rpcbind nfs-server. NFS 3 needs rpcbind; or ask for version 4" in text
    newer = facts(
        *(Probed(one, **NOT_GRANTED) for one in (FIRST, THIRD)), place=NfsPlace("nfsserver", "/home/vms", "4")
    )
    assert "see that it exports /home/vms to this host (exportfs -v)" in told(decided(newer))


def test_the_first_steps_that_nfs_4_shows_are_not_taken_for_the_exports() -> None:
    top = (Export("home", "*"),)
    text = told(decided(facts(*(Probed(one, **NOT_GRANTED, exports=top) for one in (FIRST, THIRD)))))
    assert "as a rule its rpcbind (port 111) is stopped" in text
    missing = decided(facts(*failed(101, exports=top), place=NfsPlace("nfsserver", "")))
    assert "does not say what it exports" in told(missing)
    assert not missing.ways


def test_a_folder_that_is_not_exported_is_told_with_those_that_are_and_a_button_for_each() -> None:
    read = facts(*(Probed(one, **NOT_GRANTED, exports=LISTED[:1]) for one in (FIRST, THIRD)))
    plan = decided(read, default=True)
    assert "nfsserver does not export /home/vms" in told(plan)
    assert "It exports /home/test." in told(plan)
    again, other = plan.ways
    assert (again.label, other.label) == ("Try again", "Plan: /home/test")
    assert other.words == 'sr-add nfs nfsserver:/home/test as "nfs-vms" to p-1 default'


@pytest.mark.parametrize(
    ("wish", "words"),
    [({"existing": FOUND}, f"existing {FOUND}"), ({"beside": True, "default": True}, "default beside")],
)
def test_to_try_again_asks_for_all_that_was_chosen(wish: dict[str, object], words: str) -> None:
    probes = (Probed(FIRST, found=(FOUND,)), Probed(THIRD, **NOT_GRANTED, exports=LISTED[:1]))
    again, other = decided(facts(*probes), **wish).ways
    assert again.words == f'sr-add nfs nfsserver:/home/vms as "nfs-vms" to p-1 {words}'
    assert "existing" not in other.words, "another folder holds something else"
    assert "beside" not in other.words, "another folder holds something else"


def test_a_folder_that_is_exported_to_others_is_told_with_whom_it_lets_in() -> None:
    text = told(decided(facts(well()[0], Probed(THIRD, **NOT_GRANTED, exports=LISTED))))
    assert "nfsserver exports it, but refuses the mount" in text
    assert "It lets in: 192.0.2.1. This host is 192.0.2.3; add it in /etc/exports" in text


@pytest.mark.parametrize(
    "path", ["/" + "x" * 2000, '/vms" all-defaults to "other', "/vms\nto other", "/vms/../etc", "/vms\u202esmv"]
)
def test_no_button_is_made_of_what_a_server_says_that_is_no_folder(path: str) -> None:
    listed = (Export(path, "*"), *LISTED)
    plan = decided(facts(*failed(101, exports=listed), place=NfsPlace("nfsserver", "")))
    assert [way.label for way in plan.ways] == ["Plan: /home/test", "Plan: /home/vms"]
    assert all(len(way.words) < 2000 for way in plan.ways)


def test_without_a_folder_the_exports_are_the_answer() -> None:
    missing = NfsPlace("nfsserver", "")
    plan = decided(facts(*failed(101, exports=LISTED), place=missing))
    assert told(plan).startswith("nobody said which folder of nfsserver is meant. It exports /home/test, /home/vms")
    assert plan.refusal is not None
    assert plain(plan.refusal) == "nfsserver cannot be added to experiment"
    assert [way.label for way in plan.ways] == ["Plan: /home/test", "Plan: /home/vms"]
    assert plan.steps == ()
    silent = told(decided(facts(*failed(101), place=missing)))
    assert "does not say what it exports" in silent
    assert "exports nothing" in told(decided(facts(*failed(101, exports=()), place=missing)))


def test_a_server_that_hangs_is_told_with_how_long_each_host_waited() -> None:
    plan = decided(facts(well()[0], Probed(THIRD, waited_s=20.0)))
    assert told(plan).startswith("xenserver3 cannot, xenserver1 can: no answer for 20 s. See that nfsserver runs")
    assert plan.ways[0].label == "Try again"


def test_of_sixty_four_hosts_three_that_are_dead_do_not_stand_in_the_way() -> None:
    hosts = [host(number) for number in range(1, 65)]
    probes = tuple(Probed(one) for one in hosts[:61])
    read = facts(*probes, hosts=tuple(hosts), listed=frozenset(one.uuid for one in hosts))
    plan = decided(read)
    assert not plan.blocked
    (warning,) = [one for one in plan.checks if one.grade is Grade.WARNING]
    assert plain(warning.fact).startswith("xenserver62, xenserver63, xenserver64: no answer")
    assert "and 54 more cannot" in told(
        decided(facts(probes[0], *(msgspec.structs.replace(one, code="X") for one in probes[1:])))
    )
    leaderless = facts(Probed(THIRD))
    assert "the coordinator xenserver1 does not answer" in told(decided(leaderless))


def test_its_steps_make_it_under_a_mark_and_take_it_back_where_anything_fails() -> None:
    plan = decided(facts())
    assert [step.kind for step in plan.steps] == [
        "SR.create",
        "storage.attach",
        "storage.try",
        "storage.sweep",
        "storage.name",
        "storage.remove",
    ]
    create, *_, back = plan.steps
    assert create.call.args[0] == Ref("host", "h-1")
    assert Marked("xenbot storage") in create.call.args
    assert back.unless_well
    assert back.undoes == create.makes
    assert Made("SR", "sr") in back.call.args
    assert (plan.risk, plan.locks[0].exclusive) == (Risk.MEDIUM, True)
    assert plan.locks[0].text == "export:nfsserver:/home/vms"


def test_a_host_that_is_not_listed_is_attached_and_not_tried() -> None:
    plan = decided(facts(listed=frozenset({"h-1"})))
    by_kind = {step.kind: [one.uuid for one in step.call.args if isinstance(one, Ref)] for step in plan.steps}
    assert by_kind["storage.attach"] == ["h-1", "h-3"]
    assert by_kind["storage.try"] == ["h-1"]
    assert any("not tried there: xenserver3" in plain(one.fact) for one in plan.checks)


# What lies there already


def test_storage_that_lies_there_has_to_be_decided_about() -> None:
    plan = decided(found())
    assert f"1 storage lies there already: {FOUND} of no configured pool" in told(plan)
    again, new = plan.ways
    assert again.words.endswith(f'as "nfs-vms" to p-1 existing {FOUND}')
    assert new.words.endswith("to p-1 beside")
    beside = decided(found(), beside=True)
    assert not beside.blocked
    assert beside.risk is Risk.MEDIUM


def test_to_attach_it_again_is_critical_and_says_what_is_vouched_for() -> None:
    plan = decided(found(), existing=FOUND)
    assert not plan.blocked
    assert plan.risk is Risk.CRITICAL
    assert "no other pool uses this storage" in plain(plan.risk_reasons[0])
    introduce, back = plan.steps[0], plan.steps[-1]
    assert introduce.kind == "SR.introduce"
    assert plain(back.title) == "Forget it again; what lies in it stays"


def test_what_another_pool_holds_is_never_attached_and_not_offered() -> None:
    plan = decided(found(OTHER), existing=FOUND)
    assert "xenserver2 holds it as nfs-old; two pools on one storage destroy it" in told(plan)
    offered = decided(found(OTHER))
    assert [way.label for way in offered.ways] == ["Plan: new beside it"]
    assert "nfs-old of xenserver2" in told(offered)


def test_a_pool_that_does_not_say_what_it_holds_keeps_it_from_being_attached() -> None:
    plan = decided(found(unsure=("xenserver4",)), existing=FOUND)
    assert "xenserver4 does not say whether it holds this storage" in told(plan)
    asking = decided(found(unsure=("xenserver4",)))
    assert f"{FOUND}, perhaps of xenserver4, which does not say" in told(asking)
    assert not any("attach" in way.label for way in asking.ways)


def test_what_the_pool_has_attached_needs_nothing() -> None:
    (idle,) = decided(found(OWN), existing=FOUND).blocked
    assert idle.idle
    assert plain(idle.fact) == "experiment has it attached as nfs-old"


def test_what_the_pool_knows_but_has_not_plugged_is_not_called_attached() -> None:
    unplugged = msgspec.structs.replace(OWN, unplugged=("h-3",))
    (check,) = decided(found(unplugged), existing=FOUND).blocked
    assert not check.idle
    assert plain(check.fact) == "experiment knows it as nfs-old already, not attached to xenserver3"
    assert check.fix is not None
    assert f"/xen plug {FOUND} on h-3" in plain(check.fix)


def test_a_uuid_that_is_not_there_is_told_with_what_is() -> None:
    assert f"0000 does not lie on nfsserver:/home/vms; {FOUND} does" in told(decided(found(), existing="0000"))
    assert "none does" in told(decided(facts(), existing="0000"))


# What it is for, and what people type


def test_the_default_takes_roles_that_nobody_has_and_all_of_them_only_where_asked() -> None:
    one = decided(facts(), default=True)
    lines = [plain(line) for line in one.after]
    assert "experiment puts there from then on: new disks, suspended guests." in lines
    assert "Its crash dumps go where they went before; all-defaults moves them too." in lines
    moved = [plain(line) for line in decided(facts(), everything=True).after]
    assert "experiment puts there from then on: new disks, suspended guests, crash dumps." in moved
    nothing = facts(defaults=Defaults("", "", ""))
    assert any("has no default storage" in plain(line) for line in decided(nothing).after)
    assert [step.kind for step in one.steps][-2:] == ["storage.remove", "storage.prefer"]


@pytest.mark.parametrize(
    ("read", "wish"),
    [
        (facts(), {}),
        (facts(place=NfsPlace("nfsserver", "/home/vms", "4.1")), {"default": True}),
        (facts(), {"everything": True}),
        (found(), {"existing": FOUND}),
        (found(), {"beside": True, "default": True}),
    ],
)
def test_a_plan_that_is_made_again_of_the_same_facts_promises_the_same(read, wish) -> None:  # noqa: ANN001  parameters
    plan = decided(read, **wish)
    place, again = asked(plan)
    assert place == read.place
    assert digest(decided(read, **msgspec.structs.asdict(again))) == digest(plan)


def test_a_name_that_is_taken_is_refused() -> None:
    assert "experiment has storage called nfs-vhd already" in told(decided(facts(), name="nfs-vhd"))


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("nfs nfsserver:/home/vms", NfsPlace("nfsserver", "/home/vms")),
        ("NFS nfsserver:/home/vms/", NfsPlace("nfsserver", "/home/vms")),
        ("nfs 192.0.2.9:/", NfsPlace("192.0.2.9", "/")),
        ("nfs nfsserver", NfsPlace("nfsserver", "")),
        ("nfs nfsserver:", NfsPlace("nfsserver", "")),
        ("nfs [2001:db8::9]:/vol 1", NfsPlace("[2001:db8::9]", "/vol 1")),
        ("nfs ファイル:/x", None),
        ("nfs -o:/x", None),
        ("nfs nfsserver:/a/../b", None),
        ("nfs nfsserver:/a\u202eb", None),
        ("nfs " + "a" * 300 + ":/x", None),
        ("nfs nfsserver:/" + "a" * 2000, None),
        ("iscsi target:/x", None),
        ("nfs", None),
    ],
)
def test_a_place_is_read_or_refused_in_words(words: str, place: NfsPlace | None) -> None:
    if place is not None:
        assert place_of(words, "") == place
        return
    with pytest.raises(NotUnderstood):
        place_of(words, "")


def test_a_version_that_no_driver_takes_is_refused() -> None:
    assert place_of("nfs nfsserver:/x", "4.1").config["nfsversion"] == "4.1"
    with pytest.raises(NotUnderstood):
        place_of("nfs nfsserver:/x", "5")
    assert PLACE.config == {"server": "nfsserver", "serverpath": "/home/vms"}
    assert storage_words.returned(MOUNT_32) == 32


def test_a_server_is_called_new_to_those_hosts_alone_that_use_nothing_of_it() -> None:
    def why(*users: str) -> str:
        return " ".join(plain(one) for one in decided(facts(users=frozenset(users))).risk_reasons)

    assert "2 hosts of experiment mount a server that is new to them" in why()
    assert "1 host of experiment mounts a server that is new to it" in why("h-1")
    assert "one more folder of nfsserver, which they use already" in why("h-1", "h-3")
