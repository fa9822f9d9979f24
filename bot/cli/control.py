"""The second door: commands for the bot's own machine, for when Slack is down. The same rules, the same audit."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Callable
from pathlib import Path

import click

from bot.cli.options import CONFIG, FINDING, JSON
from bot.cli.output import complain, print_json
from bot.logs import clean_text


@click.command()
@CONFIG
@JSON
@click.argument("what", default="")
@click.pass_context
def status(ctx: click.Context, *, path: Path, as_json: bool, what: str) -> None:
    """Show the pools, or one pool, host or guest, as the running bot sees them."""
    _ask(ctx, path, " ".join(filter(None, ("status", _quoted(what)))), as_json=as_json)


@click.command()
@CONFIG
@JSON
@click.argument("job", type=click.IntRange(1))
@click.pass_context
def cancel(ctx: click.Context, *, path: Path, as_json: bool, job: int) -> None:
    """Ask a running or queued job to stop."""
    _ask(ctx, path, f"cancel {job}", as_json=as_json)


@click.command()
@CONFIG
@JSON
@click.argument("job", type=click.IntRange(1))
@click.argument("verdict", default="", metavar="[done|not-done]")
@click.pass_context
def resolve(ctx: click.Context, *, path: Path, as_json: bool, job: int, verdict: str) -> None:
    """Look at the pool and close a job that needs a person."""
    _ask(ctx, path, f"resolve {job} {verdict}", as_json=as_json)


@click.command()
@CONFIG
@JSON
@click.argument("reason", default="")
@click.pass_context
def freeze(ctx: click.Context, *, path: Path, as_json: bool, reason: str) -> None:
    """Stop every changing job from starting; also while the bot does not run."""
    words = f"freeze reason {reason}" if reason.strip() else "freeze"
    _ask(ctx, path, words, as_json=as_json, otherwise=lambda: _set_freeze(path, reason, on=True))


@click.command()
@CONFIG
@JSON
@click.pass_context
def unfreeze(ctx: click.Context, *, path: Path, as_json: bool) -> None:
    """End the freeze; also while the bot does not run."""
    _ask(ctx, path, "unfreeze", as_json=as_json, otherwise=lambda: _set_freeze(path, "", on=False))


def _quoted(what: str) -> str:
    return what if not what or '"' in what else f'"{what}"'


def _ask(
    ctx: click.Context, path: Path, words: str, *, as_json: bool, otherwise: Callable[[], str] | None = None
) -> None:
    from bot.config import load_store_only  # noqa: PLC0415  loaded when used
    from bot.door import NotThere, Told, knock  # noqa: PLC0415  loaded when used

    try:
        told = asyncio.run(knock(Path(load_store_only(path).path), words))
    except NotThere:
        if otherwise is None:
            complain("No bot with this store answers here. `xenbot jobs` and `xenbot audit` read the store itself.")
            ctx.exit(FINDING)
        told = Told(ok=True, text=otherwise())
    if as_json:
        print_json({"ok": told.ok, "text": told.text})
    else:
        for line in told.text.splitlines():
            click.echo(clean_text(line), err=not told.ok)
    ctx.exit(0 if told.ok else FINDING)


def _set_freeze(path: Path, reason: str, *, on: bool) -> str:
    """Straight into the store, which nobody holds while the bot does not run."""
    return asyncio.run(_write_freeze(path, reason, on=on))


async def _write_freeze(path: Path, reason: str, *, on: bool) -> str:
    from bot.config import load_store_only  # noqa: PLC0415  loaded when used
    from bot.domain.audit import Tag  # noqa: PLC0415  loaded when used
    from bot.domain.record import Freeze  # noqa: PLC0415  loaded when used
    from bot.store import Note, Store  # noqa: PLC0415  loaded when used

    store = Store(Path(load_store_only(path).path))
    await store.open()
    try:
        who = f"console:{getpass.getuser()}"
        made = Freeze(who, store.clock(), reason) if on else None
        detail = {"reason": reason} if reason else {}
        await store.set_freeze(made, Note(Tag.FREEZE if on else Tag.UNFREEZE, "", who, detail), untold=True)
    finally:
        await store.close()
    state = "Frozen: nothing that changes a pool will start" if on else "The freeze is over"
    return f"{state}. The bot does not run; this holds when it starts, and is then told in the channel."
