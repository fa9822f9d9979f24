"""The database holds the invariants, whoever writes."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlite_utils
from job_records import clicked

from bot.domain.audit import Tag
from bot.domain.message import Message, Verdict
from bot.domain.texts import say
from bot.errors import StoreError
from bot.jobs.witness import Witness
from bot.store import Note, Outgoing, Reader, Store, rows


def note(actor: str = "U1") -> Note:
    return Note(Tag.FREEZE, "T1", actor, {"reason": "テスト"})


def post(text: str, *, urgent: bool) -> Outgoing:
    line = say("{t}", t=text)
    return Outgoing("post", Message(line, (Verdict(line),)), urgent=urgent, channel="C1")


def open_files_below(folder: Path) -> list[Path]:
    """What this process has open of `folder`; nothing where the system does not tell."""
    found = []
    for number in Path("/proc/self/fd").glob("*"):
        with contextlib.suppress(FileNotFoundError):  # the one that lists them
            found.append(number.readlink())
    return [file for file in found if file.is_relative_to(folder)]


async def test_the_audit_cannot_be_changed_or_shortened(store: Store) -> None:
    await store.note(note())
    with sqlite3.connect(store.database.path) as other:
        for statement in ("UPDATE audit SET actor = 'U2'", "DELETE FROM audit"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                other.execute(statement)
    other.close()


async def test_a_changed_entry_breaks_the_chain_at_that_entry(store: Store) -> None:
    for actor in ("U1", "U2", "U3"):
        await store.note(note(actor))
    assert (await store.verify_audit())[2] is None
    with sqlite3.connect(store.database.path) as other:
        other.execute("DROP TRIGGER audit_is_append_only_update")
        other.execute("UPDATE audit SET actor = 'U9' WHERE seq = 2")
    other.close()
    good, _head, broken = await store.verify_audit()
    assert good == 1
    assert broken is not None
    assert broken.seq == 2


async def test_a_removed_entry_breaks_the_chain(store: Store) -> None:
    for actor in ("U1", "U2", "U3"):
        await store.note(note(actor))
    with sqlite3.connect(store.database.path) as other:
        other.execute("DROP TRIGGER audit_is_append_only_delete")
        other.execute("DELETE FROM audit WHERE seq = 2")
    other.close()
    broken = (await store.verify_audit())[2]
    assert broken is not None
    assert "missing" in broken.reason


async def test_a_store_without_its_guards_is_not_opened(store: Store, tmp_path: Path) -> None:
    await store.close()
    with sqlite3.connect(tmp_path / "xenbot.sqlite") as other:
        other.execute("DROP TRIGGER audit_is_append_only_update")
    other.close()
    with pytest.raises(StoreError, match="guard") as refused:
        await Store(tmp_path / "xenbot.sqlite").open()
    assert not open_files_below(tmp_path), refused


async def test_a_file_that_is_no_database_is_refused_in_words_and_not_kept_open(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match="cannot be opened") as refused:
        await Store(tmp_path / "x.sqlite").open()
    assert not open_files_below(tmp_path), refused


async def test_a_failed_write_leaves_nothing_behind(store: Store) -> None:
    def half(db: object) -> None:
        db.execute("INSERT INTO settings VALUES ('a', '1')")  # type: ignore[attr-defined]  # a database
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        await store.database.write(half)
    assert await store.frozen() is None
    rows = await store.database.read(lambda db: db.execute("SELECT * FROM settings").fetchall())
    assert rows == []


async def test_urgent_messages_come_before_the_others(store: Store) -> None:
    await store.note(note(), story=[post("progress", urgent=False), post("decision", urgent=True)])
    due = await store.due()
    assert [parcel.urgent for parcel in due] == [True, False]


async def test_a_message_given_up_is_not_tried_again_and_a_late_one_waits(store: Store) -> None:
    await store.note(note(), story=[post("one", urgent=True), post("two", urgent=True)])
    first, second = await store.due()
    await store.failed(first.id, "channel_not_found", None)
    await store.failed(second.id, "ratelimited", 60)
    assert await store.due() == []
    assert await store.outbox_depth() == 1


async def test_a_reader_sees_the_store_beside_the_bot(store: Store) -> None:
    await store.note(note())
    reader = Reader(store.database.path)
    assert [entry.tag for entry in reader.entries()] == ["freeze:on"]
    assert reader.jobs() == []
    reader.close()


async def test_a_click_is_judged_once(store: Store) -> None:
    counted, refused = [await clicked(store, "t", "confirm", who) for who in ("U1", "U2")]
    assert [one.id for one in await store.unsettled_clicks()] == [counted.id, refused.id]
    assert await store.close_click(counted.id, None, "counted")
    await store.refuse_click(refused.id, None)
    assert not await store.close_click(counted.id, None, "refused")
    assert not await store.close_click(refused.id, None, "counted")
    assert [(await store.click(one.id)).verdict for one in (counted, refused)] == ["counted", "refused"]
    assert await store.unsettled_clicks() == []


async def test_a_choice_belongs_to_its_person_and_ends(store: Store) -> None:
    identity = await store.keep_pick("U1", "migrate", {"vm": "twin"}, "vm")
    pick = await store.pick(identity)
    assert pick is not None
    assert (pick.person, pick.written) == ("U1", {"vm": "twin"})
    assert await store.pick("guessed") is None


async def test_the_head_of_the_audit_is_told_once_a_day_outside_the_file(tmp_path: Path) -> None:
    now = [1_000_000.0]
    store = Store(tmp_path / "daily.sqlite", lambda: now[0])
    await store.open()
    witness = Witness(store, "C1")
    await store.note(note())
    await witness.look()
    assert await store.due() == []
    for _ in range(2):
        now[0] += 86_401
        await witness.look()
        await witness.look()
    head = (await store.verify_audit())[1]
    told = [str(parcel.message) for parcel in await store.due()]
    assert len(told) == 2
    assert all(head in text for text in told)
    await store.close()


async def test_what_is_looked_for_every_second_is_found_without_reading_every_plan_of_the_past(store: Store) -> None:
    of = SimpleNamespace(pool="p1", number=1, created_at=1.0)
    asked: dict[str, str] = {}

    def traced(db: sqlite_utils.Database, index: str, look: Callable[[], object]) -> None:
        db.conn.set_trace_callback(lambda sql: asked.setdefault(index, sql))
        try:
            look()
        finally:
            db.conn.set_trace_callback(None)

    def steps(db: sqlite_utils.Database) -> dict[str, str]:
        traced(db, "jobs_offering_back", lambda: rows.still_offering_back(db, 1.0, ["migrate"]))
        traced(db, "jobs_by_target", lambda: rows.jobs(db, target="vm-1"))
        traced(db, "steps_that_went_wrong", lambda: rows.gone_wrong(db, {"restore.remove", "storage.sweep"}, 200))
        traced(db, "jobs_by_end", lambda: rows.homes(db, of))  # type: ignore[arg-type]  # all it asks of a job
        return {
            index: " ".join(row["detail"] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall())
            for index, sql in asked.items()
        }

    for index, how in (await store.database.write(steps)).items():
        assert index in how
        assert "SCAN jobs" not in how
