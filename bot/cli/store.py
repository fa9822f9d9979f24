"""Commands that read the store: they need no secrets, no network and no running bot."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.options import CONFIG, FINDING, JSON, LIMIT
from bot.cli.output import make_line, print_csv, print_json

if TYPE_CHECKING:
    # For the type checker only: each command imports what it uses.
    from bot.domain.record import JobRecord
    from bot.store import Reader


@click.command()
@CONFIG
@LIMIT
@JSON
def jobs(*, path: Path, limit: int, as_json: bool) -> None:
    """List jobs, newest first."""
    with closing(_open_store(path)) as reader:
        rows = [_describe_job(job) for job in reader.jobs(limit)]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo(
            make_line(row["job"], row["state"], row["created_at"], row["requester"], row["title"], row["outcome"])
        )
    if not rows:
        click.echo("No jobs.")


@click.group()
def audit() -> None:
    """Read the audit: who did what, when, approved by whom."""


@audit.command("list")
@CONFIG
@LIMIT
@click.option("--job", type=click.IntRange(1), help="Only entries of this job.")
@JSON
def list_audit(*, path: Path, limit: int, job: int | None, as_json: bool) -> None:
    """List entries, newest first."""
    from msgspec.structs import asdict  # noqa: PLC0415  loaded when used

    with closing(_open_store(path)) as reader:
        rows = [asdict(entry) for entry in reader.audit(limit, job)]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        number = "" if row["job"] is None else f"job {row['job']}"
        click.echo(
            make_line(row["seq"], row["at"], row["actor"], row["tag"], number, row["target_name"], row["detail"])
        )
    if not rows:
        click.echo("No entries.")


@audit.command()
@CONFIG
@JSON
@click.pass_context
def verify(ctx: click.Context, *, path: Path, as_json: bool) -> None:
    """Follow the chain of hashes from the first entry to the last."""
    from bot.domain import audit as chain  # noqa: PLC0415  loaded when used

    with closing(_open_store(path)) as reader:
        count, head, broken = chain.verify(reader.entries())
    if as_json:
        found = None if broken is None else {"seq": broken.seq, "reason": broken.reason}
        print_json({"ok": broken is None, "entries": count, "head": head, "break": found})
    elif broken is None:
        click.echo(f"The audit is whole: {count} entries, head hash {head}.")
    else:
        click.echo(f"The audit is broken at entry {broken.seq}: {broken.reason}. {count} entries before it hold.")
    ctx.exit(0 if broken is None else FINDING)


@audit.command()
@CONFIG
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines instead of CSV.")
def export(*, path: Path, as_json: bool) -> None:
    """Print the whole audit, oldest first, as CSV."""
    from msgspec.structs import asdict  # noqa: PLC0415  loaded when used

    from bot.domain.audit import Entry  # noqa: PLC0415  loaded when used

    with closing(_open_store(path)) as reader:
        rows = map(asdict, reader.entries())
        if as_json:
            for row in rows:
                print_json(row)
        else:
            print_csv(Entry.__struct_fields__, rows)


def identity_of(path: Path) -> str:
    """Who the bot of a configuration is, by its store; "" where there is none that can be read."""
    from bot.errors import ConfigError, StoreError  # noqa: PLC0415  loaded when used

    try:
        reader = _open_store(path)
    except (ConfigError, StoreError):
        return ""
    with closing(reader):
        return reader.identity()


def _open_store(path: Path) -> Reader:
    from bot.config import load_store_only  # noqa: PLC0415  loaded when used
    from bot.store import Reader  # noqa: PLC0415  loaded when used

    return Reader(load_store_only(path).path)


def _describe_job(job: JobRecord) -> dict[str, Any]:
    """A job for people and scripts. What the pool calls its tasks stays inside: it is a reference of XAPI."""
    from bot.domain.texts import plain  # noqa: PLC0415  loaded when used

    return {
        "job": job.number,
        "state": job.state.value,
        "operation": job.operation,
        "title": plain(job.plan.title),
        "pool": job.pool,
        "target": job.target,
        "digest": job.digest,
        "team": job.team,
        "requester": job.requester,
        "reason": job.reason,
        "created_at": _iso(job.created_at),
        "started_at": _iso(job.started_at),
        "finished_at": _iso(job.finished_at),
        "approvers_needed": job.approvers_needed,
        "decisions": [{"person": one.person, "verdict": one.verdict, "at": _iso(one.at)} for one in job.decisions],
        "steps": [{"kind": one.kind, "state": one.state.value, "progress": one.progress} for one in job.steps],
        "outcome": plain(job.outcome) if job.outcome is not None else "",
    }


def _iso(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
