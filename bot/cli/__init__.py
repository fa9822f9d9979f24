"""The command line: `xenbot`, also `python -m bot.cli`.

It reads options, calls one function of the rooms below, and prints. Each command loads what it needs when it runs, so
that `--help` and reading the store do not wait for libraries they do not use.

Exit codes: 0 well, 1 a finding, 2 usage or configuration.
"""

from __future__ import annotations

import asyncio
import math
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import structlog

from bot.cli import backups, control, store
from bot.cli.options import CONFIG, FINDING, JSON, USAGE
from bot.cli.output import complain, print_json
from bot.errors import ConfigError, XenbotError
from bot.logs import LEVELS, clean_text, configure

if TYPE_CHECKING:
    # For the type checker only: each command imports what it uses.
    from bot.config import Config


class _Commands(click.Group):
    """Turns our own errors into sentences and exit codes, for every command alike."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  as click declares it
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            for finding in error.findings:
                complain(finding)
            ctx.exit(USAGE)
        except XenbotError as error:
            complain(str(error))
            ctx.exit(FINDING)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            # The edge: a person at a terminal gets a sentence; whoever mends it gets the trace from Python's own mode.
            if sys.flags.dev_mode:
                raise
            complain(f"Not expected: {type(error).__name__}: {error}. `python -X dev -m bot.cli …` shows where.")
            ctx.exit(FINDING)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="xenbot")
def main() -> None:
    """Run xenbot, try it in its lab, or read its store."""


@main.command()
@CONFIG
@click.option("--log-level", type=click.Choice(LEVELS), default="info", show_default=True, help="Lowest level logged.")
@click.pass_context
def run(ctx: click.Context, path: Path, log_level: str) -> None:
    """Run the bot until SIGTERM."""
    configure(level=log_level)
    from bot.config import load  # noqa: PLC0415  loaded when used

    config = load(path, os.environ)
    configure(config.secrets.values(), log_level)
    for pool in config.pools:
        if pool.insecure:
            # Switching certificate checks off must stay noticed long after whoever did it has forgotten.
            structlog.get_logger().warning("certificates_not_checked", pool=pool.name)
    from bot.app import run as run_app  # noqa: PLC0415  loaded when used

    try:
        code = asyncio.run(run_app(config))
    except XenbotError:
        raise
    except Exception:  # noqa: BLE001  the edge: what nobody expected ends the bot, and its trace belongs in the log
        structlog.get_logger().exception("crashed")
        code = FINDING
    ctx.exit(code)


def _check_world(_ctx: click.Context, _option: click.Parameter, world: str) -> str:
    if world == "article" or re.fullmatch(r"large:[1-9]\d*x\d+", world) or Path(world).is_file():
        return world
    raise click.BadParameter("must be article, large:HOSTSxVMS (for example large:8x200) or an existing file.")


def _check_speed(_ctx: click.Context, _option: click.Parameter, speed: float) -> float:
    if math.isfinite(speed) and speed > 0:
        return speed
    raise click.BadParameter("must be a number above 0.")


@main.command()
@click.option("--port", default=8080, type=click.IntRange(0, 65535), show_default=True, help="The page's; 0 picks one.")
@click.option(
    "--xapi-port",
    default=8443,
    type=click.IntRange(0, 65534),
    show_default=True,
    help="HTTPS of every simulated host, plain HTTP on the next; 0 picks them.",
)
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="Folder to keep store and log in.")
@click.option(
    "--world",
    default="article",
    metavar="article|large:HOSTSxVMS|FILE",
    callback=_check_world,
    show_default=True,
    help="The datacentre.",
)
@click.option(
    "--speed", default=1.0, callback=_check_speed, show_default=True, help="How much faster simulated work is."
)
@click.option("--no-bot", is_flag=True, help="Start the simulators alone.")
@click.option("--json", "as_json", is_flag=True, help="When ready, print addresses and tokens as one line of JSON.")
@click.pass_context
def lab(
    ctx: click.Context,
    *,
    port: int,
    xapi_port: int,
    data: Path | None,
    world: str,
    speed: float,
    no_bot: bool,
    as_json: bool,
) -> None:
    """Try the bot with a simulated Slack and simulated pools, in a browser."""
    from bot.commands import Registry  # noqa: PLC0415  loaded when used
    from bot.lab.launch import LabOptions, run_lab  # noqa: PLC0415  loaded when used
    from bot.lab.routes import CommandHint  # noqa: PLC0415  loaded when used
    from bot.slack.manifest import manifest as make_manifest  # noqa: PLC0415  loaded when used

    known = Registry.discover().commands
    options = LabOptions(
        port=port,
        xapi_port=xapi_port,
        data=data,
        world=world,
        speed=speed,
        bot=not no_bot,
        json=as_json,
        commands=tuple(CommandHint(one.word, one.usage, one.help, one.example) for one in known),
        manifest=make_manifest(),
    )
    ctx.exit(asyncio.run(run_lab(options)))


@main.command()
@CONFIG
@JSON
@click.pass_context
def check(ctx: click.Context, *, path: Path, as_json: bool) -> None:
    """Look at the configuration, at Slack and at every host, and say everything that is wrong."""
    configure(level="error")
    from bot.config import survey  # noqa: PLC0415  loaded when used

    try:
        config, findings = survey(path, os.environ)
    except ConfigError as error:
        config, findings = None, list(error.findings)
    found = [("configuration", "error", finding) for finding in findings]
    if config is not None:
        configure(filter(None, config.secrets.values()), "error")
        found += asyncio.run(_look_outside(config, findings))
    wrong = [one for one in found if one[1] != "ok"]
    if as_json:
        rows = [{"where": where, "level": level, "text": text} for where, level, text in found]
        print_json({"ok": not wrong, "findings": rows})
    else:
        for where, level, text in found:
            click.echo(f"{level:8} {clean_text(where)}: {clean_text(text)}")
        click.echo(f"{len(wrong)} findings." if wrong else "All is well.")
    ctx.exit(FINDING if wrong else 0)


async def _look_outside(config: Config, findings: Sequence[str]) -> list[tuple[str, str, str]]:
    """What Slack and the pools say: where, level, sentence.

    Nobody is asked whose own settings have findings: a secret would go where it may not belong.
    """
    from bot.slack import check as check_slack  # noqa: PLC0415  loaded when used
    from bot.xen import Pools, own_uuids  # noqa: PLC0415  loaded when used
    from bot.xen.settings import findings as pool_findings  # noqa: PLC0415  loaded when used

    secrets = config.secrets
    named = {int(place[1]) for one in findings if (place := re.match(r"pools\[(\d+)\]", one))}
    known = [
        pool
        for index, pool in enumerate(config.pools)
        if index not in named and secrets.pool_passwords.get(pool.name) and not pool_findings([pool])
    ]
    pools = Pools(known, passwords=secrets.pool_passwords, own=own_uuids())

    async def people() -> list[tuple[str, str, str]]:
        tokens = (secrets.slack_bot_token, secrets.slack_app_token)
        lacking = not all(tokens[:1] if config.slack.mode == "http" else tokens)
        if lacking or any(one.startswith(("slack.", "slack:")) for one in findings):
            return []
        said = await check_slack(config.slack, config.roles, *tokens, break_glass=config.approval.break_glass)
        return [("slack", "error", text) for text in said] or [("slack", "ok", "tokens, scopes, channels and people.")]

    try:
        slack, xen = await asyncio.gather(people(), pools.check())
    finally:
        await pools.stop()
    return slack + [(f"pool {one.pool}", one.level, one.text) for one in xen]


@main.command()
@click.option("--url", default="", help='For mode "http": the address Slack posts to, as Slack reaches it.')
def manifest(url: str) -> None:
    """Print the manifest to create the Slack app from."""
    from bot.slack.manifest import PATH, manifest_text  # noqa: PLC0415  loaded when used

    if url and not (url.startswith("https://") and url.endswith(PATH)):
        raise click.BadParameter(f"must begin with https:// and end with {PATH}.", param_hint="--url")
    click.echo(manifest_text(url), nl=False)


for _command in (control.status, control.cancel, control.resolve, control.freeze, control.unfreeze):
    main.add_command(_command)
main.add_command(store.jobs)
main.add_command(store.audit)
main.add_command(backups.backups)
