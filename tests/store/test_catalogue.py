"""The catalogue of backups: what the archive shows counts, and no verification is forgotten."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec
import pytest
from job_records import job_of

from bot.domain.audit import Tag, Wanted
from bot.domain.catalogue import Backup, BackupState, Proof, Shown, Verification
from bot.domain.record import StepState
from bot.errors import NotFound
from bot.operations import verify
from bot.store import Note, Store
from bot.store.store import silent


def backup(identity: str = "b1", **changes: Any) -> Backup:
    made = Backup(identity, "vm-1", "日本語\n<b>", "p-1", "experiment", 1000.0, 2 << 30, "a" * 64, 7, "U1")
    return msgspec.structs.replace(made, **changes)


async def a_job(store: Store, mark: str = "t") -> int:
    """The number of a job that verifies."""
    plan = verify.decide([backup()], Proof.FULL, 1.0)
    record = job_of(plan, requester="U2", target=mark)
    return (await store.create(record, Note(Tag.JOB_PROPOSED, "T1", "U2"), silent)).number


def shown(*backups: Backup, **unseen: Any) -> Shown:
    return Shown(backups, **unseen)


HURT = Verification(2000.0, Proof.FULL, "U2", ("disk 0: block 7 differs",))


async def test_the_oldest_of_many_backups_is_known_like_the_newest(store: Store) -> None:
    many = [backup(f"b{number}", at=1000.0 + number) for number in range(1500)]
    await store.rebuild_backups(shown(*many))
    assert list(await store.backups()) == many[::-1]
    assert list(await store.backups(guest="vm-1", limit=2)) == [many[-1], many[-2]]


async def test_what_is_kept_comes_back_as_it_was(store: Store) -> None:
    one = backup(verified=HURT, state=BackupState.DAMAGED, kept_until=9.0)
    await store.keep_backup(one)
    assert await store.backup("b1") == one
    assert list(await store.backups(guest="vm-1")) == [one]
    assert not await store.backups(guest="vm-2")
    with pytest.raises(NotFound):
        await store.backup("b2")


async def test_a_lost_catalogue_is_rebuilt_and_one_that_differs_follows_the_archive(store: Store) -> None:
    await store.keep_backup(backup("gone"))
    await store.keep_backup(backup("b1", size=1, verified=HURT))
    assert await store.rebuild_backups(shown(backup("b1"), backup("b2", at=2000.0))) == (2, 1)
    kept = {one.id: one for one in await store.backups()}
    assert list(kept) == ["b2", "b1"]
    assert kept["b1"].size == 2 << 30
    assert kept["b1"].verified == HURT
    assert kept["b1"].state is BackupState.DAMAGED
    assert (await store.backup("gone")).state is BackupState.GONE
    assert await store.rebuild_backups(shown(backup("b1"), backup("b2", at=2000.0))) == (0, 0)
    assert await store.rebuild_backups(shown(backup("gone"), backup("b1"), backup("b2", at=2000.0))) == (1, 0)


@pytest.mark.parametrize("unseen", [{"unread": frozenset({"b1"})}, {"unread": frozenset({"vm-1"})}, {"blind": True}])
async def test_what_could_not_be_seen_in_the_archive_is_not_taken_for_gone(store: Store, unseen: Any) -> None:
    await store.keep_backup(backup("b1"))
    await store.keep_backup(backup("b2", guest="vm-2"))
    await store.rebuild_backups(shown(backup("b3", at=2000.0), **unseen))
    assert (await store.backup("b1")).state is BackupState.WHOLE
    assert (await store.backup("b2")).state is (BackupState.WHOLE if unseen.get("blind") else BackupState.GONE)
    await store.rebuild_backups(shown(backup("b3", at=2000.0)))
    assert (await store.backup("b1")).state is BackupState.GONE


async def test_what_was_proved_of_other_bytes_proves_nothing(store: Store) -> None:
    await store.keep_backup(backup(verified=Verification(3000.0, Proof.FULL, "U2")))
    await store.rebuild_backups(shown(backup(sha256="b" * 64)))
    assert (await store.backup("b1")).verified is None


async def test_a_verification_is_catalogued_and_audited_together(store: Store) -> None:
    job = await a_job(store)
    await store.keep_backup(backup())
    assert (await store.verified_backup(backup(verified=HURT), job)).state is BackupState.DAMAGED
    (entry, *_) = await store.audit()
    assert (entry.tag, entry.target_uuid, entry.actor, entry.team) == ("backup:verify", "vm-1", "U2", "T1")
    assert "block 7 differs" in entry.detail
    sample = Verification(3000.0, Proof.SAMPLE, "U2")
    assert (await store.verified_backup(backup(verified=sample), job)).verified == HURT
    good = Verification(4000.0, Proof.FULL, "U2")
    assert (await store.verified_backup(backup(verified=good), job)).good


async def test_a_backup_in_the_trash_stays_there_when_it_is_verified(store: Store) -> None:
    job, trashed = await a_job(store), backup(state=BackupState.TRASHED)
    await store.keep_backup(trashed)
    for look in (Verification(3000.0, Proof.FULL, "U2"), HURT):
        found = msgspec.structs.replace(trashed, verified=look)
        kept = await store.verified_backup(found, job)
        assert (kept.state, kept.verified, kept.good) == (BackupState.TRASHED, look, False)


async def test_a_guest_that_a_job_has_made_has_the_history_of_that_job(store: Store) -> None:
    made, other = await a_job(store), await a_job(store, "other")
    step = (await store.job(made)).steps[0]
    await store.save_step(
        msgspec.structs.replace(step, made={"guest": "vm-new", "disk 0": "vdi-new"}), Note(Tag.JOB_STEP, "T1", "U2")
    )
    assert [one.number for one in await store.jobs(target="vm-new")] == [made]
    assert [one.number for one in await store.jobs(target="vm-1")] == [other, made]
    assert not await store.jobs(target="vm-other")
    assert {one.job for one in await store.audit(wanted=Wanted(target="vm-new"))} == {made}
    assert {one.job for one in await store.audit(wanted=Wanted(target="vm-1"))} == {made, other}


async def test_of_each_thing_the_newest_job_that_made_it_is_found_at_once(store: Store) -> None:
    first, second, third = [await a_job(store, target) for target in ("one", "two", "three")]
    for number, made in ((first, {"a": "vm-a", "b": "vm-b"}), (second, {"b": "vm-b"}), (third, {"c": "vm-c"})):
        step = (await store.job(number)).steps[0]
        await store.save_step(msgspec.structs.replace(step, made=made))
    found = await store.makers(["vm-a", "vm-b", "vm", "a"])
    assert {uuid: one.number for uuid, one in found.items()} == {"vm-a": first, "vm-b": second}


async def test_jobs_with_a_step_that_did_not_go_well_are_found_by_its_kind_the_newest_first(store: Store) -> None:
    first, second, third = [await a_job(store, target) for target in ("one", "two", "three")]
    for number, state in ((first, StepState.FAILED), (second, StepState.DONE), (third, StepState.UNCLEAR)):
        step = (await store.job(number)).steps[0]
        await store.save_step(msgspec.structs.replace(step, state=state))
    kind = (await store.job(first)).steps[0].kind
    assert [one.number for one in await store.gone_wrong({kind, "another"})] == [third, first]
    assert [one.number for one in await store.gone_wrong({kind}, limit=1)] == [third]
    assert await store.gone_wrong({"another"}) == []


async def test_people_read_the_catalogue_with_any_sqlite_tool(store: Store) -> None:
    await store.keep_backup(backup(verified=HURT))
    with sqlite3.connect(store.database.path) as other:
        row = other.execute("SELECT backup, guest, made, verified, how, by FROM backup_catalogue").fetchone()
    other.close()
    assert row == ("b1", "日本語\n<b>", "1970-01-01 00:16:40", "1970-01-01 00:33:20", "full", "U2")
