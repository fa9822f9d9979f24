"""The schema, as ordered steps; each runs in one transaction with the row that says it ran.

`sqlite_utils.Table.transform` rebuilds a table without its triggers, so it must never be used on `audit`.

However long it grows, this stays one list: a step that has run somewhere is never changed again, and the order in which
they stand here is the order in which they run.
"""

from __future__ import annotations

import sqlite_utils
from sqlite_utils.migrations import Migrations

MIGRATIONS = Migrations("xenbot")

GUARDS = ("audit_is_append_only_update", "audit_is_append_only_delete", "final_jobs_stay_final")

_FIRST = """
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    state TEXT NOT NULL,
    pool TEXT NOT NULL,
    operation TEXT NOT NULL,
    title TEXT NOT NULL,
    target_uuid TEXT NOT NULL,
    target_name TEXT NOT NULL,
    risk TEXT NOT NULL,
    plan TEXT NOT NULL,
    digest TEXT NOT NULL,
    ceiling TEXT NOT NULL,
    team TEXT NOT NULL,
    requester TEXT NOT NULL,
    reason TEXT NOT NULL,
    channel TEXT NOT NULL,
    card_ts TEXT NOT NULL DEFAULT '',
    target TEXT NOT NULL UNIQUE,
    approvers_needed INTEGER NOT NULL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    started_at REAL,
    finished_at REAL,
    outcome TEXT,
    evidence TEXT NOT NULL DEFAULT '[]',
    drifted TEXT NOT NULL DEFAULT '[]',
    cancel_by TEXT NOT NULL DEFAULT '',
    successor INTEGER REFERENCES jobs(number)
) STRICT;
CREATE INDEX jobs_by_state ON jobs(state);
CREATE INDEX jobs_by_target ON jobs(target_uuid);
CREATE TABLE steps (
    job INTEGER NOT NULL REFERENCES jobs(number),
    "index" INTEGER NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    parent TEXT NOT NULL DEFAULT '',
    task TEXT NOT NULL DEFAULT '',
    attempts INTEGER NOT NULL DEFAULT 0,
    started_at REAL,
    finished_at REAL,
    progress REAL NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (job, "index")
) STRICT;
CREATE TABLE approvals (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    target TEXT NOT NULL,
    job INTEGER REFERENCES jobs(number),
    action TEXT NOT NULL,
    team TEXT NOT NULL,
    person TEXT NOT NULL,
    channel TEXT NOT NULL,
    message_ts TEXT NOT NULL,
    at REAL NOT NULL,
    verdict TEXT NOT NULL DEFAULT 'noted' CHECK (verdict IN ('noted', 'counted', 'refused'))
) STRICT;
CREATE INDEX approvals_by_job ON approvals(job);
CREATE UNIQUE INDEX one_approval_a_person ON approvals(job, person) WHERE verdict = 'counted' AND action = 'approve';
CREATE TABLE locks (
    key TEXT NOT NULL,
    job INTEGER NOT NULL REFERENCES jobs(number),
    name TEXT NOT NULL,
    exclusive INTEGER NOT NULL,
    taken_at REAL NOT NULL,
    PRIMARY KEY (key, job)
) STRICT;
CREATE UNIQUE INDEX one_holder ON locks(key) WHERE exclusive = 1;
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    team TEXT NOT NULL,
    actor TEXT NOT NULL,
    tag TEXT NOT NULL,
    job INTEGER,
    target_uuid TEXT NOT NULL,
    target_name TEXT NOT NULL,
    digest TEXT NOT NULL,
    task TEXT NOT NULL,
    detail TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE
) STRICT;
CREATE INDEX audit_by_job ON audit(job);
CREATE TRIGGER audit_is_append_only_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER audit_is_append_only_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER final_jobs_stay_final BEFORE UPDATE OF state ON jobs
WHEN OLD.state IN ('SUCCEEDED', 'PARTIAL', 'FAILED', 'CANCELLED', 'WITHDRAWN', 'DENIED', 'EXPIRED', 'STALE')
BEGIN SELECT RAISE(ABORT, 'this job is over'); END;
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('card', 'reply', 'post', 'private')),
    job INTEGER REFERENCES jobs(number),
    channel TEXT NOT NULL,
    person TEXT NOT NULL DEFAULT '',
    urgent INTEGER NOT NULL,
    message TEXT NOT NULL,
    nonce TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'sent', 'superseded', 'dead')),
    attempts INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL,
    not_before REAL NOT NULL DEFAULT 0,
    ts TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX outbox_due ON outbox(state, urgent, id);
CREATE UNIQUE INDEX one_card_waiting ON outbox(job) WHERE kind = 'card' AND state = 'due';
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE picks (
    id TEXT PRIMARY KEY,
    person TEXT NOT NULL,
    word TEXT NOT NULL,
    written TEXT NOT NULL,
    slot TEXT NOT NULL,
    expires_at REAL NOT NULL
) STRICT;
CREATE VIEW job_history AS
SELECT number AS job, state, title, target_name AS target, risk, requester, reason,
    datetime(created_at, 'unixepoch') AS asked_at, datetime(started_at, 'unixepoch') AS started,
    datetime(finished_at, 'unixepoch') AS finished, round(finished_at - started_at, 1) AS seconds
FROM jobs ORDER BY number DESC;
CREATE VIEW audit_log AS
SELECT seq, at, actor, tag AS action, job, target_name AS target, detail FROM audit ORDER BY seq DESC;
"""


