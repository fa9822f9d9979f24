"""What every place for backups does, whatever kind of place it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from backup_keeping import ARCHIVE, AT, GUEST, OTHER, keep, write

from bot.backups import Folder, Target, make_id
from bot.backups.custody import Custody
from bot.domain.catalogue import BackupState, Proof, Verification
from bot.errors import Damaged, NotFound, TargetFailed


@pytest.fixture(params=["folder"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    return {"folder": lambda: Folder(tmp_path)}[request.param]()


def test_a_draft_is_no_backup_before_it_is_committed(target: Target) -> None:
    draft = target.begin(make_id(AT), GUEST)
    manifest = write(draft)
    listing = target.listing()
    assert listing.backups == ()
    assert [(one.id, one.guest) for one in listing.unfinished] == [(draft.id, GUEST)]
    assert listing.unfinished[0].size >= len(ARCHIVE)
    with pytest.raises(NotFound):
        target.find(draft.id)
    stored = target.commit(draft, manifest)
    assert target.listing().stored == (stored,)
    assert target.listing().unfinished == ()


def test_what_is_committed_is_found_again_with_all_that_its_manifest_says(target: Target) -> None:
    stored = keep(target, kept_until=AT + 86400, reason="before the upgrade")
    again = target.find(stored.manifest.id)
    assert again == stored
    assert again.archive.read_bytes() == ARCHIVE
    assert again.manifest.contents.disks[0].label == "disk 0 (“root”)"
    assert again.backup.good
    assert again.backup.verified == Verification(AT + 60, Proof.STREAM, "U1")
    assert again.backup.kept_until == AT + 86400


def test_ids_sort_by_time_and_differ_within_a_second() -> None:
    ids = [make_id(AT + second) for second in (0, 1, 3600, 86400 * 40)]
    assert ids == sorted(ids)
    assert len({make_id(AT) for _ in range(100)}) == 100


def test_the_list_is_newest_first_and_can_be_of_one_guest(target: Target) -> None:
    first = keep(target, at=AT)
    third = keep(target, at=AT + 200)
    second = keep(target, OTHER, at=AT + 100)
    assert target.listing().stored == (third, second, first)
    assert target.listing(GUEST).stored == (third, first)


def test_an_id_is_taken_once(target: Target) -> None:
    identity = make_id(AT)
    draft = target.begin(identity, GUEST)
    with pytest.raises(TargetFailed, match="there already"):
        target.begin(identity, GUEST)
    target.commit(draft, write(draft))
    with pytest.raises(TargetFailed, match="there already"):
        target.begin(identity, GUEST)


@pytest.mark.parametrize("identity", ["../../etc", "", "20261126-024205-3f9c2a1b/..", "20261126-024205-3F9C", "."])
def test_names_that_lead_elsewhere_are_refused(target: Target, identity: str) -> None:
    with pytest.raises(ValueError, match="an id of a backup"):
        target.begin(identity, GUEST)
    with pytest.raises(ValueError, match="an id of a backup"):
        target.begin(make_id(AT), identity)
    with pytest.raises(NotFound):
        target.find(identity)
    with pytest.raises(ValueError, match="an id of a backup"):
        target.discard(identity)


def test_an_archive_that_is_shorter_on_disk_than_what_came_is_not_committed(target: Target) -> None:
    draft = target.begin(make_id(AT), GUEST)
    manifest = write(draft)
    os.truncate(draft.archive, len(ARCHIVE) - 512)
    with pytest.raises(Damaged, match="on disk has"):
        target.commit(draft, manifest)
    assert target.listing().backups == ()


def test_discarding_removes_a_draft_once_and_never_a_backup(target: Target) -> None:
    draft = target.begin(make_id(AT), GUEST)
    write(draft)
    target.discard(draft.id)
    target.discard(draft.id)
    assert target.listing().unfinished == ()
    assert not draft.folder.exists()
    stored = keep(target)
    target.discard(stored.manifest.id)
    assert target.find(stored.manifest.id) == stored


def test_a_later_look_is_kept_beside_the_backup(target: Target) -> None:
    identity = keep(target).manifest.id
    found = Verification(AT + 7200, Proof.FULL, "U2", ("Block Ref:7/00000001 of disk 0 (“root”) is damaged.",))
    assert target.record(identity, found).state is BackupState.DAMAGED
    assert target.find(identity).backup.verified == found
    # A sample that finds nothing does not mend it; reading all of it does.
    assert not target.record(identity, Verification(AT + 7300, Proof.SAMPLE, "U2")).good
    assert target.record(identity, Verification(AT + 7400, Proof.FULL, "U2")).good


def test_the_trash_gives_back_what_it_took(target: Target) -> None:
    stored = keep(target)
    identity = stored.manifest.id
    target.trash(identity, "U1", AT + 100)
    assert [(one.id, one.state) for one in target.listing().backups] == [(identity, BackupState.TRASHED)]
    assert target.find(identity).archive.read_bytes() == ARCHIVE
    with pytest.raises(NotFound):
        target.trash(identity, "U1", AT + 100)
    assert target.recover(identity) == stored
    with pytest.raises(NotFound):
        target.recover("20261126-024205-00000000")


def test_only_what_has_been_in_the_trash_long_enough_is_removed(target: Target) -> None:
    early, late, living = keep(target), keep(target), keep(target)
    target.trash(early.manifest.id, "U1", AT)
    target.trash(late.manifest.id, "U1", AT + 1000)
    assert [one.id for one in target.purge(AT + 500)] == [early.manifest.id]
    assert target.purge(AT + 500) == ()
    assert {one.id for one in target.listing().backups} == {late.manifest.id, living.manifest.id}
    with pytest.raises(NotFound):
        target.find(early.manifest.id)


def test_two_do_not_prune_at_once(target: Target) -> None:
    with target.alone(), pytest.raises(TargetFailed, match="being pruned"), target.alone():
        pass
    with target.alone():
        pass


def test_a_probe_leaves_nothing(target: Target) -> None:
    before = target.listing()
    target.probe()
    assert target.listing() == before


def test_there_is_space_and_a_local_place_shares_no_server(target: Target) -> None:
    space = target.space()
    assert 0 < space.free <= space.total
    assert not target.shares_server({"server": "filer1", "serverpath": "/export/sr"})


def test_who_prunes_and_when_that_was_is_known_to_everybody(target: Target) -> None:
    assert target.custody() == Custody()
    kept = Custody("0123456789abcdef", ("fedcba9876543210",), AT)
    with target.alone():
        target.keep_custody(kept)
    assert target.custody() == kept
    assert target.listing().findings == ()
