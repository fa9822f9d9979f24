"""Backups are looked at again and missed without anybody asking; nothing is said when all is well."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable
from typing import Any

import msgspec
import pytest
from backup_keeping import ARCHIVE, AT, GUEST, OTHER
from keeper_bench import DAY, Bench

from bot.backups import Stored, shelf
from bot.domain.audit import Tag
from bot.domain.catalogue import Backup, BackupState, Proof, Shown
from bot.domain.inventory import FeedState
from bot.domain.record import Freeze
from bot.jobs.keeper import Keeping
from bot.store import Note
from bot.store.catalogue import _put


async def test_when_all_is_well_nothing_is_said(bench: Bench) -> None:
    for _ in range(5):
        await bench.kept()
        assert await bench.round(DAY) == []


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
