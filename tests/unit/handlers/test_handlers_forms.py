"""Every command as a form, made from its own declaration, and the type-ahead behind its fields."""

from __future__ import annotations

import msgspec
import pytest
from ports import FakeFleet, Room
from small_fleet import NOW, POOL, VIEW, backup, guest, host

from bot.commands import Field, FieldKind, Registry, form_of, mistakes, needs_form, slots, split
from bot.domain.inventory import Network, PoolView
from bot.errors import NotUnderstood
from bot.operations import lookup
from bot.slack import modals

REGISTRY = Registry.discover()
OTHER = PoolView(
    "other",
    VIEW.state,
    1.0,
    "",
    msgspec.structs.replace(POOL, uuid="p-2", name="other"),
    (host(9, pool="p-2"),),
    (guest("vm-90", "ｗｅｂ１", pool="p-2", host="h-9"),),
    (),
)
FLEET = FakeFleet(VIEW, OTHER)


def test_the_form_of_migrate_asks_for_what_its_words_ask_for() -> None:
    form = form_of(REGISTRY.find("migrate"))
    assert [field.name for field in form.fields if field.hint] == ["host", "reason"]
    assert tuple(msgspec.structs.replace(field, hint="") for field in form.fields) == (
        Field("vm", "Guest", FieldKind.GUEST, required=True),
        Field("host", "Host", FieldKind.HOST, required=False),
        Field("sr", "Storage repository", FieldKind.STORAGE, required=False),
        Field("disk", "Which disks, by their places (all if empty)", FieldKind.TEXT, required=False),
        Field("reason", "Reason", FieldKind.LONG, required=False),
    )
    assert form.changes


def test_every_argument_of_every_command_has_a_field() -> None:
    for one in REGISTRY.commands:
        names_of = dict.fromkeys(slot.choice or slot.name for slot in slots(one.arguments))
        assert [field.name for field in form_of(one).fields] == list(names_of)


@pytest.mark.parametrize(
    ("word", "tail", "needed"),
    [
        ("migrate", "", True),
        ("migrate", "  ", True),
        ("migrate", "web", False),
        ("job", "", True),
        ("cancel", "", True),
        ("status", "", False),
        ("vms", "", False),
        ("help", "", False),
    ],
)
def test_a_form_opens_only_where_words_are_missing(word: str, tail: str, needed: bool) -> None:  # noqa: FBT001  a parameter
    assert needs_form(REGISTRY.find(word), tail) is needed


def test_a_value_that_will_not_do_is_told_by_its_field() -> None:
    migrate = REGISTRY.find("migrate")
    assert mistakes(migrate, {"vm": "vm-1", "host": "h-3"}, FLEET) == {}
    assert mistakes(migrate, {"vm": "gone"}, FLEET) == {"vm": "There is no guest called “gone”."}
    assert mistakes(migrate, {"host": "h-3"}, FLEET) == {"vm": "This is needed."}
    assert "not a number" in mistakes(REGISTRY.find("job"), {"job": "twelve"}, FLEET)["job"]
    assert mistakes(REGISTRY.find("stop"), {"vm": "vm-1", "hard": "yes"}, FLEET) == {}


def names(found: object) -> list[str]:
    return [option.label for option in found]  # type: ignore[attr-defined]  # options


def test_guests_are_found_by_any_part_of_their_name_in_any_width_and_case() -> None:
    assert names(lookup.guests(FLEET, "CENT")) == ["centos54"]
    assert names(lookup.guests(FLEET, "サーバ")) == ["日本語サーバー"]
    assert names(lookup.guests(FLEET, "web1")) == ["ｗｅｂ１"]
    assert names(lookup.guests(FLEET, "to go")) == ["way to go"]
    assert [option.value for option in lookup.guests(FLEET, "twin")] == ["vm-6", "vm-7"]
    assert [option.value for option in lookup.guests(FLEET, "vm-90")] == ["vm-90"]
    assert lookup.guests(FLEET, "nothing like it") == ()


def test_storage_is_what_the_guests_own_host_sees_or_the_one_it_goes_to_and_never_a_library() -> None:
    far = msgspec.structs.replace(VIEW.srs[0], uuid="sr-7", name="far", shared=False, hosts=frozenset({"h-3"}))
    isos = msgspec.structs.replace(VIEW.srs[0], uuid="sr-8", name="isos", type="iso")
    fleet = FakeFleet(msgspec.structs.replace(VIEW, srs=(*VIEW.srs, far, isos)), OTHER)
    assert names(lookup.srs(fleet, "", "vm-1")) == ["nfs-vhd", "san"]
    assert names(lookup.srs(fleet, "")) == ["far", "nfs-vhd", "san"]
    assert names(lookup.srs(fleet, "", "vm-1", "h-3")) == ["far", "nfs-vhd", "san"]
    assert names(lookup.srs(fleet, "", "vm-1", "")) == ["far", "nfs-vhd", "san"]
    assert lookup.srs(fleet, "san")[0].note == "shared, 90 GiB free, pool experiment"
    form = form_of(REGISTRY.find("move-disks"))
    assert Field("sr", "Storage repository", FieldKind.STORAGE, required=True) in form.fields