def _statements(script: str) -> list[str]:
    # executescript() would commit the transaction the migration runs in. A trigger holds one ";" of its own.
    found, pending = [], ""
    for piece in script.split(";"):
        pending += piece + ";"
        if pending.count("BEGIN SELECT") == pending.count("END"):
            found.append(pending)
            pending = ""
    return [statement for statement in found if statement.strip(" ;\n")]


@MIGRATIONS()
def m001_first(db: sqlite_utils.Database) -> None:
    """Jobs, steps, approvals, locks, audit, outbox, settings, picks and the two views people read."""
    for statement in _statements(_FIRST):
        db.execute(statement)


@MIGRATIONS()
def m002_glass_and_reminder(db: sqlite_utils.Database) -> None:
    """Whether breaking glass is offered on a job's card, and when its approvers were reminded."""
    db.execute("ALTER TABLE jobs ADD COLUMN glass INTEGER NOT NULL DEFAULT 0")
    db.execute("ALTER TABLE jobs ADD COLUMN reminded_at REAL")


@MIGRATIONS()
def m003_way_back(db: sqlite_utils.Database) -> None:
    """Whether the way back is no longer offered on a job's card."""
    db.execute("ALTER TABLE jobs ADD COLUMN back_closed INTEGER NOT NULL DEFAULT 0")


@MIGRATIONS()
def m004_find_by_end(db: sqlite_utils.Database) -> None:
    """What is looked for again and again is found without reading through every plan of the past."""
    db.execute("CREATE INDEX jobs_by_end ON jobs(pool, finished_at)")
    db.execute(
        "CREATE INDEX jobs_offering_back ON jobs(operation, finished_at)"
        " WHERE state = 'SUCCEEDED' AND successor IS NULL AND back_closed = 0"
    )


@MIGRATIONS()
def m005_edits_that_are_no_news(db: sqlite_utils.Database) -> None:
    """Whether a card only tidies the one that stands there, and is not posted where that one is gone."""
    db.execute("ALTER TABLE outbox ADD COLUMN edit_only INTEGER NOT NULL DEFAULT 0")


@MIGRATIONS()
def m006_backups(db: sqlite_utils.Database) -> None:
    """The catalogue of backups, and the view of it that people read."""
    db.execute(
        "CREATE TABLE backups (id TEXT PRIMARY KEY, guest TEXT NOT NULL, name TEXT NOT NULL, pool TEXT NOT NULL,"
        " pool_name TEXT NOT NULL, at REAL NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL, job INTEGER,"
        " who TEXT NOT NULL, verified_at REAL, verified_how TEXT NOT NULL, verified_by TEXT NOT NULL,"
        " damage TEXT NOT NULL, kept_until REAL, state TEXT NOT NULL) STRICT"
    )
    db.execute("CREATE INDEX backups_by_guest ON backups(guest, at)")
    db.execute(
        "CREATE VIEW backup_catalogue AS SELECT id AS backup, name AS guest, pool_name AS pool,"
        " datetime(at, 'unixepoch') AS made, size, state, datetime(verified_at, 'unixepoch') AS verified,"
        " verified_how AS how, verified_by AS by, datetime(kept_until, 'unixepoch') AS kept_until, job, sha256"
        " FROM backups ORDER BY at DESC"
    )


