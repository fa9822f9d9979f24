"""Backups are pruned, looked at again and missed without anybody asking; nothing is said when all is well."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from backup_keeping import ARCHIVE, AT, GUEST, OTHER, keep, write

from bot.backups import Archive, Folder, Policy, Pruner, Shelf, Stored, folder_files, make_id, shelf
from bot.backups.pruning import claim
from bot.domain.audit import Tag
from bot.domain.catalogue import Backup, BackupState, Proof, Shown
from bot.domain.inventory import FeedState
from bot.domain.plain_text import text_of
from bot.domain.record import Freeze
from bot.domain.retention import read_rule
from bot.errors import NotFound, TargetFailed
from bot.jobs.keeper import Keeper, Keeping
from bot.store import Note, Store
from bot.store.catalogue import _put

DAY = 86_400.0


@dataclass
class Clock:
    now: float = AT

    def __call__(self) -> float:
        return self.now


@dataclass
class Guests:
    """The guests that live, in pools that are read or still being read."""

    living: set[str] = field(default_factory=lambda: {GUEST, OTHER})
    state: FeedState = FeedState.LIVE

    def pools(self) -> tuple[Any, ...]:
        return (SimpleNamespace(state=self.state),)

    def vm(self, text: str) -> object:
        if text not in self.living:
            raise NotFound("guest", text)
        return object()


class Bench:
    """A keeper with a real store and a real archive, and a clock of its own."""

    def __init__(self, folder: Path, store: Store, clock: Clock) -> None:
        self.store, self.clock, self.guests = store, clock, Guests()
        (folder / "archive").mkdir()
        self.target = Folder(folder / "archive")
        self.shelf = Shelf(self.target, clock)
        self.keeping = Keeping(30 * DAY, 0.01, 2 * DAY)

    async def round(self, after: float = 0.0) -> list[str]:
        """One round so many seconds later; returns what it tells, as text."""
        self.clock.now += after
        await self.keeper().round()
        told = []
        for parcel in await self.store.due(100):
            told.append(text_of(parcel.message))
            await self.store.delivered(parcel.id, "1.0")
        return told

    def keeper(self) -> Keeper:
        steward = Pruner(self.target, Policy(read_rule("last 1"), ZoneInfo("UTC"), 7), self.store.identity, self.clock)
        return Keeper(
            self.store,
            self.shelf,
            steward,
            self.guests,  # type: ignore[arg-type]  # as much of a fleet as is asked
            self.keeping,
            team="T1",
            channel="C9",
        )

    async def kept(self, guest: str = GUEST, **known: Any) -> Stored:
        stored = keep(self.target, guest, self.clock.now, finished=self.clock.now, **known)
        await self.store.keep_backup(stored.backup)
        return stored

    async def entries(self) -> list[tuple[str, str, str]]:
        return [(one.tag, one.target_uuid, one.actor) for one in reversed(await self.store.audit(limit=100))]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock = Clock()
    store = Store(tmp_path / "xenbot.sqlite", clock=clock)
    await store.open()
    made = Bench(tmp_path, store, clock)
    # The first day begins.
    await made.round()
    yield made
    await store.close()


async def test_when_all_is_well_nothing_is_said(bench: Bench) -> None:
    for _ in range(5):
        await bench.kept()
        assert await bench.round(DAY) == []


async def test_once_a_day_what_no_rule_keeps_goes_to_the_trash_and_a_week_later_for_good(bench: Bench) -> None:
    old = await bench.kept()
    bench.clock.now += 3600
    new = await bench.kept()
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


async def test_a_freeze_holds_back_removals_and_not_looks(bench: Bench) -> None:
    for _ in range(2):
        await bench.kept()
        bench.clock.now += 60
    await bench.store.set_freeze(Freeze("U1", bench.clock.now, ""), Note(Tag.FREEZE, "T1", "U1"))
    await bench.round(31 * DAY)
    assert {one.state for one in bench.target.listing().backups} == {BackupState.WHOLE}
    assert (await bench.entries())[-1] == ("backup:verify", GUEST, "xenbot")


async def test_the_backup_that_was_looked_at_longest_ago_is_due(bench: Bench) -> None:
    first = await bench.kept()
    bench.clock.now += DAY
    second = await bench.kept(OTHER)
    await bench.round(29.5 * DAY)
    looked = {one.id: one.verified for one in await bench.store.backups()}
    assert looked[first.manifest.id] is not None
    assert looked[first.manifest.id].how is Proof.SAMPLE  # type: ignore[union-attr]  # the line above
    assert looked[second.manifest.id].how is Proof.STREAM  # type: ignore[union-attr]  # it has one from the beginning
    # Kept beside the files too, for a catalogue that is made anew.
    assert bench.target.find(first.manifest.id).backup.verified == looked[first.manifest.id]


@pytest.mark.parametrize("how", ["cut", "flipped"])
async def test_damage_is_told_once_with_what_else_there_is(bench: Bench, how: str) -> None:
    whole = await bench.kept()
    bench.clock.now += 60
    bad = await bench.kept(kept_until=AT + 900 * DAY)
    if how == "cut":
        os.truncate(bad.archive, len(ARCHIVE) - 700)
    else:
        bad.archive.write_bytes(ARCHIVE[:900_000] + b"?" + ARCHIVE[900_001:])
    bench.keeping = Keeping(DAY, 1.0, 0)
    (text,) = [one for _ in range(4) for one in await bench.round(1.5 * DAY)]
    assert f"The backup {bad.manifest.id} of web1 is damaged" in text
    assert {"cut": "bytes and should have", "flipped": "Block 00000000 of disk 0 (“root”)"}[how] in text
    assert f"The newest whole one is {whole.manifest.id}." in text
    assert f"/xen backup {GUEST}" in text
    assert (await bench.store.backup(bad.manifest.id)).state is BackupState.DAMAGED


async def test_without_a_usable_proof_all_of_it_is_read(bench: Bench) -> None:
    stored = await bench.kept()
    stored.proof.unlink()
    (text,) = [one for one in await bench.round(31 * DAY) if "proof" in one]
    assert f"The backup {stored.manifest.id} of web1 is whole, but its proof is not" in text
    assert "The proof cannot be read: No such file or directory." in text
    look = (await bench.store.backup(stored.manifest.id)).verified
    assert look is not None
    assert (look.how, look.damage) == (Proof.FULL, ())
    assert look.note == "The proof cannot be read: No such file or directory."
    assert bench.target.find(stored.manifest.id).backup.verified == look


async def test_one_that_cannot_be_read_does_not_keep_the_others_waiting(bench: Bench) -> None:
    lost = await bench.kept()
    bench.clock.now += 60
    other = await bench.kept(OTHER)
    keeper = bench.keeper()
    bench.clock.now += 31 * DAY
    lost.archive.unlink()
    await keeper.round()
    await keeper.round()
    look = (await bench.store.backup(other.manifest.id)).verified
    assert look is not None
    assert look.how is Proof.SAMPLE


async def test_guests_without_a_fresh_whole_backup_are_told_once_a_day(bench: Bench) -> None:
    await bench.kept()
    await bench.kept(OTHER, name="gone long ago")
    bench.guests.living = {GUEST}
    bench.keeping = Keeping(0, 0.01, 2 * DAY)
    (text,) = await bench.round(3 * DAY)
    assert "1 guest without a fresh whole backup" in text
    assert "web1: the newest whole one is 3 d old." in text
    assert "gone long ago" not in text
    assert await bench.round(3600) == []
    await bench.kept()
    assert await bench.round(DAY) == []


async def test_while_a_pool_is_still_being_read_no_guest_is_taken_for_gone(bench: Bench) -> None:
    await bench.kept()
    bench.guests.living, bench.guests.state = set(), FeedState.LOADING
    bench.keeping = Keeping(0, 0.01, 2 * DAY)
    assert len(await bench.round(3 * DAY)) == 1


async def test_what_lies_in_the_archive_and_is_no_backup_is_told(bench: Bench) -> None:
    (bench.target.path / "holiday.xva").write_bytes(b"<html>")
    (text,) = await bench.round(DAY)
    assert "The archive of backups holds 1 thing to look at" in text
    assert "holiday.xva is none of the bot's." in text


async def test_of_very_many_backups_the_oldest_is_not_forgotten(bench: Bench) -> None:
    stored = await bench.kept()

    def fill(db: Any) -> None:
        for number in range(1100):
            newer = {"id": f"20270101-000000-{number:08d}", "at": AT + number + 1}
            _put(db, msgspec.structs.replace(stored.backup, **newer))

    await bench.store.database.write(fill)
    await bench.round(40 * DAY)
    look = (await bench.store.backup(stored.manifest.id)).verified
    assert look is not None
    assert look.at == bench.clock.now


async def test_a_backup_that_comes_while_the_archive_is_read_is_not_taken_for_gone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.kept()
    listing, came = bench.shelf.listing, []

    async def slow() -> Shown:
        found = await listing()
        # A job commits its backup and catalogues it; the list was made before.
        came.append(await bench.kept(OTHER))
        return found

    monkeypatch.setattr(bench.shelf, "listing", slow)
    await bench.round(DAY)
    assert came
    assert (await bench.store.backup(came[0].manifest.id)).state is BackupState.WHOLE


async def test_a_backup_that_is_taken_away_by_hand_while_it_is_pruned_stops_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await bench.kept()
    bench.clock.now += 3600
    second = await bench.kept()
    bench.clock.now += 3600
    await bench.kept()
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
    first = await bench.kept()
    bench.clock.now += 3600
    second = await bench.kept()
    bench.clock.now += 3600
    await bench.kept()
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


async def test_a_backup_that_somebody_looks_at_is_left_to_them_and_the_next_one_is_looked_at(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = await bench.kept()
    bench.clock.now += 60
    other = await bench.kept(OTHER)
    bench.clock.now += 31 * DAY
    begun, go_on = threading.Event(), threading.Event()
    read = shelf.check_all
    order: list[str] = []

    def slow(stored: Stored, progress: Any) -> Any:
        order.append("begins")
        begun.set()
        assert go_on.wait(30)
        order.append("ends")
        return read(stored, progress)

    monkeypatch.setattr(shelf, "check_all", slow)

    def asked() -> Awaitable[Backup]:
        return bench.shelf.check(busy.manifest.id, Proof.FULL, 1.0, "U1", lambda _done, _total: None)

    looks = [asyncio.ensure_future(asked()) for _ in range(2)]
    assert await asyncio.to_thread(begun.wait, 30)
    await bench.keeper().round()
    looked = {one.id: one.verified.at for one in await bench.store.backups() if one.verified is not None}
    assert looked[other.manifest.id] == bench.clock.now
    assert looked[busy.manifest.id] < bench.clock.now
    go_on.set()
    await asyncio.gather(*looks)
    assert order == ["begins", "ends", "begins", "ends"]
    assert bench.shelf.looking_at() == frozenset()


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


async def test_before_the_first_pruning_the_newest_backup_says_what_a_clock_may_show(bench: Bench) -> None:
    bench.keeping = Keeping(0, 0.01, 0)
    for _ in range(3):
        await bench.kept()
        bench.clock.now += 60
    (text,) = await bench.round(800 * DAY)
    assert "800 days after the newest backup was made, and nobody has pruned here yet" in text
    assert "xenbot backups prune --clock-is-right" in text
    assert {one.state for one in bench.target.listing().backups} == {BackupState.WHOLE}
    bench.clock.now -= 798 * DAY
    assert await bench.round() == []
    states = [one.state for one in bench.target.listing().backups]
    assert sorted(states) == sorted([BackupState.WHOLE, BackupState.TRASHED, BackupState.TRASHED])


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


async def test_what_a_wrong_clock_has_dated_ahead_holds_up_nothing_once_it_is_right_again(bench: Bench) -> None:
    bench.keeping = Keeping(30 * DAY, 0.01, 2 * DAY)
    stored = await bench.kept()
    bench.clock.now += 800 * DAY
    # Pruned, looked at, and told of a guest that is behind, all by a clock that is wrong.
    await bench.keeper().round()
    await bench.kept()
    bench.clock.now -= 800 * DAY
    looked = (await bench.store.backup(stored.manifest.id)).verified
    assert looked is not None
    assert looked.at > bench.clock.now + DAY
    told = [one for _ in range(3) for one in await bench.round(DAY)]
    assert any("1 guest without a fresh whole backup" in one for one in told)
    looked = (await bench.store.backup(stored.manifest.id)).verified
    assert looked is not None
    assert looked.at <= bench.clock.now
