"""The part of the store that keeps schedules, and begins their runs: a run and its jobs are one transaction."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import msgspec
import sqlite_utils

from bot.domain.health import Checkup
from bot.domain.plan import LockKey
from bot.domain.record import JobRecord
from bot.domain.recurrence import Recurrence
from bot.domain.schedule import Covered, Schedule, ScheduleState
from bot.domain.texts import Phrase
from bot.errors import NotFound, Refused
from bot.store import audit, outbox, rows
from bot.store.audit import Note
from bot.store.checkups import keep_told
from bot.store.database import Database
from bot.store.outbox import Outgoing


class Schedules:
    """Schedules."""

    database: Database
    clock: Callable[[], float]
    _news: asyncio.Event

    async def schedules(self, *, removed: bool = False) -> Sequence[Schedule]:
        """In the order in which they were made; those that were removed only when asked for."""
        where = "" if removed else f"WHERE state <> '{ScheduleState.REMOVED}'"
        query = f"SELECT * FROM schedules {where} ORDER BY number"  # noqa: S608  a word of ours
        return await self.database.read(lambda db: [_schedule(row) for row in db.execute(query).fetchall()])

    async def schedule(self, number: int) -> Schedule:
        """The schedule of that number. Raises NotFound."""
        return await self.database.write(lambda db: _one(db, number))

    async def marked_schedule(self, mark: str) -> Schedule | None:
        """The schedule that an approved job knows by this mark."""

        def work(db: sqlite_utils.Database) -> Schedule | None:
            row = db.execute("SELECT * FROM schedules WHERE mark = ?", [mark]).fetchone()
            return None if row is None else _schedule(row)

        return await self.database.write(work)

    async def add_schedule(self, made: Schedule, note: Note) -> Schedule:
        """Stores a schedule and gives it its number; one of the same mark is there already and stays as it is."""

        def work(db: sqlite_utils.Database) -> Schedule:
            found = db.execute("SELECT * FROM schedules WHERE mark = ?", [made.mark]).fetchone()
            if found is not None:
                return _schedule(found)
            row = {
                "mark": made.mark,
                "state": made.state.value,
                "covered": rows.encode(made.covered),
                "rule": rows.encode(made.rule),
                "keep": made.keep,
                "owner": made.owner,
                "team": made.team,
                "channel": made.channel,
                "job": made.job,
                "created_at": made.created_at,
                "next_run": made.next_run,
            }
            number = int(db.table("schedules").insert(row, pk="number").last_pk or 0)
            audit.append(db, self.clock(), note, rows.job(db, made.job))
            return _one(db, number)

        return await self.database.write(work)

    async def set_schedule(self, number: int, state: ScheduleState, note: Note, *, next_run: float) -> Schedule:
        """Pauses, resumes or removes one. Raises NotFound, Refused for one that is so already or was removed."""

        def work(db: sqlite_utils.Database) -> Schedule:
            now = _one(db, number)
            if now.state in {state, ScheduleState.REMOVED}:
                raise Refused(f"Schedule {number} is {now.state.value} already.", "`/xen schedule list` lists them.")
            db.execute("UPDATE schedules SET state = ?, next_run = ? WHERE number = ?", [state.value, next_run, number])
            audit.append(db, self.clock(), note, rows.job(db, now.job))
            return _one(db, number)

        return await self.database.write(work)

    async def begin_run(
        self,
        now: Schedule,
        next_run: float,
        jobs: Sequence[JobRecord],
        said: Sequence[Phrase],
        note: Note,
        *,
        checked: Mapping[str, Checkup] = MappingProxyType({}),
        story: Sequence[Outgoing] = (),
    ) -> Sequence[JobRecord] | None:
        """Stores a run with its jobs, and when the next one is; None when it was begun, paused or removed meanwhile.

        A run that checks pools leaves what it found there (by UUID), and what it tells of it.
        """

        def work(db: sqlite_utils.Database) -> Sequence[JobRecord] | None:
            if _one(db, now.number) != now:
                return None
            stored = [rows.job(db, rows.insert_job(db, record)) for record in jobs]
            for record in stored:
                audit.append(db, self.clock(), note, record)
            if not stored:
                audit.append(db, self.clock(), note)
            db.execute(
                "UPDATE schedules SET next_run = ?, last_run = ?, last_jobs = ?, last_said = ? WHERE number = ?",
                [next_run, self.clock(), rows.encode([one.number for one in stored]), rows.encode(said), now.number],
            )
            keep_told(db, now.number, checked)
            outbox.put(db, self.clock(), story)
            return stored

        stored = await self.database.write(work)
        self._news.set()
        return stored

    async def jobs_of(self, requester: str, since: float) -> Sequence[JobRecord]:
        """The jobs of somebody that were asked for, or under way, or over since then (Unix seconds), in order."""

        def work(db: sqlite_utils.Database) -> Sequence[JobRecord]:
            found = db.execute(
                "SELECT * FROM jobs WHERE requester = ? AND (created_at >= ? OR coalesce(finished_at, ?) >= ?)"
                " ORDER BY number",
                [requester, since, since, since],
            ).fetchall()
            return [rows.to_record(db, row) for row in found]

        return await self.database.read(work)

    async def held(self, keys: Sequence[LockKey]) -> dict[str, int]:
        """Which of these keys are held, by which job, by the UUID of the key."""

        def work(db: sqlite_utils.Database) -> dict[str, int]:
            found = {}
            for key in keys:
                row = db.execute("SELECT job FROM locks WHERE key = ?", [key.text]).fetchone()
                if row is not None:
                    found[key.uuid] = int(row["job"])
            return found

        return await self.database.write(work)

    async def since_last(self, key: str) -> float:
        """When something recurring was done last (Unix seconds); the first time it counts as done now."""

        def work(db: sqlite_utils.Database) -> float:
            row = db.execute("SELECT value FROM settings WHERE key = ?", [key]).fetchone()
            if row is not None:
                return float(row["value"])
            now = self.clock()
            db.table("settings").insert({"key": key, "value": repr(now)})
            return now

        return await self.database.write(work)

    async def summed(self, key: str, since: float, story: Sequence[Outgoing]) -> None:
        """Something recurring was done now, with what is to be told of it; nothing where it was done meanwhile."""

        def work(db: sqlite_utils.Database) -> None:
            row = db.execute("SELECT value FROM settings WHERE key = ?", [key]).fetchone()
            if row is None or float(row["value"]) != since:
                return
            db.execute("UPDATE settings SET value = ? WHERE key = ?", [repr(self.clock()), key])
            outbox.put(db, self.clock(), story)

        await self.database.write(work)
        self._news.set()


def _one(db: sqlite_utils.Database, number: int) -> Schedule:
    row = db.execute("SELECT * FROM schedules WHERE number = ?", [number]).fetchone()
    if row is None:
        raise NotFound("schedule", str(number), fix="`/xen schedule list` lists them.")
    return _schedule(row)


def _schedule(row: sqlite3.Row) -> Schedule:
    return Schedule(
        number=row["number"],
        mark=row["mark"],
        covered=msgspec.json.decode(row["covered"], type=Covered),
        rule=msgspec.json.decode(row["rule"], type=Recurrence),
        keep=row["keep"],
        owner=row["owner"],
        team=row["team"],
        channel=row["channel"],
        job=row["job"],
        created_at=row["created_at"],
        next_run=row["next_run"],
        state=ScheduleState(row["state"]),
        last_run=row["last_run"],
        last_jobs=tuple(msgspec.json.decode(row["last_jobs"], type=list[int])),
        last_said=msgspec.json.decode(row["last_said"], type=tuple[Phrase, ...]),
    )
