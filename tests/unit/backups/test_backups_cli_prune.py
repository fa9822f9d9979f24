"""`xenbot backups`: what pruning takes away and what it leaves, whose it is, and what comes back out of the trash."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from backup_keeping import AT, GUEST, OTHER, keep
from cli_place import DAY, Place, flip, make_place

from bot.backups.custody import Custody
from bot.domain.catalogue import BackupState
from bot.store import Store


def test_pruning_says_first_and_then_moves_to_the_trash_what_no_rule_keeps(place: Place) -> None:
    now = time.time()
    kept = [keep(place.target, at=now - day * DAY) for day in range(4)]
    dry = place.xenbot("prune", "--dry-run")
    assert dry.code == 0
    assert dry.out.endswith("2 kept, 2 would go to the trash, 0 would go for good.\n")
    assert all(one.backup.state is BackupState.WHOLE for one in place.target.listing().stored)
    done = json.loads(place.xenbot("prune", "--json").out)
    assert {one["backup"] for one in done["trashed"]} == {one.manifest.id for one in kept[2:]}
    assert [one["why"] for one in done["kept"]] == ["the newest that was found whole", "one of the newest 2"]
    states = {one.manifest.id: one.backup.state for one in place.target.listing().stored}
    assert [states[one.manifest.id] for one in kept] == [BackupState.WHOLE] * 2 + [BackupState.TRASHED] * 2
    # Two steps: what came to the trash now stays there, whatever else is pruned.
    assert place.xenbot("prune").out.endswith("2 kept, 0 went to the trash, 0 went for good.\n")


def test_what_lay_in_the_trash_long_enough_goes_for_good_but_never_the_last_whole_one(place: Place) -> None:
    now = time.time()
    old, living = keep(place.target, at=now - 40 * DAY), keep(place.target, at=now - 30 * DAY)
    only = keep(place.target, OTHER, at=now - 20 * DAY)
    for one in (old, only):
        place.target.trash(one.manifest.id, "U1", now - 8 * DAY)
    done = json.loads(place.xenbot("prune", "--json").out)
    assert [one["backup"] for one in done["removed"]] == [old.manifest.id]
    assert {one.manifest.id for one in place.target.listing().stored} == {living.manifest.id, only.manifest.id}
    assert place.target.recover(only.manifest.id).backup.good


def test_one_in_the_trash_stays_when_all_that_is_outside_turns_out_to_be_damaged(place: Place) -> None:
    now = time.time()
    trashed, outside = keep(place.target, at=now - 40 * DAY), keep(place.target, at=now - 20 * DAY)
    place.target.trash(trashed.manifest.id, "U1", now - 8 * DAY)
    flip(outside)
    assert place.xenbot("verify", outside.manifest.id).code == 1
    done = json.loads(place.xenbot("prune", "--json").out)
    assert (done["removed"], done["findings"]) == ([], [])
    # With a whole one outside it goes.
    keep(place.target, at=now)
    assert [one["backup"] for one in json.loads(place.xenbot("prune", "--json").out)["removed"]] == [
        trashed.manifest.id
    ]


def test_of_those_in_the_trash_only_the_newest_stays_and_only_while_none_lies_outside(place: Place) -> None:
    now = time.time()
    old, new = keep(place.target, at=now - 20 * DAY), keep(place.target, at=now - 10 * DAY)
    for one in (new, old):
        place.target.trash(one.manifest.id, "U1", now - 8 * DAY)
    assert [one["backup"] for one in json.loads(place.xenbot("prune", "--json").out)["removed"]] == [old.manifest.id]
    # Though that is older than what lies in the trash.
    keep(place.target, at=now - 15 * DAY)
    assert [one["backup"] for one in json.loads(place.xenbot("prune", "--json").out)["removed"]] == [new.manifest.id]


def test_one_in_the_trash_takes_no_place_of_those_a_rule_keeps(place: Place) -> None:
    now = time.time()
    stored = [keep(place.target, at=now - day * DAY) for day in range(4)]
    place.target.trash(stored[0].manifest.id, "U1", now)
    done = json.loads(place.xenbot("prune", "--json").out)
    assert [one["backup"] for one in done["kept"]] == [one.manifest.id for one in stored[1:3]]
    assert [one["backup"] for one in done["trashed"]] == [stored[3].manifest.id]


def test_a_rule_of_a_backup_s_own_comes_before_that_of_the_configuration(place: Place) -> None:
    now = time.time()
    for day in range(4):
        keep(place.target, at=now - day * DAY, keep="last 3")
        # A rule that cannot be used removes nothing, not even what that of the configuration would.
        keep(place.target, OTHER, at=now - day * DAY, keep="what?")
    done = place.xenbot("prune", "--dry-run")
    assert "7 kept, 1 would go to the trash" in done.out
    assert "their own rule cannot be used" in done.err
    assert done.code == 1


def test_a_damaged_newest_backup_makes_the_one_before_it_stay(place: Place) -> None:
    now = time.time()
    stored = [keep(place.target, at=now - day * DAY) for day in range(4)]
    for one in stored[:2]:
        os.truncate(one.archive, 1000)
    done = json.loads(place.xenbot("prune", "--json").out)
    assert {one["backup"] for one in done["trashed"]} == set()
    assert json.loads(place.xenbot("list", "--json").out)["backups"][0]["state"] == "damaged"


def test_a_draft_that_nobody_finishes_is_named_and_can_be_removed(place: Place) -> None:
    old, new = place.target.begin("20261126-024205-abcd", GUEST), place.target.begin("20261126-024205-beef", GUEST)
    old.archive.write_bytes(b"x" * 1000)
    for path in (old.archive, old.folder):
        os.utime(path, (time.time() - 3 * DAY,) * 2)
    done = place.xenbot("prune")
    assert done.code == 1
    assert f"{GUEST}/{old.id} was begun and not finished: 1000 B, written to last 3 d ago" in done.err
    assert f"`xenbot backups discard {old.id}` removes it." in done.err
    assert new.id not in done.err
    assert place.xenbot("discard", old.id).out == f"{old.id}  removed\n"
    assert place.xenbot("discard", old.id).code == 1
    stored = keep(place.target)
    assert place.xenbot("discard", stored.manifest.id).err == f"There is no draft {stored.manifest.id}.\n"
    assert place.target.find(stored.manifest.id) == stored
    assert [one.id for one in place.target.listing().unfinished] == [new.id]


def test_a_clock_that_is_far_ahead_is_believed_when_a_person_says_so(place: Place) -> None:
    now = time.time()
    old, *_ = [keep(place.target, at=now - day * DAY) for day in (40, 2, 1)]
    place.target.keep_custody(Custody(pruned_at=now - 30 * DAY))
    done = place.xenbot("prune")
    assert done.code == 1
    assert "30 days after backups were pruned last" in done.err
    assert "3 kept, 0 went to the trash" in done.out
    done = place.xenbot("prune", "--clock-is-right", "--json")
    assert [one["backup"] for one in json.loads(done.out)["trashed"]] == [old.manifest.id]
    assert place.xenbot("prune").code == 0


def test_what_a_bot_has_made_is_left_to_it_until_another_one_claims_it(place: Place) -> None:
    now = time.time()
    made = [keep(place.target, at=now - day * DAY, store="0123456789abcdef") for day in (1, 2, 40)]
    done = place.xenbot("prune")
    assert "left  3 of another xenbot, 0123456789abcdef" in done.out
    assert place.xenbot("claim").err == "There is no store of a bot yet that could claim them: start it once.\n"
    assert {one.manifest.id for one in made} == {one.id for one in place.target.listing().backups}


def test_a_bot_with_a_store_claims_what_another_one_has_left_and_prunes_it_from_then_on(place: Place) -> None:
    now = time.time()
    made = [keep(place.target, at=now - day * DAY, store="0123456789abcdef") for day in (1, 2, 40)]
    place = make_place(place.folder, 'keep = "last 2"\n[store]\npath = "bot.db"')
    asyncio.run(started_once(place.folder.parent / "bot.db"))
    assert "left  3 of another xenbot, 0123456789abcdef" in place.xenbot("prune").out
    done = place.xenbot("claim")
    assert (done.code, done.out, done.err) == (0, "claimed  3 of 0123456789abcdef\n", "")
    assert place.xenbot("claim").out == ""
    trashed = json.loads(place.xenbot("prune", "--json").out)["trashed"]
    assert [one["backup"] for one in trashed] == [made[2].manifest.id]


async def started_once(path: Path) -> None:
    store = Store(path)
    await store.open()
    try:
        await store.identity()
    finally:
        await store.close()


def test_what_went_to_the_trash_can_be_taken_out_again(place: Place) -> None:
    stored = keep(place.target)
    place.target.trash(stored.manifest.id, "U1", AT)
    assert place.xenbot("list").out.count("in the trash") == 1
    assert place.xenbot("recover", stored.manifest.id).code == 0
    assert place.target.find(stored.manifest.id) == stored
    done = place.xenbot("recover", "20261126-024205-3f9c2a1b")
    assert (done.code, done.err) == (1, "There is no backup called “20261126-024205-3f9c2a1b”.\n")


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that others can enter: pytest keeps its own to its user, also those that another run has opened."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can go on as somebody else")
def test_root_leaves_nothing_that_the_bot_could_not_read(open_to_all: Path) -> None:
    (folder := open_to_all / "archive").mkdir()
    place = make_place(folder, 'keep = "last 2"')
    stored = keep(place.target, at=time.time() - DAY)
    keep(place.target, at=time.time())
    keep(place.target, at=time.time())
    nobody = 65534
    for path in (place.folder, *place.folder.rglob("*")):
        os.chown(path, nobody, nobody)
    done = subprocess.run(
        [sys.executable, "-m", "bot.cli", "backups", "prune", "--config", place.config],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert place.target.find(stored.manifest.id).trashed_at is not None
    assert {path.stat().st_uid for path in place.folder.rglob("*")} == {nobody}


def test_who_pruned_first_keeps_what_names_no_bot_and_a_clock_that_is_behind_moves_nothing_back() -> None:
    custody = Custody().pruned(10.0, "first", sure=False).pruned(20.0, "second", sure=False)
    assert custody == Custody("first", pruned_at=20.0)
    assert custody.pruned(15.0, "first", sure=False) == custody
    assert custody.pruned(15.0, "first", sure=True).pruned_at == 15.0
