"""Worlds: the article's, generated ones, files of one's own; and what is refused."""

from pathlib import Path

import pytest

from bot.lab.xapi import Datacentre, LoopbackMissing
from bot.lab.xapi.consistency import find_contradictions
from bot.lab.xapi.population import populate
from bot.lab.xapi.rules.memory import compute_free, compute_need
from bot.lab.xapi.world import load_world, read_world

ARTICLE = Path(__file__).parents[3] / "bot" / "lab" / "worlds" / "article.toml"


@pytest.mark.parametrize("world", ["article", "large:3x20", "large:1x0"])
def test_worlds_hold_no_contradiction(world: str) -> None:
    for pool in populate(load_world(world)):
        assert find_contradictions(pool.database) == []


def test_uuids_are_the_same_at_every_start_and_references_are_not() -> None:
    first, second = (populate(load_world("article"))[0].database for _ in range(2))
    for class_name in ("VM", "host", "pool", "SR", "VDI", "network"):
        uuids = [{record["uuid"] for _, record in one.items(class_name)} for one in (first, second)]
        assert uuids[0] == uuids[1]
        assert not set(first.refs(class_name)) & set(second.refs(class_name))


def test_a_large_world_has_its_hosts_and_guests() -> None:
    [pool] = populate(load_world("large:4x50"))
    assert pool.database.count("host") == 4
    assert pool.database.count("VM") == 54
    residents = [len(record["resident_VMs"]) for _, record in pool.database.items("host")]
    assert sum(residents) == 54
    assert max(residents) - min(residents) <= 1


def test_db1_is_too_big_for_the_other_host_by_its_dynamic_minimum() -> None:
    pool = populate(load_world("article"))[0]
    db1 = next(ref for ref, record in pool.database.items("VM") if record["name_label"] == "db1")
    target = pool.hosts["xenserver3"]
    assert compute_need(pool.database, db1) > compute_free(pool.database, target)
    pool.database.set("VM", db1, memory_dynamic_min=8 * 1024**3)
    assert compute_need(pool.database, db1) < compute_free(pool.database, target)


def test_a_file_of_ones_own_is_a_world(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(ARTICLE.read_text(encoding="utf-8").replace("centos54", "mine"), encoding="utf-8")
    assert "mine" in {guest.name for guest in load_world(str(path)).guests}


@pytest.mark.parametrize("world", ["nowhere", "large:", "large:0x1", "large:255x1", "large:2xmany"])
def test_a_world_that_is_not_there_is_refused_in_a_sentence(world: str) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        Datacentre(world=world, password="pw")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('name = "winxp"', 'name = "winxp"\ncolour = "red"', "colour"),
        ('host = "xenserver2"', 'host = "nohost"', "on an unknown host 'nohost'"),
        ('storage = "nfs-vhd", size_gib = 12', 'storage = "nfs-other", size_gib = 12', "storage 'nfs-other'"),
        ("number = 2", "number = 1", "Two have the host number '1'."),
        ('coordinator = "xenserver1"', 'coordinator = "xenserver2"', "coordinator of pool 'experiment'"),
        ("dynamic_min = 49152", "dynamic_min = 1024", "memory limits of guest 'db1'"),
        ('cpu = "amd"', 'cpu = "mips"', "unknown cpu"),
        ("number = 5", "number = 255", "<= 254"),
    ],
)
def test_an_impossible_world_is_refused_with_its_reason(old: str, new: str, sentence: str) -> None:
    text = ARTICLE.read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(ValueError, match=r"^World mine: .*\.$") as caught:
        read_world(text.replace(old, new, 1), "mine")
    assert sentence in str(caught.value)


def test_missing_loopback_addresses_come_with_the_commands_that_make_them() -> None:
    error = LoopbackMissing(["127.0.1.1", "127.0.1.2"])
    assert error.addresses == ["127.0.1.1", "127.0.1.2"]
    assert str(error).splitlines()[1:] == [
        "sudo ifconfig lo0 alias 127.0.1.1 up",
        "sudo ifconfig lo0 alias 127.0.1.2 up",
    ]
