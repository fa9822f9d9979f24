"""How a migration may be written, by people whose keyboards improve what they type."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from ports import FakeFleet, Room
from small_fleet import NFS, SAN, VIEW

from bot.commands import Registry, resolve, split
from bot.domain.plan import Plan
from bot.errors import Ambiguous, NotFound, NotUnderstood, Refused, Unnamed

REGISTRY = Registry.discover()


async def meant(words: str) -> tuple[str, str]:
    plan = await Room().type(words)
    assert isinstance(plan, Plan)
    return plan.targets[0].uuid, plan.targets[1].uuid


@pytest.mark.parametrize(
    "words",
    [
        "migrate centos54 to xenserver3",
        "  MIGRATE   centos54  TO  xenserver3 ",
        'migrate "centos54" to "xenserver3"',
        "migrate “centos54” to “xenserver3”",
        "migrate „centos54“ to «xenserver3»",
        "migrate centos54 --to xenserver3",
        "migrate centos54 --to=xenserver3",
        "migrate centos54 —to xenserver3",
        "migrate centos54 —to=xenserver3",
        "migrate centos54 ––to xenserver3",
        "migrate centos54 －－to xenserver3",
        "ｍｉｇｒａｔｅ centos54 ｔｏ xenserver3",
        "migrate `centos54` to `xenserver3`",
        "migrate vm-1 to h-3",
        "migrate centos54 to xenserver3 reason kernel update to 8.3",
    ],
)
async def test_the_same_migration_in_many_hands(words: str) -> None:
    assert await meant(words) == ("vm-1", "h-3")


@pytest.mark.parametrize(
    ("words", "uuid"),
    [
        ("migrate 日本語サーバー to xenserver3", "vm-2"),
        ("migrate “日本語サーバー” to xenserver3", "vm-2"),
        ("migrate <!channel> & *bold* to xenserver3", "vm-3"),
        ('migrate "<!channel> & *bold*" to xenserver3', "vm-3"),
        ("migrate &lt;!channel&gt; &amp; *bold* to xenserver3", "vm-3"),
        ("migrate “&lt;!channel&gt; &amp; *bold*” to xenserver3", "vm-3"),
        ('migrate "way to go" to xenserver3', "vm-8"),
        ("migrate big — blue to xenserver3", "vm-9"),
    ],
)
async def test_odd_names_are_taken_as_written(words: str, uuid: str) -> None:
    assert await meant(words) == (uuid, "h-3")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("migrate", "vm is missing"),
        ("migrate to xenserver3", "vm is missing"),
        ("migrate --to xenserver3 --reason because centos54", "vm is missing"),
        ("migrate centos54 to", "“to …” is missing"),
        ("unfreeze now", "“now” is one word too many"),
        ("job", "job is missing"),
        ("job twelve", "“twelve” is not a number"),
        ("job 1 2", "“1 2” is not a number"),
    ],
)
async def test_missing_and_extra_words_are_answered_with_the_usage(words: str, why: str) -> None:
    with pytest.raises(NotUnderstood) as refusal:
        await Room().type(words)
    assert why in refusal.value.message
    assert refusal.value.fix.startswith("Write `/xen ")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("migrat", "migrate <vm> [to <host>]"), ("stats", "status"), ("freze", "freeze"), ("hlep", "help")],
)
def test_the_closest_command_is_offered(typed: str, meant: str) -> None:
    with pytest.raises(NotUnderstood) as refusal:
        REGISTRY.find(typed)
    assert f"Did you mean `/xen {meant}" in refusal.value.fix


@pytest.mark.parametrize("words", ["pool-eject", "pool-eject xenserver3 from experiment", "POOL-EJECT help"])
def test_who_wants_a_host_out_of_its_pool_is_told_why_not_and_what_instead(words: str) -> None:
    with pytest.raises(NotUnderstood) as refusal:
        REGISTRY.find(REGISTRY.read(words)[0])
    assert "`/xen pool-eject` is out of scope: XAPI wipes a host" in refusal.value.message
    assert "`/xen evacuate <host>`" in refusal.value.fix
    assert "`xe pool-eject host-uuid=…`" in refusal.value.fix
    assert "Did you mean" not in refusal.value.fix


async def test_storage_for_none_of_several_pools_asks_which_of_those_that_have_answered() -> None:
    silent = msgspec.structs.replace(VIEW, name="silent", pool=None)
    other = msgspec.structs.replace(VIEW, name="other", pool=msgspec.structs.replace(VIEW.pool, uuid="p-2"))
    room = Room()
    room.fleet = FakeFleet(VIEW, silent, other)
    with pytest.raises(Unnamed) as left:
        await room.type("sr-add nfs nfsserver:/home/vms as nfs-vms")
    assert left.value.slot == "pool"
    assert [one.uuid for one in left.value.candidates] == [VIEW.pool.uuid, "p-2"]
    room.fleet = FakeFleet(silent, silent)
    with pytest.raises(Refused, match="No pool has answered yet"):
        await room.type("sr-add nfs nfsserver:/home/vms as nfs-vms")


async def test_unknown_and_ambiguous_names_are_told() -> None:
    with pytest.raises(NotFound) as nobody:
        await Room().type("migrate centos55 to xenserver3")
    assert nobody.value.nearest == ("centos54",)
    with pytest.raises(Ambiguous) as twins:
        await Room().type("migrate twin to xenserver3")
    assert [one.uuid for one in twins.value.candidates] == ["vm-6", "vm-7"]


def test_every_command_can_be_read_from_its_own_usage_and_example() -> None:
    for command in REGISTRY.commands:
        assert REGISTRY.read(command.usage)[0] == command.word
        assert REGISTRY.read(command.example)[0] == command.word
        assert command.help.endswith(".")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("stop my hard disk", "stands inside a name"),
        ("reboot my hard disk reason it hangs", "stands inside a name"),
        ("stop centos54 --hard=no", "takes no value"),
        ("stop centos54 —hard=false", "takes no value"),
    ],
)
async def test_no_guest_is_forced_by_a_word_that_may_mean_something_else(words: str, why: str) -> None:
    with pytest.raises(NotUnderstood, match=why):
        await Room().type(words)


def test_of_several_srs_of_one_name_the_one_that_the_named_host_sees_is_meant() -> None:
    own = [
        msgspec.structs.replace(SAN, uuid=f"sr-{host}", name="Local storage", shared=False, hosts=frozenset({host}))
        for host in ("h-1", "h-3")
    ]
    fleet = FakeFleet(msgspec.structs.replace(VIEW, srs=(NFS, SAN, *own)))
    command = REGISTRY.find("migrate")

    def read(words: str) -> Any:
        return resolve(command, split(command, words), fleet)

    assert read("centos54 to xenserver3 sr Local storage").sr.uuid == "sr-h-3"
    assert read("centos54 sr Local storage disk 0 to xenserver1").sr.uuid == "sr-h-1"
    with pytest.raises(Ambiguous) as several:
        read("centos54 sr Local storage")
    assert [one.uuid for one in several.value.candidates] == ["sr-h-1", "sr-h-3"]
    with pytest.raises(Ambiguous):
        resolve(REGISTRY.find("move-disks"), {"vm": "centos54", "sr": "Local storage"}, fleet)
