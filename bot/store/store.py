"""The store as jobs see it. Each method is one transaction: state, audit and messages together, or nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import sqlite_utils

from bot.domain.job import FINAL, HOLDS_LOCKS, JobEvent, JobState, follow
from bot.domain.plan import LockKey, Plan
from bot.domain.record import JobRecord, StepRecord
from bot.errors import Refused
from bot.store import audit, locks, outbox, rows
from bot.store.absences import Absences
from bot.store.alerts import Alerts
from bot.store.audit import Note
from bot.store.catalogue import Catalogue
from bot.store.checkups import Checkups
from bot.store.clicks import ClickBook
from bot.store.database import Database
from bot.store.ledger import Ledger
from bot.store.mail import Mail
from bot.store.outbox import Outgoing
from bot.store.schedules import Schedules

Story = Callable[[JobRecord], Sequence[Outgoing]]


def silent(_record: JobRecord) -> Sequence[Outgoing]:
    """No message."""
    return ()


class Store(ClickBook, Ledger, Mail, Catalogue, Checkups, Schedules, Alerts, Absences):
    """Jobs and their locks.

    Clicks, the audit, the freeze, the outbox, the catalogue, checks, schedules, alerts and absences come with its
    bases.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.database = Database(path)
        self.clock = clock
        self._news = asyncio.Event()

    async def open(self) -> None:
        """Opens the file. Raises StoreError."""
        await self.database.open()

    async def close(self) -> None:
        """Closes the file."""
        await self.database.close()

    # Jobs

    async def create(
        self, record: JobRecord, note: Note, story: Story, *, after: int | None = None, click: int | None = None
    ) -> JobRecord:
        """Stores a new job with its steps and gives it its number.

        `after` is the job that was asked again, by `click`; it gets this one as its successor, once. Raises Refused
        when it has one already.
        """

        def work(db: sqlite_utils.Database) -> JobRecord:
            number = rows.insert_job(db, record)
            if after is not None:
                changed = db.execute(
                    "UPDATE jobs SET successor = ? WHERE number = ? AND successor IS NULL", [number, after]
                ).rowcount
                if changed != 1:
                    raise Refused(f"Job {after} was asked again already.")
            if click is not None:
                self.count_click(db, click, after or number)
            stored = rows.job(db, number)
            audit.append(db, self.clock(), note, stored)
            outbox.put(db, self.clock(), story(stored), stored)
            return stored

        return await self._told(work)

    async def move(
        self,
        number: int,
        event: JobEvent,
        note: Note,
        story: Story,
        *,
        expect: JobState,
        changes: dict[str, Any] | None = None,
        click: int | None = None,
        step: StepRecord | None = None,
        others: Sequence[StepRecord] = (),
        limit: int = 0,
    ) -> JobRecord:
        """Moves a job along its table, with a step of it, and others, as they are from then on.

        Raises IllegalTransition when it has left `expect`, Held when locked out.
        """

        def work(db: sqlite_utils.Database) -> JobRecord:
            state = follow(expect, event)
            if event is JobEvent.START:
                locks.may_start(db, number, rows.job(db, number).plan.locks, limit)
            for one in (*others, *((step,) if step is not None else ())):
                rows.save_step(db, one)
            columns = {"state": state.value, "updated_at": self.clock(), **dict(rows.changed_columns(changes or {}))}
            assignments = ", ".join(f"{name} = ?" for name in columns)
            changed = db.execute(
                f"UPDATE jobs SET {assignments} WHERE number = ? AND state = ?",  # noqa: S608  our own column names
                [*columns.values(), number, expect.value],
            ).rowcount
            if changed != 1:
                follow(JobState(rows.job(db, number).state), event)
                raise Refused(f"Job {number} has moved on meanwhile.")
            if click is not None:
                self.count_click(db, click, number)
            stored = rows.job(db, number)
            if state in HOLDS_LOCKS and expect not in HOLDS_LOCKS:
                locks.take(db, number, stored.plan, self.clock())
            if state in FINAL:
                locks.release(db, number)
            audit.append(db, self.clock(), note, stored)
            outbox.put(db, self.clock(), story(stored), stored)
            return stored

        return await self._told(work)

    async def annotate(
        self,
        number: int,
        changes: dict[str, Any],
        note: Note | None = None,
        story: Story = silent,
        *,
        click: int | None = None,
        expect: JobState | None = None,
    ) -> JobRecord:
        """Changes fields of a job that are not its state; a click given along counts from then on.

        Raises Refused when the job has left `expect`.
        """

        def work(db: sqlite_utils.Database) -> JobRecord:
            if expect is not None and rows.job(db, number).state is not expect:
                raise Refused(f"Job {number} has moved on meanwhile.")
            if click is not None:
                self.count_click(db, click, number)
            columns = dict(rows.changed_columns(changes))
            if columns:
                assignments = ", ".join(f"{name} = ?" for name in columns)
                db.execute(
                    f"UPDATE jobs SET {assignments} WHERE number = ?",  # noqa: S608  our own column names
                    [*columns.values(), number],
                )
            stored = rows.job(db, number)
            if note is not None:
                audit.append(db, self.clock(), note, stored)
            outbox.put(db, self.clock(), story(stored), stored)
            return stored

        return await self._told(work)

    async def explain(self, number: int, click: int, reason: str, note: Note, story: Story) -> JobRecord:
        """Adds to a decision on a job why it was made, once. Raises Refused when that was said already."""

        def work(db: sqlite_utils.Database) -> JobRecord:
            changed = db.execute(
                "UPDATE approvals SET reason = ? WHERE id = ? AND job = ? AND verdict = 'counted' AND reason = ''",
                [reason, click, number],
            ).rowcount
            if changed != 1:
                raise Refused("A reason was given for this already.", f"`/xen job {number}` shows it.")
            stored = rows.job(db, number)
            audit.append(db, self.clock(), note, stored)
            outbox.put(db, self.clock(), story(stored), stored)
            return stored

        return await self._told(work)

    async def save_step(self, step: StepRecord, note: Note | None = None, story: Story = silent) -> JobRecord:
        """Writes a step as it is now, with what should be told of it."""

        def work(db: sqlite_utils.Database) -> JobRecord:
            rows.save_step(db, step)
            stored = rows.job(db, step.job)
            if note is not None:
                audit.append(db, self.clock(), note, stored)
            outbox.put(db, self.clock(), story(stored), stored)
            return stored

        return await self._told(work)

    async def open_parents(self) -> Sequence[tuple[str, StepRecord]]:
        """Steps of jobs that are over whose tasks at the pool, or what may be left of them, were not tidied yet.

        Each comes with its pool.
        """
        marks = ",".join("?" for _ in FINAL)

        def work(db: sqlite_utils.Database) -> Sequence[tuple[str, StepRecord]]:
            found = db.execute(
                "SELECT DISTINCT steps.job FROM steps JOIN jobs ON jobs.number = steps.job"  # noqa: S608  marks
                f" WHERE (steps.parent <> '' OR steps.nonce <> '') AND jobs.state IN ({marks})",
                [state.value for state in FINAL],
            ).fetchall()
            return [
                (record.pool_of(step.index), step)
                for record in (rows.job(db, row["job"]) for row in found)
                for step in record.steps
                if step.parent or step.nonce
            ]

        return await self.database.write(work)

    async def job(self, number: int) -> JobRecord:
        """One job. Raises NotFound."""
        return await self.database.write(lambda db: rows.job(db, number))

    async def jobs(self, *, limit: int = 20, open_only: bool = False, target: str = "") -> Sequence[JobRecord]:
        """Newest first."""
        states = [state for state in JobState if state not in FINAL] if open_only else []
        return await self.database.read(lambda db: rows.jobs(db, limit=limit, states=states, target=target))

    async def well(self, operation: str, pool: str, *, limit: int) -> Sequence[JobRecord]:
        """Jobs of a kind, of a pool (UUID), that went well, newest first."""
        return await self.database.read(lambda db: rows.well(db, operation, pool, limit))

    async def makers(self, objects: Collection[str]) -> dict[str, JobRecord]:
        """The newest job that made each of these objects (UUIDs), where one did."""
        return await self.database.read(lambda db: rows.makers(db, objects))

    async def gone_wrong(self, kinds: Collection[str], *, limit: int = 200) -> Sequence[JobRecord]:
        """Jobs with a step of one of these kinds that did not go well, newest first."""
        return await self.database.read(lambda db: rows.gone_wrong(db, kinds, limit))

    async def in_state(self, *states: JobState) -> Sequence[JobRecord]:
        """Every job in one of these states, oldest first."""
        found = await self.database.write(lambda db: rows.jobs(db, limit=100_000, states=states))
        return list(reversed(found))

    async def overdue(self) -> Sequence[JobRecord]:
        """Every job whose time for a decision, or for starting, is over."""
        return await self.database.write(lambda db: rows.overdue(db, self.clock()))

    async def undecided(self, before_s: float) -> Sequence[JobRecord]:
        """Every job that waits for approval, is due within `before_s` seconds, and was not reminded of yet."""
        return await self.database.write(lambda db: rows.undecided(db, self.clock() + before_s))

    async def still_offering_back(self, for_s: float, operations: Sequence[str]) -> Sequence[JobRecord]:
        """Jobs of these operations that went well more than `for_s` seconds ago and still offer the way back."""
        limit = self.clock() - for_s
        return await self.database.write(lambda db: rows.still_offering_back(db, limit, operations))

    async def overtaken(self, by: JobRecord, operations: Sequence[str]) -> Sequence[JobRecord]:
        """Jobs of these operations that still offer the way back, about guests that another job holds now."""
        return await self.database.write(lambda db: rows.overtaken(db, by, operations))

    async def settled(self, by: JobRecord, operations: Sequence[str]) -> Sequence[JobRecord]:
        """Jobs of these operations about the guest of a later one whose cards offer what it has settled."""
        return await self.database.write(lambda db: rows.settled(db, by, operations))

    async def homes(self, of: JobRecord) -> dict[str, str]:
        """Guests that other jobs of the pool have moved since this one was planned, each with the host it was on."""
        return await self.database.write(lambda db: rows.homes(db, of))

    async def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        return await self.database.read(
            lambda db: dict(db.execute("SELECT state, count(*) FROM jobs GROUP BY state").fetchall())
        )

    async def held_up(self, plan: Plan) -> None:
        """Raises Held where a new job with this plan would be locked out now."""
        await self.database.read(lambda db: locks.held_up(db, 0, plan))

    async def others_running(self, key: LockKey, job: int) -> list[int]:
        """The other running jobs that hold this key."""
        return await self.database.write(lambda db: locks.running_with(db, key, job))

    async def _told(self, work: Callable[[sqlite_utils.Database], JobRecord]) -> JobRecord:
        # The world is told after the commit, never before.
        record = await self.database.write(work)
        self._news.set()
        return record
