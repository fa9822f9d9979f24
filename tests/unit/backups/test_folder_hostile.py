"""A folder of backups in which somebody else was at work, another bot, or a crash."""

from __future__ import annotations

import errno
import json
import os
import stat
import threading
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any

import pytest
from backup_keeping import ARCHIVE, AT, GUEST, OTHER, keep, write
from xva_making import MIB, DiskSpec, Recipe, make_archive, make_content

from bot.backups import Folder, Stored, check_all, check_sample, checking, folder_files, make_id
from bot.domain.catalogue import BackupState, Proof, Verification
from bot.errors import Damaged, NotFound, Refused, TargetFailed


def place_of(stored: Stored) -> Path:
    return stored.archive.parent


def rewrite(stored: Stored, **values: object) -> None:
    manifest = place_of(stored) / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | values))


def deaf(_done: int, _total: int) -> None:
    """Nobody listens."""


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


def test_a_removal_that_was_cut_short_is_finished_by_the_next(tmp_path: Path) -> None:
    target = Folder(tmp_path)
    stored = keep(target)
    target.trash(stored.manifest.id, "U1", AT)
    trash = tmp_path / ".trash"
    (trash / stored.manifest.id).rename(trash / f"{stored.manifest.id}.going")
    (trash / f"{stored.manifest.id}.going" / "manifest.json").unlink()
    assert target.listing().findings == ()
    assert target.purge(0.0) == ()
    assert list(trash.iterdir()) == []


