"""A folder of backups after a crash, or whose disk or server fails or keeps things in its own way."""

from __future__ import annotations

import errno
import os
import stat
from io import FileIO
from pathlib import Path
from typing import Any

import pytest
from backup_keeping import AT, GUEST, OTHER, deaf, keep, write
from xva_making import MIB, DiskSpec, Recipe, make_archive, make_content

from bot.backups import Folder, check_all, checking, folder_files, make_id
from bot.errors import TargetFailed


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
        (one.archive.parent / "@eaDir").mkdir()
        target.trash(one.manifest.id, "U1", AT)
    assert len(target.purge(AT + 1)) == 2
    assert {path.name for path in (tmp_path / ".trash").rglob("*")} == {
        "@eaDir",
        *(f"{one.manifest.id}.going" for one in both),
    }


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
