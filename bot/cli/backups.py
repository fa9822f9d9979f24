"""Commands that read the archive of backups: they need no secrets, no network, no store and no running bot."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.backup_words import damaged, describe, end_progress, line, progress, tell_look
from bot.cli.options import CONFIG, FINDING, JSON
from bot.cli.output import complain, make_line, print_json
from bot.cli.store import identity_of

if TYPE_CHECKING:
    # For the type checker only: each command imports what it uses.
    from bot.backups import Folder, Listing, Look, Stored
    from bot.backups.settings import BackupSettings

_WHAT = click.argument("what", nargs=-1)


@click.group()
def backups() -> None:
    """Read and keep the archive of backups."""


@backups.command("list")
@CONFIG
@JSON
@_WHAT
@click.pass_context
def list_backups(ctx: click.Context, *, path: Path, as_json: bool, what: tuple[str, ...]) -> None:
    """List backups, newest first: all, or those of the guests or ids named by WHAT."""
    listing = _open(_settings(path)).listing()
    found = _select(listing, what)
    if as_json:
        unfinished = [{"backup": one.id, "guest": one.guest, "size": one.size} for one in listing.unfinished]
        rows = [describe(one.backup) for one in found]
        print_json({"backups": rows, "unfinished": unfinished, "findings": _sentences(listing)})
    else:
        for one in found:
            click.echo(line(one.backup))
        for draft in listing.unfinished:
            click.echo(make_line(draft.id, draft.guest, f"{draft.size:,} bytes", "not finished"))
        _tell(_sentences(listing))
        if not found:
            click.echo("No backups.")
    ctx.exit(FINDING if listing.findings or any(damaged(one.backup) for one in found) else 0)


@backups.command()
@CONFIG
@JSON
@click.option("--sample", type=click.FloatRange(0, 100), metavar="PERCENT", help="Read a random part, not all of it.")
@click.option("--all", "everything", is_flag=True, help="Verify every backup.")
@_WHAT
@click.pass_context
def verify(
    ctx: click.Context, *, path: Path, as_json: bool, sample: float | None, everything: bool, what: tuple[str, ...]
) -> None:
    """Read backups again, of the guests or ids named by WHAT, and say which blocks of which disks are damaged."""
    from bot.errors import Refused, TargetFailed  # noqa: PLC0415  loaded when used

    if everything == bool(what):
        raise click.UsageError("name guests or ids of backups, or give --all.")
    target = _open(_settings(path))
    listing = target.listing()
    _tell(_sentences(listing))
    wrong = bool(listing.findings)
    results = []
    for one in _select(listing, what):
        try:
            look = _look(target, one, sample)
        except (Refused, TargetFailed) as error:
            complain(f"{one.manifest.id}: {error}")
            results.append(describe(one.backup) | {"ok": False, "error": str(error)})
            wrong = True
            continue
        wrong = wrong or bool(look.damage or look.note)
        results.append(
            describe(one.backup)
            | {"ok": not look.damage, "checked": look.checked, "damage": look.damage, "note": look.note}
        )
        if not as_json:
            tell_look(one, look)
    if as_json:
        print_json({"backups": results, "findings": _sentences(listing)})
    elif not results:
        click.echo("No backups.")
    ctx.exit(FINDING if wrong else 0)


@backups.command()
@CONFIG
@JSON
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
@click.option("--clock-is-right", "sure", is_flag=True, help="Go on although much time has passed since the last time.")
@click.pass_context
def prune(ctx: click.Context, *, path: Path, as_json: bool, dry_run: bool, sure: bool) -> None:
    """Move to the trash what the rule in [backups] does not keep, and remove what lay there long enough."""
    from bot.backups.pruning import Policy, plan_pruning  # noqa: PLC0415  loaded when used
    from bot.backups.pruning import prune as prune_target  # noqa: PLC0415  loaded when used

    settings = _settings(path)
    policy = Policy(settings.rule, settings.zone, settings.trash_days)
    bot = identity_of(path)
    target = _open(settings)
    now = time.time()
    if dry_run:
        done = plan_pruning(target, policy, now, bot, sure=sure)
    else:
        done = prune_target(target, policy, now, _me(), bot, sure=sure)
    if as_json:
        print_json(
            {
                "dry_run": dry_run,
                "kept": [describe(one.backup) | {"why": one.why} for one in done.keep],
                "trashed": [describe(one) for one in done.drop],
                "removed": [describe(one) for one in done.purge],
                "findings": done.findings,
                "others": done.others,
            }
        )
    else:
        for kept in done.keep:
            click.echo(make_line("keep", line(kept.backup), kept.why))
        for one in done.drop:
            click.echo(make_line("trash", line(one)))
        for one in done.purge:
            click.echo(make_line("remove", line(one)))
        _tell(done.findings)
        for other, count in done.others.items():
            click.echo(make_line("left", f"{count} of another xenbot, {other}"))
        would = "would go" if dry_run else "went"
        click.echo(f"{len(done.keep)} kept, {len(done.drop)} {would} to the trash, {len(done.purge)} {would} for good.")
    ctx.exit(FINDING if done.findings else 0)


@backups.command()
@CONFIG
@click.pass_context
def claim(ctx: click.Context, *, path: Path) -> None:
    """Let this bot prune every backup that is here, also those made by a bot whose store was lost."""
    from bot.backups.pruning import claim as claim_target  # noqa: PLC0415  loaded when used

    bot = identity_of(path)
    if not bot:
        complain("There is no store of a bot yet that could claim them: start it once.")
        ctx.exit(FINDING)
    for other, count in claim_target(_open(_settings(path)), bot).items():
        click.echo(make_line("claimed", f"{count} of {other}"))


@backups.command()
@CONFIG
@JSON
@click.argument("identity", metavar="ID")
def recover(*, path: Path, as_json: bool, identity: str) -> None:
    """Take a backup out of the trash again."""
    stored = _open(_settings(path)).recover(identity)
    if as_json:
        print_json(describe(stored.backup))
    else:
        click.echo(line(stored.backup))


@backups.command()
@CONFIG
@click.argument("identity", metavar="ID")
@click.pass_context
def discard(ctx: click.Context, *, path: Path, identity: str) -> None:
    """Remove a draft that nobody finishes any more; never a backup."""
    target = _open(_settings(path))
    if all(one.id != identity for one in target.listing().unfinished):
        complain(f"There is no draft {identity}.")
        ctx.exit(FINDING)
    target.discard(identity)
    click.echo(f"{identity}  removed")


@backups.command()
@CONFIG
@JSON
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def adopt(*, path: Path, as_json: bool, file: Path) -> None:
    """Copy an archive from elsewhere (FILE, an .xva) into the place for backups, if all of it is right."""
    from bot.backups import adopt as adopt_file  # noqa: PLC0415  loaded when used

    stored = adopt_file(_open(_settings(path)), file, _me(), time.time(), progress(file.name))
    end_progress()
    if as_json:
        print_json(describe(stored.backup))
    else:
        click.echo(line(stored.backup))


def check(settings: BackupSettings) -> list[tuple[str, str, str]]:
    """What is wrong with the place for backups: where, level, sentence."""
    from bot.backups import Folder  # noqa: PLC0415  loaded when used
    from bot.domain.texts import size  # noqa: PLC0415  loaded when used
    from bot.errors import TargetFailed  # noqa: PLC0415  loaded when used

    if not settings.path:
        return [("backups", "ok", "no place is configured: this bot makes none.")]
    target = Folder(Path(settings.path), mounted=settings.mounted)
    try:
        target.probe()
        space, listing = target.space(), target.listing()
    except TargetFailed as error:
        return [("backups", "error", str(error))]
    found = [("backups", "warning", finding) for finding in _sentences(listing)]
    reserve = settings.reserve_gib << 30
    if space.free <= reserve:
        sentence = f"{size(space.free)} are free, and {size(reserve)} must stay free: no backup can be made."
        found.append(("backups", "error", sentence))
    bad = sum(damaged(one) for one in listing.backups)
    if bad:
        found.append(("backups", "error", f"{bad} of {len(listing.backups)} backups are damaged."))
    told = f"{len(listing.backups)} backups, {size(space.free)} of {size(space.total)} free."
    return found or [("backups", "ok", told)]


def _settings(path: Path) -> BackupSettings:
    from bot.config.backups_part import load_backups_only  # noqa: PLC0415  loaded when used

    return load_backups_only(path)


def _open(settings: BackupSettings) -> Folder:
    from bot.backups import Folder  # noqa: PLC0415  loaded when used

    _become_owner(Path(settings.path))
    return Folder(Path(settings.path), mounted=settings.mounted)


def _become_owner(folder: Path) -> None:
    """Run by root, goes on as the user that the folder belongs to: what root leaves there, the bot could not read."""
    owner = folder.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


def _select(listing: Listing, what: Iterable[str]) -> list[Stored]:
    """Those whose id, guest's UUID or guest's name is named; all when nothing is. Raises UsageError."""
    names = list(what)
    if not names:
        return list(listing.stored)
    found: list[Stored] = []
    for name in names:
        matching = [
            one
            for one in listing.stored
            if name.casefold() in {one.manifest.id, one.manifest.guest, one.manifest.name.casefold()}
        ]
        if not matching:
            raise click.UsageError(f"there is no backup with the id, and none of a guest, called {name!r}.")
        found += [one for one in matching if one not in found]
    return found


def _look(target: Folder, one: Stored, sample: float | None) -> Look:
    """Looks, and keeps the result beside the backup: a backup in the trash too may be what somebody needs."""
    from bot.backups import check_all, check_sample  # noqa: PLC0415  loaded when used

    told = progress(one.manifest.id)
    look = check_all(one, told) if sample is None else check_sample(one, sample / 100, told)
    end_progress()
    target.record(one.manifest.id, look.verification(time.time(), _me()))
    return look


def _sentences(listing: Listing) -> list[str]:
    return [one.sentence for one in listing.findings]


def _tell(findings: Iterable[str]) -> None:
    for finding in findings:
        complain(finding)


def _me() -> str:
    return f"console:{getpass.getuser()}"
