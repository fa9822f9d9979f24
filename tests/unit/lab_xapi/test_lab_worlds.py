"""Worlds: the article's, generated ones, files of one's own; and what is refused."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from bot.lab.xapi import Datacentre, LoopbackMissing
from bot.lab.xapi.consistency import find_contradictions
from bot.lab.xapi.loading import load_world, read_world
from bot.lab.xapi.meddling import SwitchNfs
from bot.lab.xapi.population import populate
from bot.lab.xapi.rules.memory import compute_free, compute_need
from bot.lab.xapi.world import (
    Cpu,
    Version,
    WorldDisk,
    WorldExport,
    WorldGuest,
    WorldHa,
    WorldHost,
    WorldMemory,
    WorldNfsServer,
    WorldPool,
    WorldRepository,
    WorldStorage,
)

WORLDS = Path(__file__).parents[3] / "bot" / "lab" / "worlds"
ARTICLE = WORLDS / "article.toml"
README = (WORLDS / "README.md").read_text(encoding="utf-8")
EXAMPLE = README.partition("```toml\n")[2].partition("```")[0]
OLD_DISK = 'disks = [{ storage = "local", size_gib = 10 }]'
TABLES = {
    "[cpus.NAME]": Cpu,
    "[versions.NAME]": Version,
    "[[pools]]": WorldPool,
    "ha": WorldHa,
    "[[hosts]]": WorldHost,
    "[[storage]]": WorldStorage,
    "[[nfs_servers]]": WorldNfsServer,
    "exports": WorldExport,
    "repositories": WorldRepository,
    "[[guests]]": WorldGuest,
    "memory": WorldMemory,
    "disks": WorldDisk,
}


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


def test_the_documented_example_is_a_world_without_contradictions() -> None:
    pools = {pool.name: pool for pool in populate(read_world(EXAMPLE, "example"))}
    assert set(pools) == {"production", "gamma"}
    for pool in pools.values():
        assert find_contradictions(pool.database) == []
    names = [record["name_label"] for _, record in pools["production"].database.items("host")]
    assert sorted(names) == ["alpha", "beta", "gamma"]


def test_there_is_a_table_for_every_kind_of_thing() -> None:
    assert set(re.findall(r"^### `([^`]+)`", README, re.MULTILINE)) == set(TABLES)


@pytest.mark.parametrize("title", TABLES)
def test_every_key_is_documented_with_its_default(title: str) -> None:
    section = README.partition(f"### `{title}`")[2].partition("\n### ")[0]
    documented = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section, re.MULTILINE))
    fields = {field.name: describe_default(field) for field in msgspec.structs.fields(TABLES[title])}
    assert documented == fields


def test_every_switch_of_an_nfs_server_is_documented_and_those_of_an_export_are_the_last_before_its_path() -> None:
    section = README.partition("### The switches of an NFS server")[2]
    documented = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    fields = set(SwitchNfs.__struct_fields__) - {"server"}
    assert len(documented) == len(fields)
    assert set(documented) == fields
    assert "The last five are for this export only" in section
    assert documented[-1] == "path"
    assert set(documented[-6:-1]) == {"export", "root_squash", "read_only", "full", "clients"}


def describe_default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "–"
    default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    if default is None or default == "":
        return "none"
    return f"`{json.dumps(default)}`"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (OLD_DISK, 'disks = [{ storage = "iso-like" }]', ""),
        (
            OLD_DISK,
            f'{OLD_DISK}\n[[guests]]\nname = "x"\nhost = "beta"\ndisks = [{{ storage = "iso-like" }}]',
            "Guest 'x' cannot run on 'beta', which is not plugged to 'iso-like'.",
        ),
        ("static_max = 4096 }", "static_max = 4096000 }", ""),
        (
            "dynamic_min = 2048, dynamic_max = 4096, static_max = 4096",
            "dynamic_min = 63000, dynamic_max = 63000, static_max = 63000",
            "Host 'alpha' lacks",
        ),
        ("vcpus = 4", "vcpus = 33", "runs with 33 processors; its host has 32"),
        ("size_gib = 40", "size_gib = 4000", "is larger than storage 'nfs'"),
        (
            '[[hosts]]\nname = "beta"',
            '[[pools]]\nname = "production"\ncoordinator = "beta"\n\n[[hosts]]\nname = "beta"',
            "Pool 'production' is there twice; a pool has one coordinator.",
        ),
        ('name = "beta"', 'name = "alpha"', "Two have the host 'alpha'."),
        ('name = "iso-like"', 'name = "nfs"', "Two have the storage of pool 'production' 'nfs'."),
        ('unplugged = ["iso-like"]', 'unplugged = ["nfs"]', "needs storage that all its hosts are plugged to"),
        ('unplugged = ["iso-like"]', 'unplugged = ["smb"]', "unplugged from storage 'smb'"),
        ("failures = 1", "failures = 2", "cannot survive 2 of its 2 hosts"),
        ('half_joined = "production"', 'half_joined = "nowhere"', "half joined"),
        ("start = ", "dance = ", "blocks 'dance', which is no operation"),
        ('serverpath = "/exports/other" }', 'serverpath = "/exports/other" }\ndefault = true', "2 default storages"),
        ('address = "192.0.2.100"', 'address = "nowhere"', "address of NFS server 'nfsserver' is none"),
        ('{ path = "/exports/vms", size_gib = 2048 }', '{ path = "exports" }', "exports 'exports', which is no path"),
        ('{ path = "/exports/empty",', '{ path = "/",', ""),
        ('{ path = "/exports/empty",', '{ path = "/exports/vms/",', "exports '/exports/vms' twice"),
        (
            '{ path = "/exports/vms", size_gib = 2048 },',
            "",
            "'nfs' is on '/exports/vms', which NFS server 'nfsserver' does",
        ),
        ("size_gib = 2048 },", "size_gib = 2047 },", "'nfs' has 2048 GiB, the file system it is on 2047."),
        ("exports = [", "versions = []\nexports = [", "speaks no version"),
        (
            '[{ name = "left behind", disks_gib = [20] }]',
            '[{ name = "twice" }, { name = "twice" }]',
            "Two repositories on NFS server 'nfsserver' are called 'twice'.",
        ),
        (
            "[[nfs_servers]]",
            '[[nfs_servers]]\nname = "nfsserver"\n[[nfs_servers]]',
            "Two NFS servers are called 'nfsserver'.",
        ),
        ('features_pv = "1fc9cbf5', 'features_pv = "xyz', "hexadecimal"),
        ('name = "db"', 'name = " "', "A name is empty."),
        ('state = "Halted"', 'state = "Asleep"', "Invalid enum value 'Asleep'"),
    ],
)
def test_what_cannot_stand_is_refused_in_a_sentence(old: str, new: str, sentence: str) -> None:
    """Where no sentence is given the change is a possible one, beside the impossible one after it."""
    assert old in EXAMPLE
    text = EXAMPLE.replace(old, new, 1)
    if not sentence:
        assert read_world(text, "mine")
        return
    with pytest.raises(ValueError, match=r"^World mine: .*\.$") as caught:
        read_world(text, "mine")
    assert str(caught.value).count(sentence) == 1


def test_missing_loopback_addresses_come_with_the_commands_that_make_them() -> None:
    error = LoopbackMissing(["127.0.1.1", "127.0.1.2"])
    assert error.addresses == ["127.0.1.1", "127.0.1.2"]
    assert str(error).splitlines()[1:] == [
        "sudo ifconfig lo0 alias 127.0.1.1 up",
        "sudo ifconfig lo0 alias 127.0.1.2 up",
    ]
