"""`xenbot backups adopt`: an archive from elsewhere is taken in when all of it is right."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest
from backup_keeping import AT
from cli_place import Place
from xva_making import MIB, DiskSpec, Recipe, make_archive, make_content

# Longer than one piece that is read at a time.
BIG = Recipe(disks=(DiskSpec("Ref:7", 6 * MIB, {number: make_content(number) for number in range(6)}),))
BIG_UUID = "2f0b2b0e-0001-4000-8000-000000000001"


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