@MIGRATIONS()
def m007_where_cards_are(db: sqlite_utils.Database) -> None:
    """The address of each job's card, and which cards still lack one."""
    db.execute("ALTER TABLE jobs ADD COLUMN card_link TEXT NOT NULL DEFAULT ''")
    db.execute("CREATE INDEX jobs_unlinked ON jobs(number) WHERE card_ts <> '' AND card_link = ''")


@MIGRATIONS()
def m008_labels_in_doubt(db: sqlite_utils.Database) -> None:
    """How the parent task is marked that a step may have left at its pool without storing it."""
    db.execute("ALTER TABLE steps ADD COLUMN nonce TEXT NOT NULL DEFAULT ''")


@MIGRATIONS()
def m009_what_steps_made(db: sqlite_utils.Database) -> None:
    """What a step has made, for the steps that go on with it or take it back, and what it said last."""
    db.execute("ALTER TABLE steps ADD COLUMN made TEXT NOT NULL DEFAULT '{}'")
    db.execute("ALTER TABLE steps ADD COLUMN said TEXT NOT NULL DEFAULT ''")


@MIGRATIONS()
def m010_reasons_of_decisions(db: sqlite_utils.Database) -> None:
    """Why somebody decided so: a denial explained, glass broken."""
    db.execute("ALTER TABLE approvals ADD COLUMN reason TEXT NOT NULL DEFAULT ''")


@MIGRATIONS()
def m011_find_by_actor(db: sqlite_utils.Database) -> None:
    """What one person did, and who did anything, is found without reading the whole trail."""
    db.execute("CREATE INDEX audit_by_actor ON audit(actor, seq)")


@MIGRATIONS()
def m012_what_checks_found(db: sqlite_utils.Database) -> None:
    """What each check of a pool found, for "since yesterday"."""
    db.execute(
        "CREATE TABLE checkups (pool TEXT NOT NULL, at REAL NOT NULL, items TEXT NOT NULL,"
        " PRIMARY KEY (pool, at)) STRICT"
    )


@MIGRATIONS()
def m013_told_elsewhere(db: sqlite_utils.Database) -> None:
    """Whether a message that its channel refuses was told in another place."""
    db.execute("ALTER TABLE outbox ADD COLUMN elsewhere INTEGER NOT NULL DEFAULT 0")


@MIGRATIONS()
def m014_schedules(db: sqlite_utils.Database) -> None:
    """Standing plans, and the view of them that people read."""
    db.execute(
        "CREATE TABLE schedules (number INTEGER PRIMARY KEY AUTOINCREMENT, mark TEXT NOT NULL UNIQUE,"
        " state TEXT NOT NULL, covered TEXT NOT NULL, rule TEXT NOT NULL, keep TEXT NOT NULL, owner TEXT NOT NULL,"
        " team TEXT NOT NULL, channel TEXT NOT NULL, job INTEGER NOT NULL REFERENCES jobs(number),"
        " created_at REAL NOT NULL, next_run REAL NOT NULL, last_run REAL, last_jobs TEXT NOT NULL DEFAULT '[]',"
        " last_said TEXT NOT NULL DEFAULT '[]') STRICT"
    )
    db.execute("CREATE INDEX jobs_by_requester ON jobs(requester, number)")
    db.execute(
        "CREATE VIEW schedule_list AS SELECT number AS schedule, state,"
        " coalesce(nullif(json_extract(covered, '$.tag'), ''), json_extract(covered, '$.name')) AS covers,"
        " json_extract(rule, '$.every') AS every, keep, owner, datetime(next_run, 'unixepoch') AS next_run,"
        " datetime(last_run, 'unixepoch') AS last_run, last_jobs FROM schedules ORDER BY number"
    )