def test_a_name_that_begins_so_comes_before_one_that_only_holds_it() -> None:
    fleet = FakeFleet(msgspec.structs.replace(VIEW, vms=(guest("u1", "old-web"), guest("u2", "web"), guest("u3", "a"))))
    assert names(lookup.guests(fleet, "web")) == ["web", "old-web"]


def test_hosts_are_those_the_chosen_guest_could_go_to() -> None:
    assert names(lookup.hosts(FLEET, "")) == ["xenserver1", "xenserver3", "xenserver9"]
    assert names(lookup.hosts(FLEET, "", guest="vm-1")) == ["xenserver3"]
    assert names(lookup.hosts(FLEET, "", guest="vm-90")) == []
    assert names(lookup.pools(FLEET, "exp")) == ["experiment"]


def test_five_thousand_guests_give_no_more_options_than_slack_takes() -> None:
    many = tuple(guest(f"u{number}", f"vm{number:04}") for number in range(5000))
    found = lookup.guests(FakeFleet(msgspec.structs.replace(VIEW, vms=many)), "vm")
    assert len(found) == lookup.MOST
    assert names(found)[0] == "vm0000"


async def test_an_option_says_where_its_guest_is() -> None:
    found = lookup.guests(Room().fleet, "")
    assert {option.value: option.note for option in found}["vm-1"] == "on xenserver1, pool experiment"
    assert {option.value: option.note for option in found}["vm-5"] == "suspended, pool experiment"


def test_what_is_ticked_says_what_it_means() -> None:
    ticked = {
        field.name: field.label
        for command in REGISTRY.commands
        for field in form_of(command).fields
        if field.kind is FieldKind.YES
    }
    assert ticked == {
        "cold": "Shut down for it",
        "grid": "Every constraint of each host",
        "hard": "The hard way, without asking the guest",
        "movable": "Only the guests that can go",
        "start": "Start it afterwards",
        "keep_mac": "Keep its MAC addresses",
        "replace": "Rename the guest it replaces, and keep that",
        "everything": "Everything",
        "beside": "A new one, whatever lies there already",
        "default": "New disks go there",
        "all_defaults": "Suspended guests and crash dumps too",
    }


def test_ways_that_exclude_each_other_are_one_field_of_the_form_and_one_word_of_the_line() -> None:
    command = REGISTRY.find("verify")
    (extent,) = (field for field in form_of(command).fields if field.kind is FieldKind.ONE)
    assert extent.choices == (("full", "All of it"), ("sample", "Only a random part"))
    assert not {"full", "sample"} & {field.name for field in form_of(command).fields}
    shown = modals.form(form_of(command), modals.Kept("verify", "C1"))
    (asked,) = (block["element"] for block in shown["blocks"] if block.get("block_id") == extent.name)
    assert asked["type"] == "radio_buttons"
    assert asked["initial_option"]["value"] == "full"
    assert split(command, "centos54 sample") == {"backup": "centos54", "sample": "sample"}
    for both in ("centos54 full sample", "centos54 sample full"):
        with pytest.raises(NotUnderstood, match="not both"):
            split(command, both)


def test_every_title_of_a_dialogue_is_in_words_and_of_the_length_that_slack_shows() -> None:
    titles = {command.word: command.called for command in REGISTRY.commands}
    assert titles["sr-check"] == "Check storage"
    assert titles["move-by-backup"] == "Move by backup"
    assert not [title for title in titles.values() if "-" in title or len(title) > 24]
    assert len(set(titles.values())) == len(titles)


def test_a_move_by_backup_is_a_form_too_that_asks_for_guest_and_host_and_offers_the_rest() -> None:
    command = REGISTRY.find("move-by-backup")
    assert needs_form(command, "")
    fields = {field.name: (field.kind, field.required) for field in form_of(command).fields}
    assert fields == {
        "vm": (FieldKind.GUEST, True),
        "host": (FieldKind.HOST, True),
        "sr": (FieldKind.STORAGE, False),
        "network": (FieldKind.NETWORK, False),
        "reason": (FieldKind.LONG, False),
    }


async def test_a_restore_is_a_form_with_backups_hosts_storage_and_networks_to_choose_from() -> None:
    kinds = {field.name: field.kind for field in form_of(REGISTRY.find("restore")).fields}
    assert kinds == {
        "backup": FieldKind.BACKUP,
        "name": FieldKind.TEXT,
        "host": FieldKind.HOST,
        "sr": FieldKind.STORAGE,
        "network": FieldKind.NETWORK,
        "start": FieldKind.YES,
        "keep_mac": FieldKind.YES,
        "replace": FieldKind.YES,
        "reason": FieldKind.LONG,
    }
    lan = Network("net-1", "lan", frozenset({"h-1"}), internal=False)
    fleet = FakeFleet(msgspec.structs.replace(VIEW, networks=(lan,)))
    assert [(one.value, one.note) for one in lookup.networks(fleet, "LA", "h-1")] == [
        ("net-1", "on 1 host, pool experiment")
    ]
    assert lookup.networks(fleet, "", "h-99") == ()
    known = [backup(3, name="centos9"), backup(1), backup(2, verified=None)]
    shown = [(one.label, one.value, one.note) for one in lookup.backups(known, "cent", NOW)]
    assert [value for _, value, _ in shown] == ["20261126-000002", "20261126-000001", "20261126-000003"]
    assert shown[0] == ("centos54", "20261126-000002", "10 d old, 2 GiB, never verified")