def test_a_file_that_a_server_keeps_for_a_reader_does_not_end_the_emptying(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Folder(tmp_path)
    both = [keep(target), keep(target)]
    for one in both:
        target.trash(one.manifest.id, "U1", AT)
    rmdir = os.rmdir

    def busy(name: str, *, dir_fd: int) -> None:
        # As over NFS: a file that is open elsewhere gets another name and stays.
        if both[0].manifest.id in name:
            raise OSError(errno.ENOTEMPTY, "Directory not empty")
        rmdir(name, dir_fd=dir_fd)

    monkeypatch.setattr(folder_files.os, "rmdir", busy)
    assert {one.id for one in target.purge(AT + 1)} == {one.manifest.id for one in both}
    monkeypatch.undo()
    assert [one.name for one in (tmp_path / ".trash").iterdir()] == [f"{both[0].manifest.id}.going"]
    target.purge(AT + 1)
    assert list((tmp_path / ".trash").iterdir()) == []


def test_a_folder_that_a_server_put_into_one_in_the_trash_keeps_no_other_from_going(tmp_path: Path) -> None:
    target = Folder(tmp_path)
    both = [keep(target), keep(target)]
    for one in both:
        (place_of(one) / "@eaDir").mkdir()
        target.trash(one.manifest.id, "U1", AT)
    assert len(target.purge(AT + 1)) == 2
    assert {path.name for path in (tmp_path / ".trash").rglob("*")} == {
        "@eaDir",
        *(f"{one.manifest.id}.going" for one in both),
    }


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


@pytest.mark.parametrize("failing", ["write", "fsync", "replace", "rename"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_disk_that_fails_while_a_backup_is_committed_leaves_a_draft_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, code: int
) -> None:
    target = Folder(tmp_path)
    draft = target.begin(make_id(AT), GUEST)
    manifest = write(draft)

    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        if failing == "write":
            patch.setattr(folder_files, "write_small", fail)
        else:
            patch.setattr(folder_files.os, failing, fail)
        with pytest.raises(TargetFailed, match=f"{draft.id}.partial could not be written"):
            target.commit(draft, manifest)
    listing = target.listing()
    assert listing.backups == ()
    assert [one.id for one in listing.unfinished] == [draft.id]
    assert target.commit(draft, manifest).backup.good


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


def test_a_folder_of_somebody_else_hides_no_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = Folder(tmp_path)
    foreign = tmp_path / "00000000-0000-4000-8000-000000000000"
    foreign.mkdir()
    stored = keep(target)
    draft = target.begin(make_id(AT), GUEST)
    write(draft)
    open_ = os.open

    def closed(path: str, *args: Any, **named: Any) -> int:
        if path == foreign.name:
            raise PermissionError(errno.EACCES, "Permission denied")
        return open_(path, *args, **named)

    monkeypatch.setattr(folder_files.os, "open", closed)
    assert target.find(stored.manifest.id) == stored
    (finding,) = target.listing().findings
    assert finding.sentence.startswith(f"{foreign} cannot be read: Permission denied. Give the bot's user the right")
    target.discard(draft.id)
    assert not draft.folder.exists()
    target.trash(stored.manifest.id, "U1", AT)


def test_a_draft_that_cannot_be_removed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = Folder(tmp_path)
    draft = target.begin(make_id(AT), GUEST)
    (draft.folder / "a folder").mkdir()
    with pytest.raises(TargetFailed, match=f"could not be cleared of the draft {draft.id}"):
        target.discard(draft.id)


def test_only_what_is_in_the_trash_can_be_taken_out(tmp_path: Path) -> None:
    target = Folder(tmp_path)
    stored = keep(target)
    with pytest.raises(Refused, match="is not in the trash"):
        target.recover(stored.manifest.id)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_place_that_cannot_be_written_is_told_by_a_probe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(folder_files.os, "replace", fail)
    with pytest.raises(TargetFailed, match=f"{tmp_path} could not be written"):
        Folder(tmp_path).probe()
    assert list(tmp_path.iterdir()) == []


def test_a_backup_in_a_folder_that_may_not_be_read_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, opened = Folder(tmp_path), os.open
    stored, other = keep(target), keep(target, OTHER)

    def locked(path: Any, *args: Any, **named: Any) -> int:
        if path == GUEST:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, *args, **named)

    monkeypatch.setattr(folder_files.os, "open", locked)
    with pytest.raises(TargetFailed, match="the bot's user may not do that"):
        target.find(stored.manifest.id)
    assert target.find(other.manifest.id) == other


def test_a_file_server_that_cannot_sync_folders_is_good_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync = os.fsync

    def files_only(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(folder_files.os, "fsync", files_only)
    assert keep(Folder(tmp_path)).backup.good


def test_places_that_the_disk_cannot_read_are_damage_and_not_the_end_of_the_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = keep(Folder(tmp_path))
    read = FileIO.readinto

    class Worn(FileIO):
        def readinto(self, buffer: Any) -> int | None:
            if self.tell() == 1 << 20:
                raise OSError(errno.EIO, "Input/output error")
            return read(self, buffer)

    monkeypatch.setattr(checking, "FileIO", Worn)
    (damage,) = check_all(stored, deaf).damage
    assert damage.startswith("Bytes 1,048,576 to 2,097,151 of the archive are damaged")

    class Gone(FileIO):
        def readinto(self, buffer: Any) -> int | None:
            raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(checking, "FileIO", Gone)
    with pytest.raises(TargetFailed, match="no longer knows it"):
        check_all(stored, deaf)


def test_an_archive_with_more_damage_than_can_be_told_is_told_as_far_as_possible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "_MOST_RANGES", 2)
    blocks = {number: make_content(number) for number in range(12)}
    stored = keep(Folder(tmp_path), archive=make_archive(Recipe(disks=(DiskSpec("Ref:7", 12 * MIB, blocks),))))
    content = bytearray(stored.archive.read_bytes())
    for number in (1, 4, 7, 10):
        content[content.index(f"Ref:7/{number:08d}\0".encode()) + 5000] ^= 1
    stored.archive.write_bytes(content)
    assert [one[:14] for one in check_all(stored, deaf).damage] == [f"Block {n:08d}" for n in (1, 4, 7, 10)]


def _together(*works: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
