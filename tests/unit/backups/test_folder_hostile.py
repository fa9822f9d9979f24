"""A folder of backups in which somebody else was at work, or another bot."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from backup_keeping import ARCHIVE, AT, GUEST, OTHER, deaf, keep, write

from bot.backups import Folder, Stored, check_all, check_sample, make_id
from bot.domain.catalogue import BackupState, Proof, Verification
from bot.errors import Damaged, NotFound, Refused, TargetFailed


def place_of(stored: Stored) -> Path:
    return stored.archive.parent


def rewrite(stored: Stored, **values: object) -> None:
    manifest = place_of(stored) / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | values))


def test_a_link_in_the_place_of_a_guest_is_not_followed(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "archive", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    other = keep(Folder(elsewhere))
    (folder / GUEST).symlink_to(elsewhere / GUEST)
    target = Folder(folder)
    listing = target.listing()
    assert listing.backups == ()
    assert f"{GUEST} cannot be read" in listing.findings[0].sentence
    with pytest.raises(TargetFailed):
        target.begin(make_id(AT), GUEST)
    with pytest.raises(NotFound):
        target.trash(other.manifest.id, "U1", AT)
    target.discard(other.manifest.id)
    assert other.archive.exists()


@pytest.mark.parametrize("name", ["manifest.json", "archive.xva", "checked.json"])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_plain_file_is_never_opened_as_one(tmp_path: Path, name: str, kind: str) -> None:
    target = Folder(tmp_path)
    stored = keep(target)
    target.record(stored.manifest.id, Verification(AT + 100, Proof.FULL, "U1"))
    path = place_of(stored) / name
    path.rename(tmp_path / "before")
    if kind == "link":
        path.symlink_to(tmp_path / "before")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    listing = target.listing(GUEST)
    if name == "archive.xva":
        assert listing.backups[0].state is BackupState.DAMAGED
        with pytest.raises(TargetFailed):
            check_all(stored, deaf)
    elif name == "manifest.json":
        assert listing.backups == ()
        assert listing.findings
    else:
        # What a later look found cannot be told any more: no green tick, and no removal either.
        assert not listing.backups[0].good if listing.backups else listing.findings


def test_a_manifest_that_names_a_size_no_file_has_ends_at_once(tmp_path: Path) -> None:
    target = Folder(tmp_path)
    stored = keep(target)
    rewrite(stored, size=1 << 62)
    found = target.find(stored.manifest.id)
    assert found.backup.state is BackupState.DAMAGED
    assert "should have 4,611,686,018,427,387,904" in check_all(found, deaf).damage[0]
    assert "should have 4,611,686,018,427,387,904" in check_sample(found, 0.5, deaf).damage[0]
    rewrite(stored, size=0)
    assert "should have 0" in check_sample(target.find(stored.manifest.id), 0.5, deaf).damage[0]


@pytest.mark.parametrize("blocks", [-(1 << 60), 1 << 60])
def test_a_manifest_that_tells_lies_about_its_contents_names_no_wrong_block(tmp_path: Path, blocks: int) -> None:
    target = Folder(tmp_path)
    stored = keep(target)
    contents = json.loads((place_of(stored) / "manifest.json").read_text())["contents"]
    rewrite(stored, contents=contents | {"blocks": blocks, "disks": []})
    os.truncate(stored.archive, len(ARCHIVE) - 100)
    assert check_all(target.find(stored.manifest.id), deaf).damage


@pytest.mark.parametrize(
    "content",
    [b"", b"[" * 100_000, b'{"format": 1, "x": ' + b"[" * 100_000, b"\xff\xfe", b"null", b"9" * 5000, b" " * (5 << 20)],
)
def test_no_manifest_breaks_the_list(tmp_path: Path, content: bytes) -> None:
    target = Folder(tmp_path)
    whole, broken = keep(target), keep(target)
    (place_of(broken) / "manifest.json").write_bytes(content)
    listing = target.listing()
    assert [one.id for one in listing.backups] == [whole.manifest.id]
    assert len(listing.findings) == 1
    with pytest.raises(NotFound, match="There is no usable backup called"):
        target.find(broken.manifest.id)


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 100_000, b'{"at": "x", "how": "stream", "who": ""}'])
def test_a_verification_that_cannot_be_read_is_no_green_tick(tmp_path: Path, content: bytes) -> None:
    target = Folder(tmp_path)
    stored = keep(target)
    (place_of(stored) / "checked.json").write_bytes(content)
    listing = target.listing()
    assert not listing.backups[0].good
    assert listing.backups[0].state is BackupState.WHOLE
    assert "a last verification that cannot be read" in listing.findings[0].sentence
    assert listing.findings[0].command == f"/xen verify {stored.manifest.id}"
    assert target.record(stored.manifest.id, Verification(AT + 500, Proof.FULL, "U1")).good


def test_names_in_a_strange_coding_do_not_break_the_list(tmp_path: Path) -> None:
    os.mkdir(os.fsencode(tmp_path) + b"/\xff\xfe\x1b[31m\n")  # noqa: PTH102  a name that no text can hold
    (finding,) = Folder(tmp_path).listing().findings
    assert finding.sentence.isprintable()
    finding.sentence.encode()


def test_a_folder_full_of_other_things_is_told_in_so_many_sentences(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"file{number}").touch()
    assert len(Folder(tmp_path).listing().findings) == 201


def test_a_clock_that_went_back_empties_no_trash(tmp_path: Path) -> None:
    target = Folder(tmp_path)
    target.trash(keep(target).manifest.id, "U1", AT)
    assert target.purge(AT - 1000) == ()


def test_a_proof_that_is_not_the_one_that_was_made_is_not_committed(tmp_path: Path) -> None:
    target = Folder(tmp_path)
    draft = target.begin(make_id(AT), GUEST)
    manifest = write(draft)
    proof = draft.folder / "proof"
    proof.write_bytes(proof.read_bytes()[:-1])
    with pytest.raises(Damaged, match="proof of the archive cannot be used"):
        target.commit(draft, manifest)
    # A second attempt in the same draft writes it anew.
    assert target.commit(draft, write(draft)).backup.good


def test_of_two_that_remove_one_backup_one_does_and_the_other_finds_it_gone(tmp_path: Path) -> None:
    stored = [keep(Folder(tmp_path), OTHER if number % 2 else GUEST) for number in range(20)]
    outcomes: list[str] = []

    def work() -> None:
        target = Folder(tmp_path)
        for one in stored:
            try:
                target.trash(one.manifest.id, "U1", AT)
                outcomes.append("moved")
            except (NotFound, TargetFailed):
                outcomes.append("gone")

    _together(work, work)
    assert sorted(outcomes) == ["gone"] * 20 + ["moved"] * 20
    assert {one.state for one in Folder(tmp_path).listing().backups} == {BackupState.TRASHED}


def test_a_list_that_is_read_while_others_write_and_remove_has_only_whole_entries(tmp_path: Path) -> None:
    done = threading.Event()
    seen: list[str] = []

    def work() -> None:
        target = Folder(tmp_path)
        for _ in range(15):
            one = keep(target)
            target.trash(one.manifest.id, "U1", AT)
            target.purge(AT + 1)
        done.set()

    def look() -> None:
        while not done.is_set():
            listing = Folder(tmp_path).listing()
            seen.extend(one.sentence for one in listing.findings)
            seen.extend(one.id for one in listing.backups if one.verified is None or one.verified.damage)

    _together(work, look)
    assert seen == []


def test_only_what_is_in_the_trash_can_be_taken_out(tmp_path: Path) -> None:
    target = Folder(tmp_path)
    stored = keep(target)
    with pytest.raises(Refused, match="is not in the trash"):
        target.recover(stored.manifest.id)


def _together(*works: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
