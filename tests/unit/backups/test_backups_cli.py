"""`xenbot backups`: the archive is listed and verified from its files alone."""

from __future__ import annotations

import json

import pytest
from backup_keeping import AT, GUEST, OTHER, keep
from cli_place import Ended, Place, flip

from bot.domain.catalogue import BackupState

HOSTILE = '../../etc/passwd\n\x1b[31m\u202e"' + "x" * 300


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


def test_names_that_no_backup_has_are_usage_errors(place: Place) -> None:
    keep(place.target)
    assert place.xenbot("list", "nobody").code == 2
    assert place.xenbot("verify").code == 2
    assert place.xenbot("verify", "--all", "web1").code == 2
