"""How `xenbot backups` tells of backups: in lines for people, in fields for scripts, and how far it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from bot.cli.output import make_line
from bot.logs import clean_text

if TYPE_CHECKING:
    # For the type checker only: each command imports what it uses.
    from bot.backups import Look, Stored
    from bot.domain.catalogue import Backup


def damaged(one: Backup) -> bool:
    """Whether the newest look at it found damage."""
    return one.verified is not None and bool(one.verified.damage)


def line(one: Backup) -> str:
    """A backup in one line."""
    seen = one.verified
    how = f"{seen.how.value} {_iso(seen.at)}" if seen is not None else "never verified"
    until = f"kept until {_iso(one.kept_until)}" if one.kept_until is not None else ""
    return make_line(one.id, one.name, one.pool_name, _iso(one.at), f"{one.size:,} bytes", one.state.value, how, until)


def describe(one: Backup) -> dict[str, Any]:
    """A backup for scripts; times in ISO 8601."""
    seen = one.verified
    return {
        "backup": one.id,
        "guest": one.guest,
        "name": one.name,
        "pool": one.pool,
        "pool_name": one.pool_name,
        "at": _iso(one.at),
        "size": one.size,
        "sha256": one.sha256,
        "job": one.job,
        "who": one.who,
        "state": one.state.value,
        "verified_at": _iso(seen.at) if seen is not None else None,
        "verified_how": seen.how.value if seen is not None else "",
        "verified_by": seen.who if seen is not None else "",
        "damage": list(seen.damage) if seen is not None else [],
        "note": seen.note if seen is not None else "",
        "kept_until": _iso(one.kept_until),
    }


def tell_look(one: Stored, look: Look) -> None:
    """Prints what a look found."""
    how = "all of it" if look.checked == look.size else f"{look.checked:,} of {look.size:,} bytes, picked at random"
    verdict = "damaged" if look.damage else "as it was when it was made"
    click.echo(make_line(one.manifest.id, one.manifest.name, f"{verdict} ({how} was read)"))
    for sentence in (*look.damage, look.note):
        if sentence:
            click.echo(make_line("   ", sentence))


def progress(name: str) -> Callable[[int, int], None]:
    """Tells a person at a terminal, in one line that is written over; nobody else."""
    if not sys.stderr.isatty():
        return lambda _done, _total: None
    told = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal told
        if time.monotonic() - told > 0.5:
            told = time.monotonic()
            click.echo(f"\r{clean_text(name)}  {done * 100 // max(1, total)} %", nl=False, err=True)

    return tell


def end_progress() -> None:
    """Clears the line of the progress."""
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)


def _iso(at: float | None) -> str | None:
    try:
        return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        # A manifest may hold any number.
        return "at no possible time"
