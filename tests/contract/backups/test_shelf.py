"""The archive as jobs read it: what is in a backup, and looking at it again without holding anybody up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from backup_keeping import AT, GUEST, deaf, keep

from bot.backups import Folder, Shelf, Stored
from bot.backups import shelf as shelves
from bot.backups.checking import Look, check_all
from bot.domain.catalogue import Backup, BackupState, Proof
from bot.errors import NotFound, TargetFailed


async def test_a_backup_tells_what_is_in_it_and_where_it_lies(tmp_path: Path) -> None:
    stored = keep(Folder(tmp_path))
    shelf = Shelf(Folder(tmp_path))
    found = await shelf.archived(stored.manifest.id)
    assert (found.backup.guest, found.contents) == (GUEST, stored.manifest.contents)
    assert await shelf.path(stored.manifest.id) == stored.archive
    assert [one.id for one in (await shelf.listing()).backups] == [stored.manifest.id]
    with pytest.raises(NotFound):
        await shelf.archived("20260101-000000-00000000")


async def test_what_a_look_finds_is_kept_beside_the_archive(tmp_path: Path) -> None:
    stored = keep(Folder(tmp_path))
    shelf = Shelf(Folder(tmp_path), clock=lambda: AT + 100)
    whole = await shelf.check(stored.manifest.id, Proof.SAMPLE, 1.0, "U2", deaf)
    assert whole.good
    with stored.archive.open("r+b") as file:
        file.seek(stored.manifest.size // 2)
        file.write(b"\xff" * 8)
    told: list[tuple[int, int]] = []
    hurt = await shelf.check(stored.manifest.id, Proof.FULL, 0.01, "U3", lambda *one: told.append(one))
    assert hurt.state is BackupState.DAMAGED
    assert hurt.verified is not None
    assert (hurt.verified.at, hurt.verified.who) == (AT + 100, "U3")
    assert "disk 0" in hurt.verified.damage[0]
    assert told
    assert told[0][1] == stored.manifest.size
    assert (await Shelf(Folder(tmp_path)).archived(stored.manifest.id)).backup == hurt


async def test_a_look_that_nobody_wants_any_more_ends_and_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = keep(Folder(tmp_path))
    shelf = Shelf(Folder(tmp_path))
    before = (await shelf.archived(stored.manifest.id)).backup.verified
    reads, go_on, read = threading.Event(), threading.Event(), list[Look]()

    def held(archive: Stored, reached: Callable[[int, int], None]) -> Look:
        def step(done: int, total: int) -> None:
            reads.set()
            assert go_on.wait(60)
            reached(done, total)

        read.append(check_all(archive, step))
        return read[0]

    monkeypatch.setattr(shelves, "check_all", held)
    looking = asyncio.create_task(shelf.check(stored.manifest.id, Proof.FULL, 0.01, "U2", deaf))
    try:
        assert await asyncio.to_thread(reads.wait, 60)
        looking.cancel()
        # It waits for what it has told to stop.
        await asyncio.wait({looking}, timeout=0.05)
        assert not looking.done()
    finally:
        go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await looking
    assert read == []
    assert (await shelf.archived(stored.manifest.id)).backup.verified == before
    assert shelf.looking_at() == frozenset()


async def test_without_a_place_every_answer_is_how_to_name_one() -> None:
    with pytest.raises(TargetFailed, match=r"\[backups\] path"):
        await Shelf(None).listing()


async def test_what_a_look_finds_is_not_lost_where_the_disk_is_too_full_to_keep_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = keep(Folder(tmp_path))
    with stored.archive.open("r+b") as file:
        file.seek(stored.manifest.size // 2)
        file.write(b"\xff" * 8)
    full = Folder(tmp_path)

    def refuse(*_: object) -> Backup:
        raise TargetFailed("It could not be written: no space is left there.", "Free space there.")

    monkeypatch.setattr(full, "record", refuse)
    hurt = await Shelf(full, clock=lambda: AT + 100).check(stored.manifest.id, Proof.FULL, 1.0, "U2", deaf)
    assert hurt.state is BackupState.DAMAGED
    assert hurt.verified is not None
    assert "no space is left there" in hurt.verified.note
    assert hurt.verified.damage
