"""What the keeper of backups takes away, and what it does not take for gone or for old."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from backup_keeping import AT, GUEST, OTHER, write
from keeper_bench import DAY, Bench

from bot.backups import Archive, Listing, Policy, Pruner, folder_files, make_id
from bot.backups.pruning import claim
from bot.domain.catalogue import BackupState
from bot.domain.plain_text import text_of
from bot.domain.retention import read_rule
from bot.errors import TargetFailed
from bot.jobs.keeper import Keeping
from bot.store import Store


async def test_once_a_day_what_no_rule_keeps_goes_to_the_trash_and_a_week_later_for_good(bench: Bench) -> None:
    old, new = await bench.kept_hourly(2)
    await bench.round()
    assert (await bench.store.backup(old.manifest.id)).state is BackupState.WHOLE
    await bench.round(DAY)
    assert (await bench.store.backup(old.manifest.id)).state is BackupState.TRASHED
    assert await bench.entries() == [("backup:trash", GUEST, "xenbot")]
    bench.keeping = Keeping(0, 0.01, 0)
    for _ in range(8):
        await bench.round(DAY)
    assert (await bench.store.backup(old.manifest.id)).state is BackupState.GONE
    assert (await bench.entries())[-1] == ("backup:remove", GUEST, "xenbot")
    assert [one.id for one in bench.target.listing().backups] == [new.manifest.id]


async def test_a_backup_that_is_taken_away_by_hand_while_it_is_pruned_stops_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, _ = await bench.kept_hourly(3)
    trash = bench.target.trash

    def beaten(identity: str, who: str, at: float) -> None:
        if identity == first.manifest.id:
            trash(identity, "U1", at)
        trash(identity, who, at)

    monkeypatch.setattr(bench.target, "trash", beaten)
    await bench.round(DAY)
    assert (await bench.store.backup(second.manifest.id)).state is BackupState.TRASHED


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EACCES])
@pytest.mark.parametrize("where", ["guest", "backup", "manifest", "archive", "trash"])
async def test_what_cannot_be_read_for_a_moment_is_not_taken_for_gone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, code: int, where: str
) -> None:
    bench.keeping = Keeping(0, 0.01, 0)
    trashed = await bench.kept(OTHER)
    bench.clock.now += 3600
    stored = await bench.kept()
    await bench.kept(OTHER)
    await bench.round(DAY)
    dark = {"guest": GUEST, "backup": stored.manifest.id, "manifest": "manifest.json", "trash": ".trash"}
    opened, looked = os.open, os.stat

    def open_(path: Any, *args: Any, **named: Any) -> int:
        if path == dark.get(where):
            raise OSError(code, os.strerror(code))
        return opened(path, *args, **named)

    def stat_(path: Any, *args: Any, **named: Any) -> os.stat_result:
        if where == "archive" and path == "archive.xva":
            raise OSError(code, os.strerror(code))
        return looked(path, *args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(folder_files.os, "open", open_)
        patch.setattr(folder_files.os, "stat", stat_)
        told = [one for _ in range(2) for one in await bench.round(DAY)]
    assert any("cannot be read" in one for one in told)
    states = {one.id: one.state for one in await bench.store.backups()}
    assert states[stored.manifest.id] is BackupState.WHOLE
    assert states[trashed.manifest.id] is BackupState.TRASHED
    # One that was taken away is gone once it can be seen that it is.
    shutil.rmtree(stored.archive.parent)
    await bench.round(DAY)
    assert (await bench.store.backup(stored.manifest.id)).state is BackupState.GONE


@pytest.mark.parametrize("where", ["guest", "backup", ".trash"])
async def test_whether_a_backup_was_kept_is_not_denied_where_it_cannot_be_seen(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    draft = bench.target.begin(make_id(AT, "0123456789abcdef"), GUEST)
    await bench.kept(OTHER)
    stored = bench.target.commit(draft, write(draft))
    bench.target.trash((await bench.kept(OTHER)).manifest.id, "U1", AT)
    archive, opened = Archive(bench.target), os.open
    dark = {"guest": GUEST, "backup": stored.manifest.id}.get(where, where)

    def open_(path: Any, *args: Any, **named: Any) -> int:
        if path == dark:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return opened(path, *args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(folder_files.os, "open", open_)
        if where == ".trash":
            with pytest.raises(TargetFailed):
                await archive.made(GUEST, "fedcba9876543210")
        else:
            with pytest.raises(TargetFailed):
                await archive.made(GUEST, "0123456789abcdef")
        with pytest.raises(TargetFailed):
            await archive.sweep(GUEST, "0123456789abcdef")
    assert await archive.made(GUEST, "0123456789abcdef") == stored.backup
    assert await archive.made(GUEST, "fedcba9876543210") is None


async def test_a_place_that_fails_while_it_is_pruned_hides_nothing_of_what_went(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, _ = await bench.kept_hourly(3)
    trash = bench.target.trash

    def fills(identity: str, who: str, at: float) -> None:
        if identity == first.manifest.id:
            raise TargetFailed("The trash could not be written: no space is left there.", "Free space there.")
        trash(identity, who, at)

    monkeypatch.setattr(bench.target, "trash", fills)
    (text,) = await bench.round(DAY)
    assert "no space is left there" in text
    assert await bench.entries() == [("backup:trash", GUEST, "xenbot")]
    assert (await bench.store.backup(second.manifest.id)).state is BackupState.TRASHED
    assert (await bench.store.backup(first.manifest.id)).state is BackupState.WHOLE


async def test_what_was_found_while_pruning_is_told_also_where_the_archive_cannot_be_read_after_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = await bench.kept_hourly(3)
    await _made_by(bench, "fedcba9876543210")
    lists = iter([bench.target.listing()])

    def listing(_guest: str = "") -> Listing:
        for listed in lists:
            return listed
        raise TargetFailed("The folder could not be read.", "Look at it.")

    def fills(_identity: str, _who: str, _at: float) -> None:
        raise TargetFailed("The trash could not be written: no space is left there.", "Free space there.")

    monkeypatch.setattr(bench.target, "listing", listing)
    monkeypatch.setattr(bench.target, "trash", fills)
    with pytest.raises(TargetFailed, match="could not be read"):
        await bench.round(DAY)
    odd, others = [text_of(parcel.message) for parcel in await bench.store.due(100)]
    assert "no space is left there" in odd
    assert "The archive holds 1 backup of another xenbot" in others
    assert (await bench.store.backup(first.manifest.id)).state is BackupState.WHOLE


async def test_a_place_that_cannot_be_read_at_all_is_told_of_once_a_day(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dark(_guest: str = "") -> Listing:
        raise TargetFailed("The folder could not be read.", "Look at it.")

    monkeypatch.setattr(bench.target, "listing", dark)
    with pytest.raises(TargetFailed, match="could not be read"):
        await bench.round(DAY)
    (text,) = await bench.round(60)
    assert "could not be read" in text
    assert await bench.round(60) == []


async def test_a_clock_that_is_suddenly_far_ahead_removes_nothing(bench: Bench) -> None:
    bench.keeping = Keeping(0, 0.01, 0)
    for _ in range(2):
        await bench.kept()
        assert await bench.round(DAY) == []
    kept = [one.id for one in bench.target.listing().backups]
    await bench.kept()
    for _ in range(3):
        # What is made or looked at by a wrong clock is no evidence that it is right.
        (text,) = await bench.round(400 * DAY)
        assert "days after backups were pruned last" in text
        assert "xenbot backups prune --clock-is-right" in text
        assert {one.state for one in bench.target.listing().backups} == {BackupState.WHOLE, BackupState.TRASHED}
        assert set(kept) < {one.id for one in bench.target.listing().backups}
    bench.clock.now -= 1200 * DAY
    assert await bench.round(DAY) == []


async def test_the_notice_of_another_bot_is_not_lost_where_it_could_not_be_stored(bench: Bench) -> None:
    bench.keeping = Keeping(0, 0.01, 0)
    await _made_by(bench, "fedcba9876543210")
    full = "CREATE TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'disk full'); END"
    await bench.store.database.write(lambda db: db.execute(full))
    with pytest.raises(sqlite3.Error, match="disk full"):
        await bench.round(DAY)
    await bench.store.database.write(lambda db: db.execute("DROP TRIGGER full"))
    (text,) = await bench.round(DAY)
    assert "The archive holds 1 backup of another xenbot" in text
    assert await bench.round(DAY) == []


async def test_of_two_bots_each_prunes_what_it_has_made_and_is_told_once_of_the_other(
    bench: Bench, tmp_path: Path
) -> None:
    bench.keeping = Keeping(0, 0.01, 0)
    mine = await bench.store.identity()
    ours = [await _made_by(bench, store) for store in ("", mine, mine)]
    theirs = [await _made_by(bench, "fedcba9876543210") for _ in range(3)]
    (text,) = await bench.round(DAY)
    assert "The archive holds 3 backups of another xenbot" in text
    assert "That one is fedcba9876543210." in text
    states = {one.id: one.state for one in bench.target.listing().backups}
    assert [states[one] for one in ours] == [BackupState.TRASHED, BackupState.TRASHED, BackupState.WHOLE]
    assert {states[one] for one in theirs} == {BackupState.WHOLE}
    assert await bench.round(DAY) == []
    # Another store has another identity, and its own rule touches only its own.
    other = Store(tmp_path / "other.sqlite", clock=bench.clock)
    await other.open()
    assert await other.identity() not in {mine, ""}
    policy = Policy(read_rule("last 1"), ZoneInfo("UTC"), 7)
    pruned = await Pruner(bench.target, policy, other.identity, bench.clock).prune("xenbot")
    assert (pruned.trashed, pruned.removed) == ((), ())
    assert pruned.others == {mine: 3, "fedcba9876543210": 3}
    # Its person says that the others are gone.
    claim(bench.target, await other.identity())
    pruned = await Pruner(bench.target, policy, other.identity, bench.clock).prune("xenbot")
    assert pruned.others == {}
    assert len(pruned.trashed) == 3
    assert (await Pruner(bench.target, policy, bench.store.identity, bench.clock).prune("xenbot")).trashed == ()
    await other.close()


async def _made_by(bench: Bench, store: str) -> str:
    bench.clock.now += 60
    return (await bench.kept(store=store)).manifest.id
