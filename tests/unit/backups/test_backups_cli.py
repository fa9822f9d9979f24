"""`xenbot backups`: the archive is listed, verified and pruned from its files alone."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest
from backup_keeping import AT, GUEST, OTHER, keep
from click.testing import CliRunner
from xva_making import MIB, DiskSpec, Recipe, make_archive, make_content

from bot.backups import Folder, Stored
from bot.backups.custody import Custody
from bot.backups.settings import BackupSettings
from bot.cli import main
from bot.cli.backups import check
from bot.config.backups_part import load_backups_only
from bot.domain.catalogue import BackupState
from bot.store import Store

HOSTILE = '../../etc/passwd\n\x1b[31m\u202e"' + "x" * 300
DAY = 86400.0
# Longer than one piece that is read at a time.
BIG = Recipe(disks=(DiskSpec("Ref:7", 6 * MIB, {number: make_content(number) for number in range(6)}),))
BIG_UUID = "2f0b2b0e-0001-4000-8000-000000000001"


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Place:
    config: Path
    folder: Path
    target: Folder

    def xenbot(self, *arguments: str) -> Ended:
        done = CliRunner().invoke(main, ["backups", *arguments, "--config", str(self.config)], prog_name="xenbot")
        assert done.exception is None or isinstance(done.exception, SystemExit)
        return Ended(done.exit_code, done.stdout, done.stderr)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = tmp_path / "archive"
    folder.mkdir()
    return make_place(folder, 'keep = "last 2"')


def make_place(folder: Path, keys: str) -> Place:
    config = folder.parent / "xenbot.toml"
    # No other section: neither secrets nor the store are looked for.
    config.write_text(f'[backups]\npath = "{folder.name}"\n{keys}\n', encoding="utf-8")
    return Place(config, folder, Folder(folder))


def flip(stored: Stored, offset: int = 100_000) -> None:
    with stored.archive.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))


def test_an_empty_archive_says_so(place: Place) -> None:
    assert place.xenbot("list") == Ended(0, "No backups.\n", "")
    assert json.loads(place.xenbot("list", "--json").out) == {"backups": [], "unfinished": [], "findings": []}
    assert place.xenbot("verify", "--all") == Ended(0, "No backups.\n", "")
    assert place.xenbot("prune").out == "0 kept, 0 went to the trash, 0 went for good.\n"


def test_backups_are_listed_newest_first_with_what_was_proved_of_them(place: Place) -> None:
    first, second = keep(place.target, at=AT), keep(place.target, OTHER, at=AT + 60, name="db1")
    done = place.xenbot("list")
    assert done.code == 0
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines] == [second.manifest.id, first.manifest.id]
    assert "web1  experiment  2026-11-18T" in lines[1]
    assert "bytes  whole  stream 2026-11-18T" in lines[1]
    assert place.xenbot("list", "DB1").out == lines[0] + "\n"
    assert place.xenbot("list", GUEST).out == lines[1] + "\n"
    row = json.loads(place.xenbot("list", "--json").out)["backups"][0]
    assert (row["backup"], row["name"], row["verified_how"], row["damage"]) == (second.manifest.id, "db1", "stream", [])


def test_a_hostile_name_is_shown_as_text_and_names_no_file(place: Place) -> None:
    keep(place.target, name=HOSTILE)
    done = place.xenbot("list")
    assert "\x1b" not in done.out
    assert "\u202e" not in done.out
    assert len(done.out.splitlines()) == 1
    assert json.loads(place.xenbot("list", "--json").out)["backups"][0]["name"] == HOSTILE
    assert {one.name for one in place.folder.iterdir()} == {GUEST}


def test_what_is_no_backup_is_told_and_hides_no_other(place: Place) -> None:
    whole = keep(place.target)
    bad, foreign, later, swapped, lost = (keep(place.target) for _ in range(5))
    manifest = bad.archive.parent / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:200])
    (foreign.archive.parent / "manifest.json").write_text('{"format": 1, "hello": "world"}')
    text = (later.archive.parent / "manifest.json").read_text()
    (later.archive.parent / "manifest.json").write_text(text.replace('"format": 1', '"format": 2'))
    (swapped.archive.parent / "manifest.json").write_text(text)
    (lost.archive.parent / "manifest.json").unlink()
    (place.folder / GUEST / "notes.txt").write_text("mine")
    for quiet in ("lost+found", "@eaDir", "#recycle", ".snapshot", f"{GUEST}/@eaDir"):
        (place.folder / quiet).mkdir()
    place.target.begin("20261126-024205-abcd", GUEST)
    done = place.xenbot("list")
    assert done.code == 1
    assert done.out.count(whole.manifest.id) == 1
    assert "20261126-024205-abcd" in done.out
    told = done.err
    assert f"{bad.manifest.id} is no usable backup: it cannot be read" in told
    assert f"{foreign.manifest.id} is no usable backup: it cannot be read" in told
    assert f"{later.manifest.id} is no usable backup: it was written by a later version (format 2)" in told
    assert f"{swapped.manifest.id} is no usable backup: its manifest is that of another backup" in told
    assert f"{lost.manifest.id} is no usable backup: it has no manifest.json" in told
    assert "notes.txt is none of the bot's" in told
    assert not any(quiet in told for quiet in ("lost+found", "@eaDir", "#recycle", ".snapshot"))


def test_a_field_that_a_later_version_adds_is_passed_over(place: Place) -> None:
    stored = keep(place.target)
    manifest = stored.archive.parent / "manifest.json"
    known = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(known | {"colour": "green", "contents": known["contents"] | {"shape": [1]}}))
    assert place.target.find(stored.manifest.id) == stored


@pytest.mark.parametrize("value", [1e300, -1.0, 1e12])
def test_a_time_that_cannot_be_is_no_backup_s(place: Place, value: float) -> None:
    stored = keep(place.target)
    manifest = stored.archive.parent / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"at": value}))
    assert "names a time that cannot be" in place.xenbot("list").err
    assert place.xenbot("prune").code == 1


def test_all_of_a_backup_is_verified_and_the_result_is_kept(place: Place) -> None:
    whole, damaged = keep(place.target, at=AT), keep(place.target, OTHER, at=AT + 60)
    flip(damaged)
    done = place.xenbot("verify", "--all")
    assert done.code == 1
    assert f"{whole.manifest.id}  web1  as it was when it was made (all of it was read)" in done.out
    assert f"{damaged.manifest.id}  web1  damaged (all of it was read)" in done.out
    assert "Block 00000000 of disk 0 (“root”) is damaged" in done.out
    assert place.target.find(damaged.manifest.id).backup.state is BackupState.DAMAGED
    assert place.xenbot("list").code == 1
    seen = place.target.find(whole.manifest.id).backup.verified
    assert seen is not None
    assert (seen.how.value, seen.who.startswith("console:")) == ("full", True)
    row = json.loads(place.xenbot("verify", damaged.manifest.id, "--json").out)["backups"][0]
    assert (row["ok"], row["checked"]) == (False, damaged.manifest.size)


def test_a_sample_says_how_much_it_read(place: Place) -> None:
    stored = keep(place.target)
    done = place.xenbot("verify", "web1", "--sample", "1")
    assert done.code == 0
    assert "bytes, picked at random was read)" in done.out
    assert place.target.find(stored.manifest.id).backup.good


def test_a_proof_that_cannot_be_used_is_a_finding_and_no_damage(place: Place) -> None:
    stored = keep(place.target)
    stored.proof.write_bytes(b"XENPROOF")
    assert place.xenbot("verify", "web1", "--sample", "1").code == 1
    done = place.xenbot("verify", "web1")
    assert done.code == 1
    assert "as it was when it was made" in done.out
    assert "The proof cannot be used: it is no proof." in done.out
    assert place.target.find(stored.manifest.id).backup.good


def test_pruning_says_first_and_then_moves_to_the_trash_what_no_rule_keeps(place: Place) -> None:
    now = time.time()
    kept = [keep(place.target, at=now - day * DAY) for day in range(4)]
    dry = place.xenbot("prune", "--dry-run")
    assert dry.code == 0
    assert dry.out.endswith("2 kept, 2 would go to the trash, 0 would go for good.\n")
    assert all(one.backup.state is BackupState.WHOLE for one in place.target.listing().stored)
    done = json.loads(place.xenbot("prune", "--json").out)
    assert {one["backup"] for one in done["trashed"]} == {one.manifest.id for one in kept[2:]}
    assert [one["why"] for one in done["kept"]] == ["the newest that was found whole", "one of the newest 2"]
    states = {one.manifest.id: one.backup.state for one in place.target.listing().stored}
    assert [states[one.manifest.id] for one in kept] == [BackupState.WHOLE] * 2 + [BackupState.TRASHED] * 2
    # Two steps: what came to the trash now stays there, whatever else is pruned.
    assert place.xenbot("prune").out.endswith("2 kept, 0 went to the trash, 0 went for good.\n")


def test_what_lay_in_the_trash_long_enough_goes_for_good_but_never_the_last_whole_one(place: Place) -> None:
    now = time.time()
    old, living = keep(place.target, at=now - 40 * DAY), keep(place.target, at=now - 30 * DAY)
    only = keep(place.target, OTHER, at=now - 20 * DAY)
    for one in (old, only):
        place.target.trash(one.manifest.id, "U1", now - 8 * DAY)
    done = json.loads(place.xenbot("prune", "--json").out)
    assert [one["backup"] for one in done["removed"]] == [old.manifest.id]
    assert {one.manifest.id for one in place.target.listing().stored} == {living.manifest.id, only.manifest.id}
    assert place.target.recover(only.manifest.id).backup.good


def test_one_in_the_trash_stays_when_all_that_is_outside_turns_out_to_be_damaged(place: Place) -> None:
    now = time.time()
    trashed, outside = keep(place.target, at=now - 40 * DAY), keep(place.target, at=now - 30 * DAY)
    place.target.trash(trashed.manifest.id, "U1", now - 8 * DAY)
    flip(outside)
    assert place.xenbot("verify", outside.manifest.id).code == 1
    assert json.loads(place.xenbot("prune", "--json").out)["removed"] == []


def test_a_rule_of_a_backup_s_own_comes_before_that_of_the_configuration(place: Place) -> None:
    now = time.time()
    for day in range(4):
        keep(place.target, at=now - day * DAY, keep="last 3")
    keep(place.target, OTHER, at=now, keep="what?")
    done = place.xenbot("prune", "--dry-run")
    assert "4 kept, 1 would go to the trash" in done.out
    assert "their own rule cannot be used" in done.err
    assert done.code == 1


def test_a_damaged_newest_backup_makes_the_one_before_it_stay(place: Place) -> None:
    now = time.time()
    stored = [keep(place.target, at=now - day * DAY) for day in range(4)]
    for one in stored[:2]:
        os.truncate(one.archive, 1000)
    done = json.loads(place.xenbot("prune", "--json").out)
    assert {one["backup"] for one in done["trashed"]} == set()
    assert json.loads(place.xenbot("list", "--json").out)["backups"][0]["state"] == "damaged"


def test_a_draft_that_nobody_finishes_is_named_and_can_be_removed(place: Place) -> None:
    old, new = place.target.begin("20261126-024205-abcd", GUEST), place.target.begin("20261126-024205-beef", GUEST)
    old.archive.write_bytes(b"x" * 1000)
    for path in (old.archive, old.folder):
        os.utime(path, (time.time() - 3 * DAY,) * 2)
    done = place.xenbot("prune")
    assert done.code == 1
    assert f"The draft {old.id} of guest {GUEST} (1,000 bytes) was written to last 3 days ago" in done.err
    assert new.id not in done.err
    assert place.xenbot("discard", old.id).out == f"{old.id}  removed\n"
    assert place.xenbot("discard", old.id).code == 1
    stored = keep(place.target)
    assert place.xenbot("discard", stored.manifest.id).err == f"There is no draft {stored.manifest.id}.\n"
    assert place.target.find(stored.manifest.id) == stored
    assert [one.id for one in place.target.listing().unfinished] == [new.id]


def test_a_clock_that_is_far_ahead_is_believed_when_a_person_says_so(place: Place) -> None:
    now = time.time()
    old, *_ = [keep(place.target, at=now - day * DAY) for day in (40, 2, 1)]
    place.target.keep_custody(Custody(pruned_at=now - 30 * DAY))
    done = place.xenbot("prune")
    assert done.code == 1
    assert "30 days after backups were pruned last" in done.err
    assert "3 kept, 0 went to the trash" in done.out
    done = place.xenbot("prune", "--clock-is-right", "--json")
    assert [one["backup"] for one in json.loads(done.out)["trashed"]] == [old.manifest.id]
    assert place.xenbot("prune").code == 0


def test_what_a_bot_has_made_is_left_to_it_until_another_one_claims_it(place: Place) -> None:
    now = time.time()
    made = [keep(place.target, at=now - day * DAY, store="0123456789abcdef") for day in (1, 2, 40)]
    done = place.xenbot("prune")
    assert "left  3 of another xenbot, 0123456789abcdef" in done.out
    assert place.xenbot("claim").err == "There is no store of a bot yet that could claim them: start it once.\n"
    assert {one.manifest.id for one in made} == {one.id for one in place.target.listing().backups}


def test_a_bot_with_a_store_claims_what_another_one_has_left_and_prunes_it_from_then_on(place: Place) -> None:
    now = time.time()
    made = [keep(place.target, at=now - day * DAY, store="0123456789abcdef") for day in (1, 2, 40)]
    place = make_place(place.folder, 'keep = "last 2"\n[store]\npath = "bot.db"')
    asyncio.run(started_once(place.folder.parent / "bot.db"))
    assert "left  3 of another xenbot, 0123456789abcdef" in place.xenbot("prune").out
    done = place.xenbot("claim")
    assert (done.code, done.out, done.err) == (0, "claimed  3 of 0123456789abcdef\n", "")
    assert place.xenbot("claim").out == ""
    trashed = json.loads(place.xenbot("prune", "--json").out)["trashed"]
    assert [one["backup"] for one in trashed] == [made[2].manifest.id]


async def started_once(path: Path) -> None:
    store = Store(path)
    await store.open()
    try:
        await store.identity()
    finally:
        await store.close()


def test_what_went_to_the_trash_can_be_taken_out_again(place: Place) -> None:
    stored = keep(place.target)
    place.target.trash(stored.manifest.id, "U1", AT)
    assert place.xenbot("list").out.count("in the trash") == 1
    assert place.xenbot("recover", stored.manifest.id).code == 0
    assert place.target.find(stored.manifest.id) == stored
    done = place.xenbot("recover", "20261126-024205-3f9c2a1b")
    assert (done.code, done.err) == (1, "There is no backup called “20261126-024205-3f9c2a1b”.\n")


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_an_archive_from_elsewhere_is_taken_in_when_all_of_it_is_right(place: Place, compression: str) -> None:
    file = place.folder.parent / "from elsewhere.xva"
    file.write_bytes(make_archive(BIG, compression))
    os.utime(file, (AT, AT))
    row = json.loads(place.xenbot("adopt", str(file), "--json").out)
    assert (row["guest"], row["name"], row["at"][:10], row["job"]) == (BIG_UUID, "web1", "2026-11-18", None)
    stored = place.target.find(row["backup"])
    assert stored.archive.read_bytes() == file.read_bytes()
    assert stored.backup.good
    assert place.xenbot("verify", row["backup"], "--sample", "50").code == 0


TOLD = r"(('name_description' '(\'name_label\' \'evil\')') ('name_label' 'db <b>\'1\'\\') ('tags' '()'))"


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (TOLD, "db <b>'1'\\"),
        ("", "nightly (a snapshot)"),
        ("(('name_label' 'cut", "nightly (a snapshot)"),
        (None, "nightly"),
    ],
    ids=["told", "not told", "cut", "no snapshot"],
)
def test_an_archive_of_a_snapshot_is_listed_by_the_name_of_its_guest(
    place: Place, record: str | None, name: str
) -> None:
    file = place.folder.parent / "snapshot.xva"
    file.write_bytes(make_archive(replace(BIG, guest="nightly", snapshot_of=record)))
    assert json.loads(place.xenbot("adopt", str(file), "--json").out)["name"] == name


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "This is an empty file."),
        (b"<!doctype html><html><title>Sign in</title></html>" * 40, "This is a web page, not an archive"),
        (make_archive(BIG)[:-1024], "the archive ends without its end marks: it was cut"),
        (make_archive(BIG)[:-600_000], "Block Ref:7/00000005 of disk 0 (“root”), byte"),
        (make_archive(BIG) + b"\0", "more bytes follow the end of the archive"),
        (make_archive(BIG).replace(BIG_UUID.encode(), b"../" * 12), "a usable UUID"),
    ],
)
def test_what_is_no_whole_archive_is_not_taken_in_and_nothing_is_left(
    place: Place, content: bytes, sentence: str
) -> None:
    file = place.folder.parent / "guest.xva"
    file.write_bytes(content)
    done = place.xenbot("adopt", str(file))
    assert done.code == 1
    assert sentence in done.err
    listing = place.target.listing()
    assert (listing.stored, listing.unfinished, listing.findings) == ((), (), ())


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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can go on as somebody else")
def test_root_leaves_nothing_that_the_bot_could_not_read(place: Place) -> None:
    stored = keep(place.target, at=time.time() - DAY)
    keep(place.target, at=time.time())
    keep(place.target, at=time.time())
    nobody = 65534
    for folder in (place.folder.parent, *place.folder.parent.parents[:-2]):
        # The rest of the way to it, which pytest keeps to its own user.
        folder.chmod(folder.stat().st_mode | 0o011)
    for path in (place.folder, *place.folder.rglob("*")):
        os.chown(path, nobody, nobody)
    done = subprocess.run(
        [sys.executable, "-m", "bot.cli", "backups", "prune", "--config", place.config],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert place.target.find(stored.manifest.id).trashed_at is not None
    assert {path.stat().st_uid for path in place.folder.rglob("*")} == {nobody}


def test_names_that_no_backup_has_are_usage_errors(place: Place) -> None:
    keep(place.target)
    assert place.xenbot("list", "nobody").code == 2
    assert place.xenbot("verify").code == 2
    assert place.xenbot("verify", "--all", "web1").code == 2
