"""`xenbot backups`: a wrong configuration and a place that is not right are named."""

from __future__ import annotations

import os

import msgspec
import pytest
from backup_keeping import OTHER, keep
from cli_place import Place, make_place

from bot.backups.settings import BackupSettings
from bot.cli.backups import check
from bot.config.backups_part import load_backups_only


@pytest.mark.parametrize(
    ("keys", "finding"),
    [
        ('keep = "often"', "backups.keep: 'often' is no part of a rule"),
        ('time_zone = "Mars/Olympus"', "backups.time_zone: this machine knows no time zone 'Mars/Olympus'"),
        ('time_zone = "../../etc/passwd"', "backups.time_zone: "),
        ("trash_days = -1", "backups.trash_days: must be from 0 to 3,650."),
        ("keeps = 1", "backups.keeps: unknown key; did you mean `keep`?"),
    ],
)
def test_a_wrong_configuration_is_named_and_nothing_is_touched(place: Place, keys: str, finding: str) -> None:
    done = make_place(place.folder, keys).xenbot("prune")
    assert done.code == 2
    assert finding in done.err


def test_a_place_that_is_not_there_or_not_mounted_is_named(place: Place) -> None:
    done = make_place(place.folder, "mounted = true").xenbot("list")
    assert done.code == 1
    assert done.err.startswith(f"Nothing is mounted at {place.folder}.")
    place.folder.rmdir()
    done = place.xenbot("list")
    assert done.code == 2
    assert "there is no folder" in done.err


def test_the_check_of_everything_looks_at_the_place_too(place: Place) -> None:
    good, bad = keep(place.target), keep(place.target, OTHER)
    settings = load_backups_only(place.config)
    ((where, level, text),) = check(settings)
    assert (where, level) == ("backups", "ok")
    assert text.startswith("2 backups, ")
    os.truncate(bad.archive, 100)
    (good.archive.parent / "manifest.json").write_text("?")
    full = msgspec.structs.replace(settings, reserve_gib=1_000_000)
    assert [(one[1], one[2].split(" ", 1)[-1][:20]) for one in check(full)] == [
        ("warning", "is no usable backup:"),
        ("error", "GiB are free, and 97"),
        ("error", "of 1 backups are dam"),
    ]
    assert check(msgspec.structs.replace(settings, mounted=True))[0][1] == "error"
    assert check(BackupSettings()) == [("backups", "ok", "no place is configured: this bot makes none.")]