@MIGRATIONS()
def m015_alerts(db: sqlite_utils.Database) -> None:
    """Which alerts of the pools were told, and which kinds nobody wants to hear of for a while."""
    db.execute(
        "CREATE TABLE alerts (uuid TEXT PRIMARY KEY, pool TEXT NOT NULL, kind TEXT NOT NULL, about TEXT NOT NULL,"
        " seen_at REAL NOT NULL, told INTEGER NOT NULL) STRICT"
    )
    db.execute("CREATE INDEX alerts_by_kind ON alerts(pool, kind, about, seen_at)")
    db.execute(
        "CREATE TABLE mutes (kind TEXT NOT NULL, about TEXT NOT NULL, until REAL NOT NULL, who TEXT NOT NULL,"
        " PRIMARY KEY (kind, about)) STRICT"
    )


@MIGRATIONS()
def m016_notes_of_looks(db: sqlite_utils.Database) -> None:
    """What the newest look at a backup found wrong beside the archive itself."""
    db.execute("ALTER TABLE backups ADD COLUMN note TEXT NOT NULL DEFAULT ''")


@MIGRATIONS()
def m017_checks_that_recur(db: sqlite_utils.Database) -> None:
    """What a schedule found at a pool when it looked last. Findings have their gravity now: older ones begin anew."""
    db.execute("DELETE FROM checkups")
    db.execute(
        "CREATE TABLE checks_told (schedule INTEGER NOT NULL REFERENCES schedules(number), pool TEXT NOT NULL,"
        " at REAL NOT NULL, items TEXT NOT NULL, PRIMARY KEY (schedule, pool)) STRICT"
    )
    db.execute("DROP VIEW schedule_list")
    db.execute(
        "CREATE VIEW schedule_list AS SELECT number AS schedule, state,"
        " iif(json_extract(covered, '$.check'), 'pool-check', 'backup') AS does,"
        " coalesce(nullif(json_extract(covered, '$.tag'), ''), json_extract(covered, '$.name')) AS covers,"
        " json_extract(rule, '$.every') AS every, keep, owner, datetime(next_run, 'unixepoch') AS next_run,"
        " datetime(last_run, 'unixepoch') AS last_run, last_jobs FROM schedules ORDER BY number"
    )


@MIGRATIONS()
def m018_what_work_notes(db: sqlite_utils.Database) -> None:
    """What work of the bot itself has written down, to be known after a crash."""
    db.execute("ALTER TABLE steps ADD COLUMN noted TEXT NOT NULL DEFAULT ''")


@MIGRATIONS()
def m019_find_by_what_was_made(db: sqlite_utils.Database) -> None:
    """Which job made something, such as a restored guest, is found without reading every step of the past."""
    db.execute("CREATE INDEX steps_that_made ON steps(job, made) WHERE made <> '{}'")


@MIGRATIONS()
def m020_absences(db: sqlite_utils.Database) -> None:
    """Which hosts and pools were told not to answer; and posts that are replaced by what became true afterwards."""
    db.execute(
        "CREATE TABLE absences (kind TEXT NOT NULL, pool TEXT NOT NULL, about TEXT NOT NULL, name TEXT NOT NULL,"
        " since REAL NOT NULL, told_at REAL NOT NULL, guests TEXT NOT NULL, ended_at REAL, post INTEGER NOT NULL,"
        " PRIMARY KEY (kind, pool, about)) STRICT"
    )
    db.execute("ALTER TABLE outbox ADD COLUMN corrects INTEGER")


@MIGRATIONS()
def m021_find_by_what_went_wrong(db: sqlite_utils.Database) -> None:
    """Which jobs may have left something is found without reading every step of the past."""
    db.execute(
        "CREATE INDEX steps_that_went_wrong ON steps(kind, job) WHERE state IN ('FAILED', 'CANCELLED', 'UNCLEAR')"
    )


def missing_guards(db: sqlite_utils.Database) -> list[str]:
    """Which of the triggers that protect the audit are not there; anything but an empty list is an alarm."""
    present = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
    return [f"the guard {name} is missing" for name in GUARDS if name not in present]
