"""Rows to records and back; the one place that knows the columns of jobs and steps."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import msgspec
import sqlite_utils

from bot.domain.job import JobState
from bot.domain.plan import Ceiling, Plan, ceiling, digest
from bot.domain.record import MOST_OF_A_GUEST, Decision, JobRecord, StepRecord, StepState
from bot.domain.texts import Phrase, plain
from bot.errors import NotFound

#: The jobs whose steps have made an object, such as a restored guest, by a mark for its UUID.
MAKERS: Final = "SELECT job FROM steps WHERE made <> '{{}}' AND instr(made, {}) > 0"


def encode(value: object) -> str:
    """JSON text of a domain value."""
    return msgspec.json.encode(value).decode()


def steps_of(db: sqlite_utils.Database, number: int) -> tuple[StepRecord, ...]:
    """All steps of a job in order."""
    rows = db.execute('SELECT * FROM steps WHERE job = ? ORDER BY "index"', [number]).fetchall()
    return tuple(_step(row, set(row.keys())) for row in rows)


def _step(row: sqlite3.Row, columns: set[str]) -> StepRecord:
    return StepRecord(
        job=row["job"],
        index=row["index"],
        kind=row["kind"],
        state=StepState(row["state"]),
        parent=row["parent"],
        task=row["task"],
        attempts=row["attempts"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        progress=row["progress"],
        error=tuple(msgspec.json.decode(row["error"])),
        # A reader without the bot may meet a file that was not brought up to date yet.
        nonce=row["nonce"] if "nonce" in columns else "",
        made=msgspec.json.decode(row["made"]) if "made" in columns else {},
        said=msgspec.json.decode(row["said"], type=Phrase) if "said" in columns and row["said"] else None,
        noted=row["noted"] if "noted" in columns else "",
    )


def _decisions(db: sqlite_utils.Database, number: int) -> tuple[Decision, ...]:
    rows = db.execute("SELECT * FROM approvals WHERE job = ? AND verdict = 'counted' ORDER BY id", [number])
    return tuple(
        Decision(row["person"], row["action"], row["at"], row["reason"] if "reason" in row.keys() else "")  # noqa: SIM118  a row of SQLite is no mapping
        for row in rows
    )


def to_record(db: sqlite_utils.Database, row: sqlite3.Row) -> JobRecord:
    """The record of a row of `jobs`, which may be of a file that was not brought up to date yet."""
    columns = set(row.keys())
    return JobRecord(
        number=row["number"],
        state=JobState(row["state"]),
        pool=row["pool"],
        operation=row["operation"],
        plan=msgspec.json.decode(row["plan"], type=Plan),
        digest=row["digest"],
        ceiling=msgspec.json.decode(row["ceiling"], type=Ceiling),
        team=row["team"],
        requester=row["requester"],
        reason=row["reason"],
        channel=row["channel"],
        card_ts=row["card_ts"],
        target=row["target"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        expires_at=row["expires_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        approvers_needed=row["approvers_needed"],
        decisions=_decisions(db, row["number"]),
        steps=steps_of(db, row["number"]),
        outcome=msgspec.json.decode(row["outcome"], type=Phrase) if row["outcome"] else None,
        evidence=msgspec.json.decode(row["evidence"], type=tuple[Phrase, ...]),
        drifted=msgspec.json.decode(row["drifted"], type=tuple[Phrase, ...]),
        cancel_by=row["cancel_by"],
        successor=row["successor"],
        glass="glass" in columns and bool(row["glass"]),
        reminded_at=row["reminded_at"] if "reminded_at" in columns else None,
        back_closed="back_closed" in columns and bool(row["back_closed"]),
        card_link=row["card_link"] if "card_link" in columns else "",
    )


def job(db: sqlite_utils.Database, number: int) -> JobRecord:
    """The job of that number. Raises NotFound."""
    row = db.execute("SELECT * FROM jobs WHERE number = ?", [number]).fetchone()
    if row is None:
        raise NotFound("job", str(number), fix="`/xen jobs` lists the newest ones.")
    return to_record(db, row)


def jobs(
    db: sqlite_utils.Database, *, limit: int = 20, states: Sequence[JobState] = (), target: str = ""
) -> list[JobRecord]:
    """Newest first, of these states (all when empty), about this object or the ones that made it (any when empty)."""
    # Conditions that always hold would keep SQLite from its indexes.
    wanted = [f"state IN ({','.join('?' for _ in states)})"] if states else []
    wanted += [f"(target_uuid = ? OR number IN ({MAKERS.format('?')}))"] if target else []
    where = f"WHERE {' AND '.join(wanted)}" if wanted else ""
    rows = db.execute(
        f"SELECT * FROM jobs {where} ORDER BY number DESC LIMIT ?",  # noqa: S608  only marks
        [*(state.value for state in states), *([target, target] if target else []), limit],
    ).fetchall()
    return [to_record(db, row) for row in rows]


def well(db: sqlite_utils.Database, operation: str, pool: str, limit: int) -> list[JobRecord]:
    """The newest jobs of a kind, of a pool (UUID), that went well; of the newest thousand of all."""
    rows = db.execute(
        "SELECT * FROM jobs WHERE state = ? AND operation = ? AND pool = ?"
        " AND number > (SELECT max(number) FROM jobs) - ? ORDER BY number DESC LIMIT ?",
        [JobState.SUCCEEDED.value, operation, pool, MOST_OF_A_GUEST, limit],
    ).fetchall()
    return [to_record(db, row) for row in rows]


def makers(db: sqlite_utils.Database, objects: Collection[str]) -> dict[str, JobRecord]:
    """The newest job whose steps have made each of these objects (UUIDs), where one has."""
    numbers = db.execute(
        "SELECT DISTINCT job FROM steps, json_each(steps.made) AS thing"
        " WHERE made <> '{}' AND thing.value IN (SELECT value FROM json_each(?)) ORDER BY job",
        [encode(list(objects))],
    ).fetchall()
    records = [job(db, row["job"]) for row in numbers]
    return {uuid: record for record in records for uuid in record.made.values() if uuid in objects}


def gone_wrong(db: sqlite_utils.Database, kinds: Collection[str], limit: int) -> list[JobRecord]:
    """The jobs with a step of one of these kinds that did not go well, newest first."""
    marks = ",".join("?" for _ in kinds)
    rows = db.execute(
        "SELECT * FROM jobs WHERE number IN (SELECT job FROM steps"  # noqa: S608  only marks
        f" WHERE state IN ('FAILED', 'CANCELLED', 'UNCLEAR') AND kind IN ({marks})) ORDER BY number DESC LIMIT ?",
        [*sorted(kinds), limit],
    ).fetchall()
    return [to_record(db, row) for row in rows]


def overdue(db: sqlite_utils.Database, at: float) -> list[JobRecord]:
    """The jobs that wait for a decision, or to start, beyond their time."""
    rows = db.execute(
        "SELECT * FROM jobs WHERE state IN ('PROPOSED', 'AWAITING_APPROVAL', 'QUEUED') AND expires_at <= ?"
        " ORDER BY number",
        [at],
    ).fetchall()
    return [to_record(db, row) for row in rows]


def undecided(db: sqlite_utils.Database, until: float) -> list[JobRecord]:
    """The jobs that wait for approval, whose time is over by `until`, and that nobody was reminded of."""
    rows = db.execute(
        "SELECT * FROM jobs WHERE state = 'AWAITING_APPROVAL' AND reminded_at IS NULL AND expires_at <= ?"
        " ORDER BY number",
        [until],
    ).fetchall()
    return [to_record(db, row) for row in rows]


def still_offering_back(db: sqlite_utils.Database, ended_before: float, operations: Sequence[str]) -> list[JobRecord]:
    """The jobs of these operations that went well before then and whose cards still offer the way back."""
    marks = ",".join("?" for _ in operations)
    rows = db.execute(
        f"SELECT * FROM jobs WHERE state = 'SUCCEEDED' AND operation IN ({marks}) AND successor IS NULL"  # noqa: S608  marks
        " AND back_closed = 0 AND finished_at <= ? ORDER BY number LIMIT 50",
        [*operations, ended_before],
    ).fetchall()
    return [to_record(db, row) for row in rows]


def overtaken(db: sqlite_utils.Database, by: JobRecord, operations: Sequence[str]) -> list[JobRecord]:
    """The jobs of these operations that still offer the way back, about guests that another job holds now."""
    guests = [key.uuid for key in by.plan.locks if key.exclusive]
    rows = db.execute(
        f"SELECT * FROM jobs WHERE state = 'SUCCEEDED' AND operation IN ({','.join('?' for _ in operations)})"  # noqa: S608  marks
        f" AND successor IS NULL AND back_closed = 0 AND target_uuid IN ({','.join('?' for _ in guests)})"
        " AND number <> ? ORDER BY number",
        [*operations, *guests, by.number],
    ).fetchall()
    return [to_record(db, row) for row in rows]


def settled(db: sqlite_utils.Database, by: JobRecord, operations: Sequence[str]) -> list[JobRecord]:
    """The jobs of these operations about the guest of a later one whose cards offer what it has settled.

    What a job offers to follow once it went well means the newest of its kind: that is settled with the newest, or with
    what this one has made. What it has left, having failed, is its own: that is settled by a job about that very thing.
    """
    about = by.about
    newest = max((maker.number for maker in makers(db, about).values()), default=by.number)
    marks = ",".join("?" for _ in operations)
    rows = db.execute(
        f"SELECT * FROM jobs WHERE operation IN ({marks}) AND target_uuid = ? AND number < ? AND back_closed = 0"  # noqa: S608  marks
        " AND state IN ('SUCCEEDED', 'PARTIAL', 'FAILED', 'CANCELLED') ORDER BY number",
        [*operations, by.plan.targets[0].uuid, by.number],
    ).fetchall()
    found = [to_record(db, row) for row in rows]
    went_well = {JobState.SUCCEEDED, JobState.PARTIAL}
    return [one for one in found if about <= one.about or (one.state in went_well and one.number < newest)]


def homes(db: sqlite_utils.Database, of: JobRecord) -> dict[str, str]:
    """Where the guests of other jobs of the pool were that ran, or run, since `of` was planned; the earliest counts."""
    rows = db.execute(
        "SELECT plan FROM jobs WHERE number <> ? AND started_at IS NOT NULL"
        " AND (pool = ? AND finished_at IS NULL OR pool = ? AND finished_at >= ?) ORDER BY started_at",
        [of.number, of.pool, of.pool, of.created_at],
    ).fetchall()
    found: dict[str, str] = {}
    for row in rows:
        for place in msgspec.json.decode(row["plan"], type=Plan).placements:
            if place.host is not None:
                found.setdefault(place.vm, place.host)
    return found


def save_step(db: sqlite_utils.Database, step: StepRecord) -> None:
    """Writes a step as it is now."""
    values = msgspec.structs.asdict(step)
    values |= {"state": step.state.value, "error": encode(step.error), "made": encode(step.made)}
    values["said"] = encode(step.said) if step.said is not None else ""
    db.table("steps").upsert(values, pk=("job", "index"))


def insert_job(db: sqlite_utils.Database, record: JobRecord) -> int:
    """Stores a new job with its steps; its number."""
    number = int(db.table("jobs").insert(new_row(record), pk="number").last_pk or 0)
    for index, step in enumerate(record.plan.steps):
        db.table("steps").insert({"job": number, "index": index, "kind": step.kind, "state": "WAITING"})
    return number


def new_row(record: JobRecord) -> dict[str, Any]:
    """The columns of a new job; the number is given by the database."""
    return {
        "state": record.state.value,
        "pool": record.pool,
        "operation": record.operation,
        **plan_columns(record.plan),
        "team": record.team,
        "requester": record.requester,
        "reason": record.reason,
        "channel": record.channel,
        "target": record.target,
        "approvers_needed": record.approvers_needed,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "expires_at": record.expires_at,
        "glass": int(record.glass),
    }


def plan_columns(plan: Plan) -> dict[str, Any]:
    """The columns that follow from a plan: what is promised and at what risk never part from it."""
    first = plan.targets[0]
    return {
        "title": plain(plan.title),
        "target_uuid": first.uuid,
        "target_name": first.name,
        "risk": plan.risk.value,
        "plan": encode(plan),
        "digest": digest(plan),
        "ceiling": encode(ceiling(plan)),
    }


def changed_columns(changes: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Columns for changed fields of a record: values of the domain become JSON, the rest stays."""
    for field, value in changes.items():
        if field == "plan":
            yield from plan_columns(value).items()
        elif field in {"outcome", "evidence", "drifted"}:
            yield field, encode(value)
        else:
            yield field, value
